"""IPv6 packets that are put on the wire in clear."""

from __future__ import annotations

import struct
from ipaddress import ip_address


def _checked(src: str, dst: str, protocol: int, data: bytes, at: int) -> bytes:
    """The data of a transport protocol with its checksum at ``at``."""
    ends = ip_address(src).packed + ip_address(dst).packed
    whole = ends + struct.pack(">II", len(data), protocol) + data + bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(whole) // 2}H", whole))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return data[:at] + struct.pack(">H", (total ^ 0xFFFF) or 0xFFFF) + data[at + 2 :]


def ipv6(src: str, dst: str, next_header: int, data: bytes, hop_limit: int = 64) -> bytes:
    """A packet."""
    ends = ip_address(src).packed + ip_address(dst).packed
    return struct.pack(">IHBB", 6 << 28, len(data), next_header, hop_limit) + ends + data


def datagram(src: str, dst: str, sport: int, dport: int, octets: int = 8) -> bytes:
    """UDP with its header, and nothing around it."""
    data = struct.pack(">HHHH", sport, dport, 8 + octets, 0) + bytes(octets)
    return _checked(src, dst, 17, data, 6)


def udp(src: str, dst: str, sport: int, dport: int) -> bytes:
    """A packet of UDP."""
    return ipv6(src, dst, 17, datagram(src, dst, sport, dport))


def icmp(src: str, dst: str, type: int, code: int = 0) -> bytes:
    """An ICMPv6 message with some octets."""
    data = struct.pack(">BBHHH", type, code, 0, 77, 1) + bytes(16)
    return ipv6(src, dst, 58, _checked(src, dst, 58, data, 2), 255)


def fragments(src: str, dst: str, next_header: int, data: bytes, size: int) -> list[bytes]:
    """A packet in pieces of ``size`` octets, a multiple of 8."""
    pieces = range(0, len(data), size)
    heads = (struct.pack(">BBHI", next_header, 0, at | (at + size < len(data)), 99)
             for at in pieces)  # fmt: skip
    return [
        ipv6(src, dst, 44, head + data[at : at + size])
        for at, head in zip(pieces, heads, strict=True)
    ]


def options(next_header: int) -> bytes:
    """A header of destination options that says nothing, 8 octets."""
    return bytes([next_header, 0, 1, 4, 0, 0, 0, 0])
