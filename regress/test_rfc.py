"""Each line of docs/rfc.md that says that something is done is named by tests.

A test names a section in its docstring: ``RFC 7296 1.4.1 and 2.25``. A line without a file says
that nothing is done, and why.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
# An RFC and a section of it, "" for the whole.
Section = tuple[str, str]
_TOKEN = r"(?:\d{4}|(?:appendix )?[A-C](?:\.\d+)?\b|\d{1,2}(?:\.\d+)*)"
_LIST = re.compile(rf"RFC ({_TOKEN}(?:(?:, | and | to | ){_TOKEN})*)")


class Row(NamedTuple):
    """A line of a table: the sections that it is about, what it says of them, and where."""

    sections: tuple[Section, ...]
    what: str
    files: str


def sections_in(text: str) -> Iterator[Section]:
    """Those that a text names: ``RFC 4303 2, 3.3 to 3.5, RFC 4304``."""
    for found in _LIST.finditer(text.replace("\n", " ")):
        rfc, told = "", [""]
        for word in re.findall(rf"to {_TOKEN}|{_TOKEN}", found.group(1)):
            if re.fullmatch(r"\d{4}", word):
                yield from ((rfc, section) for section in told[1:] or told if rfc)
                rfc, told = word, [""]
            elif word.startswith("to "):
                told += _range(told[-1], word)
            else:
                told.append(word.removeprefix("appendix "))
        yield from ((rfc, section) for section in told[1:] or told)


def _range(first: str, last: str) -> list[str]:
    """From ``3.4`` to ``3.6``; the first one has been told."""
    head, dot, low = first.rpartition(".")
    high = last.rpartition(".")[2]
    return [f"{head}{dot}{number}" for number in range(int(low) + 1, int(high) + 1)]


def test_sections_are_read_as_they_are_written() -> None:
    text = "RFC 4303 2, 3.3 to 3.5 and A, RFC 4304. RFC 2403, 2404: this; RFC 2409 appendix B"
    assert list(sections_in(text)) == [
        ("4303", "2"), ("4303", "3.3"), ("4303", "3.4"), ("4303", "3.5"), ("4303", "A"),
        ("4304", ""), ("2403", ""), ("2404", ""), ("2409", "B"),
    ]  # fmt: skip


def rows() -> Iterator[Row]:
    """The lines of docs/rfc.md; the RFC is of the heading, of the cell, or of the row above."""
    of_heading, above = "", ""
    for line in (ROOT / "docs/rfc.md").read_text().splitlines():
        if line.startswith("#"):
            number = re.search(r": RFC (\d{4})(?:, in .*)?$", line)
            of_heading = number.group(1) if number else ""
        if not line.startswith("| ") or line.startswith(("| RFC ", "| section ")):
            continue
        *first, what, files = [cell.strip() for cell in line.strip("|").split("|")]
        above = first[0] or above
        if len(first) == 2:
            first = [f"{above} {first[1]}"]
        yield Row(
            tuple(sections_in(f"RFC {of_heading} {first[0]}".replace("  ", " "))), what, files
        )


@cache
def named() -> Counter[Section]:
    """How many tests name each section, and each section above it."""
    found: Counter[Section] = Counter()
    for path in (ROOT / "regress").rglob("test_*.py"):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if "RFC" in text else ():
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.update(set(_with_those_above(ast.get_docstring(node) or "")))
    return found


def _with_those_above(text: str) -> Iterator[Section]:
    for rfc, section in sections_in(text):
        parts = section.split(".")
        yield from ((rfc, ".".join(parts[:depth])) for depth in range(1, len(parts) + 1))
        yield rfc, ""


ROWS = list(rows())
DONE = [row for row in ROWS if row.files]
TOLD = Counter(section for row in DONE for section in row.sections)


def test_there_are_rows() -> None:
    assert len(DONE) > 130
    assert all(row.sections for row in ROWS)


@pytest.mark.parametrize("section", TOLD, ids=" ".join)
def test_what_is_done_is_named_by_as_many_tests_as_there_are_lines(section: Section) -> None:
    assert named()[section] >= TOLD[section], f"no test says RFC {' '.join(section)}"


@pytest.mark.parametrize("row", [row for row in ROWS if not row.files], ids=str)
def test_a_line_without_a_file_says_that_it_is_not_done(row: Row) -> None:
    assert re.search(r"\b(not|neither|no processing|met by)\b", row.what)
