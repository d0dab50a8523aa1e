"""IPv4 and IPv6 packets: what selectors need, headers, checksums (RFC 791, 8200, 1071).

RFC 4301 4.4.1.1 says what selectors see: ICMP's type and code stand in the place of the ports;
a fragment other than the first has none.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import NamedTuple

from isakmp.policy.spd import Address

HOP_BY_HOP, ICMP, IPIP, TCP, UDP, IPV6, ROUTING, FRAGMENT = 0, 1, 4, 6, 17, 41, 43, 44
ESP, AH, ICMPV6, NO_NEXT, DESTINATION, SCTP, UDP_LITE = 50, 51, 58, 59, 60, 132, 136
DCCP = 33
_WITH_PORTS = frozenset({TCP, UDP, SCTP, UDP_LITE, DCCP})
_EXTENSIONS = frozenset({HOP_BY_HOP, ROUTING, FRAGMENT, AH, DESTINATION})
_MOST_EXTENSIONS = 8
NO_PORT = -1
IPV4_HEADER = 20
IPV6_HEADER = 40

_V4 = Struct(">BBHHHBBH4s4s")
_V6 = Struct(">IHBB16s16s")
_PORTS = Struct(">HH")
_SHORT = Struct(">H")
DONT_FRAGMENT = 0x4000


class Headers(NamedTuple):
    """A packet as selectors see it.

    length: of the packet by its own account; payload: where the upper layer begins;
    ports NO_PORT: there are none, or they are in another fragment; later_fragment: it is not
    the first; fragment: it is one at all.
    """

    version: int
    length: int
    src: Address
    dst: Address
    protocol: int
    src_port: int
    dst_port: int
    payload: int
    fragment: bool = False
    later_fragment: bool = False


def parse(packet: bytes) -> Headers | None:
    """The headers of an IP packet; None where they do not hold together."""
    if not packet:
        return None
    if packet[0] >> 4 == 4:
        return _parse_v4(packet)
    if packet[0] >> 4 == 6:
        return _parse_v6(packet)
    return None


def _parse_v4(packet: bytes) -> Headers | None:
    if len(packet) < IPV4_HEADER:
        return None
    first, _, length, _, offset, _, protocol, _, src, dst = _V4.unpack_from(packet)
    start = (first & 15) * 4
    if not IPV4_HEADER <= start <= length <= len(packet):
        return None
    later = offset & 0x1FFF != 0
    ports = (NO_PORT, NO_PORT) if later else _ports(packet, protocol, start, length)
    fragment = offset & 0x3FFF != 0
    return Headers(
        4, length, IPv4Address(src), IPv4Address(dst), protocol, *ports, start, fragment, later
    )


def _parse_v6(packet: bytes) -> Headers | None:
    if len(packet) < IPV6_HEADER:
        return None
    _, size, protocol, _, src, dst = _V6.unpack_from(packet)
    length, start = IPV6_HEADER + size, IPV6_HEADER
    if length > len(packet):
        return None
    fragment = later = False
    for _ in range(_MOST_EXTENSIONS):
        if protocol not in _EXTENSIONS or later:
            break
        if start + 8 > length:
            return None
        kind, protocol = protocol, packet[start]
        if kind == FRAGMENT:
            fragment = True
            later = _SHORT.unpack_from(packet, start + 2)[0] & 0xFFF8 != 0
            start += 8
        elif kind == AH:
            start += (packet[start + 1] + 2) * 4
        else:
            start += (packet[start + 1] + 1) * 8
        if start > length:
            return None
    else:
        return None
    ports = (NO_PORT, NO_PORT) if later else _ports(packet, protocol, start, length)
    return Headers(
        6, length, IPv6Address(src), IPv6Address(dst), protocol, *ports, start, fragment, later
    )


def _ports(packet: bytes, protocol: int, start: int, length: int) -> tuple[int, int]:
    """Ports, or ICMP's type and code."""
    if protocol in _WITH_PORTS and start + 4 <= length:
        src_port, dst_port = _PORTS.unpack_from(packet, start)
        return src_port, dst_port
    if protocol in (ICMP, ICMPV6) and start + 2 <= length:
        return packet[start], packet[start + 1]
    return NO_PORT, NO_PORT


