"""Whole daemons on a virtual clock and a virtual network, all of it from one seed."""

from __future__ import annotations

import heapq
import os
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path as FilePath
from random import Random
from struct import pack
from typing import BinaryIO

from isakmp.app.engine.base import Encap
from isakmp.app.engine.packet import build, parse
from isakmp.conf.store import Conf
from isakmp.constants import ikev2, isakmp
from isakmp.daemon import Daemon
from isakmp.errors import IsakmpError
from isakmp.event.timer import Args, Event, Timers
from isakmp.event.worker import HERE
from isakmp.log.log import Log
from isakmp.message import HEADER_SIZE, Header, parse_header
from isakmp.path import Path
from isakmp.policy.identity import no_interfaces
from isakmp.policy.spd import Address
from isakmp.transport.base import NON_ESP_MARKER
from isakmp.transport.memory import Memory
from regress.elsewhere import Elsewhere
from regress.sim.nat import Flow, Nat
from regress.sim.stack import Engine, Stack
from regress.sim.watch import Watch
from regress.sim.wire import MessageIds

Arrive = Callable[["Host", bytes], None]
Datagram = tuple["Host", bytes, Arrive]

EPOCH = 1_700_000_000.0
UDP = 17


class Found(Exception):
    """An invariant does not hold."""


@dataclass
class Faults:
    """What the network does to datagrams; probabilities, and seconds of delay.

    forgery: of a damaged copy that comes before the true one, where keys protect it.
    """

    loss: float = 0.0
    duplication: float = 0.0
    corruption: float = 0.0
    forgery: float = 0.0
    delay_s: float = 0.0
    partition: bool = False


@dataclass
class Aim:
    """Somebody takes the next messages of a kind from the network: what ``sender`` sends in
    exchanges of one type after their first message. left: how many more.

    The first of a quick mode, under an ISAKMP SA, is known by its octets however often it comes.
    """

    left: int = 0
    exchange_type: int = 0
    sender: Address | None = None
    _begun: dict[int, bytes] = field(default_factory=dict)

    def hits(self, header: Header, sender: Address, message: bytes) -> bool:
        """Whether this one is taken."""
        kind = header.exchange_type, sender, any(header.cky_r)
        if header.exchange_type == isakmp.Exchange.QUICK_MODE:
            first = self._begun.setdefault(header.message_id, message)
            if first == message:
                return False
        if not self.left or kind != (self.exchange_type, self.sender, True):
            return False
        self.left -= 1
        return True


WORK_S = (0.0, 0.001, 0.02, 0.3)
TURN_S = 0.002


class Clock:
    """Virtual seconds."""

    def __init__(self) -> None:
        self.now = 0.0


class Turns(Timers):
    """Those of a daemon that reads a configuration for a while, and meanwhile hears of others."""

    def add(
        self, name: str, delay_s: float, call: Callable[[*Args], object], *args: *Args
    ) -> Event:
        return super().add(name, max(delay_s, TURN_S if name == "reload" else 0.0), call, *args)


