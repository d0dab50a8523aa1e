"""States in which traffic of a connection has gone, or could go, in clear: a row each.

Each plays one state on two hosts, sends traffic of both IP versions that belongs in the tunnel, has
a stranger send what should come out of it, and says how many packets went, or were accepted, in
clear. The default route of both leads over the wire that the sniffer reads.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from io import StringIO
from itertools import count
from pathlib import Path
from threading import Event, Thread

from fifo_ui import ctl
from isakmp import __main__ as isakmpd
from isakmp.app.engine import __main__ as isakmpd_engine
from isakmp.app.nft import messages
from isakmp.app.nft.link import Link
from isakmp.preload import preload
from regress.interop.end import eventually
from regress.interop.forked import Forked
from regress.leak.sniffer import (
    CELLS,
    IN,
    OUT,
    Clear,
    Pinger,
    Sniffer,
    Stranger,
    echo,
    echoes_taken,
)
from regress.live.pair import INNER, NETS, OTHER_SUITE, SUITE, Host, configuration, hosts, wait_up

KILLS = 20
PINGS = 5
LIFE_S = 10
PAUSE_S, SOON_S = 0.05, 0.2
PATIENCE_S = 60
FIRST, SIX = "first", "six"
INNER_6 = {"a": "fd10:1::1", "b": "fd10:2::1"}
# What bypassed() lets pass of the far networks.
OPEN = "10.10.2.200", "fd10:2::200"


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
    taken: Clear = field(default_factory=Clear)
    engines: list[Forked] = field(default_factory=list)
    strangers: dict[str, Stranger] = field(default_factory=dict)
    pingers: dict[str, list[Pinger]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for host in (self.a, self.b):
            host.connections = (*host.connections, SIX)
            self.strangers[host.name] = Stranger(self.far(host).namespace, host.namespace)
            self.pingers[host.name] = [Pinger(host.namespace, src) for src in inner(host)]
            self.stack.callback(self.strangers[host.name].close)
            for pinger in self.pingers[host.name]:
                self.stack.callback(pinger.close)

    def far(self, host: Host) -> Host:
        """The other one."""
        return self.b if host is self.a else self.a

    def general(self, host: Host) -> str:
        """What [General] says more."""
        if self.kind is Stack.XFRM:
            return "Application= xfrm"
        return f"Engine-socket= {host.folder / 'engine'}" if self.own and host is self.a else ""

    @property
    def own(self) -> bool:
        """Whether a's engine has a process of its own."""
        return self.kind is Stack.OWN

    def write(
        self, host: Host, *, suite: str = SUITE, more: str = "", life_s: int = 1200
    ) -> None:  # fmt: skip
        """A host's configuration; it starts IKEv2."""
        general = f"{self.general(host)}\nRetransmit-interval= 1\n{more}"
        text = configuration(host.name, host.folder, general=general, life_s=life_s,
                             suites=(suite, suite), key_exchange="ikev2")  # fmt: skip
        here, there = INNER_6[host.name], INNER_6[self.far(host).name]
        host.write(
            text.replace("first, second", f"first, second, {SIX}")
            + f"""
[{SIX}]
Phase= 2
ISAKMP-peer= peer
Configuration= first-suites
Local-ID= six-local
Remote-ID= six-remote
[six-local]
ID-type= IPV6_ADDR_SUBNET
Network= {here[:-1]}
Netmask= ffff:ffff:ffff:ffff::
[six-remote]
ID-type= IPV6_ADDR_SUBNET
Network= {there[:-1]}
Netmask= ffff:ffff:ffff:ffff::
"""
        )

    def start(self, host: Host) -> Forked:
        """Its daemon, and before that its engine where it has one of its own."""
        if self.own and host is self.a:
            self.engine()
        return self.daemon(host)

    def daemon(self, host: Host) -> Forked:
        """Its daemon, which runs."""
        flags = ("-d",) if self.protected else ("-d", "-a")
        process = self.isakmpd(host, *flags)
        eventually(f"{host.name} runs", (host.folder / "isakmpd.pid").exists, PATIENCE_S)
        return process

    def isakmpd(self, host: Host, *flags: str) -> Forked:
        """isakmpd with a host's configuration; killed at the end of the row."""
        return self.run(host, partial(isakmpd.main, [*flags, "-c", str(host.conf)]), "isakmp.log")

    def engine(self) -> None:
        """a's engine of its own."""
        place = self.a.folder / "engine"
        Path(f"{place}.esp").unlink(missing_ok=True)
        main = partial(isakmpd_engine.main, ["--socket", str(place)])
        self.engines.append(self.run(self.a, main, "engine.log"))
        eventually("the engine listens", Path(f"{place}.esp").exists, PATIENCE_S)

    def run(self, host: Host, main: Callable[[], int], log: str) -> Forked:
        """A program of the project, killed at the end of the row."""
        process = Forked(main, host.namespace, host.folder / log)
        self.stack.callback(kill, process)
        return process

    def up(self, more: str = "") -> Forked:
        """Both daemons, and every connection; a's process."""
        self.write(self.b)
        self.start(self.b)
        self.write(self.a, more=more)
        process = self.start(self.a)
        wait_up(self.a, self.b, PATIENCE_S)
        return process

    def said(self) -> str:
        """What a's daemon has logged, and its engine."""
        logs = (self.a.folder / name for name in ("isakmp.log", "engine.log"))
        return "".join(log.read_text() for log in logs if log.exists())

    def probe(self, host: Host) -> None:
        """Some packets both ways: from the host, and from a stranger in its peer's name."""
        self.stranger(host)
        self.ping(host)

    def ping(self, host: Host, to: tuple[str, str] | None = None) -> None:
        """Some packets of the first connection and of that in IPv6."""
        for number in range(PINGS):
            self.send(host, to or inner(self.far(host)), number)
            time.sleep(PAUSE_S)
        time.sleep(SOON_S)

    def send(self, host: Host, to: tuple[str, str], number: int) -> None:
        """One packet of the host's in each IP version."""
        for pinger, dst in zip(self.pingers[host.name], to, strict=True):
            pinger.send(dst, number)

    def stranger(self, host: Host, src: tuple[str, str] | None = None) -> Clear:
        """Packets in clear, from ``src`` as they say; how many of them the host has taken."""
        before = echoes_taken(host.namespace)
        for number in range(PINGS):
            self.put(host, src or inner(self.far(host)), number)
        taken = echoes_taken(host.namespace) - before
        if src is None:
            self.taken += taken
        return taken

    def put(self, host: Host, src: tuple[str, str], number: int) -> None:
        """One packet of each IP version for the host."""
        pairs = zip(src, inner(host), strict=True)
        self.strangers[host.name].put([echo(*pair, number) for pair in pairs])

    @contextmanager
    def traffic(self) -> Iterator[None]:
        """A packet every 20 ms from a, and every 60 ms from a stranger, until the end."""
        before, done = echoes_taken(self.a.namespace), Event()
        busy = Thread(target=self._busy, args=(done,))
        busy.start()
        try:
            yield
        finally:
            done.set()
            busy.join()
        self.taken += echoes_taken(self.a.namespace) - before

    def _busy(self, done: Event) -> None:
        for number in count():
            if done.wait(0.02):
                return
            self.send(self.a, inner(self.b), number % 0xFFFF)
            if number % 3 == 0:
                self.put(self.a, inner(self.b), 0)
                self.sniffer.look()

    def ctl(self, host: Host, *arguments: str) -> None:
        """A command for its daemon."""
        with redirect_stdout(StringIO()):
            assert ctl.main(["--run-directory", str(host.folder), *arguments]) == 0, arguments

    def took(self) -> None:
        """Wait until a tells that somebody took something away, and has put it back."""
        if self.protected:
            eventually("that is told", lambda: "took" in self.said(), PATIENCE_S)


