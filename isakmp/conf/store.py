"""The configuration: a store of (section, tag, value) triplets, isakmpd.conf(5).

Primed from one file, altered through transactions that happen whole or not at all, read again on
HUP. What is not written is answered from defaults.py and generated.py, tag by tag, so that
a section may be written in part.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from isakmp.conf.astray import SIDES, is_traffic
from isakmp.conf.defaults import BORROWED, BUILT_IN
from isakmp.conf.files import Opener, exposed, octets_of
from isakmp.conf.generated import generated
from isakmp.conf.kinds import Kind, Tag
from isakmp.conf.likely import headless, likely_kind, likely_section, only_unnamed
from isakmp.conf.misnamed import misnamed
from isakmp.conf.parse import (
    MAX_FILE_BYTES,
    MAX_TRIPLETS,
    MEND_NO_VALUE,
    NO_VALUE,
    Entry,
    Parsed,
    Section,
    check_name,
    check_value,
    fold,
    items_of,
    parse,
    parsing,
    says_nothing,
)
from isakmp.conf.tags import FIXED, FOLDED, SECRET_TAGS, TAGS, tag_of
from isakmp.conf.values import BadValue, is_address
from isakmp.errors import ConfError
from isakmp.event.steps import Steps, at_once, emptied, pauses
from isakmp.run_directory import run_directory

MAX_REASON = 500
# So many errors of a change are told beside the first.
MAX_TOLD = 20
RUN_TIME = "set at run time"
UNHEEDED = ": as if it were not there"
# What become() has of another.
_SAID = ("_sections", "_read", "warnings", "removed")
_MEND_ALTERED = (
    "what counts was changed at run time: mend it with isakmpctl conf, or take the file again with "
    "isakmpctl reload"
)

# What is between names that should have a comma there.
_BETWEEN = re.compile(r"[\s;]+")

_BUILT_IN = {
    fold(section): {fold(tag): (tag, value) for tag, value in tags.items()}
    for section, tags in BUILT_IN.items()
}
_FIXED = {fold(name): kind for name, kind in FIXED.items()}
# What is not written of it this process has from elsewhere.
_IN_USE = "general", "run-directory"


class Conf:
    """The triplets of one daemon. Values are texts; value() types them, and raises ConfError.

    path: the file that again() reads, or None; opener: who opens it then, and files that it
    names, None: we; warnings: what the file says in vain; generation: another number after each
    change; removed: the sections that transactions have taken away; last: the value that its file
    ends with, where that may not be all.
    """

    def __init__(self, parsed: Parsed, path: Path | None = None) -> None:
        self.path = path
        self.opener: Opener | None = None
        self.warnings: list[str] = parsed.warnings
        self.generation = 0
        self.removed: frozenset[str] = frozenset()
        self.last = parsed.last
        self._sections: dict[str, Section] = parsed.sections
        # What the file said, where transactions have changed that.
        self._read: dict[str, Section] | None = None
        self._own: set[str] = set()

    @classmethod
    def load(cls, path: str | os.PathLike[str], opener: Opener | None = None) -> Conf:
        """Read a file. ConfError where it cannot be read, is not INI, or shows a secret around."""
        return at_once(cls.loading(path, opener))

    @classmethod
    def loading(cls, path: str | os.PathLike[str], opener: Opener | None = None) -> Steps[Conf]:
        """The same in steps."""
        conf = cls(_accept((yield from reading(Path(path), opener))), Path(path))
        conf.opener = opener
        return conf

    @classmethod
    def from_text(cls, text: str, file: str = "<text>") -> Conf:
        """The same from a text, which is not asked for its permissions. ConfError."""
        return cls(_accept(parse(text, file)))

    def get(self, section: str, tag: str, default: str | None = None) -> str | None:
        """The value as written, else the built-in one, else ``default``; of an empty one this."""
        key = section.lower()  # as fold() does, without a call: this is asked most often of all
        found = self._sections.get(key)
        if found is not None:
            if entry := found.entries.get(tag.lower()):
                return entry.value or default
            if found.plain or self._is_plain(key, found):
                return default
        value = self._built_in(key, tag)
        return default if value is None else value

    def get_list(self, section: str, tag: str) -> list[str]:
        """The values between commas, without blanks around them; empty ones left out."""
        return items_of(self.get(section, tag) or "")

    def value(self, kind: Kind, section: str, tag: str) -> Any:
        """A value as its row in the table of tags types it, a list's as a tuple; where none is
        written, that of the default, else None.

        ConfError where the value is refused, with its line.
        """
        row = TAGS[kind][tag]
        if self.is_empty(section, tag) and not row.may_be_empty:
            raise self.error(NO_VALUE, section, tag, MEND_NO_VALUE)
        text = self.get(section, tag)
        if text is None:
            return _default(kind, tag)
        if not row.every:
            return self._parse(row, text, section, tag)
        return tuple(self._parse(row, item, section, tag) for item in items_of(text))

    def general(self, tag: str) -> tuple[Any, ConfError | None]:
        """What [General] says; where that is refused, what counts instead, and the refusal."""
        try:
            return self.value(Kind.GENERAL, "General", tag), None
        except ConfError as error:
            row = TAGS[Kind.GENERAL][tag]
            instead = row.safe or row.default or row.otherwise
            error.reason += f": {instead} counts instead" if instead else UNHEEDED
            if row.safe:
                return row.type.parse(row.safe), error.kept()
            return Conf(Parsed()).value(Kind.GENERAL, "General", tag), error.kept()

    def _parse(self, row: Tag, text: str, section: str, tag: str) -> Any:
        try:
            return row.parse(text)
        except BadValue as error:
            split = row.type.split(self.get_list(section, tag)) if row.every else ""
            refused = self.error(str(error), section, tag, split or error.hint)
        # Out here: a secret must not be found in a chained exception.
        raise refused

    def tags(self, section: str) -> list[str]:
        """The tags of a section: the written ones in their order, then the built-in ones."""
        written = self._sections.get(key := fold(section))
        if written and (written.plain or self._is_plain(key, written)):
            return [entry.tag for entry in written.entries.values()]
        built_in = self._built_in_tags(section)
        names = {key: entry.tag for key, entry in written.entries.items()} if written else {}
        for tag in built_in:
            names.setdefault(fold(tag), tag)
        return list(names.values())

    def sections(self) -> list[str]:
        """The written sections, in the order in which they first appeared."""
        return [section.name for section in self._sections.values()]

    def has_section(self, section: str) -> bool:
        """Whether a section is written, a default, or a generated transform or suite."""
        return fold(section) in self._sections or bool(self._built_in_tags(section))

    def has_written_section(self, section: str) -> bool:
        """Whether a section is written (or was set at run time), not built in."""
        return fold(section) in self._sections

    def is_written(self, section: str, tag: str) -> bool:
        """Whether a value was written (or set at run time), not built in."""
        found = self._sections.get(section.lower())
        return found is not None and tag.lower() in found.entries

    def is_empty(self, section: str, tag: str) -> bool:
        """Whether a tag is written without a value, and should have one."""
        found = self._sections.get(section.lower())
        entry = found.entries.get(tag.lower()) if found else None
        return entry is not None and not entry.value

    def where(self, section: str, tag: str = "") -> str:
        """``file:line [section]:tag`` for people and for Reason.line; without tag, the header."""
        name = f"[{section}]:{tag}" if tag else f"[{section}]"
        file, line = self._place(section, tag)
        if file:
            return f"{file}:{line} {name}" if line else f"{file} {name}"
        return f"built-in default {name}"

    def error(
        self, reason: str, section: str, tag: str = "", hint: str = "", missing: bool = False
    ) -> ConfError:
        """A ConfError at the line of ``section`` and ``tag``, or at the section's header."""
        file, line = self._place(section, tag)
        if not file:
            file, line = self._place(section, "")
        if len(reason) > MAX_REASON:
            reason = reason[:MAX_REASON] + "…"
        return ConfError(
            reason, file=file, line=line, section=section, tag=tag, hint=hint, missing=missing
        )

    @property
    def mend(self) -> str:
        """How an error of what counts now is mended; empty: in the file, as any."""
        return _MEND_ALTERED if self._read is not None else ""

    def place(self, error: ConfError) -> ConfError:
        """With its file and line, an error of who knows no more than the section and tag."""
        if error.section and not error.file:
            found = self.error(error.reason, error.section, error.tag)
            error.file, error.line = found.file, found.line
        return error

    def follow(self, section: str, tag: str, name: str) -> str:
        """Where the section that ``section``'s ``tag`` names is: its header, else that tag.

        ConfError where there is no such section.
        """
        if not self.has_section(name):
            hint = self.near(name, tag, self._led(section, tag))
            raise self.error(f"there is no section [{name}]", section, tag, hint, missing=True)
        return self.where(name) if self.has_written_section(name) else self.where(section, tag)

    def _led(self, section: str, tag: str) -> Collection[Kind]:
        """The kinds of section that a section's tag may name: of its own kind the one alone."""
        found = self._sections.get(key := fold(section))
        kind = _FIXED.get(key) or (likely_kind(found) if found else None)
        row = tag_of(kind, tag) if kind else None
        return (row.leads,) if row and row.leads else _named_by(fold(tag))

    def near(self, name: str, tag: str, kinds: Collection[Kind]) -> str:
        """A hint for the name of a section that is not there, and that a tag should name, of these
        kinds."""
        if fold(name) in self.removed:
            return "it was removed at run time"
        expected = " or ".join(kind.value for kind in kinds) or "a peer"
        expected = f"{tag} names a section: {expected}"
        if peer := self.get("Phase 1", name) if is_address(name) else None:
            return f"{expected}; did you mean {peer}?"
        if Kind.ID in kinds and is_traffic(name):
            return "; ".join((expected, *(f"a network stands in {one}" for one in _beside(tag))))
        words = _BETWEEN.split(name)
        if len(words) > 1 and all(self.has_section(word) for word in words):
            return f"is a comma missing: {', '.join(words)}?"
        kinds = kinds or (Kind.PEER,)
        if missing := headless(self._sections, kinds):
            return missing
        known = misnamed(name), self.likely(name, kinds)
        if any(known):
            return "; ".join(filter(None, known))
        return "; ".join(filter(None, (expected, only_unnamed(self._sections, kinds))))

    def likely(self, name: str, kinds: Collection[Kind]) -> str:
        """A hint with the written section of these kinds that a name looks like."""
        return likely_section(name, self._sections, kinds)

    @property
    def written(self) -> Mapping[str, Section]:
        """The written sections, by their folded names."""
        return MappingProxyType(self._sections)

    def begin(self) -> Transaction:
        """Open a transaction; nothing changes before its commit()."""
        return Transaction(self)

    def become(self, draft: Conf) -> None:
        """Say what ``draft`` says, which says what this said: who drops it can take its time."""
        for name in _SAID:
            ours = getattr(self, name)
            setattr(self, name, getattr(draft, name))
            setattr(draft, name, ours)
        if draft._read is self._read:
            draft._read = None
        self.generation += 1

    def again(self) -> Steps[Conf]:
        """What the file says now, without what transactions have set. ConfError where it is broken.

        Nothing has changed before become().
        """
        if self.path is None:
            raise ConfError("this configuration was not read from a file")
        return (yield from Conf.loading(self.path, self.opener))

    def dropped(self) -> Steps[None]:
        """Let go of what it says, once nobody asks for it."""
        yield from emptied(self._sections, self._read or {})

    def of_file(self) -> Conf:
        """What its file said when it was read, without what transactions have set."""
        return self if self._read is None else Conf(Parsed(self._read), self.path)

    def differing(self, other: Conf) -> Steps[frozenset[str]]:
        """The names of sections that appeared in ``other``, went, or hold other values."""
        old, new = self._sections, other._sections
        found = []
        for key, pause in pauses(old.keys() | new.keys()):
            one, two = old.get(key), new.get(key)
            if one is not two and _values(one) != _values(two):
                found.append((new.get(key) or old[key]).name)
            if pause:
                yield
        return frozenset(found)

    def _place(self, section: str, tag: str) -> tuple[str, int]:
        """File and line of a value or of a section's header; ("", 0) where it is built in."""
        found = self._sections.get(fold(section))
        if found is None:
            return "", 0
        if tag:
            entry = found.entries.get(fold(tag))
            return (entry.file, entry.line) if entry else ("", 0)
        return found.file, found.line

    @staticmethod
    def _is_plain(key: str, section: Section) -> bool:
        """Whether nothing is built in for a written section; most are so, and remember it."""
        section.plain = key not in _BUILT_IN and not generated(key)
        return section.plain

    def knows_all(self, kind: Kind, section: str) -> bool:
        """Whether a section has no tags but those of its kind, and all say something."""
        found = self._sections.get(key := fold(section))
        plain = found is not None and (found.plain or self._is_plain(key, found))
        if not plain or found is None or not found.entries.keys() <= FOLDED[kind].keys():
            return False
        return all(entry.value for entry in found.entries.values())

    def _built_in(self, key: str, tag: str) -> str | None:
        """The value of a tag in the section of that folded name, where none is written."""
        if known := _BUILT_IN.get(key):
            if (key, fold(tag)) == _IN_USE:
                return str(run_directory())
            if source := BORROWED.get((key, fold(tag))):
                return self._heeded(*source)
            return known.get(fold(tag), ("", None))[1]
        if made := generated(key):
            return next((value for name, value in made.items() if fold(name) == fold(tag)), None)
        return None

    def _heeded(self, section: str, tag: str) -> str | None:
        """What a default is borrowed from: of what is refused there, its own default."""
        text, row = self.get(section, tag), TAGS[Kind.GENERAL][tag]
        try:
            row.type.parse(text or row.default)
        except BadValue:
            return row.default or None
        return text or row.default or None

    def _built_in_tags(self, section: str) -> list[str]:
        key = fold(section)
        if key in _BUILT_IN:
            return [tag for tag, _ in _BUILT_IN[key].values()]
        return list(generated(section) or ())


