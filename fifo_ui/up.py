"""isakmpctl up --wait: an isakmpd that is only starting, then the connection, until it is up.

What it waits for is said whenever that changes, so that nobody looks at a silent terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fifo_ui.asked import connections_of
from fifo_ui.client import Client, ControlError, NotThere
from fifo_ui.explain import selection
from fifo_ui.render import far_end, in_part
from isakmp.causes import EXPECTED

POLL_S = 0.1
LEAST_S = 1.0  # one that answers at all may take so long, however little is left
ENDED = ("held down", "left out", "no stack")  # states of a connection that nobody brings up

Row = dict[str, Any]


@dataclass(slots=True)
class Wait:
    """One wait for one connection, or all of a peer. say: told what it waits for; deadline:
    of the client's clock; in_part: with what it is up, and why, where that is less than it is
    for."""

    client: Client
    name: str
    wait_s: float
    say: Callable[[str], None]
    deadline: float = 0.0
    said: str = ""
    mend: str = ""
    in_part: str = ""

    def run(self) -> list[Row]:
        """The child SAs once each is up. ControlError: it failed, or the time is over."""
        self.deadline = self.client.clock() + self.wait_s
        self._await_isakmpd()
        self._ask(f"c {self.name}")
        while True:
            status = self._ask("S")
            names = connections_of(status, self.name) or [self.name]
            rows = [row for row in status["sas"] if _is_up(row, names)]
            if {row["name"] for row in rows} == set(names):
                own = (row for row in status["connections"] if row["name"] in names)
                self.in_part = next(filter(None, map(in_part, own)), "")
                return rows
            self._raise_failure(status, names)
            if rows := self._of_it(status):
                mend = next(filter(None, map(_mend, rows)), "")
                self._tell(" and ".join(map(progress, rows)), mend)
            self._pause(self._late())

    def _await_isakmpd(self) -> None:
        """Nothing is asked for before somebody reads the FIFO and answers."""
        while True:
            try:
                self._ask("S")
                return
            except NotThere as error:
                self._tell(str(error))
                self._pause(error)

    def _ask(self, command: str) -> Any:
        """The answer, for which is waited no longer than for the connection."""
        left = max(self.deadline - self.client.clock(), LEAST_S)
        return replace(self.client, timeout_s=min(self.client.timeout_s, left)).ask(command)

    def _pause(self, late: ControlError) -> None:
        """A little while; ``late`` where there is none left."""
        if self.client.clock() >= self.deadline:
            raise late
        self.client.sleep(POLL_S)

    def _late(self) -> ControlError:
        """Neither up nor failed: what was waited for last, and what mends that."""
        last = f": {self.said}" if self.said else ""
        return ControlError(
            f"{self.name} is not up after {self.wait_s:g} s, and has not failed yet{last}",
            self.mend or "isakmpctl exchanges shows how far it is; give it longer with --wait",
        )

    def _tell(self, what: str, mend: str = "") -> None:
        if (what, mend) != (self.said, self.mend):
            self.said, self.mend = what, mend
            self.say(f"waiting: {what}" + (f"; mend: {mend}" if mend else ""))

    def _of_it(self, status: dict[str, Any]) -> list[Row]:
        """What is under way for the connection, and phase 1 with its peer."""
        is_of = selection(self.name, status["connections"], status["peers"])
        return [row for row in status["exchanges"] if is_of(row)]

    def _raise_failure(self, status: dict[str, Any], names: Sequence[str]) -> None:
        """By what the connection says of itself, which has begun anew with the command: outcomes
        may be those of other attempts."""
        for row in status["connections"]:
            if row["name"] in names and _has_failed(row):
                reason = row["reason"]
                cause, mend = reason["detail"], reason.get("mend", "")
                raise ControlError(f"{row['name']} failed: {cause}", mend, reason)


def progress(row: Mapping[str, Any]) -> str:
    """How far an exchange is: ``IKE_SA_INIT with 192.0.2.2 (east), repeated 2 times``."""
    retries, reason = row.get("retries") or 0, row.get("reason") or {}
    times = f", repeated {retries} time{'s' * (retries > 1)}" if retries else ""
    if reason.get("cause") == "timeout":  # which says it
        times = ""
    labels = {"detail": "", "line": "line: "}
    said = "".join(f"; {label}{reason[key]}" for key, label in labels.items() if reason.get(key))
    return f"{row['exchange']} with {far_end(row)}{times}{said}"


def _mend(row: Row) -> str:
    """What to do about what is in the way so far."""
    return (row.get("reason") or {}).get("mend") or ""


def _is_up(row: Row, names: Sequence[str]) -> bool:
    return (row["phase"], row["state"]) == (2, "established") and row["name"] in names


def _has_failed(row: Row) -> bool:
    """Whether a try has failed for what does not mend itself, or there are to be none."""
    cause = (row.get("reason") or {}).get("cause")
    tried = bool(row.get("tries")) and cause not in (None, *EXPECTED)
    return tried or row["state"] in ENDED
