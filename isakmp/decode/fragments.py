"""IKEv1 messages that were sent in pieces: the FRAGMENT payload of Cisco and Microsoft peers.

It is registered nowhere (type 132): a 2-octet identifier, the number of the piece from 1, a flag
that is 1 in the last one, and octets of the whole message, its header included.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from isakmp.capture.ip import Address
from isakmp.constants import isakmp
from isakmp.decode.bounded import Bounded
from isakmp.message import Header, Payload

MAX_INCOMPLETE = 64
MAX_SIZE = 65_535
_HEAD = struct.Struct(">HBB")
_LAST = 1

_Key = tuple[Address, bytes, int, int]


@dataclass(slots=True)
class _Pieces:
    """Pieces by number; total: of them, once the last one has come."""

    pieces: dict[int, bytes] = field(default_factory=dict, repr=False)
    total: int = 0


class Ikev1Fragments:
    """The messages in pieces of one capture."""

    def __init__(self) -> None:
        self._incomplete: Bounded[_Key, _Pieces] = Bounded(MAX_INCOMPLETE)

    def add(self, source: Address, header: Header, payloads: list[Payload]) -> bytes | None:
        """Take the fragment of a message; the whole message once nothing of it is missing."""
        if len(payloads) != 1 or payloads[0].type != isakmp.Payload.FRAGMENT:
            return None
        body = payloads[0].body
        if len(body) <= _HEAD.size:
            return None
        identifier, number, flags = _HEAD.unpack_from(body)
        key = (source, header.cky_i + header.cky_r, header.exchange_type, identifier)
        entry = self._incomplete.get(key) or self._incomplete.put(key, _Pieces())
        entry.pieces[number] = body[_HEAD.size :]
        if flags & _LAST:
            entry.total = number
        if sum(map(len, entry.pieces.values())) > MAX_SIZE:
            self._incomplete.drop(key)
            return None
        if sorted(entry.pieces) != list(range(1, entry.total + 1)):
            return None
        self._incomplete.drop(key)
        return b"".join(entry.pieces[nth] for nth in range(1, entry.total + 1))