@lru_cache(256)
def _named_by(tag: str) -> tuple[Kind, ...]:
    """What a tag of that folded name names, in whatever section."""
    rows = (row for tags in TAGS.values() for name, row in tags.items() if fold(name) == tag)
    return tuple(dict.fromkeys(row.leads for row in rows if row.leads))


def _beside(tag: str) -> list[str]:
    """The tag that has as a list what a section has that this one names."""
    return [selectors for identity, selectors in SIDES if fold(identity) == fold(tag)]


@cache
def _default(kind: Kind, tag: str) -> Any:
    """The value of a tag of which nothing is said."""
    row = TAGS[kind][tag]
    items = items_of(row.default) if row.every else [row.default] if row.default else []
    values = tuple(map(row.type.parse, items))
    if row.every:
        return values
    return values[0] if values else None


class Transaction:
    """Changes to a Conf that happen together at commit(), or not at all.

    What a change meets is looked at in commit(), which raises the first ConfError; values that
    cannot be written are refused at once. Changes made by others in between are kept.
    """

    def __init__(self, conf: Conf) -> None:
        self._conf = conf
        self._steps: list[tuple[str, Callable[[Conf], None]]] = []
        self._where = ""

    def at(self, where: str) -> None:
        """Where the changes that follow are written, for people: they are cited by it."""
        self._where = where

    def set(self, section: str, tag: str, value: str, override: bool = False) -> None:
        """Write a value. Fails at commit where the tag is already written, without ``override``."""
        place = self._check(section, tag, value)

        def step(conf: Conf) -> None:
            written = conf.is_written(section, tag) and not conf.is_empty(section, tag)
            if written and not override:
                raise conf.error(
                    "is already set", section, tag, hint="force replaces it, --force of isakmpctl"
                )
            _put(conf, section, tag, value, place)

        self._add(step)

    def add(self, section: str, tag: str, value: str) -> None:
        """Append to a comma list unless the value is in it."""
        place = self._check(section, tag, value)

        def step(conf: Conf) -> None:
            items = conf.get_list(section, tag)
            if value not in items:
                _put(conf, section, tag, ",".join([*items, value]), place)

        self._add(step)

    def remove_value(self, section: str, tag: str, value: str) -> None:
        """Take a value out of a comma list; the tag goes with the last one."""
        place = self._place()

        def step(conf: Conf) -> None:
            items = conf.get_list(section, tag)
            if value not in items:
                raise conf.error(f"{value!r} is not in this list", section, tag)
            rest = [item for item in items if item != value]
            if rest:
                _put(conf, section, tag, ",".join(rest), place)
            else:
                _drop(conf, section, tag)

        self._add(step)

    def remove(self, section: str, tag: str) -> None:
        """Remove a written tag."""
        self._add(lambda conf: _drop(conf, section, tag))

    def remove_section(self, section: str) -> None:
        """Remove a written section whole."""

        def step(conf: Conf) -> None:
            if conf._sections.pop(fold(section), None) is None:
                raise conf.error("no such section is written", section)
            conf._own.discard(fold(section))
            conf.removed |= {fold(section)}

        self._add(step)

    def draft(self) -> Conf:
        """What the configuration would be with the changes. ConfError: they cannot be made."""
        was = self._conf
        draft = Conf(Parsed(dict(was._sections), warnings=was.warnings), was.path)
        draft.opener, draft.removed = was.opener, was.removed
        draft._read = dict(was._sections) if was._read is None else was._read
        for where, step in self._steps:
            try:
                step(draft)
            except ConfError as error:
                raise _at(where, error) from None
        if sum(len(section.entries) for section in draft._sections.values()) > MAX_TRIPLETS:
            raise ConfError(f"more than {MAX_TRIPLETS} values")
        return draft

    def commit(self) -> frozenset[str]:
        """Make the changes; the sections that differ now. ConfError: none was made."""
        draft = self.draft()
        changed = at_once(self._conf.differing(draft))
        self._conf.become(draft)
        return changed

    def _add(self, step: Callable[[Conf], None]) -> None:
        self._steps.append((self._where, step))

    def _place(self) -> str:
        """What stands for a file in what is set."""
        return f"{RUN_TIME}, {self._where}" if self._where else RUN_TIME

    def _check(self, section: str, tag: str, value: str) -> str:
        """The place of a value. ConfError where it cannot be written."""
        reason = check_name(section, "section") or check_name(tag, "tag") or check_value(value)
        if reason or says_nothing(tag, value):
            reason = reason or NO_VALUE
            raise _at(self._where, ConfError(reason))
        return self._place()