class Host:
    """One machine: a daemon with its key engine, or nothing where it is down.

    frozen_until: till then it stands still, and what comes waits, or is lost where it is deaf;
    unplugged: it has no address. apart: the key engine is a process of its own, which goes on
    without the daemon; elsewhere: others compute for the daemon.
    """

    def __init__(self, world: World, name: str, address: str, configuration: str) -> None:
        self.world, self.name, self.address = world, name, ip_address(address)
        self.configuration = configuration
        self.daemon: Daemon | None = None
        self.stack: Stack | None = None
        self.timers: Timers | None = None
        self.transport: Memory | None = None
        self.watch: Watch | None = None
        self.frozen_until = 0.0
        self.deaf = self.unplugged = self.apart = self.elsewhere = False
        self.wall_offset = 0.0
        self.received: Counter[int] = Counter()
        self.expected: set[int] = set()

    def __str__(self) -> str:
        return self.name

    @property
    def running(self) -> Daemon:
        """The daemon, which must be up."""
        if self.daemon is None:
            raise Found(f"{self} is down")
        return self.daemon

    @property
    def key_engine(self) -> Engine:
        """The key engine, which must be up."""
        if self.engine is None:
            raise Found(f"{self} has no key engine")
        return self.engine

    @property
    def engine(self) -> Engine | None:
        """The key engine, where there is one."""
        return self.stack.engine if self.stack else None

    def command(self, call: Callable[[Daemon], object]) -> None:
        """What an administrator types; it may be refused."""
        with suppress(IsakmpError):
            call(self.running)

    def reload(self, text: str) -> None:
        """A new file, and SIGHUP."""
        self.configuration = text
        conf = self.running.conf
        conf.path, conf.opener = FilePath("/isakmpd.conf"), self._open
        self.command(lambda daemon: daemon.reload())

    def _open(self, path: FilePath) -> BinaryIO:
        """The file as it is when it is read."""
        file = os.fdopen(os.memfd_create(path.name), "w+b")
        os.fchmod(file.fileno(), 0o600)
        file.write(self.configuration.encode())
        file.seek(0)
        return file

    def start(self) -> None:
        """Switch on, without any memory."""
        world = self.world
        timers = self.timers = Turns(lambda: world.clock.now)
        log = Log(self.wall, lambda line: world.trace(f"{self.name} {line}"), stamp=False)
        log.set_level(None, world.level)
        self.transport = Memory(world.carry_udp)

        if self.stack is None:
            now = lambda: world.clock.now  # noqa: E731
            self.stack = Stack(
                now, world.random_bytes, log, self.wall, self._out, self.arrived, self.apart
            )
        stack = self.stack
        self.daemon = Daemon(
            Conf.from_text(self.configuration), timers=timers, random=world.random_bytes,
            wall=self.wall, transport=self.transport, log=log,
            app=stack.speak_to(timers), esp_in=stack.esp_in, resolve=no_interfaces,
            source=lambda remote: None if self.unplugged else self.address,
            run_directory=FilePath("/nonexistent"),
            work=Elsewhere(timers, world.work_s) if self.elsewhere else HERE,
        )  # fmt: skip
        self.watch = Watch(self.daemon, stack, world.counts)
        self.daemon.start()

    def wall(self) -> float:
        """The clock on the wall, which may be set."""
        return EPOCH + self.world.clock.now + self.wall_offset

    def stop(self, gently: bool) -> None:
        """Switch off, with notice to the peer or without."""
        if self.daemon is None:
            return
        if gently:
            self.daemon.stop()
        else:
            assert self.transport
            self.transport.close()
        self.daemon = self.timers = self.transport = self.watch = None
        assert self.stack
        self.stack.leave()
        if not self.apart:
            self.stack.close()
            self.stack = None

    def _out(self, esp: bytes, src: Address, dst: Address, encap: Encap | None) -> None:
        """ESP in UDP goes by the daemon's socket."""
        if self.daemon is not None or encap is None:
            self.world.carry_esp(esp, src, dst, encap)

    @property
    def clocks(self) -> list[Timers]:
        """What may have to be done in time."""
        return [t for t in (self.timers, self.stack and self.stack.timers) if t]

    def kill_engine(self) -> None:
        """The key engine ends, where it is one of its own; the daemon goes on."""
        if self.stack is not None:
            self.stack.kill()

    def start_engine(self) -> None:
        """The key engine is there again, where it is not."""
        if self.stack is not None:
            self.stack.start_again()

    def refuse(self, times: int) -> None:
        """The key engine refuses the next SAs."""
        if self.engine is not None:
            self.engine.refusals = times

    @property
    def frozen(self) -> bool:
        """Whether the machine stands still; what comes meanwhile waits."""
        return self.world.clock.now < self.frozen_until

    def send(self, src: str, dst: str, number: int) -> None:
        """A clear packet from the network behind us."""
        if self.engine is not None and not self.frozen:
            self.world.trace(f"{self.name} sends packet {number}")
            payload = pack(">HHHHQ", 1000, 2000, 16, 0, number)
            self.engine.packet_out(build(ip_address(src), ip_address(dst), UDP, payload))

    def arrived(self, packet: bytes) -> None:
        """A clear packet for the network behind us."""
        headers = parse(packet)
        if headers is None or headers.protocol != UDP:
            raise Found(f"{self.name}: a packet arrives that nobody sent")
        number = int.from_bytes(packet[headers.payload + 8 : headers.payload + 16], "big")
        self.received[number] += 1
        if number not in self.expected:
            raise Found(f"{self.name}: packet {number} arrives, which nobody has sent here")
        if self.received[number] > 1:
            raise Found(f"{self.name}: packet {number} arrives twice")


