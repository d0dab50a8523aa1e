"""What an eye on the wire sees of IKEv2: message IDs and windows, RFC 7296 2.1 to 2.3."""

from __future__ import annotations

from isakmp.constants import ikev2
from isakmp.message import Header

INITIATOR, RESPONSE = int(ikev2.Flag.INITIATOR), int(ikev2.Flag.RESPONSE)

# In the header: both SPIs; exchange type and flags. Behind it and that of the SK payload: the IV.
SPIS, KIND, IV = slice(16), slice(18, 20), slice(32, 40)
PROTECTED = frozenset((int(ikev2.Payload.SK), int(ikev2.Payload.SKF)))

# The SPIs of an IKE SA, and whether it is its initiator.
End = tuple[bytes, bytes, bool]


class MessageIds:
    """Follows every IKE SA between two ends. window: how many requests each end takes at once."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._messages: dict[tuple[End, bool, int], list[bytes]] = {}
        self._open: dict[End, set[int]] = {}
        self._answers: dict[bytes, set[bytes]] = {}
        self._next: dict[End, int] = {}

    def sent(self, header: Header, message: bytes) -> str:
        """Note a message that is sent; what is wrong with it, empty where nothing is."""
        if header.major != 2 or header.next_payload not in PROTECTED:
            return ""
        answer, number = bool(header.flags & RESPONSE), header.message_id
        asks = bool(header.flags & INITIATOR) is not answer
        end = header.cky_i, header.cky_r, asks
        # Pieces may be cut anew when they are sent again.
        if header.next_payload == ikev2.Payload.SK:
            known = self._messages.setdefault((end, answer, number), [])
            if message not in known:
                known.append(message)
            if not self._may_differ(known, asks and not answer):
                return f"message ID {number} serves for another {'answer' if answer else 'request'}"
        return "" if answer else self._asked(end, number)

    def _may_differ(self, known: list[bytes], by_initiator: bool) -> bool:
        """Whether so many messages may have one number. An initiator follows several answers to its
        IKE_SA_INIT, which may lead to the same keys (2.4), so that no IV serves twice even then."""
        followed = len(self._answers.get(known[0][SPIS], ())) if by_initiator else 1
        different = len({message[IV] for message in known}) == len(known)
        return len(known) <= max(1, followed) and different

    def answered(self, message: bytes) -> None:
        """Note what has come to an initiator, whoever has made it: it may follow any answer."""
        if message[KIND] == bytes((ikev2.Exchange.IKE_SA_INIT, RESPONSE)):
            self._answers.setdefault(message[SPIS], set()).add(message)

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
