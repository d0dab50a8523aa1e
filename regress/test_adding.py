"""docs/adding.md is true: what it writes and changes is done to a copy of the sources, and what it
says to try is run there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")
PARTS = ("A payload", "An exchange", "A notify", "A tag", "A protocol")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
TRY = "# try it\n"
OURS = "import isakmp, os\nassert isakmp.__file__.startswith(os.getcwd())\n"


def part(name: str) -> list[tuple[str, str]]:
    """The blocks of a part, with the language of each."""
    return BLOCK.findall(PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0])


def change(tree: Path, diff: str) -> None:
    """Replace what stands once in a file, with its lines before and after."""
    for name, lines in re.findall(r"^--- (\S+)\n((?:[ +-].*\n)+?)(?=--- |\Z)", diff, re.MULTILINE):
        old = "".join(f"{line[1:]}\n" for line in lines.splitlines() if line[0] in " -")
        new = "".join(f"{line[1:]}\n" for line in lines.splitlines() if line[0] in " +")
        text = (tree / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} has this {text.count(old)} times:\n{old}"
        (tree / name).write_text(text.replace(old, new), encoding="utf-8")


def apply(tree: Path, language: str, text: str) -> None:
    """Do to the sources what a block says."""
    if language == "diff":
        assert text.count("--- ") >= 1
        change(tree, text)
    elif language == "python" and not text.startswith(TRY):
        name, _, source = text.removeprefix("# ").partition("\n")
        assert not (tree / name).exists(), f"{name} is there already"
        (tree / name).write_text(source, encoding="utf-8")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources with all that the page adds."""
    tree = tmp_path_factory.mktemp("sources")
    for name in ("isakmp", "regress"):
        ignored = shutil.ignore_patterns("vectors", "test_*.py")
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    for name in PARTS:
        for language, text in part(name):
            apply(tree, language, text)
    return tree


def test_every_part_is_known() -> None:
    assert tuple(re.findall(r"^## (.*)", PAGE, re.MULTILINE)) == PARTS


@pytest.mark.parametrize("name", PARTS)
def test_what_is_added_works(tree: Path, name: str) -> None:
    tries = [text for language, text in part(name) if language == "python" and TRY in text]
    assert len(tries) == 1
    done = subprocess.run(
        [sys.executable, "-c", OURS + tries[0]], cwd=tree, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_change_that_does_not_fit_is_seen(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("one\ntwo\ntwo\n")
    for lines in (" three\n", " two\n", " one\n-three\n"):
        with pytest.raises(AssertionError):
            change(tmp_path, f"--- file\n{lines}+new\n")
    change(tmp_path, "--- file\n one\n-two\n+2\n--- file\n 2\n+3\n")
    assert (tmp_path / "file").read_text() == "one\n2\n3\ntwo\n"
