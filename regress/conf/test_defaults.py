"""What a configuration says without being written."""

from __future__ import annotations

import pytest

from isakmp.conf.kinds import Kind
from isakmp.conf.parse import items_of
from isakmp.conf.tags import TAGS


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_defaults_are_values_that_may_be_written(kind: Kind) -> None:
    for name, tag in TAGS[kind].items():
        for item in items_of(tag.default) if tag.every else [tag.default]:
            assert not item or tag.type.parse(item) is not None, name
