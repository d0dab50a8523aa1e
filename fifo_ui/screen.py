"""What people read on: how wide it is, and whether it has colours.

A colour says what a word says already, so nothing is lost without it: green is up, red has failed,
yellow is not as it should be. NO_COLOR (https://no-color.org), TERM= dumb, a pipe and a file have
none.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple, TextIO

WIDTH = 100
CUT = ".."


class Tone(Enum):
    """How something stands; its value is the number of the colour (ECMA-48, SGR)."""

    PLAIN = 0
    BAD = 31
    GOOD = 32
    WARNING = 33


class Screen(NamedTuple):
    """So many columns, with colours or without."""

    columns: int = WIDTH
    coloured: bool = False

    def paint(self, text: str, tone: Tone) -> str:
        """``text`` in the colour of its tone; it is measured and cut before."""
        told = text.rstrip()
        if not self.coloured or tone is Tone.PLAIN or not told:
            return text
        return f"\x1b[{tone.value}m{told}\x1b[0m{text[len(told) :]}"


PLAIN = Screen()


def screen_of(out: TextIO, environ: Mapping[str, str] = os.environ) -> Screen:
    """The terminal that ``out`` is, or what a file is expected to be."""
    if not out.isatty():
        return PLAIN
    coloured = not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"
    return Screen(shutil.get_terminal_size().columns, coloured)


def fit(widths: Sequence[int], room: int, least: int) -> list[int]:
    """Widths of columns that have ``room`` together: the widest give way, none below ``least``."""
    fitting = list(widths)
    room = max(room, least * len(fitting))
    while sum(fitting) > room:
        fitting[fitting.index(max(fitting))] -= 1
    return fitting


def cell(text: str, width: int) -> str:
    """Exactly so many characters; what is cut ends so that one sees it."""
    return (text if len(text) <= width else text[: width - len(CUT)] + CUT).ljust(width)
