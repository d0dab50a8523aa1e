"""Two successors of one IKE SA, of which one end knows only one: RFC 7296 2.8.1, 2.25.2."""

from __future__ import annotations

from isakmp.sa import State
from regress.pair import Host, Network
from regress.scripts.ikev2.pairs import child_of, pair, sa_of
from regress.traffic import flows


def deliver(net: Network, host: Host, number: int = 0) -> None:
    """The oldest packet, or a later one, that flies to a host arrives."""
    packet = [packet for packet in net.flying if packet.dst == host.address][number]
    net.flying.remove(packet)
    net.deliver(packet)


def decided_at_east() -> tuple[Network, Host, Host]:
    """Both have rekeyed, and east has the highest nonce and has decided.

    To west fly the answer that it lacks for that, and east's Delete for the old IKE SA.
    """
    net, west, east = pair()
    old = sa_of(east)
    for host in (west, east):
        host.daemon.keeper.rekey_sa(sa_of(host))
    for host in (east, west, east):
        deliver(net, host)
    assert old.state is State.DELETING
    assert [str(packet.dst) for packet in net.flying] == ["192.0.2.1"] * 2
    return net, west, east


def live(host: Host) -> set[bytes]:
    """The SPIs of what it would send under."""
    sas = host.daemon.sas.isakmp.values()
    return {sa.cookies for sa in sas if sa.state is State.ESTABLISHED}


def test_what_its_maker_may_not_know_takes_nobodys_place() -> None:
    net, west, east = decided_at_east()
    deliver(net, west, 1)
    net.run(1)
    (sa,) = west.daemon.sas.isakmp.values()
    west.daemon.keeper.delete_sa(sa)
    net.pump()
    assert live(east) <= live(west)
    net.run(5)
    assert flows(west, east)


def test_a_child_sa_of_an_undecided_ike_sa_is_found() -> None:
    net, west, east = decided_at_east()
    child = child_of(east)
    east.daemon.connections.rekey(child)
    deliver(net, west, 2)
    assert west.reasons() == ["temporary-failure"]
    net.run(1)
    assert child_of(east) is child
    assert flows(west, east)


def test_what_ended_with_the_ike_sa_is_asked_for_under_its_successor() -> None:
    net, west, east = decided_at_east()
    west.daemon.connections.rekey(child_of(west))
    deliver(net, west, 1)
    assert west.reasons() == ["sa-gone", "sa-gone"]
    net.run(0.5)
    assert "connection west-east rekeyed" in "\n".join(west.lines)
    net.run(5)
    assert flows(west, east)
