"""A key engine that only records, and a world around a back end and a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address

from isakmp.app.base import (
    Acquire,
    Direction,
    Expire,
    Mapping,
    PolicySpec,
    SaId,
    SaSpec,
    SpiRequest,
    UnknownSpi,
    Upcalls,
    Usage,
)
from isakmp.app.engine.drop import Drops
from isakmp.app.engine.server import Server
from isakmp.app.pf_key.backend import PfKey
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ApplicationError, NoSuchSa, Reason
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from isakmp.policy.spd import Address, Selector
from regress.app.pf_key.direct import DirectLink

US, THEM = ip_address("192.0.2.1"), ip_address("192.0.2.2")
ESP, TUNNEL = isakmp.Protocol.IPSEC_ESP, ipsec.Encapsulation.TUNNEL
NETS = Selector.of("10.1.0.0/16", "10.2.0.0/16")
OUT = SaSpec(ESP, 0x2001, US, THEM, TUNNEL, False, (NETS,), 7, ipsec.Esp.AES_GCM_16, bytes(20))
IN = SaSpec(
    ESP, 0x1001, THEM, US, TUNNEL, True, (NETS.reversed(),), 7, ipsec.Esp.AES_GCM_16, bytes(20)
)
OUT_POLICY = PolicySpec(Direction.OUT, NETS, src=US, dst=THEM, reqid=7)
IN_POLICY = PolicySpec(Direction.IN, NETS.reversed(), src=THEM, dst=US, reqid=7)
WALL = 1_700_000_000.0


def name_of(spec: SaSpec) -> SaId:
    return SaId(spec.protocol, spec.spi, spec.src, spec.dst)


class FakeEngine:
    """Keeps SAs and policies; larval SPIs count from 0x1001."""

    def __init__(self, events: Upcalls) -> None:
        self.events = events
        self.installed: dict[tuple[int, object], SaSpec] = {}
        self.larval: set[int] = set()
        self.spd: dict[tuple[Direction, Selector], tuple[int, PolicySpec]] = {}
        self.counts = Usage(3, 300, 60.25, 1.5, 2, 1)
        self.next_policy = 1
        self.sweeps = 0
        self.drops = Drops(Log(lambda: 0.0, lambda line: None))

    def get_spi(self, request: SpiRequest, spis: range) -> int:
        free = (spi for spi in range(max(spis.start, 0x1001), spis.stop) if spi not in self.larval)
        spi = next(free, 0)
        if not spi:
            raise ApplicationError("none is free")
        self.larval.add(spi)
        return spi

    def add(self, spec: SaSpec) -> None:
        if (spec.spi, spec.dst) in self.installed:
            raise ApplicationError("SPI in use")
        self.installed[spec.spi, spec.dst] = spec

    def update(self, spec: SaSpec) -> None:
        old = [key for key, sa in self.installed.items() if sa.spi == spec.spi]
        if spec.spi not in self.larval and not old:
            raise NoSuchSa("nothing to update")
        self.larval.discard(spec.spi)
        for key in old:
            del self.installed[key]
        self.installed[spec.spi, spec.dst] = spec

    def find(self, name: SaId) -> SaSpec:
        if (name.spi, name.dst) not in self.installed:
            raise NoSuchSa("no such SA")
        return self.installed[name.spi, name.dst]

    def delete(self, name: SaId) -> None:
        if name.spi in self.larval:
            self.larval.discard(name.spi)
            return
        self.find(name)
        del self.installed[name.spi, name.dst]

    def usage(self, name: SaId) -> Usage:
        self.find(name)
        return self.counts

    def sas(self) -> Iterator[SaSpec]:
        return iter(list(self.installed.values()))

    def flush(self) -> None:
        self.installed.clear()
        self.larval.clear()

    def add_policy(self, spec: PolicySpec) -> int:
        old = self.spd.get((spec.direction, spec.selector))
        number = old[0] if old else self.next_policy
        self.next_policy += not old
        self.spd[spec.direction, spec.selector] = number, spec
        return number

    def delete_policy(self, spec: PolicySpec) -> None:
        if self.spd.pop((spec.direction, spec.selector), None) is None:
            raise ApplicationError("no such policy")

    def policy(self, direction: Direction, selector: Selector) -> tuple[int, PolicySpec] | None:
        return self.spd.get((direction, selector))

    def policies(self) -> Iterator[tuple[int, PolicySpec]]:
        return iter(list(self.spd.values()))

    def migrate(self, spec: PolicySpec, src: Address, dst: Address) -> None:
        if (found := self.policy(spec.direction, spec.selector)) is None or found[1] != spec:
            raise ApplicationError("no such policy between these ends")
        for sa in list(self.sas()):
            if (sa.reqid, sa.src, sa.dst) == (spec.reqid, spec.src, spec.dst):
                self.update(sa._replace(src=src, dst=dst))
        self.add_policy(spec._replace(src=src, dst=dst))

    def sweep(self) -> None:
        self.sweeps += 1

    def flush_policies(self) -> None:
        self.spd.clear()


class Heard:
    """What a daemon was told."""

    def __init__(self) -> None:
        self.events: list[Acquire | Expire | Mapping | UnknownSpi] = []
        self.restarts = 0
        self.lost: list[Reason] = []

    def acquire(self, event: Acquire) -> None:
        self.events.append(event)

    def expire(self, event: Expire) -> None:
        self.events.append(event)

    def gone(self, reason: Reason) -> None:
        self.lost.append(reason)

    def restarted(self) -> None:
        self.restarts += 1

    def unknown_spi(self, event: UnknownSpi) -> None:
        self.events.append(event)

    def mapping(self, event: Mapping) -> None:
        self.events.append(event)


class World:
    """A back end over a direct link to a server with a recording engine."""

    def __init__(self) -> None:
        self.clock = 0.0
        self.timers = Timers(lambda: self.clock)
        self.server = Server(self._make, lambda: WALL + self.clock)
        self.heard = Heard()
        link = DirectLink(self.server.attach)
        self.app = PfKey(link, self.timers, wall=lambda: WALL + self.clock, pid=1)
        self.app.start(self.heard)

    def _make(self, events: Upcalls) -> FakeEngine:
        self.engine = FakeEngine(events)
        return self.engine

    def pass_time(self, seconds: float) -> None:
        self.clock += seconds
        self.timers.run()


class ScriptedLink:
    """A link whose other end is the test."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.open_now = False
        self.error: ApplicationError | None = None

    def open(self, receiver: object) -> None:
        if self.error:
            raise self.error
        self.open_now = True

    def send(self, data: bytes) -> None:
        if self.error:
            raise self.error
        self.sent.append(data)

    def wait(self, done: Callable[[], bool]) -> None:
        """What is not answered is not waited for."""

    def close(self) -> None:
        self.open_now = False
