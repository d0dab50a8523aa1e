"""Changes of the configuration as the FIFO's C and files have them: ``set [section]:tag=value``.

Several make a transaction: on one line, parted by a semicolon that stands alone, or one a line in a
file.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn, Protocol

from isakmp.errors import IsakmpError

MAX_STRING = 200  # characters of one argument
MAX_FILE_BYTES = 4 << 20
PART = " ; "

_PARTS = re.compile(r"\s+;(?=\s|$)|^;(?=\s|$)")
_SECTION = re.compile(r"\[([^]]+)\]")
_TAG = re.compile(r"\[([^]]+)\]:([^=\s]+)")
_VALUE = re.compile(r"\[([^]]+)\]:([^=]+)=[ \t]*(\S+)(?:\s+(\S+))?")


class Transaction(Protocol):
    """Changes of the configuration that happen together or not at all."""

    def set(self, section: str, tag: str, value: str, override: bool = False) -> None: ...

    def add(self, section: str, tag: str, value: str) -> None: ...

    def remove_value(self, section: str, tag: str, value: str) -> None: ...

    def remove(self, section: str, tag: str) -> None: ...

    def remove_section(self, section: str) -> None: ...


def usage(form: str) -> NoReturn:
    """IsakmpError: what was expected."""
    raise IsakmpError(f"expected: {form}")


def string(text: str) -> str:
    """An argument. IsakmpError where it is too long."""
    if len(text) > MAX_STRING:
        raise IsakmpError(f"an argument of {len(text)} characters: the longest is {MAX_STRING}")
    return text


def section_tag(text: str, form: str) -> tuple[str, str]:
    """``[section]:tag``. IsakmpError where it is none."""
    match = _TAG.fullmatch(text.strip())
    if match is None:
        usage(form)
    return string(match[1]), string(match[2])


def on_line(text: str) -> list[str]:
    """The changes of a line."""
    return [part.strip() for part in _PARTS.split(text)]


def in_text(text: str) -> list[str]:
    """The changes of a file's text: one a line, with or without a C; # begins a comment."""
    lines = (line.strip() for line in text.splitlines())
    return [line.removeprefix("C ").strip() for line in lines if line and line[0] != "#"]


def in_file(path: Path) -> list[str]:
    """The same of a file. IsakmpError where it cannot be read, or shows secrets around."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise IsakmpError(f"{path} is not a regular file")
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise IsakmpError(f"isakmpd cannot read {path}: {reason}") from error
    if len(data) > MAX_FILE_BYTES:
        raise IsakmpError(f"{path} is larger than {MAX_FILE_BYTES} octets")
    if info.st_mode & (stat.S_IRWXG | stat.S_IRWXO) and b"authentication" in data.lower():
        raise IsakmpError(f"{path} holds a secret that others can read: chmod 600 {path}")
    try:
        return in_text(data.decode())
    except UnicodeDecodeError:
        raise IsakmpError(f"{path} is not UTF-8") from None


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a FIFO in its place would be waited for."""
    return os.open(path, flags | os.O_NONBLOCK)


def note(transaction: Transaction, changes: list[str]) -> None:
    """Put changes into a transaction. IsakmpError with the first that is none, by its number."""
    for number, change in enumerate(changes, 1):
        try:
            _note(transaction, change)
        except IsakmpError as error:
            if len(changes) > 1:
                raise IsakmpError(f"change {number}: {error}") from None
            raise


def _note(transaction: Transaction, change: str) -> None:
    verb, _, rest = change.partition(" ")
    put = VERBS.get(verb.lower())
    if put is None:
        usage(f"C with one of {', '.join(VERBS)}, get, file")
    put(transaction, rest.strip())


def _value(text: str, form: str) -> tuple[str, str, str, bool]:
    """section, tag, value, and whether a fourth word is there."""
    match = _VALUE.fullmatch(text)
    if match is None:
        usage(f"{form}, where the value has no spaces (lists: commas alone)")
    return string(match[1]), string(match[2].strip()), string(match[3]), match[4] is not None


def _set(transaction: Transaction, text: str) -> None:
    section, tag, value, force = _value(text, "C set [section]:tag=value [force]")
    transaction.set(section, tag, value, override=force)


def _add(transaction: Transaction, text: str) -> None:
    # ipsecctl(8) writes a fourth word here, too; there is nothing that it could force.
    section, tag, value, _ = _value(text, "C add [section]:tag=value")
    transaction.add(section, tag, value)


def _remove_value(transaction: Transaction, text: str) -> None:
    section, tag, value, _ = _value(text, "C rmv [section]:tag=value")
    transaction.remove_value(section, tag, value)


def _remove(transaction: Transaction, text: str) -> None:
    section, tag = section_tag(text, "C rm [section]:tag")
    transaction.remove(section, tag)


def _remove_section(transaction: Transaction, text: str) -> None:
    match = _SECTION.fullmatch(text)
    if match is None:
        usage("C rms [section]")
    transaction.remove_section(string(match[1]))


VERBS: Mapping[str, Callable[[Transaction, str], None]] = MappingProxyType(
    {"set": _set, "add": _add, "rmv": _remove_value, "rm": _remove, "rms": _remove_section}
)
