"""The table of isakmpd.conf(5): its words and defaults, and which tag is known."""

from __future__ import annotations

import pytest

from isakmp.conf.kinds import Kind
from isakmp.conf.tags import TAGS


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_words_that_are_told_are_taken(kind: Kind) -> None:
    for name, tag in TAGS[kind].items():
        for word in tag.type.words:
            assert tag.type.parse(word) is not None or word == "ANY", name
        assert tag.meaning and "|" not in tag.meaning + tag.type.what, name
