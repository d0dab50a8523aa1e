"""Tags that a kind of section does not know, and that must not be ignored: what they say is not
heard, and less would be protected.

A tag of another kind of section, whose default is not harmless; and one of whatever name whose
value is traffic: strongSwan's ``leftsubnet``, or ``Local-subnet``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from isakmp.conf.kinds import Kind
from isakmp.conf.parse import Section, fold, items_of
from isakmp.conf.tags import FIXED, FOLDED, TAGS
from isakmp.conf.values import BadValue
from isakmp.policy.likely_selectors import likely_selectors

SIDES = ("Local-ID", "Local-selectors"), ("Remote-ID", "Remote-selectors")
"""What a side of a connection's traffic is read from, ours first."""
_WHOSE = (
    re.compile(r"local|left|source|src|near|^own|^our|^my"),
    re.compile(r"remote|right|dest|dst|peer|their|far"),
)
# What a section of a kind says of itself: where another kind's tag is beside, it is that, too.
_ALSO = {Kind.ID: "id-type"}
# Those whose tags only restrict what is said elsewhere, or are without effect.
_NOT_HELD = frozenset((Kind.PHASE_1, Kind.ID, Kind.BYPASS, Kind.MODE_CONFIG, Kind.INITIATOR))
_FIXED = frozenset(FIXED.values())
_INSTEAD = {Kind.CONNECTION: "ESP-proposals", Kind.PEER: "IKE-proposals"}
_ALGORITHMS = frozenset(("suites", "transforms", "ike-proposals", "esp-proposals"))


def misheld(kind: Kind, section: Section | None, name: str) -> str:
    """Where a tag belongs that has no effect in a section of this kind, and would protect more
    where it belongs; empty where there is no such place."""
    if section is None or kind in _NOT_HELD or fold(section.name) in section.named():
        return ""
    key = fold(name)
    owners = [one for one, tags in FOLDED.items() if key in tags and not tags[key].may_be_empty]
    if not owners or any(_ALSO.get(one) in section.entries for one in owners):
        return ""
    named = " or ".join(one.value for one in owners if one is not Kind.INITIATOR)
    if kind in _FIXED:
        return f"it belongs to {named}: is its header missing?"
    rows = TAGS[kind].items()
    leading = [next((tag for tag, row in rows if row.leads is one), "") for one in owners]
    found = list(dict.fromkeys(filter(None, leading)))
    place = f"the section that {' or '.join(found)} names" if found else named
    instead = _INSTEAD.get(kind) if key in _ALGORITHMS else None
    return f"it belongs to {place}" + (f"; here it is {instead}" if instead else "")


def names_algorithms(kind: Kind, section: Section | None, value: str) -> str:
    """The tag that an unknown one is meant for, as its value is keywords, which the section does
    not have: what it has by default instead may be weaker. Empty where it is none."""
    tag, items = _INSTEAD.get(kind, ""), items_of(value)
    if not tag or section is None or fold(tag) in section.entries or not items:
        return ""
    try:
        for item in items:
            TAGS[kind][tag].type.parse(item)
    except BadValue:
        return ""
    return tag


def is_traffic(value: str) -> bool:
    """Whether a value is a list of networks, ranges or addresses, however it is written."""
    found, certain = likely_selectors(value)
    return bool(found) and certain


def is_network(value: str) -> bool:
    """The same of one that has more than addresses."""
    found, certain = likely_selectors(value)
    return certain and any("/" in one or "-" in one for one in found)


def side_of(name: str) -> int | None:
    """Which side of the traffic the name of a tag speaks of: 0 ours, 1 theirs."""
    return next((side for side, whose in enumerate(_WHOSE) if whose.search(fold(name))), None)


def names_traffic(
    kind: Kind, name: str, like: str, value: str, find: Callable[[str], Section | None]
) -> tuple[str, ...]:
    """The tags that an unknown one may be meant for, as its value is traffic, or names an identity
    that is; none where it is not. like: the known tag that it looks like; find: a written section.
    """
    if kind is Kind.ID:
        return ("Network", "Netmask") if is_traffic(value) and not like else ()
    if kind is Kind.PEER and not like and is_network(value) and (at := side_of(name)) is not None:
        return (SIDES[at][1],)
    if kind not in (Kind.CONNECTION, Kind.BYPASS):
        return ()
    named = find(value)
    is_identity = named is not None and _ALSO[Kind.ID] in named.entries
    if not is_identity and not is_traffic(value):
        return ()
    side = side_of(like)
    side = side_of(name) if side is None else side
    sides = SIDES if side is None else (SIDES[side],)
    return tuple(tags[not is_identity or kind is Kind.BYPASS] for tags in sides)
