"""The collisions of RFC 7296 2.25: every order of what two ends begin at once, and every loss.

    python -m regress.sim --collisions
    python -m regress.sim --case rekey-child:rekey-ike:1:0 --choices "w e 1 x0 0"

A case is what west does, what east does, the window, and a seed, on which hangs whose nonce is the
lowest. The tree of all that can happen in it is walked: either end begins (w, e), a datagram in
flight arrives (its number); one of all is lost (x and its number), or with --faults xd arrives and
will do so again (d). Nothing that is in flight stays there while time goes by.

After every step: whatever either end sends, with the SA that it then sends with, the other end can
take, then and one step later; both have the same keys; no message ID serves twice and no window
is exceeded. After the last: one IKE SA and one child SA for each connection that is wanted, the
same at both ends, and nothing else; of two successors the one without the lowest nonce.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha1
from math import inf, nextafter
from typing import Any, NamedTuple

from isakmp.app.base import SaId, SaSpec
from isakmp.daemon import Daemon
from isakmp.policy.spd import Selector
from isakmp.sa import ChildSa, IsakmpSa, State
from regress.pair import Host, Network, Packet, agree, network_id
from regress.sim.wire import MessageIds
from regress.sim.world import Found

WEST, EAST = "192.0.2.1", "192.0.2.2"
FIRST, SECOND = "first", "second"
QUIET_S = 200.0
# With these, either end has the lowest nonce once, whatever is rekeyed.
SEEDS = (1, 5)


# --- what an end begins ----------------------------------------------------------------------


def _sa(daemon: Daemon) -> IsakmpSa | None:
    live = [sa for sa in daemon.sas.isakmp.values() if sa.state is State.ESTABLISHED]
    return live[-1] if live else None


def _child(daemon: Daemon) -> ChildSa | None:
    live = [c for c in daemon.sas.of_connection(FIRST) if c.state is State.ESTABLISHED]
    return live[-1] if live else None


def _rekey_child(daemon: Daemon) -> None:
    if child := _child(daemon):
        daemon.connections.rekey(child)


def _rekey_ike(daemon: Daemon) -> None:
    if sa := _sa(daemon):
        daemon.keeper.rekey_sa(sa)


def _delete_child(daemon: Daemon) -> None:
    if child := _child(daemon):
        daemon.keeper.children.delete_child(child)


def _delete_ike(daemon: Daemon) -> None:
    if sa := _sa(daemon):
        daemon.keeper.delete_sa(sa)


def _rekey_both(daemon: Daemon) -> None:
    _rekey_ike(daemon)
    _rekey_child(daemon)


def _create_child(daemon: Daemon) -> None:
    daemon.connect(SECOND)


def _down(daemon: Daemon) -> None:
    daemon.connections.down(FIRST)


ACTIONS: dict[str, Callable[[Daemon], None]] = {
    "rekey-child": _rekey_child, "rekey-ike": _rekey_ike, "delete-child": _delete_child,
    "delete-ike": _delete_ike, "create-child": _create_child, "down": _down,
    "rekey-both": _rekey_both,
}  # fmt: skip
# Who ends an SA loses what is on its way to it.
HARMLESS = {"rekey-child", "rekey-ike", "rekey-both", "create-child"}


class Case(NamedTuple):
    """What two ends begin at once."""

    west: str
    east: str
    window: int = 1
    seed: int = SEEDS[0]

    def __str__(self) -> str:
        return f"{self.west}:{self.east}:{self.window}:{self.seed}"

    @classmethod
    def read(cls, text: str) -> Case:
        """As it was printed."""
        west, east, window, seed = text.split(":")
        return cls(west, east, int(window), int(seed))


def all_cases(windows: tuple[int, ...] = (1, 2), seeds: tuple[int, ...] = SEEDS) -> Iterator[Case]:
    """Every pair of actions."""
    for west in ACTIONS:
        for east in ACTIONS:
            for window in windows:
                for seed in seeds:
                    yield Case(west, east, window, seed)


def configuration(end: int, window: int) -> str:
    """Two connections; the end 0 keeps the first one up."""
    here, there = (WEST, EAST) if end == 0 else (EAST, WEST)
    lists = "Connections= first\nPassive-connections= second"
    text = f"""
