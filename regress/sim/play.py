"""One seed: two gateways, a calm, a delete, a storm of faults, and calm again.

Invariants are checked at every step: no exception out of a handler, bounded state, both sides
agree on keys, no message ID serves twice, no window is exceeded. Once all is quiet: one SA pair
for each connection, the same at both ends, nothing in either SAD that the other lacks, traffic
flows. While nothing is lost on the network, no packet is lost, rekeying or not, and a delete is
heard at once.
"""

from __future__ import annotations

from ipaddress import ip_address
from random import Random

from isakmp.sa import ChildSa, IsakmpSa, State
from regress.sim.nat import Nat
from regress.sim.setting import Setting, network
from regress.sim.watch import HELD_MAX, LARVAL_MAX
from regress.sim.world import Faults, Found, Host, World

EXCHANGES_MAX, ISAKMP_MAX, CHILDREN_MAX, TIMERS_MAX, ANSWERED_MAX = 64, 64, 96, 400, 16
LINGER_MAX_S = 1.5
STORMS = (
    "net", "net", "net", "partition", "heal", "restart", "crash", "down", "up", "freeze", "wall",
    "reload", "rekey", "rebind", "replay", "edit", "spoil",
)  # fmt: skip


class Play:
    """Everything that happens for one seed."""

    def __init__(self, seed: int, level: int = 10) -> None:
        self.dice = Random(seed * 7919 + 1)
        self.setting = Setting.draw(self.dice)
        self.world = World(seed, level, self.setting.windows)
        if self.setting.outside:
            inside, outside = self.setting.addresses[0], self.setting.outside
            self.world.nat = Nat(ip_address(inside), ip_address(outside))
        self.ends = [
            self.world.add(name, address, self.setting.configuration(end))
            for end, (name, address) in enumerate(zip("ab", self.setting.addresses, strict=True))
        ]
        self.sent: dict[int, Host] = {}
        self.since: dict[Host, dict[int, float]] = {end: {} for end in self.ends}

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
        self.setting = self.setting.edited(self.dice)
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
        host.command(lambda daemon: daemon.alter(daemon.conf.begin(), True))

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
            for outcome in end.running.engine.outcomes.own:
                late = outcome.reason is not None and outcome.reason.cause == "timeout"
                if late and outcome.what in ("quick mode", "CREATE_CHILD_SA"):
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
        if self.world.wrong:
            raise Found(self.world.wrong)
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
                (max(map(answers_of, daemon.sas.isakmp.values()), default=0),
                 ANSWERED_MAX, "remembered answers"),
            )  # fmt: skip
            for size, most, what in sizes:
                if size > most:
                    raise Found(f"{end} has {size} {what}")
            watch = end.watch
            if watch and watch.wrong:
                raise Found(f"{end}: {watch.wrong}")
            if end.frozen:
                self.since[end] = {}
            elif not daemon.engine.exchanges:
                self._strays(end)
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
                if twin and (sa.enc_key, sa.auth_key, sa.encryption, sa.auth, sa.selectors) != (
                    twin.enc_key, twin.auth_key, twin.encryption, twin.auth, twin.selectors
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

    def _strays(self, end: Host) -> None:
        """What only the SAD or only the daemon knows; what is deleted may linger in the SAD."""
        children: list[ChildSa] = end.running.sas.all_children()
        known = {p.spi_in for c in children for p in c.protocols}
        known |= {p.spi_out for c in children if not c.receives_only for p in c.protocols}
        ending = {spi for c in children if c.state is State.DELETING
                  for p in c.protocols for spi in (p.spi_in, p.spi_out)}  # fmt: skip
        kept, now = {sa.spi for sa in end.key_engine.sas()}, self.world.clock.now
        strays = kept - known
        since = self.since[end] = {spi: self.since[end].get(spi, now) for spi in strays}
        differ = known - kept - ending | {spi for spi in strays if now > since[spi] + LINGER_MAX_S}
        if differ:
            raise Found(f"{end}: SAD and daemon differ: {[hex(spi) for spi in differ]}")


def answers_of(sa: IsakmpSa) -> int:
    """How many answers are kept for who has missed them."""
    return len(sa.ids.answered if sa.version == 1 else sa.ids._answers)


def replay(seed: int) -> str:
    """The command that plays a seed again."""
    return f"python -m regress.sim --seed {seed}"
