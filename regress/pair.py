"""Whole daemons in one process: a network in memory, a virtual clock, and an application that
remembers what it was asked for.

    net = Network()
    west, east = net.host(WEST), net.host(EAST)
    net.start()
    net.run(10)

Everything is determined by the seeds, so a failing test fails again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, ip_address, ip_network
from math import inf, nextafter
from pathlib import Path as FilePath
from random import Random
from typing import Any, NamedTuple, TypeVar

from isakmp.app.base import PolicySpec, SaId, SaSpec, SpiRequest, Usage, larval
from isakmp.app.none import Nothing
from isakmp.conf.store import Conf
from isakmp.daemon import Daemon
from isakmp.errors import ApplicationError, Reason
from isakmp.event.job import Job
from isakmp.event.timer import Timers
from isakmp.event.worker import HERE
from isakmp.log.log import Log
from isakmp.message import Header, parse_header
from isakmp.path import Path
from isakmp.policy.identity import no_interfaces
from isakmp.policy.spd import Address
from isakmp.transport.memory import Memory
from regress.elsewhere import Elsewhere

EPOCH = 1_700_000_000.0
T = TypeVar("T")
_UNUSED = Usage(0, 0, 0.0, 0.0)


@dataclass(frozen=True)
class Gateway:
    """What a gateway's configuration says; text() writes it."""

    address: str
    peer_address: str
    peer: str
    connection: str
    local: str
    remote: str
    exchange: str = "ID_PROT"
    transforms: str = "AES-256-SHA2-256-GRP31"
    suites: str = "QM-ESP-AES-128-SHA2-256-SUITE"
    secret: str = "a secret of both"
    passive: bool = False
    general: str = ""
    peer_tags: str = ""
    connection_tags: str = ""
    more: str = ""

    def text(self) -> str:
        """The configuration file."""
        listed = "Passive-connections" if self.passive else "Connections"
        secret = f"Authentication= {self.secret}\n" if self.secret else ""
        return (
            f"[General]\n{self.general}\n"
            f"[Phase 1]\n{self.peer_address}= {self.peer}\n"
            f"[Phase 2]\n{listed}= {self.connection}\n"
            f"[{self.peer}]\nPhase= 1\nLocal-address= {self.address}\n"
            f"Address= {self.peer_address}\nConfiguration= phase-1\n"
            f"{secret}{self.peer_tags}\n"
            f"[{self.connection}]\nPhase= 2\nISAKMP-peer= {self.peer}\nConfiguration= phase-2\n"
            f"Local-ID= near\nRemote-ID= far\n{self.connection_tags}\n"
            f"{network_id('near', self.local)}{network_id('far', self.remote)}"
            f"[phase-1]\nEXCHANGE_TYPE= {self.exchange}\nTransforms= {self.transforms}\n"
            f"[phase-2]\nEXCHANGE_TYPE= QUICK_MODE\nSuites= {self.suites}\n{self.more}\n"
        )


def network_id(section: str, text: str) -> str:
    """A phase 2 identity's section: of an address or a network, ``tcp/80`` behind it or not."""
    where, _, rest = text.partition(" ")
    network = ip_network(where)
    if "/" in where:
        lines = (
            f"ID-type= IPV{network.version}_ADDR_SUBNET\nNetwork= {network.network_address}\n"
            f"Netmask= {network.netmask}\n"
        )
    else:
        lines = f"ID-type= IPV{network.version}_ADDR\nAddress= {where}\n"
    protocol, _, port = rest.partition("/")
    if protocol:
        lines += f"Protocol= {protocol}\n"
    if port:
        lines += f"Port= {port}\n"
    return f"[{section}]\n{lines}"


WEST = Gateway("192.0.2.1", "192.0.2.2", "east", "west-east", "10.1.0.0/16", "10.2.0.0/16")
EAST = Gateway(
    "192.0.2.2", "192.0.2.1", "west", "east-west", "10.2.0.0/16", "10.1.0.0/16", passive=True
)


def both(**changes: Any) -> tuple[Gateway, Gateway]:
    """West and east with the same changes."""
    return replace(WEST, **changes), replace(EAST, **changes)


