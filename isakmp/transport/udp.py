"""UDP on the IKE port and the NAT-traversal port, IPv4 and IPv6: RFC 2408 2.5.1, RFC 3948.

Protocols with ports of their own have sockets alike.

Sockets are bound to every address, or to those of Listen-on. A datagram's local address comes
with it and goes with its answer (IP_PKTINFO, RFC 3542), so that hosts with many addresses answer
from the right one, and addresses that appear later are served too.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address, IPv6Address

from isakmp.constants import ISAKMP_PORT, NAT_T_PORT
from isakmp.errors import ConfError, Reason
from isakmp.event.loop import Loop
from isakmp.log.log import Log, LogClass
from isakmp.path import Path
from isakmp.policy.spd import Address, make_address
from isakmp.transport.base import NON_ESP_MARKER, Deliver, sort
from isakmp.transport.unsent import Unsent, cannot_send

# Of <linux/in.h> and <asm/socket.h>; the socket module does not name them.
_IP_PKTINFO = 8
_SO_MARK = 36
_SO_RCVBUFFORCE = 33
_V4_INFO = struct.Struct("=i4s4s")
_V6_INFO = struct.Struct("=16si")
_V6_GROUP = 0xFF  # the first octet of a multicast address
_BATCH = 64
_LARGEST = 65535
_RECEIVE_BUFFER = 4 << 20
_ADDRESSES_MAX = 4096

# What the kernel tells beside a datagram.
Ancillary = tuple[tuple[int, int, bytes], ...]
# A socket, and what makes it send from one address.
Way = tuple[socket.socket, tuple[int, int, bytes]]


class Udp:
    """Every UDP socket of one daemon. nat_t_port 0: no NAT traversal; more: ports of protocols that
    are not IKE; mark: of all packets."""

    def __init__(
        self, loop: Loop, log: Log, *, listen: list[Address] | None = None,
        port: int = ISAKMP_PORT, nat_t_port: int = NAT_T_PORT, more: tuple[int, ...] = (),
        families: tuple[int, ...] = (4, 6), mark: int = 0,
    ) -> None:  # fmt: skip
        self._loop, self._log, self._mark = loop, log, mark
        self._ports = dict.fromkeys((port, *more), False)
        if nat_t_port:
            self._ports[nat_t_port] = True
        self._sockets: dict[tuple[int, int, str], socket.socket] = {}
        self._addresses: dict[str | bytes, Address] = {}
        self._reached: dict[Ancillary, Address] = {}
        self._ways: dict[tuple[Address, int], Way] = {}
        self._unsent = Unsent()
        self.counters = {"sent": 0, "received": 0, "send_failed": 0}
        everywhere: list[Address] = [IPv4Address(0), IPv6Address(0)]
        chosen = [a for a in listen or everywhere if a.version in families]
        for address in chosen:
            for number in self._ports:
                self._bind(address, number, bool(listen))

    def _bind(self, address: Address, port: int, listed: bool) -> None:
        """One socket. ConfError where it cannot be had, unless it is IPv6's that nobody has asked
        for. listed: in Listen-on."""
        optional = not listed and address.version == 6
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        try:
            sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            if optional and error.errno == errno.EAFNOSUPPORT:
                return
            self.close()
            raise _no_socket(address, port, error) from None
        try:
            self._options(sock, address.version)
            sock.bind((str(address), port))
        except OSError as error:
            sock.close()
            if optional:
                return
            self.close()
            raise _not_bound(address, port, listed, error) from None
        self._sockets[address.version, port, str(address)] = sock

    def _options(self, sock: socket.socket, version: int) -> None:
        if version == 4:
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        privileged = [(_SO_RCVBUFFORCE, _RECEIVE_BUFFER)]
        if self._mark:
            privileged.append((_SO_MARK, self._mark))
        for option, value in privileged:
            with contextlib.suppress(PermissionError):
                sock.setsockopt(socket.SOL_SOCKET, option, value)

    def prepare(self, each: Callable[[socket.socket, bool], object]) -> None:
        """Show every socket to ``each``, and whether ESP in UDP comes in there."""
        for (_, port, _), sock in self._sockets.items():
            each(sock, self._ports[port])

    def start(self, ike: Deliver, esp: Deliver) -> None:
        """Let the loop read the sockets."""
        for (version, port, _), sock in self._sockets.items():
            encap = self._ports[port]
            read = partial(self._receive, sock, version, port, encap, ike, esp)
            self._loop.reader(sock.fileno(), read)

    def _receive(
        self, sock: socket.socket, version: int, port: int, encap: bool, ike: Deliver,
        esp: Deliver,
    ) -> None:  # fmt: skip
        for _ in range(_BATCH):
            try:
                data, ancillary, _, source = sock.recvmsg(_LARGEST, 128)
            except BlockingIOError:
                return
            except OSError as error:  # an ICMP error of something we sent
                self._log.debug(LogClass.TRANSPORT, 50, "port %d: %s", port, error.strerror)
                continue
            told = tuple(ancillary)
            local = self._reached.get(told) or self._local(version, told)
            if local is None or len(source) < 2 or not source[1] or not data:
                continue  # nor could it be answered
            self.counters["received"] += 1
            remote = self._addresses.get(source[0]) or self._learn(source[0])
            path = Path(local, port, remote, source[1], encap)
            if encap:
                sort(path, data, ike, esp)
            else:
                ike(path, data)

    def _local(self, version: int, ancillary: Ancillary) -> Address | None:
        """Our address that a datagram came to; None for one to everybody on a link, or to a group,
        from which nothing can be sent. Found out once for each, within bounds."""
        for level, kind, data in ancillary:
            if version == 4 and (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
                _, own, packed = _V4_INFO.unpack_from(data)
                if packed != own:
                    return None
            elif version == 6 and (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
                packed = _V6_INFO.unpack_from(data)[0]
                if packed[0] == _V6_GROUP:
                    return None
            else:
                continue
            if len(self._reached) >= _ADDRESSES_MAX:
                self._reached.clear()
            found = self._addresses.get(packed) or self._learn(packed)
            self._reached[ancillary] = found
            return found
        return None

    def _learn(self, said: str | bytes) -> Address:
        """Address objects are made once for each host that talks to us, within bounds. said: the
        address as the kernel has it, text or octets."""
        if len(self._addresses) >= _ADDRESSES_MAX:
            self._addresses.clear()
        if isinstance(said, str):
            family = socket.AF_INET6 if ":" in said else socket.AF_INET
            packed = socket.inet_pton(family, said.partition("%")[0])
        else:
            packed = said
        address = self._addresses[said] = make_address(packed)
        return address

    def send(self, path: Path, message: bytes) -> None:
        """Send an IKE message."""
        self.send_raw(path, NON_ESP_MARKER + message if path.encap else message)

    def send_raw(self, path: Path, data: bytes) -> None:
        """Send as it is, from the path's local address and port."""
        local = path.local, path.local_port
        try:
            sock, info = self._ways.get(local) or self._way(*local)
            sock.sendmsg([data], [info], 0, (str(path.remote), path.remote_port))
        except OSError as error:
            self.counters["send_failed"] += 1
            reason = cannot_send(path, error)
            self._log.internal_warn("%s; mend: %s", reason.detail, reason.mend)
            self._unsent.note(path, reason)
        else:
            self.counters["sent"] += 1
            self._unsent.note(path, None)

    def unsent(self, path: Path) -> Reason | None:
        """Why the last datagram of that way was not sent."""
        return self._unsent.get(path)

    def _way(self, local: Address, port: int) -> Way:
        """What sends from an address and port of ours; kept, within bounds. OSError: nothing."""
        texts = str(local), "0.0.0.0", "::"
        found = (self._sockets.get((local.version, port, text)) for text in texts)
        sock = next(filter(None, found), None)
        if sock is None:
            raise OSError(f"no socket for {local} port {port}")
        if len(self._ways) >= _ADDRESSES_MAX:
            self._ways.clear()
        way = self._ways[local, port] = sock, _ancillary(local)
        return way

    def describe(self) -> list[dict[str, object]]:
        """A row for each socket, and what went through all of them."""
        rows: list[dict[str, object]] = [
            {"transport": "udp", "address": address, "port": port, "nat_t": self._ports[port]}
            for _, port, address in self._sockets
        ]
        return [*rows, {"transport": "udp", **self.counters}]

    def close(self) -> None:
        """Close every socket."""
        for sock in self._sockets.values():
            self._loop.reader(sock.fileno(), None)
            sock.close()
        self._sockets.clear()
        self._ways.clear()


