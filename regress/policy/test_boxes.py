"""Boxes of addresses, protocols and ports: in pairs, in sides, and what comparing them costs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from ipaddress import ip_address, summarize_address_range
from pathlib import Path
from random import Random
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.errors import Refused
from isakmp.policy import boxes, traffic
from isakmp.policy.boxes import SELECTORS_MAX, V6, Box, Work
from isakmp.policy.selector_text import parse_selector
from isakmp.policy.spd import ANY_PORTS, OPAQUE_PORTS, Address, Traffic, TrafficSelector

PORTS = [ANY_PORTS, OPAQUE_PORTS, (80, 80), (0, 1023), (80, 90)]


@st.composite
def some_box(draw: st.DrawFn) -> Box:
    start, end = sorted((draw(st.integers(0, 20)), draw(st.integers(0, 20))))
    base = draw(st.sampled_from([0, V6]))
    ports = draw(st.sampled_from(PORTS))
    return base + start, base + end, draw(st.sampled_from([0, 6, 17])), *ports


sides = st.lists(some_box(), min_size=1, max_size=6)
OPAQUE = -1
Point = tuple[int, int, int]


def points(*side: Box) -> set[Point]:
    """Address, protocol and port of the packets that are of some box: by the book, for each port
    where something begins or ends, and OPAQUE."""
    return {
        (address, protocol, port)
        for first, last, of, *ports in side
        for address in range(first, last + 1)
        for protocol in ((6, 17, 99) if of == 0 else (of,))
        for port in (OPAQUE, 0, 1, 79, 80, 81, 90, 91, 1023, 1024, 65535)
        if (ports[0] <= port <= ports[1] if port != OPAQUE else tuple(ports) in PORTS[:2])
    }


def none_inside_another(side: list[Box]) -> bool:
    return len(set(side)) == len(side) and not any(
        one != other and boxes.lies_in(one, other) for one in side for other in side
    )


def calls(act: Callable[[], object]) -> int:
    """Calls of and in the code that is tested; they do not depend on the machine."""
    ran, here = 0, str(Path(boxes.__file__).parents[1])

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal ran
        ran += event in ("call", "c_call") and frame.f_code.co_filename.startswith(here)

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return ran


def strips(base: str, count: int = SELECTORS_MAX) -> tuple[TrafficSelector, ...]:
    """So many that cross each other, none inside another."""
    first = ip_address(base)
    return tuple(
        TrafficSelector(first + n, first + 60000 + n, 6, n, 65000 + n) for n in range(count)
    )


def hosts(base: str, count: int = SELECTORS_MAX) -> tuple[TrafficSelector, ...]:
    first = ip_address(base)
    return tuple(TrafficSelector(first + 3 * n, first + 3 * n, 6, n, n) for n in range(count))


def protocols(base: str, count: int = SELECTORS_MAX) -> tuple[TrafficSelector, ...]:
    first = ip_address(base)
    return tuple(TrafficSelector(first + 1, first + 6, n + 1) for n in range(count))


def types(base: str, count: int = SELECTORS_MAX) -> tuple[TrafficSelector, ...]:
    """Of ICMP, a range of addresses each."""
    first, codes = ip_address(base), (2 << 8, 2 << 8)
    return tuple(
        TrafficSelector(first + 9 * n, first + 9 * n + 6, 1, n % 3 << 8, codes[1])
        for n in range(count)
    )


SHAPES = pytest.mark.parametrize("shape", [strips, hosts, protocols, types])
WHOLE = Traffic((parse_selector("10.1.0.0/16"),), (parse_selector("10.2.0.0/16"),))


@given(some_box(), some_box())
def test_what_lies_in_another_meets_it_in_itself(one: Box, other: Box) -> None:
    assert boxes.lies_in(one, other) == (boxes.meet(one, other) == one)


@settings(max_examples=300)
@given(some_box(), some_box())
def test_two_boxes_are_compared_as_the_packets_of_them(one: Box, other: Box) -> None:
    here, there = points(one), points(other)
    assert boxes.lies_in(one, other) == (here <= there)
    both = boxes.meet(one, other)
    assert (points(both) if both else set()) == here & there
    if both and both[2] == one[2]:
        assert points(*boxes.without(one, both)) == here - there
    if whole := boxes.touching(one, other):
        assert points(whole) == here | there


@settings(max_examples=300)
@given(sides, sides)
def test_sides_are_compared_as_the_packets_of_them(ours: list[Box], came: list[Box]) -> None:
    here, there = points(*ours), points(*came)
    for found, expected in (
        (boxes.apart(ours), here),
        (boxes.common(ours, came, 100, Work()), here & there),
    ):
        assert points(*found) == expected
        assert none_inside_another(found)
    assert points(*boxes.joined(ours)) == here


@settings(max_examples=300)
@given(some_box(), sides)
def test_what_is_covered_is_seen_by_its_packets(part: Box, whole: list[Box]) -> None:
    """Of all protocols but for that of one box alone nobody asks."""
    every = points(part) <= points(*whole)
    assert boxes.covered(part, whole, Work()) <= every
    if part[2]:
        assert boxes.covered(part, whole, Work()) == every


@settings(max_examples=300)
@given(sides, st.randoms(use_true_random=False))
def test_what_comes_as_it_is_configured_is_what_that_has_apart(
    ours: list[Box], random: Random
) -> None:
    """Behind a packet of it, in any order, and more than once."""
    packet = (ours[0][0], ours[0][0], *ours[0][2:])
    came = [packet, *random.sample(ours, len(ours)), *ours]
    found = boxes.common(ours, came, 100, Work())
    assert set(found) == set(boxes.apart(ours))


@pytest.mark.parametrize("text", ["10.1.2.3", "10.1.0.0/16[tcp/80-90]", "fd00::/8", "::-::5"])
def test_selectors_are_numbers_and_back(text: str) -> None:
    selector = parse_selector(text)
    assert boxes.selector_of(boxes.box_of(selector)) == selector


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("10.0.0.0", "10.0.0.0"), ("10.0.0.1", "10.0.0.6"), ("0.0.0.0", "255.255.255.255"),
        ("0.0.0.1", "255.255.255.254"), ("::", "ffff:" * 7 + "ffff"), ("::1", "fd00::7"),
    ],
)  # fmt: skip
def test_networks_are_those_of_the_library(start: str, end: str) -> None:
    first, last = ip_address(start), ip_address(end)
    box = boxes.box_of(TrafficSelector(first, last))
    found = list(boxes.networks_of(box))
    assert found == list(networks(first, last))
    assert boxes.count_networks(box) == len(found)
    assert boxes.prefix_of(box) == (found[0].prefixlen if len(found) == 1 else None)


def networks(first: Address, last: Address) -> list[object]:
    return list(summarize_address_range(first, last))


def test_of_two_that_meet_the_inner_one_goes() -> None:
    work, found = Work(), list[Box]()
    for text in ("10.0.0.1", "10.0.0.0/24", "10.0.0.0/24[tcp]", "10.0.1.0/24"):
        boxes.add(found, boxes.box_of(parse_selector(text)), work)
    assert [boxes.selector_of(box) for box in found] == [
        parse_selector("10.0.0.0/24"), parse_selector("10.0.1.0/24"),
    ]  # fmt: skip
    assert work.done == 3, "with each that is there"


def test_where_it_would_be_too_much_what_came_first_is_taken() -> None:
    work = Work()
    ours, came = boxes.boxes_of(strips("10.1.0.0")), boxes.boxes_of(hosts("10.1.0.1"))
    found = boxes.common(ours, came, SELECTORS_MAX, work)
    assert work.over and 0 < len(found) < SELECTORS_MAX
    assert work.done < work.most + 2 * SELECTORS_MAX, "and not all of it"
    assert not boxes.covered(ours[0], came, work), "nothing more is looked at"


def test_what_may_be_compared_follows_the_selectors_within_bounds() -> None:
    """A peer's connections were not found, and its answers refused, where a side may have few."""
    assert Work(1).most == Work(3, 2).most == Work().most == 6 * SELECTORS_MAX**2
    assert Work(1, 100).most == 6 * 100**2
    assert Work(10_000).most == Work(255).most


