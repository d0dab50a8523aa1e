"""Ended IKE SAs: their last answers are kept for a while for who has missed them; no keys are.

RFC 7296 2.12: what could open old messages is forgotten with the SA.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from isakmp.event.timer import Event, Timers
from isakmp.sa import IsakmpSa
from isakmp.window import Window

ENDED_MAX, ENDED_S = 1024, 30.0


@dataclass(frozen=True, slots=True)
class EndedSa:
    """What tells a message of an IKE SA that is no more, and the answers to repeat."""

    cky_i: bytes
    cky_r: bytes
    initiator: bool
    ids: Window
    until: float
    version: int = 2

    def __str__(self) -> str:
        return f"ended IKE SA {self.cky_i.hex()}:{self.cky_r.hex()}"


class Ended:
    """Those of one engine, the oldest first, by our own SPI."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._kept: OrderedDict[bytes, EndedSa] = OrderedDict()
        self._pruning: Event | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, own: bytes) -> EndedSa | None:
        """The one of that SPI, as long as it is kept."""
        found = self._kept.get(own)
        return found if found is not None and self._now() < found.until else None

    def add(self, timers: Timers, sa: IsakmpSa) -> None:
        """Keep what is needed of ``sa``."""
        until = self._now() + ENDED_S
        self._kept[sa.own_cookie] = EndedSa(sa.cky_i, sa.cky_r, sa.initiator, sa.ids, until)
        if len(self._kept) > ENDED_MAX:
            self._kept.popitem(last=False)
        if self._pruning is None or not self._pruning.pending:
            self._arm(timers, ENDED_S)

    def _arm(self, timers: Timers, wait_s: float) -> None:
        self._pruning = timers.add("ended IKE SAs", wait_s, self._prune, timers)

    def _prune(self, timers: Timers) -> None:
        now = self._now()
        while self._kept:
            left = next(iter(self._kept.values())).until - now
            if left > 0:
                self._arm(timers, max(left, 1.0))
                return
            self._kept.popitem(last=False)
