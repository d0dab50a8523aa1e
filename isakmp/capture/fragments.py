"""IP fragments joined, within bounds: RFC 791 3.2, RFC 815, RFC 5722 (no overlaps)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from isakmp.capture.ip import Address, BadPacket, IpPacket

MAX_DATAGRAMS = 64
"""Datagrams in pieces at one time; the oldest is given up for the next."""
MAX_PIECES = 256
MAX_SIZE = 65_535
LIFETIME_NS = 60 * 1_000_000_000

Key = tuple[Address, Address, int, int]


@dataclass(slots=True)
class Incomplete:
    """A datagram in pieces. frame, time_ns: of the first piece seen; size: octets, once known."""

    frame: int
    time_ns: int
    pieces: dict[int, bytes] = field(default_factory=dict, repr=False)
    size: int | None = None

    def add(self, at: int, data: bytes, last: bool) -> None:
        """Take a piece; the same one twice is fine. Raises BadPacket."""
        if self.pieces.get(at) == data:
            return
        end = at + len(data)
        if end > MAX_SIZE or len(self.pieces) >= MAX_PIECES:
            raise BadPacket("IP fragments", at, "too many or too large", "RFC 791 3.2")
        if any(start < end and at < start + len(piece) for start, piece in self.pieces.items()):
            raise BadPacket("IP fragments", at, "they overlap", "RFC 5722 3")
        if last:
            self.size = end
        if self.size is not None and any(
            start + len(piece) > self.size for start, piece in (*self.pieces.items(), (at, data))
        ):
            raise BadPacket("IP fragments", at, "one lies beyond the last one", "RFC 815 3")
        self.pieces[at] = data

    def whole(self) -> bytes | None:
        """The datagram, once every octet is there."""
        if self.size is None or sum(map(len, self.pieces.values())) != self.size:
            return None
        return b"".join(self.pieces[at] for at in sorted(self.pieces))


class Reassembler:
    """The datagrams in pieces of one capture."""

    def __init__(self) -> None:
        self._incomplete: dict[Key, Incomplete] = {}

    def add(self, packet: IpPacket, frame: int, time_ns: int) -> IpPacket | None:
        """Take a fragment; the whole packet once this completes it. Raises BadPacket."""
        assert packet.fragment is not None
        piece = packet.fragment
        key = (packet.source, packet.destination, packet.protocol, piece.identification)
        entry = self._incomplete.get(key)
        if entry is None or time_ns - entry.time_ns > LIFETIME_NS:
            entry = self._incomplete[key] = Incomplete(frame, time_ns)
        try:
            if packet.missing:
                reason = f"{packet.missing} octets of a fragment were not captured"
                raise BadPacket("IP fragments", piece.offset, reason, "RFC 791 3.2")
            if piece.more and (len(packet.payload) % 8 or not packet.payload):
                reason = f"a fragment of {len(packet.payload)} octets that is not the last"
                raise BadPacket("IP fragments", piece.offset, reason, "RFC 791 3.2")
            entry.add(piece.offset, packet.payload, last=not piece.more)
        except BadPacket:
            del self._incomplete[key]
            raise
        whole = entry.whole()
        if whole is None:
            return None
        del self._incomplete[key]
        return replace(packet, payload=whole, fragment=None)

    def give_up(self, keep: int = 0) -> list[Incomplete]:
        """Forget all but the ``keep`` latest, and say which they were."""
        surplus = list(self._incomplete)[: max(0, len(self._incomplete) - keep)]
        return [self._incomplete.pop(key) for key in surplus]
