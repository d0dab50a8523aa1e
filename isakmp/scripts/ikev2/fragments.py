"""Large messages in pieces that no router has to cut: RFC 7383.

Each piece is an SKF payload of its own message, protected like an SK payload. Sizes are those of
IP packets. Which one goes through is not known: the first try is a large one, and a message that
is not answered is cut into smaller pieces, down to what every host must take. The number of pieces
then grows, for by it alone does the peer tell them from those before (2.5.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from isakmp.errors import MalformedPayload
from isakmp.path import Path
from isakmp.policy.spd import Ikev2

PIECES_MAX, OCTETS_MAX, MESSAGES_MAX = 128, 65536, 4
# Of a message of somebody who has not proved himself: there may be a thousand of those.
UNPROVEN_MAX = 16384
# How long the pieces of one message may take; longer than anybody repeats it.
REASSEMBLY_S = 120.0
# Octets of an IP packet; the smallest are what RFC 7383 2.5.1 names.
TRIES_V4, TRIES_V6 = (1500, 1280, 576), (1500, 1280)
_HEADERS = {4: 20 + 8, 6: 40 + 8}
_MARKER, _MESSAGE = 4, 28 + 8


@dataclass(slots=True)
class _Pieces:
    total: int
    since: float
    first: int = 0
    mark: bytes = b""
    octets: int = 0
    largest: int = 0
    data: dict[int, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Whole:
    """A message put together. first: the type of its first payload; mark: the datagram of its
    first piece, by which it is known again; largest: of its datagrams, octets."""

    inner: bytes = field(repr=False)
    first: int
    mark: bytes = field(repr=False)
    largest: int


class Fragments:
    """How one IKE SA cuts its messages, and the pieces of the peer's that are not whole yet."""

    __slots__ = ("_incomplete", "_now", "_options", "_tries", "_version", "size")

    def __init__(self, options: Ikev2, version: int, now: Callable[[], float]) -> None:
        self._options, self._version, self._now = options, version, now
        tries = TRIES_V4 if version == 4 else TRIES_V6
        self._tries = (options.fragment_size,) if options.fragment_size else tries
        self.size = self._tries[0]
        self._incomplete: dict[tuple[bool, int], _Pieces] = {}

    def heir(self) -> Fragments:
        """For the IKE SA in the place of this one, whose messages are numbered anew."""
        heir = Fragments(self._options, self._version, self._now)
        heir.size = self.size
        return heir

    def room(self, path: Path, overhead: int) -> int:
        """Octets of payloads that one piece holds; overhead: of its IV, padding and ICV at most."""
        around = _HEADERS[path.remote.version] + (_MARKER if path.encap else 0) + _MESSAGE
        return max(16, self.size - around - overhead)

    def is_small(self, datagram: bytes, path: Path) -> bool:
        """Whether it is not for its size that a datagram does not come through."""
        around = _HEADERS[path.remote.version] + (_MARKER if path.encap else 0)
        return len(datagram) + around <= self._tries[-1]

    def shrink(self) -> bool:
        """Try a smaller size from now on; False where there is none."""
        smaller = [size for size in self._tries if size < self.size]
        if smaller:
            self.size = smaller[0]
        return bool(smaller)

    def seen(self, largest: int, path: Path) -> None:
        """The peer's pieces come through at that size; it may know more of the way than we do."""
        size = largest + _HEADERS[path.remote.version] + (_MARKER if path.encap else 0)
        self.size = min(self.size, max(size, self._tries[-1]))

    def add(
        self, key: tuple[bool, int], number: int, total: int, first: int, data: bytes,
        datagram: bytes, most: int = OCTETS_MAX,
    ) -> Whole | None:  # fmt: skip
        """Take a piece that has verified; the whole message with the last one that was missing.

        key: whether it is an answer, and its message ID; most: octets of the whole.
        MalformedPayload beyond the bounds.
        """
        if total > PIECES_MAX:
            raise MalformedPayload("SKF.total", 32, f"{total} pieces", "RFC 7383 2.6")
        self._forget()
        pieces = self._incomplete.get(key)
        if pieces is not None and total < pieces.total:
            return None
        if pieces is None or total > pieces.total:
            pieces = self._begin(key, total)
        if number in pieces.data:
            return None
        pieces.octets += len(data)
        if pieces.octets > most:
            del self._incomplete[key]
            raise MalformedPayload("SKF", 32, f"more than {most} octets", "RFC 7383 2.6")
        pieces.data[number] = data
        pieces.largest = max(pieces.largest, len(datagram))
        if number == 1:
            pieces.first, pieces.mark = first, datagram
        if len(pieces.data) < total:
            return None
        del self._incomplete[key]
        inner = b"".join(pieces.data[nth] for nth in range(1, total + 1))
        return Whole(inner, pieces.first, pieces.mark, pieces.largest)

    def _begin(self, key: tuple[bool, int], total: int) -> _Pieces:
        self._incomplete.pop(key, None)
        while len(self._incomplete) >= MESSAGES_MAX:
            del self._incomplete[next(iter(self._incomplete))]
        self._incomplete[key] = pieces = _Pieces(total, self._now())
        return pieces

    def _forget(self) -> None:
        """Drop what has not become whole in time."""
        latest = self._now() - REASSEMBLY_S
        for key in [key for key, pieces in self._incomplete.items() if pieces.since <= latest]:
            del self._incomplete[key]


def split(inner: bytes, room: int, least: int = 1) -> list[bytes]:
    """The pieces of a chain, each of ``room`` octets at most, and at least so many."""
    if len(inner) <= room * (least - 1):
        size, longer = divmod(len(inner), least)
        ends = [nth * size + min(nth, longer) for nth in range(least + 1)]
        return [inner[at:end] for at, end in pairwise(ends)]
    return [inner[at : at + room] for at in range(0, len(inner), room)]
