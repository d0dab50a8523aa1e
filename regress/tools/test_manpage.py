"""Manual pages of the documents: nothing is lost, and man(1) shows them without a complaint."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.manpage import page, roff

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.[0-9].md"))


def shown(text: str) -> tuple[str, str]:
    """What man(1) prints of a page on 100 columns, and what it complains of."""
    if shutil.which("man") is None or shutil.which("groff") is None:
        pytest.skip("needs man and groff")
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", "-"],
        input=text, capture_output=True, text=True, env={**os.environ, "MANWIDTH": "100"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_there_are_pages() -> None:
    assert {path.stem for path in PAGES} >= {"isakmpd.8", "isakmpd.conf.5", "isakmpctl.8"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_heading_and_every_word_of_code_is_on_the_page(path: Path) -> None:
    text, complaints = shown(page(path, "1.0")[1])
    assert complaints == ""
    markdown = path.read_text(encoding="utf-8")
    running = re.sub(r"(?ms)^```.*?^```", "", markdown)
    wanted = re.findall(r"^##+ (.*)$", running, re.MULTILINE) + re.findall(r"`([^`]+)`", running)
    wanted += [line for block in re.findall(r"(?ms)^```\w*\n(.*?)^```", markdown)
               for line in block.splitlines()]  # fmt: skip
    on_it = squeezed(text)
    assert [w for w in wanted if squeezed(w.replace("`", "").replace("**", "")) not in on_it] == []
    assert r"\f" not in text and "**" not in text


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_code_fits_a_terminal_of_80_columns(path: Path) -> None:
    """man(1) does not wrap it, and indents it by eleven."""
    blocks = re.findall(r"(?ms)^```\w*\n(.*?)^```", path.read_text(encoding="utf-8"))
    assert blocks
    assert [line for block in blocks for line in block.splitlines() if len(line) > 80 - 11] == []


def test_what_roff_would_take_for_its_own() -> None:
    text, complaints = shown(roff(
        "# x(1)\n\n## NAME\nx - it\n\n.a line with a dot\n'and one with a quote\\n\n\n"
        "```\n.in code\n-v \\e\n```\n\n| a | b |\n|---|---|\n| `-a` | *b* and **c** |\n| | d |\n",
        "x", "1", "1.0",
    ))  # fmt: skip
    assert complaints == ""
    for words in (".a line with a dot 'and one with a quote\\n", ".in code", "-v \\e", "b and c"):
        assert words in re.sub(r"[ \n]+", " ", text)
    assert text.count("-a ") == 2  # an empty first cell is the one above


def test_a_table_of_many_columns_has_a_line_for_each() -> None:
    text, complaints = shown(roff(
        "# x(1)\n\n## NAME\nx - it\n\n| who | from | says | is |\n|---|---|---|---|\n"
        "| a | here | this | b, and what else there is to say of it |\n| | there | | c |\n",
        "x", "1", "1.0",
    ))  # fmt: skip
    assert complaints == ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = lines.index("a      from: here")
    assert lines[first + 1 : first + 3] == [
        "says: this", "is: b, and what else there is to say of it"
    ]  # fmt: skip
    assert lines[first + 3 : first + 5] == ["a      from: there", "is: c"]


def test_a_tag_stands_with_its_value() -> None:
    text, complaints = shown(roff(
        "# x(1)\n\n## NAME\nx - it\n\n| tag | value | default | meaning |\n|---|---|---|---|\n"
        "| Some-tag | yes or no | no | what it means |\n| Other † | a path |  | nothing |\n",
        "x", "1", "1.0",
    ))  # fmt: skip
    assert complaints == ""
    assert re.search(r"Some-tag= yes or no \(default: no\)\n +what it means", text)
    assert re.search(r"Other= a path †\n +nothing", text)


def test_a_fence_without_an_end() -> None:
    with pytest.raises(ValueError, match="no end"):
        roff("```\nx\n", "x", "1", "1.0")
