"""Two successors of one IKE SA, of which one end knows only one: RFC 7296 2.8.1, 2.25.2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from isakmp.constants.ikev2 import Notify
from isakmp.errors import Reason, Refused
from isakmp.exchange.exchange import Exchange
from isakmp.exchange.script import Incoming
from isakmp.sa import ChildSa, State
from isakmp.scripts.ikev2 import child as negotiation
from isakmp.scripts.ikev2.creation import Create
from regress.pair import Host, Network, agree, connected
from regress.scripts.ikev2.pairs import child_of, kinds, pair, sa_of
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


def refuse(way: str, host: Host, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have a host not take the child SA of the next answer; and what ends that."""
    if way in ("update_sa", "add_sa"):
        host.app.refused.add(way)
        return lambda: host.app.refused.discard(way)

    def take(*_: object) -> None:
        raise Refused(Reason("traffic-of-another", "it is another's"), Notify.TS_UNACCEPTABLE)

    def inspect(exchange: Exchange, message: Incoming) -> None:
        if isinstance(exchange.state, Create) and exchange.state.child is not None:
            dialect._not_understood(exchange)
            raise Refused(Reason("unsupported-critical-payload", "one of tomorrow"))
        heed(exchange, message)

    dialect: Any = host.daemon.engine.dialects["ikev2"]
    heed = dialect.inspect
    if way == "answer":
        monkeypatch.setattr(negotiation, "take_answer", take)
    else:
        monkeypatch.setattr(dialect, "inspect", inspect)
    return monkeypatch.undo


@pytest.mark.parametrize("way", ["update_sa", "add_sa", "answer", "critical"])
@pytest.mark.parametrize("replaced", ["by us", "by the peer", "by us twice"])
def test_what_an_answer_has_made_and_is_not_taken_ends_under_whatever_replaces_its_ike_sa(
    way: str, replaced: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its Delete waits until the IKE SA is rekeyed, or gets lost then (RFC 7296 2.8, 2.18)."""
    net, west, east = pair()
    old, made = sa_of(west), child_of(west)
    taken = refuse(way, west, monkeypatch)
    west.daemon.connections.rekey(made)
    if replaced == "by the peer":
        net.lose = lambda p: kinds([p]) == ["INFORMATIONAL"] and p.src == west.address
        net.run(0.2)
        east.daemon.keeper.rekey_sa(sa_of(east))
    else:
        west.daemon.keeper.rekey_sa(old)
    net.run(0.2)
    taken()
    net.lose = lambda p: False
    if replaced == "by us twice":
        west.daemon.keeper.rekey_sa(next(s for s in west.daemon.sas.isakmp.values() if not s.heirs))
    net.run(1.5)
    # What says that it is closing a child SA is not rekeyed meanwhile (2.25.2).
    assert old.heirs or (way, replaced) == ("add_sa", "by the peer")
    assert {c.cookies for c in known(east)} <= {
        sa.own_cookie for sa in east.daemon.sas.isakmp.values()
    }
    assert names(west) == names(east)
    net.run(5)
    assert connected(west)
    agree(west, east)
    assert flows(west, east)


def known(host: Host) -> list[ChildSa]:
    """The child SAs that it does not end."""
    every = host.daemon.sas.all_children()
    return [child for child in every if child.state is not State.DELETING]


def names(host: Host) -> set[frozenset[int]]:
    """The child SAs of both ends, by their SPIs."""
    return {frozenset(p.spi_in for p in c.protocols) | {p.spi_out for p in c.protocols}
            for c in known(host)}  # fmt: skip
