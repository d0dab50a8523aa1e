"""The TUN device that clear packets pass through, and the routes that lead them there.

A routing table of our own holds the networks behind the policies; a rule sends every packet there
that does not carry the mark of our own ESP and IKE packets. The device ends with its descriptor,
its routes with the device; close() takes the rules away.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from isakmp.app.engine.base import Netif
from isakmp.app.engine.routes import Routes
from isakmp.app.engine.wire import MARK
from isakmp.app.unavailable import unavailable
from isakmp.errors import ApplicationError
from isakmp.policy.spd import Address, Network

MTU = 1400  # leaves room for ESP in UDP over IPv6 with any transform on a path of 1500
TABLE = 500
PRIORITY = 500

_GRO_WAIT_NS = 100_000
_BATCH = 64
_LARGEST = 65535
_TUNSETIFF = 0x400454CA  # of <linux/if_tun.h>
_IFF_TUN, _IFF_NAPI, _IFF_NO_PI = 0x0001, 0x0010, 0x1000
_FIB_RULE_INVERT = 2  # of <linux/fib_rules.h>
_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EOPNOTSUPP)
_FAMILIES = (socket.AF_INET, socket.AF_INET6)


_unavailable = partial(unavailable, capability="CAP_NET_ADMIN", module="tun")


class Tun(Netif):
    """A TUN device with routes. ApplicationError where it cannot be made.

    name: up to 15 characters, ``%d`` in it is a number that is free; mark: that of the packets
    which must not come in here: every socket of ours for ESP and IKE has to set it.
    """

    def __init__(
        self, name: str = "isakmp%d", *, mtu: int = MTU, mark: int = MARK, table: int = TABLE
    ) -> None:
        self._mark, self._table = mark, table
        self._rules: list[int] = []
        self._addresses: list[Address] | None = None
        self._fd = -1
        try:
            self._routes = Routes(table)
            self._netlink = IPRoute()
        except OSError as error:
            raise _unavailable("rtnetlink", error) from error
        try:
            self._fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            self.name = self._claim(name)
            self._index = self._netlink.link_lookup(ifname=self.name)[0]
            self._netlink.link("set", index=self._index, mtu=mtu, state="up")
            self._join_segments()
            self._add_rules()
        except (OSError, NetlinkError) as error:
            self.close()
            raise _unavailable("TUN device", error) from error

    def _claim(self, name: str) -> str:
        """Make the device; its name."""
        request = struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NAPI | _IFF_NO_PI)
        answer = fcntl.ioctl(self._fd, _TUNSETIFF, request)
        return answer[:16].rstrip(b"\0").decode()

    def _join_segments(self) -> None:
        """Let the kernel make one large packet of TCP segments that come close together.

        The host's TCP then runs once for many of them, which doubles throughput; it waits
        _GRO_WAIT_NS for the next one. Where sysfs cannot be written it goes without.
        """
        with suppress(OSError):
            Path(f"/sys/class/net/{self.name}/gro_flush_timeout").write_text(str(_GRO_WAIT_NS))

    def _add_rules(self) -> None:
        for family in _FAMILIES:
            self._rule("del", family)  # of one that was killed
            self._rule("add", family)
            self._rules.append(family)

    def _rule(self, verb: str, family: int) -> None:
        """Add or delete ``not fwmark MARK lookup TABLE``."""
        try:
            self._netlink.rule(
                verb,
                family=family,
                priority=PRIORITY,
                table=self._table,
                fwmark=self._mark,
                flags=_FIB_RULE_INVERT,
            )
        except NetlinkError as error:
            no_ipv6 = family == socket.AF_INET6 and error.code in _NO_FAMILY
            if verb == "add" and not no_ipv6:
                raise

    def deliver(self, packet: bytes) -> None:
        os.write(self._fd, packet)

    def local_address(self, network: Network) -> Address | None:
        if self._routes.addresses_changed() or self._addresses is None:
            self._addresses = self._read_addresses()
        return next((address for address in self._addresses if address in network), None)

    def _read_addresses(self) -> list[Address]:
        """The host's own, loopback ones left out."""
        texts = (
            message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            for message in self._netlink.get_addr()
        )
        found = [ip_address(text) for text in texts if text]
        return [address for address in found if not address.is_loopback]

    def route(self, network: Network, prefer_src: Address | None) -> None:
        try:
            self._routes.replace(network, self._index, prefer_src)
        except OSError as error:
            raise ApplicationError(f"route to {network}: {error.strerror}") from error

    def unroute(self, network: Network) -> None:
        with suppress(OSError):
            self._routes.delete(network, self._index)

    def fds(self) -> list[int]:
        return [self._fd]

    def receive(self, packet_out: Callable[[bytes], object]) -> None:
        read, fd = os.read, self._fd
        try:
            for _ in range(_BATCH):
                packet_out(read(fd, _LARGEST))
        except OSError:
            return  # nothing more for now

    def close(self) -> None:
        for family in self._rules:
            with suppress(NetlinkError):
                self._rule("del", family)
        self._rules.clear()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._netlink.close()
        self._routes.close()
