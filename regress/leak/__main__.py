"""The table of ``make leak``: states of a connection, and packets in clear in each, which are 0.

Arguments: words of the rows to play, all of them without. Status 1 where a row is not 0.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from regress.interop.namespace import SetupFailure
from regress.leak.rows import OWN_ROWS, ROWS, play

STACKS = (("engine", False, ROWS), ("engine of its own", True, OWN_ROWS))


def table(words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Stack, state, and how many packets were in clear, or why nobody knows."""
    for stack, own, rows in STACKS:
        for state, row in rows.items():
            if not words or any(word in f"{stack}: {state}" for word in words):
                yield stack, state, _result(row, own)


def _result(row: object, own: bool) -> str:
    assert callable(row)
    with tempfile.TemporaryDirectory(prefix="isakmpd-leak-") as folder:
        try:
            return str(play(row, Path(folder), own))
        except (AssertionError, OSError, SetupFailure) as error:
            return f"failed: {error!r}"[:200]


def main(words: Sequence[str]) -> int:
    """0 where every row is 0."""
    bad = 0
    print(f"{'stack':18} {'state':30} in clear")
    for stack, state, result in table(words):
        print(f"{stack:18} {state:30} {result}", flush=True)
        bad += result != "0"
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
