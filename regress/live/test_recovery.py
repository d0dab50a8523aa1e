"""Processes that are killed without a word and started again: traffic flows again both ways.

Traffic never stops, as it is what tells an end that the other one has lost its SAs. Silence alone
tells nobody here: DPD-timeout is an hour.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from regress.interop.end import eventually
from regress.interop.namespace import SetupFailure
from regress.interop.needs import missing
from regress.live.pair import INNER, Host, configuration, hosts, wait_up

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")

# Patience with a busy machine; what would take the other way takes an hour.
SOON_S = 120.0
KILLED = pytest.mark.parametrize("killed", ["a", "b", "ab"], ids=["initiator", "responder", "both"])


class End:
    """One host with its daemon, and the key engine that it may have beside it."""

    def __init__(self, host: Host, stack: ExitStack, *, own_engine: bool, spoken: str) -> None:
        self.host, self.stack, self.socket = host, stack, host.folder / "engine"
        general = "DPD-timeout= 3600\n" + f"Engine-socket= {self.socket}\n" * own_engine
        host.write(configuration(host.name, host.folder, general=general, key_exchange=spoken))
        self.own_engine = own_engine
        self.daemon: subprocess.Popen[bytes]
        self.engine: subprocess.Popen[bytes]

    def start(self) -> None:
        if self.own_engine:
            self.start_engine()
        self.daemon = self.stack.enter_context(self.host.daemon())

    def start_engine(self) -> None:
        self.socket.unlink(missing_ok=True)
        command = ("isakmp.app.engine", "--socket", str(self.socket))
        self.engine = self.stack.enter_context(self.host.process(*command))
        eventually("the engine listens", self.socket.exists, SOON_S)

    def kill(self) -> None:
        self.host.kill(self.daemon)

    def restart(self) -> None:
        """The daemon; an engine of its own has lived on."""
        self.daemon = self.stack.enter_context(self.host.daemon())

    def lose_engine(self) -> None:
        self.host.kill(self.engine)
        self.start_engine()


def anew(ends: dict[str, End], before: dict[str, list[str]]) -> bool:
    """Whether both ends have every connection again, and none as it was."""
    ours, theirs = (ends[name].host.pairs() for name in "ab")
    return all(ours[name] and theirs[name] and ours[name] != before[name] for name in before)


@contextmanager
def traffic(a: Host, b: Host) -> Iterator[Callable[[], bool]]:
    """Pings without an end, both ways over both connections; whether all are answered just now."""
    with ExitStack() as stack:
        for index in (0, 1):
            for host, far in ((a, "b"), (b, "a")):
                command = ["ping", "-q", "-i", "0.5", "-I", INNER[host.name][index],
                           INNER[far][index]]  # fmt: skip
                process = subprocess.Popen(
                    host.namespace.command(command), stdout=subprocess.DEVNULL
                )
                stack.callback(process.wait, 10)
                stack.callback(process.terminate)
        yield lambda: passes(a, b)


def passes(a: Host, b: Host) -> bool:
    """Whether a ping is answered, each way over both connections."""
    pings = [
        subprocess.Popen(
            host.namespace.command([
                "ping", "-c", "2", "-i", "0.2", "-W", "1", "-I", INNER[host.name][index],
                INNER[far][index],
            ]),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for index in (0, 1) for host, far in ((a, "b"), (b, "a"))
    ]  # fmt: skip
    failed = [ping.wait() for ping in pings]
    return not any(failed)


@contextmanager
def scene(folder: Path, own_engine: bool, spoken: str) -> Iterator[dict[str, End]]:
    """Both ends are up."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(hosts(folder))
        except SetupFailure as failure:
            pytest.skip(str(failure))
        ends = {h.name: End(h, stack, own_engine=own_engine, spoken=spoken) for h in made}
        for name in "ba":
            ends[name].start()
        wait_up(*made, timeout_s=SOON_S)
        yield ends


@KILLED
@pytest.mark.parametrize(("own_engine", "spoken"), [
    (False, "ikev1"), (False, "ikev2"), (True, "ikev2"),
], ids=["ikev1", "ikev2", "ikev2-own-engine"])  # fmt: skip
def test_daemons_that_were_killed(
    tmp_path: Path, own_engine: bool, spoken: str, killed: str
) -> None:
    with scene(tmp_path, own_engine, spoken) as ends:
        a, b = ends["a"].host, ends["b"].host
        with traffic(a, b) as flows:
            eventually("traffic flows", flows, SOON_S)
            before = a.pairs()
            for name in killed:
                ends[name].kill()
            for name in killed:
                ends[name].restart()
            eventually("all is negotiated anew", lambda: anew(ends, before), SOON_S)
            eventually("traffic flows again", flows, SOON_S)


@pytest.mark.parametrize(("killed", "spoken"), [
    ("a", "ikev2"), ("b", "ikev2"), ("b", "ikev1"),
], ids=["initiator", "responder", "ikev1-responder"])  # fmt: skip
def test_engines_that_were_killed(tmp_path: Path, spoken: str, killed: str) -> None:
    """Its daemon lives, and has all that it needs to fill another one."""
    with scene(tmp_path, True, spoken) as ends:
        a, b = ends["a"].host, ends["b"].host
        with traffic(a, b) as flows:
            eventually("traffic flows", flows, SOON_S)
            before = a.pairs()
            ends[killed].lose_engine()
            eventually("all is negotiated anew", lambda: anew(ends, before), SOON_S)
            eventually("traffic flows again", flows, SOON_S)
