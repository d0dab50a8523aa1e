"""Rows played for people: a line for each, and all of them in a file of JSON."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from regress.interop.acts import Play
from regress.interop.end import Failure
from regress.interop.namespace import SetupFailure
from regress.interop.play import KEPT, play
from regress.interop.scenario import Scenario, Stack

Result = dict[str, Any]


def one(
    row: Scenario, pair: str, *, extra: Callable[[Play], None] | None = None,
    stack: Stack = Stack.USER, kept: Path = KEPT, verbose: bool = False,
) -> Result:  # fmt: skip
    """Play one row. extra: as play() has it. verbose: with the logs of one that failed."""
    return judged(row.name, pair, lambda: play(row, pair, extra, stack, kept), verbose)


def judged(name: str, pair: str, what: Callable[[], None], verbose: bool = False) -> Result:
    """What becomes of it; its line is printed at once."""
    began = time.monotonic()
    result, detail = "ok", ""
    try:
        what()
    except Failure as failure:
        result, detail = "FAILED", str(failure)
    except SetupFailure as failure:
        result, detail = "skipped", str(failure)
    except subprocess.TimeoutExpired as late:
        result, detail = "FAILED", f"{late}\n{late.output}"
    return told(name, pair, result, time.monotonic() - began, detail, verbose)


def told(
    name: str, pair: str, result: str, seconds: float, detail: str, verbose: bool = False
) -> Result:
    """What became of a row, printed and as a value."""
    first = detail if verbose else detail.partition("\n")[0][:300]
    print(f"{name:44} {pair:16} {result:8} {seconds:6.2f} s  {first}".rstrip(), flush=True)
    return {
        "scenario": name,
        "role": pair,
        "result": result,
        "seconds": round(seconds, 2),
        "detail": detail,
    }


def report(results: Sequence[Result], path: Path) -> dict[str, int]:
    """Print how many went how, and write everything to ``path``."""
    counts = {
        word: sum(r["result"] == word for r in results) for word in ("ok", "FAILED", "skipped")
    }
    print(f"{counts['ok']} ok, {counts['FAILED']} failed, {counts['skipped']} skipped")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"counts": counts, "rows": list(results)}, indent=1) + "\n")
    return counts
