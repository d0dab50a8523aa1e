"""One seed: two gateways, a calm, a delete, a storm of faults, and calm again.

Invariants are checked at every step: no exception out of a handler, bounded state, both sides
agree on keys, no message ID serves twice. Once all is quiet: one SA pair for each connection, the
same at both ends, nothing in either SAD that the other lacks, traffic flows. While nothing is
lost on the network, no packet is lost, rekeying or not, and a delete is heard at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from random import Random

from isakmp.sa import ChildSa, State
from regress.sim.nat import Nat
from regress.sim.watch import HELD_MAX, LARVAL_MAX
from regress.sim.world import Faults, Found, Host, World

EXCHANGES_MAX, ISAKMP_MAX, CHILDREN_MAX, TIMERS_MAX, ANSWERED_MAX = 64, 64, 96, 400, 16
STORMS = (
    "net", "net", "net", "partition", "heal", "restart", "crash", "down", "up", "freeze", "wall",
    "reload", "rekey", "rebind", "replay", "edit", "spoil",
)  # fmt: skip
V4, V6 = ("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")
HIDDEN, OUTSIDE = ("198.18.0.1", "192.0.2.2"), "192.0.2.1"
SUITES = (
    "QM-ESP-AESGCM-128-SUITE",
    "QM-ESP-AESGCM-128-PFS-GRP31-SUITE",
    "QM-ESP-AES-SHA2-256-PFS-GRP31-SUITE",
)


@dataclass(frozen=True)
class Setting:
    """What differs from seed to seed. Lifetimes in seconds; outside: a is behind this NAT."""

    addresses: tuple[str, str]
    outside: str
    both_start: bool
    phase_1_s: int
    phase_2_s: int
    exchange: str
    suite: str
    connections: int

    @classmethod
    def draw(cls, dice: Random) -> Setting:
        """One at random."""
        a, b = dice.choice((V4, V4, V4, V6, HIDDEN))
        hidden = (a, b) == HIDDEN
        return cls(
            (a, b),
            OUTSIDE if hidden else "",
            dice.random() < 0.6 and not hidden,
            dice.choice((40, 60, 3600)),
            dice.choice((20, 30, 45)),
            dice.choice(("ID_PROT", "ID_PROT", "AGGRESSIVE")),
            dice.choice(SUITES),
            dice.choice((1, 1, 2)),
        )

    @property
    def names(self) -> list[str]:
        """The connections."""
        return [f"c{number}" for number in range(self.connections)]

    def configuration(self, end: int) -> str:
        """The file of end 0 or 1."""
        far = self.addresses[1 - end] if end == 0 else self.outside or self.addresses[0]
        listed = "Connections" if end == 0 or self.both_start else "Passive-connections"
        text = f"""
