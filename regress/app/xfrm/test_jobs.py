"""Jobs of the kernel's answers become Jobs of what they mean."""

from __future__ import annotations

import pytest

from isakmp.app.xfrm.jobs import Bodies, after, done, read
from isakmp.errors import ApplicationError, MalformedPayload
from isakmp.event.job import Job

REFUSED = ApplicationError("refused")


@pytest.mark.parametrize("late", [False, True])
def test_an_answer_is_read_whenever_it_comes(late: bool) -> None:
    asked: Job[Bodies] = Job()
    if not late:
        asked.finish([b"one", b"two"])
    job = read(asked, len)
    assert job.done is not late
    asked.finish([b"one", b"two"])
    assert (job.result, job.error) == (2, None)


def test_a_refusal_is_that_of_what_was_asked() -> None:
    read_nothing: list[Bodies] = []
    assert read(Job[Bodies].failed(REFUSED), read_nothing.append).error is REFUSED
    assert not read_nothing


@pytest.mark.parametrize("error", [IndexError("none"), MalformedPayload("SA", 3, "is cut")])
def test_an_answer_that_cannot_be_read_is_the_applications_error(error: Exception) -> None:
    def of(bodies: Bodies) -> int:
        raise error

    job = read(Job[Bodies].of([]), of)
    assert isinstance(job.error, ApplicationError) and "the kernel's answer" in str(job.error)


def test_a_bug_is_no_answer_of_the_kernels() -> None:
    def of(bodies: Bodies) -> int:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        read(Job[Bodies].of([]), of)


def test_what_is_done_has_no_result() -> None:
    assert done(Job[Bodies].of([b"more"])).done
    assert done(Job[Bodies].of([b"more"])).result is None
    assert done(Job[Bodies].failed(REFUSED)).error is REFUSED


@pytest.mark.parametrize("well", [True, False])
def test_the_second_is_asked_when_the_first_is_answered_well_or_not(well: bool) -> None:
    first: Job[int] = Job()
    second: Job[str] = Job()
    told: list[Job[int]] = []

    def then(job: Job[int]) -> Job[str]:
        told.append(job)
        return second

    both = after(first, then)
    assert not told and not both.done
    first.finish(1) if well else first.fail(REFUSED)
    assert told == [first] and not both.done
    second.finish("two")
    assert (both.result, both.error) == ("two", None)


def test_the_error_of_the_second_counts() -> None:
    assert after(Job.of(1), lambda job: Job[int].failed(REFUSED)).error is REFUSED
