"""Ends of the toy protocol, each with an engine, on a clock and a network that seeds decide."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from random import Random
from types import SimpleNamespace
from typing import Any

from isakmp.app.none import Nothing
from isakmp.conf.store import Conf
from isakmp.constants import isakmp
from isakmp.errors import Reason, Refused
from isakmp.event.job import Job
from isakmp.event.timer import Timers
from isakmp.event.worker import HERE
from isakmp.exchange.engine import Engine
from isakmp.exchange.exchange import ExchangeOf
from isakmp.exchange.front import Front
from isakmp.log.log import Log
from isakmp.path import Path
from isakmp.policy.spd import Address, Remote
from isakmp.sa_database import SaDatabase
from isakmp.transport.memory import Memory
from regress.toy.dialect import PORT, Toy
from regress.toy.join import Join

NO_TICKET = 4
_OWNER: Any = SimpleNamespace(catalog=SimpleNamespace(names=lambda address: False))


class Tickets:
    """The authority of both ends. after_s: how long an answer takes, None: it never comes; times:
    how often each comes."""

    def __init__(self, timers: Timers, random: Callable[[int], bytes]) -> None:
        self._timers, self._random = timers, random
        self.after_s: Callable[[], float | None] = lambda: 0.1
        self.times = 1
        self._given: dict[bytes, tuple[str, str, bytes]] = {}
        self.jobs: list[Job[Any]] = []

    def ticket(self, us: str, them: str) -> Job[tuple[bytes, bytes]]:
        """Sixteen octets that stand for who asks, and whom it wants to speak to."""
        ticket, key = self._random(16), self._random(32)
        self._given[ticket] = us, them, key
        return self._later(Job.of((ticket, key)))

    def opened(self, us: str, ticket: bytes) -> Job[tuple[str, bytes]]:
        """Each once, for whom it was made."""
        them, whom, key = self._given.pop(ticket, ("", "", b""))
        if whom != us:
            reason = Reason("no-ticket", "nobody has given that ticket out for us")
            return self._later(Job.failed(Refused(reason, NO_TICKET)))
        return self._later(Job.of((them, key)))

    def _later(self, answer: Job[Any]) -> Job[Any]:
        job: Job[Any] = Job()
        self.jobs.append(job)
        for _ in range(self.times):
            if (seconds := self.after_s()) is not None:
                self._timers.add("ticket", seconds, job.take, answer)
        return job


class End:
    """One end. Whom it knows: everybody on the network, by its address."""

    def __init__(self, world: World, name: str, address: str) -> None:
        self.world, self.name, self.address = world, name, ip_address(address)
        self.timers, self.lines = Timers(lambda: world.now), list[str]()
        random = Random(f"{name} {world.seed}").randbytes
        self.transport = Memory(self._carry)
        self.engine = Engine(
            transmit=self.transport.send, unsent=self.transport.unsent, random=random,
            timers=self.timers, conf=Conf.from_text(""), app=Nothing(self.timers, random),
            log=Log(lambda: world.now, self.lines.append), sas=SaDatabase(), dialects={},
            owner=_OWNER, work=HERE,
        )  # fmt: skip
        self.engine.settings.retransmits = 6
        self.toy = Toy(name, world.tickets, self.remote_of)
        self.front = Front(self.engine, self.toy.receive)
        self.transport.start(self.front.receive, lambda path, data: None)

    def remote_of(self, path: Path) -> Remote:
        """Refused where nobody of ours is there."""
        other = self.world.ends.get(path.remote)
        if other is None:
            raise Refused(Reason("no-configuration", "nobody is expected at that address"))
        return Remote(other.name, other.address, PORT, isakmp.Exchange.ID_PROT, ())

    def _carry(self, path: Path, data: bytes) -> None:
        self.world.send(Path(path.remote, path.remote_port, path.local, path.local_port), data)

    def to(self, other: End) -> Path:
        """The way there."""
        return Path(self.address, PORT, other.address, PORT)

    def join(self, other: End) -> ExchangeOf[Join]:
        """Begin with another end."""
        path = self.to(other)
        return self.toy.begin_join(self.engine, self.remote_of(path), path)

    def causes(self) -> list[str]:
        """Why attempts have failed."""
        return [one.reason.cause for one in self.engine.outcomes.all() if one.reason]

    def at_rest(self) -> bool:
        """Whether nothing is left of any exchange."""
        engine = self.engine
        return not (engine.exchanges or len(engine.half_open) or self.timers.pending())


class World:
    """Two ends, whom they ask, and the network between them. share: of datagrams, that are lost, or
    come twice; each takes up to late_s."""

    def __init__(
        self, seed: int = 0, share: float = 0.0, late_s: float = 0.01,
        addresses: tuple[str, str] = ("192.0.2.1", "192.0.2.2"),
    ) -> None:  # fmt: skip
        self.seed, self.share, self.late_s = seed, share, late_s
        self.now = 0.0
        self._dice = Random(seed)
        self.wire = Timers(lambda: self.now)
        self.sent: list[tuple[Path, bytes]] = []
        self.lose: Callable[[bytes], bool] = lambda data: False
        self.tickets = Tickets(self.wire, Random(f"tickets {seed}").randbytes)
        self.ends: dict[Address, End] = {}
        self.west, self.east = self._add("west", addresses[0]), self._add("east", addresses[1])

    def _add(self, name: str, address: str) -> End:
        end = End(self, name, address)
        self.ends[end.address] = end
        return end

    def send(self, path: Path, data: bytes) -> None:
        """path: the receiver's."""
        self.sent.append((path, data))
        dice = self._dice
        copies = 0 if dice.random() < self.share else 1 + (dice.random() < self.share)
        if self.lose(data) or path.local not in self.ends:
            return
        for _ in range(copies):
            receive = self.ends[path.local].transport.receive
            self.wire.add("datagram", dice.uniform(0.001, self.late_s), receive, path, data)

    def run(self, seconds: float) -> None:
        """Let that time go by."""
        end = self.now + seconds
        clocks = [self.wire, *(each.timers for each in self.ends.values())]
        for _ in range(100_000):
            waits = [t for clock in clocks if (t := clock.timeout()) is not None]
            if not waits or self.now + min(waits) > end:
                self.now = end
                return
            self.now += min(waits) + 1e-9
            for clock in clocks:
                clock.run()
        raise AssertionError("the timers never rest")
