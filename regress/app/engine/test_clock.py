"""The limits of many SAs share timers."""

from __future__ import annotations

from dataclasses import dataclass

from isakmp.app.engine.clock import TICK_S, Clock
from isakmp.event.timer import Timers


@dataclass(eq=False)
class Thing:
    """Something with a limit."""

    due: int = 0


class Desk:
    """A clock and what it rang for, with the times."""

    def __init__(self) -> None:
        self.now = 100.25
        self.timers = Timers(lambda: self.now)
        self.rung: list[tuple[float, Thing]] = []
        self.clock: Clock[Thing] = Clock(
            self.timers, lambda what: self.rung.append((self.now, what))
        )

    def until(self, end: float) -> None:
        """Let time pass in small steps."""
        while self.now < end:
            self.now += TICK_S / 4
            self.timers.run()


def test_never_early_and_at_most_a_tick_late() -> None:
    desk = Desk()
    things = {delay: Thing() for delay in (0.0, 0.1, 0.25, 0.7, 5.55, 3600.0)}
    for delay, thing in things.items():
        desk.clock.start(thing, delay)
    desk.until(4000)
    for delay, thing in things.items():
        (when,) = [when for when, rung in desk.rung if rung is thing]
        assert 0 <= when - 100.25 - delay < TICK_S
    assert not desk.timers.pending()


def test_at_most_a_tick_early_where_that_is_asked_for() -> None:
    desk = Desk()
    things = {delay: Thing() for delay in (0.0, 0.3, 0.25, 0.7, 5.55, 3600.0)}
    for delay, thing in things.items():
        desk.clock.start(thing, delay, early=True)
    desk.timers.run()
    desk.until(4000)
    for delay, thing in things.items():
        (when,) = [when for when, rung in desk.rung if rung is thing]
        assert 0 <= 100.25 + delay - when < TICK_S


def test_one_timer_for_all_that_are_due_at_about_the_same_time() -> None:
    desk = Desk()
    things = [Thing() for _ in range(1000)]
    for number, thing in enumerate(things):
        desk.clock.start(thing, 10.01 + number * TICK_S / 2000)
    assert len(desk.timers.pending()) == 1
    desk.until(120)
    assert [rung for _, rung in desk.rung] == things


def test_what_is_cancelled_or_put_off_does_not_ring_then() -> None:
    desk = Desk()
    gone, late = Thing(), Thing()
    desk.clock.start(gone, 10)
    desk.clock.start(late, 10)
    desk.clock.start(late, 20)
    desk.clock.cancel(gone)
    assert len(desk.timers.pending()) == 1
    desk.clock.cancel(gone)
    desk.until(130)
    assert desk.rung == [(120.25, late)]
    assert not desk.timers.pending()


def test_what_ends_another_of_its_tick() -> None:
    desk = Desk()
    one, other = Thing(), Thing()
    desk.clock = Clock(desk.timers, lambda what: desk.clock.cancel(other))
    desk.clock.start(one, 1)
    desk.clock.start(other, 1)
    desk.until(110)
    assert (one.due, other.due) == (0, 0) and not desk.timers.pending()


def test_begun_again_while_it_rings() -> None:
    desk = Desk()
    thing = Thing()

    def again(what: Thing) -> None:
        desk.rung.append((desk.now, what))
        if len(desk.rung) < 3:
            desk.clock.start(what, 0)

    desk.clock = Clock(desk.timers, again)
    desk.clock.start(thing, 1)
    desk.until(110)
    assert len(desk.rung) == 3 and not desk.timers.pending()
