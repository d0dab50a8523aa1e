"""What an eye on the wire sees of IKEv2: message IDs and windows, RFC 7296 2.1 to 2.3."""

from __future__ import annotations

from isakmp.constants import ikev2
from isakmp.message import Header

INITIATOR, RESPONSE = int(ikev2.Flag.INITIATOR), int(ikev2.Flag.RESPONSE)

# Behind the headers of the message and of its SK payload.
IV = slice(32, 40)
PROTECTED = frozenset((int(ikev2.Payload.SK), int(ikev2.Payload.SKF)))

# The SPIs of an IKE SA, and whether it is its initiator.
End = tuple[bytes, bytes, bool]


class MessageIds:
    """Follows every IKE SA between two ends. window: how many requests each end takes at once."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._messages: dict[tuple[End, bool, int], bytes] = {}
        self._open: dict[End, set[int]] = {}
        self._several: set[End] = set()
        self._next: dict[End, int] = {}

    def sent(self, header: Header, message: bytes) -> str:
        """Note a message that is sent; what is wrong with it, empty where nothing is."""
        if header.major != 2 or header.next_payload not in PROTECTED:
            return ""
        answer, number = bool(header.flags & RESPONSE), header.message_id
        asks = bool(header.flags & INITIATOR) is not answer
        end = header.cky_i, header.cky_r, asks
        # Pieces may be cut anew when they are sent again; and where several answers with the same
        # SPIs have come, each is followed.
        follows = header.exchange_type == ikev2.Exchange.IKE_AUTH and asks and not answer
        whole = header.next_payload == ikev2.Payload.SK and not follows
        known = self._messages.setdefault((end, answer, number), message) if whole else message
        if known != message and not self._is_of_another_answer(header, end, known, message):
            return f"message ID {number} serves for another {'answer' if answer else 'request'}"
        return "" if answer else self._asked(end, number)

    def _is_of_another_answer(
        self, header: Header, end: End, known: bytes, message: bytes
    ) -> bool:  # fmt: skip
        """Whether an initiator follows another answer to its IKE_SA_INIT, which may have the same
        keys (2.4). No IV serves twice even then."""
        if header.exchange_type == ikev2.Exchange.IKE_AUTH and not header.flags & RESPONSE:
            self._several.add(end)
        return end in self._several and known[IV] != message[IV]

    def _asked(self, end: End, number: int) -> str:
        following = self._next.setdefault(end, number)
        if number < following:
            return ""
        if number > following:
            return f"message ID {number} comes after {following - 1}"
        self._next[end] = number + 1
        open_ones = self._open.setdefault(end, set())
        open_ones.add(number)
        if number >= min(open_ones) + self._window:
            return f"requests {sorted(open_ones)} of {end[0].hex()} have no answer yet"
        return ""

    def heard(self, header: Header) -> None:
        """Note an answer that has come to who asked."""
        if header.flags & RESPONSE and header.next_payload in PROTECTED:
            asks = not header.flags & INITIATOR
            self._open.get((header.cky_i, header.cky_r, asks), set()).discard(header.message_id)