def inner(host: Host) -> tuple[str, str]:
    """Its addresses behind the first connection and that in IPv6."""
    return INNER[host.name][0], INNER_6[host.name]


def kill(process: Forked) -> None:
    """At once."""
    process.kill()
    process.wait()


def end(process: Forked) -> None:
    """In order."""
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE_S)


# --- the rows --------------------------------------------------------------------------------


def passive(site: Site) -> None:
    """The one that answers, before anybody has come."""
    site.write(site.b)
    site.start(site.b)
    site.probe(site.b)


def left_out(site: Site) -> None:
    """Connections with an error in their suites."""
    site.write(site.a, suite="QM-ESP-AESGCM-999-SUITE")
    site.start(site.a)
    site.probe(site.a)


MISSPELT = {
    "tags": (("Remote-ID=", "Remtoe-ID="), ("Local-ID=", "Loacl-ID=")),
    "a comma": (("first, second", "first second"),),
    "names": (("Connections= first, second, six", "Connections= fisrt, secnod, sx"),),
    "a header": (("[Phase 2]\n", ""),),
}


def _misspell(site: Site, fault: str) -> None:
    site.write(site.a)
    text = site.a.conf.read_text()
    for right, wrong in MISSPELT[fault]:
        assert right in text
        text = text.replace(right, wrong)
    site.a.write(text)


