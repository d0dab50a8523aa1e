"""What is looked through for cycles, and when."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from isakmp.garbage import FEW, MANY, QUICK, YOUNG, Garbage, uncollected


class Circle:
    """What knows itself, and goes only with a search."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def garbage() -> Iterator[Garbage]:
    """That of this process, for the time of a test. Nothing else searches meanwhile."""
    thresholds, one = gc.get_threshold(), Garbage()
    one.watch()
    try:
        yield one
    finally:
        gc.callbacks.remove(one._searched)
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def forgotten() -> weakref.ref[Circle]:
    """A cycle that nobody has any more."""
    return weakref.ref(Circle())


def test_a_cycle_among_what_is_new_goes_with_the_next_search(garbage: Garbage) -> None:
    gone = forgotten()
    kept: list[list[object]] = [[] for _ in range(2 * YOUNG)]
    assert gone() is None and garbage.fresh
    assert gc.get_freeze_count() >= YOUNG, "what was there then is taken to stay"
    assert len(kept) == 2 * YOUNG


@pytest.mark.parametrize(
    ("kept", "fresh", "searched"),
    [
        (0, FEW, False),
        (0, FEW + 1, True),
        (QUICK - FEW, FEW + 1, False),
        (QUICK, MANY, False),
        (QUICK, MANY + 1, True),
        (2 * MANY, MANY + 1, False),
        (2 * MANY, 2 * MANY + 1, True),
    ],
)
def test_all_is_looked_through_where_that_is_quick_or_much_has_come(
    garbage: Garbage, kept: int, fresh: int, searched: bool
) -> None:
    gc.disable()
    try:
        gone = forgotten()
        gc.freeze()
        garbage.kept, garbage.fresh = kept, fresh
        garbage.look()
    finally:
        gc.enable()
    assert (gone() is None) is searched
    assert (garbage.fresh == 0) is searched
    if searched:
        assert garbage.kept == gc.get_freeze_count() // YOUNG


def test_what_is_read_meanwhile_is_not_looked_through() -> None:
    frozen = gc.get_freeze_count()
    try:
        with pytest.raises(KeyError), uncollected():
            assert not gc.isenabled()
            kept: list[list[object]] = [[] for _ in range(100)]
            raise KeyError
        assert gc.isenabled() and gc.get_freeze_count() >= frozen + len(kept)
    finally:
        gc.unfreeze()
