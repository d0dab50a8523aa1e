"""Reqids: the numbers that tie the policies of one flow and its SAs together in the IPsec stack.

A flow keeps its number while anybody uses it: a policy, a child SA, a negotiation under way. With
another one its policy would have no SA, and its SA no traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from isakmp.event.job import Job
from isakmp.policy.spd import Selector

Flow = tuple[str, Selector]
"""A connection's name, and traffic of it."""
Key = tuple[str, Hashable]
"""The same, or all the traffic of a part that begins as another does."""


class Entry:
    """A number, of what it was given out for, and the negotiations that keep it."""

    __slots__ = ("holders", "key", "number")

    def __init__(self, key: Key, number: int) -> None:
        self.key, self.number = key, number
        self.holders: tuple[Job[Any], ...] = ()


class Reqids:
    """Every flow's number. in_use: whether child SAs have it; stands: whether the policies of a
    connection have that of such a flow."""

    def __init__(self, in_use: Callable[[int], bool], stands: Callable[[Key], bool]) -> None:
        self._in_use, self._stands = in_use, stands
        self._entries: dict[Key, Entry] = {}
        self._numbers: dict[int, Entry] = {}
        self._last = 0

    def of(self, key: Key) -> int:
        """Its number, given out at first use."""
        entry = self._entries.get(key)
        return entry.number if entry is not None else self.anew(key)

    def anew(self, key: Key) -> int:
        """Another number than before, which who has it keeps."""
        self._last += 1
        self._entries[key] = self._numbers[self._last] = Entry(key, self._last)
        return self._last

    def hold(self, number: int, holder: Job[Any]) -> int:
        """A number that a negotiation keeps until ``holder`` is done."""
        entry = self._numbers[number]
        if holder not in entry.holders:
            entry.holders = *entry.holders, holder
            holder.then(partial(self._let_go, entry))
        return number

    def _let_go(self, entry: Entry, holder: Job[Any]) -> None:
        entry.holders = tuple(other for other in entry.holders if other is not holder)
        self.give_back(entry.number)

    def give_back(self, number: int) -> None:
        """One of its users has done with it: nobody's number is forgotten."""
        entry = self._numbers.get(number)
        if entry is None or entry.holders or self._in_use(number):
            return
        now = self._entries.get(entry.key) is entry
        if now and self._stands(entry.key):
            return
        del self._numbers[number]
        if now:
            del self._entries[entry.key]

    def name(self, number: int) -> str | None:
        """The connection that has that number."""
        entry = self._numbers.get(number)
        return entry.key[0] if entry is not None else None
