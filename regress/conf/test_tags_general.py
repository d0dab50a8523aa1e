"""The tags of the sections with fixed names: what they take, and what they do not."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.conf.kinds import Kind
from isakmp.conf.store import Conf
from isakmp.conf.tags_general import AT_START, GENERAL
from isakmp.errors import ConfError


def value(tag: str, text: str) -> Any:
    return Conf.from_text(f"[General]\n{tag}= {text}\n", "f").value(Kind.GENERAL, "General", tag)


def test_what_counts_at_a_start_is_a_tag_in_order() -> None:
    assert set(AT_START) <= set(GENERAL) and list(AT_START) == sorted(AT_START)


@pytest.mark.parametrize(
    ("tag", "text", "read"),
    [
        ("Application", "none", "none"), ("Acquire-Only", "yes", True),
        ("Workers", "0", 0), ("Retransmits", "5", 5),
    ],
)  # fmt: skip
def test_what_is_taken(tag: str, text: str, read: object) -> None:
    assert value(tag, text) == read


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("Application", "magic"), ("Acquire-Only", "maybe"), ("Workers", "-1"),
        ("Retransmits", "many"), ("Max-half-open", "0"), ("Max-half-open", "9999999"),
        ("User", "no such: name"), ("Loglevel", "SA"),
    ],
)  # fmt: skip
def test_what_is_not_has_its_line(tag: str, text: str) -> None:
    with pytest.raises(ConfError) as caught:
        value(tag, text)
    assert (caught.value.line, caught.value.section) == (2, "General")
