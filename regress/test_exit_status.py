"""The EXIT STATUS tables of the manuals, row by row, by the processes themselves."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from regress.capture.packets import MESSAGE, ipv4, pcap, udp
from regress.process import Running, conf

__all__ = ["conf"]
ROOT = Path(__file__).resolve().parents[1]
MODULES = {
    "isakmpd": "isakmp", "isakmpctl": "fifo_ui.ctl", "isakmpd-engine": "isakmp.app.engine"
}  # fmt: skip


class Row(NamedTuple):
    """manual: the page; status: what it says; when: in its words."""

    manual: str
    status: int
    when: str


def rows() -> Iterator[Row]:
    for manual in ("isakmpd", "isakmpctl"):
        text = (ROOT / "docs" / f"{manual}.8.md").read_text(encoding="utf-8")
        part = text.partition("\n## EXIT STATUS\n")[2].partition("\n## ")[0]
        for status, when in re.findall(r"(?m)^\| (\d+) \| (.*) \|$", part):
            yield Row(manual, int(status), when)


class Stage:
    """A folder with a good configuration; isakmpd runs there where a case wants it."""

    def __init__(self, conf: Path) -> None:
        self.conf, self.folder = conf, conf.parent
        self.before: tuple[str, ...] = ()

    def run(self, command: str, *words: str, interrupt: bool = False) -> int:
        argv = [*self.before, sys.executable, "-m", MODULES[command], *words]
        with subprocess.Popen(
            argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        ) as process:  # fmt: skip
            if interrupt:
                self.interrupt(process)
            process.communicate(timeout=60)
            return process.returncode

    def interrupt(self, process: subprocess.Popen[str]) -> None:
        """Once isakmpctl has written its command, and waits for an answer of who reads."""
        with (self.folder / "isakmpd.fifo").open("rb") as fifo:
            assert fifo.read(1)
            process.send_signal(signal.SIGINT)
            process.wait(60)

    def control(self, *words: str, interrupt: bool = False) -> int:
        where = ("--run-directory", str(self.folder), "--timeout", "20")
        return self.run("isakmpctl", *where, *words, interrupt=interrupt)

    def daemon(self, *words: str) -> int:
        return self.run("isakmpd", "-c", str(self.conf), *words)

    def controlled(self, *words: str) -> int:
        """isakmpctl, with an isakmpd that runs."""
        running = Running(self.conf, "-d")
        try:
            running.until("isakmpd runs")
            return self.control(*words)
        finally:
            assert running.stop() == 0

    def ended(self, how: signal.Signals | str) -> int:
        """How isakmpd ends."""
        running = Running(self.conf, "-d")
        running.until("isakmpd runs")
        if isinstance(how, str):
            assert self.control(how) == 0
        else:
            running.process.send_signal(how)
        return running.process.wait(30)

    def detached(self) -> int:
        """isakmpd without -d, and its daemon's end."""
        status = Running(self.conf).process.wait(30)
        pid = int((self.folder / "isakmpd.pid").read_text())
        os.kill(pid, signal.SIGTERM)
        return status

    def apart(self) -> Stage:
        """In a network namespace of each command's own, with the key engine's barrier."""
        self.before = ("unshare", "--net")
        return self.broken("Application= none", "Application= engine")

    def broken(self, old: str, new: str) -> Stage:
        self.conf.write_text(self.conf.read_text().replace(old, new))
        return self

    def dump(self, data: bytes) -> int:
        path = self.folder / "some.pcap"
        path.write_bytes(data)
        return self.run("isakmpctl", "dump", str(path))


BAD_PEER = ("ISAKMP-peer= east", "ISAKMP-peer= est")
NO_PARSE = ("[General]", "[General")
NO_DIRECTORY = ("Run-directory= ", "Run-directory= /nonexistent")

