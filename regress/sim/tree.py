"""The tree of all that can happen in a collision, path by path.

Each path is played from the start; where two paths have led both ends through the same, one of
them is enough.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from isakmp.constants import ikev2, name_of
from regress.pair import Packet
from regress.sim.collisions import WEST, Case, Run
from regress.sim.world import Found


class Failure(NamedTuple):
    """What was found in a case, and the path to it."""

    case: Case
    what: str
    choices: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.case}: {self.what}\nagain: {replay(self.case, self.choices)}"


@dataclass
class Walk:
    """The whole tree of a case."""

    case: Case
    faults: str = "x"
    limit: int = 100_000
    paths: int = 0
    failures: list[Failure] = field(default_factory=list)

    def all(self) -> Walk:
        """Walk it; the first path that fails ends it."""
        seen: set[bytes] = set()
        open_paths: list[tuple[str, ...]] = [()]
        while open_paths and self.paths < self.limit and not self.failures:
            self.paths += 1
            self._path(open_paths.pop(), seen, open_paths)
        return self

    def _path(
        self, prefix: tuple[str, ...], seen: set[bytes], open_paths: list[tuple[str, ...]]
    ) -> None:
        run = Run(self.case, self.faults)
        try:
            for choice in prefix:
                go_on(run)
                run.step(choice)
            while choices := go_on(run):
                if run.state in seen:
                    return
                seen.add(run.state)
                done = tuple(run.done)
                open_paths += [(*done, other) for other in reversed(choices[1:])]
                run.step(choices[0])
            run.quiet()
        except Found as found:
            self.failures.append(Failure(self.case, str(found), tuple(run.done)))
        except Exception:
            self.failures.append(Failure(self.case, traceback.format_exc(), tuple(run.done)))


def go_on(run: Run) -> list[str]:
    """What can happen next; while nothing can, time goes by. Empty once all is quiet."""
    while not (choices := run.choices()):
        if not run.wait():
            return []
    return choices


def show(case: Case, choices: Sequence[str]) -> Iterator[str]:
    """One path with all that both ends say; where no choice is given, what came first goes on."""
    run, rest = Run(case, "xd"), list(choices)
    said = [len(host.lines) for host in run.ends]

    def news() -> Iterator[str]:
        for end, host in enumerate(run.ends):
            for line in host.lines[said[end] :]:
                yield f"  {run.net.now:8.3f} {'west' if end == 0 else 'east'}: {line}"
            said[end] = len(host.lines)

    try:
        while found := go_on(run):
            yield from news()
            choice = rest.pop(0) if rest else found[0]
            yield f"{run.net.now:8.3f} {choice} of {', '.join(map(describe, run.net.flying))}"
            run.step(choice)
            yield from news()
        yield from news()
        run.quiet()
    except Found as error:
        yield from news()
        yield f"found: {error}"


def describe(packet: Packet) -> str:
    """A datagram in flight."""
    header = packet.header
    sender = "west" if str(packet.src) == WEST else "east"
    what = "answer" if header.flags & ikev2.Flag.RESPONSE else "request"
    kind = name_of(ikev2.Exchange, header.exchange_type)
    return f"{sender}'s {kind} {what} {header.message_id} of {header.cky_i.hex()[:4]}"


def replay(case: Case, choices: Sequence[str]) -> str:
    """The command that walks a path again."""
    return f'python -m regress.sim --case {case} --choices "{" ".join(choices)}"'
