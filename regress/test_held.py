"""Who has which traffic: the index against looking at every child SA."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from random import Random
from typing import Any, NamedTuple

import pytest

from isakmp.held import COMPARED_MAX, PAIRS_MAX, Held
from isakmp.policy.spd import OPAQUE_PORTS, Network, Selector


class Child(NamedTuple):
    who: str
    selectors: tuple[Selector, ...]


def some_network(chance: Random) -> Network:
    """Of few addresses, so that many lie inside one another; of both versions."""
    if chance.random() < 0.3:
        length = chance.choice((0, 32, 120, 124, 128))
        return ip_network((0x20010DB8 << 96 | chance.randrange(256), length), strict=False)
    length = chance.choice((0, 8, 24, 26, 30, 31, 32))
    return ip_network((0x0A000000 | chance.randrange(256), length), strict=False)


def some_selector(chance: Random) -> Selector:
    dst = some_network(chance)
    src = ip_network("10.2.0.0/16") if dst.version == 4 else ip_network("2001:db8:2::/48")
    selector = Selector(src, dst, chance.choice((0, 0, 6, 17)))
    if selector.protocol and chance.random() < 0.5:
        first = chance.randrange(1, 20)
        selector = selector._replace(dst_port=first, dst_last=first + chance.randrange(5))
    return selector


def _meet(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def test_the_index_says_what_looking_at_all_would_say() -> None:
    chance = Random(7)
    held: Held[Child] = Held()
    there: list[Child] = []
    hits = 0
    for _ in range(3000):
        if there and chance.random() < 0.45:
            held.remove(there.pop(chance.randrange(len(there))))
        else:
            selectors = tuple(some_selector(chance) for _ in range(chance.randrange(1, 4)))
            there.append(Child(chance.choice("abc"), selectors))
            held.add(there[-1])
        asked = (some_selector(chance),)
        plain = {
            id(child) for child in there
            if child.who != "a" and any(s.overlaps(asked[0]) for s in child.selectors)
        }  # fmt: skip
        if len(there) < COMPARED_MAX:
            assert {id(child) for child in held.of_others("a", asked)} == plain
        dst = asked[0].dst
        near = {id(c) for c in there if any(_meet(s.dst, dst) for s in c.selectors)}
        assert {id(child) for child in held.near(dst)} == near
        hits += bool(plain)
    assert hits > 500
    for child in there:
        held.remove(child)
    assert not held and not any(held._order.values()) and not any(held._lengths.values())


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (
            Selector.of("10.1.0.0/16", "10.9.0.0/16"),
            Selector.of("10.1.2.0/24", "10.9.0.5/32"),
            True,
        ),
        (
            Selector.of("10.1.0.0/16", "10.9.0.0/16"),
            Selector.of("10.2.0.0/16", "10.9.0.0/16"),
            False,
        ),
        (Selector.of("10.1.0.0/16", "10.9.0.0/16"), Selector.of("::/0", "::/0"), False),
        (
            Selector.of("10.1.0.0/16", "10.9.0.5/32", 17, 0, 500),
            Selector.of("10.1.0.0/16", "10.9.0.5/32", 17, 0, 501),
            False,
        ),
        (
            Selector.of("10.1.0.0/16", "10.9.0.5/32", 17, 0, 500),
            Selector.of("10.1.0.0/16", "10.9.0.5/32"),
            True,
        ),
        (
            Selector.of("10.1.0.0/16", "10.9.0.5/32", 17),
            Selector.of("10.1.0.0/16", "10.9.0.5/32", 6),
            False,
        ),
    ],
)
def test_selectors_overlap(one: Selector, other: Selector, both: bool) -> None:
    assert one.overlaps(other) is other.overlaps(one) is both


def test_a_port_that_cannot_be_seen_is_of_any_and_of_no_range() -> None:
    first, last = OPAQUE_PORTS
    whole = Selector.of("10.1.0.0/16", "10.9.0.5/32", 17)
    opaque = whole._replace(dst_port=first, dst_last=last)
    assert opaque.overlaps(opaque) and opaque.overlaps(whole)
    assert not opaque.overlaps(whole._replace(dst_port=1, dst_last=0xFFFF))


@pytest.mark.parametrize(
    ("whole", "part", "all_of_it"),
    [
        (("10.0.0.0/8", "10.9.0.0/16"), ("10.1.0.0/16", "10.9.0.5/32"), True),
        (("10.1.0.0/16", "10.9.0.5/32"), ("10.0.0.0/8", "10.9.0.5/32"), False),
        (("10.1.0.0/16", "10.9.0.5/32"), ("10.1.0.0/16", "10.9.0.0/24"), False),
        (("10.1.0.0/16", "10.9.0.0/16", 6), ("10.1.0.0/16", "10.9.0.0/16"), False),
        (("10.1.0.0/16", "10.9.0.0/16"), ("10.1.0.0/16", "10.9.0.0/16", 6, 0, 80), True),
        (("10.1.0.0/16", "10.9.0.0/16", 6, 0, 80), ("10.1.0.0/16", "10.9.0.0/16", 6), False),
    ],
)
def test_a_selector_covers_another(
    whole: tuple[Any, ...], part: tuple[Any, ...], all_of_it: bool
) -> None:
    assert Selector.of(*whole).covers(Selector.of(*part)) is all_of_it


def test_any_port_covers_one_that_cannot_be_seen_and_a_range_does_not() -> None:
    first, last = OPAQUE_PORTS
    whole = Selector.of("10.1.0.0/16", "10.9.0.5/32", 17)
    opaque = whole._replace(dst_port=first, dst_last=last)
    assert whole.covers(opaque) and opaque.covers(opaque)
    assert not opaque.covers(whole)
    assert not whole._replace(dst_port=1, dst_last=0xFFFF).covers(opaque)


def steps(act: Callable[[], object]) -> int:
    """Lines of the index that run; they do not depend on the machine."""
    ran = 0

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal ran
        ran += event == "line"
        return trace

    gc.disable()  # what others have done when garbage is collected is no line of ours
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(None)
        gc.enable()
    return ran


def filled(count: int) -> Held[Child]:
    held: Held[Child] = Held()
    for number in range(count):
        where = str(ip_address(0x0A000000 + number))
        held.add(Child(f"peer {number}", (Selector.of("192.0.2.0/24", f"{where}/32"),)))
    return held


def test_looking_costs_no_more_where_there_are_ten_thousand() -> None:
    asked = (Selector.of("192.0.2.0/24", "10.200.0.1/32"),)
    few, many = filled(10), filled(10_000)
    assert not list(many.of_others("new", asked))
    assert steps(lambda: list(many.of_others("new", asked))) == (
        steps(lambda: list(few.of_others("new", asked)))
    )


def test_who_asks_for_the_place_of_too_many_is_not_compared_with_all() -> None:
    held = filled(5000)
    asked = (Selector.of("198.51.100.0/24", "10.0.0.0/8"),)
    found = next(held.of_others("new", asked), None)
    assert found is not None, "their sources differ, but they are not all looked at"
    few = filled(COMPARED_MAX)
    assert not list(few.of_others("new", asked))


def a_square(side: int, protocol: int, port: int) -> tuple[Selector, ...]:
    """As many selectors as the square of ``side``, of so many networks at either end."""
    return tuple(
        Selector.of(f"10.2.{near}.0/24", f"10.9.{far}.0/24", protocol, 0, port)
        for near in range(side) for far in range(side)
    )  # fmt: skip


def test_two_who_have_many_selectors_apart_cost_little() -> None:
    held: Held[Child] = Held()
    for number in range(16):
        held.add(Child("one", a_square(16, 17, 1000 + number)))
    asked = a_square(16, 6, 80)
    ran = steps(lambda: list(held.of_others("other", asked)))
    assert ran < 20 * PAIRS_MAX, "sixteen times all with all is a million pairs"
    assert next(held.of_others("other", asked), None) is not None, "they are not all compared"
    few: Held[Child] = Held()
    few.add(Child("one", a_square(16, 17, 1000)))
    assert not list(few.of_others("other", asked))