Case = Callable[[Stage], list[int]]
CASES: dict[tuple[str, str], Case] = {
    ("isakmpd", "TERM, INT or `isakmpctl quit` has ended it in order"): lambda s: [
        s.ended(how) for how in (signal.SIGTERM, signal.SIGINT, "quit")
    ],
    ("isakmpd", "without `-d`: the daemon is ready"): lambda s: [s.detached()],
    ("isakmpd", "`--check`: no errors; there may be warnings"): lambda s: [s.daemon("--check")],
    ("isakmpd", "`--close-only`, `--open`: all is closed, or open"): lambda s: [
        s.apart().daemon("--close-only"), s.daemon("--open")
    ],
    ("isakmpd", "`--help`, `--version`"): lambda s: [
        s.run(command, flag)
        for command in ("isakmpd", "isakmpd-engine") for flag in ("--help", "--version", "-h")
    ],
    ("isakmpd", "`--check`: the configuration has errors"): lambda s: [
        s.broken(*BAD_PEER).daemon("--check"), s.broken(*NO_PARSE).daemon("--check")
    ],
    ("isakmpd", "the configuration cannot be read or parsed"): lambda s: [
        s.run("isakmpd", "-d", "-c", str(s.folder / "none")),
        *(s.broken(*NO_PARSE).daemon(*words) for words in (("-d",), (), ("--close-only",))),
    ],
    ("isakmpd", "without `-d`: the daemon cannot run"): lambda s: [
        s.broken(*NO_DIRECTORY).daemon()
    ],
    ("isakmpd", "with `-d`, or isakmpd-engine: it cannot run"): lambda s: [
        s.broken(*NO_DIRECTORY).daemon("-d"),
        s.run("isakmpd-engine", "--socket", "/nonexistent/socket"),
        s.run("isakmpd-engine", "--socket", str(s.folder / "e"), "--user", "no-such-user"),
    ],
    ("isakmpd", "`--close-only`, `--open`: not all of it was done"): lambda s: [
        s.apart().broken("Netmask= 255.255.0.0", "Netmask= none").daemon("--close-only")
    ],
    ("isakmpd", "wrong usage"): lambda s: [
        s.daemon("--nothing"), s.daemon("-p", "x"), s.daemon("--close-only", "--open"),
        s.run("isakmpd-engine"), s.run("isakmpd-engine", "--socket"),
        *(s.daemon("-D", level, *more) for level in ("Foo", "8=200", "8", "Nil=1")
          for more in ((), ("--check",))),
    ],
    ("isakmpctl", "it is done; also where whoever reads the output has gone"): lambda s: [
        s.controlled(verb) for verb in ("sa", "explain", "reload")
    ],
    ("isakmpctl", "`dump`: there are messages, or ESP"): lambda s: [
        s.dump(pcap(ipv4(udp(MESSAGE))))
    ],
    ("isakmpctl", "`--help`, `--version`"): lambda s: [
        s.run("isakmpctl", *words)
        for words in (("--help",), ("--version",), ("up", "--help"), ("dump", "-h"))
    ],
    ("isakmpctl", "isakmpd does not run, or does not answer"): lambda s: [
        s.control(*words) for words in (("sa",), ("up", "west-east", "--wait", "0.2"))
    ],
    ("isakmpctl", "isakmpd has refused it"): lambda s: [
        s.controlled(*words) for words in (("up", "nowhere"), ("conf", "get", "no", "such"))
    ],
    ("isakmpctl", "`dump`: the file cannot be read, or is broken"): lambda s: [
        s.run("isakmpctl", "dump", "/nonexistent"), s.dump(b"no capture"),
        s.dump(pcap(ipv4(udp(MESSAGE)))[:-3]),
    ],
    ("isakmpctl", "`dump`: there is neither IKE nor ESP in it"): lambda s: [s.dump(pcap())],
    ("isakmpctl", "`up --wait`: the connection has failed, or the time is over"): lambda s: [
        s.controlled("up", "west-east", "--wait", "0.5")
    ],
    ("isakmpctl", "wrong usage"): lambda s: [
        s.control(*words) for words in (
            (), ("frob",), ("up",), ("conf",), ("capture", "maybe"), ("up", "net", "--wait", "-3"),
            ("up", "net", "--wait", "nan"), ("up", "net", "--wait", "soon"),
            ("--timeout", "-1", "sa"),
        )
    ],
    ("isakmpctl", "interrupted"): lambda s: [interrupted(s)],
}  # fmt: skip
# Played where two daemons are: regress/live/test_readme.py.
ELSEWHERE = {("isakmpctl", "`up --wait`: the connection is up, be it in part")}


def interrupted(s: Stage) -> int:
    """isakmpctl that waits for an answer which nobody gives."""
    os.mkfifo(s.folder / "isakmpd.fifo", 0o600)
    return s.control("sa", interrupt=True)


def test_every_row_of_the_manuals_is_played() -> None:
    told = {(row.manual, row.when) for row in rows()}
    assert told == set(CASES) | ELSEWHERE


@pytest.mark.parametrize(
    "row", [r for r in rows() if (r.manual, r.when) in CASES], ids=lambda row: row.when
)
def test_the_status_is_what_the_manual_says(row: Row, conf: Path) -> None:
    if "close-only" in row.when and os.geteuid() != 0:
        pytest.skip("needs root, for a network namespace")
    found = CASES[row.manual, row.when](Stage(conf))
    assert found and set(found) == {row.status}
