"""The replay window against an oracle that remembers every number."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.app.engine.replay import LARGEST, SMALLEST, Replay


class Oracle:
    """RFC 4303 3.4.3 with a set."""

    def __init__(self, size: int) -> None:
        self.size, self.top, self.seen = size, 0, set[int]()

    def accept(self, sequence: int) -> bool:
        if sequence <= 0 or sequence in self.seen or sequence <= self.top - self.size:
            return False
        self.seen.add(sequence)
        self.top = max(self.top, sequence)
        return True


STEPS = st.lists(
    st.one_of(st.integers(-80, 80), st.integers(-5000, 5000), st.integers(0, 2**31)), max_size=60
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([64, 65, 128, 1000, 4096]), STEPS)
def test_window_is_the_oracles(size: int, steps: list[int]) -> None:
    """RFC 4303 3.4.3 and A."""
    window, oracle = Replay(size), Oracle(size)
    for step in steps:
        sequence = max(0, oracle.top + step) & 0xFFFFFFFF
        refused = window.refuses(sequence)
        assert window.accept(sequence) is oracle.accept(sequence) is not refused
        assert window.top == oracle.top


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([64, 200, 4096]),
    st.one_of(st.integers(4096, 2**40), st.integers(2**32 - 5000, 2**32 + 5000)),
    st.integers(-4095, 2**32 - 4096),
)
def test_high_bits_are_inferred(size: int, top: int, step: int) -> None:
    """What lies in the window, or up to 2**32 - size ahead, is told by its low bits."""
    window = Replay(size, esn=True)
    window.accept(top)
    sequence = top + step
    if top - size < sequence <= top - size + 2**32 and sequence > 0:
        assert window.infer(sequence & 0xFFFFFFFF) == sequence


def test_low_bits_alone_without_esn() -> None:
    window = Replay(64)
    window.accept(0xFFFFFFF0)
    assert window.infer(3) == 3
    assert not window.accept(3)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_inference_stays_within_64_bits(top: int, low: int) -> None:
    window = Replay(64, esn=True)
    window.accept(top)
    inferred = window.infer(low)
    assert 0 <= inferred < 2**64
    assert inferred & 0xFFFFFFFF == low


def test_sizes_are_kept_within_bounds() -> None:
    assert Replay(1).size == SMALLEST
    assert Replay(10**6).size == LARGEST
    assert Replay(0, esn=True).size == SMALLEST


def test_size_0_refuses_nothing() -> None:
    window = Replay(0)
    assert all(window.accept(5) for _ in range(3))


@pytest.mark.parametrize("size", [64, 4096])
def test_zero_is_never_valid(size: int) -> None:
    assert not Replay(size).accept(0)
    assert not Replay(size, esn=True).accept(0)
