"""The text of a configuration file: lines to (section, tag, value) triplets.

``[section]``, ``tag= value``, ``#`` or ``;`` comments, a backslash before the newline continues
the line. Sections may repeat and are merged; the first of two equal tags counts, as isakmpd
had it. Names of sections and tags are compared without case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from isakmp.conf.alike import ALIKE, most_alike, whole
from isakmp.conf.lines import BLANK, lines_of
from isakmp.conf.remarks import likely_outside
from isakmp.conf.tags import LISTS, MUST_SPEAK, REFUSED_EMPTY, SECRET_TAGS, SPELLED
from isakmp.conf.values import is_address
from isakmp.errors import ConfError
from isakmp.event.steps import AT_ONCE, Steps, at_once

MAX_FILE_BYTES = 16 << 20
MAX_TRIPLETS = 1 << 19
MAX_FAULTS = 1000
MAX_NAME = 1024
# Looking for what is alike is slow: so many unknown tags without a value are looked at.
_LOOKED_AT = 100
# C0, C1 and, where a file was not UTF-8, the surrogates that stand for its octets.
_UNPRINTABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")
_GOES_ON = re.compile(r"\\\r?\n?\Z")
NO_VALUE = "no value"
MEND_NO_VALUE = "give it one, or take the line away"


class Entry(NamedTuple):
    """One triplet, spelled as it was written. line 0: set at run time. value: empty where it says
    nothing and must not: its section is in error then."""

    section: str
    tag: str
    value: str
    file: str
    line: int


@dataclass(slots=True)
class Section:
    """A section as written: its name, where its first header is, its tags by folded name.

    again: what is ignored, as its tag was set before; headers: where it has others.
    """

    name: str
    file: str
    line: int
    entries: dict[str, Entry] = field(default_factory=dict)
    again: tuple[Entry, ...] = field(default=(), repr=False, compare=False)
    headers: tuple[int, ...] = field(default=(), repr=False, compare=False)
    _named: frozenset[str] | None = field(default=None, repr=False, compare=False)
    # Whether nothing is known to be built in for a section of that name (store.py).
    plain: bool = field(default=False, repr=False, compare=False)

    def named(self) -> frozenset[str]:
        """The folded names of what its values may lead to. It must not change from then on."""
        if self._named is None:
            values = [entry.value for entry in self.entries.values()]
            self._named = frozenset(fold(n) for text in values for n in (text, *items_of(text)))
        return self._named


@dataclass(slots=True)
class Parsed:
    """What a text holds: sections by folded name; everything wrong with it; what was ignored.

    last: the value it ends with, where there may have been more: that goes on, or its line has no
    end.
    """

    sections: dict[str, Section] = field(default_factory=dict)
    errors: list[ConfError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    last: Entry | None = None


def fold(name: str) -> str:
    """The form in which names of sections and tags are compared."""
    return name.lower()


def items_of(text: str) -> list[str]:
    """The values between commas, without blanks around them; empty ones left out."""
    if "," not in text:
        item = text.strip()
        return [item] if item else []
    return [item for item in (part.strip() for part in text.split(",")) if item]


def check_name(name: str, what: str) -> str:
    """A reason why ``name`` cannot be a section's or tag's; empty where it can."""
    forbidden = "[]" if what == "section" else "[]=# \t"
    if not name.strip() or name != name.strip():
        return f"empty {what} name or blanks around it"
    if len(name) > MAX_NAME:
        return f"{what} name of more than {MAX_NAME} characters"
    if _UNPRINTABLE.search(name):
        return f"unprintable character in the {what} name"
    if any(char in name for char in forbidden):
        return f"character that no {what} name can hold"
    return ""


@lru_cache(1024)
def _check_tag(name: str) -> str:
    """The same for the few names that most lines have."""
    return check_name(name, "tag")


def says_nothing(tag: str, value: str) -> bool:
    """Whether a value is none, or of a list no item."""
    return not value or (fold(tag) in LISTS and not items_of(value))


def check_value(value: str) -> str:
    """A reason why ``value`` cannot be one; empty where it can."""
    if _UNPRINTABLE.search(value):
        return "unprintable character, or text that is not UTF-8"
    return "" if value else NO_VALUE


def parse(text: str, file: str) -> Parsed:
    """Read a whole text. Never raises: whatever is wrong is in ``errors``, in line order."""
    return at_once(parsing(text, file))


def parsing(text: str, file: str) -> Steps[Parsed]:
    """The same in steps of a few lines."""
    if len(text) > MAX_FILE_BYTES:
        error = ConfError(f"larger than {MAX_FILE_BYTES} octets", file=file, line=1)
        return Parsed(errors=[error])
    # A byte order mark, which editors put there and nobody sees.
    return (yield from _Parser(file).run(text.removeprefix("\ufeff")))


class _Parser:
    """The state between lines: the open section, or None before the first and after a bad one."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.parsed = Parsed()
        self.section: Section | None = None
        self.triplets = 0
        self.unknown = 0
        self.last: Entry | None = None

    def run(self, text: str) -> Steps[Parsed]:
        for count, (number, line, at, remark) in enumerate(lines_of(text, SECRET_TAGS)):
            if not count % AT_ONCE:
                yield
            if remark:
                self._warn(at, remark)
            stripped = line.strip(BLANK)
            if not stripped:
                continue
            self.last = None
            if stripped[0] in "#;":
                continue
            if stripped[-1] == "\\" and stripped[0] != "[":
                self._error(number, "a blank behind the backslash: the line does not go on")
                continue
            if stripped[0] == "[":
                self._header(number, stripped)
            else:
                self._triplet(number, stripped)
            if self.triplets > MAX_TRIPLETS:
                self._error(number, f"more than {MAX_TRIPLETS} sections and values")
            if self.triplets > MAX_TRIPLETS or len(self.parsed.errors) >= MAX_FAULTS:
                break
        if self.last:
            self._end(self.last, text)
        return self.parsed

    def _end(self, last: Entry, text: str) -> None:
        """Note the value that stands last, where it may not be all."""
        goes_on = _GOES_ON.search(text[-3:]) or fold(last.tag) in LISTS and last.value.endswith(",")
        if goes_on or not text.endswith("\n"):
            self.parsed.last = last
        if goes_on:
            name = f"[{last.section}]:{last.tag}"
            self._warn(last.line, f"{name} goes on, and the file ends there: is it cut off?")

    def _warn(self, line: int, text: str) -> None:
        if len(self.parsed.warnings) < MAX_FAULTS:
            joint = " " if text.startswith("[") else ": "
            self.parsed.warnings.append(f"{self.file}:{line}{joint}{text}")

    def _error(self, line: int, reason: str, tag: str = "", hint: str = "") -> None:
        section = self.section.name if self.section else ""
        error = ConfError(reason, file=self.file, line=line, section=section, tag=tag, hint=hint)
        self.parsed.errors.append(error)

    def _header(self, line: int, text: str) -> None:
        self.section = None
        name, bracket, rest = text[1:].partition("]")
        if not bracket:
            return self._error(line, "section without its closing bracket", hint="[section]")
        if ":" in name and rest.strip(BLANK)[:1] == "=":
            reason = "an address of IPv6 stands without brackets as a tag"
            return self._error(line, reason, hint=f"{name}= ...")
        if rest.strip(BLANK)[:1] not in ("", "#"):
            return self._error(line, "text after the section's closing bracket")
        if reason := check_name(name.strip(BLANK), "section"):
            return self._error(line, reason)
        name = name.strip(BLANK)
        section = Section(name, self.file, line)
        self.section = self.parsed.sections.setdefault(fold(name), section)
        if self.section is section:
            self.triplets += 1
        else:
            self.section.headers += (line,)
        return None

    def _triplet(self, line: int, text: str) -> None:
        tag, equals, value = text.partition("=")
        tag, value = tag.strip(BLANK), value.strip(BLANK)
        if not equals:
            name, colon, _ = (part.strip(BLANK) for part in text.partition(":"))
            said = colon and not check_name(name, "tag")  # what follows may be a secret
            hint = f"{name}= with an equals sign, where it has a colon" if said else ""
            return self._error(line, "neither [section] nor tag= value", hint=hint)
        if self.section is None:
            # What follows a bad header was reported with it.
            if not self.parsed.errors:
                self._error(line, "value before the first section", hint="[section] goes first")
            return None
        if text := likely_outside(tag, value):
            self._warn(line, f"[{self.section.name}]:{tag}: {text}")
        if reason := _check_tag(tag):
            return self._error(line, reason)
        if says_nothing(tag, value) or self._is_rest_of_tag(tag, value):
            return self._without_value(line, self.section, tag, value)
        if reason := check_value(value):
            return self._error(line, reason, tag)
        return self._store(self.section, Entry(self.section.name, tag, value, self.file, line))

    def _is_rest_of_tag(self, tag: str, value: str) -> bool:
        """Whether a value is but the rest of its tag, behind a slip of an equals sign, which must
        have one (``R=emote-ID=``)."""
        return value[-1:] == "=" and self._like(tag, value) in REFUSED_EMPTY

    def _like(self, tag: str, value: str) -> str:
        """What must have a value and an unknown tag looks like; empty where it looks like none."""
        if fold(tag) in SPELLED:
            return ""
        self.unknown += 1
        if self.unknown > _LOOKED_AT:
            return ""
        return most_alike(whole(tag, value)[0], MUST_SPEAK, ALIKE)

    def _without_value(self, line: int, section: Section, tag: str, value: str) -> None:
        """Its default would be what nobody has asked for."""
        key, like = fold(tag), self._like(tag, value)
        if key in REFUSED_EMPTY or is_address(tag):
            self._error(line, NO_VALUE, tag, MEND_NO_VALUE)
        elif like in REFUSED_EMPTY:
            hint = f"did you mean {SPELLED[like]}?"
            self._error(line, f"no tag {tag} in [{section.name}]", tag, hint)
        elif key in MUST_SPEAK or like:
            self._store(section, Entry(section.name, tag, "", self.file, line))
        else:
            self._warn(line, f"[{section.name}]:{tag} has no value and is ignored")

    def _store(self, section: Section, entry: Entry) -> None:
        first = section.entries.setdefault(fold(entry.tag), entry)
        self.triplets += first is entry
        self.last = entry
        if first is not entry:
            section.again += (entry,)
            name = f"[{entry.section}]:{entry.tag}"
            self._warn(entry.line, f"{name} is ignored: line {first.line} set it first")
