"""The manual page names every section and tag that there is, and their defaults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from isakmp.conf_defaults import BUILT_IN
from isakmp.conf_tags import FIXED, TAGS, Kind

MANUAL = (Path(__file__).parents[1] / "docs" / "isakmpd.conf.5.md").read_text()


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_every_tag_is_described(kind: Kind) -> None:
    missing = [tag for tag in TAGS[kind] if not re.search(rf"(?<![\w-]){tag}(?![\w-])", MANUAL)]
    assert missing == []


@pytest.mark.parametrize("section", ["General", "KeyNote", "X509-certificates"])
def test_every_default_is_told(section: str) -> None:
    for tag, value in BUILT_IN[section].items():
        row = rf"^\| {tag}(?: †)? [^|]*\| {re.escape(value)} \|"
        assert re.search(row, MANUAL, re.MULTILINE), tag


def test_every_fixed_section_has_a_heading() -> None:
    headings = [line for line in MANUAL.splitlines() if line.startswith("#")]
    for section in FIXED:
        assert any(f"[{section}]" in line for line in headings)


def test_generals_table_has_no_tag_too_many() -> None:
    table = MANUAL.partition("## [General]")[2].partition("\n## ")[0]
    tags = re.findall(r"^\| ([A-Z][\w-]+)(?: †)? \|", table, re.MULTILINE)
    assert sorted(tags, key=str.lower) == sorted(TAGS[Kind.GENERAL], key=str.lower)


def test_idle_tags_are_marked() -> None:
    fixed = [Kind.GENERAL, Kind.X509, Kind.PEER, Kind.CONNECTION]
    idle = {name for kind in fixed for name, tag in TAGS[kind].items() if tag.idle}
    assert idle == set(re.findall(r"^\| ([A-Z][\w-]+) † \|", MANUAL, re.MULTILINE))


def test_built_in_values_pass_the_checkers_tables() -> None:
    for section, kind in FIXED.items():
        for name, value in BUILT_IN.get(section, {}).items():
            test = TAGS[kind][name].test
            assert test is None or not test(value), name
