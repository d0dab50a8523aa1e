"""The IPsec stack of a simulated machine: a key engine behind PF_KEY, which may refuse or die."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isakmp.app.base import SaSpec, SpiRequest, Upcalls
from isakmp.app.engine.base import Encap, Netif, Wire
from isakmp.app.engine.engine import KeyEngine
from isakmp.app.engine.server import Server
from isakmp.app.pf_key.backend import PfKey
from isakmp.app.pf_key.link import DirectLink, Receiver
from isakmp.errors import ApplicationError
from isakmp.log import Log
from isakmp.policy.spd import Address
from isakmp.timer import Timers

CarryEsp = Callable[[bytes, Address, Address, Encap | None], object]


class SimWire(Wire):
    """ESP onto the virtual network."""

    def __init__(self, carry: CarryEsp) -> None:
        self._carry = carry

    def send(
        self, esp: bytes, src: Address, dst: Address, encap: Encap | None,
        dont_fragment: bool, tos: int,
    ) -> None:  # fmt: skip
        self._carry(esp, src, dst, encap)


class SimNetif(Netif):
    """The network behind a host."""

    def __init__(self, arrived: Callable[[bytes], object]) -> None:
        self._arrived = arrived

    def deliver(self, packet: bytes) -> None:
        self._arrived(packet)


class Engine(KeyEngine):
    """A key engine that refuses what it is asked next, as if it had no room. refusals: how often"""

    refusals = 0

    def get_spi(self, request: SpiRequest) -> int:
        self._refuse()
        return super().get_spi(request)

    def add(self, spec: SaSpec) -> None:
        self._refuse()
        super().add(spec)

    def update(self, spec: SaSpec) -> None:
        self._refuse()
        super().update(spec)

    def _refuse(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ApplicationError("there is no room")


class Link(DirectLink):
    """A direct link to a key engine that may be gone."""

    def open(self, receiver: Receiver) -> None:
        super().open(receiver)
        self._receiver = receiver

    def lose(self) -> None:
        """The engine has been killed."""
        self.close()
        self._receiver.lost("it was killed")

    def join(self, attach: Callable[..., Any]) -> None:
        """Another engine is in its place, and knows nothing."""
        self._attach = attach
        super().open(self._receiver)
        self._receiver.up()


class Stack:
    """The key engine of one machine, or none where it has been killed; ``app`` speaks to it.

    carry: takes ESP to the network; arrived: hears of clear packets for the network behind.
    """

    def __init__(
        self, timers: Timers, random: Callable[[int], bytes], log: Log,
        wall: Callable[[], float], carry: CarryEsp, arrived: Callable[[bytes], object],
    ) -> None:  # fmt: skip
        self._wall = wall

        def make(events: Upcalls) -> Engine:
            return Engine(timers=timers, random=random, wire=SimWire(carry), log=log,  # type: ignore[abstract]
                          netif=SimNetif(arrived), events=events)  # type: ignore[abstract]  # fmt: skip

        self._make = make
        server = Server(make, wall)
        self.engine: Engine | None = server.engine
        self._link = Link(server.attach)
        self.app = PfKey(self._link, timers, wall=wall)

    def esp_in(
        self, packet: bytes, src: Address, dst: Address, encap: Encap | None = None
    ) -> None:  # fmt: skip
        """ESP has come from the network."""
        if self.engine is not None:
            self.engine.esp_in(packet, src, dst, encap)

    def close(self) -> None:
        """The machine is switched off."""
        if self.engine is not None:
            self.engine.close()
            self.engine = None

    def kill(self) -> None:
        """The engine ends, without a word."""
        if self.engine is not None:
            engine, self.engine = self.engine, None
            self._link.lose()
            engine.close()

    def start_again(self) -> None:
        """Another engine; its SAs and policies are the daemon's to give."""
        if self.engine is None:
            server = Server(self._make, self._wall)
            self.engine = server.engine
            self._link.join(server.attach)
