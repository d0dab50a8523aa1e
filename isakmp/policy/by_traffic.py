"""The connections with one peer, by their traffic: which of them a request can be for.

RFC 7296 2.9. A peer mostly asks for what is configured here, and that is found at once, however
much there is; of the rest those are compared whose addresses lie where the peer's do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from isakmp.policy.boxes import V6, Work, boxes_of
from isakmp.policy.spd import Connection, Traffic, TrafficSelector

Key = tuple[frozenset[TrafficSelector], frozenset[TrafficSelector]]
Span = tuple[int, ...]
"""First and last address of IPv4 and of IPv6, of the local and of the remote side."""

_NOTHING = (1, -1)
# So many spans cost as much to look at as one comparison of boxes.
_SPANS_A_COMPARISON = 16


class ByTraffic:
    """Those with one peer, in the order of the configuration. Where there is one, nothing is looked
    up."""

    __slots__ = ("_equal", "_spans", "every")

    def __init__(self, connections: Iterable[Connection] = ()) -> None:
        self.every: list[Connection] = []
        self._equal: dict[int, list[Connection]] = {}
        self._spans: list[Span] = []
        for connection in connections:
            self.add(connection)

    def add(self, connection: Connection) -> None:
        """Another one, behind the others."""
        self.every.append(connection)
        if len(self.every) > 1:
            for each in self.every[len(self._spans) :]:
                self._equal.setdefault(hash(_key(*each.traffic)), []).append(each)
                self._spans.append(_span(each.traffic))

    def equal(self, came: Traffic) -> Iterator[Connection]:
        """Those of that traffic, in whatever order it comes, or of that behind the selectors of a
        packet. It may be more than theirs by these."""
        if not self._equal:
            return
        for local, remote in product(*((side, side[1:]) for side in came)):
            key = _key(local, remote)
            for connection in self._equal.get(hash(key), ()):
                if _key(*connection.traffic) == key:
                    yield connection

    def near(self, came: Traffic, work: Work) -> Iterator[Connection]:
        """Those that may have some of that traffic, until it is too much: for a comparison each,
        and one for each few that lie elsewhere."""
        if not self._spans:
            yield from self.every
            return
        theirs = _span(came)
        for first in range(0, len(self.every), _SPANS_A_COMPARISON):
            work.done += 1
            few = slice(first, first + _SPANS_A_COMPARISON)
            for connection, ours in zip(self.every[few], self._spans[few], strict=True):
                if work.over:
                    return
                if _meet(ours, theirs, 4) and _meet(ours, theirs, 0):
                    work.done += 1
                    yield connection


def _key(local: Sequence[TrafficSelector], remote: Sequence[TrafficSelector]) -> Key:
    return frozenset(local), frozenset(remote)


def _span(traffic: Traffic) -> Span:
    found: list[int] = []
    for side in traffic:
        boxes = boxes_of(side)
        for version in ([b for b in boxes if b[0] < V6], [b for b in boxes if b[0] >= V6]):
            first = min((box[0] for box in version), default=_NOTHING[0])
            last = max((box[1] for box in version), default=_NOTHING[1])
            found += first, last
    return tuple(found)


def _meet(one: Span, other: Span, at: int) -> bool:
    """Whether one side, whose numbers begin there, has addresses in common in either version."""
    return (one[at] <= other[at + 1] and other[at] <= one[at + 1]) or (
        one[at + 2] <= other[at + 3] and other[at + 2] <= one[at + 3]
    )
