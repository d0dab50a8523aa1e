"""The application that installs nothing: negotiate only. SAs live and expire all the same."""

from __future__ import annotations

from collections.abc import Callable
from socket import socket

from isakmp.app.base import Expire, Owner, PolicySpec, SaId, SaSpec, SpiRequest, Usage
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ApplicationError
from isakmp.event.job import Job
from isakmp.event.timer import Event, Timers
from isakmp.policy.spd import Address

# When an SA ends, and whether that is its hard limit; the earliest first.
Ends = tuple[tuple[float, bool], ...]


class Nothing:
    """Gives out SPIs and keeps time."""

    name = "none"

    def __init__(self, timers: Timers, random: Callable[[int], bytes]) -> None:
        self._timers, self._random = timers, random
        self._upcalls: Owner | None = None
        self._spis: set[int] = set()
        self._waits: dict[SaId, tuple[Event, Ends]] = {}
        self._policies = 0

    def start(self, upcalls: Owner) -> None:
        """Nothing has to be reached."""
        self._upcalls = upcalls

    def sweep(self) -> int:
        """Nothing is ever left."""
        return 0

    def close(self, block: bool = False) -> None:
        """Stop the time."""
        for name in list(self._waits):
            self._cancel(name)

    def own_socket(self, sock: socket, encap: bool) -> None:
        """Nothing stands in a socket's way."""

    def get_spi(self, request: SpiRequest) -> Job[int]:
        """A random SPI that is free; of IPComp a CPI of 16 bits (RFC 3173 3.3)."""
        octets = 2 if request.protocol is isakmp.Protocol.IPCOMP else 4
        while True:
            spi = int.from_bytes(self._random(octets), "big")
            if spi >= 256 and spi not in self._spis:
                self._spis.add(spi)
                return Job.of(spi)

    def add_sa(self, sa: SaSpec) -> Job[None]:
        """Keep the SA's time."""
        now, limits = self._timers.now(), sa.limits
        ends = ((limits.soft_s, False), (limits.hard_s, True))
        name = SaId(sa.protocol, sa.spi, sa.src, sa.dst)
        self._cancel(name)
        self._arm(name, tuple((now + after_s, hard) for after_s, hard in ends if after_s))
        return Job.of(None)

    def _arm(self, name: SaId, ends: Ends) -> None:
        """Wait for the first of what is still to come."""
        if ends:
            wait = ends[0][0] - self._timers.now()
            event = self._timers.add("SA limit", wait, self._expire, name)
            self._waits[name] = event, ends

    def _cancel(self, name: SaId) -> Ends:
        """Stop an SA's time; what was still to come."""
        if (waits := self._waits.pop(name, None)) is None:
            return ()
        event, ends = waits
        event.cancel()
        return ends

    def update_sa(self, sa: SaSpec) -> Job[None]:
        """The larval SA becomes a whole one."""
        return self.add_sa(sa)

    def _expire(self, name: SaId) -> None:
        ends = self._cancel(name)
        self._arm(name, ends[1:])
        if self._upcalls is not None:
            self._upcalls.expire(Expire(name, ends[0][1]))

    def delete_sa(self, sa: SaId) -> Job[None]:
        """Forget it."""
        self._spis.discard(sa.spi)
        self._cancel(sa)
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

    def move_sa(self, old: SaSpec, new: SaSpec) -> Job[None]:
        """The SA's time goes on under its new name."""
        before, after = (SaId(sa.protocol, sa.spi, sa.src, sa.dst) for sa in (old, new))
        self._arm(after, self._cancel(before))
        return Job.of(None)

    def supports(
        self, protocol: isakmp.Protocol, mode: ipsec.Encapsulation, transform_id: int,
        key_bits: int, auth: ipsec.Auth | None, esn: bool,
    ) -> str:  # fmt: skip
        """What is never carried can be anything."""
        return ""

    def usage(self, sa: SaId) -> Job[Usage]:
        """Nothing is carried, so nothing is known."""
        return Job.failed(ApplicationError("no application: nothing is counted"))

    def drops(self) -> Job[dict[str, int]]:
        """Nothing is carried, so nothing is lost."""
        return Job.of({})
