"""Attempt: a step taken on one message, from its beginning to its verdict, across every wait.

What is true of the message when the step begins (whether it is proven, whether it is the
exchange's first) is true when an answer comes late.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from isakmp.event.job import Job
from isakmp.exchange.script import Incoming, Outgoing, Step, Verdict, Waiting

if TYPE_CHECKING:
    from isakmp.exchange.exchange import Exchange


@dataclass(slots=True, eq=False)
class Attempt:
    """step: what is taken; then: what is called once it has a verdict; done: what notes that its
    message is done with, before anything follows; fresh: no message was accepted before this one.
    """

    step: Step
    message: Incoming | Outgoing
    then: Callable[[Exchange[Any], Attempt], object]
    done: Callable[[], object] = lambda: None
    fresh: bool = False
    verdict: Verdict | None = None
    _waiting: Waiting | None = field(default=None, repr=False)
    _job: Job[Any] | None = field(default=None, repr=False)

    @property
    def waits(self) -> bool:
        """Whether it stands at a job that has no answer yet."""
        return self._job is not None and not self._job.done

    def advance(
        self, exchange: Exchange[Any], resume: Callable[[Exchange[Any], Attempt], object]
    ) -> bool:
        """Go on as far as there are answers; whether the verdict is known, else ``resume`` is
        called when the next answer is there. Raises what the step raises."""
        if self._waiting is None:
            result = self.step(exchange, self.message)
            if result is None or isinstance(result, Verdict):
                self.verdict = result
                return True
            self._waiting = result
        try:
            self._job = self._next(self._waiting)
            while self._job.done:
                self._job = self._next(self._waiting)
        except StopIteration as stop:
            self.verdict = stop.value
            return True
        self._job.then(partial(self._answered, exchange, resume))
        return False

    def _answered(
        self, exchange: Exchange[Any], resume: Callable[[Exchange[Any], Attempt], object], _: object
    ) -> None:
        resume(exchange, self)

    def _next(self, waiting: Waiting) -> Job[Any]:
        """The job the step waits for next, once it has heard of the one before."""
        if self._job is None:
            return next(waiting)
        if self._job.error is not None:
            return waiting.throw(self._job.error)
        return waiting.send(self._job.result)

    def give_up(self) -> None:
        """The exchange has ended: close a step that waits, and want its answer no more."""
        if self.waits and self._waiting is not None and self._job is not None:
            self._waiting.close()
            self._job.cancel()
