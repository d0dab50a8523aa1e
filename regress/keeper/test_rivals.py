"""Rivals: of two SAs that were negotiated at once both ends end the same one: RFC 7296 2.8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from isakmp.keeper.rivals import FALLBACK_S, GRACE_S, gives_way, wait_s


@dataclass
class Sa:
    """What of an SA counts here: when it was begun and made, its lower nonce, who began it, and
    when it was agreed on, if not when it was made."""

    created: float
    established: float
    tiebreak: bytes
    initiator: bool = True
    agreed: float = 0.0

    def __post_init__(self) -> None:
        self.agreed = self.agreed or self.established


def sa(
    created: float, established: float, tiebreak: bytes, initiator: bool = True,
    agreed: float = 0.0,
) -> Any:  # fmt: skip
    return Sa(created, established, tiebreak, initiator, agreed)


@pytest.mark.parametrize("tiebreak", [b"\1", b"\xff"])
def test_a_successor_that_was_begun_later_never_gives_way(tiebreak: bytes) -> None:
    assert not gives_way(sa(10.5, 11, tiebreak), sa(9, 10, b"\x80"))


@pytest.mark.parametrize(
    ("new", "old", "way"),
    [
        (b"\1", b"\2", True),
        (b"\2", b"\1", False),
        (b"\1\2", b"\1\3", True),
        (b"\1", b"\1\0", True),  # as octet strings compare, the shorter one is the lower
        (b"\2", b"\2", False),
    ],
)
def test_of_two_that_were_negotiated_at_once_the_lower_nonce_gives_way(
    new: bytes, old: bytes, way: bool
) -> None:
    for created in (9.5, 10.0):
        assert gives_way(sa(created, 11, new), sa(9, 10, old)) is way


@pytest.mark.parametrize("tiebreak", [b"\1", b"\xff"])
def test_what_is_made_late_gives_way_to_what_was_begun_after_it_was_agreed_on(
    tiebreak: bytes,
) -> None:
    late, later = sa(8, 15, tiebreak, agreed=8.5), sa(9, 10, b"\x80")
    assert gives_way(late, later) and not gives_way(later, late)


def test_what_was_begun_before_the_other_was_made_but_after_it_was_agreed_on_does_not() -> None:
    assert not gives_way(sa(9, 11, b"\1"), sa(7, 10, b"\x80", agreed=8))


def test_exactly_one_of_two_gives_way_at_both_ends() -> None:
    one, other = sa(9, 10.2, b"\1"), sa(9.1, 10.1, b"\2")
    assert gives_way(one, other) and not gives_way(other, one)


def test_who_began_the_one_that_stays_deletes_the_other_first() -> None:
    low, high = b"\1", b"\2"
    stays_here = wait_s(sa(0, 1, low), sa(0, 1, high, initiator=True))
    lower_there = wait_s(sa(0, 1, low), sa(0, 1, high, initiator=False))
    higher_there = wait_s(sa(0, 1, high), sa(0, 1, low, initiator=False))
    assert (stays_here, lower_there, higher_there) == (GRACE_S, FALLBACK_S, 2 * FALLBACK_S)
    assert 0 < stays_here < lower_there < higher_there, "both ends never delete both"
