"""Named events on a heap, and how often something may happen. The clock is given; every event has
a name for the log and report."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVarTuple

Args = TypeVarTuple("Args")


class Bucket:
    """What may happen so many times a second, and not more often (a token bucket).

    burst: so many at once; as many as a second allows where it is not given.
    """

    __slots__ = ("_burst", "_last", "_left", "_now", "_per_s")

    def __init__(self, now: Callable[[], float], per_s: float, burst: float | None = None) -> None:
        self._now, self._per_s = now, per_s
        self._burst = per_s if burst is None else burst
        self._last, self._left = now(), self._burst

    def take(self) -> bool:
        """Whether it may happen once more now."""
        self._fill()
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def owe(self, times: int) -> None:
        """It has happened that much more: what is left may be less than none for a while, by a
        burst at most."""
        self._fill()
        self._left = max(self._left - times, -self._burst)

    def _fill(self) -> None:
        now = self._now()
        self._left = min(self._burst, self._left + (now - self._last) * self._per_s)
        self._last = now


class Event:
    """Something that happens at ``when``, unless cancelled."""

    __slots__ = ("_timers", "args", "call", "name", "when")

    def __init__(
        self, timers: Timers, name: str, when: float, call: Callable[..., object] | None,
        args: tuple[Any, ...] = (),
    ) -> None:  # fmt: skip
        self._timers, self.name, self.when, self.call, self.args = timers, name, when, call, args

    def cancel(self) -> None:
        """Take the event back; harmless where it has already happened."""
        if self.call is not None:
            self.call, self.args = None, ()
            self._timers.cancelled()

    @property
    def pending(self) -> bool:
        """Whether it is still to happen."""
        return self.call is not None


class Timers:
    """The events of one daemon, earliest first; equal times in the order they were added."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._heap: list[tuple[float, int, Event]] = []
        self._order = count()
        self._dead = 0

    def add(
        self, name: str, delay_s: float, call: Callable[[*Args], object], *args: *Args
    ) -> Event:
        """Call ``call`` with ``args`` in ``delay_s`` seconds."""
        when = self.now() + (delay_s if delay_s > 0 else 0.0)
        event = Event(self, name, when, call, args)
        heapq.heappush(self._heap, (when, next(self._order), event))
        return event

    def cancelled(self) -> None:
        """Count a cancelled event; once they are the most of the heap, drop them all."""
        self._dead += 1
        if self._dead > 64 and 2 * self._dead > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].pending]
            heapq.heapify(self._heap)
            self._dead = 0

    def timeout(self) -> float | None:
        """Seconds to the next event, 0 where one is due, None where there is none."""
        while self._heap and not self._heap[0][2].pending:
            heapq.heappop(self._heap)
            self._dead -= 1
        return max(0.0, self._heap[0][0] - self.now()) if self._heap else None

    def run(self) -> int:
        """Run what is due now, but not what that adds; how many ran."""
        now, ran, last = self.now(), 0, next(self._order)
        while self._heap and self._heap[0][0] <= now and self._heap[0][1] < last:
            event = heapq.heappop(self._heap)[2]
            if (call := event.call) is None:
                self._dead -= 1
                continue
            args, event.call, event.args = event.args, None, ()
            call(*args)
            ran += 1
        return ran

    def pending(self) -> list[Event]:
        """What is still to happen, earliest first, for the report."""
        return sorted((e for _, _, e in self._heap if e.pending), key=lambda e: e.when)
