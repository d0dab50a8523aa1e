"""Outcome: how an attempt ended and why, for the report and for explain."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from isakmp.causes import CHEAP
from isakmp.errors import Reason
from isakmp.exchange.exchange import Exchange
from isakmp.path import Path

OUTCOMES_MAX, STRANGERS_MAX = 256, 128


class Outcome(NamedTuple):
    """How an attempt ended, for the report. phase: 1 where that is told of the SA that protects
    others; times: how often a stranger has tried that."""

    number: int
    when: float
    what: str
    phase: int
    name: str
    peer: str
    remote: str
    initiator: bool
    ok: bool
    reason: Reason | None
    took_s: float
    times: int = 1

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "id": self.number, "when": round(self.when, 3), "exchange": self.what,
            "phase": self.phase, "name": self.name, "peer": self.peer, "remote": self.remote,
            "initiator": self.initiator, "ok": self.ok, "times": self.times,
            "reason": self.reason.to_dict() if self.reason else None,
            "took_s": round(self.took_s, 6),
        }  # fmt: skip


class Outcomes:
    """The last attempts: those of exchanges that went further, and those of strangers and of who
    asks for more than there is."""

    def __init__(self) -> None:
        self.own: deque[Outcome] = deque(maxlen=OUTCOMES_MAX)
        self.strangers: dict[tuple[str, str], Outcome] = {}

    def note(
        self, exchange: Exchange, now: float, reason: Reason | None, *, partly: bool = False
    ) -> None:  # fmt: skip
        """An exchange is over, without a reason: well. partly: with one, and well but for the child
        SA along with what it made."""
        remote, phase = exchange.remote.name, 2 if partly else exchange.phase
        outcome = Outcome(
            exchange.number, now, exchange.script.name, phase, exchange.name or remote, remote,
            str(exchange.path.remote), exchange.initiator, reason is None, reason,
            now - exchange.created,
        )  # fmt: skip
        cheap = not exchange.initiator and reason is not None and reason.cause in CHEAP
        if reason is not None and (exchange.stranger or cheap):
            self._note_stranger(outcome, reason)
        else:
            self.own.append(outcome)

    def turned_away(self, path: Path, now: float, what: str, reason: Reason) -> None:
        """Somebody was refused before there was an exchange."""
        remote = str(path.remote)
        outcome = Outcome(0, now, what, 1, remote, "", remote, False, False, reason, 0.0)
        self._note_stranger(outcome, reason)

    def _note_stranger(self, outcome: Outcome, reason: Reason) -> None:
        """Of each address and cause the last attempt: strangers must not push others out."""
        key = outcome.remote, reason.cause
        before = self.strangers.pop(key, None)
        self.strangers[key] = outcome._replace(times=before.times + 1) if before else outcome
        if len(self.strangers) > STRANGERS_MAX:
            del self.strangers[next(iter(self.strangers))]

    def all(self) -> list[Outcome]:
        """Every one, the last one last."""
        return sorted([*self.own, *self.strangers.values()], key=lambda one: one.when)
