"""Boxes of addresses, protocols and ports: in pairs, in sides, and what comparing them costs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from ipaddress import ip_address, summarize_address_range
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given
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
    work = Work(8)
    ours, came = boxes.boxes_of(strips("10.1.0.0")), boxes.boxes_of(hosts("10.1.0.1"))
    found = boxes.common(ours, came, SELECTORS_MAX, work)
    assert work.over and 0 < len(found) < SELECTORS_MAX
    assert work.done < work.most + 2 * SELECTORS_MAX, "and not all of it"
    assert not boxes.covered(ours[0], came, work), "nothing more is looked at"


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
