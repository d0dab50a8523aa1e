"""A recording daemon, alone and behind a FIFO."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from regress.fifo_ui.fake import FakeDaemon, Running


@pytest.fixture
def daemon(tmp_path: Path) -> FakeDaemon:
    return FakeDaemon(tmp_path)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    behind = Running(tmp_path)
    yield behind
    behind.fifo.close()
