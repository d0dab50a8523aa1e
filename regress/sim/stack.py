"""The IPsec stack of a simulated machine: a key engine, which may refuse, and die when apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isakmp.app.base import Application, SaSpec, SpiRequest, Upcalls
from isakmp.app.engine.base import Encap, Netif, Wire
from isakmp.app.engine.embedded import Embedded
from isakmp.app.engine.engine import KeyEngine
from isakmp.app.engine.sad import SPIS
from isakmp.app.engine.server import Server
from isakmp.app.pf_key.backend import PfKey
from isakmp.app.pf_key.link import Receiver
from isakmp.errors import ApplicationError
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from isakmp.policy.spd import Address
from regress.app.pf_key.direct import DirectLink

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

    def get_spi(self, request: SpiRequest, spis: range = SPIS) -> int:
        self._refuse()
        return super().get_spi(request, spis)

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

    _receiver: Receiver | None = None

    def open(self, receiver: Receiver) -> None:
        super().open(receiver)
        self._receiver = receiver

    def close(self) -> None:
        super().close()
        self._receiver = None

    def lose(self) -> None:
        """The engine has been killed."""
        super().close()
        if self._receiver is not None:
            self._receiver.lost("it was killed")

    def join(self, attach: Callable[..., Any]) -> None:
        """Another engine is in its place, and knows nothing."""
        self._attach = attach
        if self._receiver is not None:
            super().open(self._receiver)
            self._receiver.up()


class Stack:
    """The key engine of one machine, or none where it has been killed. timers: its own.

    apart: it is a process of its own, spoken to in PF_KEY;
    carry: takes ESP to the network; arrived: hears of clear packets for the network behind.
    """

    def __init__(
        self, now: Callable[[], float], random: Callable[[int], bytes], log: Log,
        wall: Callable[[], float], carry: CarryEsp, arrived: Callable[[bytes], object],
        apart: bool,
    ) -> None:  # fmt: skip
        self._wall, self._apart, timers = wall, apart, Timers(now)
        self.timers = timers
        self._link: Link | None = None
        self.engine: Engine | None = None

        def make(events: Upcalls) -> Engine:
            self.engine = Engine(timers=timers, random=random, wire=SimWire(carry), log=log,  # type: ignore[abstract]
                                 netif=SimNetif(arrived), events=events)  # type: ignore[abstract]  # fmt: skip
            return self.engine

        self._make = make

    def speak_to(self, timers: Timers) -> Application:
        """What a new daemon speaks to it by; an engine of its own keeps what the last one left."""
        if not self._apart:
            return Embedded(self._make, lambda port: None)
        if self.engine is None:
            self._server = Server(self._make, self._wall)
        self._link = Link(self._server.attach)
        return PfKey(self._link, timers, wall=self._wall)

    def leave(self) -> None:
        """The daemon has been killed."""
        if self._link is not None:
            self._link.close()

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
        """The engine ends, without a word, where it is a process of its own."""
        if self.engine is not None and self._link is not None:
            engine, self.engine = self.engine, None
            self._link.lose()
            engine.close()

    def start_again(self) -> None:
        """Another engine; its SAs and policies are the daemon's to give."""
        if self.engine is None and self._link is not None:
            self._server = Server(self._make, self._wall)
            self._link.join(self._server.attach)
