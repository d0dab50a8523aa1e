"""The loop: handlers of descriptors, timers between them, and bugs in handlers."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.privilege import more_descriptors

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


@pytest.fixture
def many() -> Iterator[list[Ends]]:
    """More descriptors than select() can be asked about."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    more_descriptors()
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2600:
        pytest.skip("a process may not have that many descriptors here")
    with ExitStack() as stack:
        made = [socket.socketpair() for _ in range(1200)]
        for near, far in made:
            stack.enter_context(near)
            stack.enter_context(far)
        yield made
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_more_descriptors_than_select_has_room_for(many: list[Ends]) -> None:
    loop, read = Loop(Timers(Time())), list[int]()

    def reader(near: socket.socket) -> None:
        near.recv(1)
        read.append(near.fileno())

    for near, far in many:
        loop.reader(near.fileno(), partial(reader, near))
        far.send(b"x")
    assert many[-1][0].fileno() > 2000
    for _ in range(5):
        loop.turn(0)
    assert sorted(read) == sorted(near.fileno() for near, _ in many)


def test_a_descriptor_that_is_closed_under_the_loop_ends_nothing(ends: Ends) -> None:
    near, far = ends
    loop, read = Loop(Timers(Time())), list[bytes]()
    loop.reader(near.fileno(), lambda: read.append(near.recv(10)))
    gone, gone_far = socket.socketpair()
    number = gone.fileno()
    loop.reader(number, lambda: read.append(b"gone"))
    gone.close()
    gone_far.close()
    far.send(b"on")
    loop.turn(0)
    assert read == [b"on"]
    again, again_far = socket.socketpair()
    with again, again_far:
        assert again.fileno() == number, "the number is another file's now"
        loop.reader(number, lambda: read.append(os.read(number, 10)))
        again_far.send(b"again")
        loop.turn(0)
        assert read == [b"on", b"again"]
    loop.turn(0)


def test_a_handler_may_close_another_in_the_same_turn() -> None:
    errors, called = list[Exception](), list[str]()
    (a, a_far), (b, b_far) = socket.socketpair(), socket.socketpair()
    with a, a_far, b, b_far:
        loop = Loop(Timers(Time()), errors.append)

        def handler(me: str, other: socket.socket) -> None:
            called.append(me)
            other.close()

        loop.reader(a.fileno(), lambda: handler("a", b))
        loop.reader(b.fileno(), lambda: handler("b", a))
        a_far.send(b"x")
        b_far.send(b"x")
        for _ in range(3):
            loop.turn(0)
        assert called


def test_a_regular_file_is_always_ready(tmp_path: Path) -> None:
    path, loop, read = tmp_path / "lines", Loop(Timers(Time())), list[bytes]()
    path.write_bytes(b"c name")
    with path.open("rb") as file:
        loop.reader(file.fileno(), lambda: read.append(file.read()))
        loop.turn()
        loop.reader(file.fileno(), None)
    loop.turn(0)
    assert read == [b"c name"]


def test_a_reader_and_a_writer_of_one_descriptor(ends: Ends) -> None:
    near, far = ends
    loop, called = Loop(Timers(Time())), list[str]()
    loop.reader(near.fileno(), lambda: called.append(near.recv(10).decode()))
    loop.writer(near.fileno(), lambda: called.append("room"))
    far.send(b"word")
    loop.turn(0)
    assert called == ["word", "room"]
    loop.writer(near.fileno(), None)
    far.send(b"more")
    loop.turn(0)
    assert called == ["word", "room", "more"]
