"""The table of ``make leak``: states of a connection, and packets in clear in each, which are 0.

The rows of the kernel's stack are played in the guest, beside those of the key engine. Status 1
where a row is not as it must be, or could not be played.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from regress.interop.end import Failure
from regress.interop.namespace import SetupFailure
from regress.interop.play import ROOT
from regress.kernel import guest
from regress.leak.rows import ROWS_OF, Site, Stack, play

_GUEST_S = 1200
_HERE = (Stack.ENGINE, Stack.OWN)


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="regress.leak", description=__doc__)
    parser.add_argument("words", nargs="*", help="only rows whose stack and state contain one")
    parser.add_argument("--stack", action="append", choices=[s.value for s in Stack], default=[])
    parser.add_argument("--here", action="store_true", help="in no guest: this kernel has IPsec")
    parser.add_argument(
        "--control", action="store_true",
        help="take the protection out: every row must then count something",
    )  # fmt: skip
    return parser.parse_args(words)


def _wanted(stack: Stack, words: Sequence[str]) -> dict[str, Callable[[Site], object]]:
    rows = ROWS_OF[stack].items()
    return {state: row for state, row in rows
            if not words or any(word in f"{stack.value}: {state}" for word in words)}  # fmt: skip


def _play(stack: Stack, words: Sequence[str], control: bool) -> bool:
    """A line for each row; whether all are as they must be."""
    good = True
    for state, row in _wanted(stack, words).items():
        with tempfile.TemporaryDirectory(prefix="isakmpd-leak-") as folder:
            try:
                counted = play(row, Path(folder), stack, protected=not control)
                right, said = bool(counted) is control, str(counted)
            except (
                AssertionError,
                Failure,
                OSError,
                SetupFailure,
                subprocess.SubprocessError,
            ) as error:
                right, said = False, f"failed: {error!r}"[:200]
        print(f"{stack.value:18} {state:30} {said}", flush=True)
        good &= right
    return good


def _guest(arguments: argparse.Namespace) -> list[str]:
    flags = ["--here", "--stack", Stack.XFRM.value, *(["--control"] if arguments.control else [])]
    command = [sys.executable, "-m", "regress.leak", *flags, *arguments.words]
    return guest.command(command, _GUEST_S)


def main(words: Sequence[str] | None = None) -> int:
    """0 where every row is as it must be."""
    arguments = _arguments(words)
    stacks = [stack for stack in Stack if not arguments.stack or stack.value in arguments.stack]
    here = stacks if arguments.here else [stack for stack in stacks if stack in _HERE]
    inside = Stack.XFRM in stacks and not arguments.here
    good = True
    with ExitStack() as stack:
        beside = None
        if inside and guest.missing():
            print(f"{Stack.XFRM.value:18} not played: {guest.missing()}")
        elif inside and _wanted(Stack.XFRM, arguments.words):
            beside = stack.enter_context(subprocess.Popen(
                _guest(arguments), cwd=ROOT, stdin=subprocess.DEVNULL
            ))  # fmt: skip
            stack.callback(beside.terminate)
        for each in here:
            good &= _play(each, arguments.words, arguments.control)
        return 0 if good and (beside is None or not beside.wait()) else 1


if __name__ == "__main__":
    sys.exit(main())
