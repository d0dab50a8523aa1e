"""The FIFO: its place in the file system, partial and overlong lines, writers that come and go."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fifo_ui.fifo import MAX_LINE, STDIN, Fifo, LineReader, open_fifo
from isakmp.errors import ConfError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from regress.fifo_ui.fake import Running


def reader() -> tuple[LineReader, list[str]]:
    lines: list[str] = []
    return LineReader(Log(lambda: 0.0, lines.append, stamp=False)), lines


def write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    try:
        assert os.write(fd, data) == len(data)
    finally:
        os.close(fd)


def test_partial_lines_are_kept() -> None:
    lines, _ = reader()
    assert list(lines.feed(b"c na")) == []
    assert list(lines.feed(b"me\nT\nM pas")) == ["c name", "T"]
    assert list(lines.feed(b"sive\n")) == ["M passive"]


@given(st.lists(st.sampled_from(["c a-b", "T", "C get [x]:y", "ü"])), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_pieces_make_no_difference(texts: list[str], size: int) -> None:
    lines, _ = reader()
    data = "".join(text + "\n" for text in texts).encode()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert [line for piece in pieces for line in lines.feed(piece)] == texts


@pytest.mark.parametrize("size", [MAX_LINE, MAX_LINE * 3])
def test_overlong_line_is_dropped_up_to_its_end(size: int) -> None:
    lines, log = reader()
    out = []
    data = b"c " + b"x" * (size - 2) + b"\nT\n"
    for at in range(0, len(data), 1000):
        out += list(lines.feed(data[at : at + 1000]))
    assert out == ["T"]
    assert len(log) == 1
    assert f"more than {MAX_LINE} octets" in log[0]


def test_longest_line() -> None:
    lines, log = reader()
    longest = "c " + "x" * (MAX_LINE - 3)
    assert list(lines.feed(longest.encode() + b"\n")) == [longest]
    assert log == []


def test_memory_is_bounded_without_a_line_end() -> None:
    lines, _ = reader()
    for _ in range(100):
        assert list(lines.feed(b"x" * MAX_LINE)) == []
    assert len(lines._part) <= MAX_LINE


@pytest.mark.parametrize("line", [b"", b"   ", b"\r", b"\t"])
def test_empty_lines_are_nothing(line: bytes) -> None:
    lines, log = reader()
    assert list(lines.feed(line + b"\n")) == []
    assert log == []


@pytest.mark.parametrize("line", [b"c \xff", b"c \x1b[2J", b"c a\x00b", b"c \xe2\x80\xae"])
def test_what_is_no_text_is_dropped_with_a_word(line: bytes) -> None:
    lines, log = reader()
    assert list(lines.feed(line + b"\n")) == []
    assert len(log) == 1
    assert log[0].isprintable()


@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_octets_raise_nothing(data: bytes) -> None:
    lines, _ = reader()
    assert all(line.isprintable() and line for line in lines.feed(data + b"\n"))


def test_fifo_is_private_and_goes_with_its_reader(running: Running) -> None:
    mode = running.path.lstat().st_mode
    assert stat.S_ISFIFO(mode)
    assert stat.S_IMODE(mode) == 0o600
    running.fifo.close()
    assert not running.path.exists()
    running.fifo.close()


def test_commands_come_in(running: Running) -> None:
    write(running.path, b"c a-b\nT\n")
    running.turn()
    assert running.daemon.calls == [("connect", "a-b"), ("teardown_all",)]


def test_writers_come_and_go(running: Running) -> None:
    for _ in range(3):
        write(running.path, b"T\n")
        running.turn()
    running.turn()
    assert running.daemon.calls == [("teardown_all",)] * 3
    assert running.path.exists()


def test_a_line_may_come_from_two_writers(running: Running) -> None:
    write(running.path, b"c a")
    running.turn()
    write(running.path, b"-b\n")
    running.turn()
    assert running.daemon.calls == [("connect", "a-b")]


def test_nothing_to_read_is_no_fault(running: Running) -> None:
    running.fifo.read()
    assert running.daemon.calls == []


def test_flood_is_read_in_bounded_pieces(running: Running) -> None:
    write(running.path, b"T\n" * 20_000)
    running.turn()
    assert 0 < len(running.daemon.calls) <= MAX_LINE // 2


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_fifo_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "isakmpd.fifo"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfError, match="in the place of the FIFO"):
        open_fifo(path)
    assert os.path.lexists(path)
    if kind == "file":
        assert path.read_text() == "precious"


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    none = tmp_path / "none"
    with pytest.raises(ConfError) as refused:
        open_fifo(none / "isakmpd.fifo")
    assert refused.value.hint == f"make the directory {none}, or give another path with -f"


def test_fifo_of_a_dead_daemon_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "isakmpd.fifo"
    os.mkfifo(path, 0o666)
    os.chmod(path, 0o666)
    os.close(open_fifo(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_fifo_of_a_living_daemon_is_not_taken(running: Running) -> None:
    with pytest.raises(ConfError, match="another process reads"):
        open_fifo(running.path)
    assert running.path.exists()


def test_fifo_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(ConfError, match="No such file"):
        open_fifo(tmp_path / "missing" / "fifo")


def test_fifo_in_what_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfError, match="Not a directory") as caught:
        open_fifo(tmp_path / "file" / "fifo")
    assert caught.value.hint.startswith("name a directory as [General]:Run-directory, or ")


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``-f -``: lines from standard input until its end, where the last may lack its own."""
    there, here = os.pipe()
    saved = os.dup(0)
    os.dup2(there, 0)
    try:
        got: list[str] = []
        loop = Loop(Timers(lambda: 0.0))
        fifo = Fifo(STDIN, loop, Log(lambda: 0.0, got.append), got.append)
        os.write(here, b"T\nc a-b")
        loop.turn(0.0)
        os.close(here)
        loop.turn(0.0)
        assert got == ["T", "c a-b"]
        loop.turn(0.0)
        fifo.close()
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(there)


