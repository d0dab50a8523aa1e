"""The key engine in the daemon's own process: what it is asked is a call, done when it returns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from socket import socket

from isakmp.app.base import (
    Acquire,
    Expire,
    Mapping,
    Owner,
    PolicySpec,
    SaId,
    SaSpec,
    SpiRequest,
    UnknownSpi,
    Upcalls,
    Usage,
)
from isakmp.app.engine.ability import lack
from isakmp.app.engine.engine import KeyEngine
from isakmp.app.xfrm import sockets
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ApplicationError
from isakmp.event.job import Job
from isakmp.policy.spd import Address


class Embedded:
    """The engine that ``make`` makes, given where its upcalls go; it ends with us.

    listens: hears of each UDP port that is ours.
    """

    name = "engine"

    def __init__(
        self, make: Callable[[Upcalls], KeyEngine], listens: Callable[[int], object]
    ) -> None:
        self._owner: Owner | None = None
        self._listens = listens
        self.engine = make(self)

    def start(self, upcalls: Owner) -> None:
        """Nothing has to be reached."""
        self._owner = upcalls

    def sweep(self) -> int:
        """Take away what an engine of a killed isakmpd has left; how much that was."""
        return self.engine.sweep()

    def close(self, block: bool = False) -> None:
        """End the engine: device and routes go."""
        self._owner = None
        self.engine.close(block)

    def own_socket(self, sock: socket, encap: bool) -> None:
        """The guard's policies must let it pass. Its port is IKE's, where the kernel cannot tell
        by the socket; where we may not say so, the engine still knows our packets by their mark."""
        Job.call(partial(sockets.bypass, sock))
        self._listens(sock.getsockname()[1])

    def get_spi(self, request: SpiRequest) -> Job[int]:
        """An SPI, which nobody else gets for 30 s."""
        return Job.call(partial(self.engine.get_spi, request))

    def add_sa(self, sa: SaSpec) -> Job[None]:
        """Install a whole SA."""
        return Job.call(partial(self.engine.add, sa))

    def update_sa(self, sa: SaSpec) -> Job[None]:
        """Make a larval SA a whole one; where it has ended in the meantime, a new one."""
        return Job.call(partial(self.engine.complete, sa))

    def delete_sa(self, sa: SaId) -> Job[None]:
        """Take an SA away."""
        return Job.call(partial(self.engine.delete, sa))

    def group(self, sas: list[SaId]) -> Job[None]:
        """One SA is a bundle of itself; the engine has no larger ones."""
        if len(sas) > 1:
            return Job.failed(ApplicationError("the key engine cannot bundle SAs"))
        return Job.of(None)

    def usage(self, sa: SaId) -> Job[Usage]:
        """What an SA has carried."""
        return Job.call(partial(self.engine.usage, sa))

    def drops(self) -> Job[dict[str, int]]:
        """What the engine has thrown away."""
        return Job.of(self.engine.drops.to_dict())

    def add_policy(self, policy: PolicySpec) -> Job[int]:
        """Install a policy, or replace that of the same selector."""
        return Job.call(partial(self.engine.add_policy, policy))

    def delete_policy(self, policy: PolicySpec) -> Job[None]:
        """Take a policy away, by direction and selector."""
        return Job.call(partial(self.engine.delete_policy, policy))

    def migrate(self, policy: PolicySpec, src: Address, dst: Address) -> Job[None]:
        """Give a policy and the SAs of its reqid new end points."""
        return Job.call(partial(self.engine.migrate, policy, src, dst))

    def move_sa(self, old: SaSpec, new: SaSpec) -> Job[None]:
        """Give an SA new end points or ports."""
        return Job.call(partial(self.engine.update, new))

    def supports(
        self, protocol: isakmp.Protocol, mode: ipsec.Encapsulation, transform_id: int,
        key_bits: int, auth: ipsec.Auth | None, esn: bool,
    ) -> str:  # fmt: skip
        """Why the engine has no such SA; empty where it has."""
        return lack(self.engine.check, protocol, mode, transform_id, key_bits, auth, esn)

    def acquire(self, event: Acquire) -> None:
        if self._owner is not None:
            self._owner.acquire(event)

    def expire(self, event: Expire) -> None:
        if self._owner is not None:
            self._owner.expire(event)

    def mapping(self, event: Mapping) -> None:
        if self._owner is not None:
            self._owner.mapping(event)

    def unknown_spi(self, event: UnknownSpi) -> None:
        if self._owner is not None:
            self._owner.unknown_spi(event)
