"""Workers: processes of our own for what takes longer than a turn of the loop should.

A worker is forked before the daemon has sockets, SAs and their keys. It has no privileges, does
what is in its list of verbs and nothing else, and remembers nothing from one request to the next. A
message is a datagram of a socket pair; numbers are big-endian:

    number (4), verb (1), of each argument its length (2) and its octets  -->
                          <--  number (4), 0 and the result, or 1 and what is wrong as UTF-8
"""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import NoReturn, Protocol

from isakmp.errors import CryptoError, WorkError
from isakmp.event.job import Job
from isakmp.event.loop import Loop
from isakmp.event.timer import Event, Timers
from isakmp.log.log import Log
from isakmp.privilege import Identity, give_up

Verb = Callable[..., bytes]
"""Octets to octets. CryptoError where it cannot be done."""

# Requests that a worker may have: enough that it always has the next one.
DEPTH = 16
MESSAGE_MAX = 1 << 16
# How long a worker may be silent that owes an answer, many times what one takes; so many looks.
LATE_S, LOOKS = 20.0, 4
# What somebody else ends a process with, a kernel without memory say.
_FROM_OUTSIDE = frozenset((signal.SIGKILL, signal.SIGTERM))
_HEAD, _LENGTH = struct.Struct(">IB"), struct.Struct(">H")


class Work(Protocol):
    """Who does what takes long."""

    def takes(self, slow: bool) -> bool:
        """Whether it is for others to do what is slow, or is not."""

    def call(self, verb: Verb, *arguments: bytes) -> Job[bytes]:
        """Have it done; the job fails with CryptoError."""


class Here:
    """Nobody else: all is done at once, by the daemon itself."""

    def takes(self, slow: bool) -> bool:
        """Never."""
        return False

    def call(self, verb: Verb, *arguments: bytes) -> Job[bytes]:
        """Do it."""
        return Job.call(lambda: verb(*arguments))


HERE = Here()


class Workers:
    """So many processes, which end with the daemon. Where each has as much to do as it may, or none
    is left, the daemon does the work itself: the loop slows down, and with it who asks for more."""

    def __init__(
        self, count: int, verbs: Sequence[Verb], loop: Loop, log: Log, identity: Identity | None
    ) -> None:
        self._verbs, self._loop, self._log = list(verbs), loop, log
        self._number = 0
        self._workers: list[_Worker] = []
        for _ in range(count):
            try:
                worker = _Worker(self._verbs, identity, loop.timers)
            except OSError as error:
                log.internal_err("no worker: %s; isakmpd does its work", error.strerror)
                return
            self._workers.append(worker)
            loop.reader(worker.socket.fileno(), partial(self._heard, worker))

    @property
    def pids(self) -> list[int]:
        """The processes that are there."""
        return [worker.pid for worker in self._workers]

    def takes(self, slow: bool) -> bool:
        """What is slow, as long as there is anybody."""
        return slow and bool(self._workers)

    def call(self, verb: Verb, *arguments: bytes) -> Job[bytes]:
        """Give it to the worker that has least to do."""
        worker = min(self._workers, key=lambda worker: len(worker.asked), default=None)
        size = sum(_LENGTH.size + len(each) for each in arguments) + _HEAD.size
        if worker is not None and len(worker.asked) < DEPTH and size < MESSAGE_MAX:
            self._number = (self._number + 1) & 0xFFFFFFFF
            request = _request(self._number, self._verbs.index(verb), arguments)
            with suppress(OSError):  # it has ended, which is read in its turn
                worker.socket.send(request)
                return worker.expect(self._number, verb, arguments)
        return HERE.call(verb, *arguments)

    def _heard(self, worker: _Worker) -> None:
        """Take every answer that is there."""
        with suppress(BlockingIOError):
            for _ in range(DEPTH):
                if not worker.answered(_received(worker.socket)):
                    self._ended(worker)
                    return

    def _ended(self, worker: _Worker) -> None:
        """What it was asked the daemon does, unless that may be what it ended of, or is silent
        over: several requests may be alike, so that none of them is tried here."""
        self._workers.remove(worker)
        killed = self._end(worker) in _FROM_OUTSIDE and not worker.late
        done = "the others do" if self._workers else "isakmpd does"
        how = f"has not answered for {LATE_S:g} s and is ended" if worker.late else "has ended"
        self._log.internal_err(
            "worker, process %d, %s: %s its work from now on; start isakmpd again",
            worker.pid, how, done,
        )  # fmt: skip
        owed, worker.asked = worker.asked, {}
        worker.watch()
        why = "" if killed else f"the worker that was to compute it {how}"
        for job, verb, arguments in owed.values():
            # Each in a turn of its own: who hears of one may raise.
            self._loop.timers.add("work left", 0, _settle, job, verb, arguments, why)

    def _end(self, worker: _Worker) -> int:
        """The signal that a worker ended of, by now at the latest; 0: of none."""
        self._loop.reader(worker.socket.fileno(), None)
        worker.socket.close()
        with suppress(OSError):
            os.kill(worker.pid, signal.SIGKILL)  # it has nothing to lose, and may have been stopped
            _, status = os.waitpid(worker.pid, 0)
            return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        return 0

    def close(self) -> None:
        """End them."""
        for worker in self._workers:
            self._end(worker)
        self._workers.clear()


