"""Two isakmpd of this checkout in two namespaces, with two connections and steady traffic."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from fifo_ui import ctl
from regress.interop.end import eventually
from regress.interop.namespace import Namespace, network

ROOT = Path(__file__).resolve().parents[2]
OUTER = {"a": "192.168.77.1", "b": "192.168.77.2"}
# Through a NAT: where each is found.
THROUGH = {"a": "192.168.78.254", "b": "192.168.78.2"}
INNER = {"a": ("10.10.1.1", "10.13.1.1"), "b": ("10.10.2.1", "10.13.2.1")}
NETS = {"a": ("10.10.1.0", "10.13.1.0"), "b": ("10.10.2.0", "10.13.2.0")}
CONNECTIONS = ("first", "second")
SUITE = "QM-ESP-AESGCM-128-PFS-GRP31-SUITE"
# An answer that is on its way for longer will not come: both ends are on one host.
IN_FLIGHT_S = 1.0
OTHER_SUITE = "QM-ESP-AES-256-SHA2-256-PFS-GRP31-SUITE"


def configuration(
    end: str, folder: Path, *, general: str = "", life_s: int = 1200, phase_1_s: int = 3600,
    suites: tuple[str, str] = (SUITE, SUITE), key_exchange: str = "ikev1",
    outer: dict[str, str] = OUTER,
) -> str:  # fmt: skip
    """One end's file; a starts, b answers."""
    far = "b" if end == "a" else "a"
    listed = "Connections" if end == "a" else "Passive-connections"
    text = f"""
[General]
Run-directory= {folder}
Default-phase-1-lifetime= {phase_1_s},5:86400
Default-phase-2-lifetime= {life_s},5:86400
{general}
[Phase 1]
{outer[far]}= peer
[Phase 2]
{listed}= first, second
[peer]
Phase= 1
Address= {outer[far]}
Configuration= phase-1
Key-exchange= {key_exchange}
Authentication= live-secret
[phase-1]
EXCHANGE_TYPE= ID_PROT
Transforms= AES-128-SHA2-256-GRP31
"""
    for index, name in enumerate(CONNECTIONS):
        text += f"""
[{name}]
Phase= 2
ISAKMP-peer= peer
Configuration= {name}-suites
Local-ID= {name}-local
Remote-ID= {name}-remote
[{name}-suites]
EXCHANGE_TYPE= QUICK_MODE
Suites= {suites[index]}
[{name}-local]
ID-type= IPV4_ADDR_SUBNET
Network= {NETS[end][index]}
Netmask= 255.255.255.0
[{name}-remote]
ID-type= IPV4_ADDR_SUBNET
Network= {NETS[far][index]}
Netmask= 255.255.255.0
"""
    return text


class Host:
    """One end: its namespace, folder and processes."""

    def __init__(self, name: str, namespace: Namespace, folder: Path) -> None:
        self.name, self.namespace, self.folder = name, namespace, folder
        self.conf = folder / "isakmpd.conf"
        self.connections: tuple[str, ...] = CONNECTIONS
        self._killed: list[subprocess.Popen[bytes]] = []
        self.running: subprocess.Popen[bytes]
        folder.mkdir()

    def write(self, text: str) -> None:
        """Replace the configuration."""
        self.conf.touch(0o600)
        self.conf.write_text(text)

    @contextmanager
    def process(
        self, *arguments: str, through: tuple[str, ...] = ()
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A Python module of the project in the namespace, ended by TERM. through: what runs it."""
        command = [*through, sys.executable, "-m", *arguments]
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            process = subprocess.Popen(
                self.namespace.command(command), cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            wanted = -signal.SIGKILL if process in self._killed else 0
            log_text = (self.folder / f"{arguments[0]}.log").read_text()
            assert process.wait(60) == wanted, log_text[-3000:]

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a process of this host's without a word."""
        self._killed.append(process)
        process.kill()
        process.wait(15)

    def daemon(self) -> Any:
        """isakmpd with this host's configuration."""
        return self.process("isakmp", "-d", "-v", "-c", str(self.conf))

    def status(self) -> dict[str, Any]:
        """What isakmpctl knows; here in the same process, as it is asked often."""
        with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()):
            status = ctl.main(["--run-directory", str(self.folder), "sa", "--json"])
        return json.loads(out.getvalue()) if status == 0 else {}

    def pairs(self) -> dict[str, list[str]]:
        """SPIs of the established pairs of each connection."""
        result = self.status().get("result") or []
        rows = [row for row in result if row["phase"] == 2 and row["state"] == "established"]
        return {
            name: sorted(f"{row['spi_in']}/{row['spi_out']}" for row in rows if row["name"] == name)
            for name in self.connections
        }

    def log(self) -> str:
        """What isakmpd has logged."""
        return (self.folder / "isakmp.log").read_text()


