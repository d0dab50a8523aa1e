"""What a command's argument names: a connection, a peer by its section or its address, or one SA, a
child SA by an SPI, an ISAKMP SA by its cookies, as isakmpctl(8) shows them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from isakmp.conf.values import is_address
from isakmp.keeper.connection import Connections
from isakmp.policy.catalog import Catalog
from isakmp.policy.spd import Remote
from isakmp.sa import ChildSa, IsakmpSa
from isakmp.sa_database import SaDatabase

# An address with a port, as sa shows it.
_PLACE = re.compile(r"\[?([0-9a-f.:]+?)\]?:\d{1,5}", re.IGNORECASE)
_SPI = re.compile(r"(?:0x)?([0-9a-f]{8})", re.IGNORECASE)
_COOKIES = re.compile(r"([0-9a-f]{16}):?([0-9a-f]{16})?", re.IGNORECASE)


class Asked(NamedTuple):
    """Whom to ask for names. A name of the configuration goes before an SPI that looks like it."""

    connections: Connections
    catalog: Catalog
    sas: SaDatabase

    def names(self, text: str) -> list[str]:
        """The connections: that one, those with a peer, or those that an SA is of."""
        text = _without_port(text)
        entries = self.connections.entries
        if text in entries:
            return [text]
        found = [
            name for name, entry in entries.items()
            if text in _names_of(entry.remote)
        ]  # fmt: skip
        found += [child.connection.name for child in self.children(text)]
        return list(dict.fromkeys(found))

    def children(self, text: str) -> list[ChildSa]:
        """The child SAs: of a connection, of all with a peer, under an ISAKMP SA, or that one."""
        text = _without_port(text)
        if found := self.sas.of_connection(text):
            return list(found)
        if sas := self._isakmp(text):
            return list(dict.fromkeys(c for sa in sas for c in self.sas.children_of(sa)))
        if self._is_peer(text):
            every = self.sas.all_children()
            return [c for c in every if text in (c.connection.remote, str(c.path.remote))]
        spi = None if text in self.connections.entries else _SPI.fullmatch(text)
        return self.by_spi(int(spi[1], 16)) if spi else []

    def by_spi(self, spi: int) -> list[ChildSa]:
        """The child SAs that send or receive with it."""
        every = self.sas.all_children()
        return [c for c in every if any(spi in (p.spi_in, p.spi_out) for p in c.protocols)]

    def isakmp(self, text: str) -> list[IsakmpSa]:
        """The ISAKMP SAs with a peer, or that one, or those that child SAs have; where a connection
        has none, those with its peer, if that section is one peer's."""
        text = _without_port(text)
        own = [child.parent or self.sas.current(child.peer) for child in self.children(text)]
        if found := self._isakmp(text) or [sa for sa in dict.fromkeys(own) if sa]:
            return found
        entry = self.connections.entries.get(text)
        its_own = entry is not None and not entry.remote.shared
        return self._isakmp(entry.remote.name) if entry and its_own else []

    def is_known(self, text: str) -> bool:
        """Whether it names anything."""
        text = _without_port(text)
        there = text in self.connections.entries or self._is_peer(text)
        return there or bool(self.isakmp(text) or self.children(text))

    def _is_peer(self, text: str) -> bool:
        peers = self.catalog.remotes.values()
        return any(text in _names_of(peer) for peer in peers)

    def _isakmp(self, text: str) -> list[IsakmpSa]:
        every = list(self.sas.isakmp.values())
        if found := [sa for sa in every if text in (sa.remote.name, str(sa.path.remote))]:
            return found
        if not (match := _COOKIES.fullmatch(text)):
            return []
        first, second = (bytes.fromhex(half or "") for half in match.groups())
        return [
            sa for sa in every
            if (sa.cookies == first + second if second else first in (sa.cky_i, sa.cky_r))
        ]  # fmt: skip


def _without_port(text: str) -> str:
    """An address alone, where a port is behind it."""
    place = None if is_address(text) else _PLACE.fullmatch(text)
    return place[1] if place and is_address(place[1]) else text


def _names_of(peer: Remote) -> tuple[str, ...]:
    return (peer.name, str(peer.address)) if peer.address else (peer.name,)
