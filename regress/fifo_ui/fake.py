"""A daemon that records what it is asked, and its FIFO on a real loop."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fifo_ui.client import Client
from fifo_ui.commands import Commands
from fifo_ui.ctl import perform
from fifo_ui.fifo import Fifo
from fifo_ui.flags import make_parser
from isakmp.conf.store import Conf, Transaction
from isakmp.errors import IsakmpError
from isakmp.event.job import Job
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log

CONF = """
[General]
Listen-on= 192.0.2.1
[Phase 2]
Connections= a-b,a-c
[peer-b]
Authentication= mekmitasdigoat
"""

TOKEN = "0123456789abcdef"
COOKIES = "29f6006212625def:c26a81baec6070d2"
PHASE_1: dict[str, Any] = {
    "phase": 1, "name": "peer-b", "state": "established", "initiator": True,
    "exchange": "main mode", "local": "192.0.2.1:4500", "remote": "198.51.100.22:4500",
    "cookies": COOKIES, "encryption": "AES_CBC", "key_bits": 256, "hash": "SHA2_256",
    "group": "MODP_2048", "auth": "PRE_SHARED", "nat_t": "local", "local_id": "192.0.2.1",
    "remote_id": "gw.example.org", "age_s": 62.3, "soft_s": 3000, "hard_s": 3600, "reason": None,
}  # fmt: skip
PHASE_2: dict[str, Any] = {
    "phase": 2, "name": "a-b", "state": "established", "initiator": False, "cookies": COOKIES,
    "message_id": "0102030a", "protocol": "ESP", "mode": "tunnel", "encryption": "AES_GCM_16",
    "key_bits": 256, "auth": None, "pfs": "MODP_2048", "spi_in": "0x12345678",
    "spi_out": "0x9abcdef0", "local": "192.0.2.1", "remote": "198.51.100.22",
    "selector": "10.1.0.0/16 -> 10.2.0.0/16", "local_selectors": ["10.1.0.0/16"],
    "remote_selectors": ["10.2.0.0/16", "10.3.0.0-10.3.0.9[tcp/80]"],
    "packets_in": 12345, "bytes_in": 1234567, "packets_out": 9, "bytes_out": 900,
    "age_s": 0.0, "soft_s": 0, "hard_s": 0, "encap": True,
}  # fmt: skip
FAILURE: dict[str, Any] = {
    "id": 4, "when": 1e9, "exchange": "main mode", "name": "peer-b", "remote": "198.51.100.22",
    "ok": False, "took_s": 0.0123,
    "reason": {
        "cause": "no-proposal-chosen", "detail": "none of the peer's transforms fits",
        "came": "3DES SHA MODP_1024", "acceptable": "AES_CBC-256 SHA2_256 MODP_2048",
        "line": "isakmpd.conf:12 [x]:Transforms", "mend": "add 3DES-SHA-GRP2",
        "misses": ["transform 1: group MODP_1024"],
    },
}  # fmt: skip


class FakeDaemon:
    """Notes every call in ``calls``; raises ``error`` where one is set."""

    def __init__(self, run_directory: Path) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.lines: list[str] = []
        self.now = 1_000_000_000.0
        self.log = Log(lambda: self.now, self.lines.append, stamp=False)
        self.conf = Conf.from_text(CONF)
        self.run_directory = run_directory
        self.report_path = run_directory / "isakmpd.report"
        self.error: Exception | None = None
        self.changing: Job[list[str]] | None = None
        self.told: list[str] = []
        self.state: dict[str, Any] = {
            "sas": [PHASE_1, PHASE_2], "exchanges": [], "transports": [], "timers": [],
            "connections": [{"name": "a-b", "peer": "peer-b", "state": "up"}], "outcomes": [],
            "peers": [], "drops": {"replay": 2},
        }  # fmt: skip

    def _note(self, *call: Any) -> None:
        self.calls.append(call)
        if self.error is not None:
            raise self.error

    def connect(self, name: str) -> None:
        self._note("connect", name)

    def teardown(self, name_or_address: str, phase: int) -> None:
        self._note("teardown", name_or_address, phase)

    def teardown_all(self) -> None:
        self._note("teardown_all")

    def rekey(self, name_or_address: str, what: str) -> None:
        self._note("rekey", name_or_address, what)

    def delete_sa(self, cookies: bytes, message_id: int | None) -> None:
        self._note("delete_sa", cookies, message_id)

    def set_active(self, active: bool) -> None:
        self._note("set_active", active)

    def capture(self, path: Path | None) -> None:
        self._note("capture", path)

    def reload(self) -> Job[list[str]]:
        return Job.call(self._reload)

    def _reload(self) -> list[str]:
        self._note("reload")
        return ["General", "peer-b"]

    def quit(self) -> None:
        self._note("quit")

    def count(self) -> Job[None]:
        return Job.of(None)

    def status(self) -> dict[str, Any]:
        return self.state

    def settled(self) -> Job[list[str]]:
        return self.changing or Job.of([])

    def alter(self, transaction: Transaction, together: bool) -> Job[list[str]]:
        return Job.call(lambda: self._alter(transaction, together))

    def _alter(self, transaction: Transaction, together: bool) -> list[str]:
        self._note("alter", together)
        transaction.commit()
        return self.told


class Running:
    """A fake daemon whose FIFO is open; turn() lets it read."""

    def __init__(self, directory: Path) -> None:
        self.daemon = FakeDaemon(directory)
        self.loop = Loop(Timers(lambda: 0.0))
        self.path = directory / "isakmpd.fifo"
        self.commands = Commands(self.daemon, lambda: self.daemon.now)
        self.fifo = Fifo(str(self.path), self.loop, self.daemon.log, self.commands.line)

    def turn(self) -> None:
        """Let the daemon do what it can do at once."""
        self.loop.turn(0.0)


def failing(message: str) -> IsakmpError:
    """What a daemon says that cannot do it."""
    return IsakmpError(message)


class Time:
    """A clock that moves when somebody sleeps, which lets the daemon work meanwhile."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.now, self.work = 0.0, work

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.work()


def client_of(running: Running, work: Callable[[], object] | None = None) -> Client:
    time = Time(work or running.turn)
    return Client(
        running.path, running.daemon.run_directory, 5.0, lambda: time.now, time.sleep, lambda: TOKEN
    )


def call(running: Running, *words: str, client: Client | None = None) -> tuple[int, str, str]:
    """The exit status, standard output and standard error of a command line."""
    out, err = io.StringIO(), io.StringIO()
    args = make_parser().parse_args(words)
    status = perform(client or client_of(running), args, out, err)
    return status, out.getvalue(), err.getvalue()