@SHAPES
@pytest.mark.parametrize("packet", [True, False])
def test_what_comes_as_it_is_configured_is_not_compared(
    shape: Callable[..., tuple[TrafficSelector, ...]], packet: bool
) -> None:
    """It cost half the square of the selectors, and 255 of them as much as 27 negotiations."""
    ours, work = boxes.boxes_of(shape("10.1.0.0", 255)), Work(255)
    assert boxes.apart(ours) == ours
    first = [(ours[0][0], ours[0][0], *ours[0][2:])] if packet and shape is not hosts else []
    found = boxes.common(ours, [*first, *ours[::-1]], 256, work)
    assert sorted(found) == sorted(ours)
    assert work.done <= 4 * len(ours) * len(first)


def test_networks_that_lie_apart_are_not_compared_to_join_them() -> None:
    side = boxes.boxes_of(tuple(parse_selector(f"10.{n}.0.0/24") for n in range(255)))
    assert calls(lambda: boxes.joined(side)) < 10 * len(side)
    assert calls(lambda: boxes.apart(side)) < 10 * len(side)


@SHAPES
def test_narrowing_takes_the_square_of_the_selectors(
    shape: Callable[..., tuple[TrafficSelector, ...]],
) -> None:
    """It took the fourth power: a second for 64 selectors, a minute for 255."""

    def cost(count: int) -> int:
        came = traffic.asked(Traffic(shape("10.1.0.0", count), shape("10.2.0.0", count)))

        def act() -> None:
            found = traffic.narrow(WHOLE, came, traffic.PAIRS_MAX, Work())
            assert found is not None
            assert traffic.selectors(found.traffic)

        return calls(act)

    few, many = cost(16), cost(64)
    assert many < 24 * few
    assert many < 120_000