def _at(where: str, error: ConfError) -> ConfError:
    """The error of a change, with where that is written."""
    if where in ("", at_run_time(error.file)):
        error.file = at_run_time(error.file)
        return error
    return ConfError(str(error), file=where, missing=error.missing)


def at_run_time(file: str) -> str:
    """Where a change is written, of the place of what it has set; any other place as it is."""
    return file.removeprefix(RUN_TIME).removeprefix(", ")


def read_file(path: Path, opener: Opener | None = None) -> Parsed:
    """Parse a file. ConfError where it cannot be read or must not hold its secrets."""
    return at_once(reading(path, opener))


def reading(path: Path, opener: Opener | None = None) -> Steps[Parsed]:
    """The same in steps, of which the first has the whole file."""
    data, info = octets_of(path, MAX_FILE_BYTES, opener)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or data[:2].count(0) == 1:
        hint = f"iconv -f UTF-16 -t UTF-8 {path}"
        raise ConfError("is UTF-16, and has to be UTF-8", file=str(path), hint=hint)
    yield
    # Comments may be in any encoding; what is not UTF-8 elsewhere is refused line by line.
    parsed = yield from parsing(data.decode("utf-8", "surrogateescape"), str(path))
    if secret := _secret(parsed):
        _check_secrecy(path, info, secret)
    return parsed


