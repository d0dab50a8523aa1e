"""Telling a sender that its packet is too big: RFC 792 with RFC 1191, and RFC 4443 3.2."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from isakmp.app.engine.icmp import too_big
from isakmp.app.engine.packet import (
    ICMP,
    ICMPV6,
    UDP,
    build,
    checksum,
    parse,
    pseudo_header,
)

V4 = ip_address("10.1.0.1"), ip_address("10.2.0.1")
V6 = ip_address("fd01::1"), ip_address("fd02::1")


def test_too_big_quotes_the_packet_v4() -> None:
    packet = build(*V4, UDP, bytes(1400))
    headers = parse(packet)
    assert headers is not None
    error = too_big(packet, headers, 1300)
    assert error is not None
    assert len(error) <= 576
    assert checksum(error[20:]) == 0
    assert error[20:22] == b"\x03\x04"
    assert int.from_bytes(error[26:28], "big") == 1300
    assert packet.startswith(error[28:])
    answer = parse(error)
    assert answer is not None
    assert (answer.src, answer.dst) == (headers.dst, headers.src)


def test_too_big_quotes_the_packet_v6() -> None:
    packet = build(*V6, UDP, bytes(1400))
    headers = parse(packet)
    assert headers is not None
    error = too_big(packet, headers, 1000)
    assert error is not None
    assert len(error) == 1280
    assert checksum(pseudo_header(V6[1], V6[0], ICMPV6, len(error) - 40) + error[40:]) == 0
    assert error[40:42] == b"\x02\x00"
    assert int.from_bytes(error[44:48], "big") == 1280  # nobody is told less


@pytest.mark.parametrize(
    "packet",
    [
        build(*V4, ICMP, b"\x03\x04" + bytes(1400)),
        build(*V6, ICMPV6, b"\x01\x00" + bytes(1400)),
        build(V4[0], ip_address("224.0.0.5"), UDP, bytes(1400)),
        build(ip_address("0.0.0.0"), V4[1], UDP, bytes(1400)),
    ],
)
def test_errors_and_groups_get_no_error(packet: bytes) -> None:
    headers = parse(packet)
    assert headers is not None
    assert too_big(packet, headers, 1300) is None
