"""Values that come later: one answer, told once to everybody."""

from __future__ import annotations

from isakmp.event.job import Job


def test_listeners_are_told_once_and_late_ones_at_once() -> None:
    job: Job[int] = Job()
    told: list[object] = []
    job.then(lambda j: told.append(("early", j.result)))
    assert not job.done
    job.finish(1)
    job.then(lambda j: told.append(("late", j.result)))
    assert told == [("early", 1), ("late", 1)]
    assert job.done


def test_the_first_answer_counts() -> None:
    job: Job[int] = Job()
    told: list[object] = []
    job.then(lambda j: told.append(j.result))
    job.finish(1)
    job.finish(2)
    job.fail(ValueError())
    assert (job.result, job.error, told) == (1, None, [1])


def test_errors_are_answers() -> None:
    error = ValueError("no")
    job: Job[int] = Job.failed(error)
    job.finish(3)
    assert (job.done, job.result, job.error) == (True, None, error)
    assert Job.of(5).result == 5


def test_a_listener_may_add_a_listener() -> None:
    job: Job[int] = Job()
    told: list[str] = []

    def first(_: Job[int]) -> None:
        told.append("first")
        job.then(lambda _: told.append("nested"))

    job.then(first)
    job.then(lambda _: told.append("second"))
    job.finish(0)
    assert told == ["first", "nested", "second"]


def test_gather_waits_for_all_and_keeps_the_order() -> None:
    jobs: list[Job[int]] = [Job(), Job.of(2), Job()]
    whole = Job.gather(jobs)
    jobs[2].fail(ValueError())
    assert not whole.done
    jobs[0].finish(1)
    assert whole.result == [1, 2, None]
    assert Job.gather([]).result == []


def test_otherwise_is_called_for_an_error_alone_at_once_or_later() -> None:
    told: list[object] = []
    wrong = ValueError("wrong")
    later, never = Job[int](), Job[int]()
    for job in (Job.of(1), Job[int].failed(wrong), later, never):
        job.otherwise(lambda *args: told.append(args), "whose", 7)
    assert told == [("whose", 7, wrong)]
    never.finish(2)
    later.fail(wrong)
    assert told == [("whose", 7, wrong)] * 2