@SHAPES
def test_where_ours_are_as_many_all_is_compared(
    shape: Callable[..., tuple[TrafficSelector, ...]],
) -> None:
    """A whole configuration of so many selectors is not too much work."""
    ours = Traffic(hosts("10.1.0.1"), hosts("10.2.0.1"))
    came = traffic.asked(Traffic(shape("10.1.0.0"), shape("10.2.0.0")))
    work = Work()
    traffic.narrow(ours, came, 64, work)
    assert not work.over


def test_pieces_are_bounded() -> None:
    """A rekeying compares what is replaced with what comes, by pieces: a grid makes many."""
    first = ip_address("10.1.0.0")
    lines = tuple(
        TrafficSelector(first + 1000 * n, first + 1000 * n + 1, 6, 0, 65535) for n in range(32)
    )
    rows = tuple(
        TrafficSelector(first, first + 65535, 6, 1000 * n, 1000 * n + 1) for n in range(32)
    )
    part = Traffic(strips("10.1.0.0"), lines)
    whole = Traffic((*lines, *rows), lines)
    work = Work()
    assert calls(lambda: traffic.is_subset(part, whole, work)) < 2 * work.most
    assert not traffic.is_subset(part, whole, work)


def test_the_same_network_many_times_is_looked_at_few_times() -> None:
    """Of ICMP types that meet in one of the other side's, each is the same pair again."""
    wide = ip_address("10.1.0.1"), ip_address("10.1.254.254")
    many = tuple(
        TrafficSelector(wide[0] + n, wide[1] + n, 1, 0, (n + 1) << 8) for n in range(SELECTORS_MAX)
    )
    value = Traffic(many, (parse_selector("10.2.0.0-10.2.0.6[icmp/0]"),))

    def act() -> None:
        with pytest.raises(Refused, match="more than 256 pairs"):
            traffic.selectors(value)

    assert calls(act) < 60_000
