"""A child SA that carries more, or less, than the one in whose place it comes: RFC 7296 2.9.2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from isakmp.app.base import Direction
from isakmp.constants import ikev2
from isakmp.errors import Reason, Refused
from isakmp.policy.spd import Selector, Traffic
from isakmp.policy.traffic import of_selector
from isakmp.scripts import ipsec_sa
from regress.pair import Host, Network, Packet, agree
from regress.scripts.ikev2.narrow import (
    LOWER,
    WIDE,
    arrives,
    asking,
    carried,
    met,
    narrowed,
    passes,
    row_of,
    widened,
)
from regress.scripts.ikev2.pairs import child_of, pair, sa_of, wear_out


def watched(net: Network, west: Host, east: Host, lost: list[str]) -> None:
    """Whether what was agreed on before passes both ways at any time is looked at."""
    deliver, packet = net.deliver, Selector.of("10.1.0.9", "10.2.0.9", 6, 40000, 80)

    def look(datagram: Packet) -> None:
        deliver(datagram)
        ways = (west, east, packet), (east, west, packet.reversed())
        lost.extend(str(way[0].address) for way in ways if not arrives(*way))

    net.deliver = look  # type: ignore[method-assign, assignment]


@pytest.mark.parametrize("who", ["west", "east"])
def test_what_the_peer_takes_by_now_is_had_with_the_next_child_sa(who: str) -> None:
    """Traffic of the first one passes all the while."""
    net, west, east = widened()
    lost: list[str] = []
    before = len(net.history)
    watched(net, west, east, lost)
    wear_out(west if who == "west" else east)
    net.run(5)
    assert len(net.history) > before
    assert not lost
    assert (carried(west), carried(east)) == ([WIDE], [WIDE.reversed()])
    agree(west, east)
    assert passes(west, east, WIDE)
    assert (row_of(west)["less"], row_of(west)["agreed"]) == (None, [])
    for host in (west, east):
        assert child_of(host).reqid in {p.reqid for p in host.app.policies}
        assert host.daemon.connections.entries[child_of(host).connection.name].failure is None
    wear_out(west)
    net.run(5)
    assert carried(west) == [WIDE]
    assert not lost


def test_what_comes_under_another_ike_sa_has_the_number_of_what_there_is() -> None:
    """What comes with either of them is taken, as long as there are both."""
    net, west, east = widened()
    wear_out(west)
    net.run(5)
    old, lost = child_of(west), list[str]()
    watched(net, west, east, lost)
    west.daemon.connections.renew(old, sa_of(west))
    net.run(5)
    new = child_of(west)
    assert new is not old
    assert new.reqid == old.reqid
    assert not lost


@pytest.mark.parametrize("who", ["west", "east"])
def test_a_packet_that_waits_long_after_finds_its_connection(who: str) -> None:
    """The number that the child SA has kept is known as long as it lives, and no longer."""
    net, west, east = widened()
    wear_out(west)
    net.run(5)
    host = west if who == "west" else east
    reqids, child = host.daemon.connections.policies.reqids, child_of(host)
    assert reqids.name(child.reqid) == child.connection.name
    host.daemon.keeper.children.delete_child(child)
    net.run(0.5)
    assert reqids.name(child.reqid) is None


@pytest.mark.parametrize("who", ["west", "east"])
def test_while_the_old_one_sends_the_rest_is_not_given_to_it(who: str) -> None:
    """A stack that knows SAs by their reqids alone sent it with the old SA, which is not for it."""
    net, west, east = widened()
    deliver, packet = net.deliver, Selector.of("10.1.0.9", "10.3.0.9", 6, 40000, 80)
    given: list[bool] = []

    def look(datagram: Packet) -> None:
        deliver(datagram)
        for host, sent in ((west, packet), (east, packet.reversed())):
            for child in host.daemon.sas.all_children():
                if child.receives_only:
                    given.append(met(host, Direction.OUT, sent) == child.reqid)

    net.deliver = look  # type: ignore[method-assign, assignment]
    wear_out(west if who == "west" else east)
    net.run(5)
    assert given and not any(given)
    assert (carried(west), carried(east)) == ([WIDE], [WIDE.reversed()])


def refusing(east: Host, notify: int) -> list[int]:
    """East refuses more than it has, as some peers do that are asked to rekey; how often."""
    find, seen = east.daemon.catalog.find_child, list[int]()

    def found(remote: Any, came: Traffic, *rest: Any) -> Any:
        if len(came.local) > 2:
            seen.append(len(came.local))
            raise Refused(Reason("ts-unacceptable", "of the test"), notify)
        return find(remote, came, *rest)

    east.daemon.catalog.find_child = found  # type: ignore[method-assign, assignment]
    return seen


@pytest.mark.parametrize(
    "notify", [ikev2.Notify.TS_UNACCEPTABLE, ikev2.Notify.SINGLE_PAIR_REQUIRED]
)
def test_who_refuses_more_than_there_was_is_asked_for_that_once_more(notify: int) -> None:
    net, west, east = narrowed()
    old, seen = child_of(west), refusing(east, notify)
    wear_out(west)
    net.run(5)
    assert len(seen) == 1
    assert child_of(west) is not old
    assert carried(west) == [LOWER]
    assert west.reasons() == ["narrowed"]
    agree(west, east)


def test_what_another_peer_has_of_the_rest_is_not_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor is what there is lost for that."""
    net, west, _ = widened()
    old = child_of(west)

    def another(x: Any, sa: Any, connection: Any, selectors: Any, notify: int) -> None:
        if WIDE in selectors:
            raise Refused(Reason("traffic-of-another", "of the test"), notify)

    monkeypatch.setattr(ipsec_sa, "check_traffic", another)
    wear_out(west)
    net.run(5)
    assert child_of(west) is not old
    assert carried(west) == [LOWER]


