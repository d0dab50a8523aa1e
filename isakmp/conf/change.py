"""What a change of the configuration does to it: the errors and warnings that it brings.

A change is weighed by the sections that it touches, those that lead to them, all that these
lead to, and what may be mistaken for them: where there are thousands of connections, most have
nothing to do with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from isakmp.conf.check import Faults, Judgement, judge_part
from isakmp.conf.defaults import BORROWED
from isakmp.conf.kin import kin
from isakmp.conf.parse import Entry, Parsed, Section, fold, items_of
from isakmp.conf.spelling import lent
from isakmp.conf.store import Conf, all_of, at_run_time
from isakmp.conf.tags import FIXED, LENT
from isakmp.errors import ConfError
from isakmp.policy.identity import Resolve
from isakmp.policy.spd import Connection
from isakmp.policy.supported import UNKNOWN, Stack

_FIXED = frozenset(map(fold, FIXED))
# Their values lead to all there is; only what a change touches of them is looked at.
_LISTS = frozenset(("phase 1", "phase 2"))

_Sections = Mapping[str, Section]


@dataclass(frozen=True)
class Weighed:
    """errors: those that a change brings; warnings: as well; part: the sections looked at; faults:
    those of them that cannot be used."""

    errors: list[ConfError]
    warnings: list[str]
    part: frozenset[str]
    faults: Faults

    def refuse(self, whole: bool) -> list[str]:
        """What is to be told of a change. ConfError where it must not be made.

        whole: nothing follows that could add what is missing.
        """
        if wrong := [error for error in self.errors if whole or not error.missing]:
            for error in wrong:
                error.file = at_run_time(error.file)
            raise all_of(wrong)
        return [f"not complete: {error}" for error in self.errors] + self.warnings

    def beside(self, faults: Faults) -> Faults:
        """What cannot be used in all. faults: of before the change."""
        others = {place: error for place, error in faults.items() if place[1] not in self.part}
        return others | dict(self.faults)


def weigh(
    before: Conf, after: Conf, resolve: Resolve, connections: Iterable[Connection] = (),
    stack: Stack = UNKNOWN,
) -> Weighed:  # fmt: skip
    """What ``after`` has wrong that ``before`` had not. connections: those that are in use."""
    leads, named_by = _links(before.written, after.written)
    above = _reach(set(_touched(before.written, after.written)), named_by)
    if _lent(before) != _lent(after):
        above.update(before.written, after.written)
    part = frozenset(_reach(above, leads))
    wide = part | _reach(kin(after, above, connections, resolve), leads)
    was, now = (judge_part(_only(conf, wide), resolve, stack=stack) for conf in (before, after))
    known = set(map(_key, was.errors))
    errors = [error for error in now.errors if _key(error) not in known]
    faults = {place: error for place, error in now.faults.items() if place[1] in part}
    return Weighed(errors, _new_warnings(was, now), part, faults)


def _lent(conf: Conf) -> list[object]:
    """What is the default of tags of any section, or why nothing is."""
    found: list[object] = [conf.get(*source) for source in BORROWED.values()]
    for tag in LENT:
        try:
            found.append(lent(conf, tag))
        except ConfError as error:
            found.append(error.reason)
    return found


def _key(error: ConfError) -> tuple[str, str, str]:
    return fold(error.section), fold(error.tag), error.reason


def _new_warnings(was: Judgement, now: Judgement) -> list[str]:
    known = set(was.warnings)
    return [text for text in now.warnings if text not in known]


def _touched(before: _Sections, after: _Sections) -> Iterator[str]:
    """What differs; of [Phase 1] and [Phase 2] the sections that are named there no longer, or
    only now."""
    for name in before.keys() | after.keys():
        if before.get(name) is after.get(name):
            continue
        old, new = (_values(sections.get(name)) for sections in (before, after))
        if old == new and (name in before) == (name in after):
            continue
        for tag in old.keys() | new.keys() if name in _LISTS else ():
            yield from _names(old.get(tag, "")) ^ _names(new.get(tag, ""))
        yield name


def _values(section: Section | None) -> dict[str, str]:
    entries = section.entries if section else {}
    return {tag: entry.value for tag, entry in entries.items()}


def _names(value: str) -> set[str]:
    """What a value may name."""
    return {fold(name) for name in (value, *items_of(value))}


def _links(*sides: _Sections) -> tuple[Mapping[str, set[str]], Mapping[str, set[str]]]:
    """What each section leads to, and what leads to it, but for the lists that lead to all."""
    leads: defaultdict[str, set[str]] = defaultdict(set)
    named_by: defaultdict[str, set[str]] = defaultdict(set)
    every = {id(section): (name, section) for side in sides for name, section in side.items()}
    for name, section in every.values():
        for other in () if name in _LISTS else section.named():
            leads[name].add(other)
            if name not in _FIXED:
                named_by[other].add(name)
    return leads, named_by


def _reach(start: Iterable[str], links: Mapping[str, set[str]]) -> set[str]:
    """What can be reached from there, the start with it."""
    found, waiting = set(start), list(start)
    while waiting:
        new = links.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def _only(conf: Conf, part: frozenset[str]) -> Conf:
    """A configuration of those sections alone, with what the lists say of them."""
    sections = {}
    for name, section in conf.written.items():
        if name in _LISTS:
            kept = (_narrowed(entry, part) for entry in section.entries.values())
            entries = {fold(entry.tag): entry for entry in kept if entry}
            sections[name] = Section(section.name, section.file, section.line, entries)
        elif name in part or name in _FIXED:
            sections[name] = section
    part_of = Conf(Parsed(sections))
    part_of.opener, part_of.removed = conf.opener, conf.removed
    return part_of


def _narrowed(entry: Entry, part: frozenset[str]) -> Entry | None:
    """A list without what is not looked at; None: nothing is left."""
    items = [item for item in items_of(entry.value) if fold(item) in part]
    return entry._replace(value=",".join(items)) if items else None