class Stream:
    """Pings at a steady rate from a to b, over one connection."""

    def __init__(self, host: Host, connection: int, count: int, interval_s: float) -> None:
        command = host.namespace.command([
            "ping", "-c", str(count), "-i", str(interval_s), "-W", "2",
            "-I", INNER["a"][connection], INNER["b"][connection],
        ])  # fmt: skip
        self.count, self._interval_s = count, interval_s
        # A pipe that nobody reads would stop it.
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(command, stdout=self._output, text=True)

    def lost(self) -> int:
        """How many of them were not answered, once all are sent."""
        return self.count - len(answered(self._text(120)))

    def stop(self) -> int:
        """Go on for a moment, end early, and count what was lost until then."""
        time.sleep(IN_FLIGHT_S)
        self._process.send_signal(signal.SIGINT)
        output = self._text(20)
        sent = re.search(r"(\d+) packets transmitted", output)
        assert sent, output
        return lost_of(int(sent[1]), answered(output), self._interval_s)

    def _text(self, timeout_s: float) -> str:
        with self._output:
            self._process.wait(timeout_s)
            self._output.seek(0)
            return self._output.read()


def answered(output: str) -> set[int]:
    """The numbers of the pings that had an answer."""
    return {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl=", output)}


def lost_of(sent: int, answers: set[int], interval_s: float) -> int:
    """How many of ``sent`` pings were lost. The answers to the very last ones may have been on
    their way when it ended; where there are more of these than that, none was."""
    last = max(answers, default=0)
    tail = sent - last
    return last - len(answers) + (tail if tail * interval_s > IN_FLIGHT_S else 0)


@contextmanager
def hosts(folder: Path) -> Iterator[tuple[Host, Host]]:
    """a and b on one wire, with the inner addresses of both connections."""
    with ends(folder, nat=False) as (a, b, *_):
        yield a, b


@contextmanager
def ends(folder: Path, *, nat: bool) -> Iterator[list[Host]]:
    """a and b; with ``nat`` a router in between, before a, which is the third."""
    with ExitStack() as stack:
        made = stack.enter_context(network(nat))
        for name, namespace in zip("ab", made[:2], strict=True):
            namespace.shell(f"ip addr add {INNER[name][1]}/32 dev lo")
        yield [Host(n, space, folder / n) for n, space in zip("abr", made, strict=False)]


def both_up(a: Host, b: Host) -> bool:
    """Whether each connection has exactly one pair, the same on both ends."""
    ours, theirs = a.pairs(), b.pairs()
    swapped = {n: [f"{p.split('/')[1]}/{p.split('/')[0]}" for p in theirs[n]] for n in theirs}
    return all(len(ours[name]) == 1 for name in a.connections) and ours == swapped


def wait_up(a: Host, b: Host, timeout_s: float = 20) -> None:
    """Failure where that does not come true in time."""
    eventually("both connections are up, once", lambda: both_up(a, b), timeout_s)


def hup(process: subprocess.Popen[bytes]) -> None:
    """Signal the daemon itself, which is what nsenter has become."""
    os.kill(process.pid, signal.SIGHUP)
