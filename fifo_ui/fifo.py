"""The FIFO: lines from whoever may write it, bounded, and never waited for.

The daemon holds both ends of the FIFO open, so that a writer's going is not an end of file and
readiness does not spin. Each time it is ready one piece is read; a line that is not yet whole is
kept; one that is too long is dropped up to its end.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from select import PIPE_BUF

from fifo_ui.files import mend_of
from isakmp.conf.user import mend_rights
from isakmp.errors import ConfError
from isakmp.event.loop import Loop
from isakmp.log.log import Log

MAX_LINE = PIPE_BUF  # octets, the end of the line included: what a writer can write at once
STDIN = "-"


class LineReader:
    """Lines out of pieces. What is not a line of text is told to ``log`` and dropped."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._part = bytearray()
        self._dropped = 0

    def feed(self, piece: bytes) -> Iterator[str]:
        """The lines that ``piece`` completes, without their ends."""
        *whole, rest = piece.split(b"\n")
        for end in whole:
            if (line := self._complete(end)) is not None:
                yield line
        self._keep(rest)

    def _complete(self, end: bytes) -> str | None:
        """One line, or None where it was dropped."""
        self._keep(end)
        line, self._part = bytes(self._part), bytearray()
        if self._dropped:
            self._log.internal_warn("FIFO: a line of more than %d octets was dropped", MAX_LINE)
            self._dropped = 0
            return None
        return self._text(line)

    def _keep(self, piece: bytes) -> None:
        if self._dropped or len(self._part) + len(piece) >= MAX_LINE:
            self._dropped += len(self._part) + len(piece)
            self._part.clear()
        else:
            self._part += piece

    def _text(self, line: bytes) -> str | None:
        """The line as text; None where it is empty or no text."""
        try:
            text = line.decode("utf-8").replace("\t", " ").strip()
        except UnicodeDecodeError as error:
            self._log.internal_warn(
                "FIFO: a line of %d octets is not UTF-8 at octet %d", len(line), error.start
            )
            return None
        if text and not text.isprintable():
            self._log.internal_warn("FIFO: a line of %d octets has control characters", len(line))
            return None
        return text or None


class Fifo:
    """An open FIFO, or standard input for ``-``, registered with the loop.

    handle is called with each line. ConfError where there can be no FIFO at ``path``: a regular
    file is in its place (and is left alone), or another daemon reads it.
    """

    def __init__(self, path: str, loop: Loop, log: Log, handle: Callable[[str], object]) -> None:
        self.path = path
        self._loop, self._log, self._handle = loop, log, handle
        self._lines = LineReader(log)
        self._ended, self._told = False, ""
        self._fd = 0 if path == STDIN else open_fifo(Path(path))
        loop.reader(self._fd, self.read)

    def look(self) -> None:
        """Make the FIFO anew where somebody has taken it away or put something in its place."""
        if self.path == STDIN or self._ended or self._in_place():
            return
        try:
            fd = open_fifo(Path(self.path))
        except ConfError as error:
            if str(error) != self._told:
                self._told = str(error)
                self._log.internal_err("the FIFO is gone: %s", error)
            return
        self._told = ""
        self._drop()
        self._fd = fd
        self._loop.reader(fd, self.read)
        self._log.internal_warn("the FIFO %s was taken away: it is made anew", self.path)

    def _in_place(self) -> bool:
        """Whether what is at the path is what we read."""
        try:
            return os.path.samestat(os.lstat(self.path), os.fstat(self._fd))
        except OSError:
            return False

    def read(self) -> None:
        """Read one piece and handle the lines it completes."""
        try:
            piece = os.read(self._fd, MAX_LINE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        for line in self._lines.feed(piece or b"\n"):
            self._handle(line)
        if not piece:
            self._drop()

    def close(self) -> None:
        """Stop reading, and take the FIFO away."""
        self._ended = True
        self._drop()

    def _drop(self) -> None:
        if self._fd < 0:
            return
        self._loop.reader(self._fd, None)
        if self.path != STDIN:
            if self._in_place():  # else it is another's
                with suppress(OSError):
                    os.unlink(self.path)
            os.close(self._fd)
        self._fd = -1


def open_fifo(path: Path) -> int:
    """Make the FIFO anew, mode 0600, and open both of its ends. ConfError."""
    try:
        _clear(path)
        os.mkfifo(path, 0o600)
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise ConfError(
            f"cannot make the FIFO {path}: {error.strerror}",
            hint=f"{_mend(error, path)}give another path with -f",
        ) from error
    if not stat.S_ISFIFO(os.fstat(fd).st_mode):
        os.close(fd)
        raise ConfError(f"something else took the place of the FIFO {path}")
    return fd


def _mend(error: OSError, path: Path) -> str:
    """What would let us make it: of the file system, or else the rights that we lack."""
    mend = mend_of(error, path.parent)
    return f"{mend}, or " if mend else _rights(path)


def _rights(path: Path) -> str:
    """What would let us make it, where that is what we lack."""
    if not os.path.lexists(path.parent):
        return f"make the directory {path.parent}, or "
    if not path.parent.is_dir():
        return "name a directory as [General]:Run-directory, or "
    if path.parent.stat().st_uid == os.geteuid():  # whose files it takes or does not
        return "name another directory as [General]:Run-directory, or "
    if os.access(path.parent, os.W_OK | os.X_OK):
        return ""
    with suppress(KeyError):
        return f"{mend_rights(path.parent, pwd.getpwuid(os.geteuid()).pw_name)}; or "
    return ""


def another_file(path: Path) -> ConfError | None:
    """What is in the place of a FIFO and is none, and is left alone."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return None
    if stat.S_ISFIFO(mode):
        return None
    kind = "regular file" if stat.S_ISREG(mode) else "file that is no FIFO"
    return ConfError(
        f"a {kind} is in the place of the FIFO {path}",
        hint="move it away, or give another path with -f",
    )


def _clear(path: Path) -> None:
    """Remove a FIFO that nobody reads any more. ConfError where something else is there."""
    if error := another_file(path):
        raise error
    if not os.path.lexists(path):
        return
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW))
        raise ConfError(
            f"another process reads the FIFO {path}",
            hint="stop the other isakmpd (isakmpctl quit), or give this one its own path with -f",
        )
    path.unlink()
