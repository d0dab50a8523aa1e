"""What the kernel drops beside the key engine: what would pass its device by.

IPv4 traffic of the engine's policies that goes out or comes in by any other device meets policies
of the kernel's IPsec (xfrm.dropping). These cannot exempt the engine's device for IPv6: there
nftables drop it (nft.tables). All of it outlives a process that is killed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from isakmp.app.base import PolicySpec
from isakmp.app.nft.tables import Tables
from isakmp.app.xfrm.dropping import Dropping
from isakmp.errors import ApplicationError
from isakmp.event.loop import Loop
from isakmp.log.log import Log

_Part = Dropping | Tables


def instance(path: str) -> int:
    """What tells what is left of one isakmpd, or engine, from that of others: 63 bits."""
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big") >> 1


class Guard:
    """What the kernel drops for one instance, as far as it can; the log says how far.

    mark: of what the engine's own sockets send. What a killed process of the same instance left is
    kept until sweep().
    """

    def __init__(self, loop: Loop, log: Log, number: int, device: str, mark: int) -> None:
        self._log, self._device = log, device
        self._parts: dict[int, _Part] = {}
        self._have(4, lambda: Dropping(loop, log, number, device))
        self._have(6, lambda: Tables(loop, log, number, device, mark))

    def _have(self, version: int, make: Callable[[], _Part]) -> None:
        try:
            self._parts[version] = make()
        except ApplicationError as error:
            self._log.internal_warn(
                "the kernel does not guard what the key engine protects in IPv%d: routes keep it"
                " back, but nothing does that comes in in clear by another device: %s",
                version, error,
            )  # fmt: skip
        else:
            self._log.info("the kernel drops IPv%d traffic that passes %s by", version,
                           self._device)  # fmt: skip

    def exempt(self) -> None:
        """The device has been made anew. ApplicationError where it cannot be exempt."""
        for part in self._parts.values():
            part.exempt()

    def listens(self, port: int) -> None:
        """A UDP socket of IKE or of ESP in UDP has that port."""
        for part in self._parts.values():
            part.listens(port)

    def add(self, spec: PolicySpec) -> None:
        """Drop what a policy protects; let pass what it lets pass."""
        if part := self._parts.get(spec.selector.src.version):
            part.add(spec)

    def delete(self, spec: PolicySpec) -> None:
        """Take the guard of a policy away."""
        if part := self._parts.get(spec.selector.src.version):
            part.delete(spec)

    def sweep(self) -> int:
        """Take away what was left and has not been added again; how much that was."""
        return sum(part.sweep() for part in self._parts.values())

    def close(self) -> None:
        """Leave; what is there stays."""
        for part in self._parts.values():
            part.close()
