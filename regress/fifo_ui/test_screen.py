"""What people read on: its width and its colours."""

from __future__ import annotations

import io
from typing import Any

import pytest

from fifo_ui.screen import PLAIN, Screen, Tone, cell, fit, screen_of


class Terminal(io.StringIO):
    """A file that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [
        ({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({}, False),
    ],
)  # fmt: skip
def test_a_terminal_has_colours_unless_it_says_otherwise(
    environ: dict[str, str], coloured: bool
) -> None:
    """https://no-color.org: present and not an empty string."""
    assert screen_of(Terminal(), environ).coloured is coloured


def test_a_file_has_none_whatever_is_said() -> None:
    assert screen_of(io.StringIO(), {"TERM": "xterm"}) is PLAIN and not PLAIN.coloured


@pytest.mark.parametrize(
    ("text", "tone", "painted"),
    [
        ("up", Tone.GOOD, "\x1b[32mup\x1b[0m"), ("failed  ", Tone.BAD, "\x1b[31mfailed\x1b[0m  "),
        ("up", Tone.PLAIN, "up"), ("   ", Tone.WARNING, "   "), ("", Tone.BAD, ""),
    ],
)  # fmt: skip
def test_what_is_painted_is_as_wide_as_before(text: str, tone: Tone, painted: str) -> None:
    assert Screen(80, True).paint(text, tone) == painted
    assert Screen(80, False).paint(text, tone) == text


@pytest.mark.parametrize(
    ("widths", "room", "least", "fitting"),
    [
        ([5, 10], 20, 3, [5, 10]), ([5, 10], 12, 3, [5, 7]), ([10, 10], 10, 3, [5, 5]),
        ([10, 10], 2, 3, [3, 3]), ([4, 30, 20], 24, 4, [4, 10, 10]), ([], 5, 3, []),
    ],
)  # fmt: skip
def test_the_widest_give_way_and_none_below_the_least(
    widths: list[int], room: int, least: int, fitting: list[int]
) -> None:
    assert fit(widths, room, least) == fitting


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [("ab", 4, "ab  "), ("abcd", 4, "abcd"), ("abcde", 4, "ab.."), ("", 2, "  ")],
)
def test_what_is_cut_ends_so_that_one_sees_it(text: str, width: int, shown: str) -> None:
    found: Any = cell(text, width)
    assert found == shown and len(found) == width