def misspelt(site: Site) -> None:
    """Started with misspelt tags and names."""
    for fault in ("tags", "a comma", "names"):
        _misspell(site, fault)
        process = site.start(site.a)
        site.probe(site.a)
        for each in (process, *site.engines):
            kill(each)
        site.engines.clear()
        (site.a.folder / "isakmpd.pid").unlink()


def misspelt_later(site: Site) -> None:
    """Reloaded with them, each after what was right, under traffic."""
    process = site.up()
    with site.traffic():
        for fault in MISSPELT:
            _misspell(site, fault)
            process.send_signal(signal.SIGHUP)
            time.sleep(1)
            site.write(site.a)
            process.send_signal(signal.SIGHUP)
            time.sleep(1)


def closed(site: Site) -> None:
    """Closed by command, before isakmpd has started."""
    site.write(site.a)
    if site.protected:
        assert site.isakmpd(site.a, "--close-only").wait(PATIENCE_S) == 0
    site.probe(site.a)


def established(site: Site) -> None:
    """Up; then a's end is killed."""
    daemon = site.up()
    site.probe(site.a)
    site.probe(site.b)
    for each in (daemon, *site.engines):
        kill(each)
        site.probe(site.a)


def down(site: Site) -> None:
    """Taken down by command, so that the peer deletes it, too."""
    site.up()
    for name in (FIRST, SIX):
        site.ctl(site.a, "down", name)
    for host in (site.a, site.b):
        eventually("it is down", partial(_none, host), PATIENCE_S)
        site.probe(host)


def _none(host: Host) -> bool:
    pairs = host.pairs()
    return not (pairs[FIRST] or pairs[SIX])


def deleted(site: Site) -> None:
    """Deleted by the passive end; the other one may bring it up again at once."""
    site.up()
    before = site.b.pairs()
    for name in (FIRST, SIX):
        site.ctl(site.b, "down", name)
        eventually("it is deleted", lambda: site.b.pairs()[name] != before[name], PATIENCE_S)  # noqa: B023
    site.probe(site.b)
    site.probe(site.a)


def between_sas(site: Site) -> None:
    """Rekeyed under traffic."""
    site.up()
    with site.traffic():
        for _ in range(2):
            for name in (FIRST, SIX):
                site.ctl(site.a, "rekey", name)
            time.sleep(1)


def expired(site: Site) -> None:
    """SAs expire under traffic, as their peer is gone; it is called for again and again."""
    site.write(site.b)
    peer = site.start(site.b)
    site.write(site.a, life_s=LIFE_S)
    site.start(site.a)
    wait_up(site.a, site.b, PATIENCE_S)
    kill(peer)
    with site.traffic():
        eventually("all have expired", partial(_all_expired, site), PATIENCE_S)
        time.sleep(1)


def _all_expired(site: Site) -> bool:
    return site.said().count(" expired") >= len(site.a.connections)


def reloaded(site: Site) -> None:
    """Reloaded with other suites under traffic."""
    process = site.up()
    with site.traffic():
        for suite in (OTHER_SUITE, SUITE, OTHER_SUITE):
            site.write(site.a, suite=suite)
            process.send_signal(signal.SIGHUP)
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
            time.sleep(0.2)


def engine_killed(site: Site) -> None:
    """A key engine of its own killed and started again under traffic."""
    site.up()
    with site.traffic():
        for _ in range(site.kills):
            kill(site.engines.pop())
            time.sleep(0.2)
            site.engine()
            time.sleep(0.2)


def bypassed(site: Site) -> None:
    """Parts of the far networks go in clear on purpose, both ways, after a kill too; no others."""
    site.write(site.a)
    text = site.a.conf.read_text().replace("[Phase 2]\n", "[Phase 2]\nBypass= open, open-6\n")
    sections = zip(("open", "open-6"), OPEN, strict=True)
    site.a.write(text + "".join(f"[{n}]\nRemote-selectors= {to}\n" for n, to in sections))
    process = site.start(site.a)
    for when in ("while isakmpd runs", "after a kill"):
        site.ping(site.a, OPEN)
        assert _whole(site.sniffer.clear(), OUT), f"{OPEN} are let pass {when}"
        assert _whole(site.stranger(site.a, OPEN), IN), f"{OPEN} are taken {when}"
        site.sniffer.clear()  # the answers
        site.probe(site.a)
        site.taken += site.sniffer.clear()
        for each in (process, *site.engines):
            kill(each)


def _whole(seen: Clear, way: str) -> bool:
    return all(seen[cell] >= PINGS for cell in CELLS if cell.endswith(way))


