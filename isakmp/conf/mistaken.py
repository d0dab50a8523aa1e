"""Sections that are named where one of another kind belongs: a peer where a connection does, and
the other way round. What that is about is told once, and not each of their tags."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property

from isakmp.conf.kinds import Kind
from isakmp.conf.parse import Section, fold
from isakmp.conf.store import Conf

# The tags of a connection that name peers and identities; and what a section has that is none.
_LEADS = {"isakmp-peer": Kind.PEER, "local-id": Kind.ID, "remote-id": Kind.ID}
_SPELLED = {"isakmp-peer": "ISAKMP-peer", "local-id": "Local-ID", "remote-id": "Remote-ID"}
_OF_CONNECTIONS = frozenset(
    ("isakmp-peer", "local-id", "local-selectors", "remote-selectors", "esp-proposals")
)
_OF_PEERS = frozenset(
    ("address", "authentication", "key-exchange", "ike-proposals", "local-address")
)
# Sections that a hint names.
_TOLD = 3

Users = Mapping[str, Mapping[str, str]]
"""Of what a connection names, by its folded name: the connections, and the folded tag of each."""


def users_of(sections: Iterable[Section]) -> Users:
    """What the connections among these name."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for section in sections:
        for tag in _LEADS if "isakmp-peer" in section.entries else ():
            if entry := section.entries.get(tag):
                found[fold(entry.value)].setdefault(section.name, tag)
    return found


def is_connection(section: Section | None) -> bool:
    """Whether a section can be no peer, as it is a connection."""
    if section is None or "isakmp-peer" not in section.entries:
        return False
    return _OF_PEERS.isdisjoint(section.entries)


def connections_of(section: Section | None, users: Users) -> Mapping[str, str]:
    """Of a section that can be no connection those that name it, with the tag: one of these is
    meant where it is listed."""
    if section is None or not _OF_CONNECTIONS.isdisjoint(section.entries):
        return {}
    return users.get(fold(section.name), {})


class Mistaken:
    """Those of one configuration, which must not change meanwhile."""

    def __init__(self, conf: Conf) -> None:
        self._conf = conf

    def __call__(self, kind: Kind, name: str) -> tuple[str, str] | None:
        """What is wrong with a section that is of another kind than what names it is for, and what
        to write instead."""
        section = self._conf.written.get(fold(name))
        if kind is Kind.PEER and section and is_connection(section):
            return self._no_peer(section)
        # Quickly told from nearly all.
        if kind is not Kind.CONNECTION or not section or "isakmp-peer" in section.entries:
            return None
        by = connections_of(section, self._users)
        return self._no_connection(name, by) if by else None

    def _no_connection(self, name: str, by: Mapping[str, str]) -> tuple[str, str]:
        tag = next(iter(by.values()))
        free = [one for one in by if fold(one) not in self._listed]
        named = f"{' or '.join((free or list(by))[:_TOLD])}, whose {_SPELLED[tag]} it is"
        hint = f"did you mean {named}?" if free else f"take it out: {named}, is listed"
        return f"[{name}] is {_LEADS[tag].value}", hint

    def _no_peer(self, section: Section) -> tuple[str, str]:
        peer = peer_of(section, self._conf.written) or self._only_free
        hint = f"did you mean {peer}?" if peer else "it names the section with the peer's Address"
        return f"[{section.name}] is an IPsec connection", hint

    @cached_property
    def _users(self) -> Users:
        return users_of(self._conf.written.values())

    @cached_property
    def _listed(self) -> frozenset[str]:
        lists = ("Connections", "Passive-connections")
        return frozenset(
            fold(name) for tag in lists for name in self._conf.get_list("Phase 2", tag)
        )

    @cached_property
    def _only_free(self) -> str:
        """The peer that no connection names, where there is one alone."""
        others = ("id-type", *_OF_CONNECTIONS)
        free = [
            section.name
            for key, section in self._conf.written.items()
            if key not in self._users
            and not _OF_PEERS.isdisjoint(section.entries)
            and section.entries.keys().isdisjoint(others)
        ]
        return free[0] if len(free) == 1 else ""


def peer_of(section: Section, written: Mapping[str, Section]) -> str:
    """The peer that a connection names; empty where that is none."""
    peer = written.get(fold(section.entries["isakmp-peer"].value))
    return "" if peer is None or is_connection(peer) else peer.name
