"""Tags under the header of another section, as their own is missing: what they say is not heard.

Nobody could tell what there was to be protected. A connection's own header is missing where
another section has its tags too, and the lists have a name that is no section. One line below the
next header leaves its connection with a default: that is told where it counts for nothing there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from operator import attrgetter, itemgetter

from isakmp.conf.alike import ALIKE, most_alike
from isakmp.conf.astray import is_traffic
from isakmp.conf.kinds import Kind
from isakmp.conf.parse import Entry, Section, fold
from isakmp.conf.store import Conf
from isakmp.conf.tags import FIXED, FOLDED, tag_of
from isakmp.conf.tags_general import NEEDED_AT_START
from isakmp.conf.values import is_address
from isakmp.errors import ConfError
from isakmp.event.steps import Steps, pauses

# Looking for what is alike is slow: so many unknown tags are looked at.
_LOOKED_AT = 100
_KINDS = {fold(name): kind for name, kind in FIXED.items()}
_LISTS = ("Connections", "Passive-connections")
_FOLDED_LISTS = frozenset(map(fold, _LISTS))
_GENERAL = frozenset(map(fold, (*NEEDED_AT_START, "Block-when-stopped")))
_PEER = fold("ISAKMP-peer")
# Each tag that says a side of the traffic, and the other one of that side.
_SIDES = {"local-id": "local-selectors", "remote-id": "remote-selectors"}
_SIDES |= {other: tag for tag, other in _SIDES.items()}
# What no connection, nor its peer, has, and what a peer has alone.
_NO_SIDES = frozenset(map(fold, ("ID-type", "Network", "EXCHANGE_TYPE", "Suites")))
_OF_PEERS = frozenset(map(fold, ("Authentication", "Key-exchange", "IKE-proposals")))
# Ends of identities' types that are no peer's.
_NETWORKS = "_subnet", "_range"
# What a section has that is no connection.
_OTHERS = frozenset(
    tag for kind, tags in FOLDED.items() if kind not in FIXED.values() for tag in tags
) - frozenset(FOLDED[Kind.CONNECTION])


def misplaced(conf: Conf) -> Steps[list[ConfError]]:
    """An error for each section with such tags, at the first."""
    listed = [name for tag in _LISTS for name in conf.get_list("Phase 2", tag)]
    lost = [name for name in listed if not conf.has_section(name)]
    ours = frozenset(map(fold, listed))
    bypass = frozenset(map(fold, conf.get_list("Phase 2", "Bypass")))
    found, left, before = [], _LOOKED_AT, None
    for (line, key, section), pause in pauses(_headers(conf)):
        if before and (entry := _of_side(conf, key, section, line, before)):
            found.append(_below(entry, before))
        elif line != section.line:
            pass
        elif entry := _of_phase_2(key, section):
            found.append(_error(entry, "[Phase 2]"))
        elif entry := _of_phase_1(key, section):
            found.append(_error(entry, "[Phase 1]"))
        elif entry := _of_general(key, section):
            found.append(_error(entry, "[General]"))
        elif lost and (entry := _of_connection(key, section, ours, bypass)):
            found.append(_error(entry, f"[{lost[0]}]"))
        elif (kind := _KINDS.get(key)) not in (None, Kind.PHASE_2) and left > 0:
            unknown = [e for e in section.entries.values() if tag_of(kind, e.tag) is None]
            like = (e for e in unknown[:left] if most_alike(e.tag, _LISTS, ALIKE))
            found += [_error(entry, "[Phase 2]") for entry in [*like][:1]]
            left -= len(unknown)
        before = line, section
        if pause:
            yield
    return found


def _error(entry: Entry, whose: str) -> ConfError:
    return ConfError(
        f"{entry.tag} belongs to {whose}: is its header missing?", file=entry.file,
        line=entry.line, section=entry.section, tag=entry.tag, hint=f"write {whose} before it",
    )  # fmt: skip


def _below(entry: Entry, before: tuple[int, Section]) -> ConfError:
    _, owner = before
    return ConfError(
        f"{entry.tag} belongs to [{owner.name}], which has none: it counts for nothing here",
        file=entry.file, line=entry.line, section=entry.section, tag=entry.tag,
        hint=f"write it above [{entry.section}], or not at all",
    )  # fmt: skip


def _headers(conf: Conf) -> Iterable[tuple[int, str, Section]]:
    """Every header in its order, with the section that goes on there."""
    every = [(section.line, key, section) for key, section in conf.written.items()]
    again = [(line, key, section) for _, key, section in every for line in section.headers]
    return sorted(every + again, key=itemgetter(0)) if again else every


def _of_side(
    conf: Conf, key: str, section: Section, line: int, before: tuple[int, Section]
) -> Entry | None:
    """A side of the connection before, right below the header of a section that has its own, or can
    have none, or anywhere below one with a fixed name."""
    above, owner = before
    if _PEER not in owner.entries or owner.file != section.file or not 0 <= above < line:
        return None
    if section.headers:
        end = next((other for other in section.headers if other > line), sys.maxsize)
        every = (*section.entries.values(), *section.again)
        below = sorted((e for e in every if line < e.line < end), key=attrgetter("line"))
    else:
        below = list(section.entries.values())
    for entry in below if key in _KINDS else below[:1]:
        tag = fold(entry.tag)
        sides = {tag, _SIDES.get(tag, "")}
        if tag in _SIDES and sides.isdisjoint(owner.entries) and not _counts(conf, section, entry):
            return entry
    return None


def _counts(conf: Conf, section: Section, entry: Entry) -> bool:
    """Whether a side may be the section's own."""
    tag = fold(entry.tag)
    other = _SIDES[tag] in section.entries or any(fold(e.tag) == tag for e in section.again)
    if other or fold(section.name) in _KINDS or not _NO_SIDES.isdisjoint(section.entries):
        return False
    if _OF_PEERS.isdisjoint(section.entries):
        return True
    kind = fold(conf.get(entry.value, "ID-type") or "")
    return tag == "remote-id" and not (kind.endswith(_NETWORKS) or is_traffic(entry.value))


def _of_phase_2(key: str, section: Section) -> Entry | None:
    """A list of connections elsewhere."""
    if _KINDS.get(key) is Kind.PHASE_2 or _FOLDED_LISTS.isdisjoint(section.entries):
        return None
    return next(entry for tag, entry in section.entries.items() if tag in _FOLDED_LISTS)


def _of_phase_1(key: str, section: Section) -> Entry | None:
    """An address of a peer elsewhere, or the Default peer in a section with a fixed name."""
    kind = _KINDS.get(key)
    if kind is Kind.PHASE_1:
        return None
    for tag, entry in section.entries.items():
        # Quickly told from nearly all tags.
        if (tag[0].isdigit() or ":" in tag) and is_address(tag):
            return entry
    return section.entries.get("default") if kind else None


def _of_general(key: str, section: Section) -> Entry | None:
    """What a start needs, or an end, in another section with a fixed name."""
    if _KINDS.get(key) in (None, Kind.GENERAL) or _GENERAL.isdisjoint(section.entries):
        return None
    return next(entry for tag, entry in section.entries.items() if tag in _GENERAL)


def _of_connection(
    key: str, section: Section, listed: frozenset[str], bypass: frozenset[str]
) -> Entry | None:
    """The peer of a connection in a section that is something else, or another one."""
    for entry in section.again:
        if fold(entry.tag) == _PEER:
            return entry
    other = key in bypass or key in _KINDS or not _OTHERS.isdisjoint(section.entries)
    return section.entries.get(_PEER) if other and key not in listed else None
