"""Packets of what the peer has left out of a connection: RFC 7296 2.9."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from isakmp.app.base import Acquire, Direction
from isakmp.constants.ikev2 import Notify
from isakmp.errors import Reason, Refused
from isakmp.policy.spd import Connection, Selector, Traffic
from isakmp.policy.traffic import PAIRS_MAX, Narrowed, describe, of_selector, rest, selectors
from isakmp.sa import State
from regress.pair import EAST, WEST, Host, Network, agree, up
from regress.scripts.ikev2.narrow import (
    LOWER,
    OTHER,
    UPPER,
    WIDE,
    asking,
    carried,
    met,
    narrowed,
    passes,
    row_of,
    wants,
)
from regress.scripts.ikev2.pairs import child_of, gateways, kinds, pair, sa_of


def test_a_packet_of_the_rest_is_asked_for_beside_what_there_is() -> None:
    net, west, east = narrowed(OTHER)
    first = child_of(west)
    wants(west, "10.3.0.9")
    net.run(60)
    assert carried(west) == [LOWER, UPPER]
    assert first in west.daemon.sas.all_children()
    assert passes(west, east, LOWER, UPPER)
    agree(west, east)
    row = row_of(west)
    assert (row["less"], row["agreed"], row["reason"], row["tries"]) == (None, [], None, 0)


def test_each_part_is_replaced_for_itself() -> None:
    net, west, east = narrowed(OTHER)
    wants(west, "10.3.0.9")
    net.run(5)
    for child in west.daemon.sas.all_children():
        west.daemon.connections.rekey(child)
    net.run(10)
    assert carried(west) == [LOWER, UPPER]
    assert passes(west, east, LOWER, UPPER)


def test_where_the_rest_is_refused_that_is_why_and_what_there_is_stays() -> None:
    net, west, east = narrowed()
    child, before = child_of(west), len(net.history)
    for _ in range(12):
        wants(west, "10.3.0.9")
        net.run(5)
    tries = kinds(net.history[before:]).count("CREATE_CHILD_SA")
    assert 4 < tries < 13
    assert (child_of(west), carried(east)) == (child, [LOWER.reversed()])
    row = row_of(west)
    assert (row["state"], row["not_replaced"]) == ("up", None)
    assert (row["less"]["came"], row["less"]["offered"]) == (
        "TS_UNACCEPTABLE", "10.1.0.0/16 === 10.3.0.0/16",
    )  # fmt: skip
    assert west.daemon.connections.entries["west-east"].reason is not None
    net.run(60)
    before = len(net.history)
    net.run(300)
    assert "CREATE_CHILD_SA" not in kinds(net.history[before:]), "no packet waits any more"


@pytest.mark.parametrize("who", ["west", "east"])
def test_the_rest_is_tried_again_whatever_becomes_of_what_there_is(who: str) -> None:
    """A packet of it waits still."""
    net, west, east = narrowed()
    wants(west, "10.3.0.9")
    net.run(1)
    (kept,) = west.daemon.connections.entries.values()
    (host, again) = ({"west": west, "east": east}[who], kept.retry)
    first = child_of(host)
    host.daemon.connections.rekey(first)
    net.run(0.5)
    assert child_of(host) is not first
    assert again is not None and kept.retry is again and again.pending


def test_a_packet_of_what_there_is_begins_nothing() -> None:
    net, west, _ = narrowed()
    before = len(net.history)
    wants(west, "10.2.0.9")
    net.run(5)
    assert len(net.history) == before


def test_a_packet_of_what_is_not_its_own_begins_nothing() -> None:
    """As a stack may tell that has matched it before the policies changed."""
    net, west, _ = narrowed()
    before = len(net.history)
    wants(west, "10.9.0.9")
    net.run(5)
    assert len(net.history) == before


FAR = "Local-selectors= 10.1.0.0/16\nRemote-selectors= 10.2.0.0/16, 10.8.0.0/16"


def packet_to(host: Host, far: str) -> None:
    """A packet to that address of another network meets the policy of the whole connection."""
    packet = Selector.of("10.1.0.9/32", f"{far}/32", 6, 40000, 80)
    reqid = met(host, Direction.OUT, packet)
    host.daemon.acquire(Acquire(reqid, packet, host.address, host.address))


def test_of_what_a_quick_mode_has_left_out_nothing_is_asked_for() -> None:
    """There is no more than all that one can say: RFC 2409 5.5."""
    net, west, east = up(replace(WEST, connection_tags=FAR), EAST)
    assert carried(west) == [LOWER]
    before = len(net.history)
    packet_to(west, "10.8.0.9")
    net.run(60)
    assert len(net.history) == before
    assert not west.reasons() + east.reasons()


def test_with_a_new_ike_sa_all_of_it_is_asked_for() -> None:
    """Of what is up in part too, under an IKE SA that nothing is asked for under any more."""
    net, west, _ = pair(west={"connection_tags": FAR}, east={"local": "10.8.0.0/16"})
    assert carried(west) == [Selector.of("10.1.0.0/16", "10.8.0.0/16")]
    sa_of(west).state = State.SUPERSEDED
    asked_for = asking(west)
    packet_to(west, "10.2.0.9")
    net.run(1)
    assert asked_for[0] == (
        "10.1.0.9-10.1.0.9, 10.1.0.0-10.1.255.255 === "
        "10.2.0.9-10.2.0.9, 10.2.0.0-10.2.255.255, 10.8.0.0-10.8.255.255"
    )


def test_what_is_up_in_part_says_so_where_it_is_brought_up() -> None:
    _, west, _ = narrowed()
    assert west.daemon.connections.connect("west-east").done
    assert "connection west-east is up in part: narrowed: " in west.said


@pytest.mark.parametrize(
    ("packet", "had", "left"),
    [
        (("10.1.0.9", "10.3.0.9"), [("10.1.0.0/16", "10.2.0.0/16")], "10.1.0.0/16 === 10.3.0.0/16"),
        (("10.1.0.9", "10.2.0.9"), [], "10.1.0.0/16 === 10.2.0.0/15"),
        (
            ("10.1.0.9", "10.2.0.9"), [("10.1.128.0/17", "10.2.0.0/15")],
            "10.1.0.0/17 === 10.2.0.0/15",
        ),
        (
            ("10.1.0.9", "10.3.0.9"),
            [("10.1.0.0/17", "10.2.0.0/16"), ("10.1.128.0/17", "10.3.0.0/16")],
            "10.1.0.0/17 === 10.3.0.0/16",
        ),
    ],
)  # fmt: skip
def test_what_none_carries_of_which_a_packet_is(
    packet: tuple[str, str], had: list[tuple[str, str]], left: str
) -> None:
    found = rest(
        of_selector(WIDE), of_selector(Selector.of(*packet)),
        [of_selector(Selector.of(*each)) for each in had], PAIRS_MAX,
    )  # fmt: skip
    assert describe(found) == left


def a_part(number: int) -> Traffic:
    return of_selector(Selector.of("10.1.0.0/16", f"10.2.{number}.77/32"))


def test_all_is_asked_for_where_what_is_left_is_of_too_many_networks() -> None:
    packet, had = of_selector(Selector.of("10.1.0.9", "10.3.0.9")), [a_part(n) for n in range(9)]
    left = rest(of_selector(WIDE), packet, had, PAIRS_MAX)
    count = len(selectors(left))
    assert left != of_selector(WIDE)
    assert rest(of_selector(WIDE), packet, had, count) == left
    assert rest(of_selector(WIDE), packet, had, count - 1) == of_selector(WIDE)


def test_what_very_many_leave_is_not_looked_for() -> None:
    """Each of them takes something more from what is left."""
    packet, one = of_selector(Selector.of("10.1.0.9", "10.3.0.9")), a_part(1)
    assert rest(of_selector(WIDE), packet, [one] * 256, PAIRS_MAX) != of_selector(WIDE)
    assert rest(of_selector(WIDE), packet, [one] * 257, PAIRS_MAX) == of_selector(WIDE)


def test_of_ports_and_protocols_too() -> None:
    web = of_selector(WIDE._replace(protocol=6, dst_port=80))
    packet = Selector.of("10.1.0.9", "10.2.0.9", 6, 40000, 443)
    every = of_selector(WIDE._replace(protocol=6))
    found = rest(every, of_selector(packet), [web], PAIRS_MAX)
    assert describe(found).endswith("10.2.0.0/15[tcp/0-79], 10.2.0.0/15[tcp/81-65535], "
                                    "10.2.0.0/15[tcp/opaque]")  # fmt: skip
    # 255 protocols are left, which cannot be written.
    assert rest(of_selector(WIDE), of_selector(packet), [web], PAIRS_MAX) == of_selector(WIDE)


def far_apart(**west_has: Any) -> tuple[Network, Host, Host]:
    """East takes one small network of each half of what west asks for."""
    one, other = gateways()
    net, tags = Network(), "Local-selectors= 10.2.77.0/24\nRemote-selectors= 10.1.0.0/16\n"
    more = OTHER.replace("10.3.0.0/16", "10.3.91.0/24")
    text = replace(other, connection_tags=tags, more=more).text()
    west = net.host(replace(one, remote="10.2.0.0/15", **west_has))
    text = text.replace("connections= east-west", "connections= east-west, other")
    east = net.add(other.address, text)
    net.start()
    net.run(3)
    return net, west, east


@pytest.mark.parametrize("most", [4, 256])
def test_a_packet_of_what_is_left_in_too_many_networks_is_served(most: int) -> None:
    net, west, east = far_apart(general=f"Max-selectors-per-child= {most}")
    asked_for = asking(west)
    had = carried(west)
    packet = {"10.2.77.0/24": "10.3.91.9", "10.3.91.0/24": "10.2.77.9"}[str(had[0].dst)]
    wants(west, packet)
    net.run(3)
    assert len(carried(west)) == len(carried(east)) == 2
    assert asked_for[0].endswith("10.2.0.0-10.3.255.255") is (most == 4)
    agree(west, east)


def test_under_a_new_ike_sa_each_part_is_asked_for_first() -> None:
    """Where the peer renews none of its own."""
    net, west, east = narrowed(OTHER)
    wants(west, "10.3.0.9")
    net.run(5)
    east.daemon.keeper._renewing = lambda *_: False  # type: ignore[method-assign]
    said, old, before = west.said, sa_of(west), set(west.daemon.sas.all_children())
    asked_for = asking(west)
    west.daemon.keeper.reauthenticate(old)
    net.run(10)
    assert carried(west) == [LOWER, UPPER]
    assert before.isdisjoint(west.daemon.sas.all_children())
    assert asked_for[1:] == [
        "10.1.0.0-10.1.255.255, 10.1.0.0-10.1.255.255 === "
        "10.3.0.0-10.3.255.255, 10.2.0.0-10.3.255.255"
    ]
    told = [line for line in west.said.removeprefix(said).splitlines() if "narrowed" in line]
    assert len(told) == 1 and "IKE_AUTH" in told[0]
    assert passes(west, east, LOWER, UPPER)
    agree(west, east)


def crumbs(**west_has: Any) -> tuple[Network, Host, Host]:
    """East takes one address more each time, never that of the packet."""
    one, other = gateways()
    net = Network()
    west, east = net.host(replace(one, **west_has)), net.host(other)
    find, crumb = east.daemon.catalog.find_child, iter(range(1, 250))

    def found(*asked_for: Any) -> tuple[Connection, Narrowed]:
        connection, _ = find(*asked_for)
        one_more = Selector.of(f"10.2.0.{next(crumb)}", "10.1.0.0/16")
        return connection, Narrowed(of_selector(one_more), False)

    east.daemon.catalog.find_child = found  # type: ignore[method-assign, assignment]
    net.start()
    net.run(3)
    return net, west, east


def test_what_a_peer_makes_of_a_connection_is_bounded_where_we_ask_too() -> None:
    """Told once; what there is goes on."""
    net, west, _ = crumbs(general="Max-children= 5")
    for _ in range(12):
        packet_to(west, "10.2.9.9")
        net.run(30)
    children = west.daemon.sas.all_children()
    assert len(children) == 5
    (told,) = [line for line in west.lines if "bound met by" in line]
    assert "5 child SAs with one identity" in told and "[General]:Max-children" in told
    assert row_of(west)["less"]["cause"] == "too-many-children"
    before = len(net.history)
    for _ in range(3):
        packet_to(west, "10.2.9.9")
        net.run(30)
    assert "CREATE_CHILD_SA" not in kinds(net.history[before:])
    west.daemon.connections.rekey(children[0])
    net.run(10)
    assert children[0].state is State.DEAD
    assert len(west.daemon.sas.all_children()) == 5
    west.daemon.keeper.children.delete_child(children[1])
    packet_to(west, "10.2.9.9")
    net.run(30)
    assert len(west.daemon.sas.all_children()) == 5, "there is room again"


def test_who_takes_no_more_under_a_new_ike_sa_is_asked_for_what_there_was() -> None:
    net, west, east = narrowed(OTHER)
    wants(west, "10.3.0.9")
    net.run(5)
    find = east.daemon.catalog.find_child

    def found(remote: Any, came: Traffic, *more: Any) -> tuple[Connection, Narrowed]:
        if len(came.remote) > 1:
            raise Refused(Reason("ts-unacceptable", "all or nothing"), Notify.TS_UNACCEPTABLE)
        return find(remote, came, *more)

    east.daemon.catalog.find_child = found  # type: ignore[method-assign, assignment]
    east.daemon.keeper._renewing = lambda *_: False  # type: ignore[method-assign]
    before = set(west.daemon.sas.all_children())
    asked_for = asking(west)
    west.daemon.keeper.reauthenticate(sa_of(west))
    net.run(10)
    assert asked_for[2:] == ["10.1.0.0-10.1.255.255 === 10.3.0.0-10.3.255.255"]
    assert carried(west) == [LOWER, UPPER]
    assert before.isdisjoint(west.daemon.sas.all_children())


def test_what_is_left_is_found_out_once_for_a_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Traffic] = []

    def counted(*of: Any) -> Traffic:
        found.append(rest(*of))
        return found[-1]

    monkeypatch.setattr("isakmp.keeper.packets.rest", counted)
    net, west, _ = narrowed(OTHER)
    wants(west, "10.3.0.9")
    net.run(60)
    assert carried(west) == [LOWER, UPPER]
    assert [describe(each) for each in found] == ["10.1.0.0/16 === 10.3.0.0/16"]


def test_a_quick_mode_serves_whatever_packet_of_its_connection_waits() -> None:
    """RFC 2409 5.5: there is no other one to ask for."""
    tags = "Local-selectors= 10.1.0.0/16\nRemote-selectors= 10.2.0.0/16, 10.5.0.0/16"
    net, west, _ = up(replace(WEST, connection_tags=tags), EAST)
    connections, entry = west.daemon.connections, west.daemon.connections.entries["west-east"]
    connections.packets.came("west-east", Selector.of("10.1.0.9/32", "10.5.0.9/32"))
    entry.tries, entry.failure = 3, Reason("test", "the last try failed")
    connections.rekey(child_of(west))
    net.run(2)
    assert not connections.packets.wait("west-east")
    assert not (entry.tries or entry.failure)
