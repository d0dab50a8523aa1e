"""Nothing goes in clear, in the states that are quickly played; ``make leak`` plays all.

Each row is played without protection, too: it then has to count something.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from regress.interop.namespace import SetupFailure
from regress.interop.needs import missing
from regress.kernel import guest
from regress.leak import rows
from regress.leak.rows import ROWS_OF, Site, Stack

here = pytest.mark.skipif(bool(missing()), reason=missing() or "-")
QUICK = [
    rows.passive,
    rows.left_out,
    rows.inbound,
    rows.inbound_6,
    rows.bypassed,
    rows.bypassed_6,
    rows.killed,
    rows.second_ended,
    rows.robbed,
]


def play(row: Callable[[Site], object], folder: Path, kind: Stack, protected: bool = True) -> int:
    try:
        return rows.play(row, folder, kind, kills=2, protected=protected)
    except SetupFailure as failure:
        pytest.skip(str(failure))


@here
@pytest.mark.parametrize("row", QUICK, ids=lambda row: row.__name__)
def test_nothing_goes_in_clear(tmp_path: Path, row: Callable[[Site], object]) -> None:
    assert play(row, tmp_path, Stack.ENGINE) == 0


@here
@pytest.mark.parametrize("row", QUICK, ids=lambda row: row.__name__)
def test_each_row_counts_where_nothing_protects(
    tmp_path: Path, row: Callable[[Site], object]
) -> None:
    assert play(row, tmp_path, Stack.ENGINE, protected=False) > 0


@here
@pytest.mark.parametrize(
    "row", [rows.engine_killed, rows.inbound_6, rows.bypassed_6, rows.blocked_end]
)
def test_an_engine_of_its_own_lets_nothing_through(
    tmp_path: Path, row: Callable[[Site], object]
) -> None:
    assert play(row, tmp_path, Stack.OWN) == 0


@pytest.mark.skipif(bool(guest.missing()), reason=guest.missing())
@pytest.mark.parametrize(("flags", "status"), [((), 0), (("--control",), 0)])
def test_the_kernels_stack_in_the_guest(flags: tuple[str, ...], status: int) -> None:
    command = [sys.executable, "-m", "regress.leak", "--here", "--stack", "xfrm", *flags]
    done = guest.run([*command, "passive", "arrives"], timeout_s=180)
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stdout.count("xfrm ") == 4


def test_every_stack_has_the_states_that_it_can_be_in() -> None:
    every = set(ROWS_OF[Stack.ENGINE].values())
    assert set(ROWS_OF[Stack.XFRM].values()) == every - {rows.second_ended, rows.robbed}
    assert {rows.deleted, rows.killed, rows.blocked_end} <= set(ROWS_OF[Stack.OWN].values())
