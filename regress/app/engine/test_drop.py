"""Why the key engine throws a packet away, counted by kind."""

from __future__ import annotations

from isakmp.app.engine.drop import Drop, Dropped, Drops
from isakmp.log.log import Log, LogClass


def made(level: int = 0) -> tuple[Drops, list[str]]:
    lines: list[str] = []
    log = Log(lambda: 0.0, lines.append)
    log.set_level(LogClass.SYSDEP, level)
    return Drops(log), lines


def test_each_kind_is_counted_by_itself() -> None:
    drops, _ = made()
    for kind in (Drop.ICV, Drop.REPLAY, Drop.ICV):
        drops(kind)
    assert (drops[Drop.ICV], drops[Drop.REPLAY], drops[Drop.NO_SA]) == (2, 1, 0)
    assert drops.to_dict() == {"bad-icv": 2, "replay": 1}, "what did not happen is left out"


def test_to_look_at_a_counter_counts_nothing() -> None:
    drops, _ = made()
    assert drops[Drop.LARVAL] == 0
    assert drops.to_dict() == {}


def test_a_drop_is_logged_where_that_is_asked_for() -> None:
    drops, lines = made(69)
    drops(Drop.SEQUENCE)
    assert not lines
    drops, lines = made(70)
    drops(Drop.SEQUENCE)
    (line,) = lines
    assert "sequence-exhausted" in line


def test_no_two_kinds_have_one_name() -> None:
    assert len({kind.value for kind in Drop}) == len(Drop.__members__)


def test_what_is_raised_says_its_kind() -> None:
    error = Dropped(Drop.TOO_BIG)
    assert error.kind is Drop.TOO_BIG and str(error) == "too-big"
