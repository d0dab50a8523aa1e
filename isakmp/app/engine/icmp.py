"""Telling a sender that its packet is too big: RFC 792 with RFC 1191, and RFC 4443 3.2."""

from __future__ import annotations

from struct import Struct

from isakmp.app.engine.packet import (
    ICMP,
    ICMPV6,
    NO_PORT,
    Headers,
    build,
    checksum,
    pseudo_header,
)

_ERROR = Struct(">BBHI")
_V4_UNREACHABLE, _V4_FRAGMENTATION_NEEDED = 3, 4
_V6_TOO_BIG = 2
_V4_QUERIES = frozenset({0, 8, 9, 10, 13, 14, 15, 16, 17, 18, 42, 43})
_V4_QUOTE = 548  # so that the whole error has at most 576 octets (RFC 1812 4.3.2.3)
_V6_QUOTE = 1232  # at most 1280 (RFC 4443 2.4 c)
LEAST_V4, LEAST_V6 = 68, 1280


def too_big(packet: bytes, headers: Headers, mtu: int) -> bytes | None:
    """The error for ``packet``, as from its destination; None where none may be sent.

    mtu: octets of the largest packet that does fit; below the family's least, the least is told.
    """
    if not _may_answer(headers):
        return None
    src, dst = headers.dst, headers.src
    if headers.version == 4:
        quote = packet[: min(headers.length, _V4_QUOTE)]
        message = _ERROR.pack(_V4_UNREACHABLE, _V4_FRAGMENTATION_NEEDED, 0, max(mtu, LEAST_V4))
        return build(src, dst, ICMP, _summed(message + quote, b""))
    quote = packet[: min(headers.length, _V6_QUOTE)]
    message = _ERROR.pack(_V6_TOO_BIG, 0, 0, max(mtu, LEAST_V6)) + quote
    return build(src, dst, ICMPV6, _summed(message, pseudo_header(src, dst, ICMPV6, len(message))))


def _may_answer(headers: Headers) -> bool:
    """Not to errors, later fragments, or what came for or from more than one (RFC 1122 3.2.2)."""
    if headers.later_fragment or headers.src.is_unspecified or headers.src.is_multicast:
        return False
    if headers.dst.is_multicast:  # the error's source could not be a group
        return False
    if headers.protocol == ICMP and headers.version == 4:
        return headers.src_port in _V4_QUERIES
    if headers.protocol == ICMPV6 and headers.version == 6:
        return headers.src_port >= 128 or headers.src_port == NO_PORT
    return True


def _summed(message: bytes, pseudo: bytes) -> bytes:
    """The message with its checksum."""
    total = checksum(pseudo + message)
    return message[:2] + total.to_bytes(2, "big") + message[4:]
