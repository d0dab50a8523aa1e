"""Half-open exchanges: begun by strangers, bounded, of an address and in all (the paper, 4.3.5).

Where there are too many, one goes of those that got least far: a random one of an address that
[Phase 1] does not name itself, else one of a named address that has had its round trip; never the
newest. Strangers leave a share to the named. A flood asks for that with each of its messages, so
none of them are looked through: they are kept by step and by address.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from isakmp.errors import Reason
from isakmp.exchange.answers import ROUND_TRIP_S
from isakmp.exchange.exchange import Exchange, digest
from isakmp.path import Path
from isakmp.policy.spd import Address

# One of so many places is left to named addresses.
NAMED_SHARE = 4
# A refusal of a stranger counts as an exchange of his would, and after so long as half of one.
REFUSED_HALF_S = 5.0


class Ranked:
    """Exchanges by how far they got; any of those that got least far is at hand."""

    def __init__(self) -> None:
        self._lists: dict[int, list[Exchange]] = {}
        # By age, too: what has moved on is put last.
        self._places: dict[Exchange, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, exchange: Exchange) -> bool:
        return exchange in self._places

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self._places)

    def put(self, exchange: Exchange, step: int) -> None:
        """Keep an exchange at that step, and no longer at the one before."""
        place = self._places.pop(exchange, None)
        if place is not None:
            if place[0] == step:
                self._places[exchange] = place
                return
            self._fill(*place)
        same = self._lists.get(step)
        if same is None:
            same = self._lists[step] = []
        self._places[exchange] = step, len(same)
        same.append(exchange)

    def take(self, exchange: Exchange) -> None:
        """Forget an exchange."""
        self._fill(*self._places.pop(exchange))

    def _fill(self, step: int, place: int) -> None:
        """The last one of that step takes a place that is free now."""
        same = self._lists[step]
        last = same.pop()
        if place < len(same):
            same[place] = last
            self._places[last] = step, place
        elif not same:
            del self._lists[step]

    def least(self, draw: int) -> Exchange:
        """One of those that got least far; a script has few steps."""
        stuck = self._lists[min(self._lists)]
        return stuck[draw % len(stuck)]

    def oldest(self) -> Exchange:
        """The one that has waited longest where it is."""
        return next(iter(self._places))


HERE = Reason("half-open-limit", "too many half-open exchanges with this address")
IN_ALL = Reason("half-open-limit", "too many half-open exchanges")


Mark = tuple[str, bytes, int]


class Here(Ranked):
    """Those of one address; begun: by dialect, the digest of the first message, and the port that
    it came from."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: dict[Mark, Exchange] = {}


@dataclass(slots=True)
class Place:
    """Where an exchange is kept: among the named or the strangers, of its address, and by which
    mark; since: when it came to the step that it is at."""

    kind: Ranked
    here: Here
    mark: Mark
    since: float


class HalfOpen:
    """The half-open exchanges of one engine. named: whether [Phase 1] names an address itself."""

    def __init__(self, random: Callable[[int], bytes], now: Callable[[], float]) -> None:
        self._random, self._now = random, now
        self._strangers, self._named = Ranked(), Ranked()
        self._newest: Exchange | None = None
        self._places: dict[Exchange, Place] = {}
        self._at: dict[Address, Here] = {}
        self._chosen: dict[tuple[str, bytes], Exchange] = {}
        self._refused, self._refused_at = 0.0, 0.0

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, exchange: Exchange) -> bool:
        return exchange in self._places

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self._places)

    def begun(self, dialect: str, datagram: bytes, path: Path) -> Exchange | None:
        """The one that a stranger began in that dialect with that message, from there. Another
        message with its cookie is none of it, nor is the same from another port: either may be
        somebody else's, and is answered where it came from."""
        here = self._at.get(path.remote)
        mark = dialect, digest(datagram), path.remote_port
        return here.begun.get(mark) if here is not None else None

    def chose(self, dialect: str, cookie: bytes) -> Exchange | None:
        """The one of that dialect for which we chose ``cookie``."""
        return self._chosen.get((dialect, cookie))

    def add(self, exchange: Exchange, *, named: bool) -> None:
        """A stranger has begun."""
        here = self._at.get(exchange.origin)
        if here is None:
            here = self._at[exchange.origin] = Here()
        kind = self._named if named else self._strangers
        kind.put(exchange, exchange.step)
        here.put(exchange, exchange.step)
        mark = exchange.dialect.name, exchange.first_in, exchange.path.remote_port
        self._places[exchange] = Place(kind, here, mark, self._now())
        here.begun[mark] = self._newest = exchange
        self._chosen[exchange.dialect.name, exchange.cky_r] = exchange

    def refused(self) -> None:
        """A stranger's offer was looked through for nothing, which costs more than one that fits,
        and leaves no exchange."""
        self._refused, self._refused_at = self._still_refused() + 1, self._now()

    def _still_refused(self) -> float:
        return self._refused * math.pow(0.5, (self._now() - self._refused_at) / REFUSED_HALF_S)

    def pressing(self, most: int) -> bool:
        """Whether strangers' exchanges and refusals of late are so many."""
        there = len(self._places)
        return there >= most or bool(self._refused) and there + self._still_refused() >= most

    def moved_on(self, exchange: Exchange) -> None:
        """An exchange waits at another step, and with it all that it is one of; one that is not
        half-open is none of ours."""
        root = exchange.root
        if place := self._places.get(root):
            place.kind.put(root, exchange.step)
            place.here.put(root, exchange.step)
            place.since = self._now()

    def remove(self, exchange: Exchange) -> None:
        """An exchange is over, or open."""
        place = self._places.pop(exchange, None)
        if place is None:
            return
        self._chosen.pop((exchange.dialect.name, exchange.cky_r), None)
        here, mark = place.here, place.mark
        place.kind.take(exchange)
        here.take(exchange)
        if self._newest is exchange:
            self._newest = None
        if here.begun.get(mark) is exchange:
            del here.begun[mark]
        if not here:
            del self._at[exchange.origin]

    def surplus(
        self, origin: Address, peer_max: int, most: int, *, named: bool
    ) -> tuple[Exchange | None, Reason] | None:
        """Who goes before another of that address comes, and why; None for who: the newcomer."""
        here = self._at.get(origin)
        if here is not None and len(here) >= peer_max:
            victim = self._aged(here) if named else self._any(here)
            return victim, HERE
        full = len(self._places) >= most
        crowded = not named and len(self._strangers) >= most - most // NAMED_SHARE
        if self._places and (full or crowded):
            victim = self._any(self._strangers) or self._aged(self._named)
            return victim, IN_ALL
        return None

    def _any(self, among: Ranked) -> Exchange | None:
        """One of those that got least far, and not the newest; there may be no other."""
        if not among:
            return None
        draw = int.from_bytes(self._random(4), "big")
        for more in (0, 1):
            victim = among.least(draw + more)
            if victim is not self._newest:
                return victim
        return self._aged(among)

    def _aged(self, among: Ranked) -> Exchange | None:
        """The oldest, if it has had its round trip."""
        oldest = among.oldest() if among else None
        if oldest is None or self._now() - self._places[oldest].since < ROUND_TRIP_S:
            return None
        return oldest