class Recorder(Nothing):
    """Negotiates only, and remembers what it was asked for; refuses and waits on demand.

    refused: names of requests that fail; held: None, or the answers that wait for release();
    carried: what SAs have carried, and last: when carry() had them do so.
    """

    def __init__(self, timers: Timers, random: Callable[[int], bytes]) -> None:
        super().__init__(timers, random)
        self.sas: dict[SaId, SaSpec] = {}
        self.larval: list[int] = []
        self.policies: list[PolicySpec] = []
        self.groups: list[list[SaId]] = []
        self.carried: dict[int, Usage] = {}
        self.last: dict[int, float] = {}
        self.refused: set[str] = set()
        self.held: list[Callable[[], None]] | None = None
        self.closed = False

    def _answer(self, what: str, job: Job[Any]) -> Job[Any]:
        if what in self.refused:
            job = Job.failed(ApplicationError(f"{what} is refused"))
        if self.held is None:
            return job
        later: Job[Any] = Job()
        done = job

        def settle() -> None:
            if done.error is not None:
                later.fail(done.error)
            else:
                later.finish(done.result)

        self.held.append(settle)
        return later

    def release(self, count: int = 1000) -> None:
        """Give the oldest answers that wait."""
        for _ in range(count):
            if not self.held:
                return
            self.held.pop(0)()

    def close(self, block: bool = False) -> None:
        super().close()
        self.closed = True

    def get_spi(self, request: SpiRequest) -> Job[int]:
        job = super().get_spi(request)
        if "get_spi" not in self.refused and job.result is not None:
            self.larval.append(job.result)
        job = self._answer("get_spi", job)
        job.give_back = lambda spi: self.delete_sa(larval(request, spi))
        return job

    def add_sa(self, sa: SaSpec) -> Job[None]:
        if "add_sa" not in self.refused:
            self.sas[SaId(sa.protocol, sa.spi, sa.src, sa.dst)] = sa
            super().add_sa(sa)
        return self._answer("add_sa", Job.of(None))

    def update_sa(self, sa: SaSpec) -> Job[None]:
        if "update_sa" not in self.refused:
            for name in [n for n in self.sas if (n.protocol, n.spi) == (sa.protocol, sa.spi)]:
                self.sas.pop(name)
            self.sas[SaId(sa.protocol, sa.spi, sa.src, sa.dst)] = sa
            if sa.spi in self.larval:
                self.larval.remove(sa.spi)
            super().add_sa(sa)
        return self._answer("update_sa", Job.of(None))

    def move_sa(self, old: SaSpec, new: SaSpec) -> Job[None]:
        before = [spec.spi for spec in self.sas.values()]
        self.sas.pop(SaId(old.protocol, old.spi, old.src, old.dst), None)
        job = self.update_sa(new)
        # As with a kernel and the key engine, it becomes no newer.
        if old.spi in before:
            self.sas = dict(sorted(self.sas.items(), key=lambda each: before.index(each[1].spi)))
        return job

    def delete_sa(self, sa: SaId) -> Job[None]:
        self.sas.pop(sa, None)
        if sa.spi in self.larval:
            self.larval.remove(sa.spi)
        return self._answer("delete_sa", super().delete_sa(sa))

    def group(self, sas: list[SaId]) -> Job[None]:
        self.groups.append(sas)
        return self._answer("group", super().group(sas))

    def add_policy(self, policy: PolicySpec) -> Job[int]:
        self.policies = [p for p in self.policies if _key(p) != _key(policy)] + [policy]
        return self._answer("add_policy", super().add_policy(policy))

    def delete_policy(self, policy: PolicySpec) -> Job[None]:
        self.policies = [p for p in self.policies if p != policy]
        return self._answer("delete_policy", super().delete_policy(policy))

    def carry(self, spi: int) -> None:
        """One more packet, now."""
        was = self.carried.get(spi, _UNUSED)
        self.carried[spi] = replace(was, packets=was.packets + 1, octets=was.octets + 100)
        self.last[spi] = self._timers.now()

    def usage(self, sa: SaId) -> Job[Usage]:
        found = self.carried.get(sa.spi, _UNUSED)
        if sa.spi in self.last:
            found = replace(found, idle_s=self._timers.now() - self.last[sa.spi])
        return self._answer("usage", Job.of(found))


def _key(policy: PolicySpec) -> tuple[object, object]:
    return policy.direction, policy.selector


