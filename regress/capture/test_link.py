"""Link layers: what frame has which IP packet."""

from __future__ import annotations

import pytest

from regress.capture.packets import (
    MACS,
    MESSAGE,
    PACKET,
    found_in,
    ipv6,
    only,
    pcap,
    udp,
)


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (1, MACS + b"\x08\x00" + PACKET),
        (1, MACS + b"\x86\xdd" + ipv6(udp(MESSAGE))),
        (1, MACS + b"\x81\x00\x00\x05\x08\x00" + PACKET),
        (1, MACS + b"\x88\xa8\x00\x05\x81\x00\x00\x06\x08\x00" + PACKET),
        (113, bytes(14) + b"\x08\x00" + PACKET),
        (113, bytes(14) + b"\x81\x00\x00\x05\x08\x00" + PACKET),
        (276, b"\x08\x00" + bytes(18) + PACKET),
        (0, b"\x02\x00\x00\x00" + PACKET),
        (0, b"\x00\x00\x00\x1e" + ipv6(udp(MESSAGE))),
        (108, b"\x00\x00\x00\x02" + PACKET),
        (101, PACKET),
        (12, PACKET),
        (228, PACKET),
        (229, ipv6(udp(MESSAGE))),
    ],
)
def test_links(link: int, frame: bytes) -> None:
    assert only(pcap(frame, link=link)).message == MESSAGE


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (1, MACS + b"\x08\x06" + PACKET),
        (1, MACS),
        (1, MACS + b"\x81\x00\x00\x05" * 9),
        (113, bytes(16)),
        (276, bytes(20)),
        (0, bytes(4) + PACKET),
        (105, PACKET),
        (101, b""),
        (101, b"\x50" + bytes(40)),
    ],
)
def test_what_is_not_ip_is_passed_over(link: int, frame: bytes) -> None:
    assert found_in(pcap(frame, link=link)) == []
