"""A full disk, or a read-only one, under what isakmpd writes: one line in the log; all goes on."""

from __future__ import annotations

import errno
import os
import re
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from fifo_ui.client import Client, ControlError
from fifo_ui.commands import Commands
from fifo_ui.fifo import open_fifo
from fifo_ui.files import is_full
from isakmp.errors import ConfError, IsakmpError
from isakmp.flags import arguments
from isakmp.log.keylog import KeyLog
from isakmp.log.log import Log
from isakmp.service import _write_pid
from regress.fifo_ui.fake import FakeDaemon
from regress.pair import EAST, WEST, Network

ROOM = 24  # octets: a file's head, and less than a line


@contextmanager
def full(octets: int = ROOM) -> Iterator[None]:
    """No file may have more than so many octets."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def key_log(folder: Path, log: Log) -> None:
    KeyLog(folder / "keys", log).phase_1(bytes(8), bytes(32))


def command(line: str) -> Callable[[Path, Log], None]:
    def run(folder: Path, log: Log) -> None:
        daemon = FakeDaemon(folder)
        daemon.log = log
        Commands(daemon, lambda: 1.0).line(line)

    return run


WRITERS = {
    "key log": (key_log, "keys/ikev1_decryption_table"),
    "report": (command("r"), "isakmpd.report"),
    "result": (command("S"), "isakmpd.result"),
    "reply": (command("J 0123456789abcdef S"), "isakmpd.reply.0123456789abcdef"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_costs_a_file_and_says_so_once(tmp_path: Path, writer: str) -> None:
    lines: list[str] = []
    write, name = WRITERS[writer]
    log = Log(lambda: 0.0, lines.append, stamp=False)
    with full():
        write(tmp_path, log)
    assert len(lines) == 1
    assert lines[0].startswith("INTERNAL_")
    assert name in lines[0]
    path = tmp_path / name
    assert not path.exists() or not path.read_bytes(), "no torn file is left"
    assert not list(tmp_path.glob(".*"))
    write(tmp_path, log)
    assert len(lines) == 1
    assert path.read_bytes().endswith(b"\n")


def test_a_pid_file_on_a_full_disk_or_behind_a_link(tmp_path: Path) -> None:
    options = arguments([])
    with full(0), pytest.raises(IsakmpError, match=r"isakmpd.pid: File too large"):
        _write_pid(options, tmp_path)
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (tmp_path / "isakmpd.pid").symlink_to(precious)
    mask = os.umask(0)
    path = _write_pid(options, tmp_path)
    os.umask(mask)
    assert precious.read_text() == "kept"
    assert path.read_text() == f"{os.getpid()}\n"
    assert path.lstat().st_mode & 0o777 == 0o644


def test_a_capture_on_a_full_disk_is_switched_off_and_negotiations_go_on(tmp_path: Path) -> None:
    net, path = Network(), tmp_path / "isakmpd.pcap"
    west, _ = net.host(WEST), net.host(EAST)
    west.daemon.capture(path)
    with full():
        net.start()
        net.run(5)
    assert west.daemon.sas.all_children(), "the negotiation did not hear of it"
    assert path.stat().st_size == 24, "the head, and no torn record"
    said = [line for line in west.lines if str(path) in line]
    assert len(said) == 1
    assert "is off: File too large; make room, then: capture on" in said[0]
    west.daemon.capture(path)
    west.daemon.rekey(WEST.connection, "quick")
    net.run(5)
    west.daemon.capture(None)
    assert path.stat().st_size > 200


@pytest.mark.parametrize("cause", [errno.EIO, errno.ENOSPC])
def test_a_capture_that_cannot_be_written_for_any_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: int
) -> None:
    net, path = Network(), tmp_path / "isakmpd.pcap"
    west, _ = net.host(WEST), net.host(EAST)
    west.daemon.capture(path)

    def fail(fd: int, data: bytes) -> int:
        raise OSError(cause, os.strerror(cause))

    monkeypatch.setattr(os, "write", fail)
    net.start()
    net.run(5)
    monkeypatch.undo()
    assert west.daemon.sas.all_children()
    assert os.strerror(cause) in "\n".join(west.lines)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, with room for little."""
    if os.geteuid():
        pytest.skip("only root mounts")
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "none", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> None:
    with (folder / "big").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


