"""The select() loop: handlers of descriptors, timers between them, and bugs in handlers."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from isakmp.loop import Loop
from isakmp.timer import Timers

Ends = tuple[socket.socket, socket.socket]


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ends() -> Iterator[Ends]:
    a, b = socket.socketpair()
    with a, b:
        yield a, b


def test_a_turn_reads_what_is_there(ends: Ends) -> None:
    near, far = ends
    loop, read = Loop(Timers(Time())), []
    loop.reader(near.fileno(), lambda: read.append(near.recv(10)))
    far.send(b"word")
    loop.turn(5)
    assert read == [b"word"]
    loop.turn(0)
    assert read == [b"word"]


def test_writers_are_called_while_there_is_room(ends: Ends) -> None:
    near, _ = ends
    loop, wrote = Loop(Timers(Time())), []

    def write() -> None:
        wrote.append(1)
        loop.writer(near.fileno(), None)

    loop.writer(near.fileno(), write)
    loop.turn(5)
    loop.turn(0)
    assert wrote == [1]


def test_a_handler_may_take_another_away_in_the_same_turn() -> None:
    (a, a_far), (b, b_far) = socket.socketpair(), socket.socketpair()
    with a, a_far, b, b_far:
        loop, called = Loop(Timers(Time())), []

        def handler(me: str, other: socket.socket) -> None:
            called.append(me)
            loop.reader(other.fileno(), None)

        loop.reader(a.fileno(), lambda: handler("a", b))
        loop.reader(b.fileno(), lambda: handler("b", a))
        a_far.send(b"x")
        b_far.send(b"x")
        loop.turn(5)
        assert len(called) == 1


def test_removing_what_is_not_there_is_harmless() -> None:
    loop = Loop(Timers(Time()))
    loop.reader(99, None)
    loop.writer(99, None)


def test_timers_run_in_a_turn_and_bound_its_wait() -> None:
    time = Time()
    loop = Loop(Timers(time))
    ran: list[int] = []
    loop.timers.add("due", 0, lambda: ran.append(1))
    loop.timers.add("later", 1000, lambda: ran.append(2))
    loop.turn()
    assert ran == [1]
    loop.turn(0)
    time.now = 1000
    loop.turn()
    assert ran == [1, 2]


def test_run_goes_on_until_stop() -> None:
    loop = Loop(Timers(Time()))
    turns: list[int] = []

    def again() -> None:
        turns.append(1)
        if len(turns) == 3:
            loop.stop()
        loop.timers.add("again", 0, again)

    loop.timers.add("again", 0, again)
    loop.run()
    assert len(turns) == 3
    assert not loop.running


def test_a_bug_in_a_handler_is_told_and_the_rest_goes_on(ends: Ends) -> None:
    near, far = ends
    errors: list[Exception] = []
    loop = Loop(Timers(Time()), errors.append)
    loop.reader(near.fileno(), lambda: 1 // 0)
    ran: list[int] = []
    loop.timers.add("due", 0, lambda: ran.append(1))
    loop.timers.add("due too", 0, lambda: ran.append(2))
    far.send(b"x")
    loop.turn(5)
    assert [type(e) for e in errors] == [ZeroDivisionError]
    assert ran == [1, 2]


def test_a_bug_in_a_timer_does_not_lose_those_behind_it() -> None:
    errors: list[Exception] = []
    loop = Loop(Timers(Time()), errors.append)
    ran: list[int] = []
    loop.timers.add("bad", 0, lambda: 1 // 0)
    loop.timers.add("good", 0, lambda: ran.append(1))
    loop.turn(0)
    loop.turn(0)
    assert len(errors) == 1
    assert ran == [1]


def test_without_a_listener_the_bug_goes_on(ends: Ends) -> None:
    near, far = ends
    loop = Loop(Timers(Time()))
    loop.reader(near.fileno(), lambda: 1 // 0)
    far.send(b"x")
    with pytest.raises(ZeroDivisionError):
        loop.turn(5)