class _Worker:
    """One process as the daemon sees it. asked: what it owes an answer, and of what, by number;
    late: it was silent for too long."""

    def __init__(self, verbs: Sequence[Verb], identity: Identity | None, timers: Timers) -> None:
        self.asked: dict[int, tuple[Job[bytes], Verb, tuple[bytes, ...]]] = {}
        self._timers = timers
        self._look: Event | None = None
        self.late = False
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if not self.pid:
            _work(theirs, verbs, identity)
        theirs.close()
        self.socket.setblocking(False)

    def expect(self, number: int, verb: Verb, arguments: tuple[bytes, ...]) -> Job[bytes]:
        """It has been asked."""
        job = Job[bytes]()
        self.asked[number] = job, verb, arguments
        if self._look is None:
            self.watch()
        return job

    def watch(self) -> None:
        """Who says nothing for LATE_S, though it was asked, is ended."""
        if self._look is not None:
            self._look.cancel()
        self._look = None
        if self.asked:
            self._look_again(LOOKS)

    def _look_again(self, left: int) -> None:
        self._look = self._timers.add("worker", LATE_S / LOOKS, self._looked, left - 1)

    def _looked(self, left: int) -> None:
        """It has said nothing since. That counts while the daemon reads: where that stood still
        itself, stopped or busy, its answer may not be read yet, or it was stopped along."""
        if self._look is not None and self._timers.now() > self._look.when + LATE_S / LOOKS:
            left = LOOKS
        if left:
            self._look_again(left)
        else:
            self.late = True
            self.kill()

    def answered(self, answer: bytes) -> bool:
        """Hand an answer on; whether it is one to something that was asked."""
        if len(answer) < _HEAD.size:
            return False
        number, failed = _HEAD.unpack_from(answer)
        if number not in self.asked:
            return False
        job, *_ = self.asked.pop(number)
        self.watch()
        said = answer[_HEAD.size :]
        if failed:
            job.fail(CryptoError(said.decode(errors="replace")))
        else:
            job.finish(said)
        return True

    def kill(self) -> None:
        """End it, whatever it is at."""
        with suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)


def _settle(job: Job[bytes], verb: Verb, arguments: tuple[bytes, ...], why: str) -> None:
    """What an ended worker owed: done here, or why it is not."""
    if why:
        job.fail(WorkError(why))
    else:
        HERE.call(verb, *arguments).then(job.take)


def _received(sock: socket.socket) -> bytes:
    """One answer; none where the worker has ended."""
    try:
        return sock.recv(MESSAGE_MAX)
    except ConnectionError:
        return b""


def _request(number: int, verb: int, arguments: Sequence[bytes]) -> bytes:
    parts = [_LENGTH.pack(len(each)) + each for each in arguments]
    return _HEAD.pack(number, verb) + b"".join(parts)


def _work(sock: socket.socket, verbs: Sequence[Verb], identity: Identity | None) -> NoReturn:
    """Serve until the daemon ends."""
    try:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        os.closerange(0, sock.fileno())
        os.closerange(sock.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        give_up(frozenset(), identity)
        while request := sock.recv(MESSAGE_MAX):
            sock.send(_answer(request, verbs))
    finally:
        os._exit(0)


def _answer(request: bytes, verbs: Sequence[Verb]) -> bytes:
    number, verb = _HEAD.unpack_from(request)
    failed, said = False, b""
    try:
        said = verbs[verb](*_arguments(request))
    except CryptoError as error:
        failed, said = True, str(error).encode()
    return _HEAD.pack(number, failed) + said


def _arguments(request: bytes) -> list[bytes]:
    found, at = [], _HEAD.size
    while at < len(request):
        (length,) = _LENGTH.unpack_from(request, at)
        found.append(request[at + _LENGTH.size : at + _LENGTH.size + length])
        at += _LENGTH.size + length
    return found
