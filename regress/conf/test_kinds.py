"""Kinds of sections: what leads to them, and what people call them."""

from __future__ import annotations

import pytest

from isakmp.conf.kinds import Kind, section, sections
from isakmp.conf.tags import FIXED, TAGS


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
