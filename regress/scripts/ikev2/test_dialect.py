"""What IKEv2 does its own way: message IDs and windows on the wire, RFC 7296 2.2 and 2.3."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isakmp.scripts.ikev2.dialect import Ikev2
from regress.pair import EAST, WEST, Host, agree, connected
from regress.sim.collisions import Net

V2 = "Key-exchange= ikev2"


def up(west_groups: str, east_groups: str, window: int = 1) -> tuple[Net, Host, Host]:
    net = Net(window)
    tags = f"{V2}\nWindow-size= {window}"
    ends = []
    for gateway, groups in ((WEST, west_groups), (EAST, east_groups)):
        offer = f"ESP-proposals= aes128gcm16-{groups}"
        ends.append(net.host(replace(gateway, peer_tags=tags, connection_tags=offer)))
    net.start()
    net.run(5)
    return net, ends[0], ends[1]


def test_another_group_is_asked_for_with_another_message_id() -> None:
    """INVALID_KE_PAYLOAD answers a request; what follows is another one."""
    net, west, east = up("x25519-ecp256", "ecp256-x25519")
    (old,) = west.daemon.sas.all_children()
    west.daemon.connections.rekey(old)
    net.run(10)
    assert not net.wrong
    (child,) = west.daemon.sas.all_children()
    assert child.protocols != old.protocols
    agree(west, east)


def test_of_many_requests_only_the_window_is_without_an_answer() -> None:
    for window in (1, 2, 3):
        net, west, east = up("x25519", "x25519", window)
        sa = west.daemon.sas.current_of_remote("east")
        assert sa is not None
        dialect = west.daemon.engine.dialects["ikev2"]
        for _ in range(10):
            dialect.tell(west.daemon.engine, sa, [])  # type: ignore[attr-defined]
        assert len(net.flying) == window
        net.run(5)
        assert not net.wrong
        assert connected(west)
        assert connected(east)


@pytest.mark.parametrize("who", ["west", "east"])
def test_the_window_is_said_again_under_a_rekeyed_ike_sa(who: str) -> None:
    """RFC 7296 2.3: 2.3: it begins at 1 there."""
    net, west, east = up("x25519", "x25519", 4)
    host = west if who == "west" else east
    (old,) = host.daemon.sas.isakmp.values()
    host.daemon.keeper.rekey_sa(old)
    net.run(5)
    ends = [sa for end in (west, east) for sa in end.daemon.sas.isakmp.values()]
    assert old not in ends
    assert [sa.ids.size_out for sa in ends] == [1, 1]
    (sa,) = host.daemon.sas.isakmp.values()
    dialect = host.daemon.engine.dialects["ikev2"]
    assert isinstance(dialect, Ikev2)
    tell = dialect.tell
    tell(host.daemon.engine, sa, [])
    net.pump()
    assert [sa.ids.size_out for sa in ends] == [4, 4], "said by the request, and by its answer"
    for _ in range(10):
        tell(host.daemon.engine, sa, [])
    assert len(net.flying) == 4
    net.run(5)
    assert not net.wrong
    agree(west, east)


def test_what_waits_when_an_ike_sa_ends_does_not_begin() -> None:
    """What is given up leaves room for what is to be given up next: once that has gone, its answer
    is missing in the window for ever."""
    net, west, _ = up("x25519", "x25519", 2)
    (sa,), (child,) = west.daemon.sas.isakmp.values(), west.daemon.sas.all_children()
    net.lose = lambda packet: True
    west.daemon.connections.rekey(child)
    west.daemon.keeper.rekey_sa(sa)
    west.daemon.engine.dialects["ikev2"].tell(  # type: ignore[attr-defined]
        west.daemon.engine, sa, []
    )
    assert len(sa.waiting) == 2
    net.history.clear()
    west.daemon.keeper.delete_sa(sa)
    assert [packet.header.message_id for packet in net.history] == [max(sa.ids.outstanding)]
    assert len(sa.ids.outstanding) == 2
    assert not net.wrong
