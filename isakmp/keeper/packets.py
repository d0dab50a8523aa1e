"""Packets that wait for a child SA, and what of a connection is asked for because of them.

RFC 7296 2.9. Of a connection that is up with less than it is for, the rest waits for a packet of
it: that is asked for beside what there is. Where the peer takes one pair of addresses at a time,
each packet's is asked for.
"""

from __future__ import annotations

from typing import NamedTuple

from isakmp.keeper.entry import Entry
from isakmp.keeper.reqids import Flow
from isakmp.policy.catalog import narrowed
from isakmp.policy.spd import Connection, Selector, Traffic
from isakmp.policy.traffic import (
    agreed,
    configured,
    is_subset,
    of_selector,
    rest,
    selectors,
    selectors_of,
)
from isakmp.sa import ChildSa, State
from isakmp.sa_database import SaDatabase


class Request(NamedTuple):
    """A connection as it is asked for. part: that much of its traffic, None for all of it; before:
    the child SA whose place is taken."""

    connection: Connection
    part: Traffic | None = None
    before: ChildSa | None = None

    @property
    def flow(self) -> Flow:
        """As what it is known while it is asked for."""
        return self.connection.name, self.connection.selector


def once_more(child: ChildSa) -> Request:
    """What a child SA carries, to be asked for in its place."""
    return Request(narrowed(child.connection, child.selector), before=child)


class Packets:
    """The last packet of each connection. entries: what is kept up, by name."""

    def __init__(self, sas: SaDatabase, entries: dict[str, Entry]) -> None:
        self._sas, self._entries = sas, entries
        self._last: dict[str, Selector] = {}
        self._single: set[str] = set()

    def came(self, name: str, packet: Selector) -> None:
        """A packet waits for a connection of that name."""
        self._last[name] = packet

    def wait(self, name: str) -> bool:
        """Whether one waits for it."""
        return name in self._last

    def served(self, name: str) -> None:
        """It waits no more, or nobody is to wait for it."""
        self._last.pop(name, None)

    def forget(self, name: str) -> None:
        """The connection is gone, or has changed."""
        self.served(name)
        self._single.discard(name)

    def waiting(self, connection: Connection, part: Traffic | None = None) -> Selector | None:
        """The last packet that waits for an SA of a connection, or of the part of one that is
        asked for or renewed."""
        packet, entry = self._last.get(connection.name), self._entries.get(connection.name)
        traffic: tuple[Selector, ...] = (connection.selector,)
        if part is not None:
            traffic = selectors(part, connection.pairs_max)
        elif entry is not None and entry.connection.selector == connection.selector:
            traffic = selectors_of(connection)
        fits = packet is not None and any(each.overlaps(packet) for each in traffic)
        return packet if fits else None

    # --- by pairs of addresses ---------------------------------------------------------------

    def wants_pair(self, connection: Connection) -> None:
        """The peer takes one pair of addresses at a time: from now on the packet's is asked for."""
        self._single.add(connection.name)

    def by_pairs(self, connection: Connection) -> bool:
        """Whether a connection's child SAs are for one packet's pair of addresses."""
        return connection.single_pair or connection.name in self._single

    def lacking(self, connection: Connection) -> bool:
        """Whether nothing says which pair of addresses the next child SA would be for."""
        return self.by_pairs(connection) and self.waiting(connection) is None

    # --- what is left of a connection --------------------------------------------------------

    def serves(self, entry: Entry, child: ChildSa) -> bool:
        """Whether a child SA that has come carries the packet that waits, or nobody asks for
        another one because of that."""
        packet = self._part_of(entry)
        if packet is None or child.parent is None:
            return True
        return is_subset(of_selector(packet), agreed(child))

    def lacks(self, entry: Entry) -> bool:
        """Whether anything is to be brought up: it is not, or no child SA carries the packet that
        waits."""
        if not self._sas.is_up(entry.name):
            return True
        packet = self._part_of(entry)
        # A quick mode asks for all of it; nor is there more than that (RFC 2409 5.5).
        if packet is None or any(child.parent is None for child in self._up(entry)):
            return False
        first, near = of_selector(packet), self._sas.held.near(packet.dst)
        return not any(
            is_subset(first, agreed(child)) for child in near
            if child.connection.name == entry.name and child.state is State.ESTABLISHED
        )  # fmt: skip

    def _up(self, entry: Entry) -> list[ChildSa]:
        found = self._sas.of_connection(entry.name)
        return [child for child in found if child.state is State.ESTABLISHED]

    def _part_of(self, entry: Entry) -> Selector | None:
        """The packet that waits for a part of a connection beside what it has."""
        packet, connection = self._last.get(entry.name), entry.connection
        if packet is None or self.by_pairs(connection):
            return None
        return packet if is_subset(of_selector(packet), configured(connection)) else None

    def left(self, entry: Entry) -> Traffic | None:
        """What is to be brought up: all of a connection, or that part which no child SA carries and
        the packet that waits is of. None where it is up."""
        if not self.lacks(entry):
            return None
        connection, packet = entry.connection, self._part_of(entry)
        whole, had = configured(connection), [agreed(child) for child in self._up(entry)]
        if packet is None or not had:
            return whole
        return rest(whole, of_selector(packet), had, connection.pairs_max)

    def ask(self, connection: Connection, part: Traffic) -> Request:
        """A connection as that part of its traffic is asked for."""
        if part == configured(connection):
            return Request(connection)
        return Request(narrowed(connection, selectors(part, connection.pairs_max)[0]), part)
