"""Captures that the daemon writes: others read them, and they are bounded."""

from __future__ import annotations

import json
import os
import shutil
import stat
import struct
import subprocess
from pathlib import Path

import pytest

from isakmp.capture import (
    CaptureWriter,
    Damage,
    Datagram,
    open_capture,
    read_datagrams,
    read_frames,
)
from regress.capture.packets import (
    MESSAGE,
    checksum,
    found_in,
    only,
)

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


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")
def test_a_capture_goes_into_no_other_user_s_file(tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    path.write_text("kept")
    path.chmod(0o644)
    os.chown(path, 65534, 65534)
    with pytest.raises(OSError, match="belongs to user 65534, who can read"):
        CaptureWriter(path)
    assert path.read_text() == "kept"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_capture_empties_no_file_that_has_another_name(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("kept")
    (tmp_path / "link").hardlink_to(tmp_path / "theirs")
    with pytest.raises(OSError, match="another name"):
        CaptureWriter(tmp_path / "link")
    assert (tmp_path / "theirs").read_text() == "kept"


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
