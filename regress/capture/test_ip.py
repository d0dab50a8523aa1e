"""IPv4 and IPv6 headers as far as a UDP datagram."""

from __future__ import annotations

import pytest

from regress.capture.packets import (
    MESSAGE,
    PACKET,
    damage,
    ipv4,
    ipv6,
    only,
    pcap,
    udp,
)


def test_ipv6_extension_headers_are_walked() -> None:
    options = bytes([60, 0]) + bytes(6)
    authentication = bytes([44, 4]) + bytes(22)
    atomic = bytes([17, 0, 0, 0, 0, 0, 0, 9])
    chain = options + bytes([51, 1]) + bytes(14) + authentication + atomic + udp(MESSAGE)
    assert only(pcap(ipv6(chain, protocol=0))).message == MESSAGE


@pytest.mark.parametrize(
    ("packet", "path", "offset"),
    [
        (PACKET[:19], "IPv4", 0),
        (b"\x44" + PACKET[1:], "IPv4", 0),
        (b"\x4f" + PACKET[1:50], "IPv4", 0),
        (ipv4(udp(MESSAGE)[:7]), "UDP", 0),
        (ipv4(b"\x01\xf4\x01\xf4\x00\x07\x00\x00"), "UDP", 4),
        (ipv6(udp(MESSAGE))[:39], "IPv6", 0),
        (ipv6(b"\x00" * 7, protocol=60), "IPv6", 40),
        (ipv6((b"\x3c" + bytes(7)) * 17, protocol=60), "IPv6", 168),
    ],
)
def test_broken_packets_are_told(packet: bytes, path: str, offset: int) -> None:
    found = damage(pcap(packet))
    assert (found.path, found.offset) == (path, offset)
    assert found.rfc.startswith("RFC ")


def test_what_the_snapshot_length_cut_off_is_counted() -> None:
    found = only(pcap(PACKET[:60]))
    assert found.message == MESSAGE[:32]
    assert found.missing == len(MESSAGE) - 32


def test_lengths_that_the_hardware_fills_in() -> None:
    for packet in (
        PACKET[:2] + b"\0\0" + PACKET[4:],
        ipv6(udp(MESSAGE))[:4] + b"\0\0" + ipv6(udp(MESSAGE))[6:],
        ipv4(udp(MESSAGE)[:4] + b"\0\0" + udp(MESSAGE)[6:]),
    ):
        found = only(pcap(packet))
        assert (found.message, found.missing) == (MESSAGE, 0)
