"""The table of ``make leak``: states of a connection, and packets in clear in each, which are 0.

Each stack's are played beside those of the others, those of the kernel's in the guest. Status 1
where a row is not as it must be, or could not be played. Each row first sees packets of both IP
versions both ways, which nothing protects yet.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from regress.interop.end import Failure
from regress.interop.namespace import SetupFailure
from regress.interop.play import ROOT
from regress.kernel import guest
from regress.leak.rows import KILLS, ROWS_OF, Site, Stack, play
from regress.leak.sniffer import CELLS

_GUEST_S = 1200
CONTROL_KILLS = 2


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
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="isakmpd-leak-") as folder:
            try:
                kills = CONTROL_KILLS if control else KILLS
                counted = play(row, Path(folder), stack, kills, protected=not control)
                right = all(map(counted.get, CELLS)) if control else not counted
                said = ", ".join(f"{counted[c]} {c}" for c in CELLS if counted[c]) or "0"
            except (
                AssertionError,
                Failure,
                OSError,
                SetupFailure,
                subprocess.SubprocessError,
            ) as error:
                right, said = False, f"failed: {error!r}"[:200]
        taken_s = time.monotonic() - begun
        print(f"{stack.value:18} {state:32} {taken_s:4.0f} s  {said}", flush=True)
        good &= right
    return good


def _beside(stack: Stack, arguments: argparse.Namespace) -> list[str]:
    """What plays the rows of a stack in a process of its own, in the guest where it must."""
    flags = ["--here", "--stack", stack.value, *(["--control"] if arguments.control else [])]
    command = [sys.executable, "-m", "regress.leak", *flags, *arguments.words]
    return guest.command(command, _GUEST_S) if stack is Stack.XFRM else command


def main(words: Sequence[str] | None = None) -> int:
    """0 where every row is as it must be."""
    arguments = _arguments(words)
    stacks = [stack for stack in Stack if not arguments.stack or stack.value in arguments.stack]
    if arguments.here:
        played = [_play(stack, arguments.words, arguments.control) for stack in stacks]
        return 0 if all(played) else 1
    if Stack.XFRM in stacks and guest.missing():
        stacks.remove(Stack.XFRM)
        print(f"{Stack.XFRM.value:18} not played: {guest.missing()}")
    with ExitStack() as running:
        players = []
        for stack in stacks:
            if _wanted(stack, arguments.words):
                player = subprocess.Popen(
                    _beside(stack, arguments), cwd=ROOT, stdin=subprocess.DEVNULL
                )
                running.callback(player.wait)
                running.callback(player.terminate)
                players.append(player)
        ended = [player.wait() for player in players]
        return 1 if any(ended) else 0


if __name__ == "__main__":
    sys.exit(main())
