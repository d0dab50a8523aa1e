"""Packets that wait for a child SA, and what of a connection is asked for because of them.

RFC 7296 2.9. Of a connection that is up with less than it is for, the rest waits for a packet of
it: that is asked for beside what there is. Where the peer takes one pair of addresses at a time,
each packet's is asked for.
"""

from __future__ import annotations

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
from isakmp.sa import State
from isakmp.sa_database import SaDatabase


class Packets:
    """The last packet of each connection. entries: what is kept up, by name."""

    def __init__(self, sas: SaDatabase, entries: dict[str, Entry]) -> None:
        self._sas, self._entries = sas, entries
        self._last: dict[str, Selector] = {}
        self._single: set[str] = set()
        self._parts: dict[Flow, Traffic] = {}

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

    def waiting(self, connection: Connection) -> Selector | None:
        """The last packet that waits for an SA of a connection, or of the part of one that is
        asked for or renewed."""
        packet, entry = self._last.get(connection.name), self._entries.get(connection.name)
        traffic: tuple[Selector, ...] = (connection.selector,)
        if part := self.part(connection):
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

    def left(self, entry: Entry) -> Traffic | None:
        """What is to be brought up: all of a connection, or that part which no child SA carries and
        the packet that waits is of. None where it is up."""
        whole, packet = configured(entry.connection), self._last.get(entry.name)
        if not self._sas.is_up(entry.name):
            return whole
        if packet is None or self.by_pairs(entry.connection):
            return None
        found = self._sas.of_connection(entry.name)
        carrying = [child for child in found if child.state is State.ESTABLISHED]
        # A quick mode asks for all of it; nor is there more than that (RFC 2409 5.5).
        if any(child.parent is None for child in carrying):
            return None
        first = of_selector(packet)
        within = is_subset(first, whole)
        return rest(whole, first, [agreed(child) for child in carrying]) if within else None

    def ask(self, connection: Connection, part: Traffic) -> Connection:
        """A connection as that part of its traffic is asked for."""
        if part == configured(connection):
            return connection
        found = narrowed(connection, selectors(part, connection.pairs_max)[0])
        self._parts[found.name, found.selector] = part
        return found

    def asked(self, flow: Flow) -> bool:
        """It is asked for no more; whether that was a part."""
        return self._parts.pop(flow, None) is not None

    def part(self, connection: Connection) -> Traffic | None:
        """The traffic of a part that is asked for; None for what is no such part."""
        return self._parts.get((connection.name, connection.selector))
