"""What a change of the configuration takes away: of a file that has evidently lost its list of
connections all, which is refused; else of each connection that is listed no more, which is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from isakmp.conf.parse import fold
from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.event.steps import Steps, pauses
from isakmp.policy.catalog import Catalog
from isakmp.policy.meant import MARKS_OF_CONNECTIONS
from isakmp.policy.overlaps import Overlaps
from isakmp.policy.reader import bypass_names, connection_names
from isakmp.policy.spd import Selector

# Pairs of networks that are told of a connection.
_TOLD = 5
_CUT_OFF = "write [Phase 2] and nothing below it where no connection is meant"
_UNLISTED = "list it in Connections or Passive-connections, or take its section away, too"


def refuse_without_lists(before: Conf, fresh: Conf) -> Steps[None]:
    """ConfError where a file lists no connection, another one did, and it was not meant so: it has
    no [Phase 2], or still has a connection, or lacks what [Phase 1] names.

    What was set at run time alone is forgotten, as with any file.
    """
    if connection_names(fresh) or not _listed(before):
        return
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
    held = _Held()
    for (_, traffic), pause in pauses(_traffic(now)):
        held.selectors.update(traffic)
        if pause:
            yield
    lines = []
    for (name, traffic), pause in pauses(_traffic(before)):
        if bare := [selector for selector in traffic if not held.has(selector)]:
            listed = name in now.connections or name in now.shut
            what = "has other traffic now" if listed else "is no longer configured"
            which = _pairs(bare) if listed or len(bare) < len(traffic) else "its traffic"
            rest = ", but for what others have" * any(map(held.meets, bare))
            lines.append(f"{name} {what}: {which} goes in clear{rest}")
        if pause:
            yield
    return lines


def _traffic(catalog: Catalog) -> Iterator[tuple[str, set[Selector]]]:
    """Of each connection what is protected or dropped."""
    for name, by_section in catalog.held():
        yield name, {selector for each in by_section.values() for selector in each}


def _pairs(bare: list[Selector]) -> str:
    """In order: a set has none."""
    pairs = [f"{selector.src} with {selector.dst}" for selector in sorted(bare, key=str)[:_TOLD]]
    return ", ".join([*pairs, *[f"{len(bare) - _TOLD} more"] * (len(bare) > _TOLD)])


class _Held:
    """Traffic that does not go in clear; most is asked for as it is."""

    def __init__(self) -> None:
        self.selectors: set[Selector] = set()

    @cached_property
    def _overlaps(self) -> Overlaps[Selector]:
        overlaps = Overlaps[Selector]()
        for selector in self.selectors:
            overlaps.add([selector], selector)
        return overlaps

    def has(self, selector: Selector) -> bool:
        """Whether one has all of that."""
        near = () if selector in self.selectors else self._overlaps.of([selector])
        return selector in self.selectors or any(one.whose.covers(selector) for one in near)

    def meets(self, selector: Selector) -> bool:
        """Whether one has some of it."""
        return any(self._overlaps.of([selector]))
