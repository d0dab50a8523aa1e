"""Kinds of sections: what leads to them, and what people call them."""

from __future__ import annotations

import pytest

from isakmp.conf.kinds import Kind, section, sections
from isakmp.conf.tags import FIXED, TAGS
from isakmp.conf.values import BadValue


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_each_has_a_name_of_its_own_and_tags(kind: Kind) -> None:
    assert [other for other in Kind if other.value == kind.value] == [kind]
    assert TAGS[kind]


def test_each_is_reached_from_a_section_with_a_fixed_name() -> None:
    leads = {kind: {tag.leads for tag in TAGS[kind].values() if tag.leads} for kind in Kind}
    reached, todo = set(FIXED.values()), list(FIXED.values())
    while todo:
        new = leads[todo.pop()] - reached
        reached |= new
        todo += new
    # Their sections are found by what is in their names, or their tags.
    assert set(Kind) - reached <= {Kind.MODE_CONFIG, Kind.INITIATOR, Kind.PEER}


def test_one_section_or_several() -> None:
    one, several = (make(Kind.PEER, "who", "a", "b") for make in (section, sections))
    assert (one.leads, one.every, one.default, one.otherwise) == (Kind.PEER, False, "a", "b")
    assert several == one._replace(every=True)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (Kind.PEER, "Key-exchange", "ikev2 ikev1"),
        (Kind.PEER, "IKE-proposals", "aes256-sha256-x25519 aes128-sha256-modp2048"),
        (Kind.CONNECTION, "ESP-proposals", "aes256-sha256 aes128gcm16"),
    ],
)
def test_a_missing_comma_is_told(kind: Kind, name: str, value: str) -> None:
    row = TAGS[kind][name]
    with pytest.raises(BadValue) as caught:
        row.parse(value)
    assert caught.value.hint == f"is a comma missing: {value.replace(' ', ', ')}?"
    with pytest.raises(BadValue) as caught:
        row.parse(f"{value} nonsense")
    assert "comma" not in caught.value.hint


def test_every_list_of_words_tells_its_missing_comma() -> None:
    rows = [
        (name, row) for tags in TAGS.values() for name, row in tags.items()
        if row.every and row.type.words and not row.leads
    ]  # fmt: skip
    for name, row in rows:
        first, last = row.type.words[0], row.type.words[-1]
        with pytest.raises(BadValue) as caught:
            row.parse(f"{first} {last}")
        assert caught.value.hint == f"is a comma missing: {first}, {last}?", name