def test_a_passive_connection_asks_for_the_part_that_was_agreed_on() -> None:
    net, west, east = pair(east={"remote": "10.0.0.0/8"})
    asked_for = asking(east)
    wear_out(east)
    net.run(5)
    assert asked_for == ["10.2.0.0-10.2.255.255 === 10.1.0.0-10.1.255.255"]
    assert [str(c.selector.dst) for c in east.daemon.sas.all_children()] == ["10.1.0.0/16"]
    assert not west.reasons() + east.reasons()


def test_the_rest_of_several_networks_has_a_number_of_its_own() -> None:
    """A stack that knows SAs by their reqids alone sent the rest with the SA of the first."""
    far = "Local-selectors= 10.1.0.0/16\nRemote-selectors= 10.2.0.0/16, 10.8.0.0/16"
    _, west, _ = pair(west={"connection_tags": far})
    assert carried(west) == [LOWER]
    first, rest_of_it = (
        met(west, Direction.OUT, Selector.of("10.1.0.9", far_end))
        for far_end in ("10.2.0.9", "10.8.0.9")
    )
    assert child_of(west).reqid == first != rest_of_it


def at_once() -> tuple[Network, Host, Host]:
    """All of the connection is agreed on from the first."""
    return pair(west={"remote": "10.2.0.0/15"}, east={"local": "10.2.0.0/15"})


@pytest.mark.parametrize(("begin", "reqid"), [(widened, 2), (at_once, 1)])
def test_where_less_comes_in_the_place_of_all_the_rest_has_another_number(
    begin: Callable[[], tuple[Network, Host, Host]], reqid: int
) -> None:
    """So that a packet of it asks for an SA."""
    net, west, east = begin()
    wear_out(west)
    net.run(5)
    assert (carried(west), child_of(west).reqid) == ([WIDE], reqid)
    theirs = child_of(east)
    theirs.connection = replace(theirs.connection, traffic=of_selector(LOWER.reversed()))
    wear_out(west)
    net.run(5)
    assert carried(west) == [LOWER]
    assert row_of(west)["less"]["cause"] == "narrowed-rekey"
    there, rest_of_it = (met(west, Direction.OUT, Selector.of("10.1.0.9", far))
                         for far in ("10.2.0.9", "10.3.0.9"))  # fmt: skip
    assert child_of(west).reqid == there != rest_of_it
    name = west.daemon.connections.policies.reqids.name
    assert name(there) == name(rest_of_it) == "west-east"
