"""The TUN device that clear packets pass through, and the routes that lead them there.

A routing table of our own holds the networks behind the policies; a rule sends every packet there
that does not carry the mark of our own ESP and IKE packets. The device ends with its descriptor,
its routes with the device. What then drops their traffic outlives us: routes that make the networks
unreachable, and the guard in the kernel. close() takes both away, and the rules with the last
route of the table, which is shared by all engines of a network namespace.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from isakmp.app.base import Action, Direction, PolicySpec
from isakmp.app.engine.base import Netif
from isakmp.app.engine.routes import Kind, Routes
from isakmp.app.engine.wire import MARK
from isakmp.app.guard import Guard, instance
from isakmp.app.held import Held
from isakmp.app.losses import drained
from isakmp.app.unavailable import unavailable
from isakmp.errors import ApplicationError
from isakmp.event.loop import Loop
from isakmp.event.timer import Event
from isakmp.log.log import Log
from isakmp.policy.spd import Address, Network

MTU = 1400  # leaves room for ESP in UDP over IPv6 with any transform on a path of 1500
TABLE = 500
PRIORITY = 500
RENEW_S = 10.0

_GRO_WAIT_NS = 100_000
_BATCH = 64
_LARGEST = 65535
_TUNSETIFF = 0x400454CA  # of <linux/if_tun.h>
_IFF_TUN, _IFF_NAPI, _IFF_NO_PI = 0x0001, 0x0010, 0x1000
_ADDR_GEN_MODE_NONE = 1  # of <linux/if_link.h>
_FIB_RULE_INVERT = 2  # of <linux/fib_rules.h>
_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EOPNOTSUPP)
_FAMILIES = (socket.AF_INET, socket.AF_INET6)


_unavailable = partial(unavailable, capability="CAP_NET_ADMIN", module="tun")


class Tun(Netif):
    """A TUN device with routes. ApplicationError where it cannot be made.

    place: a path that is this engine's alone: what it has left is known by it; name: up to 15
    characters, ``%d`` in it is a number that is free; mark: that of the packets which must not
    come in here: every socket of ours for ESP and IKE has to set it.
    """

    def __init__(
        self, log: Log, place: str = "", name: str = "isakmp%d", *, mtu: int = MTU,
        mark: int = MARK, table: int = TABLE,
    ) -> None:  # fmt: skip
        self._log, self._mark, self._table, self._mtu = log, mark, table, mtu
        place = place and os.path.realpath(place)  # /var/run is /run
        self._instance = instance(place)
        self._rules: list[int] = []
        self._kept: dict[tuple[Kind, Network], Address | None] = {}
        self._passing: Counter[Network] = Counter()
        self._guard: Guard | None = None
        self._loop: Loop | None = None
        self._losses: socket.socket | None = None
        self._addresses: list[Address] | None = None
        self._later: Event | None = None
        self._fd = -1
        self._refused = ""
        self._held = Held(place, f"the key engine of {place}", place) if place else None
        try:
            self._routes = Routes(table, self._instance)
            self._netlink = IPRoute()
        except OSError as error:
            self._release()
            raise _unavailable("rtnetlink", error) from error
        try:
            self._fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            self._losses = self._routes.losses()
            self._make_device(name)
            self._add_rules()
        except (OSError, NetlinkError) as error:
            self.close(block=True)
            raise _unavailable("TUN device", error) from error

    def _make_device(self, name: str) -> None:
        """Make the device and take it up. OSError, NetlinkError."""
        self.name = self._claim(name)
        self._index = self._netlink.link_lookup(ifname=self.name)[0]
        self._ask_no_routers()
        self._netlink.link("set", index=self._index, mtu=self._mtu, state="up")
        if self._losses is not None:
            self._routes.hear(self._losses, self._index)
        self._join_segments()

    def _ask_no_routers(self) -> None:
        """Without an address of its own the device sends no solicitations, which nobody hears and
        no policy is for; a kernel without IPv6 has none."""
        none = {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", _ADDR_GEN_MODE_NONE)]}
        with suppress(NetlinkError):
            attributes = {"attrs": [("AF_INET6", none)]}
            self._netlink.link("set", index=self._index, IFLA_AF_SPEC=attributes)

    def _claim(self, name: str) -> str:
        """Let our descriptor have a device; its name."""
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

    def guard_with(self, loop: Loop) -> None:
        """Have the kernel drop what would pass the device by; without that, routes alone hold."""
        self._loop = loop
        self._guard = Guard(loop, self._log, self._instance, self.name, self._mark)

    def listens(self, port: int) -> None:
        if self._guard is not None:
            self._guard.listens(port)

    def _add_rules(self) -> None:
        """Lead everything unmarked here; an engine beside us may have done so."""
        for family in _FAMILIES:
            self._rule("add", family)
            self._rules.append(family)

    def _rule(self, verb: str, family: int) -> bool:
        """Add or delete ``not fwmark MARK lookup TABLE``; whether that changed something."""
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
            if verb == "add" and not no_ipv6 and error.code != errno.EEXIST:
                raise
            return False
        return True

    def watch(self) -> dict[int, Callable[[], object]]:
        return {self._losses.fileno(): self._look} if self._losses is not None else {}

    def _look(self) -> None:
        """Somebody has changed routes or rules: what is ours and gone is put back."""
        if self._losses is not None and drained(self._losses):
            self._put_back()

    def _put_back(self) -> None:
        if self._fd < 0:
            return
        gone = sum(self._rule("add", family) for family in self._rules)
        back = [f"the rule for table {self._table}"] * bool(gone)
        there, refused = self._installed(), ""
        for (kind, network), prefer_src in self._kept.items():
            if (network, self._routes.metric(kind, self._index)) not in there:
                try:
                    self._routes.replace(kind, network, self._index, prefer_src)
                    back.append(f"a route to {network}")
                except OSError as error:
                    refused = f"{network}: {error.strerror}"
        if (
            back and self._kept
        ):  # without routes it leads nowhere, and another engine may have ended
            self._log.internal_err("somebody took %s away; it is there again. Who changes routes on"
                                   " this host must leave table %d alone", ", ".join(back[:8]),
                                   self._table)  # fmt: skip
        self._put_back_later(refused)

    def _put_back_later(self, refused: str) -> None:
        if refused and refused != self._refused:
            self._log.internal_err(
                "somebody took a route away that cannot be put back: %s; what it leads to the key"
                " engine is dropped, and it is tried again every %g s: is %s up?",
                refused, RENEW_S, self.name,
            )  # fmt: skip
        self._refused = refused
        waits = self._later is not None and self._later.pending
        if refused and self._loop is not None and not waits:
            again = self._loop.timers.add("the key engine's routes", RENEW_S, self._put_back)
            self._later = again

    def _installed(self) -> set[tuple[Network, int]]:
        """The routes of our table, whosever they are: network and metric."""
        found = set()
        for family, every in zip(_FAMILIES, ("0.0.0.0", "::"), strict=True):
            with suppress(NetlinkError):
                for message in self._netlink.get_routes(family=family, table=self._table):
                    if message.get_attr("RTA_TABLE") == self._table:
                        text = f"{message.get_attr('RTA_DST') or every}/{message['dst_len']}"
                        found.add((ip_network(text), message.get_attr("RTA_PRIORITY") or 0))
        return found

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
            self._keep(Kind.DEVICE, network, prefer_src)
            self._keep(Kind.GUARD, network)
        except OSError as error:
            raise ApplicationError(f"route to {network}: {error.strerror}") from error

    def unroute(self, network: Network) -> None:
        self._give_up(Kind.GUARD, network)
        self._give_up(Kind.DEVICE, network)

    def _keep(self, kind: Kind, network: Network, prefer_src: Address | None = None) -> None:
        self._routes.replace(kind, network, self._index, prefer_src)
        self._kept[kind, network] = prefer_src

    def _give_up(self, kind: Kind, network: Network) -> None:
        self._kept.pop((kind, network), None)
        with suppress(OSError):
            self._routes.delete(kind, network, self._index)

    def guard(self, policy: PolicySpec) -> None:
        if self._guard is not None:
            self._guard.add(policy)
        if passes(policy):
            network = policy.selector.dst
            self._passing[network] += 1
            with suppress(OSError):
                self._keep(Kind.PASS, network)

    def unguard(self, policy: PolicySpec) -> None:
        if self._guard is not None:
            self._guard.delete(policy)
        if passes(policy):
            network = policy.selector.dst
            self._passing[network] -= 1
            if not self._passing[network]:
                self._give_up(Kind.PASS, network)

    def sweep(self) -> int:
        left = self._guard.sweep() if self._guard is not None else 0
        for network, metric in self._installed():
            for kind in (Kind.GUARD, Kind.PASS):
                ours = metric == self._routes.metric(kind, self._index)
                if ours and (kind, network) not in self._kept:
                    self._give_up(kind, network)
                    left += 1
        if left:
            self._log.info("%d policies and routes of an earlier key engine are gone", left)
        return left

    def fds(self) -> list[int]:
        return [self._fd]

    def receive(self, packet_out: Callable[[bytes], object]) -> None:
        read, fd = os.read, self._fd
        try:
            for _ in range(_BATCH):
                packet_out(read(fd, _LARGEST))
        except OSError as error:
            if error.errno == errno.EBADFD:
                self._renew(packet_out)
            # else there is nothing more for now

    def _renew(self, packet_out: Callable[[bytes], object]) -> None:
        """Somebody has deleted the device, and its routes with it: our descriptor gets another."""
        if self._fd < 0:
            return
        try:
            self._make_device(self.name)
            if self._guard is not None:
                self._guard.exempt()
            for (kind, network), prefer_src in self._kept.items():
                if kind is Kind.DEVICE:
                    self._routes.replace(kind, network, self._index, prefer_src)
        except (OSError, NetlinkError, ApplicationError) as error:
            self._log.internal_err(
                "somebody deleted %s, and it cannot be made anew: %s; what the key engine protects"
                " is dropped until it can, or start isakmpd again", self.name, error,
            )  # fmt: skip
            self._try_later(packet_out)
        else:
            self._log.internal_err("somebody deleted %s; it is there again. Who changes devices on"
                                   " this host must leave it alone", self.name)  # fmt: skip
            if self._loop is not None:
                # Anew: epoll hears nothing of who was without a device when it was added.
                self._loop.reader(self._fd, partial(self.receive, packet_out))

    def _try_later(self, packet_out: Callable[[bytes], object]) -> None:
        """Nobody reads meanwhile: a descriptor without a device is always ready."""
        if self._loop is not None:
            self._loop.reader(self._fd, None)
            again = partial(self._renew, packet_out)
            self._loop.timers.add("the key engine's device", RENEW_S, again)

    def close(self, block: bool = False) -> None:
        if self._fd >= 0 and not block:
            for kind, network in list(self._kept):
                self._give_up(kind, network)
            self.sweep()
        if self._guard is not None:
            self._guard.close()
            self._guard = None
        if self._losses is not None:
            self._losses.close()
            self._losses = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._leave_rules()
        self._netlink.close()
        self._routes.close()
        self._release()

    def _release(self) -> None:
        if self._held is not None:
            self._held.close()

    def _leave_rules(self) -> None:
        """The rules go with the last route that they lead to."""
        if self._rules and not self._installed():
            for family in self._rules:
                self._rule("del", family)
        self._rules.clear()


def passes(policy: PolicySpec) -> bool:
    """Whether all that goes to a policy's network from here does so in clear."""
    selector = policy.selector
    every = not (selector.src.prefixlen or selector.protocol or selector.has_ports)
    return every and policy.direction is Direction.OUT and policy.action is Action.BYPASS
