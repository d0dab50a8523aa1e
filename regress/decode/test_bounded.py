"""A mapping of bounded size."""

from __future__ import annotations

from isakmp.decode.bounded import Bounded


def test_the_oldest_entry_gives_way() -> None:
    table: Bounded[int, str] = Bounded(2)
    table.put(1, "a")
    table.put(2, "b")
    table.put(1, "c")
    table.put(3, "d")
    assert [table.get(key) for key in (1, 2, 3)] == [None, "b", "d"]
    table.drop(2)
    table.drop(2)
    assert table.get(2) is None