def _secret(parsed: Parsed) -> Entry | None:
    """The first pre-shared key of the file."""
    sections = parsed.sections.values()
    found = (section.entries.get(tag) for section in sections for tag in SECRET_TAGS)
    return next((entry for entry in found if entry and entry.value), None)


def _check_secrecy(path: Path, info: os.stat_result, secret: Entry) -> None:
    reason, hint = exposed(path, info)
    if reason:
        raise ConfError(reason, file=str(path), line=secret.line, section=secret.section,
                        tag=secret.tag, hint=hint)  # fmt: skip


def _accept(parsed: Parsed) -> Parsed:
    if parsed.errors:
        raise first_of(parsed.errors)
    return parsed


def first_of(errors: list[ConfError]) -> ConfError:
    """The first error, whose hint tells of the others."""
    first = errors[0]
    if len(errors) > 1:
        others = f"and {len(errors) - 1} more: isakmpd --check lists them"
        first.hint = f"{first.hint}; {others}" if first.hint else others
    return first


def all_of(errors: list[ConfError]) -> ConfError:
    """The first, whose hint tells the others, of what isakmpd --check cannot see."""
    first, *rest = errors
    told = [f"also: {str(error)[:MAX_REASON]}" for error in rest[:MAX_TOLD]]
    told += [f"and {len(rest) - MAX_TOLD} more"] * (len(rest) > MAX_TOLD)
    first.hint = "; ".join(filter(None, (first.hint, *told)))
    return first


def _put(conf: Conf, section: str, tag: str, value: str, place: str) -> None:
    found = _owned(conf, section, place)
    found.entries[fold(tag)] = Entry(found.name, tag, value, place, 0)


def _drop(conf: Conf, section: str, tag: str) -> None:
    if not conf.is_written(section, tag):
        raise conf.error("no such tag is written", section, tag)
    del _owned(conf, section).entries[fold(tag)]


def _owned(conf: Conf, section: str, place: str = RUN_TIME) -> Section:
    """A section that a draft may change: it shares all others with what it is a draft of."""
    key = fold(section)
    if key not in conf._own:
        was = conf._sections.get(key) or Section(section, place, 0)
        conf._sections[key] = replace(was, entries=dict(was.entries), _named=None, plain=False)
        conf._own.add(key)
    return conf._sections[key]


def _values(section: Section | None) -> dict[str, str] | None:
    if section is None:
        return None
    return {key: entry.value for key, entry in section.entries.items()}