[General]
DPD-check-interval= 10
Check-interval= 10
Exchange-max-time= 25
Default-phase-1-lifetime= {self.phase_1_s},10:86400
Default-phase-2-lifetime= {self.phase_2_s},10:86400
[Phase 1]
{far}= peer
[Phase 2]
{listed}= {", ".join(self.names)}
[peer]
Phase= 1
Address= {far}
Configuration= phase-1
Authentication= simulated
[phase-1]
EXCHANGE_TYPE= {self.exchange}
Transforms= AES-128-SHA2-256-GRP31
[phase-2]
EXCHANGE_TYPE= QUICK_MODE
Suites= {self.suite}
"""
        return text + "".join(self._connection(end, number) for number in range(self.connections))

    def _connection(self, end: int, number: int) -> str:
        local, remote = network(end, number), network(1 - end, number)
        sections = [
            f"[c{number}]\nPhase= 2\nISAKMP-peer= peer\nConfiguration= phase-2\n"
            f"Local-ID= c{number}-local\nRemote-ID= c{number}-remote\n"
        ]
        for name, prefix in (("local", local), ("remote", remote)):
            sections.append(
                f"[c{number}-{name}]\nID-type= IPV4_ADDR_SUBNET\n"
                f"Network= {prefix}.0\nNetmask= 255.255.255.0\n"
            )
        return "".join(sections)


def network(end: int, number: int) -> str:
    """The first three octets of the network of a connection behind an end."""
    return f"10.{end + 1}.{number}"


class Play:
    """Everything that happens for one seed."""

    def __init__(self, seed: int, level: int = 10) -> None:
        self.dice = Random(seed * 7919 + 1)
        self.setting = Setting.draw(self.dice)
        self.world = World(seed, level)
        if self.setting.outside:
            inside, outside = self.setting.addresses[0], self.setting.outside
            self.world.nat = Nat(ip_address(inside), ip_address(outside))
        self.ends = [
            self.world.add(name, address, self.setting.configuration(end))
            for end, (name, address) in enumerate(zip("ab", self.setting.addresses, strict=True))
        ]
        self.sent: dict[int, Host] = {}

    def play(self) -> None:
        """All acts. Found, or whatever a daemon raises."""
        for end in self.ends:
            end.start()
        self.calm()
        self.delete()
        self.storm()
        self.recover()
        for end in self.ends:
            end.stop(gently=True)

    # --- acts --------------------------------------------------------------------------------

    def calm(self) -> None:
        """Nothing is lost on the network, so nothing may be lost in the tunnels."""
        choose = self.dice.choice
        self.world.faults = Faults(
            duplication=choose((0, 0, 0.2)), forgery=choose((0, 0.3)),
            delay_s=choose((0, 0, 0.02, 0.4)),
        )  # fmt: skip
        self.wait(5)
        self.until_quiet(120)
        packets = []
        for _ in range(160):
            packets += self.send_everywhere()
            self.wait(0.8)
        self.wait(2)
        self.must_have_come(packets, "while nothing was lost on the network")
        self.must_have_succeeded()
        self.world.faults = Faults()
        self.wait(1)
        self.until_quiet(120)

    def delete(self) -> None:
        """Where nothing is lost, a delete is heard at once."""
        end, name = self.dice.choice(self.ends), self.dice.choice(self.setting.names)
        end.running.teardown(name, 2)
        self.wait(3)
        for other in self.ends:
            for child in other.running.sas.of_connection(name):
                if child.established < self.world.clock.now - 3:
                    raise Found(f"{other} still has {child}, which {end} has deleted")
        self.start_again()
        self.wait(3)
        self.until_quiet(120)

    def storm(self) -> None:
        """One fault after the other, with traffic in between."""
        end = self.world.clock.now + self.dice.choice((40, 80))
        while self.world.clock.now < end:
            what, host = self.dice.choice(STORMS), self.dice.choice(self.ends)
            self.world.counts[what] += 1
            self.world.trace(f"--- {what} {host}")
            getattr(self, f"_{what}")(host)
            for _ in range(self.dice.randrange(1, 4)):
                self.send_everywhere()
                self.wait(self.dice.choice((0.2, 1, 3, 6)))

    def recover(self) -> None:
        """Faults end; in time everything is as it was in the beginning."""
        self.world.trace("--- calm")
        self.world.faults = Faults()
        for end in self.ends:
            end.frozen_until = 0.0
        self.start_again()
        self.wait(150)
        self.until_quiet(120)
        packets = self.send_everywhere()
        self.wait(2)
        self.must_have_come(packets, "after the storm")

    # --- faults ------------------------------------------------------------------------------

    def _net(self, host: Host) -> None:
        choose = self.dice.choice
        self.world.faults = Faults(
            choose((0, 0.1, 0.3)), choose((0, 0.1, 0.3)), choose((0, 0, 0.05)), choose((0, 0.05, 2))
        )

    def _partition(self, host: Host) -> None:
        self.world.faults.partition = True

    def _heal(self, host: Host) -> None:
        self.world.faults.partition = False

    def _restart(self, host: Host, gently: bool = True) -> None:
        host.stop(gently)
        self.wait(6 * self.dice.random())
        host.start()

    def _crash(self, host: Host) -> None:
        self._restart(host, gently=False)

    def _down(self, host: Host) -> None:
        host.command(lambda daemon: daemon.teardown(self.dice.choice(self.setting.names), 2))

    def _up(self, host: Host) -> None:
        host.command(lambda daemon: daemon.connect(self.dice.choice(self.setting.names)))

    def _freeze(self, host: Host) -> None:
        host.frozen_until = self.world.clock.now + self.dice.choice((1, 5, 30))

    def _wall(self, host: Host) -> None:
        host.wall_offset += self.dice.choice((-3600, 3600, 86400))

    def _replay(self, host: Host) -> None:
        self.world.replay(self.dice.choice((5, 40)))

    def _edit(self, host: Host) -> None:
        """Another lifetime, which changes every connection of this end."""
        index = self.ends.index(host)
        self.setting = replace(self.setting, phase_2_s=self.dice.choice((20, 30, 45)))
        host.reload(self.setting.configuration(index))

    def _spoil(self, host: Host) -> None:
        """A broken file changes nothing."""
        names = list(host.running.connections.entries)
        good = host.configuration
        host.reload(good + "[General\nno section=")
        host.configuration = good
        if names != list(host.running.connections.entries):
            raise Found(f"{host}: a broken configuration has changed something")

    def _rebind(self, host: Host) -> None:
        if self.world.nat:
            self.world.nat.rebind()

    def _reload(self, host: Host) -> None:
        host.command(lambda daemon: daemon.reinitialise_connections())

    def _rekey(self, host: Host) -> None:
        """Both phases at once, whatever their age."""
        daemon = host.running
        for child in daemon.sas.all_children():
            daemon.connections.rekey(child)
        for sa in list(daemon.sas.isakmp.values()):
            daemon.keeper.rekey_sa(sa)

    # --- traffic and time --------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass; every step is checked."""
        self.world.run(seconds, self.check)

    def start_again(self) -> None:
        """What was taken down by command is started again."""
        for end in self.ends:
            for entry in list(end.running.connections.entries.values()):
                entry.held_down = False
                if not entry.connection.passive:
                    end.running.connections.bring_up(entry)

    def send_everywhere(self) -> list[int]:
        """A packet each way over each connection; their numbers."""
        numbers = []
        for number in range(self.setting.connections):
            for index, end in enumerate(self.ends):
                packet = len(self.sent) + 1
                self.sent[packet] = self.ends[1 - index]
                self.ends[1 - index].expected.add(packet)
                end.send(f"{network(index, number)}.1", f"{network(1 - index, number)}.1", packet)
                numbers.append(packet)
        return numbers

    def must_have_succeeded(self) -> None:
        """Found where an exchange under an ISAKMP SA timed out though all its messages came."""
        for end in self.ends:
            for outcome in end.running.engine.outcomes:
                late = outcome.reason is not None and outcome.reason.cause == "timeout"
                if late and outcome.what == "quick mode":
                    raise Found(f"{end}: #{outcome.number}: {outcome.reason}, in the calm")

    def must_have_come(self, packets: list[int], when: str) -> None:
        """Found where one of these has not arrived."""
        lost = [packet for packet in packets if not self.sent[packet].received[packet]]
        if lost:
            first = f"the first, {lost[0]}, was for {self.sent[lost[0]]}"
            raise Found(f"{len(lost)} of {len(packets)} packets were lost {when}; {first}")

    def until_quiet(self, limit_s: int) -> None:
        """Found where all is not quiet and right within that time."""
        why = ""
        for _ in range(limit_s):
            why = self.unrest()
            if not why:
                return
            self.wait(1.0)
        raise Found(f"not right within {limit_s} s: {why}")

    # --- invariants --------------------------------------------------------------------------

    def check(self) -> None:
        """What must hold at every step."""
        for end in self.ends:
            if end.daemon is None:
                continue
            daemon, timers = end.daemon, end.timers
            sizes = (
                (len(daemon.engine.exchanges), EXCHANGES_MAX, "exchanges"),
                (len(daemon.sas.isakmp), ISAKMP_MAX, "ISAKMP SAs"),
                (len(daemon.sas.children), CHILDREN_MAX, "child SAs"),
                (len(timers._heap) if timers else 0, TIMERS_MAX, "timers"),
                (end.watch.larval if end.watch else 0, LARVAL_MAX, "larval SAs"),
                (end.watch.held if end.watch else 0, HELD_MAX, "packets that wait"),
                (max((len(s.ids.answered) for s in daemon.sas.isakmp.values()), default=0),
                 ANSWERED_MAX, "remembered answers"),
            )  # fmt: skip
            for size, most, what in sizes:
                if size > most:
                    raise Found(f"{end} has {size} {what}")
            watch = end.watch
            if watch and watch.wrong:
                raise Found(f"{end}: {watch.wrong}")
            if not daemon.engine.exchanges and (stray := self._stray(end)):
                raise Found(f"{end}: {stray}")
        self._keys_agree()

    def _keys_agree(self) -> None:
        watches = [end.watch for end in self.ends if end.watch]
        if len(watches) < len(self.ends) or not any(watch.fresh for watch in watches):
            return
        for watch in watches:
            watch.fresh = False
        engines = [end.key_engine for end in self.ends]
        for one, other in (engines, engines[::-1]):
            outbound = {sa.spi: sa for sa in other.sas() if not sa.inbound}
            for sa in one.sas():
                twin = outbound.get(sa.spi) if sa.inbound else None
                if twin and (sa.enc_key, sa.auth_key, sa.encryption, sa.auth, sa.selector) != (
                    twin.enc_key, twin.auth_key, twin.encryption, twin.auth, twin.selector
                ):  # fmt: skip
                    raise Found(f"the ends disagree about SA {sa.spi:08x}")

    def unrest(self) -> str:
        """What is not yet as it must be once all is quiet; empty where all is."""
        for name in self.setting.names:
            pairs = [self._spis(end, name) for end in self.ends]
            if any(len(pair) != 1 for pair in pairs):
                return f"{name} has {len(pairs[0])} pairs at a, {len(pairs[1])} at b"
            if pairs[0][0] != pairs[1][0][::-1]:
                return f"{name} has other pairs at a and b"
        for end in self.ends:
            if why := self._untidy(end):
                return f"{end}: {why}"
        sads = [{sa.spi for sa in end.key_engine.sas()} for end in self.ends]
        if sads[0] != sads[1]:
            return f"SPIs {[hex(spi) for spi in sads[0] ^ sads[1]]} are in one SAD only"
        cookies = [{sa.cookies for sa in end.running.sas.isakmp.values()} for end in self.ends]
        return "" if cookies[0] == cookies[1] else "the ISAKMP SAs are not the same"

    @staticmethod
    def _spis(end: Host, name: str) -> list[tuple[int, int]]:
        live = [c for c in end.running.sas.of_connection(name) if c.state is State.ESTABLISHED]
        return [(p.spi_in, p.spi_out) for c in live for p in c.protocols]

    @staticmethod
    def _untidy(end: Host) -> str:
        daemon = end.running
        if daemon.engine.exchanges or daemon.engine.half_open:
            return f"runs {[str(x) for x in daemon.engine.exchanges.values()]}"
        if end.watch and (end.watch.larval or end.watch.held):
            return f"has {end.watch.larval} larval SAs, and {end.watch.held} packets wait"
        if busy := daemon.connections.busy:
            return f"believes that {list(busy)} is being negotiated"
        if len(daemon.sas.isakmp) != 1:
            return f"has {len(daemon.sas.isakmp)} ISAKMP SAs"
        return ""

    @staticmethod
    def _stray(end: Host) -> str:
        """What only the SAD or only the daemon knows."""
        children: list[ChildSa] = end.running.sas.all_children()
        known = {p.spi_in for c in children for p in c.protocols}
        known |= {p.spi_out for c in children if not c.receives_only for p in c.protocols}
        kept = {sa.spi for sa in end.key_engine.sas()}
        return "" if known == kept else f"SAD and daemon differ: {[hex(s) for s in known ^ kept]}"


def replay(seed: int) -> str:
    """The command that plays a seed again."""
    return f"python -m regress.sim --seed {seed}"
