"""What goes wrong between the link and a kernel: a socket pair stands for the kernel."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from isakmp.app.xfrm import link as module
from isakmp.app.xfrm import messages
from isakmp.app.xfrm.constants import Msg, NetlinkFlag
from isakmp.app.xfrm.link import KernelRefusal, Link
from isakmp.app.xfrm.messages import Message
from isakmp.errors import ApplicationError
from isakmp.event.job import Job
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log, LogClass


class Ends:
    """A socket of pyroute2's, whose other end is the test's."""

    def __init__(self, **options: object) -> None:
        self.options = options
        self.socket, self.kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.kernel.setblocking(False)
        self.asyncore = self

    def bind(self, groups: int) -> None:
        self.groups = groups

    def close(self) -> None:
        self.socket.close()
        self.kernel.close()


class World:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ends: list[Ends] = []
        monkeypatch.setattr(module, "NetlinkSocket", self._make)
        self.lines: list[str] = []
        self.log = Log(lambda: 0.0, self.lines.append, stamp=False)
        self.loop = Loop(Timers(lambda: 0.0))
        self.link = Link(self.loop, self.log)
        self.events: list[Message] = []
        self.overruns = 0
        self.link.listen(self)

    def _make(self, **options: object) -> Ends:
        self.ends.append(Ends(**options))
        return self.ends[-1]

    def event(self, message: Message) -> None:
        self.events.append(message)

    def overrun(self) -> None:
        self.overruns += 1

    def asked(self) -> Message:
        (message,) = messages.split(self.ends[0].kernel.recv(65536))
        return message

    def answer(self, *parts: bytes, end: int = 0) -> None:
        self.ends[end].kernel.send(b"".join(parts))
        self.loop.turn(0)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(monkeypatch)
    yield made
    made.link.close()


def ack(seq: int, number: int = 0) -> bytes:
    head = struct.pack("=IHHII", 16, Msg.GETSA, 5, seq, 0)
    return messages.message(Msg.ERROR, 0, seq, struct.pack("=i", -number) + head)


def test_answers_go_to_their_questions_whatever_their_order(world: World) -> None:
    one, two = world.link.request(Msg.GETSA, b"1234"), world.link.request(Msg.DELSA, b"5678")
    first, second = world.asked(), world.asked()
    assert first.flags == NetlinkFlag.REQUEST | NetlinkFlag.ACK
    assert not one.done
    said = messages.message(Msg.NEWSA, 0, first.seq, b"body")
    world.answer(ack(second.seq, errno.ESRCH), said, ack(first.seq))
    assert one.result == [b"body"]
    assert isinstance(two.error, KernelRefusal)
    assert two.error.errno == errno.ESRCH
    assert str(two.error) == "DELSA refused: No such process (ESRCH)"


def test_a_dump_ends_with_done(world: World) -> None:
    job = world.link.request(Msg.GETSA, b"", NetlinkFlag.DUMP)
    asked = world.asked()
    assert not asked.flags & NetlinkFlag.ACK
    parts = [messages.message(Msg.NEWSA, 2, asked.seq, bytes([n]) * 4) for n in range(3)]
    world.answer(*parts[:2])
    world.answer(parts[2], messages.message(Msg.DONE, 2, asked.seq, bytes(4)))
    assert job.result == [bytes(4), bytes([1]) * 4, bytes([2]) * 4]


def test_strange_answers_do_no_harm(world: World) -> None:
    job = world.link.request(Msg.GETSA, b"")
    seq = world.asked().seq
    world.answer(b"\x01", ack(seq + 5))
    world.answer(ack(seq + 5), messages.message(Msg.ERROR, 0, seq + 9, b""))
    assert not job.done
    assert any("malformed" in line for line in world.lines)
    world.answer(ack(seq))
    assert job.result == []


def test_events_come_apart_and_keys_are_in_no_log(world: World) -> None:
    world.log.set_level(LogClass.SYSDEP, 90)
    assert [end.groups for end in world.ends] == [0, module.EVENTS]
    world.answer(messages.message(Msg.EXPIRE, 0, 0, bytes(232)), end=1)
    assert [event.type for event in world.events] == [Msg.EXPIRE]
    assert any("the kernel says: EXPIRE" in line for line in world.lines)


class NoRoom:
    """A socket whose buffer has overrun."""

    def __init__(self, sock: Any, number: int = errno.ENOBUFS) -> None:
        self._sock, self._number = sock, number

    def recv(self, size: int) -> bytes:
        raise OSError(self._number, "no")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def test_lost_events_are_told_and_lost_answers_fail(world: World) -> None:
    events, requests = world.link._events, world.link._requests
    world.link._events = NoRoom(events)  # type: ignore[assignment]
    world.link._read_events()
    assert world.overruns == 1
    world.link._events = events
    world.link._requests = NoRoom(requests)  # type: ignore[assignment]
    job = world.link.request(Msg.GETSA, b"")
    world.link._requests = requests
    assert "no room" in str(job.error)


TWO = [(Msg.DELPOLICY, b"1234"), (Msg.NEWPOLICY, b"5678")]


def test_of_many_at_once_each_is_tried_and_each_group_told(world: World) -> None:
    groups = [TWO, [], TWO, [(Msg.DELPOLICY, bytes(4))] * 100]
    jobs = world.link.request_all(groups)
    parts = [list(messages.split(world.ends[0].kernel.recv(65536))) for _ in range(2)]
    asked = [*parts[0], *parts[1]]
    acknowledged = [one.seq for one in asked if one.flags & NetlinkFlag.ACK]
    assert len(asked) == 104 and acknowledged == [asked[-1].seq]
    world.answer(ack(asked[1].seq, errno.EEXIST), ack(asked[0].seq, errno.ESRCH))
    assert not any(job.done for job in jobs), "the rest is not told yet"
    world.answer(ack(asked[-1].seq, errno.ENOENT))
    assert [str(job.error)[:17] for job in jobs if job.error] == [
        "NEWPOLICY refused", "DELPOLICY refused",
    ]  # fmt: skip
    assert [job.error is None for job in jobs] == [False, True, True, False]


def test_who_is_told_may_ask_again_and_close(world: World) -> None:
    jobs = world.link.request_all([TWO, TWO])
    again: list[Job[list[bytes]]] = []
    jobs[0].then(lambda _: again.append(world.link.request(Msg.DELPOLICY, b"")))
    jobs[0].then(lambda _: world.link.close())
    last = list(messages.split(world.ends[0].kernel.recv(65536)))[-1]
    world.answer(ack(last.seq))
    assert [job.error for job in jobs] == [None, None]
    assert "closed" in str(again[0].error)


def test_many_that_wait_fail_when_the_link_is_closed(world: World) -> None:
    jobs = world.link.request_all([TWO, [], TWO])
    jobs[0].then(lambda _: world.link.request_all([[], TWO]))
    world.link.close()
    assert all("closed" in str(job.error) for job in (jobs[0], jobs[2]))


def test_what_cannot_be_sent_fails_and_nothing_else(world: World) -> None:
    world.link._requests.close()
    nothing, something = world.link.request_all([[], TWO])
    assert nothing.result == []
    assert isinstance(something.error, KernelRefusal) and "cannot be sent" in str(something.error)


def test_an_answer_that_nobody_waits_for_does_not_keep_the_loop_awake(world: World) -> None:
    requests = world.link._requests
    world.link._requests = NoRoom(requests)  # type: ignore[assignment]
    assert world.link.request(Msg.GETSA, b"").error is not None
    world.link._requests = requests
    world.answer(ack(world.asked().seq))
    with pytest.raises(BlockingIOError):
        requests.recv(1, socket.MSG_DONTWAIT)


def test_what_waits_fails_when_the_link_is_closed(world: World) -> None:
    job = world.link.request(Msg.GETSA, b"")
    world.link.close()
    assert isinstance(job.error, ApplicationError)
    assert world.link.request(Msg.GETSA, b"").error is not None
