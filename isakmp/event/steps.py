"""Work in small steps: where there may be much of it, others come in between.

A generator is such work. Each ``yield`` in it is where it can be left for a while, or for good;
between two there is at most what takes a fraction of a millisecond.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""What is done in steps, and has a T at its end."""

# How many things that cost next to nothing make a step.
AT_ONCE = 32


def at_once(steps: Steps[T]) -> T:
    """All steps, one after the other."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def told(texts: Iterable[str]) -> Steps[list[str]]:
    """The texts of who tells something at some steps, and at others, where it is empty, nothing."""
    found = []
    for text in texts:
        if text:
            found.append(text)
        yield
    return found


class Table(Protocol):
    """A dict, whatever is in it."""

    def __len__(self) -> int: ...

    def popitem(self) -> object: ...


def emptied(*tables: Table) -> Steps[None]:
    """Let go of all that tables hold: to free what is large takes a while, too."""
    for table in tables:
        while table:
            for _ in range(min(AT_ONCE, len(table))):
                table.popitem()
            yield


def pauses(items: Iterable[T]) -> Iterator[tuple[T, bool]]:
    """Each item, and whether a step ends behind it."""
    for number, item in enumerate(items, 1):
        yield item, not number % AT_ONCE
