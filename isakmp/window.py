"""The message IDs of one IKE SA, both ways: RFC 7296 2.1 to 2.3.

Each end numbers its own requests from 0. At most so many of ours are without an answer as the
peer's window holds; of the peer's we take as many as ours does, each once, and keep the answers
of the last ones for who has missed them.
"""

from __future__ import annotations

from enum import Enum

from isakmp.errors import IsakmpError

LAST_ID = 2**32 - 1
SIZE_MAX = 64


class Judgement(Enum):
    """What a request of the peer's is, by its message ID."""

    NEW = "new"
    REPEATED = "repeated"
    OLD = "below the window"
    AHEAD = "beyond the window"


class Window:
    """size_in: how many requests of the peer's are taken at once, announced: it has been said so;
    size_out: how many of ours the peer takes; opening: the ID after the initial exchanges;
    repeated: to which request an answer was last given again, and when."""

    __slots__ = (
        "_answers", "_begun", "_lowest", "announced", "next_out", "opening", "outstanding",
        "repeated", "size_in", "size_out",
    )  # fmt: skip

    def __init__(self, size_in: int = 1) -> None:
        self.size_in, self.size_out = max(1, min(size_in, SIZE_MAX)), 1
        self.announced = self.size_in == 1
        self.next_out = self.opening = 0
        self.outstanding: set[int] = set()
        # The lowest ID that has not been begun, and those above it that have.
        self._lowest = 0
        self._begun: set[int] = set()
        self._answers: dict[int, tuple[bytes, tuple[bytes, ...]]] = {}
        self.repeated = -1, 0.0

    # --- ours --------------------------------------------------------------------------------

    def room(self, ahead: int = 0) -> bool:
        """Whether one more request may go out, behind so many that are being prepared.

        The peer's window begins at our oldest one without an answer.
        """
        oldest = min(self.outstanding, default=self.next_out)
        return self.next_out + ahead < oldest + self.size_out

    def take(self) -> int:
        """The message ID of our next request. IsakmpError where there is none left (2.2)."""
        if self.next_out > LAST_ID:
            raise IsakmpError("no message ID is left: the IKE SA should have been rekeyed")
        number, self.next_out = self.next_out, self.next_out + 1
        self.outstanding.add(number)
        return number

    def done(self, message_id: int) -> None:
        """Our request of that ID is answered, or given up."""
        self.outstanding.discard(message_id)

    def resize_out(self, size: int) -> None:
        """The peer has announced its window, which only grows (2.3)."""
        self.size_out = max(self.size_out, min(size, SIZE_MAX))

    # --- the peer's --------------------------------------------------------------------------

    def judge(self, message_id: int) -> Judgement:
        """What a request with that ID is."""
        if message_id >= self._lowest + self.size_in:
            return Judgement.AHEAD
        if message_id >= self._lowest:
            return Judgement.REPEATED if message_id in self._begun else Judgement.NEW
        # One window back is as far as a peer that keeps to ours can still lack an answer.
        recent = message_id >= self._lowest - self.size_in or message_id in self._answers
        return Judgement.REPEATED if recent else Judgement.OLD

    def begin(self, message_id: int) -> None:
        """A request is taken up: no other one of its ID is."""
        self._begun.add(message_id)
        while self._lowest in self._begun:
            self._begun.discard(self._lowest)
            self._lowest += 1

    def answer(self, message_id: int, mark: bytes, datagrams: tuple[bytes, ...]) -> None:
        """Keep the answer to a request. mark: a digest of the request as it came."""
        self._answers[message_id] = (mark, datagrams)
        while len(self._answers) > self.size_in:
            del self._answers[min(self._answers)]

    def answer_to(self, message_id: int, mark: bytes) -> None:
        """The request has come in another form: it is known by that mark from now on."""
        self._answers[message_id] = mark, self._answers[message_id][1]

    def answered(self, message_id: int, mark: bytes) -> tuple[bytes, ...] | None:
        """The answer to repeat; none yet: (); None where this is another message of that ID."""
        kept = self._answers.get(message_id)
        if kept is None:
            return ()
        return kept[1] if kept[0] == mark else None
