"""Nothing goes in clear, in the states that are quickly played; ``make leak`` plays all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from regress.interop.namespace import SetupFailure
from regress.interop.needs import missing
from regress.leak import rows
from regress.leak.rows import Site

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")
QUICK = [rows.passive, rows.left_out, rows.inbound, rows.killed, rows.second_ended, rows.robbed]


@pytest.mark.parametrize("row", QUICK, ids=lambda row: row.__name__)
def test_nothing_goes_in_clear(tmp_path: Path, row: Callable[[Site], object]) -> None:
    try:
        assert rows.play(row, tmp_path, own=False, kills=2) == 0
    except SetupFailure as failure:
        pytest.skip(str(failure))


def test_nothing_goes_in_clear_where_the_key_engine_is_killed(tmp_path: Path) -> None:
    try:
        assert rows.play(rows.engine_killed, tmp_path, own=True, kills=2) == 0
    except SetupFailure as failure:
        pytest.skip(str(failure))
