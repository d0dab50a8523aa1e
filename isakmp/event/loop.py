"""The loop: file descriptors to handlers, by the standard library's selectors, and the timers
between them. There is no bound on the number of descriptors but the process's own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from isakmp.event.timer import Timers

Handler = Callable[[], object]


class Loop:
    """Handlers by file descriptor. One turn waits, then runs what is ready and what is due.

    on_error: is told of an exception out of a handler, which would be a bug: one that a stranger
    finds must not end a gateway. Without it the exception goes on.
    """

    def __init__(
        self, timers: Timers, on_error: Callable[[Exception], object] | None = None
    ) -> None:
        self.timers, self._on_error = timers, on_error
        self._selector = DefaultSelector()
        self._handlers: dict[tuple[int, int], Handler] = {}
        self._files: set[int] = set()  # regular files, which epoll refuses and are always ready
        self.running = False

    def reader(self, fd: int, handler: Handler | None) -> None:
        """Call ``handler`` when ``fd`` can be read; None: no longer."""
        self._set(fd, EVENT_READ, handler)

    def writer(self, fd: int, handler: Handler | None) -> None:
        """Call ``handler`` when ``fd`` can be written; None: no longer."""
        self._set(fd, EVENT_WRITE, handler)

    def _set(self, fd: int, event: int, handler: Handler | None) -> None:
        if handler is not None:
            self._handlers[fd, event] = handler
        elif self._handlers.pop((fd, event), None) is None:
            return
        # Always anew: the number may be another file's by now, and the old one have gone unsaid.
        with suppress(KeyError):
            self._selector.unregister(fd)
        self._files.discard(fd)
        if events := sum(e for e in (EVENT_READ, EVENT_WRITE) if (fd, e) in self._handlers):
            try:
                self._selector.register(fd, events)
            except PermissionError:
                self._files.add(fd)

    def turn(self, longest_s: float | None = None) -> None:
        """Wait for one event (at most ``longest_s``), then run everything that is ready."""
        timeout = self.timers.timeout()
        if longest_s is not None:
            timeout = longest_s if timeout is None else min(timeout, longest_s)
        ready = [
            (key.fd, events) for key, events in self._selector.select(0 if self._files else timeout)
        ]
        ready += [(fd, EVENT_READ | EVENT_WRITE) for fd in self._files]
        for event in (EVENT_READ, EVENT_WRITE):
            for fd, events in ready:
                if events & event and (handler := self._handlers.get((fd, event))):
                    self._call(handler)
        self._call(self.timers.run)

    def _call(self, handler: Handler) -> None:
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
