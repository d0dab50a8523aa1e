"""Routes into a device and the news of the host's addresses and routes, by rtnetlink(7).

Several engines of one network namespace share a table. Each has its device's number as the metric
of its routes, so that the same network may be several engines'; behind these stand routes that
make a network unreachable, which outlive the device, and what is let pass goes to the next table.

A gateway sets a route for every client behind it, so these few messages are built here: pyroute2
takes 1.4 ms for one of them, as long as a handshake takes.
"""

from __future__ import annotations

import os
import socket
import struct
from enum import IntEnum

from isakmp.app.losses import drained, hear_only
from isakmp.policy.spd import Address, Network

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg: family, sizes of dst and src, tos, table ...
_ATTRIBUTE = struct.Struct("=HH")
_NUMBERED = struct.Struct("=HHI")  # an attribute that is a number
_ERROR = struct.Struct("=16xi")  # nlmsghdr, the error below 0, or 0
_NEWROUTE, _DELROUTE, _DELRULE = 24, 25, 33
_REQUEST, _ACK, _REPLACE, _CREATE = 0x1, 0x4, 0x100, 0x400
_DST, _OIF, _METRIC, _PREFSRC, _TABLE = 1, 4, 6, 7, 15
_STATIC, _SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_NOWHERE = 4, 0, 253, 255
_ADDRESS_GROUPS = 0x10 | 0x100  # RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
# RTNLGRP_LINK, and of both families _ROUTE and _RULE
_LOSS_GROUPS = 0x1 | 0x40 | 0x400 | 0x80 | 1 << 18
# A device's number is lower. Of instance 0: what is let pass comes before what is unreachable.
_INSTANCES, _PASS_METRIC, _GUARD_METRIC = 1 << 27, 1 << 27, 1 << 28


class Kind(IntEnum):
    """What a route does: RTN_UNICAST, RTN_UNREACHABLE, RTN_THROW."""

    DEVICE = 1
    GUARD = 7
    PASS = 9


class Routes:
    """The routes of one table that are one instance's. OSError where the kernel refuses."""

    def __init__(self, table: int, instance: int) -> None:
        self._table, self._instance, self._sequence = table, instance % _INSTANCES, 0
        self._requests = _netlink(0)
        try:
            self._news = _netlink(_ADDRESS_GROUPS)
        except OSError:
            self._requests.close()
            raise
        self._news.setblocking(False)
        self._hops: dict[tuple[Kind, int], bytes] = {}

    def replace(
        self, kind: Kind, network: Network, index: int, prefer_src: Address | None = None
    ) -> None:
        """Lead ``network`` into the device of that index, from that address where one is given;
        or nowhere."""
        more = _attribute(_PREFSRC, prefer_src.packed) if prefer_src else b""
        self._request(_NEWROUTE, _CREATE | _REPLACE, kind, network, index, more)

    def delete(self, kind: Kind, network: Network, index: int) -> None:
        """Take it back."""
        self._request(_DELROUTE, 0, kind, network, index, b"")

    def metric(self, kind: Kind, index: int) -> int:
        """What tells ours from those of others."""
        if kind is Kind.DEVICE:
            return index
        return self._instance + (_GUARD_METRIC if kind is Kind.GUARD else _PASS_METRIC)

    def losses(self) -> socket.socket:
        """A socket that says when somebody takes routes or rules away, once it hears of these."""
        sock = _netlink(_LOSS_GROUPS)
        sock.setblocking(False)
        return sock

    def hear(self, losses: socket.socket, index: int) -> None:
        """Have it say that, and when the device of that index changes, and no more. OSError."""
        hear_only(losses, (_DELROUTE, _DELRULE), self._requests.getsockname()[0], index)

    def addresses_changed(self) -> bool:
        """Whether the host has got or lost an address since this was asked last."""
        return drained(self._news)

    def _request(
        self, verb: int, flags: int, kind: Kind, network: Network, index: int, more: bytes
    ) -> None:
        family = socket.AF_INET if network.version == 4 else socket.AF_INET6
        scope = _SCOPE_LINK if kind is Kind.DEVICE else _SCOPE_UNIVERSE
        if verb == _DELROUTE:
            scope = _SCOPE_NOWHERE  # of any scope
        body = _ROUTE.pack(family, network.prefixlen, 0, 0, 0, _STATIC, scope, kind, 0)
        body += _attribute(_DST, network.network_address.packed) + self._hop(kind, index) + more
        self._sequence += 1
        flags |= _REQUEST | _ACK
        head = _HEADER.pack(_HEADER.size + len(body), verb, flags, self._sequence, 0)
        self._requests.send(head + body)
        (error,) = _ERROR.unpack_from(self._requests.recv(65536))
        if error:
            raise OSError(-error, os.strerror(-error))

    def _hop(self, kind: Kind, index: int) -> bytes:
        """What all routes of one kind say alike."""
        found = self._hops.get((kind, index))
        if found is None:
            device = _NUMBERED.pack(_NUMBERED.size, _OIF, index) if kind is Kind.DEVICE else b""
            metric = _NUMBERED.pack(_NUMBERED.size, _METRIC, self.metric(kind, index))
            table = _NUMBERED.pack(_NUMBERED.size, _TABLE, self._table)
            found = self._hops[kind, index] = device + metric + table
        return found

    def close(self) -> None:
        """Give the sockets back; the routes go with their device."""
        self._requests.close()
        self._news.close()


def _netlink(groups: int) -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    try:
        sock.bind((0, groups))
    except OSError:
        sock.close()
        raise
    return sock


def _attribute(kind: int, value: bytes) -> bytes:
    """Values here are of whole words, so nothing is padded."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value
