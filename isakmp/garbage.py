"""Garbage: when Python looks for cycles among the objects of isakmpd, and among which.

SAs are thousands of objects that stay, and what ends hardly ever hangs in a cycle. What is new is
looked through once, while a processor still has it at hand, and what is left then is taken to stay:
to look through it again takes an eightieth of a handshake, and holds the loop for 0.1 s where there
are thousands of SAs. All is looked through where that is quick, or there is twice as much of it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Objects that may be in a cycle: so many new ones are looked through at a time.
YOUNG = 1_500
# In portions of that: what is looked through in less than 50 ms, what has to be new then, and what
# has to be new in any case.
QUICK, FEW, MANY = 60, 12, 5_000


class Garbage:
    """What one process looks through. kept, fresh: portions that were there when all was, and those
    that have come since."""

    def __init__(self) -> None:
        self.kept, self.fresh = 0, 0

    def watch(self) -> None:
        """Look through what is new, from now on."""
        gc.set_threshold(YOUNG, MANY, MANY)
        gc.callbacks.append(self._searched)

    def _searched(self, phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == 0:
            gc.freeze()
            self.fresh += 1

    def look(self) -> None:
        """Look through all there is, if it is time."""
        quick = self.kept + self.fresh <= QUICK
        if self.fresh > (FEW if quick else max(MANY, self.kept)):
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self.kept, self.fresh = gc.get_freeze_count() // YOUNG, 0


@contextmanager
def uncollected() -> Iterator[None]:
    """Of what is read meanwhile, which is much, nothing is looked through for cycles: a turn of the
    loop that has to wait for that waits for long. It stays, as what isakmpd starts with does."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
