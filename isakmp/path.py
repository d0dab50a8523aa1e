"""The way of a datagram: two addresses, two ports, and whether it goes beside ESP in UDP."""

from __future__ import annotations

from typing import NamedTuple

from isakmp.policy.spd import Address


class OneWay(NamedTuple):
    """From where to where one message goes, as texts have it: ``192.0.2.1:500 > 192.0.2.2:500``."""

    src: Address
    src_port: int
    dst: Address
    dst_port: int

    def __str__(self) -> str:
        return f"{_endpoint(self.src, self.src_port)} > {_endpoint(self.dst, self.dst_port)}"


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

    @property
    def out(self) -> OneWay:
        """The way of what we send."""
        return OneWay(self.local, self.local_port, self.remote, self.remote_port)

    @property
    def came(self) -> OneWay:
        """The way of what comes."""
        return OneWay(self.remote, self.remote_port, self.local, self.local_port)

    @property
    def near(self) -> str:
        """Our end."""
        return _endpoint(self.local, self.local_port)

    @property
    def far(self) -> str:
        """The peer's."""
        return _endpoint(self.remote, self.remote_port)


def _endpoint(address: Address, port: int) -> str:
    """``192.0.2.1:500`` or ``[2001:db8::1]:500``."""
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"
