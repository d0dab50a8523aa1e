"""Changes of the configuration, several of which make a transaction: on one line of the FIFO,
parted by a semicolon that stands alone, or one a line in a file. How one is written: change.py.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from fifo_ui.change import Change, parse
from isakmp.conf.files import open_now
from isakmp.errors import IsakmpError

MAX_FILE_BYTES = 4 << 20
PART = " ; "
_SECRET = re.compile(rb"authentication|:\s*ppk\s*=", re.IGNORECASE)


class Transaction(Protocol):
    """Changes of the configuration that happen together or not at all. at: of those to come."""

    def at(self, where: str) -> None: ...

    def set(self, section: str, tag: str, value: str, override: bool = False) -> None: ...

    def add(self, section: str, tag: str, value: str) -> None: ...

    def remove_value(self, section: str, tag: str, value: str) -> None: ...

    def remove(self, section: str, tag: str) -> None: ...

    def remove_section(self, section: str) -> None: ...


class Placed(NamedTuple):
    """A change, and where it is written, for people: ``change 2``, ``FILE:4``."""

    where: str
    change: Change


def on_line(text: str) -> list[Placed]:
    """The changes of a line. IsakmpError with the first that is none, by its number."""
    found: list[Change] = []
    try:
        for change in parse(text):
            found.append(change)
    except IsakmpError as error:
        if found:
            raise IsakmpError(f"change {len(found) + 1}: {error}") from None
        raise
    if len(found) == 1:
        return [Placed("", found[0])]
    return [Placed(f"change {number}", change) for number, change in enumerate(found, 1)]


def in_text(text: str, file: str) -> list[Placed]:
    """The changes of a file's text: one a line, or several as on one; with or without a C.

    IsakmpError with the line of the first that is none.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        where = f"{file}:{number}"
        try:
            found += [Placed(where, change) for change in parse(line.removeprefix("C "))]
        except IsakmpError as error:
            raise IsakmpError(f"{where}: {error}") from None
    return found


def in_file(path: Path) -> list[Placed]:
    """The same of a file. IsakmpError where it cannot be read, or shows secrets around."""
    try:
        with open_now(path) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise IsakmpError(f"{path} is not a regular file")
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise IsakmpError(f"isakmpd cannot read {path}: {reason}") from error
    if len(data) > MAX_FILE_BYTES:
        raise IsakmpError(f"{path} is larger than {MAX_FILE_BYTES} octets")
    if info.st_mode & (stat.S_IRWXG | stat.S_IRWXO) and _SECRET.search(data):
        raise IsakmpError(f"{path} holds a secret that others can read: chmod 600 {path}")
    try:
        return in_text(data.decode(), str(path))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise IsakmpError(f"{path}:{line} is not UTF-8") from None


def note(transaction: Transaction, changes: list[Placed]) -> None:
    """Put changes into a transaction. IsakmpError with where the first is that cannot be made."""
    for where, change in changes:
        transaction.at(where)
        VERBS[change.verb](transaction, change)


VERBS: Mapping[str, Callable[[Transaction, Change], None]] = MappingProxyType(
    {
        "set": lambda t, c: t.set(c.section, c.tag, c.value, override=c.force),
        "add": lambda t, c: t.add(c.section, c.tag, c.value),
        "rmv": lambda t, c: t.remove_value(c.section, c.tag, c.value),
        "rm": lambda t, c: t.remove(c.section, c.tag),
        "rms": lambda t, c: t.remove_section(c.section),
    }
)
