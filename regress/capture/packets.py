"""Packets and capture files, octet by octet."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from ipaddress import ip_address

from isakmp.capture import (
    Damage,
    Datagram,
    Frame,
    read_datagrams,
    read_frames,
)

MESSAGE = bytes(range(28)) * 3
TIME_NS = 1_700_000_000_123_456_789


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def udp(data: bytes, source: int = 500, destination: int = 500) -> bytes:
    return struct.pack(">HHHH", source, destination, 8 + len(data), 0) + data


def ipv4(payload: bytes, flags: int = 0, protocol: int = 17, identification: int = 7) -> bytes:
    size = 20 + len(payload)
    head = struct.pack(">BBHHHBBH", 0x45, 0, size, identification, flags, 64, protocol, 0)
    return head + bytes([192, 0, 2, 1, 192, 0, 2, 2]) + payload


def ipv6(payload: bytes, protocol: int = 17) -> bytes:
    ends = ip_address("2001:db8::1").packed + ip_address("2001:db8::2").packed
    return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + ends + payload


def pcap(*frames: bytes, link: int = 101, order: str = "<", magic: int = 0xA1B2C3D4) -> bytes:
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)]
    ticks = TIME_NS % 1_000_000_000 // (1 if magic == 0xA1B23C4D else 1000)
    for frame in frames:
        size = len(frame)
        parts += [struct.pack(order + "IIII", 1_700_000_000, ticks, size, size), frame]
    return b"".join(parts)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = len(body) + 12
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int, order: str = "<", options: bytes = b"", snap: int = 0) -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options, order)


def enhanced(data: bytes, ticks: int, index: int = 0, order: str = "<") -> bytes:
    high, low = ticks >> 32, ticks & 0xFFFFFFFF
    head = struct.pack(order + "IIIII", index, high, low, len(data), len(data))
    return block(6, head + data + bytes(-len(data) % 4), order)


def frames_of(file: bytes) -> list[Frame | Damage]:
    return list(read_frames(io.BytesIO(file)))


def found_in(file: bytes) -> list[Datagram | Damage]:
    return list(read_datagrams(read_frames(io.BytesIO(file))))


def only(file: bytes) -> Datagram:
    (found,) = found_in(file)
    assert isinstance(found, Datagram), found
    return found


def damage(file: bytes) -> Damage:
    (found,) = found_in(file)
    assert isinstance(found, Damage), found
    return found


PACKET = ipv4(udp(MESSAGE))
MACS = bytes(12)


def fragments(data: bytes, size: int, identification: int = 7) -> Iterator[bytes]:
    whole = udp(data)
    for at in range(0, len(whole), size):
        more = 0x2000 if at + size < len(whole) else 0
        yield ipv4(whole[at : at + size], more | at // 8, identification=identification)
