"""Named events: their order, cancelling them, and that cancelled ones do not pile up."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.event.timer import Bucket, Event, Timers


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.timers = Timers(lambda: self.now)
        self.ran: list[str] = []

    def add(self, name: str, delay_s: float) -> Event:
        return self.timers.add(name, delay_s, lambda: self.ran.append(name))


def test_events_run_when_they_are_due_in_order() -> None:
    clock = Clock()
    clock.add("late", 5)
    clock.add("first", 1)
    clock.add("second", 1)
    assert clock.timers.timeout() == 1
    assert clock.timers.run() == 0
    clock.now += 1
    assert clock.timers.timeout() == 0
    assert clock.timers.run() == 2
    assert clock.ran == ["first", "second"]
    clock.now += 10
    assert clock.timers.timeout() == 0
    assert clock.timers.run() == 1
    assert clock.timers.timeout() is None


def test_a_negative_delay_is_now() -> None:
    clock = Clock()
    event = clock.add("past", -3)
    assert event.when == 100
    assert clock.timers.run() == 1


def test_what_an_event_adds_waits_for_the_next_run() -> None:
    clock = Clock()

    def again() -> None:
        clock.ran.append("again")
        clock.timers.add("again", 0, again)

    clock.timers.add("again", 0, again)
    assert [clock.timers.run() for _ in range(3)] == [1, 1, 1]
    assert len(clock.ran) == 3


def test_cancelled_events_do_not_run_and_do_not_count_for_the_timeout() -> None:
    clock = Clock()
    first, second = clock.add("first", 1), clock.add("second", 2)
    assert first.pending
    first.cancel()
    first.cancel()
    assert not first.pending
    assert clock.timers.timeout() == 2
    clock.now += 5
    assert clock.timers.run() == 1
    second.cancel()
    assert clock.ran == ["second"]
    assert clock.timers.pending() == []


def test_an_event_may_cancel_one_that_is_due_with_it() -> None:
    clock = Clock()
    victims: list[Event] = []
    clock.timers.add("killer", 1, lambda: victims[0].cancel())
    victims.append(clock.add("victim", 1))
    clock.now += 1
    assert clock.timers.run() == 1
    assert clock.ran == []


def test_an_event_may_cancel_so_many_that_the_heap_is_made_anew() -> None:
    clock = Clock()
    victims: list[Event] = []
    clock.timers.add("killer", 1, lambda: [victim.cancel() for victim in victims])  # type: ignore[func-returns-value]
    victims += [clock.add(f"victim {n}", 1) for n in range(300)]
    clock.add("survivor", 1)
    clock.now += 1
    clock.timers.run()
    assert clock.ran == ["survivor"]
    assert clock.timers.pending() == []


def test_pending_names_what_is_to_come() -> None:
    clock = Clock()
    clock.add("b", 2)
    clock.add("a", 1)
    assert [(e.name, e.when) for e in clock.timers.pending()] == [("a", 101), ("b", 102)]


def test_cancelled_events_are_dropped() -> None:
    clock = Clock()
    clock.add("stays", 1000)
    for _ in range(5000):
        clock.add("goes", 500).cancel()
    assert len(clock.timers._heap) < 200


@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=200),
    st.lists(st.integers(1, 7), max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_like_a_sorted_list(events: list[tuple[int, bool]], jumps: list[int]) -> None:
    clock = Clock()
    made = [clock.add(f"{number}", delay) for number, (delay, _) in enumerate(events)]
    for event, (_, cancelled) in zip(made, events, strict=True):
        if cancelled:
            event.cancel()
    for jump in jumps:
        clock.now += jump
        clock.timers.run()
    due = [(d, n) for n, (d, cancelled) in enumerate(events) if not cancelled and d <= sum(jumps)]
    assert clock.ran == ([f"{n}" for _, n in sorted(due)] if jumps else [])
    left = [d for d, cancelled in events if not cancelled and d > sum(jumps)]
    if jumps:
        wanted = min(left) - sum(jumps) if left else None
        assert clock.timers.timeout() == wanted


def test_what_a_bucket_owes_is_worked_off_and_is_a_burst_at_most() -> None:
    clock = [0.0]
    bucket = Bucket(lambda: clock[0], 2, burst=10)
    assert bucket.take()
    bucket.owe(12)
    assert not bucket.take()
    clock[0] += 2
    assert bucket.take(), "3 were owed"
    bucket.owe(1000)
    clock[0] += 5
    assert not bucket.take()
    clock[0] += 0.5
    assert bucket.take()
    clock[0] += 1000
    bucket.owe(10)
    assert not bucket.take(), "time before it pays for nothing beyond a burst"