_HINTS = {
    errno.EADDRINUSE: "is another IKE daemon running? Beside it isakmpd needs other addresses "
    "(Listen-on) or other ports (-p and -N)",
    errno.EADDRNOTAVAIL: "no interface of this host has it; Listen-on takes an interface, too",
    errno.EACCES: "root, or CAP_NET_BIND_SERVICE, is needed for the port",
}


def not_to_be_had(address: Address, port: int) -> ConfError | None:
    """Why this host cannot listen at an address of Listen-on, whatever the port; None: it can."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                sock.bind((str(address), 0))
            except OSError as error:
                return _not_bound(address, port, True, error)
    except OSError as error:
        return _no_socket(address, port, error)
    return None


def _not_bound(address: Address, port: int, listed: bool, error: OSError) -> ConfError:
    """Why a socket has not got its address; what asked for that is cited."""
    section, tag = ("General", "Listen-on") if listed else ("", "")
    return ConfError(
        f"cannot listen on {address} port {port}: {error.strerror}", section=section, tag=tag,
        hint=_HINTS.get(error.errno or 0, ""),
    )  # fmt: skip


def _no_socket(address: Address, port: int, error: OSError) -> ConfError:
    """Why there is no socket for an address at all."""
    if error.errno == errno.EAFNOSUPPORT:
        return ConfError(
            f"this host has no IPv{address.version}", section="General", tag="Listen-on",
            hint="list addresses of the other family, or begin with -4 or -6",
        )  # fmt: skip
    return ConfError(
        f"no socket for {address} port {port}: {error.strerror}",
        section="General",
        tag="Listen-on",
        hint="list fewer addresses, or let the process have more descriptors (LimitNOFILE= of "
        "its unit, ulimit -Hn); each address takes two",
    )


def _ancillary(local: Address) -> tuple[int, int, bytes]:
    if local.version == 4:
        return socket.IPPROTO_IP, _IP_PKTINFO, _V4_INFO.pack(0, local.packed, bytes(4))
    return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _V6_INFO.pack(local.packed, 0)
