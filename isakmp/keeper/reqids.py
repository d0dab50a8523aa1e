"""Reqids: the numbers that tie the policies of one flow and its SAs together in the IPsec stack.

A flow keeps its number while anybody uses it: a policy, a child SA, a negotiation under way. With
another one its policy would have no SA, and its SA no traffic.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from isakmp.event.job import Job
from isakmp.policy.spd import Selector

Flow = tuple[str, Selector]
"""A connection's name, and traffic of it."""


class Entry:
    """One flow's number, and the negotiations that keep it."""

    __slots__ = ("flow", "holders", "number")

    def __init__(self, flow: Flow, number: int) -> None:
        self.flow, self.number = flow, number
        self.holders: tuple[Job[Any], ...] = ()


class Reqids:
    """Every flow's number. in_use: whether policies or SAs have that of a flow."""

    def __init__(self, in_use: Callable[[Flow], bool]) -> None:
        self._in_use = in_use
        self._entries: dict[Flow, Entry] = {}
        self._flows: dict[int, Flow] = {}
        self._last = 0

    def of(self, flow: Flow) -> int:
        """Its number, given out at first use."""
        return self._entry(flow).number

    def _entry(self, flow: Flow) -> Entry:
        entry = self._entries.get(flow)
        if entry is None:
            self._last += 1
            entry = self._entries[flow] = Entry(flow, self._last)
            self._flows[self._last] = flow
        return entry

    def hold(self, flow: Flow, holder: Job[Any]) -> int:
        """The same for a negotiation, which keeps it until ``holder`` is done."""
        entry = self._entry(flow)
        if holder not in entry.holders:
            entry.holders = *entry.holders, holder
            holder.then(partial(self._let_go, entry))
        return entry.number

    def _let_go(self, entry: Entry, holder: Job[Any]) -> None:
        entry.holders = tuple(other for other in entry.holders if other is not holder)
        self._forget(entry)

    def give_back(self, flow: Flow) -> None:
        """One of its users has done with it: nobody's number is forgotten."""
        if entry := self._entries.get(flow):
            self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        """Its number, unless somebody uses it."""
        if not entry.holders and not self._in_use(entry.flow):
            del self._entries[entry.flow], self._flows[entry.number]

    def flow(self, number: int) -> Flow | None:
        """Whose number that is."""
        return self._flows.get(number)
