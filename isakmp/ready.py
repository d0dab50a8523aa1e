"""Whoever started isakmpd learns when it is ready, or why it cannot be.

That is the process that was called, where the daemon leaves the terminal: it waits at a pipe. And
it is a service manager that speaks sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from select import PIPE_BUF

from isakmp.log.log import Log

READY = b"+"
LINES_MAX, LINE_MAX = 8, 400  # that whoever called is told: PIPE_BUF octets at most
DIED = "it ended before it was ready; its log may say why"


class Starter:
    """Who waits for the daemon. pipe: the writing end of detach()'s, None in the foreground;
    lost: how many words the service manager did not get."""

    def __init__(
        self, pipe: int | None, log: Log, environment: MutableMapping[str, str] = os.environ
    ) -> None:
        self._pipe, self._log, self.lost, self._ends = pipe, log, 0, False
        # Taken out, so that no child of ours can speak for us.
        self._manager = environment.pop("NOTIFY_SOCKET", "")

    def ready(self, said: Sequence[str] = ()) -> None:
        """At work: for the first time, or again; not once it ends. said: lines for who called, of
        which the first are told."""
        if self._ends:
            return
        self._tell(f"READY=1\nMAINPID={os.getpid()}")
        lines = [line if len(line) <= LINE_MAX else f"{line[:LINE_MAX]}..." for line in said]
        if (more := len(lines) - LINES_MAX) > 0:
            lines[LINES_MAX:] = [f"and {more} more: isakmpd --check lists them"]
        self._release(READY + _octets("\n".join(lines)))

    def failed(self, why: str) -> None:
        """It cannot run."""
        self._tell(f"STATUS=cannot run: {' '.join(why.splitlines())}")
        self._release(_octets(why) or _octets(DIED))

    @contextmanager
    def reload(self) -> Iterator[None]:
        """The configuration is read again meanwhile, whoever asked for it."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self.ready()

    def stopping(self) -> None:
        """It ends, in order."""
        self._ends = True
        self._tell("STOPPING=1")

    def _release(self, word: bytes) -> None:
        """Let the process that was called go."""
        if self._pipe is None:
            return
        try:
            os.write(self._pipe, word[:PIPE_BUF])
        except OSError as error:  # it was killed; that ends nobody else
            self._log.internal_warn("nobody waits for isakmpd to be ready: %s", error.strerror)
        os.close(self._pipe)
        self._pipe = None

    def _tell(self, text: str) -> None:
        if not self._manager:
            return
        address = "\0" + self._manager[1:] if self._manager.startswith("@") else self._manager
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)  # a manager that does not read must not stop us
            try:
                sock.sendto(_octets(text), address)
            except OSError as error:
                self.lost += 1
                self._log.internal_warn(
                    "the service manager at %s was not told %s: %s (%d lost)", self._manager,
                    text.partition("\n")[0], error.strerror, self.lost,
                )  # fmt: skip


def _octets(text: str) -> bytes:
    """Names of files in it need not be UTF-8."""
    return text.encode("utf-8", "backslashreplace")


def detach() -> int:
    """Leave the terminal, as a daemon does; returns in the daemon, with the pipe for its Starter.

    The process that was called waits until the daemon is ready, and ends with 0; or with 1 and the
    reason on standard error.
    """
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        os._exit(_await(reading))
    os.close(reading)
    os.setsid()
    if os.fork():
        os._exit(0)
    try:
        null = os.open(os.devnull, os.O_RDWR)
    except OSError as error:
        os.write(writing, _octets(f"cannot open {os.devnull}: {error.strerror}"))
        os._exit(1)
    for fd in range(3):
        os.dup2(null, fd)
    return writing


def _await(pipe: int) -> int:
    """The exit status of the process that was called."""
    word = os.read(pipe, PIPE_BUF)
    if word.startswith(READY):
        for line in word[len(READY) :].decode("utf-8", "replace").splitlines():
            print(f"isakmpd: {line}", file=sys.stderr, flush=True)
        return 0
    why = word.decode("utf-8", "replace") or DIED
    print(f"isakmpd: {why}", file=sys.stderr, flush=True)
    return 1