@contextmanager
def answering(folder: Path, lines: list[str]) -> Iterator[Client]:
    """isakmpctl, and an isakmpd whose run directory that is and that logs to ``lines``."""
    daemon = FakeDaemon(folder)
    daemon.log = Log(lambda: 0.0, lines.append, stamp=False)
    commands, fifo, now = Commands(daemon, lambda: 1.0), folder / "isakmpd.fifo", [0.0]
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)

    def sleep(seconds: float) -> None:
        now[0] += seconds
        with suppress(BlockingIOError):
            for line in os.read(reading, 4096).decode().splitlines():
                commands.line(line)

    yield Client(fifo, folder, 2.0, lambda: now[0], sleep, lambda: "0123456789abcdef")
    os.close(reading)


def test_isakmpctl_says_that_the_run_directory_is_full(small: Path) -> None:
    lines: list[str] = []
    with answering(small, lines) as client:
        assert client.ask("S")
        fill(small)
        with pytest.raises(ControlError, match=f"the disk of {small}, .* is full") as caught:
            client.ask("S")
        (small / "big").unlink()
        assert client.ask("S")
    assert f"make room there (df -h {small}; " in caught.value.mend
    said = f"No space left on device; mend: make room there (df -h {small}"
    assert any(said in line for line in lines)


def test_isakmpctl_says_that_it_was_full_when_isakmpd_made_room_as_it_ended(small: Path) -> None:
    with answering(small, []) as client:
        fill(small)

        def sleep(seconds: float) -> None:
            client.sleep(seconds)
            (small / "big").unlink(missing_ok=True)

        ending = replace(client, sleep=sleep, run_directory=small)
        # Nobody answers what is no command of this desk, as of an isakmpd that has ended.
        with pytest.raises(ControlError, match=f"the disk of {small}, .* is full"):
            ending.ask("Q")


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def test_isakmpctl_says_that_the_run_directory_is_read_only(small: Path) -> None:
    lines: list[str] = []
    with answering(small, lines) as client:
        remount(small, "ro")
        with pytest.raises(ControlError, match="where it answers, is read-only") as caught:
            client.ask("S")
        remount(small, "rw")
        assert client.ask("S")
    assert f"mount it writable (findmnt -T {small} " in caught.value.mend
    said = f"Read-only file system; mend: mount it writable (findmnt -T {small} "
    assert any(said in line for line in lines)


def test_a_fifo_on_a_file_system_that_is_read_only(small: Path) -> None:
    """Nobody is given a directory for it, who could write there no more than we."""
    remount(small, "ro")
    with pytest.raises(ConfError) as refused:
        open_fifo(small / "isakmpd.fifo")
    assert refused.value.hint.startswith(f"mount it writable (findmnt -T {small} ")
    assert "chown" not in refused.value.hint


def test_a_small_file_system_is_not_full_for_that(small: Path) -> None:
    remount(small, "size=1m")
    assert not is_full(small)
    fill(small)
    assert is_full(small)


def test_a_start_on_a_full_disk_says_how_room_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "mkfifo", fail)
    with pytest.raises(ConfError, match=re.escape(f"make room there (df -h {tmp_path}; ")):
        open_fifo(tmp_path / "isakmpd.fifo")
    monkeypatch.setattr("isakmp.service.write_whole", fail)
    with pytest.raises(IsakmpError, match=re.escape(f"make room there (df -h {tmp_path}; ")):
        _write_pid(arguments([]), tmp_path)
