"""One end of a scenario: a daemon in a namespace, and what the player asks of it."""

from __future__ import annotations

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from regress.interop.forked import Forked
from regress.interop.namespace import Namespace
from regress.interop.scenario import Role, Scenario, Stack
from regress.interop.site import Site

T = TypeVar("T")
# Octets that ping sends to see whether they are compressed.
LARGE = 1000


class Failure(Exception):
    """A scenario that did not go as it must."""


@dataclass(frozen=True)
class Child:
    """One IPsec SA pair; counters in packets and octets of payload."""

    spi_in: int
    spi_out: int
    packets_in: int
    packets_out: int


def eventually(what: str, check: Callable[[], T], timeout_s: float = 10) -> T:
    """What ``check`` answers as soon as it holds; Failure where it does not in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        if answer := check():
            return answer
        if time.monotonic() > deadline:
            raise Failure(f"not within {timeout_s:.0f} s: {what} (last seen: {answer!r})")
        time.sleep(0.05)


class End(ABC):
    """A daemon with its folder. Names in errors are the kind and the end's letter."""

    kind: str
    # Seconds that a rekeying by lifetime takes at most; 0: the daemon rekeys on command.
    rekeys_within_s = 0.0
    # Child SAs outlive a phase 1 that this end deletes (RFC 2408 leaves them alone).
    children_live_on = False
    # Rekeyed by its peer it sends with the new child SA before the peer can have it (RFC 7296 2.8
    # lets it): so many packets may be lost.
    loses_by_haste = 0
    # How long a negotiation may take.
    patience_s = 10.0
    # What it was told to begin it begins again by itself, where its peer is dead.
    begins_again = False
    # It keeps a phase 1 SA whose last child is gone.
    keeps_parents = True
    # ike() tells SAs by their cookies, which both ends know.
    names_cookies = True
    # Started again it says INITIAL_CONTACT; else what its peer has of before is found dead later.
    says_initial_contact = True

    def __init__(
        self, scenario: Scenario, role: Role, site: Site, namespace: Namespace, folder: Path,
        stack: Stack = Stack.USER,
    ) -> None:  # fmt: skip
        self.scenario, self.role, self.site = scenario, role, site
        self.namespace, self.folder, self.stack = namespace, folder, stack
        self.process: subprocess.Popen[bytes] | Forked | None = None
        # Killed: whatever it had in the kernel is still there.
        self.vanished = False
        folder.mkdir(parents=True)

    def __str__(self) -> str:
        return f"{self.kind} ({self.role.value})"

    @property
    def acts(self) -> bool:
        """This end is the one that acts in the scenario."""
        return self.scenario.by is self.role

    @classmethod
    def missing(cls, stack: Stack) -> str:
        """What this machine lacks for the daemon on such a stack, or nothing."""
        return ""

    @classmethod
    def lacks(cls, scenario: Scenario, acts: bool) -> str:
        """What of a row this daemon cannot play, ``acts``: where it is the one that acts."""
        return ""

    @abstractmethod
    def launch(self) -> None:
        """Start the daemon; it need not be ready."""

    @abstractmethod
    def ready(self) -> None:
        """Wait until it answers and has its configuration."""

    @abstractmethod
    def initiate(self) -> None: ...

    @abstractmethod
    def ike(self) -> set[str]:
        """Established phase 1 SAs: both cookies in hex, ``initiator:responder``.

        Where the daemon does not tell them, some name that is another one after a rekeying.
        """

    @abstractmethod
    def children(self) -> list[Child]:
        """Installed phase 2 SA pairs that carry traffic."""

    @abstractmethod
    def rekey_child(self) -> None: ...

    @abstractmethod
    def rekey_ike(self) -> None: ...

    @abstractmethod
    def delete_child(self) -> None: ...

    @abstractmethod
    def delete_ike(self) -> None: ...

    def reload(self) -> None:
        """Read the configuration again."""
        raise Failure(f"{self} is not made to read its configuration again")

    def spawn(self, arguments: list[str], **options: object) -> None:
        """Start the daemon inside, its output into ``stdout``."""
        with (self.folder / "stdout").open("wb") as output:
            self.process = subprocess.Popen(  # type: ignore[call-overload]
                self.namespace.command(arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **options,
            )

    def alive(self) -> None:
        """Failure with its last words where the daemon is gone."""
        if self.process and self.process.poll() is not None:
            raise Failure(f"{self} ended with status {self.process.returncode}")

    @property
    def _octets(self) -> int:
        """What a ping carries: enough to be worth compressing where that is the question."""
        return LARGE if self.scenario.ipcomp else 56

    def ping(self, count: int = 3) -> None:
        """Ping the other network's host from this one's; every answer must come.

        charon's kernel-libipsec now and then loses a packet between its TUN device and the wire:
        where some answers came, another round may show all of them.
        """
        for _ in range(3):
            done = self.namespace.run(
                "ping", "-c", str(count), "-i", "0.05", "-W", "2", "-s", str(self._octets),
                "-I", self.site.host, self.site.remote_host,
            )  # fmt: skip
            if f"{count} received" in done.stdout:
                return
            if " 0 received" in done.stdout:
                break
        raise Failure(f"ping from {self}: {done.stdout.strip()}")

    def reaches(self) -> bool:
        """Whether one ping to the other network's host is answered."""
        command = ("ping", "-c", "1", "-W", "1", "-I", self.site.host, self.site.remote_host)
        return self.namespace.run(*command).returncode == 0

    def stop(self, timeout_s: float = 10) -> None:
        """End the daemon as an operator would; Failure where it does not go, or not cleanly."""
        if not self.process:
            return
        self.alive()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"{self} does not end within {timeout_s:.0f} s of TERM") from None
        self.process = None
        if status:
            raise Failure(f"{self} ended with status {status} after TERM")

    def kill(self) -> None:
        """Make it vanish: no DELETE leaves."""
        if self.process:
            self.vanished = True
            self.process.kill()
            self.process.wait()
            self.process = None

    def log(self, lines: int = 40) -> str:
        """The end of its log."""
        text = ""
        for name in ("log", "stdout"):
            path = self.folder / name
            if path.exists():
                text += path.read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])
