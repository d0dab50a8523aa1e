"""The way of a datagram: two addresses, two ports, and whether it goes beside ESP in UDP."""

from __future__ import annotations

from typing import NamedTuple

from isakmp.policy.spd import Address


class Path(NamedTuple):
    """Where a message came from and where its answer goes.

    encap: on the NAT-traversal port, where IKE messages follow four zero octets, the non-ESP
    marker (RFC 3948 2.2).
    """

    local: Address
    local_port: int
    remote: Address
    remote_port: int
    encap: bool = False

    def __str__(self) -> str:
        return (
            f"{endpoint(self.local, self.local_port)} - {endpoint(self.remote, self.remote_port)}"
        )


def endpoint(address: Address, port: int) -> str:
    """``192.0.2.1:500`` or ``[2001:db8::1]:500``."""
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"
