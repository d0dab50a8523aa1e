"""Where the log's lines go. Nobody who does not read them can stop the daemon.

What cannot be written at once waits, up to MOST_OCTETS; what comes then is lost and counted, and
the count is told as soon as lines go again.
"""

from __future__ import annotations

import os
import socket
import stat
import syslog
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection
from pathlib import Path
from select import PIPE_BUF, POLLOUT, poll

from isakmp.conf.files import open_private
from isakmp.errors import IsakmpError
from isakmp.event.loop import Loop
from isakmp.log.log import Severity

MOST_OCTETS = 256 * 1024
AGAIN_S = 2.0
DEV_LOG = "/dev/log"
STDERR = 2

Told = Callable[[int, str], object]
_PRIORITIES: dict[str, int] = {
    Severity.INFO: syslog.LOG_NOTICE, Severity.CRITICAL: syslog.LOG_CRIT,
    Severity.PROTO_ERR: syslog.LOG_ERR, Severity.INTERNAL_ERR: syslog.LOG_ERR,
    Severity.PROTO_WARN: syslog.LOG_WARNING, Severity.INTERNAL_WARN: syslog.LOG_WARNING,
}  # fmt: skip


class Sink(ABC):
    """Lines to something that may be full, stuck or gone. told: hears how many were lost, and why.

    Until attach() gives it a loop, what waits is tried again only with the next line.
    """

    def __init__(self) -> None:
        self.told: Told = lambda count, why: None
        self._loop: Loop | None = None
        self._waiting: deque[bytes] = deque()
        self._octets = self._lost = 0
        self._why = ""
        self._asked = False

    def attach(self, loop: Loop) -> None:
        """Let ``loop`` say when there is room again."""
        self._loop = loop
        self.flush()

    def write(self, line: str) -> None:
        """Write a line, or keep it, or count it. It neither waits nor raises."""
        if self._waiting or self._lost:
            self.flush()
        data = self._form(line)
        # Once lines are missing, those behind them wait for the word that says so.
        if self._lost or self._octets + len(data) > MOST_OCTETS:
            self._lost += 1
            return
        self._waiting.append(data)
        self._octets += len(data)
        self.flush()

    def flush(self) -> None:
        """Write what waits, as far as there is room."""
        try:
            while self._waiting:
                data = self._waiting[0]
                size = self._put(data)
                self._octets -= size
                self._waiting.popleft()
                if size < len(data):
                    self._waiting.appendleft(data[size:])
        except BlockingIOError:
            self._why = "nobody read them"
            self._later()
        except OSError as error:
            self._why = error.strerror or str(error)
            self._later()
        if not self._waiting and self._lost:
            lost, self._lost = self._lost, 0
            self.told(lost, self._why)

    @abstractmethod
    def close(self) -> None:
        """Give back what is this sink's own. What waits still is lost."""

    def _later(self) -> None:
        """Try again by and by: who is stuck or full need not say when that ends."""
        if self._loop is not None and not self._asked:
            self._asked = True
            self._loop.timers.add("log again", AGAIN_S, self._again)

    def _again(self) -> None:
        self._asked = False
        self.flush()

    @abstractmethod
    def _form(self, line: str) -> bytes:
        """A line as it is sent."""

    @abstractmethod
    def _put(self, data: bytes) -> int:
        """Write now; how many octets were. BlockingIOError: no room; OSError: it is gone."""


class StreamSink(Sink):
    """Lines to a descriptor that others have, too, standard error as a rule.

    O_NONBLOCK is its file's and would be theirs as well. So a pipe or terminal is opened a second
    time, where the system lets us; where not, it is asked for room and takes small pieces.
    """

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd, self._own, self._asks, self._socket = fd, -1, False, False
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            return  # closed: every write will say so
        self._socket = stat.S_ISSOCK(mode)
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            self._open_again()

    def _open_again(self) -> None:
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_APPEND | os.O_CLOEXEC
        try:
            self._fd = self._own = os.open(f"/proc/self/fd/{self._fd}", flags)
        except OSError:
            self._asks = True

    def close(self) -> None:
        if self._own >= 0:
            os.close(self._own)
            self._own = -1

    def _form(self, line: str) -> bytes:
        return line.encode("utf-8", "backslashreplace") + b"\n"

    def _put(self, data: bytes) -> int:
        if self._socket:
            with socket.socket(fileno=os.dup(self._fd)) as sock:
                return sock.send(data, socket.MSG_DONTWAIT)
        if self._asks:
            room = poll()
            room.register(self._fd, POLLOUT)
            if not room.poll(0):
                raise BlockingIOError
            data = data[:PIPE_BUF]
        return os.write(self._fd, data)


class FileSink(Sink):
    """Lines to a file, mode 0600 where it is made here; one that is there keeps the mode that its
    owner has chosen. Links are not followed; anything but a plain file is refused, and one that is
    not root's, ours or of ``owners`` (user ids).

    IsakmpError where it cannot be opened.
    """

    def __init__(self, path: str, owners: Collection[int] = ()) -> None:
        super().__init__()
        self._path, self._owners = path, owners
        self._fd = self._open()

    def _open(self) -> int:
        try:
            return open_private(Path(self._path), self._owners)
        except OSError as error:
            said = f": {error.strerror}" if error.strerror else f" {error}"
            raise IsakmpError(f"{self._path}{said}") from None

    def reopen(self) -> None:
        """The file by its name anew, if it was moved away. IsakmpError: the old one is kept."""
        if self._in_place():  # it may be root's, and we no longer
            return
        fd, old = self._open(), self._fd
        self._fd = fd
        os.close(old)

    def _in_place(self) -> bool:
        try:
            found = os.lstat(self._path)
        except OSError:
            return False
        return os.path.samestat(found, os.fstat(self._fd))

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _form(self, line: str) -> bytes:
        return line.encode("utf-8", "backslashreplace") + b"\n"

    def _put(self, data: bytes) -> int:
        return os.write(self._fd, data)


class SyslogSink(Sink):
    """Lines to the system's log, in the form of syslog(3), which itself would wait for its reader.

    A line's first word gives the priority, so the Log must be one without stamps. The socket is
    connected anew when syslogd is another one.
    """

    def __init__(self, path: str = DEV_LOG, ident: str = "isakmpd") -> None:
        super().__init__()
        self._path, self._ident = path, ident
        self._to: socket.socket | None = None

    def close(self) -> None:
        if self._to is not None:
            self._to.close()
            self._to = None

    def _form(self, line: str) -> bytes:
        priority = _PRIORITIES.get(line.partition(" ")[0], syslog.LOG_DEBUG) | syslog.LOG_DAEMON
        stamp = time.strftime("%b %e %H:%M:%S")
        text = f"<{priority}>{stamp} {self._ident}[{os.getpid()}]: {line}"
        return text.replace("\0", "").encode("utf-8", "backslashreplace")

    def _put(self, data: bytes) -> int:
        sock, self._to = self._to or self._connected(), None
        try:
            sent = sock.send(data)
        except BlockingIOError:
            self._to = sock
            raise
        except OSError:
            sock.close()
            sock = self._connected()
            try:
                sent = sock.send(data)
            except OSError:
                sock.close()
                raise
        self._to = sock
        return sent

    def _connected(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            sock.connect(self._path)
        except OSError:
            sock.close()
            raise
        return sock
