"""A network namespace, for what only a kernel can say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from regress.interop.namespace import Namespace
from regress.interop.needs import missing


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    if reason := missing():
        pytest.skip(reason)
    made = Namespace()
    yield made
    made.close()
