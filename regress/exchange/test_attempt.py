"""Attempt: one step from its message to its verdict, through every wait."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.errors import ApplicationError, Reason, Refused
from isakmp.event.job import Job
from isakmp.exchange.attempt import Attempt
from isakmp.exchange.script import Outgoing, Verdict, Waiting

EXCHANGE: Any = object()


def attempt(steps: Waiting) -> tuple[Attempt[Any], list[Attempt[Any]]]:
    """An attempt, and the list of those that were taken up again."""
    return Attempt(steps, Outgoing(), lambda *_: None, lambda: None), []


def verdict_at_once(verdict: Verdict | None) -> Waiting:
    """A step that may wait, and does not."""
    yield from ()
    return verdict


@pytest.mark.parametrize("verdict", [None, *Verdict])
def test_a_step_that_does_not_wait_has_its_verdict_at_once(verdict: Verdict | None) -> None:
    one, resumed = attempt(verdict_at_once(verdict))
    assert one.advance(EXCHANGE, lambda exchange, again: resumed.append(again))
    assert one.verdict is verdict and not one.waits and not resumed


def test_it_goes_on_as_far_as_there_are_answers() -> None:
    jobs: list[Job[Any]] = [Job.of(1), Job(), Job()]
    heard: list[Any] = []

    def step() -> Waiting:
        for job in jobs:
            heard.append((yield job))
        return Verdict.AGAIN

    one, resumed = attempt(step())

    def resume(exchange: Any, again: Attempt[Any]) -> None:
        assert exchange is EXCHANGE
        resumed.append(again)

    assert not one.advance(EXCHANGE, resume)
    assert heard == [1] and one.waits and one.verdict is None
    jobs[2].finish(3)
    assert not resumed, "it does not wait for that one yet"
    jobs[1].finish(2)
    assert resumed == [one] and not one.waits
    assert one.advance(EXCHANGE, resume)
    assert heard == [1, 2, 3] and one.verdict is Verdict.AGAIN
    assert resumed == [one], "once for each wait"


def test_an_error_is_thrown_into_the_step_which_may_catch_it() -> None:
    def step() -> Waiting:
        try:
            yield Job.failed(ApplicationError("no"))
        except ApplicationError:
            return Verdict.RESTART
        return None

    one, resumed = attempt(step())
    assert one.advance(EXCHANGE, lambda exchange, again: resumed.append(again))
    assert one.verdict is Verdict.RESTART


@pytest.mark.parametrize("late", [False, True])
def test_what_a_step_raises_is_raised(late: bool) -> None:
    refused = Refused(Reason("failed", "for a test"), 14)

    def step() -> Waiting:
        if late:
            yield Job.failed(refused)
        raise refused

    one, resumed = attempt(step())
    with pytest.raises(Refused) as caught:
        one.advance(EXCHANGE, lambda exchange, again: resumed.append(again))
    assert caught.value is refused


def test_who_gives_up_closes_the_step_and_wants_the_answer_no_more() -> None:
    job: Job[int] = Job()
    back: list[int] = []
    job.give_back = back.append
    ends: list[str] = []

    def step() -> Waiting:
        try:
            yield job
        finally:
            ends.append("closed")
        return None

    one, resumed = attempt(step())
    assert not one.advance(EXCHANGE, lambda exchange, again: resumed.append(again))
    one.give_up()
    assert ends == ["closed"]
    job.finish(7)
    assert not resumed, "nobody is told of a late answer"
    assert back == [7], "what it holds is given back"


def test_giving_up_what_does_not_wait_changes_nothing() -> None:
    one, _ = attempt(verdict_at_once(Verdict.WAIT))
    one.give_up()
    assert one.advance(EXCHANGE, lambda exchange, again: None)
    one.give_up()
    assert one.verdict is Verdict.WAIT
