"""Phase 1s of ours: one to each peer, also where several are at one address."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from isakmp.errors import Reason
from isakmp.sa import Nat
from regress.keeper.test_another_peer import begun_by, behind_one_nat, orphan
from regress.pair import WEST, Network


@pytest.mark.parametrize("other", ["behind it", "itself", "without NAT traversal"])
@pytest.mark.parametrize("dead", [False, True])
def test_who_is_behind_one_nat_is_called_once_however_often_it_is_needed(
    other: str, dead: bool
) -> None:
    net, server, devices = behind_one_nat("ikev1", (1, 2), other)
    net.run(30)  # nobody is called any more
    children = server.daemon.sas.all_children()
    orphan(net)
    for each in devices.values() if dead else ():
        net.kill(net.hosts[ip_address(each.address)])
    before = {packet.header.cky_i for packet in begun_by(server)}
    for _ in range(5):
        for child in children:
            server.daemon.connections.replace(child)
    net.run(15)
    begun = {packet.header.cky_i for packet in begun_by(server)} - before
    assert len(begun) == len(children) == 2


def test_who_waits_for_one_hears_of_its_end_though_a_neighbour_is_called() -> None:
    """The one that is called last takes longer."""
    net, server, devices = behind_one_nat("ikev1", (1,))
    orphan(net)
    net.kill(net.hosts[ip_address(devices[1].address)])
    connections, (child,) = server.daemon.connections, server.daemon.sas.all_children()
    connections.bring_up(connections.entries["c2"])
    waited_for = connections.entries["c2"].waiting
    assert waited_for is not None
    net.run(20)
    begun = connections.begin_sa_of(child)
    assert begun is not None and begun is not waited_for
    net.until(lambda: waited_for.finished.done)
    entry = connections.entries["c2"]
    assert not begun.finished.done
    assert (entry.waiting, entry.unreached) == (None, True)
    assert entry.failure is not None and entry.retry is not None


@pytest.mark.parametrize("port", [500, 4500])
def test_a_peer_without_a_nat_is_one_whatever_port_of_its_own_is_used(port: int) -> None:
    """We may be behind one: what is left of an SA goes to port 4500, what is configured to 500."""
    net = Network()
    west = net.host(WEST)
    net.start()
    (entry,) = west.daemon.connections.entries.values()
    path = west.daemon.connections.beginnings.path_to(entry.remote)
    assert path is not None
    moved = path._replace(remote_port=port, encap=port == 4500)
    begun = west.daemon.connections.begin_sa(entry.remote, moved, nat=Nat(local=True, spoken=True))
    assert begun is entry.waiting


def test_what_is_not_to_come_up_is_not_joined_and_its_end_ends_no_wait() -> None:
    net = Network()
    west = net.host(WEST)
    net.start()
    connections = west.daemon.connections
    (entry,) = connections.entries.values()
    first = entry.waiting
    assert first is not None
    first.unwanted = Reason("test", "it was changed meanwhile")
    connections.bring_up(entry)
    second = entry.waiting
    assert second is not None and second is not first
    west.daemon.engine.fail(first, first.unwanted)
    assert entry.waiting is second and entry.failure is None
    connections.bring_up(entry)
    assert entry.waiting is second
