"""Overlaps: who else has some of that traffic, of however many.

What a packet of some traffic has is the same in so many bits: of both addresses the prefix, all or
nothing of protocol and ports. Two selectors can share a packet only where they agree in the bits
that both have. Selectors that have equally many are kept together, in a table for each number of
bits that somebody has asked with; a look costs as many look-ups as there are such kinds, not as
there are selectors.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from isakmp.policy.spd import Selector

# IP version, bits of the source's and the destination's address, and whether protocol and ports
# are given.
Kind = tuple[int, int, int, bool, bool, bool]
Key = tuple[int, int, int, int, int]
T = TypeVar("T")


class _Alike(Generic[T]):
    """Selectors of one kind and whose they are, each with its number; tables by what both kinds
    have."""

    def __init__(self) -> None:
        self.every: list[tuple[int, Selector, T]] = []
        self._tables: dict[Kind, defaultdict[Key, list[tuple[int, Selector, T]]]] = {}

    def add(self, number: int, selector: Selector, whose: T) -> None:
        found = number, selector, whose
        self.every.append(found)
        for common, table in self._tables.items():
            table[_key(selector, common)].append(found)

    def near(self, selector: Selector, common: Kind) -> list[tuple[int, Selector, T]]:
        """Those that agree with ``selector`` in what both have."""
        table = self._tables.get(common)
        if table is None:
            table = self._tables[common] = defaultdict(list)
            for found in self.every:
                table[_key(found[1], common)].append(found)
        return table.get(_key(selector, common), [])


class Overlaps(Generic[T]):
    """Traffic, and whose it is; T is theirs."""

    def __init__(self) -> None:
        self._kinds: dict[Kind, _Alike[T]] = {}
        self._count = 0

    def add(self, selectors: Iterable[Selector], whose: T) -> None:
        """It is theirs, too."""
        for selector in selectors:
            kind = _kind(selector)
            self._kinds.setdefault(kind, _Alike()).add(self._count, selector, whose)
        self._count += 1

    def of(self, selectors: Iterable[Selector]) -> Iterator[T]:
        """Who has some of that traffic, each once, in the order in which they were added."""
        found: dict[int, T] = {}
        for selector in selectors:
            kind = _kind(selector)
            for other, alike in self._kinds.items():
                if other[0] != kind[0]:
                    continue
                for number, theirs, whose in alike.near(selector, _common(kind, other)):
                    if number not in found and selector.overlaps(theirs):
                        found[number] = whose
        yield from (found[number] for number in sorted(found))


def _kind(selector: Selector) -> Kind:
    src, dst, protocol, src_port, dst_port, src_last, dst_last = selector
    ports = bool(src_port) and src_last is None, bool(dst_port) and dst_last is None
    return src.version, src.prefixlen, dst.prefixlen, bool(protocol), *ports


def _common(one: Kind, other: Kind) -> Kind:
    """What both have."""
    return (
        one[0], min(one[1], other[1]), min(one[2], other[2]),
        one[3] and other[3], one[4] and other[4], one[5] and other[5],
    )  # fmt: skip


def _key(selector: Selector, kind: Kind) -> Key:
    _, src_bits, dst_bits, protocol, src_port, dst_port = kind
    src, dst = selector.src, selector.dst
    return (
        int(src.network_address) >> src.max_prefixlen - src_bits,
        int(dst.network_address) >> dst.max_prefixlen - dst_bits,
        selector.protocol if protocol else 0,
        selector.src_port if src_port else 0,
        selector.dst_port if dst_port else 0,
    )
