"""SAs that have carried nothing for a while give back what a packet needs, until the next one.

A cipher's context is some 2.5 kB a direction, and most SAs of a gateway are idle. Sequence numbers
and windows stay: no number may serve twice (RFC 4303 3.3.3), and none is taken twice (3.4.3).
"""

from __future__ import annotations

from typing import Protocol

from isakmp.event.timer import Event, Timers

IDLE_S = 60.0


class Worker(Protocol):
    """An SA. used: when it last carried something."""

    used: float

    def rest(self) -> None:
        """Give back what the next packet makes again."""


class Rest:
    """The SAs of one engine that have what a packet needs."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._awake: dict[Worker, None] = {}
        self._event: Event | None = None

    def __len__(self) -> int:
        return len(self._awake)

    def woken(self, sa: Worker) -> None:
        """A packet has come for it."""
        self._awake[sa] = None
        if self._event is None:
            self._event = self._timers.add("idle SAs", IDLE_S, self._look)

    def gone(self, sa: Worker) -> None:
        """It has ended."""
        self._awake.pop(sa, None)
        if not self._awake and self._event is not None:
            self._event.cancel()
            self._event = None

    def _look(self) -> None:
        since, self._event = self._timers.now() - IDLE_S, None
        busy = {sa: None for sa in self._awake if sa.used > since}
        for sa in self._awake.keys() - busy.keys():
            sa.rest()
        self._awake = busy
        if busy:
            self._event = self._timers.add("idle SAs", IDLE_S, self._look)