class Packet(NamedTuple):
    """A datagram on the wire; marked: a non-ESP marker goes before an IKE message."""

    src: Address
    sport: int
    dst: Address
    dport: int
    data: bytes

    @property
    def message(self) -> bytes:
        """The IKE message, without the marker."""
        return self.data[4:] if 4500 in (self.sport, self.dport) else self.data

    @property
    def header(self) -> Header:
        """The IKE message's header."""
        return parse_header(self.message)


class Nat:
    """Network address translation before one host: one outside address, ports made up."""

    def __init__(self, inside: str, outside: str, first_port: int = 20000) -> None:
        self.inside, self.outside = ip_address(inside), ip_address(outside)
        self._next = first_port
        self._ports: dict[int, int] = {}

    def rebind(self) -> None:
        """Forget every mapping: what goes out next gets new ports."""
        self._ports.clear()

    def out(self, packet: Packet) -> Packet:
        """A packet of the inside host as the world sees it."""
        if packet.sport not in self._ports:
            self._next += 1
            self._ports[packet.sport] = self._next
        return packet._replace(src=self.outside, sport=self._ports[packet.sport])

    def back(self, packet: Packet) -> Packet | None:
        """A packet to the outside address as the inside host sees it; None: no such mapping."""
        for inside, outside in self._ports.items():
            if outside == packet.dport:
                return packet._replace(dst=self.inside, dport=inside)
        return None


class Host:
    """One daemon on the network. text: its configuration; elsewhere_s: others compute for it, and
    take that long; options: the Daemon's."""

    def __init__(
        self, network: Network, address: str, text: str, seed: int = 0,
        elsewhere_s: float | None = None, **options: Any,
    ) -> None:  # fmt: skip
        self.network, self.address = network, ip_address(address)
        self.lines: list[str] = []
        self.random = Random(f"{address} {seed}").randbytes
        self.timers = Timers(lambda: network.now)
        self.log = Log(lambda: network.wall, self.lines.append)
        self.transport = Memory(self._carry)
        self.app = Recorder(self.timers, self.random)
        conf = options.pop("conf", None) or Conf.from_text(text)
        self.work = Elsewhere(self.timers, lambda: elsewhere_s) if elsewhere_s is not None else HERE
        chosen: dict[str, Any] = {
            "source": lambda _: self.address,
            "resolve": no_interfaces,
            "run_directory": FilePath("/nonexistent"),
            **options,
        }
        self.daemon = Daemon(
            conf, timers=self.timers, random=self.random, wall=lambda: network.wall,
            transport=self.transport, app=self.app, log=self.log, work=self.work, **chosen,
        )  # fmt: skip

    def _carry(self, path: Path, data: bytes) -> Reason | None:
        packet = Packet(path.local, path.local_port, path.remote, path.remote_port, data)
        if (reason := self.network.unsent(packet)) is None:
            self.network.send(packet)
        return reason

    def done(self, job: Job[T]) -> T:
        """What comes of a change of the configuration, once it is made; no time passes. Its error
        is raised."""
        for _ in range(10_000):
            if job.done:
                break
            self.timers.run()
        if job.error is not None:
            raise job.error
        assert job.done and job.result is not None
        return job.result

    def reload(self) -> list[str]:
        """The file is read again, to the end."""
        return self.done(self.daemon.reload())

    def receive(self, packet: Packet) -> None:
        """A packet has come."""
        encap = packet.dport == 4500
        path = Path(packet.dst, packet.dport, packet.src, packet.sport, encap)
        self.transport.receive(path, packet.data)

    @property
    def said(self) -> str:
        """All that was logged."""
        return "\n".join(self.lines)

    def rows(self, phase: int) -> list[dict[str, Any]]:
        """The SAs of that phase, as the status has them."""
        return [row for row in self.daemon.status()["sas"] if row["phase"] == phase]

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        """How exchanges ended."""
        found: list[dict[str, Any]] = self.daemon.status()["outcomes"]
        return found

    def reasons(self) -> list[str]:
        """Why exchanges failed: their causes."""
        return [o["reason"]["cause"] for o in self.outcomes if not o["ok"]]


