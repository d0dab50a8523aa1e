"""Sections that a change does not touch, and that may be mistaken for one that it does.

Looked at along with a change, so that its answer tells of both. Bounded, as ipsecctl(8) makes
thousands of changes: they are found by what is written alike, and by traffic as it was last read; a
reload compares all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice

from isakmp.conf.parse import Section, fold
from isakmp.conf.store import Conf
from isakmp.conf.tags import SECRET_TAGS
from isakmp.errors import ConfError
from isakmp.policy.identity import Resolve
from isakmp.policy.overlaps import Overlaps
from isakmp.policy.reader import bypass_names, read_bypass, read_selectors_of
from isakmp.policy.spd import Connection
from isakmp.policy.traffic import selectors_of

_Sections = Mapping[str, Section]

# How many sections are looked at along, and how many are compared for it.
KIN_MAX = 20
COMPARED_MAX = 500


def kin(
    conf: Conf, changed: Collection[str], connections: Iterable[Connection], resolve: Resolve
) -> set[str]:
    """Their folded names. changed: the folded names of what a change matters to; connections: those
    that are in use."""
    others = [one for one in islice(connections, COMPARED_MAX) if fold(one.name) not in changed]
    found = _same_traffic(conf, islice(changed, KIN_MAX), others, resolve)
    alike = _written_alike(conf.written, changed)
    return {*islice(found, KIN_MAX), *islice(alike, KIN_MAX)}


def _same_traffic(
    conf: Conf, changed: Iterable[str], others: list[Connection], resolve: Resolve
) -> Iterator[str]:
    """Connections whose traffic overlaps that of a changed one, or of a changed bypass."""
    bypass, changes = set(map(fold, bypass_names(conf))), Overlaps[str]()
    for name in changed:
        section = conf.written.get(name)
        if section is None or not (name in bypass or _value(conf.written, name, "isakmp-peer")):
            continue
        try:
            if name in bypass:
                ours = read_bypass(conf, section.name)
            else:
                ours = read_selectors_of(conf, section.name, resolve)
        except ConfError:
            continue
        changes.add(ours, name)
    for one in others:
        several = len(one.traffic.local) + len(one.traffic.remote) > 2
        if any(changes.of(selectors_of(one) if several else (one.selector,))):
            yield fold(one.name)


def _written_alike(sections: _Sections, changed: Collection[str]) -> Iterator[str]:
    """Peers with the secret of a changed one, or its Remote-ID."""
    wanted = {mark for name in changed for mark in _marks(sections, name)}
    for name in sections if wanted else ():
        if name not in changed and any(mark in wanted for mark in _marks(sections, name)):
            yield name


def _marks(sections: _Sections, name: str) -> Iterator[tuple[str, object]]:
    """What a peer is told apart by."""
    for tag in SECRET_TAGS:
        if secret := _value(sections, name, tag):
            yield tag, secret
    if expected := sections.get(fold(_value(sections, name, "remote-id"))):
        values = expected.entries.items()
        yield "remote-id", frozenset((tag, fold(entry.value)) for tag, entry in values)


def _value(sections: _Sections, name: str, tag: str) -> str:
    section = sections.get(name)
    entry = section.entries.get(tag) if section else None
    return entry.value if entry else ""
