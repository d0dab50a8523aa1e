"""Captures are read to the last octet that makes sense, and written so that others read them."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.capture import (
    Damage,
    Datagram,
    open_capture,
    read_datagrams,
    read_frames,
)
from regress.capture.packets import (
    MESSAGE,
    PACKET,
    TIME_NS,
    enhanced,
    found_in,
    fragments,
    interface,
    ipv4,
    ipv6,
    only,
    pcap,
    section,
    udp,
)

# Files


# Links


# IP and UDP


def test_a_datagram_says_where_it_came_from() -> None:
    found = only(pcap(ipv4(udp(MESSAGE, 33333, 500)), magic=0xA1B23C4D))
    assert found == Datagram(
        frame=1,
        time_ns=TIME_NS,
        source=ip_address("192.0.2.1"),
        source_port=33333,
        destination=ip_address("192.0.2.2"),
        destination_port=500,
        message=MESSAGE,
    )


def test_port_4500_carries_ike_behind_the_marker_only() -> None:
    file = pcap(
        ipv4(udp(bytes(4) + MESSAGE, 4500, 61000)),
        ipv4(udp(b"\x01\x02\x03\x04" + MESSAGE, 4500, 4500)),
        ipv4(udp(b"\xff", 4500, 4500)),
        ipv4(udp(b"\xff", 500, 500)),
        ipv4(udp(MESSAGE, 53, 5353)),
        ipv4(MESSAGE, protocol=6),
    )
    found = only(file)
    assert found.message == MESSAGE
    assert found.non_esp_marker


# Writing


ENDS4 = (("192.0.2.1", 500), ("192.0.2.2", 500))
ENDS6 = (("fe80::1%eth0", 4500), ("fe80::2", 33333))


# Whatever comes


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["pcap", "pcapng"]),
    st.lists(st.tuples(st.integers(0, 600), st.binary(min_size=1, max_size=4)), max_size=6),
    st.integers(0, 700),
)
def test_nothing_leaves_the_reader(kind: str, changes: list[tuple[int, bytes]], size: int) -> None:
    pieces = [*fragments(MESSAGE, 32), PACKET, ipv6(udp(MESSAGE, 4500, 4500))]
    if kind == "pcap":
        file = pcap(*pieces)
    else:
        file = section() + interface(101) + b"".join(enhanced(piece, 0) for piece in pieces)
    mutated = bytearray(file)
    for at, octets in changes:
        mutated[at : at + len(octets)] = octets
    for found in found_in(bytes(mutated[:size])):
        assert isinstance(found, Datagram | Damage)
        assert not isinstance(found, Damage) or found.reason


# Captures of others


def captures(shared: Path) -> list[tuple[Path, dict[str, int]]]:
    entries = json.loads((shared / "vectors" / "MANIFEST.json").read_text())
    return [
        (shared / "vectors" / entry["file"], entry["tshark"])
        for entry in entries
        if entry.get("tshark") and ".pcap" in entry["file"]
    ]


def messages_in(path: Path) -> list[Datagram]:
    with open_capture(path) as file:
        items = list(read_datagrams(read_frames(file)))
    assert not [item for item in items if isinstance(item, Damage)]
    return [item for item in items if isinstance(item, Datagram)]


def test_every_message_of_every_capture_is_found(shared: Path) -> None:
    files = captures(shared)
    assert len(files) > 70
    for path, expected in files:
        count = len(messages_in(path))
        # Its length field says 0: tshark hands it back, we show it and say what is wrong.
        surplus = 1 if path.name == "isakmp-pointer-loop.pcap" else 0
        assert count == expected["ike"] + surplus, path.name
