"""The log: classes and levels, one line format, field dumps, and a bound on repeated errors.

A line is ``time class level [id] text``: ``2026-11-21T03:32:22.123Z Exchange    30 [3f9c] text``.
What is always written has its Severity in the class's place. The id names one negotiation attempt
(Log.bind), so that lines of many attempts can be told apart.

Classes and levels 0 to 99 are isakmpd's. A level of 0 turns a class off. Secrets are written
only by Log.secret, at level 99 of the Crypto class.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from enum import IntEnum, StrEnum
from functools import lru_cache

from isakmp import causes
from isakmp.errors import IsakmpError, Reason

MAX_LEVEL = 99
MAX_LINE = 8192  # characters of one line's text
DUMP_WIDTH = 32  # octets a line of a dump
MAX_DUMP = 65536  # octets of one dump
SECRET_LEVEL = MAX_LEVEL

REPEAT_WINDOW_S = 10.0
REPEAT_LINES = 20  # different lines of one kind in a window
REPEAT_KINDS = 64  # kinds of error line in a window


class LogClass(IntEnum):
    """The debug classes of isakmpd, by the number that ``-D`` and the FIFO command ``D`` take."""

    MISC = 0
    TRANSPORT = 1
    MESSAGE = 2
    CRYPTO = 3
    TIMER = 4
    SYSDEP = 5
    SA = 6
    EXCHANGE = 7
    NEGOTIATION = 8
    POLICY = 9
    UI = 10

    @property
    def label(self) -> str:
        """The name people read: ``Exchange``, ``SA``."""
        return self.name if self in (LogClass.SA, LogClass.UI) else self.name.capitalize()


class Severity(StrEnum):
    """What a line that is always written is about. One rule gives each its own:

    PROTO: what came over the network, or did not, is the cause; INTERNAL: this host is (its
    configuration, files, kernel). ERR: something was given up for it; WARN: we go on. CRITICAL:
    isakmpd ends. INFO: as it should be. Debug lines, the seventh kind, have class and level.
    """

    INFO = "INFO"
    PROTO_ERR = "PROTO_ERR"
    PROTO_WARN = "PROTO_WARN"
    INTERNAL_ERR = "INTERNAL_ERR"
    INTERNAL_WARN = "INTERNAL_WARN"
    CRITICAL = "CRITICAL"


def severity_of(reason: Reason) -> Severity:
    """Of an attempt that has failed for that reason."""
    if reason.cause in causes.EXPECTED:
        return Severity.INFO
    return Severity.INTERNAL_ERR if reason.cause in causes.OURS else Severity.PROTO_ERR


def severity_of_refusal(error: Exception) -> Severity:
    """Of a command, or a signal, that is not obeyed: nothing is wrong where it was mistyped."""
    at_fault = not isinstance(error, IsakmpError) or error.host_at_fault
    return Severity.INTERNAL_ERR if at_fault else Severity.INTERNAL_WARN


_LABELS = tuple(cls.label for cls in LogClass)
_HEADS = {severity: f"{severity:<14}" for severity in Severity}


def parse_class(text: str) -> LogClass | None:
    """The class people write as a number or a name; None for ``A``, all. IsakmpError otherwise."""
    if text.upper() in ("A", "ALL"):
        return None
    if text.upper() in LogClass.__members__:
        return LogClass[text.upper()]
    if text.isascii() and text.isdigit() and len(text) <= 2 and int(text) < len(_LABELS):
        return LogClass(int(text))
    known = ", ".join(f"{cls.value} {cls.label}" for cls in LogClass)
    raise IsakmpError(f"no debug class {text[:20]!r}: it is one of {known}, A for all")


class BadRoute(IsakmpError, ValueError):
    """No class, or no path."""


def parse_route(text: str) -> tuple[str, str]:
    """``class=path`` or a path alone: the class's label or severity ("" for all), and the path.

    BadRoute where it is neither. The path is absolute: a daemon stands in no directory.
    """
    name, _, path = text.partition("=")
    if text.startswith("/"):
        return "", text
    if not path.startswith("/"):
        raise BadRoute("it is not a path from / on, nor class=path")
    if name.upper() in Severity.__members__:
        return Severity[name.upper()].value, path
    try:
        cls = parse_class(name)
    except IsakmpError as error:
        raise BadRoute(f"{error}; the severities are {', '.join(Severity)}") from None
    return (cls.label if cls is not None else ""), path


def parse_level(text: str) -> int:
    """A debug level of 0 to 99. IsakmpError otherwise."""
    if text.isascii() and text.isdigit() and len(text) <= 2:
        return int(text)
    raise IsakmpError(f"no debug level {text[:20]!r}: it is 0 (off) to {MAX_LEVEL} (everything)")


class _Kind:
    """What was written of one kind of error line since ``start``, and what was held back."""

    __slots__ = ("lines", "others", "start")

    def __init__(self, start: float) -> None:
        self.start = start
        self.lines: dict[str, int] = {}
        self.others = 0

    def admit(self, line: str) -> bool:
        if line in self.lines:
            self.lines[line] += 1
            return False
        if len(self.lines) >= REPEAT_LINES:
            self.others += 1
            return False
        self.lines[line] = 0
        return True


class Repeats:
    """Holds back error lines that say the same again: what a stranger can provoke is bounded.

    Lines are of one kind when they come of one format. In a window of REPEAT_WINDOW_S a line is
    written once, and REPEAT_LINES different ones of a kind; the rest is counted.
    """

    def __init__(self) -> None:
        self._kinds: dict[tuple[Severity, str], _Kind] = {}
        self._no_room = 0

    def admit(self, now: float, severity: Severity, kind: str, line: str) -> bool:
        """Whether the line is to be written; otherwise it has been counted."""
        entry = self._kinds.get((severity, kind))
        if entry is None:
            if len(self._kinds) >= REPEAT_KINDS:
                self._no_room += 1
                return False
            entry = self._kinds[severity, kind] = _Kind(now)
        return entry.admit(line)

    def due(self, now: float | None) -> Iterator[tuple[Severity, str]]:
        """The counts of the windows that have ended; of all where ``now`` is None."""
        for (severity, kind), entry in list(self._kinds.items()):
            if now is not None and 0 <= now - entry.start < REPEAT_WINDOW_S:
                continue
            del self._kinds[severity, kind]
            for line, count in entry.lines.items():
                if count:
                    yield severity, f"{line} (repeated {_times(count)})"
            if entry.others:
                yield severity, f"{entry.others} more lines like {kind!r} were held back"
        if self._no_room and not self._kinds:
            text = f"{self._no_room} more errors of other kinds were held back"
            yield Severity.INTERNAL_WARN, text
            self._no_room = 0


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


class _Shared:
    """What a log and all that are bound to it share."""

    __slots__ = ("levels", "now", "repeats", "routes", "saved", "stamp", "write")

    def __init__(self, now: Callable[[], float], write: Callable[[str], None], stamp: bool) -> None:
        self.now, self.write, self.stamp = now, write, stamp
        self.levels = [-1] * len(LogClass)  # the highest level that is written; -1: none
        self.saved: list[int] | None = None
        self.repeats = Repeats()
        self.routes: dict[str, Callable[[str], None]] = {}


class Log:
    """A log, or one negotiation attempt's view of it.

    now: seconds since the epoch, for the stamp and the bound on repeats; write: takes one line
    without its end, and must not raise; stamp: whether lines begin with the time.
    """

    __slots__ = ("_ident", "_levels", "_shared")

    def __init__(
        self, now: Callable[[], float], write: Callable[[str], None], *, stamp: bool = True
    ) -> None:
        self._shared = _Shared(now, write, stamp)
        self._levels = self._shared.levels
        self._ident = ""

    def bind(self, ident: str) -> Log:
        """The same log, with ``[ident]`` before every text. Levels stay shared."""
        bound = Log.__new__(Log)
        bound._shared, bound._levels = self._shared, self._levels
        bound._ident = f"[{ident}] " if ident else ""
        return bound

    def on(self, cls: LogClass, level: int) -> bool:
        """Whether a debug line of this class and level is written."""
        return level <= self._levels[cls]

    def debug(self, cls: LogClass, level: int, text: str, *args: object) -> None:
        """Write ``text % args`` where the class's level is high enough."""
        if level > self._levels[cls]:
            return
        self._line(f"{_LABELS[cls]:<11} {level:>2}", _format(text, args))

    def info(self, text: str, *args: object) -> None:
        """Write what an administrator wants to know in any case."""
        self._line(_HEADS[Severity.INFO], _format(text, args))

    def proto_err(self, text: str, *args: object) -> None:
        """Something was given up for what came over the network."""
        self.write(Severity.PROTO_ERR, text, *args)

    def proto_warn(self, text: str, *args: object) -> None:
        """Something odd came over the network, and we go on."""
        self.write(Severity.PROTO_WARN, text, *args)

    def internal_err(self, text: str, *args: object) -> None:
        """Something was given up for what is wrong with this host."""
        self.write(Severity.INTERNAL_ERR, text, *args)

    def internal_warn(self, text: str, *args: object) -> None:
        """Something is wrong with this host, and we go on."""
        self.write(Severity.INTERNAL_WARN, text, *args)

    def critical(self, text: str, *args: object) -> None:
        """Isakmpd ends for this."""
        self.write(Severity.CRITICAL, text, *args)

    def write(self, severity: Severity, text: str, *args: object) -> None:
        """The same again within 10 s is counted instead (Repeats), whatever its severity."""
        self.flush(ended_only=True)
        line = _format(text, args)
        if self._shared.repeats.admit(self._shared.now(), severity, text[:80], self._ident + line):
            self._line(_HEADS[severity], line)

    def dump(self, cls: LogClass, level: int, title: str, data: bytes | memoryview) -> None:
        """Write ``data`` in hexadecimal, 32 octets a line."""
        if level > self._levels[cls]:
            return
        head = f"{_LABELS[cls]:<11} {level:>2}"
        self._line(head, f"{title}: {len(data)} octets")
        for start in range(0, min(len(data), MAX_DUMP), DUMP_WIDTH):
            row = bytes(data[start : start + DUMP_WIDTH]).hex(" ", -4)
            self._line(head, f"{title} {start:04x}: {row}")

    def secret(self, title: str, data: bytes) -> None:
        """Write a key or other secret, only at level 99 of the Crypto class."""
        self.dump(LogClass.CRYPTO, SECRET_LEVEL, title, data)

    def set_level(self, cls: LogClass | None, level: int) -> None:
        """Write debug lines of the class (None: of all) up to ``level``; 0: none."""
        if not 0 <= level <= MAX_LEVEL:
            raise IsakmpError(f"debug level {level} is not within 0 to {MAX_LEVEL}")
        for each in LogClass if cls is None else (cls,):
            self._levels[each] = level or -1

    def toggle(self) -> bool:
        """Turn all classes off where any is on, else back to what they were when they were turned
        off last; whether any is on now."""
        before, shared = list(self._levels), self._shared
        if max(before) >= 0:
            shared.saved, self._levels[:] = before, [-1] * len(before)
        elif shared.saved is not None:
            self._levels[:] = shared.saved
        return max(self._levels) >= 0

    def levels(self) -> dict[LogClass, int]:
        """The level of every class."""
        return {cls: max(0, self._levels[cls]) for cls in LogClass}

    def flush(self, *, ended_only: bool = False) -> None:
        """Write the counts of errors held back; ended_only: only of windows that have ended."""
        now = self._shared.now() if ended_only else None
        for severity, text in self._shared.repeats.due(now):
            self._write(_HEADS[severity], text)

    def _line(self, head: str, text: str) -> None:
        self._write(head, self._ident + text)

    def route(self, label: str, write: Callable[[str], None]) -> None:
        """Lines of that class or severity go there instead, with their time; "": all others."""
        self._shared.routes[label] = write

    def _write(self, head: str, text: str) -> None:
        routes = self._shared.routes
        if routes and (write := routes.get(head.partition(" ")[0]) or routes.get("")):
            write(f"{stamp_of(self._shared.now())} {head} {text}")
            return
        stamp = stamp_of(self._shared.now()) + " " if self._shared.stamp else ""
        self._shared.write(f"{stamp}{head} {text}")


def _format(text: str, args: tuple[object, ...]) -> str:
    """``text % args`` as one bounded printable line; a wrong format is shown, not raised."""
    if args:
        try:
            text = text % args
        except (TypeError, ValueError, KeyError):
            text = f"{text} {args!r}"
    return printable(text, MAX_LINE)


def printable(text: str, longest: int) -> str:
    """``text`` with control characters escaped and no more than ``longest`` characters."""
    if len(text) > longest:
        text = f"{text[:longest]}... ({len(text) - longest} more characters)"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def stamp_of(now: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    seconds, milliseconds = divmod(int(now * 1000), 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(1)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
