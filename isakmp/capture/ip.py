"""IPv4 and IPv6 headers, as far as a UDP datagram: RFC 791, RFC 8200, RFC 768.

Checksums are not verified: a capture on the sending host has those the hardware fills in later.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

TCP, UDP, ESP = 6, 17, 50
_FRAGMENT = 44
_AH = 51
_EXTENSIONS = (0, 43, 60, 135)  # hop-by-hop, routing, destination options, mobility
_MAX_EXTENSIONS = 16


class BadPacket(Exception):
    """A packet that is not well formed; read_datagrams() makes a Damage of it."""

    def __init__(self, path: str, offset: int, reason: str, rfc: str) -> None:
        super().__init__(path, offset, reason, rfc)
        self.path, self.offset, self.reason, self.rfc = path, offset, reason, rfc


@dataclass(frozen=True, slots=True)
class Fragment:
    """Where a piece belongs. offset in octets."""

    identification: int
    offset: int
    more: bool


@dataclass(frozen=True, slots=True)
class IpPacket:
    """An IP packet past its headers. missing: octets that were sent and not captured."""

    source: Address
    destination: Address
    protocol: int
    payload: bytes = field(repr=False)
    missing: int = 0
    fragment: Fragment | None = None


@dataclass(frozen=True, slots=True)
class UdpDatagram:
    """A UDP datagram. missing: octets that its length claims and that are not there."""

    source_port: int
    destination_port: int
    payload: bytes = field(repr=False)
    missing: int = 0


def parse_ip(packet: bytes) -> IpPacket | None:
    """Read the IP headers; None where it is not IP at all. Raises BadPacket."""
    version = packet[0] >> 4 if packet else 0
    if version == 4:
        return _ipv4(packet)
    return _ipv6(packet) if version == 6 else None


def _ipv4(packet: bytes) -> IpPacket:
    if len(packet) < 20:
        raise BadPacket("IPv4", 0, f"a header of 20 octets, {len(packet)} captured", "RFC 791 3.1")
    size, total = (packet[0] & 15) * 4, int.from_bytes(packet[2:4])
    if total == 0:  # left to the hardware
        total = len(packet)
    if not 20 <= size <= min(total, len(packet)):
        reason = f"a header of {size} octets in a packet of {total}, {len(packet)} captured"
        raise BadPacket("IPv4", 0, reason, "RFC 791 3.1")
    identification, word = struct.unpack_from(">HH", packet, 4)
    offset, more = (word & 0x1FFF) * 8, bool(word & 0x2000)
    return IpPacket(
        source=IPv4Address(packet[12:16]),
        destination=IPv4Address(packet[16:20]),
        protocol=packet[9],
        payload=packet[size:total],
        missing=max(0, total - len(packet)),
        fragment=Fragment(identification, offset, more) if offset or more else None,
    )


def _ipv6(packet: bytes) -> IpPacket:
    if len(packet) < 40:
        raise BadPacket("IPv6", 0, f"a header of 40 octets, {len(packet)} captured", "RFC 8200 3")
    total = 40 + int.from_bytes(packet[4:6])
    if total == 40:  # a jumbogram, or left to the hardware
        total = len(packet)
    protocol, at, fragment = _extensions(packet, total)
    return IpPacket(
        source=IPv6Address(packet[8:24]),
        destination=IPv6Address(packet[24:40]),
        protocol=protocol,
        payload=packet[at:total],
        missing=max(0, total - len(packet)),
        fragment=fragment,
    )


def _extensions(packet: bytes, total: int) -> tuple[int, int, Fragment | None]:
    """Walk the extension headers: (protocol, where its header is, the fragment header)."""
    protocol, at = packet[6], 40
    fragment: Fragment | None = None
    for _ in range(_MAX_EXTENSIONS):
        if protocol not in (*_EXTENSIONS, _FRAGMENT, _AH):
            return protocol, at, fragment
        if at + 8 > min(total, len(packet)):
            raise BadPacket("IPv6", at, "the packet ends in an extension header", "RFC 8200 4")
        following, size = packet[at], packet[at + 1]
        if protocol == _FRAGMENT:
            word, identification = struct.unpack_from(">HI", packet, at + 2)
            if word & 0xFFF9:
                fragment = Fragment(identification, word & 0xFFF8, bool(word & 1))
            at += 8
            if fragment and fragment.offset:  # what follows is data, whatever it looks like
                return following, at, fragment
        else:
            at += (size + 2) * 4 if protocol == _AH else (size + 1) * 8
        protocol = following
    raise BadPacket("IPv6", at, f"more than {_MAX_EXTENSIONS} extension headers", "RFC 8200 4")


def parse_udp(payload: bytes, missing: int) -> UdpDatagram:
    """Read a UDP header. ``missing``: octets of the packet not captured. Raises BadPacket."""
    if len(payload) < 8:
        raise BadPacket("UDP", 0, f"a header of 8 octets, {len(payload)} there", "RFC 768")
    source_port, destination_port, size = struct.unpack_from(">HHH", payload)
    if size == 0:  # a jumbogram
        size = len(payload) + missing
    if size < 8:
        raise BadPacket("UDP", 4, f"a length of {size} octets, less than its header", "RFC 768")
    data = payload[8:size]
    return UdpDatagram(source_port, destination_port, data, max(0, size - 8 - len(data)))
