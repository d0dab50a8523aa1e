"""Jobs of the kernel's answers become Jobs of what they mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from isakmp.errors import ApplicationError, MalformedPayload
from isakmp.event.job import Job

T = TypeVar("T")
U = TypeVar("U")
Bodies = list[bytes]


def read(asked: Job[Bodies], of: Callable[[Bodies], T]) -> Job[T]:
    """A Job with what ``of`` makes of the kernel's answer; ApplicationError where it cannot."""
    job: Job[T] = Job()

    def answered(asked: Job[Bodies]) -> None:
        if asked.error is not None:
            job.fail(asked.error)
            return
        try:
            job.finish(of(asked.result or []))
        except (MalformedPayload, IndexError) as error:
            job.fail(ApplicationError(f"the kernel's answer: {error}"))

    asked.then(answered)
    return job


def done(asked: Job[Bodies]) -> Job[None]:
    """A Job of that it is done; what was answered beside does not count."""
    return read(asked, lambda _: None)


def after(first: Job[T], then: Callable[[Job[T]], Job[U]]) -> Job[U]:
    """What ``then`` answers, asked when ``first`` has been answered, well or not."""
    job: Job[U] = Job()

    def over(second: Job[Any]) -> None:
        if second.error is not None:
            job.fail(second.error)
        else:
            job.finish(second.result)  # type: ignore[arg-type]  # done, and without an error

    first.then(lambda done: then(done).then(over))
    return job
