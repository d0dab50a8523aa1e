"""Work that others do: each result comes a while later, in any order, and some never."""

from __future__ import annotations

from collections.abc import Callable

from isakmp.errors import WorkError
from isakmp.event.job import Job
from isakmp.event.timer import Timers
from isakmp.event.worker import HERE, Verb


class Elsewhere:
    """Somebody who computes for a daemon. after_s: how long that takes, by the daemon's timers;
    None: whoever does it ends of it."""

    def __init__(self, timers: Timers, after_s: Callable[[], float | None]) -> None:
        self._timers, self.after_s = timers, after_s
        self.asked = 0

    def takes(self, slow: bool) -> bool:
        """Everything."""
        return True

    def call(self, verb: Verb, *arguments: bytes) -> Job[bytes]:
        """Do it later."""
        job: Job[bytes] = Job()
        self.asked += 1
        seconds = self.after_s()

        def done() -> None:
            if seconds is None:
                job.fail(WorkError("the worker that was to compute it has ended"))
            else:
                HERE.call(verb, *arguments).then(job.take)

        self._timers.add("work", seconds or 0.0, done)
        return job
