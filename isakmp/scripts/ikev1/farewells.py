"""Farewells: Deletes of child SAs that their peer may have missed, as nobody confirms one, or that
could not be sent, as there was no ISAKMP SA; and of those that only the peer may have made.

RFC 2408 3.15. Who has missed one keeps a child SA that the other end has not, and sends into it.
They are said under the next ISAKMP SA with that peer, ever less often, for some minutes, and go on
under what takes its place; where its identity may be at several places, and nothing of it is left
at that one, also to who comes to a new one, as that may be the same. Until all of that is over they
are kept: what was said may not have been heard.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from isakmp.event.timer import Event
from isakmp.exchange.dialect import Dialect
from isakmp.exchange.exchange import Exchange, ExchangeOf, Host
from isakmp.sa import ChildSa, IsakmpSa, Peer, State
from isakmp.sa_database import SaDatabase
from isakmp.scripts.ikev1.informational import AGAIN_S, Info, delete_payload, tell

# Of so many peers the last ones of each: a Delete of all that is kept of one goes into a datagram.
PEERS_MAX, OF_ONE_MAX = 1024, 128
# To how many newcomers what belongs to another place is said.
ELSEWHERE_MAX = 4
# What is said again waits twice as long each time, for so long at most: ten times, in 511 s.
OFTEN_MAX_S = 256.0

Spi = tuple[int, int]
"""A protocol, and the SPI that we received with."""
Name = tuple[str, Hashable]
"""A peer's section, and what it proves itself by: the same at each address."""


class Stage(IntEnum):
    """Why something is said again and again. Each begins that once at most, and a later one also
    where an earlier one has begun it; what was said for the last one is not kept any more."""

    GIVEN_UP = 1
    """By the exchange that would have made it."""
    MISSED = 2
    """The peer shows that it may have missed it, or the ISAKMP SA has ended that it belonged to:
    another one may be there for long."""
    NEXT_SA = 3
    """A new ISAKMP SA is there."""


@dataclass(slots=True, eq=False)
class Series:
    """What is said together, again and again, under ``sa`` or what takes its place.

    borrowed: what belongs to another place; times: how often it was said; spis, told: what, and
    by what exchange.
    """

    stage: Stage
    sa: IsakmpSa | None = None
    borrowed: Collection[Spi] = ()
    times: int = 0
    spis: dict[int, list[bytes]] = field(default_factory=dict)
    told: ExchangeOf[Info] | None = None
    event: Event | None = None


@dataclass(slots=True)
class _Said:
    """What is kept of one peer, each once, the last ones last, and the series that says it, or has
    said it; elsewhere: to how many at other places it was said."""

    spis: dict[Spi, Series | None] = field(default_factory=dict)
    elsewhere: int = 0

    def of(self, series: Series) -> list[Spi]:
        """What is left of it."""
        return [spi for spi, its in self.spis.items() if its is series]

    def own(self) -> list[Spi]:
        """What belongs to this place."""
        return [spi for spi, its in self.spis.items() if its is None or spi not in its.borrowed]

    def trim(self) -> None:
        for old in list(self.spis)[:-OF_ONE_MAX]:
            del self.spis[old]


