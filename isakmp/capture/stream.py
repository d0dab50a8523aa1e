"""IKE over TCP: the messages in a stream, each behind its length (RFC 9329 2 and 3).

A stream is followed from its SYN or from the first segment that was captured; lost segments end
what can be read of it until one begins with a message again.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from isakmp.capture.ip import Address, BadPacket

PREFIX = b"IKETCP"
MAX_STREAMS = 256
MAX_AHEAD = 64
"""Segments kept that came before one that is missing; then that one is given up."""
_HEADER = struct.Struct(">HHIIBB")
_SYN = 2
_IKE_LENGTH_AT = 4 + 24  # behind the marker

Key = tuple[Address, int, Address, int]


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment. missing octets cannot be read further."""

    source_port: int
    destination_port: int
    sequence: int
    syn: bool
    data: bytes = field(repr=False)


def parse_tcp(payload: bytes) -> Segment:
    """Read a TCP header (RFC 9293 3.1). Raises BadPacket."""
    if len(payload) < 20:
        raise BadPacket("TCP", 0, f"a header of 20 octets, {len(payload)} there", "RFC 9293 3.1")
    source, destination, sequence, _, words, flags = _HEADER.unpack_from(payload)
    size = (words >> 4) * 4
    if not 20 <= size <= len(payload):
        reason = f"a header of {size} octets in {len(payload)}"
        raise BadPacket("TCP", 12, reason, "RFC 9293 3.1")
    return Segment(source, destination, sequence, bool(flags & _SYN), payload[size:])


@dataclass(slots=True)
class _Stream:
    """One direction. expected: the next octet's number; in_step: a message begins where we are."""

    expected: int
    in_step: bool
    data: bytes = b""
    ahead: dict[int, bytes] = field(default_factory=dict, repr=False)

    def take(self, sequence: int, data: bytes) -> None:
        """Append what is in turn, keep what is not yet."""
        self.ahead[sequence] = data
        while self._append_next():
            pass
        if len(self.ahead) > MAX_AHEAD:
            self.expected = min(self.ahead, key=self._distance)
            self.data, self.in_step = b"", False
            self.take(self.expected, self.ahead[self.expected])

    def _distance(self, sequence: int) -> int:
        """How far before (negative) or behind ``expected``."""
        return (sequence - self.expected + 0x80000000 & 0xFFFFFFFF) - 0x80000000

    def _append_next(self) -> bool:
        for sequence, data in self.ahead.items():
            before = -self._distance(sequence)
            if before >= 0:
                del self.ahead[sequence]
                fresh = data[before:]
                self.data += fresh
                self.expected = self.expected + len(fresh) & 0xFFFFFFFF
                return True
        return False

    def messages(self) -> list[bytes]:
        """What is whole by now: a marker and IKE, or ESP."""
        found = []
        if self.data[:6] == PREFIX:
            self.data, self.in_step = self.data[6:], True
        if not self.in_step and not self._begins_with_ike():
            self.data = b""
            return []
        self.in_step = True
        while len(self.data) >= 2 and len(self.data) >= (size := int.from_bytes(self.data[:2])):
            if size < 2:
                self.data, self.in_step = b"", False
                break
            found.append(self.data[2:size])
            self.data = self.data[size:]
        return found

    def _begins_with_ike(self) -> bool:
        """Whether a length, the marker and an IKE header of that length are there."""
        size, message = int.from_bytes(self.data[:2]), self.data[2:]
        declared = int.from_bytes(message[_IKE_LENGTH_AT : _IKE_LENGTH_AT + 4])
        return message[:4] == bytes(4) and size == declared + 6


class Streams:
    """The TCP streams of one capture that may carry IKE."""

    def __init__(self) -> None:
        self._streams: dict[Key, _Stream] = {}

    def add(self, source: Address, destination: Address, segment: Segment) -> list[bytes]:
        """Take a segment: the messages that it completes."""
        key = source, segment.source_port, destination, segment.destination_port
        if segment.syn:
            self._keep(key, _Stream(segment.sequence + 1 & 0xFFFFFFFF, True))
        if not segment.data:
            return []
        stream = self._streams.get(key) or self._keep(key, _Stream(segment.sequence, False))
        stream.take(segment.sequence + segment.syn & 0xFFFFFFFF, segment.data)
        return stream.messages()

    def _keep(self, key: Key, stream: _Stream) -> _Stream:
        self._streams[key] = stream
        if len(self._streams) > MAX_STREAMS:
            del self._streams[next(iter(self._streams))]
        return stream