class World:
    """Everything, and the next thing that happens in it. wrong: what was sent that should not."""

    def __init__(self, seed: int, level: int = 10, windows: tuple[int, int] = (1, 1)) -> None:
        self.wire, self.wrong = MessageIds(max(windows)), ""
        self.random = Random(seed)
        self.dice = Random(seed ^ 0x5EED)
        self.clock, self.level = Clock(), level
        self.faults, self.aim = Faults(), Aim()
        self.nat: Nat | None = None
        self.hosts: dict[Address, Host] = {}
        self.lines: deque[str] = deque(maxlen=1000)
        self.counts: Counter[str] = Counter()
        self._queue: list[tuple[float, int, Callable[[], object]]] = []
        self._order = 0
        self._recorded: deque[Datagram] = deque(maxlen=400)

    def work_s(self) -> float:
        """How long others compute for a daemon."""
        return self.dice.choice(WORK_S)

    def random_bytes(self, size: int) -> bytes:
        """The randomness of every daemon."""
        return self.random.randbytes(size)

    def trace(self, line: str) -> None:
        """Keep a line for whoever looks at a failure."""
        self.lines.append(f"{self.clock.now:9.3f} {line}")

    def add(self, name: str, address: str, configuration: str) -> Host:
        """One more machine, switched off."""
        host = Host(self, name, address, configuration)
        self.hosts[host.address] = host
        return host

    # --- network -----------------------------------------------------------------------------

    def at(self, when: float, call: Callable[[], object]) -> None:
        """Something that will happen."""
        self._order += 1
        heapq.heappush(self._queue, (when, self._order, call))

    def carry_udp(self, path: Path, data: bytes) -> None:
        """Take a UDP datagram on its way."""
        message = data[4:] if path.encap else data
        header = parse_header(message) if len(message) >= HEADER_SIZE else None
        if header is not None:
            self.wrong = self.wire.sent(header, message) or self.wrong
        flow = self._translate(Flow(path.local, path.local_port, path.remote, path.remote_port))
        if flow is None:
            return
        if header is not None and self.aim.hits(header, path.local, message):
            self.counts["aimed at and lost"] += 1
            return
        mirrored = Path(flow.dst, flow.dport, flow.src, flow.sport, path.encap)

        def arrive(host: Host, octets: bytes) -> None:
            if host.transport is not None:
                self.wire.answered(octets)
                if header is not None and octets is data:
                    self.wire.heard(header)
                host.transport.receive(mirrored, octets)

        self._carry(flow.dst, data, arrive)

    def carry_esp(self, esp: bytes, src: Address, dst: Address, encap: Encap | None) -> None:
        """Take an ESP packet on its way. A NAT knows nothing to do with it but in UDP."""
        sport, dport = encap or (0, 0)
        flow = self._translate(Flow(src, sport, dst, dport))
        if flow is None or (self.nat and not encap):
            return
        ports = (flow.sport, flow.dport) if encap else None

        def arrive(host: Host, octets: bytes) -> None:
            if host.stack is not None:
                host.stack.esp_in(octets, flow.src, flow.dst, ports)

        self._carry(flow.dst, esp, arrive)

    def _translate(self, flow: Flow) -> Flow | None:
        """As it goes on; None: it goes nowhere."""
        if (sender := self.hosts.get(flow.src)) and sender.unplugged:
            return None
        return self.nat.translate(flow) if self.nat else flow

    def _carry(self, to: Address, data: bytes, arrive: Arrive) -> None:
        host = self.hosts.get(to)
        if host is None:
            return
        faults, dice = self.faults, self.dice
        self.counts["datagrams"] += 1
        if faults.partition or dice.random() < faults.loss:
            self.counts["lost"] += 1
            return
        copies = 1 + (dice.random() < faults.duplication)
        self.counts["duplicated"] += copies - 1
        self._recorded.append((host, data, arrive))
        for _ in range(copies):
            when = self.clock.now + 0.002 + faults.delay_s * dice.random()
            if dice.random() < faults.forgery and is_protected(data):
                self.counts["forged"] += 1
                self._deliver(host, when, self._with_a_bit_changed(data), arrive)
            # Who changes phase 1 can hide a NAT from both ends, and with it end all ESP.
            open_to_it = self.nat is None or is_protected(data)
            if dice.random() < faults.corruption and open_to_it:
                self.counts["corrupted"] += 1
                self._deliver(host, when, self._with_a_bit_changed(data), arrive)
            else:
                self._deliver(host, when, data, arrive)

    def stray(self, src: Host, dst: Host) -> None:
        """ESP of an SA that nobody has."""
        esp = self.dice.randbytes(88)
        self.carry_esp(esp, src.address, dst.address, None)

    def replay(self, count: int) -> None:
        """Somebody sends datagrams again that went by a while ago."""
        recorded = list(self._recorded)
        for host, data, arrive in self.dice.choices(recorded, k=count if recorded else 0):
            self.counts["replayed"] += 1
            self._deliver(host, self.clock.now + self.dice.random(), data, arrive)

    def _with_a_bit_changed(self, data: bytes) -> bytes:
        index, bit = self.dice.randrange(len(data)), 1 << self.dice.randrange(8)
        return data[:index] + bytes([data[index] ^ bit]) + data[index + 1 :]

    def _deliver(self, host: Host, when: float, data: bytes, arrive: Arrive) -> None:
        def come() -> None:
            if host.unplugged or (host.frozen and host.deaf):
                self.counts["lost"] += 1
            elif host.frozen:
                self.at(host.frozen_until, come)
            else:
                arrive(host, data)

        self.at(when, come)

    # --- time --------------------------------------------------------------------------------

    def run(self, seconds: float, each: Callable[[], object]) -> None:
        """Let time pass; ``each`` is called after everything that happens."""
        end = self.clock.now + seconds
        while True:
            when, timers = self._next()
            if when > end:
                self.clock.now = end
                return
            self.clock.now = max(self.clock.now, when)
            if timers is not None:
                timers.run()
            else:
                heapq.heappop(self._queue)[2]()
            each()

    def _next(self) -> tuple[float, Timers | None]:
        """When the next thing happens, and whose timers it is of; None: the queue."""
        best = self._queue[0][0] if self._queue else float("inf")
        whose: Timers | None = None
        for host in self.hosts.values():
            for timers in host.clocks:
                if (wait := timers.timeout()) is not None:
                    when = max(self.clock.now + wait, host.frozen_until)
                    if when < best:
                        best, whose = when, timers
        return best, whose


def is_protected(data: bytes) -> bool:
    """Whether keys protect a datagram: ESP, or a message under an ISAKMP SA.

    Nothing does so before: who forges those of phase 1, or IKE_SA_INIT, can hinder it.
    """
    header = data[4:32] if data[:4] == NON_ESP_MARKER else data[:28]
    if header[17:18] == b"\x20":
        return header[18] != ikev2.Exchange.IKE_SA_INIT
    return header[17:18] != b"\x10" or any(header[20:24])
