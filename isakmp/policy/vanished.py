"""What a change of the configuration takes away: of a file that has evidently lost its list of
connections all, or of one a side of its traffic, which is refused; else of each connection that is
listed no more, which is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from isakmp.conf.parse import fold
from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.event.steps import Steps, pauses
from isakmp.policy.catalog import Catalog
from isakmp.policy.meant import MARKS_OF_CONNECTIONS, SIDES, Meant
from isakmp.policy.overlaps import Overlaps
from isakmp.policy.reader import bypass_names, connection_names
from isakmp.policy.spd import Selector

# Pairs of networks that are told of a connection.
_TOLD = 5
_CUT_OFF = "write [Phase 2] and nothing below it where no connection is meant"
_UNLISTED = "list it in Connections or Passive-connections, or take its section away, too"


def refuse_incomplete(before: Conf, fresh: Conf) -> Steps[None]:
    """ConfError where a file has evidently lost what another one said of what is protected.

    What was set at run time alone is forgotten, as with any file.
    """
    if connection_names(fresh):
        yield from _refuse_without_sides(before, fresh)
    elif _listed(before):
        yield from _refuse_without_lists(fresh)


def _refuse_without_sides(before: Conf, fresh: Conf) -> Steps[None]:
    """ConfError where nothing in the section of a connection says a side of its traffic any more,
    even with its slips mended: that would be the host alone, and its network in clear."""
    listed = set(map(fold, connection_names(before)))
    meant: Meant | None = None
    for name, pause in pauses(connection_names(fresh)):
        if pause:
            yield
        was, now = before.written.get(fold(name)), fresh.written.get(fold(name))
        if was is None or now is None or fold(name) not in listed:
            continue
        for side, whose in zip(SIDES, ("host", "peer"), strict=True):
            said = [e for tag in side if (e := was.entries.get(fold(tag))) and e.line]
            if not said or any(fold(tag) in now.entries for tag in side):
                continue
            meant = meant or (yield from Meant.of(fresh))
            meant.mend(name)
            if not any(meant.conf.is_written(name, tag) for tag in side):
                hint = f"write {side[0]} if the {whose} itself is meant"
                reason = f"{said[0].tag} was written, and is not there now: is the file cut off?"
                raise fresh.error(reason, name, hint=hint)


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


def in_clear(before: Catalog, now: Catalog) -> Steps[list[str]]:
    """Each connection of before some traffic of which is neither protected nor dropped now, a line
    each."""
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
    lines = []
    for name, traffic in gone.items():
        if bare := traffic - held - near.covered:
            listed = name in now.connections or name in now.shut
            what = "has other traffic now" if listed else "is no longer configured"
            which = _pairs(bare) if listed or len(bare) < len(traffic) else "its traffic"
            rest = ", but for what others have" * (not bare.isdisjoint(near.met))
            lines.append(f"{name} {what}: {which} goes in clear{rest}")
    return lines


def _traffic(catalog: Catalog) -> Iterator[tuple[str, set[Selector]]]:
    """Of each connection what is protected or dropped."""
    for name, by_section in catalog.held():
        yield name, {selector for each in by_section.values() for selector in each}


def _pairs(bare: set[Selector]) -> str:
    """In order: a set has none."""
    pairs = [f"{selector.src} with {selector.dst}" for selector in sorted(bare, key=str)[:_TOLD]]
    return ", ".join([*pairs, *[f"{len(bare) - _TOLD} more"] * (len(bare) > _TOLD)])


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
