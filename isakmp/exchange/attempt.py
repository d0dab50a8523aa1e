"""Attempt: a step taken on one message, from its beginning to its verdict, across every wait.

What is true of the message when the step begins (whether it is proven, whether it is the
exchange's first) is true when an answer comes late.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from isakmp.event.job import Job
from isakmp.exchange.script import Incoming, Outgoing, Verdict, Waiting

X = TypeVar("X")
"""An exchange."""

Driven = Generator[Job[Any], Any, None]
Done = Callable[[], object]
Then = Callable[[X, Incoming | Outgoing, Verdict | None, Done], object]


@dataclass(slots=True, eq=False)
class Attempt(Generic[X]):
    """steps: the step, which may wait; then: what is called with its verdict and ``done``, which
    notes that its message is done with, before anything follows; fresh: no message was accepted
    before this one.
    """

    steps: Waiting
    message: Incoming | Outgoing
    then: Then[X]
    done: Done
    fresh: bool = False
    verdict: Verdict | None = None
    _waiting: Driven | None = field(default=None, repr=False)
    _job: Job[Any] | None = field(default=None, repr=False)

    @property
    def waits(self) -> bool:
        """Whether it stands at a job that has no answer yet."""
        return self._job is not None and not self._job.done

    def advance(self, exchange: X, resume: Callable[[X, Attempt[X]], object]) -> bool:
        """Go on as far as there are answers; whether the verdict is known, else ``resume`` is
        called when the next answer is there. Raises what the step raises."""
        if self._waiting is None:
            self._waiting = self._drive()
            self._job = next(self._waiting, None)  # no exception, as most steps end here
        while self._job is not None:
            if not self._job.done:
                self._job.then(partial(self._answered, exchange, resume))
                return False
            self._hear(self._waiting, self._job)
        return True

    def _drive(self) -> Driven:
        self.verdict = yield from self.steps

    def _answered(self, exchange: X, resume: Callable[[X, Attempt[X]], object], _: object) -> None:
        resume(exchange, self)

    def _hear(self, waiting: Driven, job: Job[Any]) -> None:
        """Tell the step what its job has made; it then waits for another one, or for none."""
        self._job, error = None, job.error
        try:
            result = job.result
            self._job = waiting.send(result) if error is None else waiting.throw(error)
        except StopIteration:
            pass
        finally:
            del job, error  # it knows the frames that it has come through

    def give_up(self) -> None:
        """The exchange has ended: close a step that waits, and want its answer no more."""
        if self.waits and self._waiting is not None and self._job is not None:
            self._waiting.close()
            self._job.cancel()
