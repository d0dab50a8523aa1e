"""Reqids: the numbers that tie the policies of one flow and its SAs together in the IPsec stack.

A flow keeps its number while anybody uses it: a policy, a child SA, a negotiation under way. With
another one its policy would have no SA, and its SA no traffic.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from isakmp.job import Job
from isakmp.policy.spd import Selector

Flow = tuple[str, Selector]
"""A connection's name, and traffic of it."""


class Reqids:
    """Every flow's number. in_use: whether policies or SAs have that of a flow."""

    def __init__(self, in_use: Callable[[Flow], bool]) -> None:
        self._in_use = in_use
        self._numbers: dict[Flow, int] = {}
        self._flows: dict[int, Flow] = {}
        self._holders: dict[Flow, set[Job[Any]]] = {}
        self._last = 0

    def of(self, flow: Flow) -> int:
        """Its number, given out at first use."""
        number = self._numbers.get(flow)
        if number is None:
            number = self._last = self._last + 1
            self._numbers[flow], self._flows[number] = number, flow
        return number

    def hold(self, flow: Flow, holder: Job[Any]) -> int:
        """The same for a negotiation, which keeps it until ``holder`` is done."""
        holders = self._holders.setdefault(flow, set())
        if holder not in holders:
            holders.add(holder)
            holder.then(partial(self._let_go, flow, holders))
        return self.of(flow)

    def _let_go(self, flow: Flow, holders: set[Job[Any]], holder: Job[Any]) -> None:
        holders.discard(holder)
        if not holders:
            self._holders.pop(flow, None)
        self.give_back(flow)

    def give_back(self, flow: Flow) -> None:
        """One of its users has done with it: nobody's number is forgotten."""
        if flow in self._holders or self._in_use(flow):
            return
        if (number := self._numbers.pop(flow, None)) is not None:
            del self._flows[number]

    def flow(self, number: int) -> Flow | None:
        """Whose number that is."""
        return self._flows.get(number)
