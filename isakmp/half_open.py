"""Half-open exchanges: begun by strangers, bounded, of an address and in all (the paper, 4.3.5).

Where there are too many a random one goes of those that got least far. A flood asks for that with
each of its messages, so none of them are looked through: they are kept by step and by address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from isakmp.exchange import Exchange
from isakmp.policy.spd import Address

AnyExchange = Exchange[Any]


class Ranked:
    """Exchanges by how far they got; any of those that got least far is at hand."""

    def __init__(self) -> None:
        self._lists: dict[int, list[AnyExchange]] = {}
        self._places: dict[AnyExchange, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, exchange: AnyExchange) -> bool:
        return exchange in self._places

    def __iter__(self) -> Iterator[AnyExchange]:
        return iter(self._places)

    def put(self, exchange: AnyExchange) -> None:
        """Keep an exchange at its step, and no longer at the one before."""
        if exchange in self._places:
            self.take(exchange)
        same = self._lists.setdefault(exchange.step, [])
        self._places[exchange] = exchange.step, len(same)
        same.append(exchange)

    def take(self, exchange: AnyExchange) -> None:
        """Forget an exchange; the last one of its step takes its place."""
        step, place = self._places.pop(exchange)
        last = self._lists[step].pop()
        if last is not exchange:
            self._lists[step][place] = last
            self._places[last] = step, place
        if not self._lists[step]:
            del self._lists[step]

    def least(self, draw: int) -> AnyExchange:
        """One of those that got least far; a script has few steps."""
        stuck = self._lists[min(self._lists)]
        return stuck[draw % len(stuck)]


def _beginning(exchange: AnyExchange) -> tuple[int, bytes, Address]:
    return exchange.dialect.version, exchange.cky_i, exchange.origin


class HalfOpen:
    """The half-open exchanges of one engine."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._all = Ranked()
        self._at: dict[Address, Ranked] = {}
        self._begun: dict[tuple[int, bytes, Address], AnyExchange] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, exchange: AnyExchange) -> bool:
        return exchange in self._all

    def __iter__(self) -> Iterator[AnyExchange]:
        return iter(self._all)

    def begun(self, version: int, cky_i: bytes, origin: Address) -> AnyExchange | None:
        """The one that a stranger began in that version with that cookie."""
        return self._begun.get((version, cky_i, origin))

    def add(self, exchange: AnyExchange) -> None:
        """A stranger has begun."""
        self._all.put(exchange)
        self._at.setdefault(exchange.origin, Ranked()).put(exchange)
        self._begun[_beginning(exchange)] = exchange

    def moved_on(self, exchange: AnyExchange) -> None:
        """An exchange waits at another step; one that is not half-open is none of ours."""
        if exchange in self._all:
            self._all.put(exchange)
            self._at[exchange.origin].put(exchange)

    def remove(self, exchange: AnyExchange) -> None:
        """An exchange is over, or open."""
        if exchange not in self._all:
            return
        self._all.take(exchange)
        here = self._at[exchange.origin]
        here.take(exchange)
        if not here:
            del self._at[exchange.origin]
        began = _beginning(exchange)
        if self._begun.get(began) is exchange:
            del self._begun[began]

    def surplus(self, origin: Address, peer_max: int, most: int) -> tuple[AnyExchange, str] | None:
        """The one that goes before another of that address comes, and why."""
        here = self._at.get(origin)
        if here and len(here) >= peer_max:
            return self._victim(here), "too many half-open exchanges with this address"
        if self._all and len(self._all) >= most:
            return self._victim(self._all), "too many half-open exchanges"
        return None

    def _victim(self, among: Ranked) -> AnyExchange:
        return among.least(int.from_bytes(self._random(4), "big"))
