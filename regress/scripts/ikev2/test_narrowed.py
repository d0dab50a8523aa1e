"""A peer that takes less traffic than is asked for, once or for good: RFC 7296 2.9, 2.9.2."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fifo_ui import explain, render
from isakmp.app.base import Acquire, Direction
from isakmp.policy.spd import Selector
from isakmp.policy.traffic import describe, of_selector, rest
from regress.pair import Host, Network, agree
from regress.scripts.ikev2.pairs import child_of, gateways, kinds, pair, wear_out
from regress.traffic import stopped

WIDE, LOWER, UPPER = (Selector.of("10.1.0.0/16", f"10.{n}.0.0/{bits}")
                      for n, bits in ((2, 15), (2, 16), (3, 16)))  # fmt: skip
OTHER = ("[other]\nPhase= 2\nISAKMP-peer= west\nConfiguration= phase-2\n"
         "Local-selectors= 10.3.0.0/16\nRemote-selectors= 10.1.0.0/16\n")  # fmt: skip


def narrowed(more: str = "") -> tuple[Network, Host, Host]:
    """West asks for two networks, and east takes the first of them. more: another connection of
    east's."""
    one, other = gateways()
    net, text = Network(), replace(other, more=more).text()
    if more:
        text = text.replace("connections= east-west", "connections= east-west, other")
    west, east = net.host(replace(one, remote="10.2.0.0/15")), net.add(other.address, text)
    net.start()
    net.run(3)
    return net, west, east


def wants(host: Host, far: str) -> None:
    """A packet to that address meets the policy of the whole connection."""
    policy = next(
        p for p in host.app.policies if (p.direction, p.selector) == (Direction.OUT, WIDE)
    )
    packet = Selector.of("10.1.0.9/32", f"{far}/32", 6, 40000, 80)
    host.daemon.acquire(Acquire(policy.reqid, packet, host.address, host.address))


def row_of(host: Host) -> dict[str, Any]:
    row: dict[str, Any] = host.daemon.status()["connections"][0]
    return row


def carried(host: Host) -> list[Selector]:
    return sorted(child.selector for child in host.daemon.sas.all_children())


def passes(west: Host, east: Host, *every: Selector) -> bool:
    """Both ways."""
    ways = [(west, east, s) for s in every] + [(east, west, s.reversed()) for s in every]
    return not any(stopped(*way) for way in ways)


# --- that it is told -------------------------------------------------------------------------


def test_what_the_peer_leaves_out_is_told_and_the_connection_is_up() -> None:
    _, west, _ = narrowed()
    row = row_of(west)
    assert (row["state"], row["reason"], row["not_replaced"]) == ("up", None, None)
    why = row["less"]
    assert (why["cause"], why["came"], why["offered"]) == (
        "narrowed", "10.1.0.0/16 === 10.2.0.0/16", "10.1.0.0/16 === 10.2.0.0/15",
    )  # fmt: skip
    assert why["line"].endswith("[west-east]")
    assert "[west-east]" in why["mend"]
    assert [o["reason"] for o in west.outcomes if not o["ok"]] == [why]
    assert "narrowed: the peer takes less" in west.said
    assert "narrowed: the peer takes less" in " ".join(render.connections([row]).split())
    status = west.daemon.status()
    rows = explain.failures(status["outcomes"], "west-east", status["connections"])
    assert [row["topic"] for row in rows] == ["selectors"]


def test_it_is_told_once_however_often_it_is_replaced() -> None:
    net, west, _ = narrowed()
    for _ in range(3):
        wear_out(west)
        net.run(5)
    assert west.said.count(" rekeyed: ") == 3
    assert west.reasons() == ["narrowed"]
    assert row_of(west)["less"]["cause"] == "narrowed"


def test_where_all_is_agreed_on_nothing_is_told() -> None:
    _, west, east = pair(east={"remote": "10.0.0.0/8"})
    assert row_of(west)["less"] is row_of(east)["less"] is None
    assert not west.reasons() + east.reasons()


# --- the rest --------------------------------------------------------------------------------


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


def test_a_packet_of_what_there_is_begins_nothing() -> None:
    net, west, _ = narrowed()
    before = len(net.history)
    wants(west, "10.2.0.9")
    net.run(5)
    assert len(net.history) == before


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
