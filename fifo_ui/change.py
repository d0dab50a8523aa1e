r"""One change of the configuration as text: ``set [section]:tag=value force``.

It is read the same way on the FIFO, in a file of changes and by isakmpctl. A value with blanks
stands in double quotes, where ``\"`` and ``\\`` are those characters. ``;`` where a word would
begin ends a change, ``#`` there the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from isakmp.errors import IsakmpError

MAX_STRING = 200  # characters of one argument
FORMS = {
    "set": "set [section]:tag=value [force]",
    "add": "add [section]:tag=value",
    "rmv": "rmv [section]:tag=value",
    "rm": "rm [section]:tag",
    "rms": "rms [section]",
}

_CHANGE = re.compile(
    r"""\s*(?P<verb>[^\s;#]+)
    \s+\[(?P<section>[^]]+)\]
    (?::(?P<tag>[^=\s]+))?
    (?:\s*+=\s*+(?P<value>"(?:[^"\\]|\\["\\])*"|(?!["#;])\S+))?
    (?P<force>\s++force)?
    (?:\s++(?P<next>;)(?=\s|$)|\s++\#.*$|\s*+$)""",
    re.VERBOSE,
)
_PLAIN = re.compile(r'[^"#;\s]\S*')
_ESCAPED = re.compile(r'\\(["\\])')


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done; value and tag empty where the verb has none. force: over what is set."""

    verb: str
    section: str
    tag: str = ""
    value: str = ""
    force: bool = False

    def __str__(self) -> str:
        """As parse() reads it again."""
        tag = f":{self.tag}" if self.tag else ""
        value = f"={_written(self.value)}" if self.value else ""
        return f"{self.verb} [{self.section}]{tag}{value}{' force' if self.force else ''}"


def string(text: str) -> str:
    """An argument. IsakmpError where it is too long."""
    if len(text) > MAX_STRING:
        raise IsakmpError(f"an argument of {len(text)} characters: the longest is {MAX_STRING}")
    return text


def parse(text: str) -> Iterator[Change]:
    """The changes of a text, one by one. IsakmpError at the first that is none."""
    at = 0
    while True:
        match = _CHANGE.match(text, at)
        if match is None:
            raise _expected(text[at:])
        yield _change(match)
        if not match["next"]:
            return
        at = match.end()


def _change(match: re.Match[str]) -> Change:
    verb, tag, value = match["verb"].lower(), match["tag"] or "", match["value"]
    form = FORMS.get(verb, "")
    if (bool(tag), value is not None) != (":tag" in form, "=value" in form):
        raise _expected(match[0])
    # ipsecctl(8) writes force behind add and rmv, too; there is nothing that it could force.
    if match["force"] and value is None:
        raise _expected(match[0])
    section, tag, value = map(string, (match["section"], tag, _read(value or "")))
    return Change(verb, section, tag, value, force=bool(match["force"]))


def _read(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value


def _written(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _expected(text: str) -> IsakmpError:
    """What should stand there: of the text nothing is told, as it may be a secret."""
    form = FORMS.get(text.split(maxsplit=1)[0].lower() if text.strip() else "")
    if form is None:
        return IsakmpError(f"expected: one of the verbs {', '.join(FORMS)}")
    quotes = '; a value with blanks stands in "quotes"' if "=value" in form else ""
    return IsakmpError(f"expected: {form}{quotes}")
