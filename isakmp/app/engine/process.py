"""The key engine in a process of its own: PF_KEYv2 and the relay over UNIX sockets, one loop.

``PATH`` is for PF_KEY, ``PATH.esp`` for ESP in UDP (relay.py); both are SOCK_SEQPACKET, mode
0600. Clients are few; one that does not read what it is sent is dropped, and dumps go out as
fast as they are read.
"""

from __future__ import annotations

import errno
import os
import pwd
import socket
import stat
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from isakmp.app.engine.relay import Datagram, Relay
from isakmp.app.engine.server import Server
from isakmp.app.pf_key.codec import MAX_MESSAGE
from isakmp.errors import ApplicationError
from isakmp.event.loop import Loop
from isakmp.policy.spd import Address
from isakmp.run_directory import COMMON

MOST_CLIENTS = 16
QUEUE_OCTETS = 1 << 20
READS_PER_TURN = 64
ACCEPT_AGAIN_S = 1.0
_NOBODY = (errno.EAGAIN, errno.ECONNABORTED, errno.EINTR)  # who waited is gone


def listen(path: str) -> socket.socket:
    """A SOCK_SEQPACKET socket at ``path``, mode 0600; one that nobody listens at is replaced.

    ApplicationError where somebody does, something else is there, or it cannot be made.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mask = os.umask(0o177)
    try:
        _remove_stale(path)
        sock.bind(path)
        sock.listen(MOST_CLIENTS)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise ApplicationError(f"{path}: {error.strerror or error}{_mend(path, error)}") from None
    finally:
        os.umask(mask)
    return sock


def _mend(path: str, error: OSError) -> str:
    """What makes a directory that we may listen in; empty where that is not what lacks."""
    if error.errno not in (errno.ENOENT, errno.EACCES):
        return ""
    parent, name = os.path.split(os.path.abspath(path))
    own = parent if Path(parent) not in COMMON else os.path.join(parent, "isakmpd-engine")
    with suppress(KeyError):
        mend = f"; install -d -o {pwd.getpwuid(os.geteuid()).pw_name} {own}"
        return mend if own == parent else f"{mend}, and listen at {own}/{name}"
    return ""


def _remove_stale(path: str) -> None:
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(None, "is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise FileExistsError(None, "somebody listens here")


class Connection:
    """A client at a socket: what it says goes to the server, what it is told waits for room."""

    def __init__(
        self,
        sock: socket.socket,
        server: Server[Any],
        loop: Loop,
        gone: Callable[[Connection], object],
    ) -> None:
        sock.setblocking(False)
        self._socket, self._loop, self._gone = sock, loop, gone
        self._queue: deque[bytes] = deque()
        self._octets = 0
        self._dumps: deque[Iterator[bytes]] = deque()
        self._open = True
        self._client = server.attach(self.send, self.stream)
        loop.reader(sock.fileno(), self._readable)

    def send(self, data: bytes) -> None:
        """Send when there is room; a client for whom too much waits is dropped."""
        if self._octets + len(data) > QUEUE_OCTETS:
            self.close()
        if not self._open:
            return
        self._queue.append(data)
        self._octets += len(data)
        if len(self._queue) == 1:
            self._flush()

    def stream(self, messages: Iterator[bytes]) -> None:
        """Send a dump message by message, each when the one before is gone."""
        if len(self._dumps) >= MOST_CLIENTS:
            self.close()
            return
        self._dumps.append(messages)
        self._flush()

    def _flush(self) -> None:
        try:
            while self._open and (self._queue or self._more()):
                self._socket.send(self._queue[0])
                self._octets -= len(self._queue.popleft())
        except BlockingIOError:
            self._loop.writer(self._socket.fileno(), self._flush)
            return
        except OSError:
            self.close()
            return
        if self._open:
            self._loop.writer(self._socket.fileno(), None)

    def _more(self) -> bool:
        """Take the next message of a dump into the queue."""
        while self._dumps:
            if (data := next(self._dumps[0], None)) is not None:
                self._queue.append(data)
                self._octets += len(data)
                return True
            self._dumps.popleft()
        return False

    def _readable(self) -> None:
        for _ in range(READS_PER_TURN):
            if not self._open:
                return
            try:
                data = self._socket.recv(MAX_MESSAGE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self.close()
                return
            self._client.receive(data)

    def close(self) -> None:
        """Let the client go; what it installed stays."""
        if self._open:
            self._open = False
            self._client.detach()
            self._loop.reader(self._socket.fileno(), None)
            self._loop.writer(self._socket.fileno(), None)
            self._socket.close()
            self._queue.clear()
            self._dumps.clear()
            self._gone(self)


class RemoteUdp:
    """The daemon's UDP port, as the engine uses it: its packets come and go through the relay.

    esp_in: the engine's, once it is there. The daemon that came last has the relay: the one
    before is dead or about to be.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._relay: Relay | None = None
        self.counters: Counter[str] = Counter()
        self.esp_in: Callable[..., object] | None = None

    def accept(self, sock: socket.socket) -> None:
        """A daemon's end of the relay."""
        self.close()
        self._relay = Relay(sock, self._loop, self._received, self._closed)

    def _received(self, datagram: Datagram) -> None:
        esp, src, dst, sport, dport, tos = datagram
        if self.esp_in is not None:
            self.esp_in(esp, src, dst, (sport, dport), tos)

    def _closed(self) -> None:
        self._relay = None

    def send_udp(self, esp: bytes, src: Address, sport: int, dst: Address, dport: int) -> None:
        """Have the daemon send an ESP packet; lost where there is no daemon."""
        if self._relay is None:
            self.counters["no daemon"] += 1
        else:
            self._relay.send(Datagram(esp, src, dst, sport, dport))

    def close(self) -> None:
        """End the relay."""
        if self._relay is not None:
            self._relay.close()
            self._relay = None