class Farewells:
    """Those of one engine."""

    def __init__(self) -> None:
        self._said: OrderedDict[Peer, _Said] = OrderedDict()
        self._named: dict[Name, dict[Peer, None]] = {}

    def said(self, child: ChildSa) -> None:
        """The peer of ``child`` was told of its end, or was to be told."""
        self._keep(child.peer, {(p.chosen.protocol, p.spi_in): None for p in child.protocols})

    def given_up(self, peer: Peer, spis: Iterable[Spi]) -> None:
        """``peer`` may have made child SAs with these SPIs of ours, and nobody here has."""
        known = self._said.get(peer, _Said()).spis
        self._keep(peer, {spi: known.get(spi) for spi in spis})

    def withdrawn(
        self, host: Host, dialect: Dialect[Exchange], sa: IsakmpSa, spis: Iterable[Spi]
    ) -> None:  # fmt: skip
        """The same, and it is told under ``sa``, for the first time."""
        series = Series(Stage.GIVEN_UP, sa)
        self._keep(sa.peer, dict.fromkeys(spis, series))
        self._say(host, dialect, sa.peer, series)

    def repeat(self, host: Host, dialect: Dialect[Exchange], sa: IsakmpSa) -> None:
        """Begin to say again under ``sa`` what its peer may have missed."""
        if series := self.begin(sa.peer, host.sas, Stage.MISSED):
            series.sa = sa
            self._say(host, dialect, sa.peer, series)

    def established(self, host: Host, dialect: Dialect[Exchange], sa: IsakmpSa) -> None:
        """The same of a new ISAKMP SA, where at once what was said under another one goes on."""
        peer, sas = sa.peer, host.sas
        running = dict.fromkeys(self._said[peer].spis.values()) if peer in self._said else {}
        came = sas.of_peer(peer) == [sa]
        begun = self.begin(peer, sas, Stage.NEXT_SA, came, sa.remote.shared)
        if begun:
            begun.sa = sa
        for series in filter(None, (*running, begun)):
            if series is begun or self._under(host, dialect, series) is not series.sa:
                self._say(host, dialect, peer, series)

    def begin(
        self, peer: Peer, sas: SaDatabase, stage: Stage, came: bool = False, shared: bool = True
    ) -> Series | None:  # fmt: skip
        """What is to be said again from now on, if there is something. came: nothing else is at
        the place of ``peer``, to which it may have come; shared: its section is for several, and
        the same name at another address for somebody else."""
        left = self._of_left(peer, sas, shared) if came else []
        known = self._said.get(peer, _Said()).spis
        own = [spi for spi, its in known.items() if its is None or its.stage < stage]
        if not left and not own:
            return None
        series = Series(stage, borrowed=frozenset(left))
        of_peer = self._of(peer)
        of_peer.spis.update(dict.fromkeys(own, series))
        rest = {spi: its for spi, its in of_peer.spis.items() if spi not in series.borrowed}
        of_peer.spis = {**dict.fromkeys(left, series), **rest}
        of_peer.trim()
        return series

    def to_say(self, peer: Peer, series: Series, sas: SaDatabase) -> dict[int, list[bytes]]:
        """Its SPIs of four octets by protocol, without those that something of ours has now."""
        found: dict[int, list[bytes]] = {}
        of_peer = self._said.get(peer, _Said())
        for protocol, spi in of_peer.of(series):
            if (protocol, spi) in sas.children:
                self._forget(peer, [(protocol, spi)])
            else:
                found.setdefault(protocol, []).append(spi.to_bytes(4, "big"))
        return found

    def _say(self, host: Host, dialect: Dialect[Exchange], peer: Peer, series: Series) -> None:
        """Once more, if there is an ISAKMP SA to say it under; else the next one goes on."""
        if series.event is not None:
            series.event.cancel()
        spis, sa = self.to_say(peer, series, host.sas), self._under(host, dialect, series)
        if not spis or sa is None:
            return
        if series.told is not None and (series.sa, series.spis) == (sa, spis):
            series.told.path = sa.path
            host.repeat(series.told)
        else:
            payloads = [delete_payload(*each) for each in spis.items()]
            series.told = tell(host, dialect, sa, payloads)
        series.sa, series.spis = sa, spis
        wait_s = AGAIN_S * 2**series.times
        series.times += 1
        if wait_s <= OFTEN_MAX_S:
            series.event = host.timers.add(
                "informational again", wait_s, self._say, host, dialect, peer, series
            )
        elif series.stage is Stage.NEXT_SA:
            self._forget(peer, self._said[peer].of(series))
        else:
            series.sa = series.told = None

    @staticmethod
    def _under(host: Host, dialect: Dialect[Exchange], series: Series) -> IsakmpSa | None:
        """That which it was said under, or what has taken its place, wherever its peer is now."""
        sa = series.sa
        if sa is None or sa.state is State.ESTABLISHED:
            return sa
        current = host.sas.current(sa.peer)
        if current is not None and current.dialect == dialect.name:
            return current
        return sa if sa.state is not State.DEAD else None

    def _of_left(self, peer: Peer, sas: SaDatabase, shared: bool) -> list[Spi]:
        """What belongs to places that the identity of ``peer`` has left."""
        found: list[Spi] = []
        for other in self._named.get(_name(peer), ()):
            said, another = self._said[other], shared and other[0] != peer[0]
            stays = other == peer or another or sas.of_peer(other)
            own = said.own()
            if own and not stays and said.elsewhere < ELSEWHERE_MAX:
                said.elsewhere += 1
                found += own
        return found

    def _keep(self, peer: Peer, spis: dict[Spi, Series | None]) -> None:
        if not spis:
            return
        of_peer = self._of(peer)
        of_peer.elsewhere = 0
        of_peer.spis = {k: v for k, v in of_peer.spis.items() if k not in spis} | spis
        of_peer.trim()

    def _of(self, peer: Peer) -> _Said:
        """What is kept of ``peer``, from now on at the last."""
        of_peer = self._said.setdefault(peer, _Said())
        self._named.setdefault(_name(peer), {})[peer] = None
        self._said.move_to_end(peer)
        if len(self._said) > PEERS_MAX:
            oldest = next(iter(self._said))
            self._forget(oldest, list(self._said[oldest].spis))
        return of_peer

    def _forget(self, peer: Peer, spis: Iterable[Spi]) -> None:
        of_peer = self._said[peer]
        for spi in spis:
            del of_peer.spis[spi]
        if not of_peer.spis:
            del self._said[peer], self._named[_name(peer)][peer]
            if not self._named[_name(peer)]:
                del self._named[_name(peer)]


def _name(peer: Peer) -> Name:
    return peer[0][:2]
