"""IKE inside of other things: PPP, MPLS, SNAP, enc, pflog, nflog, GRE, IP in IP, VXLAN, TCP."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.capture import Damage, Datagram
from regress.capture.packets import MACS, MESSAGE, found_in, ipv4, ipv6, only, pcap, udp

PACKET, PACKET_6 = ipv4(udp(MESSAGE)), ipv6(udp(MESSAGE))
ETHERNET = MACS + b"\x08\x00"
PPPOE = MACS + b"\x88\x64\x11\x00\x00\x01\x00\x00"
GRE = 47


def attribute(kind: int, data: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (9, b"\xff\x03\x00\x21" + PACKET),
        (9, b"\x21" + PACKET),
        (50, b"\xff\x03\x00\x57" + PACKET_6),
        (51, bytes(6) + b"\x00\x21" + PACKET),
        (204, b"\x01\xff\x03\x00\x21" + PACKET),
        (1, PPPOE + b"\x00\x21" + PACKET),
        (1, MACS + b"\x81\x00\x00\x05" + PPPOE[12:] + b"\x00\x57" + PACKET_6),
        (1, MACS + b"\x88\x47" + bytes.fromhex("0006413f") + PACKET),
        (1, MACS + b"\x88\x47" + bytes.fromhex("0006403f 0006513f") + PACKET_6),
        (1, MACS + struct.pack(">H", len(PACKET) + 8) + b"\xaa\xaa\x03\0\0\0\x08\0" + PACKET),
        (109, struct.pack("<III", 2, 0xC0FFEE, 1) + PACKET),
        (109, struct.pack(">III", 24, 0xC0FFEE, 1) + PACKET_6),
        (117, bytes([61, 2]) + bytes(62) + PACKET),
        (117, bytes([100, 30]) + bytes(98) + PACKET_6),
        (239, b"\x02\x00\x00\x05" + attribute(1, bytes(5)) + attribute(9, PACKET)),
        (239, b"\x02\x00\x00\x05" + attribute(1, bytes(4), ">") + attribute(9, PACKET, ">")),
        (276, b"\x81\x00" + bytes(18) + b"\x00\x05\x08\x00" + PACKET),
    ],
)
def test_links(link: int, frame: bytes) -> None:
    assert only(pcap(frame, link=link)).message == MESSAGE


@pytest.mark.parametrize(
    "packet",
    [
        ipv4(PACKET, protocol=4),
        ipv4(PACKET_6, protocol=41),
        ipv6(PACKET, protocol=4),
        ipv4(b"\x00\x00\x08\x00" + PACKET, protocol=GRE),
        ipv4(b"\xb0\x00\x86\xdd" + bytes(12) + PACKET_6, protocol=GRE),
        ipv4(b"\x00\x00\x65\x58" + ETHERNET + PACKET, protocol=GRE),
        ipv4(b"\x30\x81\x88\x0b" + bytes(12) + b"\xff\x03\x00\x21" + PACKET, protocol=GRE),
        ipv4(udp(b"\x08\0\0\0\0\0\1\0" + ETHERNET + PACKET, 4444, 4789)),
        ipv4(ipv4(ipv4(PACKET, protocol=4), protocol=4), protocol=4),
    ],
)
def test_tunnels(packet: bytes) -> None:
    assert only(pcap(packet)).message == MESSAGE


@pytest.mark.parametrize(
    "packet",
    [
        ipv4(ipv4(ipv4(ipv4(PACKET, protocol=4), protocol=4), protocol=4), protocol=4),
        ipv4(b"\x40\x00\x08\x00" + PACKET, protocol=GRE),
        ipv4(b"\x00\x02\x08\x00" + PACKET, protocol=GRE),
        ipv4(b"\x00", protocol=GRE),
        ipv4(udp(bytes(8) + ETHERNET + PACKET, 4444, 4789)),
    ],
)
def test_what_is_too_deep_or_of_another_kind_is_passed_over(packet: bytes) -> None:
    assert found_in(pcap(packet)) == []


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (1, PPPOE),
        (1, MACS + b"\x88\x47" + bytes(3)),
        (1, MACS + b"\x88\x47" + bytes.fromhex("0006403f") * 20),
        (1, MACS + b"\x00\x10" + bytes(16)),
        (9, b""),
        (9, b"\xc0\x21" + bytes(8)),
        (109, bytes(11)),
        (117, b""),
        (117, bytes([200, 2])),
        (239, bytes(4) + b"\x00\x00\x09\x00"),
        (239, bytes(4) + struct.pack("<HH", 400, 9)),
        (51, bytes(5)),
        (204, b""),
    ],
)
def test_what_is_cut_or_empty_is_passed_over(link: int, frame: bytes) -> None:
    assert found_in(pcap(frame, link=link)) == []


# TCP


@given(
    st.sampled_from([1, 9, 50, 51, 101, 109, 117, 204, 239, 276]),
    st.binary(max_size=120),
    st.booleans(),
)
def test_nothing_leaves_the_reader(link: int, noise: bytes, behind: bool) -> None:
    frame = PPPOE + b"\x00\x21" + noise if behind and link == 1 else noise
    assert all(isinstance(one, Datagram | Damage) for one in found_in(pcap(frame, link=link)))
