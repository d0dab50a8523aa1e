"""The documents say what is there: files, flags, verbs, and configurations that are right."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from fifo_ui.commands import COMMANDS
from fifo_ui.flags import make_parser
from isakmp import flags as daemon_flags
from isakmp.app.engine import flags as engine_flags
from isakmp.conf.check import check
from isakmp.conf.store import Conf
from regress.configurations import read_connections

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
OURS = ("isakmp", "fifo_ui", "regress", "conf", "docs", "tools")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of a document in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", read(name), re.MULTILINE | re.DOTALL)


def code_words(text: str) -> set[str]:
    """What stands in backquotes, outside of fenced blocks."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text)))


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = {
        word for word in code_words(text) if re.fullmatch(rf"({'|'.join(OURS)})/[\w./-]*", word)
    }
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    missing = [word for word in named if not (ROOT / word).exists()]
    missing += [link for link in linked if not (path.parent / link).exists()]
    assert missing == []


def test_the_design_notes_name_every_file_above_the_packages() -> None:
    table = read("docs/design-notes.md").partition("## The files")[2].partition("\n## ")[0]
    named = code_words(table)
    found = {path.name for path in (ROOT / "isakmp").glob("[!_]*.py")}
    assert {name for name in found if not name.startswith("conf")} - named == set()
    packages = {path.parent.name for path in (ROOT / "isakmp").glob("*/__init__.py")}
    assert {name for name in packages if not any(f"{name}/" in word for word in named)} == set()


def test_the_rfc_table_names_files() -> None:
    rows = [line for line in read("docs/rfc.md").splitlines() if line.startswith("|")]
    assert sum("`isakmp/" in row for row in rows) > 80


def test_every_make_verb_of_the_readme_is_one() -> None:
    verbs = re.findall(r"^(\w+): ", read("Makefile"), re.MULTILINE)
    told = re.findall(r"(?:^|`)make (\w+)", read("README.md"), re.MULTILINE)
    assert {"demo", "test"} <= set(told) <= set(verbs)


def flags(parser: argparse.ArgumentParser) -> list[str]:
    return [name for action in parser._actions for name in action.option_strings]


def test_every_flag_of_the_daemon_is_described() -> None:
    manual = code_words(read("docs/isakmpd.8.md"))
    words = {word.split()[0] for word in manual}
    assert set(flags(daemon_flags.make_parser())) <= words
    assert set(flags(engine_flags.make_parser())) <= words


def test_the_daemons_manual_has_no_flag_too_many() -> None:
    table = read("docs/isakmpd.8.md").partition("## OPTIONS")[2].partition("\n## ")[0]
    told = re.findall(r"`(--?[\w-]+)", "".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)))
    assert sorted(told) == sorted(flags(daemon_flags.make_parser()))


def test_every_fifo_letter_is_described() -> None:
    daemon, control = (code_words(read(f"docs/{n}.8.md")) for n in ("isakmpd", "isakmpctl"))
    for letter in (*COMMANDS, "J"):
        assert letter in daemon
        assert any(word.split()[0] == letter for word in control)


def test_every_verb_of_isakmpctl_is_described() -> None:
    verbs = next(a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction))
    manual = read("docs/isakmpctl.8.md").partition("## VERBS")[2].partition("\n## ")[0]
    told = {word.split()[0] for word in code_words(manual)}
    assert set(verbs.choices) <= told
    actions = next(
        a for a in verbs.choices["conf"]._actions if isinstance(a, argparse._SubParsersAction)
    )
    assert all(f"`conf {action} " in manual for action in actions.choices)


@pytest.mark.parametrize("end", [0, 1])
def test_the_readmes_configurations_are_right(end: int) -> None:
    conf = Conf.from_text(blocks("README.md", "ini")[end])
    assert check(conf) == []
    assert len(read_connections(conf)) == 1


def test_the_readmes_configurations_fit_each_other() -> None:
    west, east = (read_connections(Conf.from_text(t))[0] for t in blocks("README.md", "ini")[:2])
    assert west.selector == east.selector.reversed()
    assert (west.passive, east.passive) == (False, True)


@pytest.mark.parametrize("number", range(len(blocks("docs/isakmpd.8.md", "ini"))))
def test_the_manuals_configurations_are_right(number: int) -> None:
    assert check(Conf.from_text(blocks("docs/isakmpd.8.md", "ini")[number])) == []
