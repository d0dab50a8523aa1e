"""The privileged helper: what a daemon that has become another user still needs of root.

It is a process of its own, forked before the daemon gives its privileges up. It does what is in
its list of verbs and nothing else, and all that a verb works on was fixed when it was made:

    C      open the configuration file for reading   -> a descriptor (SCM_RIGHTS), or an errno
    K n    open the n-th of the files with keys that it named at the start, two octets   -> likewise

It keeps one capability, to read what others may not, and ends with the daemon.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NoReturn

from isakmp.conf.files import open_now
from isakmp.event.loop import Loop
from isakmp.log.log import Log
from isakmp.privilege import Cap, give_up

CONFIGURATION, KEY = b"C", b"K"
ANSWER_S = 5.0


class Helper:
    """The daemon's end of the helper. path: of the configuration file, for good; keys: of files
    that it names."""

    def __init__(self, path: Path, loop: Loop, log: Log, keys: Sequence[Path] = ()) -> None:
        self.path, self._loop, self._log = path, loop, log
        self._verbs = {key: KEY + at.to_bytes(2, "big") for at, key in enumerate(keys[:0xFFFF])}
        self._verbs[path] = CONFIGURATION
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if not self.pid:
            _help(theirs, {verb: of for of, verb in self._verbs.items()})
        theirs.close()
        self._socket.setblocking(False)
        loop.reader(self._socket.fileno(), self._ended)

    def _ended(self) -> None:
        """The helper says something unasked: its end, or an answer that came too late."""
        if self._late():
            return
        self._loop.reader(self._socket.fileno(), None)
        self._log.internal_err(
            "the privileged helper, process %d, has ended: HUP reads %s no more where only"
            " root can; start isakmpd again", self.pid, self.path,
        )  # fmt: skip

    def _late(self) -> bool:
        """Throw away an answer that nobody waits for any more; whether there was one."""
        try:
            answer, fds, _, _ = socket.recv_fds(self._socket, 1, 1)
        except OSError:
            return False
        for fd in fds:
            os.close(fd)
        return bool(answer)

    def open(self, path: Path) -> BinaryIO:
        """One of its files; any other is opened by ourselves. OSError."""
        verb = self._verbs.get(path)
        if verb is None:
            return open_now(path)
        while self._late():  # its file may be an older one
            pass
        self._socket.send(verb)
        said = select.poll()
        said.register(self._socket, select.POLLIN)
        if not said.poll(ANSWER_S * 1000):
            raise TimeoutError(errno.ETIMEDOUT, "the privileged helper does not answer")
        answer, fds, _, _ = socket.recv_fds(self._socket, 1, 1)
        if fds:
            return os.fdopen(fds[0], "rb")
        number = answer[0] if answer else errno.EPIPE
        raise OSError(number, os.strerror(number))

    def close(self) -> None:
        """End it."""
        self._loop.reader(self._socket.fileno(), None)
        self._socket.close()
        with suppress(OSError):
            os.waitpid(self.pid, 0)


def _help(sock: socket.socket, paths: dict[bytes, Path]) -> NoReturn:
    """Serve until the daemon ends, or asks for what is not in the list."""
    try:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        os.closerange(0, sock.fileno())
        os.closerange(sock.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        give_up(frozenset({Cap.DAC_READ_SEARCH}), None)
        while path := paths.get(sock.recv(4)):
            _answer(sock, path)
    finally:
        os._exit(0)


def _answer(sock: socket.socket, path: Path) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        sock.send(bytes([error.errno or errno.EIO]))
        return
    socket.send_fds(sock, [b"\0"], [fd])
    os.close(fd)
