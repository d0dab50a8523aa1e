"""Farewells: Deletes of child SAs that their peer may have missed, as nobody confirms one, or that
could not be sent, as there was no ISAKMP SA; and of those that only the peer may have made.

RFC 2408 3.15. Who has missed one keeps a child SA that the other end has not, and sends into it.
They are said under the next ISAKMP SA with that peer; where its identity may be at several places,
and nothing of it is left at that one, also to who comes to a new one, as that may be the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from isakmp.sa import ChildSa, Peer, SaDatabase

# Of so many peers the last ones of each: a Delete of all that is kept of one goes into a datagram.
PEERS_MAX, OF_ONE_MAX = 1024, 128
# To how many newcomers what belongs to another place is said.
ELSEWHERE_MAX = 4

Spi = tuple[int, int]
"""A protocol, and the SPI that we received with."""
Name = tuple[str, Hashable]
"""A peer's section, and what it proves itself by: the same at each address."""


@dataclass(slots=True)
class _Said:
    """What is kept of one peer, each once, the last ones last; elsewhere: to how many at other
    places it was said."""

    spis: dict[Spi, None] = field(default_factory=dict)
    elsewhere: int = 0


class Farewells:
    """Those of one engine."""

    def __init__(self) -> None:
        self._said: OrderedDict[Peer, _Said] = OrderedDict()
        self._named: dict[Name, dict[Peer, None]] = {}

    def said(self, child: ChildSa) -> None:
        """The peer of ``child`` was told of its end, or was to be told."""
        self.given_up(child.peer, [(p.chosen.protocol, p.spi_in) for p in child.protocols])

    def given_up(self, peer: Peer, spis: Iterable[Spi]) -> None:
        """``peer`` may have made child SAs with these SPIs of ours, and nobody here has."""
        of_peer = self._said.setdefault(peer, _Said())
        self._named.setdefault(_name(peer), {})[peer] = None
        of_peer.elsewhere = 0
        for spi in spis:
            of_peer.spis.pop(spi, None)
            of_peer.spis[spi] = None
        for old in list(of_peer.spis)[:-OF_ONE_MAX]:
            del of_peer.spis[old]
        self._said.move_to_end(peer)
        if len(self._said) > PEERS_MAX:
            self._take(next(iter(self._said)))

    def to_repeat(
        self, peer: Peer, sas: SaDatabase, came: bool = False, shared: bool = True
    ) -> dict[int, list[bytes]]:
        """What is to be said again, once, by protocol: SPIs of four octets that nothing of ours
        has now. came: nothing else is at the place of ``peer``, to which it may have come; shared:
        its section is for several, and the same name at another address for somebody else."""
        spis = self._of_left(peer, sas, shared) if came else []
        spis += self._take(peer).spis
        found: dict[int, list[bytes]] = {}
        for protocol, spi in spis[-OF_ONE_MAX:]:
            if (protocol, spi) not in sas.children:
                found.setdefault(protocol, []).append(spi.to_bytes(4, "big"))
        return found

    def _of_left(self, peer: Peer, sas: SaDatabase, shared: bool) -> list[Spi]:
        """What belongs to places that the identity of ``peer`` has left."""
        found: list[Spi] = []
        for other in self._named.get(_name(peer), ()):
            said, another = self._said[other], shared and other[0] != peer[0]
            stays = other == peer or another or sas.of_peer(other)
            if not stays and said.elsewhere < ELSEWHERE_MAX:
                said.elsewhere += 1
                found += said.spis
        return found

    def _take(self, peer: Peer) -> _Said:
        said = self._said.pop(peer, None)
        if said is None:
            return _Said()
        of_name = self._named[_name(peer)]
        del of_name[peer]
        if not of_name:
            del self._named[_name(peer)]
        return said


def _name(peer: Peer) -> Name:
    return peer[0][:2]
