"""A comparison takes turns, and its ratio is that of what the turns cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from regress.bench import beside
from regress.interop.end import Failure

_SIZES = beside.Sizes(starts=2, turns=3)
# Costs 3 s a turn of 2 where the checkout is called "other", and 2 s else; or never does anything.
_WORKER = """
import json, os, sys
print("{}", flush=True)
for _ in sys.stdin:
    with open(ORDER, "a") as order:
        order.write(os.path.basename(os.getcwd()) + "\\n")
    cost = 3 if os.path.basename(os.getcwd()) == "other" else 2
    print(json.dumps({"done": DONE, "cpu_s": cost}), flush=True)
"""


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "here").mkdir()
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(beside, "ROOT", tmp_path / "here")
    monkeypatch.setattr(beside, "_TURN", tmp_path / "turn.py")
    return tmp_path / "other"


def _work(other: Path, done: int) -> Path:
    order = other.parent / "order"
    text = _WORKER.replace("ORDER", repr(str(order))).replace("DONE", str(done))
    (other.parent / "turn.py").write_text(text)
    return order


def test_turns_alternate_and_the_ratio_is_that_of_their_costs(other: Path) -> None:
    order = _work(other, done=2)
    row = beside.compare({"case": "x"}, other, _SIZES)
    assert row["here_us"] == 1e6 and row["there_us"] == 1.5e6
    assert row["ratio"] == row["low"] == row["high"] == pytest.approx(2 / 3)
    start = ["other", "here", "here", "other", "other", "here"]
    assert order.read_text().split() == start * 2


def test_nothing_done_is_a_failure(other: Path) -> None:
    _work(other, done=0)
    with pytest.raises(Failure, match="nothing succeeds"):
        beside.compare({"case": "x"}, other, _SIZES)


def test_a_bench_that_ends_is_a_failure(other: Path) -> None:
    (other.parent / "turn.py").write_text("")
    with pytest.raises(Failure, match="has ended"):
        beside.compare({"case": "x"}, other, _SIZES)


def test_the_cases_are_every_handshake_and_both_sizes() -> None:
    found = beside.cases({"a": "A", "b": "B"}, [1, 2], [14, 31], "aes-gcm", _SIZES)
    assert len(found) == 2 * 2 * 2 + 2
    assert len({case["case"] for case in found}) == len(found)
    assert not [
        case
        for case in beside.cases({}, [1], [14], "aes-gcm", beside.Sizes(seconds=0))
        if "size" in case
    ]
