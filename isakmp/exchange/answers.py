"""Answers: what came in answer to one message, while none of it has proved to be the peer's.

RFC 7296 2.4. What becomes of them is candidates.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from isakmp.exchange.script import Incoming

X = TypeVar("X")
"""An exchange."""

# What a peer is given to answer in, whoever else comes: a long round trip.
ROUND_TRIP_S = 0.5
# Answers to one message that are known again.
KNOWN_MAX = 64


@dataclass(slots=True, eq=False)
class Answers(Generic[X]):
    """What came in answer to one message.

    forks: the exchanges that follow one each, oldest first; waiting: what is not followed yet, by
    digest; known: the digests of those that were; since: when one was followed last; heard: how
    many came; last: the fork that has failed last; refused: the one that was last under its keys;
    settled: that one, once the message was sent again for it; answered: that one was sent a message
    of ours.
    """

    forks: list[X] = field(default_factory=list)
    waiting: dict[bytes, Incoming] = field(default_factory=dict)
    known: dict[bytes, None] = field(default_factory=dict)
    since: float = 0.0
    heard: int = 0
    last: X | None = None
    refused: X | None = None
    settled: X | None = None
    answered: bool = False

    def alone_s(self, now: float) -> float:
        """How long the one that is followed, or was sent a message, is alone yet, in seconds."""
        return self.since + ROUND_TRIP_S - now if self.forks or self.answered else 0.0

    def note(self, mark: bytes) -> None:
        """One is followed, and known again."""
        self.known[mark] = None
        if len(self.known) > KNOWN_MAX:
            del self.known[next(iter(self.known))]