@dataclass
class Network:
    """Hosts, the packets between them, and the time.

    lose: says which packets are lost; unsent: why one does not leave its host; history: every
    packet that was sent, as it left its host; set_clock_s: by how much every host's clock on the
    wall was set, which is no time that goes by.
    """

    now: float = 0.0
    set_clock_s: float = 0.0
    hosts: dict[Address, Host] = field(default_factory=dict)
    flying: deque[Packet] = field(default_factory=deque)
    history: list[Packet] = field(default_factory=list)
    nats: list[Nat] = field(default_factory=list)
    lose: Callable[[Packet], bool] = lambda packet: False
    unsent: Callable[[Packet], Reason | None] = lambda packet: None

    @property
    def wall(self) -> float:
        """Seconds since 1970."""
        return EPOCH + self.now + self.set_clock_s

    def host(self, gateway: Gateway, **options: Any) -> Host:
        """Add a daemon; start() starts it."""
        return self.add(gateway.address, gateway.text(), **options)

    def add(self, address: str, text: str, **options: Any) -> Host:
        """Add a daemon by its configuration's text."""
        host = Host(self, address, text, **options)
        self.hosts[host.address] = host
        return host

    def start(self) -> None:
        """Start every daemon, those that were added last first: they answer."""
        for host in reversed(list(self.hosts.values())):
            host.daemon.start()

    def kill(self, host: Host) -> None:
        """A daemon is gone, without a word to anybody."""
        host.transport.close()
        self.hosts.pop(host.address)

    def send(self, packet: Packet) -> None:
        """A host has sent a packet."""
        self.history.append(packet)
        if self.lose(packet):
            return
        for nat in self.nats:
            if packet.src == nat.inside:
                packet = nat.out(packet)
        self.flying.append(packet)

    def pump(self, limit: int = 10000) -> None:
        """Deliver everything that flies."""
        for _ in range(limit):
            if not self.flying:
                return
            self.deliver(self.flying.popleft())
        raise AssertionError(f"packets fly for ever: {self.flying[0]}")

    def deliver(self, packet: Packet) -> None:
        """Deliver one packet; what no host has is lost."""
        behind = [nat for nat in self.nats if packet.dst == nat.outside]
        if behind:
            found = next(filter(None, (nat.back(packet) for nat in behind)), None)
            if found is None:
                return
            packet = found
        host = self.hosts.get(packet.dst)
        if host is not None:
            host.receive(packet)

    def run(self, seconds: float) -> None:
        """Let that time go by."""
        end = self.now + seconds
        self.pump()
        for _ in range(100_000):
            waits = [t for h in self.hosts.values() if (t := h.timers.timeout()) is not None]
            wait = min(waits, default=inf)
            if self.now + wait > end:
                self.now = end
                return
            self.now = max(self.now + wait, nextafter(self.now, inf))
            for host in list(self.hosts.values()):
                host.timers.run()
            self.pump()
        raise AssertionError("the timers never rest")

    def until(self, reached: Callable[[], object], seconds: float = 60.0) -> None:
        """Let time go by, in steps, until something is so."""
        end = self.now + seconds
        while not reached():
            assert self.now < end, "it never came to that"
            self.run(0.25)


def up(
    west: Gateway = WEST, east: Gateway = EAST, seconds: float = 5.0, **options: Any
) -> tuple[Network, Host, Host]:
    """Two daemons that have had time to come up."""
    net = Network()
    hosts = net.host(west, **options), net.host(east, **options)
    net.start()
    net.run(seconds)
    return net, *hosts


def connected(host: Host, children: int = 1, parents: int = 1) -> bool:
    """Whether a host has exactly so many established SAs."""
    phase_1 = [r for r in host.rows(1) if r["state"] == "established"]
    phase_2 = [r for r in host.rows(2) if r["state"] == "established"]
    return (len(phase_1), len(phase_2)) == (parents, children)


def agree(west: Host, east: Host) -> None:
    """Both applications hold the same SAs, with the same keys, one inbound where one goes out."""

    def view(host: Host, inbound: bool) -> dict[tuple[int, int], tuple[bytes, bytes, Any]]:
        return {
            (spec.protocol, spec.spi): (spec.enc_key, spec.auth_key, spec.selectors)
            for spec in host.app.sas.values()
            if spec.inbound is inbound
        }

    assert view(west, True) == view(east, False)
    assert view(west, False) == view(east, True)
    assert not west.app.larval
    assert not east.app.larval


def stranger(data: bytes, to: Host, src: str = "198.51.100.7", port: int = 500) -> Packet:
    """A packet of somebody the hosts may not know."""
    assert isinstance(to.address, IPv4Address) or ":" in src
    return Packet(ip_address(src), port, to.address, 500, data)
