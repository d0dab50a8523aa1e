"""The lines of a configuration file as they count: continued ones joined, without comments.

A comment is over with the line that it stands on, also within a value that goes on: a backslash at
its end belongs to the line, as if the comment were not there.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import NamedTuple

BLANK = " \t"
_COMMENT = re.compile(r"[ \t]#")
_HEADER = re.compile(r"[ \t]*\[[^]]*\][ \t]*#")
_OPEN = "a comment without a backslash in a value that goes on:"
_GOES_ON = f"{_OPEN} what follows still belongs to the value"
_ENDS = f"{_OPEN} the value ends before it"


class Line(NamedTuple):
    """number: of its first line in the file. remark: what there is to say of the line ``at``."""

    number: int
    text: str
    at: int = 0
    remark: str = ""


class _Value:
    """What is read so far of a line that goes on. number: where it begins; uncut: nothing in it is
    a comment; opened: the first comment in it without a backslash, 0: there is none."""

    def __init__(self, number: int, uncut: bool) -> None:
        self.number, self.uncut = number, uncut
        self.opened = 0
        self.parts: list[str] = []

    def passes(self, number: int, line: str) -> bool:
        """Whether a line is a comment within it."""
        if self.uncut or not _is_comment(line):
            return False
        if not line.endswith("\\"):
            self.opened = self.opened or number
        return True

    def add(self, line: str) -> bool:
        """Join the next line to it; whether it goes on."""
        going = line.endswith("\\")
        body = line[:-1] if going else line
        if not self.uncut:
            body = _cut(body, after=not self.parts)
        self.parts.append(f"{body} " if going else body)
        return going

    def line(self, remark: str = "") -> Line:
        text = "".join(self.parts)
        return Line(self.number, text, self.opened, remark if self.opened else "")


def lines_of(text: str, uncut: Container[str]) -> Iterator[Line]:
    """The lines of a text, empty ones and comments too. uncut: tags, folded, to whose values a #
    belongs.

    Where a comment within a value that goes on has no backslash, that still goes on with a line
    that can be nothing else: neither empty, nor a header, nor with an equals sign.
    """
    value: _Value | None = None
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.removesuffix("\r")
        if value and value.passes(number, line):
            continue
        if value and value.opened and _is_another(line):
            yield value.line(_ENDS if "=" in line else "")
            value = None
        if value is None:
            if _is_comment(line) or _HEADER.match(line):
                yield Line(number, line)
                continue
            value = _Value(number, _tag(line) in uncut)
        if not value.add(line):
            yield value.line(_GOES_ON)
            value = None
    if value:
        yield value.line()


def _tag(line: str) -> str:
    return line.partition("=")[0].strip(f"{BLANK}\\").lower()


def _is_comment(line: str) -> bool:
    return line.lstrip(BLANK)[:1] in ("#", ";")


def _is_another(line: str) -> bool:
    """Whether a line is none that a value goes on with."""
    body = _cut(line).strip(BLANK)
    return not body or body[0] == "[" or "=" in body


def _cut(text: str, after: bool = False) -> str:
    """A text without its comment. after: which stands behind its equals sign."""
    if "#" not in text:
        return text
    head, equals, rest = text.partition("=") if after else ("", "", text)
    return head + equals + _COMMENT.split(f" {rest}", maxsplit=1)[0][1:] if rest else text