def test_what_takes_the_place_of_the_fifo_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody swaps the new FIFO for a file before it is opened."""
    monkeypatch.setattr(os, "mkfifo", lambda path, mode: Path(path).write_text("swapped"))
    with pytest.raises(ConfError, match="something else took the place"):
        open_fifo(tmp_path / "isakmpd.fifo")


def test_fifo_that_fails_is_closed(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", fail)
    running.fifo.read()
    assert not running.path.exists()


@pytest.mark.parametrize("put", [None, "fifo"])
def test_a_fifo_that_is_taken_away_is_made_anew(running: Running, put: str | None) -> None:
    running.path.unlink()
    if put:
        os.mkfifo(running.path, 0o666)
    running.fifo.look()
    assert stat.S_IMODE(running.path.lstat().st_mode) == 0o600
    write(running.path, b"T\n")
    running.turn()
    assert running.daemon.calls == [("teardown_all",)]
    running.fifo.look()
    assert sum("made anew" in line for line in running.daemon.lines) == 1
    running.fifo.close()
    assert not running.path.exists()
    running.fifo.look()
    assert not running.path.exists(), "the end is the end"


def test_what_is_in_the_place_of_the_fifo_stays_and_is_told_of_once(running: Running) -> None:
    running.path.unlink()
    running.path.write_text("another's")
    running.fifo.look()
    running.fifo.look()
    assert sum("the FIFO is gone" in line for line in running.daemon.lines) == 1
    running.fifo.close()
    assert running.path.read_text() == "another's"


@pytest.mark.skipif(os.geteuid() != 0, reason="/proc is root's")
def test_a_directory_of_ours_that_takes_no_files_is_not_given_to_us() -> None:
    with pytest.raises(ConfError, match="cannot make the FIFO /proc/isakmpd.fifo") as caught:
        open_fifo(Path("/proc/isakmpd.fifo"))
    assert caught.value.hint.startswith("name another directory as [General]:Run-directory, or ")
