"""Captures are read to the last octet that makes sense, and written so that others read them."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import stat
import struct
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fifo_ui.dump import damage_text
from isakmp.capture import (
    CaptureWriter,
    Damage,
    Datagram,
    Frame,
    open_capture,
    read_datagrams,
    read_frames,
)
from isakmp.capture.fragments import MAX_DATAGRAMS
from isakmp.capture.pcap import MAX_FRAME

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


# Files


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


# Links


PACKET = ipv4(udp(MESSAGE))
MACS = bytes(12)


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


def fragments(data: bytes, size: int, identification: int = 7) -> Iterator[bytes]:
    whole = udp(data)
    for at in range(0, len(whole), size):
        more = 0x2000 if at + size < len(whole) else 0
        yield ipv4(whole[at : at + size], more | at // 8, identification=identification)


@settings(max_examples=50, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([8, 16, 40]))
def test_fragments_join_in_any_order_and_doubled(random: object, size: int) -> None:
    pieces = list(fragments(MESSAGE, size))
    pieces += pieces[:2]
    random.shuffle(pieces)  # type: ignore[attr-defined]
    found = [item for item in found_in(pcap(*pieces)) if isinstance(item, Datagram)]
    assert found[0].message == MESSAGE


def test_ipv6_fragments_join() -> None:
    whole = udp(MESSAGE)
    first = struct.pack(">BBHI", 17, 0, 0 | 1, 99) + whole[:48]
    second = struct.pack(">BBHI", 17, 0, 48, 99) + whole[48:]
    found = only(pcap(ipv6(second, protocol=44), ipv6(first, protocol=44)))
    assert (found.message, found.frame) == (MESSAGE, 2)


def test_missing_fragments_are_told_at_the_end() -> None:
    first, second, third = list(fragments(MESSAGE, 32))
    found = damage(pcap(first, third))
    assert (found.frame, found.reason) == (1, "fragments are missing: 60 of 92 octets seen")
    assert "an unknown number" in damage(pcap(second)).reason
    other = [ipv4(udp(MESSAGE, 53, 53)[:32], 0x2000)]
    assert found_in(pcap(*other)) == []


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([ipv4(bytes(16), 0x2000), ipv4(bytes(16), 0x2001)], "overlap"),
        ([ipv4(bytes(12), 0x2000)], "12 octets that is not the last"),
        ([ipv4(b"", 0x2000)], "0 octets that is not the last"),
        ([ipv4(bytes(16), 0x1FFF)], "too many or too large"),
        ([ipv4(bytes(16), 2), ipv4(bytes(16), 0x2008)], "beyond the last"),
        ([ipv4(bytes(16), 0x2002)[:30]], "6 octets of a fragment were not captured"),
    ],
)
def test_fragments_that_do_not_fit_are_told(pieces: list[bytes], reason: str) -> None:
    assert reason in damage(pcap(*pieces)).reason


def test_a_first_fragment_that_was_cut_is_shown_as_far_as_it_goes() -> None:
    first = next(fragments(MESSAGE, 64))
    found = only(pcap(first[:40]))
    assert found.message == MESSAGE[:12]
    assert found.missing == len(MESSAGE) - 12


def test_no_more_than_so_many_datagrams_wait_for_fragments() -> None:
    frames = [ipv4(bytes(16), 0x2001, identification=number) for number in range(500)]
    reader = read_datagrams(read_frames(io.BytesIO(pcap(*frames))))
    first = next(reader)
    assert isinstance(first, Damage)
    assert len(list(reader)) == 499
    assert MAX_DATAGRAMS < 500


# Writing


ENDS4 = (("192.0.2.1", 500), ("192.0.2.2", 500))
ENDS6 = (("fe80::1%eth0", 4500), ("fe80::2", 33333))


@pytest.mark.parametrize("ends", [ENDS4, ENDS6, (("::ffff:192.0.2.1", 500), ENDS4[1])])
def test_what_is_written_is_read(tmp_path: Path, ends: tuple[tuple[str, int], ...]) -> None:
    path = tmp_path / "clear.pcap"
    with CaptureWriter(path) as writer:
        assert writer.write(1_700_000_000.25, ends[0], ends[1], MESSAGE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = only(path.read_bytes())
    assert found.message == MESSAGE
    assert found.time_ns == 1_700_000_000_250_000_000
    assert (found.source_port, found.destination_port) == (ends[0][1], ends[1][1])
    assert found.non_esp_marker == (4500 in (ends[0][1], ends[1][1]))


@pytest.mark.parametrize("message", [MESSAGE, MESSAGE + b"x"])
def test_checksums_of_what_is_written(tmp_path: Path, message: bytes) -> None:
    path = tmp_path / "clear.pcap"
    with CaptureWriter(path) as writer:
        writer.write(0, *ENDS4, message)
    packet = path.read_bytes()[40:]
    assert checksum(packet[:20]) == 0
    pseudo = packet[12:20] + struct.pack(">HH", 17, len(packet) - 20)
    assert checksum(pseudo + packet[20:] + bytes(len(packet) % 2)) == 0


def test_a_capture_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "clear.pcap"
    with CaptureWriter(path, limit_bytes=1000) as writer:
        written = sum(writer.write(0, *ENDS4, MESSAGE) for _ in range(100))
        assert writer.messages == written == 7
        assert writer.size_bytes == path.stat().st_size <= 1000
    assert not writer.write(0, *ENDS4, MESSAGE)
    assert len(found_in(path.read_bytes())) == 7


def test_an_old_file_is_emptied_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "clear.pcap"
    path.write_bytes(b"x" * 500)
    path.chmod(0o644)
    CaptureWriter(path).close()
    assert path.stat().st_size == 24
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_capture_goes_through_no_link_and_into_no_device(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for path in (tmp_path / "link", Path("/dev/null"), tmp_path / "none" / "file"):
        with pytest.raises(OSError):
            CaptureWriter(path)
    assert not (tmp_path / "target").exists()


def test_a_record_for_which_there_is_no_room_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clear.pcap"
    with CaptureWriter(path) as writer:
        write = os.write
        writer.write(0, *ENDS4, MESSAGE)
        monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:20]))
        with pytest.raises(OSError, match="No space left"):
            writer.write(0, *ENDS4, MESSAGE)
        monkeypatch.undo()
        writer.write(1, *ENDS4, MESSAGE)
    assert [found.time_ns for found in found_in(path.read_bytes())] == [0, 1_000_000_000]


def test_a_message_larger_than_a_datagram_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "clear.pcap"
    with CaptureWriter(path) as writer:
        assert writer.write(0, ("::1", 4500), ("::1", 4500), bytes(100_000))
    assert len(only(path.read_bytes()).message) == 65_483


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


def test_tshark_reads_what_is_written(tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("needs tshark, which is not installed")
    path = tmp_path / "clear.pcap"
    message = bytes(range(8)) + bytes(8) + struct.pack(">BBBBII", 0, 0x10, 2, 0, 0, 28)
    with CaptureWriter(path) as writer:
        for ends in (ENDS4, ENDS6):
            writer.write(1_700_000_000, *ends, message)
    fields = ["-T", "fields", "-e", "isakmp.ispi", "-e", "udp.checksum.status"]
    command = ["tshark", "-o", "udp.check_checksum:TRUE", "-r", str(path), *fields]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    assert lines[:2] == ["0001020304050607\t1"] * 2
