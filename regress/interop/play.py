"""Play one scenario: both daemons up, negotiation, traffic, what the row is about, the wire."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from regress.interop import xfrm
from regress.interop.acts import ACTS, STARTS, Play, began, carries, leave, refused
from regress.interop.capture import Capture
from regress.interop.charon import Charon
from regress.interop.charon_6 import Charon6
from regress.interop.end import LARGE, End, Failure
from regress.interop.iked import Iked
from regress.interop.isakmpd import Isakmpd
from regress.interop.namespace import SetupFailure, wire
from regress.interop.pluto import Pluto
from regress.interop.probe import probe
from regress.interop.scenario import Act, Role, Scenario, Stack
from regress.interop.site import NAT_OUTSIDE, sites
from regress.interop.stray import stray

ROOT = Path(__file__).resolve().parents[2]
# Where the folders of failed rows go.
KEPT = ROOT / "build" / "interop"
Kinds = tuple[type[End], type[End]]
KINDS: dict[str, type[End]] = {kind.kind: kind for kind in (Isakmpd, Charon, Charon6, Pluto, Iked)}
# Who initiates with whom; isakmpd's role alone names the pair with charon.
PAIRS: dict[str, Kinds] = {
    Role.INITIATOR.value: (Isakmpd, Charon),
    Role.RESPONDER.value: (Charon, Isakmpd),
    **{f"{a}-{b}": (KINDS[a], KINDS[b]) for a, b in product(KINDS, KINDS)},
}


@contextmanager
def stage(scenario: Scenario, pair: str, folder: Path, stack: Stack = Stack.USER) -> Iterator[Play]:
    """Both daemons running and configured; all is gone afterwards."""
    for kind in PAIRS[pair]:
        if reason := kind.missing(stack):
            raise SetupFailure(reason)
    with wire(scenario.nat) as namespaces:
        capture = Capture(namespaces)
        ends = [
            kind(scenario, role, site, namespace, folder / site.name, stack)
            for kind, role, site, namespace in zip(
                PAIRS[pair], Role, sites(scenario), namespaces, strict=True
            )
        ]
        try:
            # One by one: an initiator may begin by itself, and while iked starts no modules load.
            for end in reversed(ends):
                end.launch()
                end.ready()
            yield Play(scenario, ends[0], ends[1], capture, stack)
        finally:
            for end in ends:
                end.kill()
            capture.close()


def play(
    scenario: Scenario, pair: str, extra: Callable[[Play], None] | None = None,
    stack: Stack = Stack.USER, kept: Path = KEPT,
) -> None:  # fmt: skip
    """One row with one pair. Failure says what went wrong, with the end of both logs.

    extra: called after everything is over, with the daemons' folders still there. kept: where the
    folder of a failed row goes.
    """
    with tempfile.TemporaryDirectory(prefix="interop-") as temporary:
        folder = Path(temporary)
        try:
            with stage(scenario, pair, folder, stack) as play:
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
            place = kept / f"{pair}-{scenario.name}"
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(folder, place, ignore=shutil.ignore_patterns("run", "etc", "nss"))
            raise


def _run(play: Play) -> None:
    if play.scenario.side(Role.RESPONDER).cookies:
        stray(play.a)
    if play.scenario.act is Act.REFUSED:
        refused(play)
    else:
        _use(play)
    leave(play)
    _check_wire(play)
    _check_kernel(play)


def _use(play: Play) -> None:
    start = STARTS.get(play.scenario.act)
    if start:
        start(play)
    else:
        play.a.initiate()
    if play.scenario.version == 2:
        began(play)
    carries(play)
    for each in play.scenario.probes:
        probe(play.a, play.b, each)
    ACTS[play.scenario.act](play)


def _check_wire(play: Play) -> None:
    if clear := play.wire.clear():
        raise Failure(f"{len(clear)} packets on the wire in clear, the first: {clear[0]}")
    if play.scenario.ipcomp and (size := play.wire.largest_esp()) > LARGE:
        raise Failure(f"not compressed: an ESP packet has {size} octets")
    if play.scenario.nat and not any(port >= 20000 for port in play.wire.ports(NAT_OUTSIDE)):
        raise Failure("nothing came through the NAT from a port of its own")


def _check_kernel(play: Play) -> None:
    """isakmpd has taken back all that it put into the kernel."""
    for end in (play.a, play.b):
        if isinstance(end, Isakmpd) and play.stack is Stack.KERNEL and not end.vanished:
            left = [str(sa) for sa in xfrm.sas(end.namespace)] + xfrm.policies(end.namespace)
            if left:
                raise Failure(f"{end} is gone and has left in the kernel: {left}")
