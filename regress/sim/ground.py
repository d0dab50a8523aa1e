"""Two gateways of one seed, time and traffic between them, and what must hold at every step."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from random import Random

from isakmp.sa import ChildSa, IsakmpSa, State
from regress.sim.nat import Nat
from regress.sim.setting import Setting, network
from regress.sim.watch import HELD_MAX, LARVAL_MAX
from regress.sim.world import Found, Host, World

EXCHANGES_MAX, ISAKMP_MAX, CHILDREN_MAX, TIMERS_MAX, ANSWERED_MAX = 64, 64, 96, 400, 16
LINGER_MAX_S, LOOK_S = 1.5, 0.1
# What is negotiated under an IKE SA or ISAKMP SA.
NEGOTIATIONS = ("quick mode", "CREATE_CHILD_SA", "IKE_FOLLOWUP_KE")


class Ground:
    """Where one seed is played."""

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
        other_dice = Random(seed * 7919 + 2)
        for end, own in zip(self.ends, self.setting.ends, strict=True):
            end.apart, end.elsewhere = own.apart, other_dice.random() < 0.3
        self.talkers = ([self.ends[0]], [self.ends[1]], self.ends)
        self._next_look = 0.0
        self.sent: dict[int, Host] = {}
        self.since: dict[Host, dict[int, float]] = {end: {} for end in self.ends}

    # --- traffic and time --------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass; every step is checked."""
        self.world.run(seconds, self.check)

    def other(self, host: Host) -> Host:
        """The other end."""
        return self.ends[1 - self.ends.index(host)]

    def send_everywhere(self, talkers: Sequence[Host] = ()) -> list[int]:
        """A packet over each connection from each of these, or both; their numbers."""
        numbers = []
        for number in range(self.setting.connections):
            for index, end in enumerate(self.ends):
                if talkers and end not in talkers:
                    continue
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
                if late and outcome.what in NEGOTIATIONS:
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
        self._keys_agree()
        if self.world.clock.now >= self._next_look:
            self._look_for_strays()
            self._next_look = self.world.clock.now + LOOK_S

    def _look_for_strays(self) -> None:
        for end in self.ends:
            if (
                end.frozen_until > self._next_look - LOOK_S
            ):  # it has stood still since the last look
                self.since[end] = {}
            if not end.frozen and end.daemon and end.engine and not end.daemon.engine.exchanges:
                self._strays(end)

    def _keys_agree(self) -> None:
        watches = [end.watch for end in self.ends if end.watch]
        if not all(end.engine for end in self.ends) or not any(watch.fresh for watch in watches):
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
            pairs = [
                [(p.spi_in, p.spi_out) for c in self._live(end, name) for p in c.protocols]
                for end in self.ends
            ]
            if any(len(pair) != 1 for pair in pairs):
                return f"{name} has {len(pairs[0])} pairs at a, {len(pairs[1])} at b"
            if pairs[0][0] != pairs[1][0][::-1]:
                return f"{name} has other pairs at a and b"
        for end in self.ends:
            if why := self._untidy(end):
                return f"{end}: {why}"
        sads = [{sa.spi for sa in end.key_engine.sas()} - self._of_others(end) for end in self.ends]
        if sads[0] != sads[1]:
            return f"SPIs {[hex(spi) for spi in sads[0] ^ sads[1]]} are in one SAD only"
        cookies = [{sa.cookies for sa in end.running.sas.isakmp.values()} for end in self.ends]
        return "" if cookies[0] == cookies[1] else "the ISAKMP SAs are not the same"

    def _live(self, end: Host, name: str) -> list[ChildSa]:
        every = end.running.sas.of_connection(name)
        return [c for c in every if c.state is State.ESTABLISHED and not self._of_other(end, c)]

    def _of_others(self, end: Host) -> set[int]:
        """The SPIs of what may be other devices'."""
        others = [c for c in end.running.sas.all_children() if self._of_other(end, c)]
        return {spi for c in others for p in c.protocols for spi in (p.spi_in, p.spi_out)}

    def _of_other(self, end: Host, child: ChildSa) -> bool:
        """Whether it may be, as far as this end can know, of another device that its peer may have
        (Unique-ids= no, never): nobody is at its place by an ISAKMP SA, and a newer one carries its
        traffic. It serves until it expires."""
        sas = end.running.sas
        several = self.setting.unique in ("no", "never") and child.parent is None
        newest = sas.newest_of_flow(child.connection.name, child.selector)
        there = any(sa.place == child.place for sa in sas.isakmp.values())
        return several and newest not in (None, child) and not there

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
        """What only the SAD or only the daemon knows; what is deleted may linger in the SAD, and
        what has expired in the daemon, while a successor is being negotiated."""
        children: list[ChildSa] = end.running.sas.all_children()
        known = {p.spi_in for c in children for p in c.protocols}
        known |= {p.spi_out for c in children if not c.receives_only for p in c.protocols}
        ending = {spi for c in children if c.state is State.DELETING or "late" in c.events
                  for p in c.protocols for spi in (p.spi_in, p.spi_out)}  # fmt: skip
        kept, now = {sa.spi for sa in end.key_engine.sas()}, self.world.clock.now
        strays = kept - known
        since = self.since[end] = {spi: self.since[end].get(spi, now) for spi in strays}
        differ = known - kept - ending | {spi for spi in strays if now > since[spi] + LINGER_MAX_S}
        if differ:
            raise Found(f"{end}: SAD and daemon differ: {[hex(spi) for spi in differ]}")


def answers_of(sa: IsakmpSa) -> int:
    """How many answers are kept for who has missed them."""
    return len(sa.ids.answered if sa.dialect == "ikev1" else sa.ids._answers)
