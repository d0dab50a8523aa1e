"""The select() loop: file descriptors to handlers, and the timers between them."""

from __future__ import annotations

import select
from collections.abc import Callable

from isakmp.timer import Timers


class Loop:
    """Handlers by file descriptor. One turn waits, then runs what is ready and what is due.

    on_error: is told of an exception out of a handler, which would be a bug: one that a stranger
    finds must not end a gateway. Without it the exception goes on.
    """

    def __init__(
        self, timers: Timers, on_error: Callable[[Exception], object] | None = None
    ) -> None:
        self.timers, self._on_error = timers, on_error
        self._readers: dict[int, Callable[[], object]] = {}
        self._writers: dict[int, Callable[[], object]] = {}
        self.running = False

    def reader(self, fd: int, handler: Callable[[], object] | None) -> None:
        """Call ``handler`` when ``fd`` can be read; None: no longer."""
        self._set(self._readers, fd, handler)

    def writer(self, fd: int, handler: Callable[[], object] | None) -> None:
        """Call ``handler`` when ``fd`` can be written; None: no longer."""
        self._set(self._writers, fd, handler)

    @staticmethod
    def _set(
        table: dict[int, Callable[[], object]], fd: int, handler: Callable[[], object] | None
    ) -> None:
        if handler is None:
            table.pop(fd, None)
        else:
            table[fd] = handler

    def turn(self, longest_s: float | None = None) -> None:
        """Wait for one event (at most ``longest_s``), then run everything that is ready."""
        timeout = self.timers.timeout()
        if longest_s is not None:
            timeout = longest_s if timeout is None else min(timeout, longest_s)
        readable, writable, _ = select.select(list(self._readers), list(self._writers), [], timeout)
        for fd in readable:
            if handler := self._readers.get(fd):
                self._call(handler)
        for fd in writable:
            if handler := self._writers.get(fd):
                self._call(handler)
        self._call(self.timers.run)

    def _call(self, handler: Callable[[], object]) -> None:
        try:
            handler()
        except Exception as error:
            if self._on_error is None:
                raise
            self._on_error(error)

    def run(self) -> None:
        """Turn until stop()."""
        self.running = True
        while self.running:
            self.turn()

    def stop(self) -> None:
        """Leave run() after this turn."""
        self.running = False
