"""What a message proves by itself counts, whatever becomes of what it says: RFC 7296 2.23."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants import ikev2
from isakmp.sa import State
from regress.pair import Host, Network, Packet
from regress.scripts.changed import change_sent
from regress.scripts.ikev2.pairs import child_of, kinds, pair, sa_of
from regress.scripts.ikev2.test_hostile import RESPONSE, forge

P, X = ikev2.Payload, ikev2.Exchange
NEW, OTHER = 20001, 20002
# Exchange type, the type of what is in it, and its octets.
REFUSED: dict[str, tuple[int, int, bytes]] = {
    "lacks all": (X.CREATE_CHILD_SA, 0, b""),
    "malformed": (X.CREATE_CHILD_SA, P.NOTIFY, b"\0\0\0\1"),
    "malformed, of no child SA": (X.INFORMATIONAL, P.DELETE, b"\0\0\0\1"),
    "unknown exchange": (77, 0, b""),
    "critical": (X.INFORMATIONAL, 200, b"\0\x80\0\4"),
}


def behind_a_nat() -> tuple[Network, Host, Host]:
    """West may move, as far as east knows."""
    net, west, east = pair()
    sa_of(east).nat.remote = True
    return net, west, east


def come(west: Host, east: Host, port: int, data: bytes) -> None:
    """Deliver it as if from that port of west's."""
    east.receive(Packet(west.address, port, east.address, 500, data))


@pytest.mark.parametrize("what", REFUSED)
def test_a_peer_whose_request_is_refused_is_where_that_came_from(what: str) -> None:
    net, west, east = behind_a_nat()
    sa, (kind, first, inner) = sa_of(east), REFUSED[what]
    sa.last_heard = 0.0
    data = forge(west, [], kind=kind, inner=inner, first=first)
    come(west, east, NEW, data)
    assert sa.path.remote_port == NEW and sa.last_heard == net.now
    answer = net.flying.popleft()
    assert answer.dport == NEW and answer.header.flags & RESPONSE
    come(west, east, OTHER, data)
    assert sa.path.remote_port == NEW, "it is not new any more"


def test_what_a_step_refuses_is_heeded_too() -> None:
    """As the temporary failure of who has begun something itself."""
    net, west, east = behind_a_nat()
    net.lose = lambda packet: packet.src == east.address
    east.daemon.connections.rekey(child_of(east))
    net.run(0.1)
    net.lose = lambda packet: packet.src == west.address
    west.daemon.keeper.rekey_sa(sa_of(west))
    net.run(0.1)
    asked = net.history[-1]
    assert asked.src == west.address
    come(west, east, NEW, asked.data)
    assert sa_of(east).path.remote_port == NEW
    assert "temporary-failure" in east.said


def test_a_request_is_as_good_as_the_answer_that_is_waited_for() -> None:
    """RFC 7296 2.4: whatever is new and proven shows that the peer lives."""
    _, west, east = behind_a_nat()
    sa_of(east).dpd_waiting = 1
    data = forge(west, [])
    come(west, east, 500, data)
    assert sa_of(east).dpd_waiting == 0
    sa_of(east).dpd_waiting = 1
    come(west, east, 500, data)
    assert sa_of(east).dpd_waiting == 1, "it is not new any more"


def test_what_is_left_of_a_rekeyed_ike_sa_moves_alone() -> None:
    """Its Delete may have been kept back: what its successor has inherited stays."""
    net, west, east = behind_a_nat()
    old, child = sa_of(east), child_of(east)
    net.lose = lambda packet: kinds([packet]) == ["INFORMATIONAL"]
    west.daemon.keeper.rekey_sa(sa_of(west))
    net.run(0.1)
    farewell = net.history[-1]
    assert (old.state, farewell.src) == (State.SUPERSEDED, west.address)
    come(west, east, NEW, farewell.data)
    assert old.path.remote_port == NEW and child.parent is old.heirs[0]
    assert child.path.remote_port == old.heirs[0].path.remote_port == 500


@pytest.mark.parametrize("lacks", [False, True])
def test_a_peer_whose_answer_is_refused_is_where_that_came_from(lacks: bool) -> None:
    net, west, east = behind_a_nat()
    net.lose = lambda packet: packet.src == west.address

    def change(x: Any, message: Any) -> None:
        if not x.initiator:
            message.payloads = [p for p in message.payloads if lacks and p[0] != P.NONCE]

    change_sent(west, change, 2)
    east.daemon.connections.rekey(child_of(east))
    net.run(0.1)
    answer = net.history[-1]
    assert answer.src == west.address and answer.header.flags & RESPONSE
    come(west, east, NEW, answer.data)
    assert sa_of(east).path.remote_port == NEW
