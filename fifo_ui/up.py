"""isakmpctl up --wait: an isakmpd that is only starting, then the connection, until it is up.

What it waits for is said whenever that changes, so that nobody looks at a silent terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fifo_ui.client import Client, ControlError, NotThere

POLL_S = 0.1

Row = dict[str, Any]


@dataclass(slots=True)
class Wait:
    """One wait for one connection. say: told what it waits for; deadline: of the client's clock."""

    client: Client
    name: str
    wait_s: float
    say: Callable[[str], None]
    deadline: float = 0.0
    said: str = ""

    def run(self) -> list[Row]:
        """The child SAs once one is up. ControlError: it failed, or the time is over."""
        self.deadline = self.client.clock() + self.wait_s
        before = {_key(row) for row in self._first_status()["outcomes"]}
        self.client.ask(f"c {self.name}")
        while True:
            status = self.client.ask("S")
            if rows := [row for row in status["sas"] if _is_up(row, self.name)]:
                return rows
            self._raise_failure(status, before)
            for row in self._of_it(status, "exchanges"):
                self._tell(progress(row))
            self._pause(self._late())

    def _first_status(self) -> dict[str, Any]:
        """The status before anything is asked for, once somebody reads the FIFO and answers."""
        while True:
            try:
                status: dict[str, Any] = self.client.ask("S")
                return status
            except NotThere as error:
                self._tell(str(error))
                self._pause(error)

    def _pause(self, late: ControlError) -> None:
        """A little while; ``late`` where there is none left."""
        if self.client.clock() >= self.deadline:
            raise late
        self.client.sleep(POLL_S)

    def _late(self) -> ControlError:
        """Neither up nor failed: what was waited for last."""
        last = f": {self.said}" if self.said else ""
        return ControlError(
            f"{self.name} is not up after {self.wait_s:g} s, and has not failed yet{last}",
            "isakmpctl exchanges shows how far it is; give it longer with --wait",
        )

    def _tell(self, what: str) -> None:
        if what != self.said:
            self.said = what
            self.say(f"waiting: {what}")

    def _of_it(self, status: dict[str, Any], table: str) -> list[Row]:
        """The rows of the connection, and of phase 1 with its peer."""
        own = [row for row in status["connections"] if row.get("name") == self.name]
        names = {self.name, *(row.get(field) for row in own for field in ("peer", "remote"))}
        return [row for row in status[table] if row.get("name") in names]

    def _raise_failure(self, status: dict[str, Any], before: set[tuple[Any, ...]]) -> None:
        for row in self._of_it(status, "outcomes"):
            if not row.get("ok") and _key(row) not in before:
                reason = row.get("reason") or {}
                detail = reason.get("detail") or reason.get("cause") or "no reason was given"
                raise ControlError(f"{self.name} failed: {detail}", reason.get("mend", ""), reason)


def progress(row: Mapping[str, Any]) -> str:
    """How far an exchange is: ``IKE_SA_INIT with east, repeated 2 times``."""
    retries = row.get("retries") or 0
    times = f", repeated {retries} time{'s' * (retries > 1)}" if retries else ""
    reason = row.get("reason") or {}
    said = "".join(
        f"; {label}{reason[key]}"
        for key, label in (("detail", ""), ("line", "line: "), ("mend", "mend: "))
        if reason.get(key)
    )
    return f"{row['exchange']} with {row['name']}{times}{said}"


def _is_up(row: Row, name: str) -> bool:
    return (row["phase"], row["name"], row["state"]) == (2, name, "established")


def _key(row: Row) -> tuple[Any, ...]:
    return row.get("id"), row.get("when"), row.get("exchange")
