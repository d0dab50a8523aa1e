"""What went over a wire: captured in namespaces, written as pcap, searched for clear packets."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from regress.interop.namespace import Namespace

_SO_TIMESTAMPNS = 35  # Linux; the socket module does not name it
_SO_RCVBUFFORCE = 33
_IKE, _ENCAP = 500, 4500
_ESP, _UDP, _ICMP, _ICMPV6 = 50, 17, 1, 58
_UNREACHABLE = {_ICMP: 3, _ICMPV6: 1}
_NEIGHBOURS = range(130, 144)  # ICMPv6 multicast listeners and neighbour discovery


@dataclass
class Wire:
    """Ethernet frames with their times, and what they are."""

    frames: list[tuple[float, bytes]] = field(default_factory=list)

    def clear(self) -> list[str]:
        """Everything that is neither IKE, ESP, nor the link's own housekeeping."""
        return [text for _, frame in self.frames if (text := _clear(frame[12:]))]

    def esp(self) -> int:
        """The number of ESP packets, in UDP or not."""
        return sum(_is_esp(*_transport(frame[12:])) for _, frame in self.frames)

    def largest_esp(self) -> int:
        """The octets of the largest ESP packet, its IP header and all."""
        found = [len(frame) for _, frame in self.frames if _is_esp(*_transport(frame[12:]))]
        return max(found, default=0)

    def ports(self, destination: str) -> set[int]:
        """The UDP ports of an IPv4 address that something was sent to."""
        wanted, found = socket.inet_aton(destination), set()
        for _, frame in self.frames:
            protocol, body = _transport(frame[12:])
            if protocol == _UDP and frame[30:34] == wanted:
                found.add(int.from_bytes(body[2:4], "big"))
        return found

    def ike(self) -> list[bytes]:
        """Each IKE message between ports 500 and 4500, once."""
        seen: dict[bytes, None] = {}
        for _, frame in self.frames:
            protocol, body = _transport(frame[12:])
            if protocol != _UDP or not set(_udp_ports(body)) <= {_IKE, _ENCAP}:
                continue
            if len(body) > 9 and not _is_esp(protocol, body):
                seen[body[12 if _ENCAP in _udp_ports(body) else 8 :]] = None
        return list(seen)

    def write(self, path: Path) -> None:
        """A pcap file of link type Ethernet."""
        with path.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            for when, frame in self.frames:
                second, fraction = int(when), int(when % 1 * 1e6)
                file.write(struct.pack("<IIII", second, fraction, len(frame), len(frame)))
                file.write(frame)


class Capture:
    """Captures from now on what each namespace sends; the kernel keeps it until it is read.

    A kernel that unwraps ESP shows what was inside as if it had come over the wire.
    """

    def __init__(self, namespaces: Iterable[Namespace], interface: str = "veth0") -> None:
        self._sockets = [namespace.packet_socket(interface) for namespace in namespaces]
        for tap in self._sockets:
            tap.setblocking(False)
            tap.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 16 << 20)
            tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.wire = Wire()

    def read(self) -> Wire:
        """Everything captured so far."""
        for tap in self._sockets:
            self._read(tap)
        self.wire.frames.sort(key=itemgetter(0))
        return self.wire

    def _read(self, tap: socket.socket) -> None:
        while True:
            try:
                frame, ancillary, _, (_, _, direction, *_) = tap.recvmsg(65535, 64)
            except BlockingIOError:
                return
            if direction == socket.PACKET_OUTGOING:
                second, nano = struct.unpack("qq", ancillary[0][2])
                self.wire.frames.append((second + nano / 1e9, frame))

    def close(self) -> None:
        for tap in self._sockets:
            tap.close()


def _transport(packet: bytes) -> tuple[int, bytes]:
    """(protocol, what follows the IP header) of a packet that begins with its EtherType."""
    kind = packet[:2]
    if kind == b"\x08\x00":
        return packet[11], packet[2 + 4 * (packet[2] & 15) :]
    if kind == b"\x86\xdd":
        protocol, body = packet[8], packet[42:]
        while protocol == 0:  # hop-by-hop options, as multicast listener reports have them
            protocol, body = body[0], body[8 * (body[1] + 1) :]
        return protocol, body
    return -1, b""


def _is_esp(protocol: int, body: bytes) -> bool:
    """ESP, plain or in UDP: there no four zero octets and no single octet (RFC 3948 2)."""
    if protocol == _UDP and _ENCAP in _udp_ports(body):
        return len(body) > 9 and body[8:12] != b"\0\0\0\0"
    return protocol == _ESP


def _udp_ports(body: bytes) -> tuple[int, int]:
    return int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")


def _clear(packet: bytes) -> str:
    """Empty where the packet may be there, else what it is."""
    protocol, body = _transport(packet)
    if packet[:2] == b"\x08\x06" or protocol == _ESP:
        return ""
    if protocol == _UDP and {_IKE, _ENCAP} & set(_udp_ports(body)):
        return ""
    if protocol == _ICMPV6 and body[0] in _NEIGHBOURS:
        return ""
    if protocol in _UNREACHABLE and body[0] == _UNREACHABLE[protocol]:
        # An answer to IKE for a daemon that is gone; it quotes the packet.
        quoted = (b"\x08\x00" if protocol == _ICMP else b"\x86\xdd") + body[8:]
        return _clear(quoted)
    return f"EtherType {packet[:2].hex()}, protocol {protocol}: {packet[2:66].hex()}"
