"""ESP on the real network: raw sockets of IPPROTO_ESP, and UDP through the daemon's own socket.

All packets carry a firewall mark, so that the rule which leads clear packets into the TUN device
leaves ours alone. The kernel makes the outer header; DF is IP_MTU_DISCOVER's (RFC 1191).
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

from isakmp.app.engine.base import DEFAULT_MTU, Encap, EspIn, Send, Wire
from isakmp.app.engine.packet import ESP
from isakmp.app.unavailable import unavailable
from isakmp.app.xfrm.sockets import bypass
from isakmp.errors import ApplicationError
from isakmp.policy.spd import Address

MARK = 500
SendUdp = Callable[[bytes, Address, int, Address, int], object]
"""data, source address and port, destination address and port."""

_BATCH = 64
_LARGEST = 65535
_BUFFER = 4 << 20
_MOST_PAIRS = 4096
_TTL = 64
_ANY_PORT = 9  # connect() of a datagram socket wants one; nothing is sent

# Of <linux/in.h>, <linux/in6.h> and <asm/socket.h>; the socket module does not name them.
_SO_RCVBUFFORCE = 33
_IP_PKTINFO, _IP_MTU_DISCOVER, _IP_MTU = 8, 10, 14
_IPV6_MTU_DISCOVER, _IPV6_MTU = 23, 24
_PMTUDISC_DONT, _PMTUDISC_DO = 0, 2
_V4_INFO = struct.Struct("=i4s4s")  # in_pktinfo: interface, source, destination
_V6_INFO = struct.Struct("=16si")  # in6_pktinfo: address, interface
_INT = struct.Struct("=i")

_V6_OPTIONS = (
    (socket.IPV6_RECVPKTINFO, 1),
    (socket.IPV6_RECVTCLASS, 1),
    (socket.IPV6_UNICAST_HOPS, _TTL),
)

_Ancillary = list[tuple[int, int, bytes]]


class RawWire(Wire):
    """Raw sockets for both families. ApplicationError where the process may not have them."""

    def __init__(self, send_udp: SendUdp, mark: int = MARK) -> None:
        self._send_udp, self._mark = send_udp, mark
        self._pairs: dict[bytes, tuple[Address, Address]] = {}
        self._rigid: dict[int, bool] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._plain: dict[int, socket.socket] = {}
        try:
            self._open()
        except OSError as error:
            self.close()
            raise unavailable(
                "raw sockets for ESP", error, capability="CAP_NET_RAW", module="ipv6"
            ) from error

    def _open(self) -> None:
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                sock = self._sockets[family] = self._socket(family, ESP)
            except OSError as error:
                if error.errno != errno.EAFNOSUPPORT:
                    raise
                continue  # a host without IPv6
            with suppress(PermissionError):  # root of a user namespace may not
                sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            self._set_rigid(sock, False)
            self._plain[family] = self._socket(family, socket.IPPROTO_RAW)
            if family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, _TTL)
                continue
            for option, value in _V6_OPTIONS:
                sock.setsockopt(socket.IPPROTO_IPV6, option, value)

    def _socket(self, family: int, protocol: int) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, self._mark)
        with suppress(ApplicationError):  # a kernel without IPsec has no guard either
            bypass(sock)
        return sock

    def _set_rigid(self, sock: socket.socket, rigid: bool) -> None:
        """Set DF for what is sent next, or let the kernel fragment."""
        self._rigid[sock.family] = rigid
        how = _PMTUDISC_DO if rigid else _PMTUDISC_DONT
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, how)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, how)

    def send(
        self,
        esp: bytes,
        src: Address,
        dst: Address,
        encap: Encap | None,
        dont_fragment: bool,
        tos: int,
    ) -> None:
        self.path(src, dst, encap)(esp, dont_fragment, tos)

    def path(self, src: Address, dst: Address, encap: Encap | None) -> Send:
        if encap:
            return self._udp_path(src, dst, encap)
        family = socket.AF_INET if dst.version == 4 else socket.AF_INET6
        if family not in self._sockets:
            return _no_family
        sock, target = self._sockets[family], _target(dst)
        rigid, ancillary = self._rigid, {0: _ancillary(src, 0)}

        def send(esp: bytes, dont_fragment: bool, tos: int) -> None:
            if rigid[family] is not dont_fragment:
                self._set_rigid(sock, dont_fragment)
            if tos not in ancillary:
                ancillary[tos] = _ancillary(src, tos)
            sock.sendmsg((esp,), ancillary[tos], 0, target)

        return send

    def _udp_path(self, src: Address, dst: Address, encap: Encap) -> Send:
        send_udp, (src_port, dst_port) = self._send_udp, encap

        def send(esp: bytes, dont_fragment: bool, tos: int) -> None:
            send_udp(esp, src, src_port, dst, dst_port)

        return send

    def forward(self, packet: bytes, dst: Address) -> None:
        sock = self._plain.get(socket.AF_INET if dst.version == 4 else socket.AF_INET6)
        if sock is None:
            _no_family(packet, False, 0)
        else:
            sock.sendto(packet, _target(dst))

    def path_mtu(self, src: Address, dst: Address) -> int:
        v4 = dst.version == 4
        family = socket.AF_INET if v4 else socket.AF_INET6
        level, option = (socket.IPPROTO_IP, _IP_MTU) if v4 else (socket.IPPROTO_IPV6, _IPV6_MTU)
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, self._mark)
                probe.connect((str(dst), _ANY_PORT))
                return probe.getsockopt(level, option)
        except OSError:
            return DEFAULT_MTU

    def fds(self) -> list[int]:
        return [sock.fileno() for sock in self._sockets.values()]

    def receive(self, fd: int, esp_in: EspIn) -> None:
        try:
            if fd == self._sockets[socket.AF_INET].fileno():
                self._receive_v4(esp_in)
            else:
                self._receive_v6(esp_in)
        except OSError:
            return  # nothing more for now, or an ICMP error that send() will meet as well

    def _receive_v4(self, esp_in: EspIn) -> None:
        """Raw IPv4 sockets give the header as well."""
        receive, pairs = self._sockets[socket.AF_INET].recv, self._pairs
        for _ in range(_BATCH):
            packet = receive(_LARGEST)
            src, dst = pairs.get(packet[12:20]) or self._pair(packet[12:16], packet[16:20])
            esp_in(packet[(packet[0] & 15) * 4 :], src, dst, None, packet[1])

    def _receive_v6(self, esp_in: EspIn) -> None:
        """Raw IPv6 sockets do not: destination and traffic class come beside."""
        sock = self._sockets[socket.AF_INET6]
        room = socket.CMSG_SPACE(_V6_INFO.size) + socket.CMSG_SPACE(_INT.size)
        for _ in range(_BATCH):
            packet, ancillary, _, sender = sock.recvmsg(_LARGEST, room)
            dst, tos = b"", 0
            for _, kind, data in ancillary:
                if kind == socket.IPV6_PKTINFO:
                    dst = data[:16]
                elif kind == socket.IPV6_TCLASS:
                    (tos,) = _INT.unpack(data)
            if dst:
                src = socket.inet_pton(socket.AF_INET6, sender[0].partition("%")[0])
                ends = self._pairs.get(src + dst) or self._pair(src, dst)
                esp_in(packet, *ends, None, tos)

    def _pair(self, src: bytes, dst: bytes) -> tuple[Address, Address]:
        """Address objects, made once: that costs as much as the rest of a packet's reception."""
        if len(self._pairs) >= _MOST_PAIRS:
            self._pairs.clear()
        make = IPv4Address if len(src) == 4 else IPv6Address
        self._pairs[src + dst] = pair = make(src), make(dst)
        return pair

    def close(self) -> None:
        for sock in (*self._sockets.values(), *self._plain.values()):
            sock.close()
        self._sockets.clear()
        self._plain.clear()


def _no_family(esp: bytes, dont_fragment: bool, tos: int) -> None:
    """The sender of a path that this host has no protocol for."""
    raise OSError(errno.EAFNOSUPPORT, "the host lacks the address family")


def _target(dst: Address) -> tuple[str, int]:
    return str(dst), 0


def _ancillary(src: Address, tos: int) -> _Ancillary:
    """What goes with a packet: its source address, and its TOS or traffic class where that is not
    the socket's own, 0, which the kernel takes without reading it each time."""
    if src.version == 4:
        level, kind = socket.IPPROTO_IP, socket.IP_TOS
        source = (level, _IP_PKTINFO, _V4_INFO.pack(0, src.packed, bytes(4)))
    else:
        level, kind = socket.IPPROTO_IPV6, socket.IPV6_TCLASS
        source = (level, socket.IPV6_PKTINFO, _V6_INFO.pack(src.packed, 0))
    return [source, (level, kind, _INT.pack(tos))] if tos else [source]
