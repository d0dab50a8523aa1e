"""The manual names every section and tag that there is: type, range, default and meaning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from isakmp.conf.kinds import Kind
from isakmp.conf.manual import HEADINGS, table, with_tables
from isakmp.conf.tags import FIXED, TAGS

MANUAL = (Path(__file__).parents[2] / "docs" / "isakmpd.conf.5.md").read_text()


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_every_tag_is_described(kind: Kind) -> None:
    missing = [tag for tag in TAGS[kind] if not re.search(rf"(?<![\w-]){tag}(?![\w-])", MANUAL)]
    assert missing == []


def test_the_tables_are_those_of_the_tags() -> None:
    """Type, range, default and meaning: tools/manual-tables writes them."""
    assert with_tables(MANUAL) == MANUAL


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_every_kind_has_its_table(kind: Kind) -> None:
    heading = next(heading for heading, named in HEADINGS.items() if named is kind)
    section = MANUAL.partition(f"# {heading}\n")[2].partition("\n#")[0]
    assert table(kind) in section


def test_every_fixed_section_has_a_heading() -> None:
    headings = [line for line in MANUAL.splitlines() if line.startswith("#")]
    for section in FIXED:
        assert any(f"[{section}]" in line for line in headings)