[Phase 1]
{there}= peer
[Phase 2]
{lists if end == 0 else "Passive-connections= first, second"}
[peer]
Phase= 1
Address= {there}
Configuration= phase-1
Authentication= simulated
Key-exchange= ikev2
Window-size= {window}
[phase-1]
EXCHANGE_TYPE= ID_PROT
Transforms= AES-128-SHA2-256-GRP31
[phase-2]
EXCHANGE_TYPE= QUICK_MODE
Suites= QM-ESP-AESGCM-128-SUITE
"""
    for number, name in enumerate((FIRST, SECOND), 1):
        text += (
            f"[{name}]\nPhase= 2\nISAKMP-peer= peer\nConfiguration= phase-2\n"
            f"Local-ID= {name}-local\nRemote-ID= {name}-remote\n"
            + network_id(f"{name}-local", f"10.{number}.{end}.0/24")
            + network_id(f"{name}-remote", f"10.{number}.{1 - end}.0/24")
        )
    return text


# --- one path --------------------------------------------------------------------------------


class Net(Network):
    """A network that an eye is on."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self.wire, self.wrong = MessageIds(window), ""

    def send(self, packet: Packet) -> None:
        self.wrong = self.wire.sent(packet.header, packet.message) or self.wrong
        super().send(packet)

    def deliver(self, packet: Packet) -> None:
        self.wire.heard(packet.header)
        super().deliver(packet)


class Run:
    """Two ends, and what has happened to them so far.

    faults: the kinds of which one may happen; calm: nothing is to be deleted.
    """

    def __init__(self, case: Case, faults: str = "x") -> None:
        self.case, self.faults = case, faults
        self.net = net = Net(case.window)
        self.west = net.add(WEST, configuration(0, case.window), seed=case.seed)
        self.east = net.add(EAST, configuration(1, case.window), seed=case.seed)
        net.start()
        net.run(0.1)
        if not all(_child(host.daemon) for host in self.ends):
            raise Found("there is nothing to begin with")
        self.waiting = {"w": (self.west, case.west), "e": (self.east, case.east)}
        self.done: list[str] = []
        self._seen = {host.address: b"" for host in self.ends}
        self._sending: list[tuple[Host, Host, SaSpec]] = []
        self._up: set[Selector] = set()
        self._rivals: list[tuple[Any, ...]] = []
        self.calm = {case.west, case.east} <= HARMLESS

    @property
    def ends(self) -> tuple[Host, Host]:
        """Both hosts."""
        return self.west, self.east

    @property
    def state(self) -> bytes:
        """What is alike where both ends have seen the same, and the same is under way."""
        flying = sorted(packet.message for packet in self.net.flying)
        seen = [self._seen[host.address] for host in self.ends]
        about = repr((seen, flying, sorted(self.waiting), self.faults, self.net.now))
        return sha1(about.encode(), usedforsecurity=False).digest()

    def choices(self) -> list[str]:
        """What can happen next; none: time goes by."""
        numbers = range(len(self.net.flying))
        kinds = "", *self.faults
        return [*self.waiting, *(f"{kind}{number}" for kind in kinds for number in numbers)]

    def step(self, choice: str) -> None:
        """Let that happen."""
        self.done.append(choice)
        if choice in self.waiting:
            host, action = self.waiting.pop(choice)
            self._note(host, choice.encode())
            ACTIONS[action](host.daemon)
        else:
            self._carry(int(choice.lstrip("xd")), choice[0])
        self.check()

    def _carry(self, number: int, fault: str) -> None:
        packet = self.net.flying[number]
        if fault != "d":
            del self.net.flying[number]
        if fault in self.faults:
            self.faults = ""
        if fault != "x":
            self._note(self.net.hosts[packet.dst], packet.message)
            self.net.deliver(packet)

    def _note(self, host: Host, what: bytes) -> None:
        before = self._seen[host.address]
        about = before + repr(self.net.now).encode() + what
        self._seen[host.address] = sha1(about, usedforsecurity=False).digest()

    def wait(self) -> bool:
        """Go on to the next that a clock does; False where all is quiet."""
        waits = [(t, host) for host in self.ends if (t := host.timers.timeout()) is not None]
        left, host = min(waits, key=lambda wait: wait[0], default=(inf, self.west))
        if self.net.now + left > QUIET_S:
            return False
        self.net.now = max(self.net.now + left, nextafter(self.net.now, inf))
        host.timers.run()
        self.check()
        return True

    # --- invariants --------------------------------------------------------------------------

    def check(self) -> None:
        """What must hold after every step."""
        if self.net.wrong:
            raise Found(self.net.wrong)
        theirs = self.east.app.sas
        for name, spec in self.west.app.sas.items():
            twin = theirs.get(name)
            if twin and (spec.enc_key, spec.auth_key) != (twin.enc_key, twin.auth_key):
                raise Found(f"the ends disagree about SA {spec.spi:08x}")
        if self.calm:
            self._packets_arrive()
            self._note_rivals()

    def _packets_arrive(self) -> None:
        """What is sent now arrives now, or after the next step.

        Not so a new connection's first packets: its responder may send at once (RFC 7296 2.8).
        """
        one, other = (sending(host) for host in self.ends)
        self._up |= {
            selector for selector in one
            if (back := other.get(selector.reversed()))
            and takes(self.east, one[selector]) and takes(self.west, back)
        }  # fmt: skip
        before, self._sending = self._sending, []
        for sender, receiver, specs in (
            (self.west, self.east, one), (self.east, self.west, other),
        ):  # fmt: skip
            up = [spec for selector, spec in specs.items()
                  if {selector, selector.reversed()} & self._up]  # fmt: skip
            if len(up) < len(self._up):
                raise Found(f"{sender.address} has nothing to send with")
            self._sending += [(sender, receiver, spec) for spec in up]
        for sender, receiver, spec in before + self._sending:
            if not takes(receiver, spec):
                raise Found(f"{receiver.address} does not take SA {spec.spi:08x}, "
                            f"which {sender.address} sends with")  # fmt: skip

    def _note_rivals(self) -> None:
        for host in self.ends:
            sas: list[Any] = [*host.daemon.sas.isakmp.values(), *host.daemon.sas.all_children()]
            for sa in sas:
                if len(sa.heirs) > 1 and sa.heirs not in self._rivals:
                    self._rivals.append(sa.heirs)

    def quiet(self) -> None:
        """What must be so in the end."""
        for heirs in self._rivals:
            if max(heirs, key=lambda heir: heir.tiebreak).state is not State.ESTABLISHED:
                raise Found(f"the lowest nonce has won against {heirs}")
        wanted = {
            name for host in self.ends for name, entry in host.daemon.connections.entries.items()
            if entry.wanted and not entry.held_down
        }  # fmt: skip
        if SECOND in wanted and not any(map(has_second, self.ends)):
            # Nothing keeps a passive connection up that the peer has ended.
            wanted -= {SECOND} if "delete-ike" in (self.case.west, self.case.east) else set()
        for host in self.ends:
            if why := untidy(host, wanted):
                raise Found(f"{host.address} {why}")
        deleted = "delete-ike" in (self.case.west, self.case.east)
        counts = [len(host.daemon.sas.isakmp) for host in self.ends]
        if counts != [1, 1] and (wanted or not deleted or counts != [0, 0]):
            raise Found(f"{counts[0]} and {counts[1]} IKE SAs are left")
        names = [{sa.cookies for sa in host.daemon.sas.isakmp.values()} for host in self.ends]
        if names[0] != names[1]:
            raise Found("the IKE SAs are not the same")
        try:
            agree(self.west, self.east)
        except AssertionError as error:
            raise Found(f"the ends differ: {error}") from None


