"""Every Reason that the code can raise says what to do, and which line decided where one did."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from isakmp.causes import BY_LINE, MENDS
from isakmp.errors import PART_MAX, Reason

ROOT = Path(__file__).resolve().parents[1]


class Raised(NamedTuple):
    """A place in the code that makes a Reason. cause: None where it is no plain text."""

    place: str
    cause: str | None
    given: frozenset[str]


def raised() -> Iterator[Raised]:
    for top in ("isakmp", "fifo_ui"):
        for path in sorted((ROOT / top).rglob("*.py")):
            text = path.read_text()
            for node in ast.walk(ast.parse(text)) if "Reason(" in text else ():
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "Reason":
                    place = f"{path.relative_to(ROOT)}:{node.lineno}"
                    yield Raised(place, _cause(node), frozenset(k.arg or "" for k in node.keywords))


def _cause(node: ast.Call) -> str | None:
    first = node.args[0] if node.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


EVERY = list(raised())


def test_there_are_reasons() -> None:
    assert len(EVERY) > 60


@pytest.mark.parametrize("one", EVERY, ids=lambda one: f"{one.place}-{one.cause}")
def test_a_reason_has_a_mend_and_its_line(one: Raised) -> None:
    assert one.cause is not None, "a cause is a plain text: what is printed depends on it"
    assert "mend" in one.given or one.cause in MENDS, "nobody is told what to do"
    assert one.cause not in BY_LINE or "line" in one.given, "the line that decided is not cited"


NUMBERED = {
    "type",
    "exchange_type",
    "notify",
    "method",
    "next_payload",
    "protocol",
    "protocol_id",
    "group",
}


def test_nothing_that_has_a_name_is_told_by_its_number() -> None:
    """What people read of a message's types and notifies goes through name_of()."""
    bare = [
        f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.value)}"
        for path in sorted((ROOT / "isakmp" / "scripts").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FormattedValue)
        and isinstance(node.value, ast.Attribute) and node.value.attr in NUMBERED
    ]  # fmt: skip
    assert bare == []


def test_the_tables_have_no_cause_that_nobody_raises() -> None:
    causes = {one.cause for one in EVERY}
    assert set(MENDS) <= causes
    assert causes >= BY_LINE


def test_the_mend_of_the_place_goes_before_that_of_the_cause() -> None:
    assert Reason("sa-gone", "none", mend="other").mend == "other"
    assert Reason("sa-gone", "none").mend == MENDS["sa-gone"]
    assert Reason("of-no-table", "none").mend == ""


def test_no_part_of_a_reason_is_as_long_as_a_peer_likes() -> None:
    """Reasons are kept by the hundred, and a peer may say 64 kB at once."""
    long = "x" * 60_000
    reason = Reason("sa-gone", long, came=long, acceptable=long, misses=(long,) * 3, offered=long)
    assert len(str(reason.to_dict())) < 8 * PART_MAX
    assert reason.came.endswith("...")
    assert Reason("sa-gone", "y" * PART_MAX).detail == "y" * PART_MAX
