"""Signals that would end an isakmpd that is only just starting wait."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from isakmp.patience import PATIENT, patience


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """The signals that have come."""
    numbers: list[int] = []
    before = [(number, signal.getsignal(number)) for number in PATIENT]
    for number in PATIENT:
        signal.signal(number, lambda number, frame: numbers.append(number))
    yield numbers
    for each, handler in before:
        signal.signal(each, handler)


@pytest.mark.parametrize("number", PATIENT)
def test_they_wait_and_then_come(heard: list[int], number: signal.Signals) -> None:
    with patience():
        signal.raise_signal(number)
        signal.raise_signal(number)
        assert not heard
    assert heard == [number], "a signal that waits does so once"


def test_those_that_stop_do_not_wait() -> None:
    with patience():
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        assert set(PATIENT) <= blocked
        assert not {signal.SIGTERM, signal.SIGINT} & blocked


def test_whatever_happens_nothing_stays_blocked() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with pytest.raises(KeyError), patience():
        raise KeyError
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_who_blocks_already_goes_on_blocking() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    try:
        with patience():
            pass
        assert signal.SIGHUP in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
