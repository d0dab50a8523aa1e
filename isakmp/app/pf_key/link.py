"""How PF_KEYv2 messages go between a back end and a stack: over a socket that keeps their bounds
(SOCK_SEQPACKET to a key engine, SOCK_RAW of PF_KEY to a kernel), never blocks, and is connected
again when it is lost.
"""

from __future__ import annotations

import select
import socket
from collections import deque
from collections.abc import Callable
from typing import Protocol

from isakmp.app.pf_key.codec import MAX_MESSAGE
from isakmp.app.pf_key.constants import PF_KEY_V2
from isakmp.app.unavailable import unavailable
from isakmp.errors import ApplicationError
from isakmp.event.loop import Loop
from isakmp.event.timer import Event, Timers

PF_KEY = 15
READS_PER_TURN = 64
RETRY_S = 2.0
WAIT_S = 5.0
QUEUE_LIMIT = 1024


class Receiver(Protocol):
    """What hears of a link."""

    def receive(self, data: bytes) -> None:
        """A message came."""

    def lost(self, why: str) -> None:
        """What was not answered never will be."""

    def up(self) -> None:
        """It is there again; the stack may be another one, and empty."""


class Link(Protocol):
    """A way to a stack."""

    def open(self, receiver: Receiver) -> None:
        """Connect. ApplicationError where the stack cannot be reached."""

    def send(self, data: bytes) -> None:
        """Send one message. ApplicationError where there is no connection, or it is clogged."""

    def wait(self, done: Callable[[], bool]) -> None:
        """Read until ``done()``, or until nothing comes for a while: only before the loop runs."""

    def close(self) -> None:
        """Give the connection back, without a word to the receiver."""


def unix_socket(path: str) -> socket.socket:
    """A connection to the key engine that listens at ``path``. OSError where there is none."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.setblocking(False)  # an engine that is stopped, with a full backlog, must not stop us
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


def kernel_socket() -> socket.socket:
    """A connection to the kernel (RFC 2367 1.3). OSError where it has no PF_KEY."""
    return socket.socket(PF_KEY, socket.SOCK_RAW, PF_KEY_V2)


class SocketLink:
    """A link over the socket that ``connect`` makes; tried again every RETRY_S when lost."""

    def __init__(self, connect: Callable[[], socket.socket], loop: Loop, timers: Timers) -> None:
        self._connect, self._loop, self._timers = connect, loop, timers
        self._socket: socket.socket | None = None
        self._receiver: Receiver | None = None
        self._queue: deque[bytes] = deque()
        self._retry: Event | None = None

    def open(self, receiver: Receiver) -> None:
        """Connect. ApplicationError where nobody is there."""
        try:
            self._start()
        except OSError as error:
            raise unavailable(
                "cannot reach the IPsec stack", error, capability="CAP_NET_ADMIN", module="af_key"
            ) from None
        self._receiver = receiver

    def _start(self) -> None:
        sock = self._connect()
        sock.setblocking(False)
        self._socket = sock
        self._loop.reader(sock.fileno(), self._readable)

    def send(self, data: bytes) -> None:
        """Send now or when there is room; at most QUEUE_LIMIT messages wait."""
        if self._socket is None:
            raise ApplicationError("the link to the IPsec stack is down")
        if len(self._queue) >= QUEUE_LIMIT:
            raise ApplicationError(f"{QUEUE_LIMIT} messages wait for the IPsec stack")
        self._queue.append(data)
        if len(self._queue) == 1:
            self._flush()

    def _flush(self) -> None:
        """Send what waits; what is left waits for room."""
        sock = self._socket
        if sock is None:
            return
        try:
            while self._queue:
                sock.send(self._queue[0])
                self._queue.popleft()
        except BlockingIOError:
            self._loop.writer(sock.fileno(), self._flush)
            return
        except OSError as error:
            why = error.strerror or str(error)
            self._timers.add("pf_key link lost", 0, self._lost, sock, why)
            self._queue.clear()
        self._loop.writer(sock.fileno(), None)

    def _readable(self) -> None:
        sock, receiver = self._socket, self._receiver
        for _ in range(READS_PER_TURN):
            if sock is None or receiver is None or sock is not self._socket:
                return
            try:
                data = sock.recv(MAX_MESSAGE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._lost(sock, error.strerror or str(error))
                return
            if not data:
                self._lost(sock, "the other side has closed it")
                return
            receiver.receive(data)

    def wait(self, done: Callable[[], bool]) -> None:
        """A stack that is there answers soon; one that does not is asked no more."""
        while self._socket is not None and not done():
            self._flush()
            if not select.select([self._socket], [], [], WAIT_S)[0]:
                return
            self._readable()

    def _lost(self, sock: socket.socket, why: str) -> None:
        """Tell the receiver once for each connection, and try again later."""
        if sock is not self._socket:
            return
        self._drop()
        self._again()
        if self._receiver is not None:
            self._receiver.lost(why)

    def _drop(self) -> None:
        if self._socket is not None:
            self._loop.reader(self._socket.fileno(), None)
            self._loop.writer(self._socket.fileno(), None)
            self._socket.close()
        self._socket = None
        self._queue.clear()

    def _again(self) -> None:
        self._retry = self._timers.add("pf_key connect again", RETRY_S, self._reconnect)

    def _reconnect(self) -> None:
        try:
            self._start()
        except OSError:
            self._again()
            return
        if self._receiver is not None:
            self._receiver.up()

    def close(self) -> None:
        """Close the socket and stop trying."""
        self._receiver = None
        if self._retry is not None:
            self._retry.cancel()
        self._drop()
