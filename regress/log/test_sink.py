"""The log's sinks: what is stuck, full or gone costs lines, which are counted, and never waits."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import syslog
import tty
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log, LogClass
from isakmp.log.sink import AGAIN_S, MOST_OCTETS, Sink, StreamSink, SyslogSink

LINE = "x" * 999
FLOOD = 3 * MOST_OCTETS // len(LINE)


class Stuck:
    """A sink whose reader does not read for now. read: what has come, as text."""

    def __init__(self, sink: Sink, read: Callable[[], str]) -> None:
        self.now = 0.0
        self.loop = Loop(Timers(lambda: self.now))
        self.log = Log(lambda: self.now, sink.write, stamp=False)
        sink.told = lambda lost, why: self.log.internal_err("%d lines lost: %s", lost, why)
        sink.attach(self.loop)
        self.read = read

    def drain(self) -> str:
        """Everything that comes once somebody reads."""
        text = ""
        for _ in range(2000):
            text += (piece := self.read())
            self.now += AGAIN_S
            self.loop.turn(0)
            if not piece and "lines lost" in text:
                break
        return text


def reader(fd: int) -> Callable[[], str]:
    os.set_blocking(fd, False)

    def read() -> str:
        try:
            return os.read(fd, 1 << 20).decode()
        except BlockingIOError:
            return ""

    return read


@pytest.fixture(params=["pipe", "pipe that is not ours to open", "terminal", "socket", "syslog"])
def stuck(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stuck]:
    kind: str = request.param
    if kind == "syslog":
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslogd:
            syslogd.bind(str(tmp_path / "log"))
            syslogd.setblocking(False)
            with closing(SyslogSink(str(tmp_path / "log"))) as to_syslog:
                yield Stuck(to_syslog, datagrams(syslogd))
        return
    if kind == "socket":
        near, far = socket.socketpair()
        ends = far.detach(), near.detach()
    else:
        ends = os.openpty() if kind == "terminal" else os.pipe()
    if kind == "terminal":
        tty.setraw(ends[1])
    if kind == "pipe that is not ours to open":
        monkeypatch.setattr(os, "open", refuse)
    sink = StreamSink(ends[1])
    monkeypatch.undo()
    with closing(sink):
        yield Stuck(sink, reader(ends[0]))
    assert not fcntl.fcntl(ends[1], fcntl.F_GETFL) & os.O_NONBLOCK, "it is others' too"
    for fd in ends:
        os.close(fd)


def refuse(*args: object) -> int:
    raise PermissionError(errno.EACCES, "Permission denied")


def datagrams(sock: socket.socket) -> Callable[[], str]:
    def read() -> str:
        try:
            return sock.recv(1 << 16).decode() + "\n"
        except BlockingIOError:
            return ""

    return read


def test_a_reader_that_is_stuck_costs_lines_and_not_the_daemon(stuck: Stuck) -> None:
    for number in range(FLOOD):
        stuck.log.info("%06d %s", number, LINE)
    lines = stuck.drain().splitlines()
    told = next(n for n, line in enumerate(lines) if "lines lost: nobody read them" in line)
    lost = int(lines[told].partition(" lines lost")[0].split()[-1])
    assert 0 < lost == FLOOD - told
    assert all(f"{n:06d} {LINE}" in line for n, line in enumerate(lines[:told])), "in order, whole"
    stuck.log.info("and on")
    stuck.loop.turn(0)
    assert stuck.read().endswith("and on\n")


@pytest.mark.parametrize("cause", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_log_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: int) -> None:
    path, real = tmp_path / "log", os.write

    def full(fd: int, data: bytes) -> int:
        raise OSError(cause, os.strerror(cause))

    with path.open("wb") as file:
        stuck = Stuck(StreamSink(file.fileno()), lambda: "")
        monkeypatch.setattr(os, "write", full)
        for number in range(FLOOD):
            stuck.log.info("%06d %s", number, LINE)
        monkeypatch.setattr(os, "write", real)
        stuck.now += AGAIN_S
        stuck.loop.turn(0)
        last = path.read_text().splitlines()[-1]
    assert f"lines lost: {os.strerror(cause)}" in last


def test_short_writes_and_streams_that_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    real = os.write
    sink = StreamSink(writing)
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:3]))
    sink.write("a line in pieces")
    assert os.read(reading, 100) == b"a line in pieces\n"
    monkeypatch.setattr(os, "write", real)
    os.close(reading)
    sink.write("nobody is there")
    sink.close()
    os.close(writing)
    closed = StreamSink(writing)
    closed.write("nothing is there")


def test_syslogd_that_starts_again_gets_what_waits(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    sink = SyslogSink(path)
    sink.write("INFO too early")
    for _ in range(2):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslogd:
            syslogd.bind(path)
            syslogd.settimeout(5)
            sink.write("INFO now")
            first = syslogd.recv(1000)
        os.unlink(path)
        assert first.endswith(b": INFO too early")
        sink.write("INFO too early")
    sink.close()


def test_lines_to_syslog_have_its_form_and_a_priority(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslogd:
        syslogd.bind(str(tmp_path / "log"))
        syslogd.settimeout(5)
        sink = SyslogSink(str(tmp_path / "log"))
        log = Log(lambda: 0.0, sink.write, stamp=False)
        log.set_level(None, 10)
        log.proto_err("e")
        log.info("p")
        log.debug(LogClass.UI, 10, "d")
        lines = [syslogd.recv(1000).decode() for _ in range(3)]
        sink.close()
    priorities = [int(line[1 : line.index(">")]) for line in lines]
    assert priorities == [
        syslog.LOG_DAEMON | level for level in (syslog.LOG_ERR, syslog.LOG_NOTICE, syslog.LOG_DEBUG)
    ]
    head = lines[0][lines[0].index(">") + 1 :]
    assert head[3] == head[6] == head[15] == " "
    assert head[16:].startswith(f"isakmpd[{os.getpid()}]: PROTO_ERR")
