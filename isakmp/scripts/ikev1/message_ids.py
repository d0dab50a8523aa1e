"""What an ISAKMP SA remembers of message IDs, which IKEv1 draws at random: RFC 2408 3.1."""

from __future__ import annotations

from collections import OrderedDict

# How many finished exchanges are remembered to answer their repeated last message, and how many
# message IDs, so that what was recorded is not carried out again.
ANSWERED_MAX, USED_MAX = 16, 16384


class MessageIds:
    """The message IDs of one ISAKMP SA: which are used, and how the last exchanges ended."""

    __slots__ = ("answered", "used")

    def __init__(self) -> None:
        self.answered: OrderedDict[int, tuple[bytes, tuple[bytes, ...]]] = OrderedDict()
        self.used: dict[int, None] = {}

    def answer(self, message_id: int, last_in: bytes, last_out: tuple[bytes, ...]) -> None:
        """Remember how an exchange ended: digest of what came, and our answer to repeat."""
        self.use(message_id)
        self.answered[message_id] = (last_in, last_out)
        while len(self.answered) > ANSWERED_MAX:
            self.answered.popitem(last=False)

    def use(self, message_id: int) -> None:
        """Never accept this message ID as the beginning of an exchange (any more)."""
        self.used[message_id] = None
        if len(self.used) > USED_MAX:
            del self.used[next(iter(self.used))]
