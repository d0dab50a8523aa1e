"""Limits in seconds of many SAs: those that are due in one second share a timer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil, floor
from typing import Generic, Protocol, TypeVar

from isakmp.timer import Event, Timers


class Timed(Protocol):
    """Something with a limit. ``due``: the second at which it is met, 0: none."""

    due: int


T = TypeVar("T", bound=Timed)


class Clock(Generic[T]):
    """Calls ``ring`` with what is due, at most a second late, or early where that is asked for."""

    def __init__(self, timers: Timers, ring: Callable[[T], object]) -> None:
        self._timers, self._ring = timers, ring
        self._seconds: dict[int, tuple[Event, dict[T, None]]] = {}

    def start(self, what: T, delay_s: float, early: bool = False) -> None:
        """Ring for it in ``delay_s`` seconds, instead of when it was to ring before."""
        self.cancel(what)
        now = self._timers.now()
        what.due = second = max(1, (floor if early else ceil)(now + delay_s))
        if second not in self._seconds:
            strike = partial(self._strike, second)
            event = self._timers.add("limits of SAs", second - now, strike)
            self._seconds[second] = event, {}
        self._seconds[second][1][what] = None

    def cancel(self, what: T) -> None:
        """Do not ring for it."""
        second, what.due = what.due, 0
        if second in self._seconds:
            event, group = self._seconds[second]
            group.pop(what, None)
            if not group:
                event.cancel()
                del self._seconds[second]

    def _strike(self, second: int) -> None:
        """A second has come: for each of its group, and what one ends does not ring any more."""
        _, group = self._seconds[second]
        for what in list(group):
            if what.due == second:
                self.cancel(what)
                self._ring(what)
