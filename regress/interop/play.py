"""Play one scenario: both daemons up, negotiation, traffic, what the row is about, the wire."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from regress.interop.capture import Capture, Wire
from regress.interop.charon import Charon
from regress.interop.end import Child, End, Failure, eventually
from regress.interop.isakmpd import Isakmpd
from regress.interop.namespace import SetupFailure, wire
from regress.interop.scenario import Act, Role, Scenario
from regress.interop.site import NAT_OUTSIDE, sites

ROOT = Path(__file__).resolve().parents[2]
Kinds = tuple[type[End], type[End]]
# Who initiates with whom; isakmpd's role names the pair.
PAIRS: dict[str, Kinds] = {
    Role.INITIATOR.value: (Isakmpd, Charon),
    Role.RESPONDER.value: (Charon, Isakmpd),
    "charon-charon": (Charon, Charon),
    "isakmpd-isakmpd": (Isakmpd, Isakmpd),
}
# Dead peers: long enough for charon's time-out, and for five unanswered probes 5 s apart.
_LIVELY_S = 4.0
_NOTICED_S = 60.0


@dataclass
class Play:
    """A scenario under way: ends a (initiator) and b, and what went over the wire so far."""

    scenario: Scenario
    a: End
    b: End
    capture: Capture

    @property
    def actor(self) -> End:
        return self.a if self.a.acts else self.b

    @property
    def other(self) -> End:
        return self.b if self.a.acts else self.a

    @property
    def wire(self) -> Wire:
        return self.capture.read()

    def until(self, what: str, check: Callable[[], object], timeout_s: float = 10) -> None:
        """Wait until ``check`` holds; Failure where it does not in time, or a daemon dies."""

        def alive_and_so() -> object:
            self.a.alive()
            self.b.alive()
            return check()

        eventually(what, alive_and_so, timeout_s)

    def gone(self, what: str, check: Callable[[], object], timeout_s: float = 10) -> None:
        """Wait until ``check`` finds nothing more."""
        self.until(what, lambda: not check(), timeout_s)


@contextmanager
def stage(scenario: Scenario, pair: str, folder: Path) -> Iterator[Play]:
    """Both daemons running and configured; all is gone afterwards."""
    with wire(scenario.nat) as namespaces:
        capture = Capture(namespaces[1])
        ends = [
            kind(scenario, role, site, namespace, folder / site.name)
            for kind, role, site, namespace in zip(
                PAIRS[pair], Role, sites(scenario), namespaces, strict=True
            )
        ]
        try:
            for end in ends:
                end.launch()
            for end in reversed(ends):
                end.ready()
            yield Play(scenario, ends[0], ends[1], capture)
        finally:
            for end in ends:
                end.kill()
            capture.close()


def play(scenario: Scenario, pair: str, extra: Callable[[Play], None] | None = None) -> None:
    """One row with one pair. Failure says what went wrong, with the end of both logs.

    extra: called after everything is over, with the daemons' folders still there. The folder of a
    failed one is kept under build/interop.
    """
    name = f"{pair}-{scenario.name}"
    with tempfile.TemporaryDirectory(prefix="interop-") as temporary:
        folder = Path(temporary)
        try:
            with stage(scenario, pair, folder) as play:
                try:
                    _run(play)
                    if extra:
                        extra(play)
                except Failure as failure:
                    logs = "\n".join(f"--- {end}\n{end.log()}" for end in (play.a, play.b))
                    raise Failure(f"{failure}\n{logs}") from None
                finally:
                    play.wire.write(folder / "wire.pcap")
        except (Failure, SetupFailure):
            kept = ROOT / "build" / "interop" / name
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("run"))
            raise


def _run(play: Play) -> None:
    play.a.initiate()
    _carries(play)
    _ACTS[play.scenario.act](play)
    _leave(play)
    _check_wire(play)


def _mirror(children: list[Child]) -> set[Child]:
    return {Child(c.spi_out, c.spi_in, c.packets_out, c.packets_in) for c in children}


def _in_step(play: Play) -> bool:
    """Both ends have the same one SA pair and counted the same packets."""
    a, b = play.a.children(), play.b.children()
    return len(a) == 1 and set(a) == _mirror(b)


def _carries(play: Play) -> None:
    """Traffic both ways, counted alike by both ends."""
    play.until("both ends have the SA pair", lambda: play.a.children() and play.b.children())
    before = play.wire.esp()
    play.a.ping()
    play.b.ping()
    if (seen := play.wire.esp() - before) < 12:
        raise Failure(f"12 packets went through the tunnel, but only {seen} as ESP on the wire")
    try:
        play.until("both ends agree on their SAs and counters", lambda: _in_step(play), 3)
    except Failure as failure:
        sides = f"a: {play.a.children()}, b: {play.b.children()}"
        raise Failure(f"{failure}; {sides}") from None


def _spis(end: End) -> set[int]:
    return {child.spi_in for child in end.children()}


def _traffic(play: Play) -> None:
    """Nothing more."""


def _rekey_child(play: Play) -> None:
    old_a, old_b = _spis(play.a), _spis(play.b)
    play.actor.rekey_child()

    def renewed() -> bool:
        a, b = _spis(play.a), _spis(play.b)
        return bool(a and b) and not (a & old_a or b & old_b)

    play.until("both ends have a new SA pair only", renewed, 5 + play.actor.rekeys_within_s)
    _carries(play)


def _rekey_ike(play: Play) -> None:
    old = play.a.ike()
    if old != play.b.ike() or len(old) != 1:
        raise Failure(f"phase 1 SAs differ: {old} and {play.b.ike()}")
    play.actor.rekey_ike()

    def renewed() -> bool:
        # The old one may stay for a while: charon deletes it 10 s later.
        return bool(play.a.ike() & play.b.ike() - old)

    play.until("both ends have a new phase 1 SA", renewed, 5 + play.actor.rekeys_within_s)
    _carries(play)


def _delete_child(play: Play) -> None:
    play.actor.delete_child()
    play.gone("the SA pair is gone from both ends", lambda: play.a.children() + play.b.children())
    if not (play.a.ike() and play.a.ike() == play.b.ike()):
        raise Failure("the phase 1 SA went with its child")


def _delete_ike(play: Play) -> None:
    play.actor.delete_ike()
    play.gone("the phase 1 SA is gone from both ends", lambda: play.a.ike() | play.b.ike())
    play.gone(f"its children are gone from {play.other}", play.other.children)
    if play.actor.children_live_on:
        play.actor.delete_child()
    play.gone(f"its children are gone from {play.actor}", play.actor.children)
    play.a.initiate()
    _carries(play)


def _dead_peer(play: Play) -> None:
    time.sleep(_LIVELY_S)
    if not play.actor.ike():
        raise Failure(f"{play.actor} took its living peer for dead")
    play.other.kill()
    play.gone("its SAs with the dead peer are gone", lambda: play.actor.ike(), _NOTICED_S)
    play.gone("the children too", lambda: play.actor.children())


def _leave(play: Play) -> None:
    """a ends in peace; b hears of it and drops everything, then ends too."""
    if play.a.process and play.b.process:
        play.a.stop()
        play.gone(f"{play.b} drops its SAs as {play.a} ends", lambda: play.b.ike())
        play.gone("and their children", lambda: play.b.children())
    play.a.stop()
    play.b.stop()


def _check_wire(play: Play) -> None:
    if clear := play.wire.clear():
        raise Failure(f"{len(clear)} packets on the wire in clear, the first: {clear[0]}")
    if play.scenario.nat and not any(port >= 20000 for port in play.wire.ports(NAT_OUTSIDE)):
        raise Failure("nothing came through the NAT from a port of its own")


_ACTS: dict[Act, Callable[[Play], None]] = {
    Act.TRAFFIC: _traffic,
    Act.REKEY_CHILD: _rekey_child,
    Act.REKEY_IKE: _rekey_ike,
    Act.DELETE_CHILD: _delete_child,
    Act.DELETE_IKE: _delete_ike,
    Act.DEAD_PEER: _dead_peer,
}
