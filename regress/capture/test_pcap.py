"""Capture files: pcap and pcapng, whole, gzipped, cut off and broken."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest

from fifo_ui.dump import damage_text
from isakmp.capture import (
    Damage,
    Datagram,
    Frame,
    open_capture,
    read_datagrams,
    read_frames,
)
from isakmp.capture.pcap import MAX_FRAME
from regress.capture.packets import (
    MESSAGE,
    TIME_NS,
    block,
    enhanced,
    frames_of,
    interface,
    ipv4,
    pcap,
    section,
    udp,
)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
def test_pcap_in_both_orders_and_both_resolutions(order: str, magic: int) -> None:
    (frame,) = frames_of(pcap(b"12345", order=order, magic=magic, link=1))
    assert isinstance(frame, Frame)
    exact = TIME_NS if magic == 0xA1B23C4D else TIME_NS // 1000 * 1000
    assert frame == Frame(1, exact, 1, b"12345", 5)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_sections_interfaces_and_clocks(order: str) -> None:
    nanoseconds = struct.pack(order + "HHB3xHH", 9, 1, 9, 0, 0)
    binary = struct.pack(order + "HHB3xHHqHH", 9, 1, 0x8A, 14, 8, 100, 0, 0)
    file = (
        section(order)
        + interface(1, order)
        + interface(101, order, nanoseconds)
        + interface(113, order, binary)
        + block(5, b"statistics", order)
        + enhanced(b"a", TIME_NS // 1000, 0, order)
        + enhanced(b"bc", TIME_NS, 1, order)
        + enhanced(b"def", 3 * 1024, 2, order)
        + section("<")
        + interface(228, "<", snap=3)
        + block(3, struct.pack("<I", 9) + b"ghi")
        + block(2, struct.pack("<HHIIII", 0, 0, 0, 1, 2, 2) + b"jk")
    )
    assert frames_of(file) == [
        Frame(1, TIME_NS // 1000 * 1000, 1, b"a", 1),
        Frame(2, TIME_NS, 101, b"bc", 2),
        Frame(3, 103_000_000_000, 113, b"def", 3),
        Frame(4, 0, 228, b"ghi", 9),
        Frame(5, 1000, 228, b"jk", 2),
    ]


def test_gzipped_files_are_opened_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "some.pcap.gz"
    path.write_bytes(gzip.compress(pcap(ipv4(udp(MESSAGE)))))
    with open_capture(path) as file:
        (found,) = read_datagrams(read_frames(file))
    assert isinstance(found, Datagram)
    assert found.message == MESSAGE


def test_a_gzipped_file_that_is_cut_off_gives_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "some.pcap.gz"
    path.write_bytes(gzip.compress(pcap(*[ipv4(udp(MESSAGE))] * 3))[:-12])
    with open_capture(path) as file:
        items = list(read_frames(file))
    assert isinstance(items[-1], Damage)
    assert "cannot be read further" in items[-1].reason


def test_a_file_that_is_cut_off_gives_its_frames_and_one_damage() -> None:
    file = pcap(b"one", b"two")
    for size in range(len(file)):
        items = frames_of(file[:size])
        whole = 0 if size < 43 else 1
        assert [item.data for item in items if isinstance(item, Frame)] == [b"one"][:whole]
        broken = size not in (24, 43)
        assert [type(item) for item in items[whole:]] == [Damage] * broken


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"", "it begins with nothing"),
        (b"GIF89a", "neither a pcap nor a pcapng file: it begins with 47494638"),
        (pcap() + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 1), "frame 1 claims 4294967295 octets"),
        (section() + struct.pack("<II", 6, 0xFFFFFFFC), "the file ends in the block of frame 1"),
        (section() + struct.pack("<II", 77, 0xFFFFFFFC), "the file ends in a block"),
        (section() + struct.pack("<II", 77, 8), "a block claims 8 octets"),
        (section()[:8] + b"wxyz", "the byte-order magic"),
        (section()[:4] + bytes(4) + section()[8:], "a section header claims 0 octets"),
        (section() + b"\6\0", "the file ends in a block header"),
        (section() + interface(1)[:-4] + bytes(4), "says 0 at its end"),
        (section() + interface(1) * 1025, "more than 1024 interfaces"),
        (section() + block(1, bytes(4)), "an interface description of 4 octets"),
    ],
)
def test_broken_files(file: bytes, reason: str) -> None:
    items = frames_of(file)
    assert isinstance(items[-1], Damage)
    assert reason in items[-1].reason
    assert items[-1].path == "capture"


def test_of_a_file_that_is_no_capture_that_is_said() -> None:
    """Not a malformed frame of 1970."""
    (damage,) = frames_of(b"GIF89a")
    assert isinstance(damage, Damage)
    assert damage_text(damage).startswith("no capture: neither a pcap nor a pcapng file")


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"", 6, "too short for a packet"),
        (struct.pack("<IIIII", 9, 0, 0, 0, 0), 6, "interface 9 has not been described"),
        (struct.pack("<IIIII", 0, 0, 0, 99, 99), 6, "claims 99 octets, 0 are in its block"),
        (bytes(MAX_FRAME * 2), 6, "the most is"),
        (struct.pack("<HHIIII", 7, 0, 0, 0, 0, 0), 2, "interface 7 has not been described"),
    ],
)
def test_a_broken_packet_of_pcapng_does_not_end_the_file(
    body: bytes, kind: int, reason: str
) -> None:
    file = section() + interface(101) + block(kind, body) + enhanced(b"after", 0)
    broken, after = frames_of(file)
    assert isinstance(broken, Damage)
    assert reason in broken.reason
    assert isinstance(after, Frame)
    assert (after.number, after.data) == (2, b"after")


def test_a_simple_packet_needs_an_interface() -> None:
    (broken,) = frames_of(section() + block(3, struct.pack("<I", 2) + b"xy"))
    assert isinstance(broken, Damage)
    assert broken.reason == "no interface has been described"
