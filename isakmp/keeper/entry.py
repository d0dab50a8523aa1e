"""A connection as it is kept up, and what [General] says about keeping them."""

from __future__ import annotations

from dataclasses import dataclass

from isakmp.app.base import PolicySpec
from isakmp.errors import Reason
from isakmp.event.timer import Event
from isakmp.exchange.exchange import Exchange
from isakmp.policy.spd import Connection, Remote

RETRY_FIRST_S = 2.0
# Where packets wait for it: how long that is remembered (a stack asks every 30 s), how far apart
# the beginnings of two tries are at most, and the least pause between them.
AWAITED_S, AWAITED_RETRY_S, AWAITED_PAUSE_S = 40.0, 10.0, 1.0


@dataclass(slots=True, eq=False)
class Entry:
    """One connection as it is kept up. wanted: started and not taken down by command;
    failure: why the last try failed, or to replace what is up, and failed: when that was, None once
    there is a new child SA, of what was waited for; began: when a try was begun; waiting: the phase
    1 that it waits for; unreached: the last try ended with that, or before it; retry: the next try;
    route: the next look for a route to its peer; up_since: when it came up, None while it is not;
    awaited_until: until when packets are taken to wait for it; less: why it is up with less than it
    is for; beside: policies of what was there before it, which stand beside its own until that is
    gone."""

    connection: Connection
    remote: Remote
    wanted: bool = False
    held_down: bool = False
    tries: int = 0
    waiting: Exchange | None = None
    unreached: bool = False
    retry: Event | None = None
    route: Event | None = None
    failure: Reason | None = None
    failed: float = 0.0
    began: float = 0.0
    up_since: float | None = None
    awaited_until: float = 0.0
    less: Reason | None = None
    beside: tuple[PolicySpec, ...] = ()

    @property
    def name(self) -> str:
        """Its section."""
        return self.connection.name

    @property
    def state(self) -> str:
        """Of one that is not up: whether it should be, and who keeps it from it."""
        return "wanted" if self.wanted else "held down" if self.held_down else "idle"

    @property
    def reason(self) -> Reason | None:
        """Why it is not up."""
        if self.state != "held down":
            return self.failure
        return Reason(
            "taken-down", "it was taken down by command", mend=f"isakmpctl up {self.name}"
        )

    def failed_for(self, cause: str) -> bool:
        """Whether that is why the last try failed."""
        return self.failure is not None and self.failure.cause == cause

    def pause_s(self, now: float, most_s: float, draw: float) -> float:
        """Until the next try: growing with those that failed, and jittered; short where packets
        wait. draw: uniform in [0, 1)."""
        wait = min(RETRY_FIRST_S * (1 << min(max(self.tries, 1) - 1, 10)), most_s)
        if now < self.awaited_until:
            wait = min(wait, max(AWAITED_PAUSE_S, self.began + AWAITED_RETRY_S - now))
        return wait * (0.75 + draw / 2)


@dataclass(slots=True)
class Settings:
    """What the configuration says; seconds."""

    check_interval_s: float = 60.0
    acquire_only: bool = False
    flows: bool = True
    active: bool = True
