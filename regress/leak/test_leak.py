"""Nothing goes in clear, in the states that are quickly played; ``make leak`` plays all.

Each row is played without protection, too: it then has to count packets of both IP versions, both
ways.
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
from regress.leak.sniffer import CELLS, Clear, echo
from regress.live.pair import ROOT

here = pytest.mark.skipif(bool(missing()), reason=missing() or "-")
QUICK = [
    rows.closed,
    rows.passive,
    rows.left_out,
    rows.misspelt,
    rows.misspelt_later,
    rows.established,
    rows.bypassed,
    rows.killed,
    rows.second_ended,
    rows.robbed,
    rows.outdone,
    rows.unguarded,
    rows.blocked_end,
]


def play(row: Callable[[Site], object], folder: Path, kind: Stack, protected: bool = True) -> Clear:
    try:
        return rows.play(row, folder, kind, kills=2, protected=protected)
    except SetupFailure as failure:
        pytest.skip(str(failure))


@here
@pytest.mark.parametrize("row", QUICK, ids=lambda row: row.__name__)
def test_nothing_goes_in_clear(tmp_path: Path, row: Callable[[Site], object]) -> None:
    assert not play(row, tmp_path, Stack.ENGINE)


@here
@pytest.mark.parametrize("row", QUICK, ids=lambda row: row.__name__)
def test_each_row_counts_where_nothing_protects(
    tmp_path: Path, row: Callable[[Site], object]
) -> None:
    seen = play(row, tmp_path, Stack.ENGINE, protected=False)
    assert all(seen[cell] for cell in CELLS), seen


@here
@pytest.mark.parametrize(
    "row", [rows.left_out, rows.down, rows.engine_killed, rows.robbed, rows.blocked_end]
)
def test_an_engine_of_its_own_lets_nothing_through(
    tmp_path: Path, row: Callable[[Site], object]
) -> None:
    assert not play(row, tmp_path, Stack.OWN)


@here
def test_who_sees_nothing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "echo", lambda src, dst, number: echo("10.99.0.1", dst, number))
    with pytest.raises(AssertionError, match="not all is seen at a"):
        play(rows.passive, tmp_path, Stack.ENGINE)


@here
@pytest.mark.parametrize("kind", [Stack.ENGINE, Stack.OWN])
def test_an_orderly_end_gives_the_network_back(tmp_path: Path, kind: Stack) -> None:
    def ended(site: Site) -> None:
        process = site.up()
        for each in (process, *site.engines):
            rows.end(each)
        site.probe(site.a)

    seen = play(ended, tmp_path, kind)
    assert all(seen[cell] >= rows.PINGS for cell in CELLS), seen


@pytest.mark.skipif(bool(guest.missing()), reason=guest.missing())
@pytest.mark.parametrize(("flags", "status"), [((), 0), (("--control",), 0)])
def test_the_kernels_stack_in_the_guest(flags: tuple[str, ...], status: int) -> None:
    command = [sys.executable, "-m", "regress.leak", "--here", "--stack", "xfrm", *flags]
    done = guest.run([*command, "nobody", "up, then", "policies and"], timeout_s=600)
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stdout.count("xfrm ") == 3


def test_the_manual_has_a_line_for_each_row_and_stack() -> None:
    lines = (ROOT / "docs" / "security.md").read_text().splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    told = {cells[1]: cells[2:] for cells in table if len(cells) == 5}
    for number, stack in enumerate(Stack):
        said = {row for row, cells in told.items() if cells[number].startswith("yes")}
        assert said == set(ROWS_OF[stack]), stack


def test_every_stack_has_the_states_that_it_can_be_in() -> None:
    every = set(rows.ROWS.values())
    assert set(ROWS_OF[Stack.OWN].values()) == every
    assert set(ROWS_OF[Stack.ENGINE].values()) == every - {rows.engine_killed}
    without = {rows.engine_killed, rows.robbed, rows.outdone}
    assert set(ROWS_OF[Stack.XFRM].values()) == every - without
