"""Farewells: Deletes of child SAs that their peer may have missed, as nobody confirms one, or that
could not be sent, as there was no ISAKMP SA; and of those that only the peer may have made.

RFC 2408 3.15. Who has missed one keeps a child SA that the other end has not, and sends into it.
They are said under the next ISAKMP SA with that peer.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable

from isakmp.sa import ChildSa, Peer, SaDatabase

# Of so many peers the last ones of each: a Delete of all that is kept of one goes into a datagram.
PEERS_MAX, OF_ONE_MAX = 1024, 128

Spi = tuple[int, int]
"""A protocol, and the SPI that we received with."""


class Farewells:
    """Those of one engine."""

    def __init__(self) -> None:
        self._said: OrderedDict[Peer, deque[Spi]] = OrderedDict()

    def said(self, child: ChildSa) -> None:
        """The peer of ``child`` was told of its end, or was to be told."""
        self.given_up(child.peer, [(p.chosen.protocol, p.spi_in) for p in child.protocols])

    def given_up(self, peer: Peer, spis: Iterable[Spi]) -> None:
        """``peer`` may have made child SAs with these SPIs of ours, and nobody here has."""
        of_peer = self._said.setdefault(peer, deque(maxlen=OF_ONE_MAX))
        of_peer.extend(spis)
        self._said.move_to_end(peer)
        if len(self._said) > PEERS_MAX:
            self._said.popitem(last=False)

    def to_repeat(self, peer: Peer, sas: SaDatabase) -> dict[int, list[bytes]]:
        """What is to be said again, once, by protocol: SPIs of four octets that nothing of ours
        has now."""
        found: dict[int, list[bytes]] = {}
        for protocol, spi in self._said.pop(peer, ()):
            if (protocol, spi) not in sas.children:
                found.setdefault(protocol, []).append(spi.to_bytes(4, "big"))
        return found