def second_ended(site: Site) -> None:
    """Another isakmpd of the same namespace ends; the kernel's stack it cannot have."""
    site.up()
    folder = site.a.folder / "second"
    second = Host("a", site.a.namespace, folder)
    general = f"Listen-on= 127.0.0.1\n{'Application= xfrm' * (site.kind is Stack.XFRM)}"
    text = configuration("a", folder, general=general)
    second.write(text.replace(NETS["b"][0], "10.77.0.0").replace(NETS["b"][1], "10.78.0.0"))
    process = site.isakmpd(second, "-d", "-p", "1500", "-N", "1501")
    if site.kind is Stack.XFRM:
        assert process.wait(PATIENCE_S) == 1
        assert "end it first" in (folder / "isakmp.log").read_text()
    else:
        eventually("the second one runs", (folder / "isakmpd.pid").exists, PATIENCE_S)
        end(process)
    site.probe(site.a)


def robbed(site: Site) -> None:
    """Somebody takes the rules and routes away; who puts them back is slow."""
    daemon = site.up()
    holder = site.engines[-1] if site.own else daemon
    holder.send_signal(signal.SIGSTOP)
    for ip in ("ip -4", "ip -6"):
        site.a.namespace.shell(f"{ip} rule del priority 500 || :; {ip} route flush table 500 || :")
    site.probe(site.a)
    holder.send_signal(signal.SIGCONT)
    site.took()
    site.probe(site.a)


def outdone(site: Site) -> None:
    """Somebody leads the traffic past the device, by a rule that stands before ours."""
    site.up()
    for ip in ("ip -4", "ip -6"):
        site.a.namespace.shell(f"{ip} rule add priority 400 lookup main")
    site.probe(site.a)


def unguarded(site: Site) -> None:
    """Somebody takes the kernel's policies away, and the tables of nftables."""
    site.up()
    site.a.namespace.shell("ip xfrm policy flush")
    site.took()
    _forget_logs(site.a)
    if site.kind is not Stack.XFRM:
        site.a.namespace.within(_flush_tables)
        site.took()
    site.probe(site.a)


def _flush_tables() -> None:
    """What ``nft flush ruleset`` does, of IPv6."""
    link = Link()
    for name in link.tables():
        link.carry_out([messages.table(messages.Msg.DELTABLE, name)])
    link.close()


def _forget_logs(host: Host) -> None:
    for name in ("isakmp.log", "engine.log"):
        if (host.folder / name).exists():
            os.truncate(host.folder / name, 0)


def blocked_end(site: Site) -> None:
    """Ended in order, with Block-when-stopped; then the key engine, where that is on its own."""
    process = site.up("Block-when-stopped= yes")
    for each in (process, *site.engines):
        end(each)
        site.probe(site.a)


ROWS: dict[str, Callable[[Site], object]] = {
    "closed before the start": closed,
    "passive, nobody has come": passive,
    "left out for an error": left_out,
    "misspelt at the start": misspelt,
    "misspelt under traffic": misspelt_later,
    "up, then killed": established,
    "down, deleted by the peer": down,
    "deleted by the passive end": deleted,
    "rekeyed under traffic": between_sas,
    "expired, the peer is gone": expired,
    "reloaded under traffic": reloaded,
    "daemon killed under traffic": killed,
    "engine killed under traffic": engine_killed,
    "all but a Bypass": bypassed,
    "a second daemon has ended": second_ended,
    "routes and rules taken away": robbed,
    "another's rule before ours": outdone,
    "policies and tables taken away": unguarded,
    "ended, Block-when-stopped": blocked_end,
}
ELSEWHERE: dict[Stack, tuple[Callable[[Site], object], ...]] = {
    Stack.ENGINE: (engine_killed,),  # which is the daemon
    Stack.OWN: (),
    Stack.XFRM: (engine_killed, robbed, outdone),  # there are none
}
ROWS_OF = {
    stack: {name: row for name, row in ROWS.items() if row not in without}
    for stack, without in ELSEWHERE.items()
}


def play(
    row: Callable[[Site], object], folder: Path, kind: Stack = Stack.ENGINE, kills: int = KILLS,
    protected: bool = True,
) -> Clear:  # fmt: skip
    """Play a row; how many packets went, or were taken, in clear."""
    preload()  # once for all forks
    with hosts(folder) as (a, b), Sniffer(a.namespace, b.namespace) as sniffer, \
            ExitStack() as stack:  # fmt: skip
        site = Site(a, b, sniffer, stack, kills, kind, protected)
        _see(site)
        row(site)
        time.sleep(0.3)
        return +(sniffer.clear() + site.taken)


def _see(site: Site) -> None:
    """What nothing protects yet is seen at both ends, either way: AssertionError."""
    for host in (site.a, site.b):
        site.probe(host)
        seen = site.sniffer.clear() + site.taken
        assert all(seen[cell] >= PINGS for cell in CELLS), f"not all is seen at {host.name}: {seen}"
        site.taken.clear()
