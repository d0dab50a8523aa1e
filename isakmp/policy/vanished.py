"""What a change of the configuration takes away: of a file that has evidently lost its list of
connections all, of a section a side of its traffic, or the end of a value, which is refused; else
what goes in clear of each connection, which is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from isakmp.conf.astray import SIDES
from isakmp.conf.kinds import Kind
from isakmp.conf.parse import Section, fold
from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.event.steps import Steps, pauses
from isakmp.policy.catalog import Catalog
from isakmp.policy.meant import MARKS_OF_CONNECTIONS, Meant
from isakmp.policy.overlaps import Overlaps
from isakmp.policy.reader import CONNECTION_LISTS, bypass_names, connection_names
from isakmp.policy.spd import Selector

# Pairs of networks that are told of a connection.
_TOLD = 5
_CUT_OFF = "write [Phase 2] and nothing below it where no connection is meant"
_UNLISTED = "list it in Connections or Passive-connections, or take its section away, too"
_ENDS = "if that is all, end its line, without a comma or a backslash"
# Without which more goes in clear: of a connection either side, of which the host or the peer alone
# is left, of a bypass our side, of which everybody is. What counts of a side stands last.
_NEEDED = {
    Kind.CONNECTION: tuple(
        (side, f"write {side[0]} if the {whose} itself is meant")
        for side, whose in zip(SIDES, ("host", "peer"), strict=True)
    ),
    Kind.BYPASS: (
        (("Local-selectors",), "write Local-selectors= 0.0.0.0/0, or ::/0, if everybody is meant"),
    ),
}
_Listed = tuple[Kind, str]
_OURS = "Local-address"
_TAGS = tuple(fold(tag) for side in SIDES for tag in side)

Said = dict[str, set[tuple[str | None, ...]]]
"""By folded name what sections said of their sides in files that counted: each may come back."""


def refuse_incomplete(before: Conf, fresh: Conf, said: Said) -> Steps[None]:
    """ConfError where a file has evidently lost what another one said of what is protected.

    What was set at run time alone is forgotten, as with any file. said: by the files before that
    one; filled with what that says.
    """
    was = before.of_file()
    _refuse_unended(was, fresh)
    if connection_names(fresh):
        listed = {(kind, fold(name)) for kind, name in _by_kind(before)}
        _refuse_without_list(was, fresh)
        yield from _refuse_without_sides(listed, was, fresh, said)
        yield from _refuse_without_address(listed, was, fresh, said)
    elif _listed(before):
        yield from _refuse_without_lists(fresh)


def refuse_without_sides(before: Conf, fresh: Conf) -> Steps[None]:
    """ConfError where a change takes from what was listed all that is said of a side."""
    listed = {(kind, fold(name)) for kind, name in _by_kind(before)}
    yield from _refuse_without_sides(listed, before, fresh, {}, "would be gone")


def _refuse_unended(was: Conf, fresh: Conf) -> None:
    """ConfError where a file may end within a value, of which it has the beginning alone."""
    if last := fresh.last:
        whole, left = was.get(last.section, last.tag, "") or "", last.value.rstrip(", ")
        if whole.startswith(left) and left != whole.rstrip(", "):
            reason = "there was more of it, and the file ends here: is it cut off?"
            raise fresh.error(reason, last.section, last.tag, _ENDS)


def _by_kind(conf: Conf) -> list[_Listed]:
    connections = [(Kind.CONNECTION, name) for name in connection_names(conf)]
    return [*connections, *((Kind.BYPASS, name) for name in bypass_names(conf))]


def _refuse_without_sides(
    listed: set[_Listed], before: Conf, fresh: Conf, said: Said,
    what: str = "is not there now: is the file cut off?",
) -> Steps[None]:  # fmt: skip
    """ConfError where nothing in the section of what was listed says a side of its traffic any
    more, or not what counted, and the file ends there, the slips of both mended. what: what is said
    of that."""
    meant: tuple[Meant, Meant] | None = None
    for (kind, name), pause in pauses(_by_kind(fresh)):
        if pause:
            yield
        key = fold(name)
        was, now = before.written.get(key), fresh.written.get(key)
        if not was or not now or (kind, key) not in listed or _is_same(was, now):
            continue
        if meant is None:
            meant = (yield from Meant.of(before)), (yield from Meant.of(fresh))
        was, now = (each.section(name) for each in meant)
        said.setdefault(key, set()).add(_sides(was))
        if _sides(now) in said[key]:
            continue
        for side, hint in _NEEDED[kind]:
            if lost := _lost(side, was, now):
                if any(fold(tag) in now.entries for tag in side):
                    if not _ends_there(fresh, lost, was, now):
                        continue
                    hint = f"write {lost} with what is meant"
                reason = f"{lost} was written, and {what}"
                raise fresh.error(reason, name, hint=hint)


def _refuse_without_address(
    listed: set[_Listed], before: Conf, fresh: Conf, said: Said
) -> Steps[None]:
    """ConfError where the peer's section says our address no more, of a connection that has it for
    its own side, the slips of both mended."""
    meant: Meant | None = None
    for name, pause in pauses(connection_names(fresh)):
        if pause:
            yield
        key, (was, now) = fold(name), _peers(before, fresh, name)
        if not was or not now or (Kind.CONNECTION, key) not in listed:
            continue
        old, new = (_value(section, "local-address") for section in (was, now))
        if old == new:
            continue
        said.setdefault(key, set()).add((old,))
        if new is not None or (None,) in said[key]:
            continue
        if meant is None:
            meant = yield from Meant.of(fresh)
        entries = meant.section(name).entries
        if entries.keys().isdisjoint(_TAGS[:2]) and not meant.conf.is_written(now.name, _OURS):
            hint = f"write {_OURS}= default if any address of the host is meant"
            reason = f"{_OURS} was written, and is not there now: is the file cut off?"
            raise fresh.error(reason, now.name, hint=hint)


def _peers(before: Conf, fresh: Conf, name: str) -> tuple[Section | None, Section | None]:
    """The section of the peer that a connection has had, and has, where it says no side of its own;
    none where that is another one."""
    was, now = (conf.written.get(fold(name)) for conf in (before, fresh))
    peer = now and _value(now, "isakmp-peer")
    same = was and peer and fold(_value(was, "isakmp-peer") or "") == fold(peer)
    if not now or not peer or not same or not now.entries.keys().isdisjoint(_TAGS[:2]):
        return None, None
    return before.written.get(fold(peer)), fresh.written.get(fold(peer))


def _is_same(was: Section, now: Section) -> bool:
    """Whether a section says what it said."""
    stays = all(_value(now, key) == entry.value for key, entry in was.entries.items())
    return stays and len(was.entries) == len(now.entries)


def _lost(side: tuple[str, ...], was: Section, now: Section) -> str:
    """The tag that counted of a side, where it is gone, and no other says anything new; or none."""
    said = [tag for tag in side if fold(tag) in was.entries]
    if not said or fold(said[-1]) in now.entries:
        return ""
    values = ((_value(was, fold(tag)), _value(now, fold(tag))) for tag in side)
    return "" if any(value not in (None, old) for old, value in values) else said[-1]


def _ends_there(fresh: Conf, lost: str, was: Section, now: Section) -> bool:
    """Whether a file may end where a tag was: nothing is behind it, of its section or of others."""
    line = was.entries[fold(lost)].line
    if any(entry.line > line for key, entry in was.entries.items() if key in now.entries):
        return False
    return _end(now) == max(map(_end, fresh.written.values()))


def _end(section: Section) -> int:
    """The last line that a section has."""
    return max((entry.line for entry in section.entries.values()), default=section.line)


def _sides(section: Section) -> tuple[str | None, ...]:
    """What it says of them."""
    return tuple(_value(section, key) for key in _TAGS)


def _value(section: Section, key: str) -> str | None:
    entry = section.entries.get(key)
    return entry.value if entry else None


def _refuse_without_list(was: Conf, fresh: Conf) -> None:
    """ConfError where one of two lists is gone, the other says nothing new, and a connection that
    it had is still there."""
    if any(
        fresh.is_written("Phase 2", tag)
        and fresh.get_list("Phase 2", tag) != was.get_list("Phase 2", tag)
        for tag in CONNECTION_LISTS
    ):
        return
    listed = set(map(fold, (*connection_names(fresh), *bypass_names(fresh))))
    for tag in CONNECTION_LISTS:
        for name in () if fresh.is_written("Phase 2", tag) else was.get_list("Phase 2", tag):
            section = fresh.written.get(fold(name))
            marks = section.entries.keys() & MARKS_OF_CONNECTIONS if section else ()
            if marks and fold(name) not in listed:
                reason = f"{tag} had it, and is not there now: is the file cut off?"
                raise fresh.error(reason, name, hint=_UNLISTED)


def _refuse_without_lists(fresh: Conf) -> Steps[None]:
    """ConfError where a file that lists no connection was not meant so: it has no [Phase 2], or
    still has a connection, or lacks what [Phase 1] names."""
    if not fresh.has_written_section("Phase 2"):
        reason = "there is no [Phase 2], and connections were listed there: is the file cut off?"
        raise ConfError(reason, file=str(fresh.path or ""), hint=_CUT_OFF)
    bypass = set(map(fold, bypass_names(fresh)))
    for (key, section), pause in pauses(fresh.written.items()):
        if key not in bypass and not MARKS_OF_CONNECTIONS.isdisjoint(section.entries):
            raise fresh.error("no connection is listed, and this looks like one", section.name,
                              hint=_UNLISTED)  # fmt: skip
        if pause:
            yield
    for tag, pause in pauses(fresh.tags("Phase 1")):
        peer = fresh.get("Phase 1", tag) or ""
        if not fresh.has_section(peer):
            reason = f"no connection is listed, and there is no section [{peer}]"
            raise fresh.error(reason, "Phase 1", tag, "is the file cut off?")
        if pause:
            yield


def _listed(conf: Conf) -> bool:
    """Whether there is a connection that a file may have had."""
    sections = (conf.written.get(fold(name)) for name in connection_names(conf))
    return any(section is None or section.line for section in sections)


def in_clear(before: Catalog, now: Catalog, when: str = "now") -> Steps[list[str]]:
    """Of each connection of before what is neither protected nor dropped now, and what a bypass
    lets pass now that did not before, a line each. when: what is said for now."""
    held = set[Selector]()
    for (_, traffic), pause in pauses(_traffic(now)):
        held |= traffic
        if pause:
            yield
    gone: dict[str, set[Selector]] = {}
    for (name, traffic), pause in pauses(_traffic(before)):
        if not traffic <= held:
            gone[name] = traffic
        if pause:
            yield
    near = _Near(selector for traffic in gone.values() for selector in traffic - held)
    for selector, pause in pauses(held if gone else ()):
        near.look(selector)
        if pause:
            yield
    lines, told = [], set[Selector]()
    for name, traffic in gone.items():
        if bare := traffic - held - near.covered:
            told |= bare
            listed = name in now.connections or name in now.shut
            what = f"has other traffic {when}" if listed else "is no longer configured"
            which = _pairs(bare) if listed or len(bare) < len(traffic) else "its traffic"
            rest = ", but for what others have" * (not bare.isdisjoint(near.met))
            lines.append(f"{name} {what}: {which} goes in clear{rest}")
    return lines + (yield from _let_pass(before, now, told))


def _let_pass(before: Catalog, now: Catalog, told: set[Selector]) -> Steps[list[str]]:
    """The lines of what a bypass lets pass. told: what goes in clear all the same."""
    passed = {each: name for name, traffic in now.bypass.items() for each in traffic}
    near = _Near(passed)
    former = (each for traffic in before.bypass.values() for each in traffic)
    for selector, pause in pauses(former if passed else ()):
        near.look(selector)
        if pause:
            yield
    fresh = [selector for selector in passed if selector not in near.covered]
    opened, lines = Overlaps[str](), []
    for selector in fresh:
        opened.add([selector], passed[selector])
    for (name, traffic), pause in pauses(_traffic(before) if fresh else ()):
        found: dict[str, set[str]] = {}
        for shared in (each for selector in traffic - told for each in opened.of([selector])):
            found.setdefault(shared.whose, set()).add(shared.networks)
        for bypass, pairs in found.items():
            what = f"what Bypass {bypass} lets pass of {_few(sorted(pairs))}"
            lines.append(f"{name}: {what} goes in clear")
        if pause:
            yield
    return lines


def _traffic(catalog: Catalog) -> Iterator[tuple[str, set[Selector]]]:
    """Of each connection what is protected or dropped."""
    for name, by_section in catalog.held():
        yield name, {selector for each in by_section.values() for selector in each}


def _pairs(bare: set[Selector]) -> str:
    """In order: a set has none."""
    return _few([f"{selector.src} with {selector.dst}" for selector in sorted(bare, key=str)])


def _few(pairs: list[str]) -> str:
    return ", ".join([*pairs[:_TOLD], *[f"{len(pairs) - _TOLD} more"] * (len(pairs) > _TOLD)])


class _Near:
    """Of traffic that nobody has as it is, which lies within what somebody has, and which meets
    it."""

    def __init__(self, bare: Iterable[Selector]) -> None:
        self.covered, self.met = set[Selector](), set[Selector]()
        self._bare = Overlaps[Selector]()
        for selector in bare:
            self._bare.add([selector], selector)

    def look(self, held: Selector) -> None:
        """Somebody has that."""
        for found in self._bare.of([held]):
            self.met.add(found.whose)
            if held.covers(found.whose):
                self.covered.add(found.whose)
