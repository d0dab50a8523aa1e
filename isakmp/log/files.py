"""Where the lines of one log go: a sink, and the files that Logfile= names for some of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from isakmp.errors import IsakmpError
from isakmp.event.loop import Loop
from isakmp.log.log import Log
from isakmp.log.sink import FileSink, Sink


class Outlets:
    """sink: for all that no file is named for; routes: class or severity ("": all) and path;
    owners: user ids, besides root and ourselves, whose the files may be.

    One sink a file, however many classes go there. IsakmpError where one cannot be opened.
    """

    def __init__(
        self, sink: Sink, routes: Iterable[tuple[str, str]] = (), owners: Collection[int] = ()
    ) -> None:
        self._sink = sink
        self._files: dict[str, FileSink] = {}
        self._labels: dict[str, FileSink] = {}
        self._log: Log | None = None
        try:
            for label, path in routes:
                self._files[path] = self._files.get(path) or FileSink(path, owners)
                self._labels[label] = self._files[path]
        except IsakmpError:
            self.close()
            raise

    def write(self, line: str) -> None:
        """A line that no file is named for."""
        self._sink.write(line)

    def serve(self, log: Log) -> None:
        """Take the lines of ``log``, which is made with write(), and tell it what was lost."""
        self._log = log
        self._sink.told = _teller(log, "this log")
        for path, file in self._files.items():
            file.told = _teller(log, path)
        for label, file in self._labels.items():
            log.route(label, file.write)

    def attach(self, loop: Loop) -> None:
        """Let ``loop`` say when what could not be written is tried again."""
        for sink in (self._sink, *self._files.values()):
            sink.attach(loop)

    def reopen(self) -> None:
        """Files that were moved away (rotated) are made anew."""
        for file in self._files.values():
            try:
                file.reopen()
            except IsakmpError as error:
                if self._log is not None:
                    self._log.internal_warn("log file: %s; the old one is written on", error)

    def close(self) -> None:
        """Give everything back."""
        for sink in (self._sink, *self._files.values()):
            sink.close()


def _teller(log: Log, what: str) -> Callable[[int, str], object]:
    return lambda lost, why: log.internal_err("%d lines of %s were lost: %s", lost, what, why)
