"""A connection as it is kept up, and what [General] says about keeping them."""

from __future__ import annotations

from dataclasses import dataclass

from isakmp.errors import Reason
from isakmp.policy.spd import Connection, Remote
from isakmp.timer import Event


@dataclass(slots=True, eq=False)
class Entry:
    """One connection as it is kept up. wanted: started and not taken down by command;
    failure: why the last try failed, None once it is up."""

    connection: Connection
    remote: Remote
    wanted: bool = False
    held_down: bool = False
    tries: int = 0
    waiting: bool = False
    retry: Event | None = None
    failure: Reason | None = None

    @property
    def name(self) -> str:
        """Its section."""
        return self.connection.name

    def failed_for(self, cause: str) -> bool:
        """Whether that is why the last try failed."""
        return self.failure is not None and self.failure.cause == cause


@dataclass(slots=True)
class Settings:
    """What the configuration says; seconds."""

    check_interval_s: float = 60.0
    acquire_only: bool = False
    flows: bool = True
    active: bool = True