def sending(host: Host) -> dict[Selector, SaSpec]:
    """What an end sends with: the newest SA for each traffic."""
    return {spec.selectors[0]: spec for spec in host.app.sas.values() if not spec.inbound}


def takes(host: Host, spec: SaSpec) -> bool:
    """Whether an end receives with what the other sends with."""
    found = host.app.sas.get(SaId(spec.protocol, spec.spi, spec.src, spec.dst))
    return found is not None and found.inbound


def has_second(host: Host) -> bool:
    """Whether an end has anything for the second connection."""
    return bool(host.daemon.sas.of_connection(SECOND))


def untidy(host: Host, wanted: set[str]) -> str:
    """What an end should not have once all is quiet; empty where there is nothing."""
    daemon = host.daemon
    if daemon.engine.exchanges or daemon.engine.half_open:
        return f"runs {[str(x) for x in daemon.engine.exchanges.values()]}"
    if daemon.connections.busy:
        return f"believes that {list(daemon.connections.busy)} is being negotiated"
    for name in (FIRST, SECOND):
        states = [child.state for child in daemon.sas.of_connection(name)]
        if states != [State.ESTABLISHED] * (name in wanted):
            return f"has {[state.value for state in states]} for {name}"
    if any(sa.state is not State.ESTABLISHED for sa in daemon.sas.isakmp.values()):
        return "has an IKE SA that is not established"
    known = {p.spi_in for child in daemon.sas.all_children() for p in child.protocols}
    if {spec.spi for spec in host.app.sas.values() if spec.inbound} != known:
        return "has other SAs in the stack than in the daemon"
    return ""
