"""Packets of what the peer has left out of a connection: RFC 7296 2.9."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isakmp.app.base import Acquire, Direction
from isakmp.policy.spd import Selector
from isakmp.policy.traffic import describe, of_selector, rest
from isakmp.sa import State
from regress.pair import EAST, WEST, Host, agree, up
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
from regress.scripts.ikev2.pairs import child_of, kinds, pair, sa_of


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
        (("10.1.0.9", "10.2.0.9"), [("10.1.0.0/16", "10.2.0.0/16")], None),
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
    packet: tuple[str, str], had: list[tuple[str, str]], left: str | None
) -> None:
    found = rest(
        of_selector(WIDE), of_selector(Selector.of(*packet)),
        [of_selector(Selector.of(*each)) for each in had],
    )  # fmt: skip
    assert (found and describe(found)) == left


def test_of_ports_and_protocols_too() -> None:
    web = of_selector(WIDE._replace(protocol=6, dst_port=80))
    packet = Selector.of("10.1.0.9", "10.2.0.9", 6, 40000, 443)
    every = of_selector(WIDE._replace(protocol=6))
    found = rest(every, of_selector(packet), [web])
    assert found is not None
    assert describe(found).endswith("10.2.0.0/15[tcp/0-79], 10.2.0.0/15[tcp/81-65535], "
                                    "10.2.0.0/15[tcp/opaque]")  # fmt: skip
    # 255 protocols are left, which cannot be written.
    assert rest(of_selector(WIDE), of_selector(packet), [web]) == of_selector(WIDE)
