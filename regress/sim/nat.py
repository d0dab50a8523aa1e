"""A NAT between two hosts, which may forget what it knew."""

from __future__ import annotations

from typing import NamedTuple

from isakmp.policy.spd import Address

FIRST_PORT, STEP = 20000, 100


class Flow(NamedTuple):
    """The ends of a UDP datagram."""

    src: Address
    sport: int
    dst: Address
    dport: int


class Nat:
    """Hides ``inside`` behind ``outside``, with ports of its own."""

    def __init__(self, inside: Address, outside: Address) -> None:
        self.inside, self.outside = inside, outside
        self._first = FIRST_PORT
        self._ports: dict[int, int] = {}

    def rebind(self) -> None:
        """Forget every mapping; the next ones have other ports."""
        self._first += STEP
        self._ports.clear()

    def translate(self, flow: Flow) -> Flow | None:
        """As it looks behind the NAT; None: it knows nobody to give it to."""
        if flow.src == self.inside:
            port = self._ports.setdefault(flow.sport, self._first + len(self._ports))
            return flow._replace(src=self.outside, sport=port)
        if flow.dst != self.outside:
            return flow
        for inner, outer in self._ports.items():
            if outer == flow.dport:
                return flow._replace(dst=self.inside, dport=inner)
        return None
