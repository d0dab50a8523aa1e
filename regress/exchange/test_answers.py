"""Answers: how long one is alone, and how many are known again."""

from __future__ import annotations

from isakmp.exchange.answers import KNOWN_MAX, ROUND_TRIP_S, Answers


def test_one_that_is_followed_is_alone_for_a_round_trip() -> None:
    answers = Answers[str](since=10.0)
    assert answers.alone_s(10.0) == 0, "nobody is followed"
    answers.forks.append("one")
    assert answers.alone_s(10.0) == ROUND_TRIP_S
    assert answers.alone_s(11.0) < 0


def test_who_was_sent_a_message_is_alone_too() -> None:
    assert Answers[str](since=10.0, answered=True).alone_s(10.0) == ROUND_TRIP_S


def test_those_that_are_known_are_bounded_and_the_oldest_goes() -> None:
    answers = Answers[str]()
    for number in range(KNOWN_MAX + 1):
        answers.note(bytes([number]))
    assert list(answers.known) == [bytes([number]) for number in range(1, KNOWN_MAX + 1)]
