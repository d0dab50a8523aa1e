"""Limits in seconds of many SAs: those that are due at about the same time share a timer."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor
from typing import Generic, Protocol, TypeVar

from isakmp.event.timer import Event, Timers

TICK_S = 0.25


class Timed(Protocol):
    """Something with a limit. ``due``: the tick at which it is met, 0: none."""

    due: int


T = TypeVar("T", bound=Timed)


class Clock(Generic[T]):
    """Calls ``ring`` with what is due, at most a tick late, or early where that is asked for."""

    def __init__(self, timers: Timers, ring: Callable[[T], object]) -> None:
        self._timers, self._ring = timers, ring
        self._ticks: dict[int, tuple[Event, dict[T, None]]] = {}

    def start(self, what: T, delay_s: float, early: bool = False) -> None:
        """Ring for it in ``delay_s`` seconds, instead of when it was to ring before."""
        self.cancel(what)
        now = self._timers.now()
        what.due = tick = max(1, (floor if early else ceil)((now + delay_s) / TICK_S))
        if tick not in self._ticks:
            event = self._timers.add("limits of SAs", tick * TICK_S - now, self._strike, tick)
            self._ticks[tick] = event, {}
        self._ticks[tick][1][what] = None

    def cancel(self, what: T) -> None:
        """Do not ring for it."""
        tick, what.due = what.due, 0
        if tick in self._ticks:
            event, group = self._ticks[tick]
            group.pop(what, None)
            if not group:
                event.cancel()
                del self._ticks[tick]

    def _strike(self, tick: int) -> None:
        """A tick has come: for each of its group, and what one ends does not ring any more."""
        _, group = self._ticks[tick]
        for what in list(group):
            if what.due == tick:
                self.cancel(what)
                self._ring(what)
