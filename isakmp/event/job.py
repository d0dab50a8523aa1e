"""A value that comes later. Nothing blocks the loop: what must wait is handed a Job.

A script's step that must wait is a generator that yields the Job; the engine parks the exchange
and resumes the step with the result, or throws the error into it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from isakmp.errors import IsakmpError

T = TypeVar("T")


class Job(Generic[T]):
    """One result or one error, told once to each listener; late listeners are told at once."""

    __slots__ = ("done", "error", "give_back", "result", "_listeners")

    def __init__(self) -> None:
        self.done = False
        self.result: T | None = None
        self.error: Exception | None = None
        self.give_back: Callable[[T], Any] | None = None
        self._listeners: list[Callable[[Job[T]], Any]] = []

    @classmethod
    def of(cls, result: T) -> Job[T]:
        """A Job that is already finished with ``result``."""
        job = cls()
        job.done, job.result = True, result  # as finish(), to which nobody listens yet
        return job

    @classmethod
    def failed(cls, error: Exception) -> Job[T]:
        """A Job that has already failed with ``error``."""
        job = cls()
        job.fail(error)
        return job

    @classmethod
    def call(cls, function: Callable[[], T]) -> Job[T]:
        """A Job that is finished with what ``function`` returns, or has failed with its error."""
        try:
            return cls.of(function())
        except IsakmpError as error:
            return cls.failed(error)

    @classmethod
    def gather(cls, jobs: Sequence[Job[T]]) -> Job[list[T | None]]:
        """Done when all of ``jobs`` are: their results, None for those that failed."""
        whole: Job[list[T | None]] = Job()
        left = len(jobs)

        def answered(_: Job[T]) -> None:
            nonlocal left
            left -= 1
            if not left:
                whole.finish([job.result for job in jobs])

        for job in jobs:
            job.then(answered)
        if not jobs:
            whole.finish([])
        return whole

    def finish(self, result: T) -> None:
        """Give the result. A second answer is ignored: the first one was acted on."""
        self._settle(result, None)

    def fail(self, error: Exception) -> None:
        """Give the error instead."""
        self._settle(None, error)

    def cancel(self) -> None:
        """Nobody wants the result any more: what a late one holds is given back by who gives it,
        with ``give_back``."""
        if self.done:
            return
        give_back = self.give_back

        def late(job: Job[T]) -> None:
            if job.error is None and give_back is not None:
                give_back(job.result)  # type: ignore[arg-type]  # done, and without an error

        self._listeners = [late]

    def _settle(self, result: T | None, error: Exception | None) -> None:
        if self.done:
            return
        self.done, self.result, self.error = True, result, error
        if self._listeners:
            listeners, self._listeners = self._listeners, []
            for listener in listeners:
                listener(self)

    def take(self, other: Job[T]) -> None:
        """Have the answer that ``other``, which is done, has."""
        self._settle(other.result, other.error)

    def then(self, listener: Callable[[Job[T]], Any]) -> None:
        """Call ``listener(job)`` when the answer is there."""
        if self.done:
            listener(self)
        else:
            self._listeners.append(listener)

    def otherwise(self, listener: Callable[..., Any], *args: Any) -> None:
        """Call ``listener(*args, error)`` when it has failed."""
        if not self.done:
            self.then(lambda job: job.otherwise(listener, *args))
        elif self.error is not None:
            listener(*args, self.error)
