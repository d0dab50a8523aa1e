"""Overlaps: who else has some of that traffic, of however many.

Each field of a selector fixes the first so many bits of a packet's: of an address the prefix, of
protocol and ports all or none. Two selectors share a packet only where in each field they agree in
the bits that both fix. So selectors are kept by one field after the other: in a table for each
number of bits that is fixed, and that somebody has asked with. A look costs as many look-ups as
there are numbers of bits in a field, not as there are selectors, nor combinations of the fields.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

from isakmp.policy.spd import Selector

T = TypeVar("T")

# So many are compared one by one: a table for them would cost more.
FEW = 16


class Prefix(NamedTuple):
    """What a field fixes: the first ``bits`` of its ``size``, which are those of ``value``."""

    bits: int
    size: int
    value: int

    def cut(self, bits: int) -> int:
        """Its first bits."""
        return self.value >> self.size - bits


class _Entry(NamedTuple, Generic[T]):
    """A selector, whose it is, and when that came."""

    number: int
    selector: Selector
    fields: tuple[Prefix, ...]
    whose: T


class Shared(NamedTuple, Generic[T]):
    """Whose traffic it is, too: the first of ours that is met, and what of theirs it meets."""

    whose: T
    ours: Selector
    theirs: Selector

    @property
    def networks(self) -> str:
        """Those that both have, in words."""
        pairs = zip(self.ours[:2], self.theirs[:2], strict=True)
        src, dst = (max(pair, key=lambda network: network.prefixlen) for pair in pairs)
        return f"{src} with {dst}"


class _Table(Generic[T]):
    """Entries by the fields from ``field`` on."""

    def __init__(self, field: int = 0) -> None:
        self._field = field
        self._every: list[_Entry[T]] = []
        self._of_bits: defaultdict[int, list[_Entry[T]]] = defaultdict(list)
        self._tables: dict[tuple[int, int], dict[int, _Table[T]]] = {}

    def add(self, entry: _Entry[T]) -> None:
        self._every.append(entry)
        if self._field == len(entry.fields):
            return
        bits = entry.fields[self._field].bits
        self._of_bits[bits].append(entry)
        for (theirs, common), table in self._tables.items():
            if theirs == bits:
                self._put(table, entry, common)

    def _put(self, table: dict[int, _Table[T]], entry: _Entry[T], common: int) -> None:
        key = entry.fields[self._field].cut(common)
        if key not in table:
            table[key] = _Table(self._field + 1)
        table[key].add(entry)

    def near(self, fields: tuple[Prefix, ...]) -> Iterator[_Entry[T]]:
        """Those that may agree with ``fields``, all that do among them."""
        if len(self._every) <= FEW or self._field == len(fields):
            yield from self._every
            return
        mine = fields[self._field]
        for theirs in self._of_bits:
            common = min(mine.bits, theirs)
            found = self._by(theirs, common).get(mine.cut(common))
            if found is not None:
                yield from found.near(fields)

    def _by(self, bits: int, common: int) -> dict[int, _Table[T]]:
        """Those that fix so many bits, by the first ``common`` of them; made when it is needed."""
        table = self._tables.get((bits, common))
        if table is None:
            table = self._tables[bits, common] = {}
            for entry in self._of_bits[bits]:
                self._put(table, entry, common)
        return table


class Overlaps(Generic[T]):
    """Traffic, and whose it is; T is theirs."""

    def __init__(self) -> None:
        self._of_version: defaultdict[int, _Table[T]] = defaultdict(_Table)
        self._count = 0

    def add(self, selectors: Iterable[Selector], whose: T) -> None:
        """It is theirs, too."""
        for selector in selectors:
            entry = _Entry(self._count, selector, _fields(selector), whose)
            self._of_version[selector.src.version].add(entry)
        self._count += 1

    def of(self, selectors: Iterable[Selector]) -> Iterator[Shared[T]]:
        """Who has some of that traffic, each once, in the order in which they were added."""
        found: dict[int, Shared[T]] = {}
        for selector in selectors:
            for entry in self._of_version[selector.src.version].near(_fields(selector)):
                if entry.number not in found and selector.overlaps(entry.selector):
                    found[entry.number] = Shared(entry.whose, selector, entry.selector)
        yield from (found[number] for number in sorted(found))


def _fields(selector: Selector) -> tuple[Prefix, ...]:
    """Those that tell most apart first. A range of ports fixes nothing."""
    src, dst, protocol, src_port, dst_port, src_last, dst_last = selector
    size = src.max_prefixlen
    return (
        Prefix(dst.prefixlen, size, int(dst.network_address)),
        Prefix(src.prefixlen, size, int(src.network_address)),
        _whole(dst_port if dst_last is None else 0, 16),
        _whole(src_port if src_last is None else 0, 16),
        _whole(protocol, 8),
    )


def _whole(value: int, size: int) -> Prefix:
    """All of a field; nothing where it is 0."""
    return Prefix(size if value else 0, size, value)
