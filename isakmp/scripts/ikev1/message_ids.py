"""What an ISAKMP SA remembers of message IDs, which IKEv1 draws at random: RFC 2408 3.1.

None comes twice under one SA, and none is forgotten while it lives: what was recorded under it
would be carried out again. So an SA lives for so many exchanges, and a new one follows.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import OrderedDict

# How many finished exchanges of the peer's are remembered to answer their repeated last message.
ANSWERED_MAX = 16
# For how long those that we have begun are, in seconds: many may end at once, and all their last
# messages get lost. Peers repeat what asks for one for up to that long.
CLOSED_S = 180.0

Answer = tuple[bytes, tuple[bytes, ...]]
"""Digest of a message, and what it gets whenever it comes."""
# With so many message IDs used an SA is to be renewed; with so many its peer begins nothing more.
WORN_AT, USED_MAX = 12288, 16384


class MessageIds:
    """The message IDs of one ISAKMP SA: which are used, and how the last exchanges ended; offered:
    a quick mode of ours has had one; spoken: the peer has proved to have the SA by another."""

    __slots__ = ("answered", "closed", "offered", "spoken", "used")

    def __init__(self) -> None:
        self.answered: OrderedDict[int, Answer] = OrderedDict()
        self.closed: OrderedDict[int, tuple[float, Answer]] = OrderedDict()
        # In order, four octets each: a set would take seventy.
        self.used = array("I")
        self.offered = self.spoken = False

    def answer(self, message_id: int, last_in: bytes, last_out: tuple[bytes, ...]) -> None:
        """Remember how the peer's exchange ended: digest of what came, and our answer to repeat."""
        self.use(message_id)
        self.answered[message_id] = (last_in, last_out)
        while len(self.answered) > ANSWERED_MAX:
            self.answered.popitem(last=False)

    def close(self, message_id: int, answer: Answer, now: float) -> None:
        """Remember how one of ours ended: with our message, which the peer may have missed."""
        self.use(message_id)
        self.closed[message_id] = now, answer
        while next(iter(self.closed.values()))[0] < now - CLOSED_S:
            self.closed.popitem(last=False)

    def again(self, message_id: int) -> Answer:
        """What asks for our last message of an exchange that is over, and that message."""
        if message_id in self.closed:
            return self.closed[message_id][1]
        return self.answered.get(message_id, (b"", ()))

    def use(self, message_id: int) -> None:
        """Never accept this message ID as the beginning of an exchange (any more)."""
        if not self.is_used(message_id):
            self.used.insert(bisect_left(self.used, message_id), message_id)

    def is_used(self, message_id: int) -> bool:
        """Whether an exchange under the SA has had it."""
        at = bisect_left(self.used, message_id)
        return at < len(self.used) and self.used[at] == message_id

    @property
    def worn(self) -> bool:
        """Whether the SA is to be renewed, while there are some left."""
        return len(self.used) >= WORN_AT

    @property
    def used_up(self) -> bool:
        """Whether the peer has none left."""
        return len(self.used) >= USED_MAX
