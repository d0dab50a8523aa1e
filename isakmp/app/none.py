"""The application that installs nothing: negotiate only. SAs live and expire all the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from socket import socket

from isakmp.app.base import Expire, Owner, PolicySpec, SaId, SaSpec, SpiRequest, Usage
from isakmp.errors import ApplicationError
from isakmp.job import Job
from isakmp.policy.spd import Address
from isakmp.timer import Event, Timers


class Nothing:
    """Gives out SPIs and keeps time."""

    name = "none"

    def __init__(self, timers: Timers, random: Callable[[int], bytes]) -> None:
        self._timers, self._random = timers, random
        self._upcalls: Owner | None = None
        self._spis: set[int] = set()
        self._events: dict[SaId, list[Event]] = {}
        self._policies = 0

    def start(self, upcalls: Owner) -> None:
        """Nothing has to be reached."""
        self._upcalls = upcalls

    def close(self) -> None:
        """Stop the time."""
        for events in self._events.values():
            for event in events:
                event.cancel()
        self._events.clear()

    def own_socket(self, sock: socket, encap: bool) -> None:
        """Nothing stands in a socket's way."""

    def get_spi(self, request: SpiRequest) -> Job[int]:
        """A random SPI that is free."""
        while True:
            spi = int.from_bytes(self._random(4), "big")
            if spi >= 256 and spi not in self._spis:
                self._spis.add(spi)
                return Job.of(spi)

    def add_sa(self, sa: SaSpec) -> Job[None]:
        """Keep the SA's time."""
        name = SaId(sa.protocol, sa.spi, sa.src, sa.dst)
        for event in self._events.pop(name, ()):
            event.cancel()
        self._events[name] = [
            self._timers.add("SA limit", seconds, partial(self._expire, name, hard))
            for seconds, hard in ((sa.limits.soft_s, False), (sa.limits.hard_s, True))
            if seconds
        ]
        return Job.of(None)

    def update_sa(self, sa: SaSpec) -> Job[None]:
        """The larval SA becomes a whole one."""
        return self.add_sa(sa)

    def _expire(self, name: SaId, hard: bool) -> None:
        if self._upcalls is not None:
            self._upcalls.expire(Expire(name, hard))

    def delete_sa(self, sa: SaId) -> Job[None]:
        """Forget it."""
        self._spis.discard(sa.spi)
        for event in self._events.pop(sa, ()):
            event.cancel()
        return Job.of(None)

    def group(self, sas: list[SaId]) -> Job[None]:
        """Nothing is applied, so nothing is bundled."""
        return Job.of(None)

    def add_policy(self, policy: PolicySpec) -> Job[int]:
        """A number for it."""
        self._policies += 1
        return Job.of(self._policies)

    def delete_policy(self, policy: PolicySpec) -> Job[None]:
        """Nothing to undo."""
        return Job.of(None)

    def migrate(self, policy: PolicySpec, src: Address, dst: Address) -> Job[None]:
        """Nothing has end points here."""
        return Job.of(None)

    def usage(self, sa: SaId) -> Job[Usage]:
        """Nothing is carried, so nothing is known."""
        return Job.failed(ApplicationError("no application: nothing is counted"))