def flow_key(packet: bytes) -> bytes:
    """What decides which policy a packet meets, cheaply: addresses, protocol and ports.

    Empty where that takes a closer look: fragments, options, extension headers, short packets.
    """
    if len(packet) < 28:
        return b""
    first = packet[0]
    if first == 0x45:
        if packet[6] & 0x3F or packet[7]:
            return b""
        protocol = packet[9]
        if protocol in (TCP, UDP):
            return packet[9:10] + packet[12:24]
        return packet[9:10] + packet[12:22] if protocol == ICMP else b""
    if first >> 4 == 6 and len(packet) >= 44:
        protocol = packet[6]
        if protocol in (TCP, UDP):
            return packet[6:7] + packet[8:44]
        return packet[6:7] + packet[8:42] if protocol == ICMPV6 else b""
    return b""


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071): the complement of the ones' complement sum."""
    if len(data) % 2:
        data += b"\0"
    # 2**16 is 1 modulo 0xFFFF, so a number and the sum of its 16-bit digits leave the same.
    total = int.from_bytes(data, "big")
    rest = total % 0xFFFF
    return 0xFFFF - (rest or (0xFFFF if total else 0))


def build(
    src: Address, dst: Address, protocol: int, payload: bytes, *, tos: int = 0, ttl: int = 64
) -> bytes:
    """An IP packet without options, of the addresses' family; IPv4 with DF and without an ID."""
    if isinstance(src, IPv4Address):
        size = IPV4_HEADER + len(payload)
        fields = (tos, size, 0, DONT_FRAGMENT, ttl, protocol, 0, src.packed, dst.packed)
        header = _V4.pack(0x45, *fields)
        return header[:10] + _SHORT.pack(checksum(header)) + header[12:] + payload
    first = 6 << 28 | tos << 20
    return _V6.pack(first, len(payload), protocol, ttl, src.packed, dst.packed) + payload


def pseudo_header(src: Address, dst: Address, protocol: int, size: int) -> bytes:
    """What TCP's, UDP's and ICMPv6's checksums also cover; in IPv6's form, the sum is the same."""
    return src.packed + dst.packed + size.to_bytes(4, "big") + protocol.to_bytes(4, "big")


_CHECKSUM_AT = {TCP: 16, UDP: 6}


def fix_checksum(src: Address, dst: Address, protocol: int, payload: bytes) -> bytes:
    """The payload with its TCP or UDP checksum made right for these addresses (RFC 3948 3.1.2).

    The ICV has proved the payload, so the sum is made anew. A UDP sum of 0 over IPv4 stays.
    """
    at = _CHECKSUM_AT.get(protocol)
    if at is None or len(payload) < at + 2:
        return payload
    if protocol == UDP and payload[at : at + 2] == b"\0\0" and src.version == 4:
        return payload
    cleared = payload[:at] + b"\0\0" + payload[at + 2 :]
    total = checksum(pseudo_header(src, dst, protocol, len(payload)) + cleared)
    if protocol == UDP and not total:
        total = 0xFFFF
    return payload[:at] + _SHORT.pack(total) + payload[at + 2 :]


def without_padding(protocol: int, payload: bytes) -> bytes:
    """The payload of transport mode without what hides its size: UDP alone says its own, in octets
    with its header (RFC 4303 2.7)."""
    if protocol != UDP or len(payload) < 8:
        return payload
    size = payload[4] << 8 | payload[5]
    return payload[:size] if 8 <= size < len(payload) else payload


def traffic_class(packet: bytes) -> int:
    """TOS of IPv4, traffic class of IPv6."""
    if packet[0] >> 4 == 4:
        return packet[1]
    return (packet[0] & 15) << 4 | packet[1] >> 4


def set_ce(packet: bytes) -> bytes:
    """The packet marked as having met congestion, where it takes such marks (RFC 4301 5.1.2.1)."""
    if not traffic_class(packet) & 3:
        return packet
    if packet[0] >> 4 == 6:
        return packet[:1] + bytes([packet[1] | 0x30]) + packet[2:]
    start = (packet[0] & 15) * 4
    header = packet[:1] + bytes([packet[1] | 3]) + packet[2:10] + b"\0\0" + packet[12:start]
    return header[:10] + _SHORT.pack(checksum(header)) + header[12:] + packet[start:]
