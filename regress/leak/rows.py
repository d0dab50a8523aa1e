"""States in which traffic of a connection has gone, or could go, in clear: a row each.

Each plays one state on two hosts and says how many packets were in clear, or were accepted in
clear. The default route of both leads over the wire that the sniffer reads.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from regress.interop.end import eventually
from regress.leak.sniffer import Sniffer, echo, echoes_taken, put
from regress.live.pair import INNER, NETS, OTHER_SUITE, SUITE, Host, configuration, hosts, wait_up

KILLS = 20
PINGS = 5
PATIENCE_S = 60
# What bypassed() lets pass of the first connection's far network.
OPEN = "10.10.2.200"
HERE_6, THERE_6, OPEN_6 = "fd10:1::1", "fd10:2::1", "fd10:2::200"


class Stack(Enum):
    """What protects the traffic of a, and of b, which never has an engine of its own."""

    ENGINE = "engine"
    OWN = "engine of its own"
    XFRM = "xfrm"


@dataclass
class Site:
    """Two hosts, who reads the wire, and what protects the traffic.

    protected: off, nothing does: the daemons install no policies, and each row counts something.
    """

    a: Host
    b: Host
    sniffer: Sniffer
    stack: ExitStack = field(default_factory=ExitStack)
    kills: int = KILLS
    kind: Stack = Stack.ENGINE
    protected: bool = True
    taken: int = 0
    engines: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def general(self, host: Host) -> str:
        """What [General] says more."""
        if self.kind is Stack.XFRM:
            return "Application= xfrm"
        return f"Engine-socket= {host.folder / 'engine'}" if self.own and host is self.a else ""

    @property
    def own(self) -> bool:
        """Whether a's engine has a process of its own."""
        return self.kind is Stack.OWN

    def write(self, host: Host, *, suite: str = SUITE, more: str = "") -> None:
        """A host's configuration; it starts IKEv2."""
        general = f"{self.general(host)}\nRetransmit-interval= 1\n{more}"
        host.write(configuration(host.name, host.folder, general=general,
                                 suites=(suite, suite), key_exchange="ikev2"))  # fmt: skip

    def start(self, host: Host) -> subprocess.Popen[bytes]:
        """Its daemon, and before that its engine where it has one of its own."""
        if self.own and host is self.a:
            self.engine()
        return self.daemon(host)

    def daemon(self, host: Host) -> subprocess.Popen[bytes]:
        """Its daemon, which runs."""
        flags = ("-d",) if self.protected else ("-d", "-a")
        process = self.run(host, "isakmp", *flags, "-c", str(host.conf))
        eventually(f"{host.name} runs", (host.folder / "isakmpd.pid").exists, PATIENCE_S)
        return process

    def engine(self) -> None:
        """a's engine of its own."""
        place = self.a.folder / "engine"
        Path(f"{place}.esp").unlink(missing_ok=True)
        process = self.run(self.a, "isakmp.app.engine", "--socket", str(place))
        eventually("the engine listens", lambda: _listens(place), PATIENCE_S)
        self.engines.append(process)

    def run(self, host: Host, *arguments: str) -> subprocess.Popen[bytes]:
        """A module of the project, killed at the end of the row."""
        return self.stack.enter_context(_process(host, *arguments))

    def up(self, more: str = "") -> subprocess.Popen[bytes]:
        """Both daemons, and every connection; a's process."""
        self.write(self.b)
        self.start(self.b)
        self.write(self.a, more=more)
        process = self.start(self.a)
        wait_up(self.a, self.b, PATIENCE_S)
        return process

    def said(self) -> str:
        """What a's daemon has logged."""
        return (self.a.folder / "isakmp.log").read_text()

    def ping(self, host: Host, to: str = "") -> None:
        """Some packets of the first connection."""
        far = self.b if host is self.a else self.a
        host.namespace.run("ping", "-c", str(PINGS), "-i", "0.1", "-W", "1", "-I",
                           INNER[host.name][0], to or INNER[far.name][0])  # fmt: skip

    def stranger(self, src: str, dst: str = INNER["a"][0]) -> int:
        """How many packets a takes that come in clear, from ``src`` as they say."""
        before = echoes_taken(self.a.namespace)
        packets = [echo(src, dst, number) for number in range(PINGS)]
        put(self.b.namespace, self.a.namespace, packets)
        time.sleep(0.5)
        self.sniffer.clear()  # the stranger's own
        return echoes_taken(self.a.namespace) - before

    @contextmanager
    def traffic(self) -> Iterator[None]:
        """A packet every 20 ms from a, until the end."""
        process = subprocess.Popen(
            self.a.namespace.command(["ping", "-q", "-i", "0.02", "-w", "240", "-I",
                                      INNER["a"][0], INNER["b"][0]]),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def ctl(self, host: Host, *arguments: str) -> None:
        """A command for its daemon."""
        command = ["-m", "fifo_ui.ctl", "--run-directory", str(host.folder), *arguments]
        host.namespace.run(sys.executable, *command)


@contextmanager
def _process(host: Host, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = host.namespace.command([sys.executable, "-m", *arguments])
    with (host.folder / f"{arguments[0]}.log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _listens(place: Path) -> bool:
    return Path(f"{place}.esp").exists()


def kill(process: subprocess.Popen[bytes]) -> None:
    """At once."""
    process.kill()
    process.wait()


# --- the rows --------------------------------------------------------------------------------


def passive(site: Site) -> None:
    """The one that answers, before anybody has come."""
    site.write(site.b)
    site.start(site.b)
    site.ping(site.b)


def left_out(site: Site) -> None:
    """A connection with an error in its suites."""
    site.write(site.a, suite="QM-ESP-AESGCM-999-SUITE")
    site.start(site.a)
    site.ping(site.a)


def down(site: Site) -> None:
    """Taken down by command, so that the peer deletes it, too."""
    site.up()
    site.ctl(site.a, "down", "first")
    for host in (site.a, site.b):
        eventually("it is down", lambda: not host.pairs()["first"], PATIENCE_S)  # noqa: B023
        site.ping(host)


def deleted(site: Site) -> None:
    """Deleted by the passive end; the other one may bring it up again at once."""
    site.up()
    before = site.b.pairs()["first"]
    site.ctl(site.b, "down", "first")
    eventually("it is deleted", lambda: site.b.pairs()["first"] != before, PATIENCE_S)
    site.ping(site.b)
    site.ping(site.a)


def between_sas(site: Site) -> None:
    """Rekeyed under traffic."""
    site.up()
    with site.traffic():
        for what in ("first", "first"):
            site.ctl(site.a, "rekey", what)
            time.sleep(1)


def reloaded(site: Site) -> None:
    """Reloaded with other suites under traffic."""
    process = site.up()
    with site.traffic():
        for suite in (OTHER_SUITE, SUITE, OTHER_SUITE):
            site.write(site.a, suite=suite)
            os.kill(process.pid, signal.SIGHUP)
            time.sleep(1)


def killed(site: Site) -> None:
    """The daemon killed and started again under traffic."""
    process = site.up()
    with site.traffic():
        for _ in range(site.kills):
            kill(process)
            (site.a.folder / "isakmpd.pid").unlink()
            time.sleep(0.2)
            process = site.daemon(site.a)


def engine_killed(site: Site) -> None:
    """A key engine of its own killed and started again under traffic."""
    site.up()
    with site.traffic():
        for _ in range(site.kills):
            kill(site.engines.pop())
            time.sleep(0.2)
            site.engine()


def inbound(site: Site) -> None:
    """A stranger on the wire sends as the far network; rp_filter is off."""
    site.up()
    site.taken = site.stranger(INNER["b"][0])


def inbound_6(site: Site) -> None:
    """The same in IPv6; after a kill, too."""
    running = _six(site)
    site.taken = site.stranger(THERE_6, HERE_6)
    for each in running:
        kill(each)
    site.taken += site.stranger(THERE_6, HERE_6)


def bypassed_6(site: Site) -> None:
    """A part of the far network comes in in clear on purpose, after a kill too; no other."""
    running = _six(site, "Bypass= open\n", f"[open]\nRemote-selectors= {OPEN_6}\n")
    for when in ("while isakmpd runs", "after a kill"):
        assert site.stranger(OPEN_6, HERE_6) == PINGS, f"{OPEN_6} is taken {when}"
        site.taken += site.stranger(THERE_6, HERE_6)
        for each in running:
            kill(each)


def _six(site: Site, listed: str = "", more: str = "") -> list[subprocess.Popen[bytes]]:
    """A connection in IPv6 that nobody has started; what runs at a."""
    site.write(site.a)
    text = site.a.conf.read_text()
    text = text.replace("[Phase 2]\n", f"[Phase 2]\n{listed}Passive-connections= six\n")
    site.a.write(f"{text}{more}[six]\nISAKMP-peer= peer\nESP-proposals= aes256gcm16\n"
                 f"Local-selectors= {HERE_6}\nRemote-selectors= fd10:2::/64\n")  # fmt: skip
    return [site.start(site.a), *site.engines]


def bypassed(site: Site) -> None:
    """A part of the far network goes in clear on purpose, both ways, after a kill too; no other."""
    site.write(site.a)
    text = site.a.conf.read_text().replace("[Phase 2]\n", "[Phase 2]\nBypass= open\n")
    site.a.write(f"{text}[open]\nRemote-selectors= {OPEN}\n")
    process = site.start(site.a)
    for when in ("while isakmpd runs", "after a kill"):
        site.ping(site.a, OPEN)
        assert site.sniffer.clear() >= PINGS, f"{OPEN} is let pass {when}"
        assert site.stranger(OPEN) == PINGS, f"{OPEN} is taken {when}"
        site.taken += site.stranger(INNER["b"][0])
        site.ping(site.a)
        site.taken += site.sniffer.clear()
        for each in (process, *site.engines):
            kill(each)


def second_ended(site: Site) -> None:
    """Another isakmpd of the same namespace ends."""
    site.up()
    folder = site.a.folder / "second"
    second = Host("a", site.a.namespace, folder)
    text = configuration("a", folder, general="Listen-on= 127.0.0.1")
    second.write(text.replace(NETS["b"][0], "10.77.0.0").replace(NETS["b"][1], "10.78.0.0"))
    process = site.run(second, "isakmp", "-d", "-p", "1500", "-N", "1501", "-c", str(second.conf))
    eventually("the second one runs", (folder / "isakmpd.pid").exists, 30)
    process.terminate()
    process.wait()
    site.ping(site.a)


def robbed(site: Site) -> None:
    """Somebody takes the rules and routes away."""
    site.up()
    site.a.namespace.shell("ip rule del priority 500 || :; ip route flush table 500 || :")
    if site.protected:
        eventually("they are told of", lambda: "took" in site.said(), PATIENCE_S)
    site.ping(site.a)


def blocked_end(site: Site) -> None:
    """Ended in order, with Block-when-stopped; then the key engine, where that is on its own."""
    process = site.up("Block-when-stopped= yes")
    for each in (process, *site.engines):
        each.terminate()
        each.wait()
        site.ping(site.a)


ROWS: dict[str, Callable[[Site], object]] = {
    "passive, nobody has come": passive,
    "left out for an error": left_out,
    "down, deleted by the peer": down,
    "deleted by the passive end": deleted,
    "rekeyed under traffic": between_sas,
    "reloaded under traffic": reloaded,
    "daemon killed under traffic": killed,
    "arrives in clear": inbound,
    "arrives in clear, IPv6": inbound_6,
    "all but a Bypass": bypassed,
    "all but a Bypass, IPv6": bypassed_6,
    "a second daemon has ended": second_ended,
    "routes and rules taken away": robbed,
    "ended, Block-when-stopped": blocked_end,
}
ROWS_OF: dict[Stack, dict[str, Callable[[Site], object]]] = {
    Stack.ENGINE: ROWS,
    Stack.OWN: {
        **{name: row for name, row in ROWS.items() if row in (
            left_out, deleted, killed, inbound, inbound_6, bypassed, bypassed_6, blocked_end)},
        "engine killed under traffic": engine_killed,
    },
    # Neither routes nor rules are its own, and one isakmpd at a time has it.
    Stack.XFRM: {name: row for name, row in ROWS.items() if row not in (second_ended, robbed)},
}  # fmt: skip


def play(
    row: Callable[[Site], object], folder: Path, kind: Stack = Stack.ENGINE, kills: int = KILLS,
    protected: bool = True,
) -> int:  # fmt: skip
    """Play a row; how many packets went, or were taken, in clear."""
    with hosts(folder) as (a, b), Sniffer(a.namespace, b.namespace) as sniffer, \
            ExitStack() as stack:  # fmt: skip
        site = Site(a, b, sniffer, stack, kills, kind, protected)
        row(site)
        time.sleep(0.3)
        return sniffer.clear() + site.taken
