"""Work in steps: nothing is lost of it, however it is done."""

from __future__ import annotations

import pytest

from isakmp.event.steps import AT_ONCE, Steps, at_once, emptied, pauses, told


def test_all_at_once() -> None:
    def steps() -> Steps[int]:
        yield
        yield
        return 7

    assert at_once(steps()) == 7


def test_an_error_comes_out() -> None:
    def steps() -> Steps[int]:
        yield
        raise KeyError

    with pytest.raises(KeyError):
        at_once(steps())


def test_what_is_empty_is_a_step_and_not_told() -> None:
    steps = told(["", "one", "", "two"])
    assert [next(steps) for _ in range(4)] == [None] * 4
    assert at_once(steps) == ["one", "two"]


def test_a_step_lets_go_of_a_few() -> None:
    table = {number: number for number in range(2 * AT_ONCE + 1)}
    other = {1: 1}
    left = [len(table) + len(other) for _ in emptied(table, other)]
    assert left == [AT_ONCE + 2, 2, 1, 0]


def test_a_step_ends_behind_a_few() -> None:
    ends = [item for item, end in pauses(range(3 * AT_ONCE)) if end]
    assert ends == [AT_ONCE - 1, 2 * AT_ONCE - 1, 3 * AT_ONCE - 1]
