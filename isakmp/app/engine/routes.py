"""Routes into a device and the news of the host's addresses, by rtnetlink(7).

A gateway sets a route for every client behind it, so these few messages are built here: pyroute2
takes 1.4 ms for one of them, as long as a handshake takes.
"""

from __future__ import annotations

import os
import socket
import struct

from isakmp.policy.spd import Address, Network

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg: family, sizes of dst and src, tos, table ...
_ATTRIBUTE = struct.Struct("=HH")
_NUMBER = struct.Struct("=I")
_ERROR = struct.Struct("=16xi")  # nlmsghdr, the error below 0, or 0
_NEWROUTE, _DELROUTE = 24, 25
_REQUEST, _ACK, _REPLACE, _CREATE = 0x1, 0x4, 0x100, 0x400
_DST, _OIF, _PREFSRC, _TABLE = 1, 4, 7, 15
_UNICAST, _STATIC, _SCOPE_LINK, _SCOPE_NOWHERE = 1, 4, 253, 255
_ADDRESS_GROUPS = 0x10 | 0x100  # RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR


class Routes:
    """The routes of one table that lead into one device. OSError where the kernel refuses."""

    def __init__(self, table: int) -> None:
        self._table, self._sequence = table, 0
        self._requests = _netlink(0)
        try:
            self._news = _netlink(_ADDRESS_GROUPS)
        except OSError:
            self._requests.close()
            raise
        self._news.setblocking(False)

    def replace(self, network: Network, index: int, prefer_src: Address | None) -> None:
        """Lead ``network`` into the device of that index, from that address where one is given."""
        more = _attribute(_PREFSRC, prefer_src.packed) if prefer_src else b""
        self._request(_NEWROUTE, _CREATE | _REPLACE, network, index, more)

    def delete(self, network: Network, index: int) -> None:
        """Take it back."""
        self._request(_DELROUTE, 0, network, index, b"")

    def addresses_changed(self) -> bool:
        """Whether the host has got or lost an address since this was asked last."""
        changed = False
        while True:
            try:
                self._news.recv(65536)
            except BlockingIOError:
                return changed
            except OSError:  # ENOBUFS: there was more news than room
                pass
            changed = True

    def _request(self, kind: int, flags: int, network: Network, index: int, more: bytes) -> None:
        family = socket.AF_INET if network.version == 4 else socket.AF_INET6
        scope = _SCOPE_LINK if kind == _NEWROUTE else _SCOPE_NOWHERE  # the latter: of any scope
        body = _ROUTE.pack(family, network.prefixlen, 0, 0, 0, _STATIC, scope, _UNICAST, 0)
        body += _attribute(_DST, network.network_address.packed)
        body += _attribute(_OIF, _NUMBER.pack(index))
        body += _attribute(_TABLE, _NUMBER.pack(self._table)) + more
        self._sequence += 1
        flags |= _REQUEST | _ACK
        head = _HEADER.pack(_HEADER.size + len(body), kind, flags, self._sequence, 0)
        self._requests.send(head + body)
        (error,) = _ERROR.unpack_from(self._requests.recv(65536))
        if error:
            raise OSError(-error, os.strerror(-error))

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