class Listener:
    """Both sockets of an engine, and who is at them."""

    def __init__(self, path: str, server: Server[Any], relay: RemoteUdp, loop: Loop) -> None:
        self._server, self._relay, self._loop = server, relay, loop
        self.connections: list[Connection] = []
        self.refused = 0
        self._paths = (path, path + ".esp")
        self._sockets = [listen(self._paths[0])]
        try:
            self._sockets.append(listen(self._paths[1]))
        except ApplicationError:
            self.close()
            raise
        handlers = (self._connected, relay.accept)
        for sock, handler in zip(self._sockets, handlers, strict=True):
            self._listen(sock, handler)

    def _listen(self, sock: socket.socket, handler: Callable[[socket.socket], object]) -> None:
        if sock.fileno() >= 0:
            self._loop.reader(sock.fileno(), partial(self._accept, sock, handler))

    def _accept(self, sock: socket.socket, handler: Callable[[socket.socket], object]) -> None:
        """Whoever waits comes in. Where nobody can, for want of descriptors, all wait a while:
        the socket would be ready again at once."""
        try:
            client = sock.accept()[0]
        except OSError as error:
            if error.errno not in _NOBODY:
                self.refused += 1
                self._loop.reader(sock.fileno(), None)
                again = partial(self._listen, sock, handler)
                self._loop.timers.add("accept again", ACCEPT_AGAIN_S, again)
            return
        handler(client)

    def _connected(self, sock: socket.socket) -> None:
        if len(self.connections) >= MOST_CLIENTS:
            self.refused += 1
            sock.close()
            return
        gone = self.connections.remove
        self.connections.append(Connection(sock, self._server, self._loop, gone))

    def close(self) -> None:
        """Let everybody go and take the sockets away."""
        for connection in list(self.connections):
            connection.close()
        self._relay.close()
        for sock, path in zip(self._sockets, self._paths, strict=False):
            self._loop.reader(sock.fileno(), None)
            sock.close()
            with suppress(OSError):
                os.unlink(path)
