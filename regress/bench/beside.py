"""This checkout beside another: the same work by turns, both up at once, so that a machine whose
speed drifts is the same for both. A daemon's speed differs by some percent from one start to the
next (where its memory happens to lie), so each case is started several times.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from regress.bench.responder import ROOT
from regress.interop.end import Failure

_PACKETS = (1400, 100)
_TURN = Path(__file__).with_name("turn.py")


@dataclass(frozen=True)
class Sizes:
    """How often: starts of a case, turns of each checkout in a start; work of a turn."""

    starts: int = 3
    turns: int = 20
    handshakes: int = 100
    seconds: float = 0.5


def cases(
    responders: dict[str, str], versions: list[int], groups: list[int], esp: str, sizes: Sizes
) -> list[dict[str, Any]]:
    """What is compared. responders: what a row calls them, and their classes in responder.py."""
    shakes: list[dict[str, Any]] = [
        {
            "case": f"{label}, IKEv{version}, group {group}", "responder": name,
            "version": version, "group": group, "count": sizes.handshakes,
        }
        for (label, name), version, group in product(responders.items(), versions, groups)
    ]  # fmt: skip
    streams = [
        {"case": f"ESP, {size} octets, both gateways", "size": size, "seconds": sizes.seconds}
        for size in (_PACKETS if sizes.seconds else ())
    ]
    return [case | {"esp": esp} for case in [*shakes, *streams]]


def compare(case: dict[str, Any], other: Path, sizes: Sizes) -> dict[str, Any]:
    """A row: processor time of a handshake or packet here as a share of that in ``other``.

    ratio: the median over the starts of each start's ratio; low, high: the least and greatest.
    Failure where either cannot be measured.
    """
    ratios, here_s, there_s = [], [], []
    for _ in range(sizes.starts):
        with ExitStack() as stack:
            workers = [stack.enter_context(_worker(tree, case)) for tree in (ROOT, other)]
            here, there = _take_turns(workers, sizes.turns)
        ratios.append(here / there)
        here_s.append(here)
        there_s.append(there)
    return case | {
        "here_us": 1e6 * statistics.median(here_s),
        "there_us": 1e6 * statistics.median(there_s),
        "ratio": statistics.median(ratios),
        "low": min(ratios),
        "high": max(ratios),
    }


def _take_turns(workers: list[subprocess.Popen[str]], turns: int) -> list[float]:
    """Processor time of each for one handshake or packet: the median turn's, in seconds."""
    costs: list[list[float]] = [[] for _ in workers]
    for number in range(turns):
        order = range(len(workers)) if number % 2 else reversed(range(len(workers)))
        for at in order:
            answer = _ask(workers[at])
            if not answer["done"]:
                raise Failure("nothing succeeds")
            costs[at].append(answer["cpu_s"] / answer["done"])
    return [statistics.median(cost) for cost in costs]


@contextmanager
def _worker(tree: Path, case: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """turn.py inside a checkout, warm."""
    child = subprocess.Popen(
        [sys.executable, "-c", _TURN.read_text(), json.dumps(case)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tree,
    )  # fmt: skip
    try:
        _answer(child)
        yield child
    finally:
        child.communicate()  # the end of its input is its end


def _ask(child: subprocess.Popen[str]) -> dict[str, Any]:
    assert child.stdin
    child.stdin.write("\n")
    child.stdin.flush()
    return _answer(child)


def _answer(child: subprocess.Popen[str]) -> dict[str, Any]:
    assert child.stdout
    line = child.stdout.readline()
    if not line:
        raise Failure(f"the bench of {child.args!r} has ended"[:200])
    answer: dict[str, Any] = json.loads(line)
    return answer
