"""Changes that make a transaction: on a line, in a file, and where the first bad one is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fifo_ui.change import Change
from fifo_ui.changes import MAX_FILE_BYTES, Placed, in_file, in_text, note, on_line
from isakmp.errors import IsakmpError


class Noted:
    """A transaction that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def at(self, where: str) -> None:
        self.told.append(("at", where))

    def set(self, section: str, tag: str, value: str, override: bool = False) -> None:
        self.told.append(("set", section, tag, value, override))

    def add(self, section: str, tag: str, value: str) -> None:
        self.told.append(("add", section, tag, value))

    def remove_value(self, section: str, tag: str, value: str) -> None:
        self.told.append(("remove_value", section, tag, value))

    def remove(self, section: str, tag: str) -> None:
        self.told.append(("remove", section, tag))

    def remove_section(self, section: str) -> None:
        self.told.append(("remove_section", section))


def test_one_change_needs_no_number() -> None:
    assert on_line("rms [a]") == [Placed("", Change("rms", "a"))]


def test_several_are_told_apart_by_theirs() -> None:
    assert [placed.where for placed in on_line("rms [a] ; rms [b] ; rm [c]:d")] == [
        "change 1", "change 2", "change 3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "where"), [("rms [a] ; nonsense", "change 2: "), ("nonsense ; rms [a]", "expected")]
)
def test_the_first_that_is_none_is_named(text: str, where: str) -> None:
    with pytest.raises(IsakmpError, match=where):
        on_line(text)


def test_a_file_has_one_a_line_or_several_with_or_without_a_c() -> None:
    text = "# why\n\nC set [a]:b=c\n  rms [d] ; rms [e]\n"
    assert [(placed.where, placed.change.section) for placed in in_text(text, "f")] == [
        ("f:3", "a"), ("f:4", "d"), ("f:4", "e"),
    ]  # fmt: skip
    with pytest.raises(IsakmpError, match="f:3: "):
        in_text("rms [a]\n\nnonsense\n", "f")


def test_each_verb_is_the_transactions() -> None:
    noted = Noted()
    text = "set [a]:b=c force ; add [a]:b=d ; rmv [a]:b=d ; rm [a]:b ; rms [a]"
    note(noted, on_line(text))
    assert noted.told[::2] == [("at", f"change {number}") for number in range(1, 6)]
    assert noted.told[1::2] == [
        ("set", "a", "b", "c", True), ("add", "a", "b", "d"), ("remove_value", "a", "b", "d"),
        ("remove", "a", "b"), ("remove_section", "a"),
    ]  # fmt: skip


def written(tmp_path: Path, data: bytes, mode: int = 0o600) -> Path:
    path = tmp_path / "changes"
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, b"rms [a]\n", 0o644)
    assert in_file(path) == [Placed(f"{path}:1", Change("rms", "a"))]


@pytest.mark.parametrize(
    ("data", "mode", "why"),
    [
        (b"set [a]:Authentication=abc\n", 0o640, "holds a secret that others can read"),
        (b"set [a]: PPK = abc\n", 0o604, "holds a secret that others can read"),
        (b"rms [a]\nrms [\xff]\n", 0o600, ":2 is not UTF-8"),
        (b"#" * (MAX_FILE_BYTES + 1), 0o600, f"is larger than {MAX_FILE_BYTES} octets"),
    ],
    ids=["secret", "PPK", "encoding", "size"],
)
def test_a_file_that_is_not_taken(tmp_path: Path, data: bytes, mode: int, why: str) -> None:
    with pytest.raises(IsakmpError, match=why):
        in_file(written(tmp_path, data, mode))


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(IsakmpError, match="cannot read .*: No such file"):
        in_file(tmp_path / "nothing")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(IsakmpError, match="is not a regular file"):
        in_file(tmp_path / "fifo")
