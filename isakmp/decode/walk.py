"""A payload chain as far as it can be followed: RFC 2408 3.2, RFC 7296 3.2.

Where parse_payloads refuses the whole message, this notes what is wrong with a payload, takes of
it what can be read up to the fault, or opaque octets, and goes on behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from isakmp.errors import MalformedPayload
from isakmp.message import MAX_PAYLOADS, Payload, parse_payloads
from isakmp.payloads import family
from isakmp.payloads.shapes import HEADER


@dataclass(slots=True)
class Chain:
    """Payloads, the octet of the data where they end, and what was wrong with them."""

    payloads: list[Payload] = field(default_factory=list)
    end: int = 0
    errors: list[MalformedPayload] = field(default_factory=list)


def read_chain(major: int, first_type: int, data: bytes, offset: int) -> Chain:
    """The chain at the start of ``data``, which lies at ``offset`` in its message."""
    chain, following = Chain(), first_type
    rules = family(major)
    enclosing = rules.enclosing if rules else frozenset()
    while following:
        if len(chain.payloads) == MAX_PAYLOADS:
            reason = f"more than {MAX_PAYLOADS} payloads"
            chain.errors.append(MalformedPayload("HDR", offset + chain.end, reason))
            break
        type, rest = following, data[chain.end :]
        following, _, length = HEADER.unpack_from(rest) if len(rest) >= HEADER.size else (0, 0, 0)
        whole = HEADER.size <= length <= len(rest)
        # Alone, as the last of a chain: its error is then its own.
        alone = b"\0" + rest[1:length] if whole else rest
        try:
            (payload,), _ = parse_payloads(major, type, alone, offset + chain.end, 1)
        except MalformedPayload as error:
            chain.errors.append(error)
            if not whole:
                break
            body, codec = rest[HEADER.size : length], rules.codecs.get(type) if rules else None
            value = codec.salvage(body) if codec else None
            payload = Payload(type, body, value, offset + chain.end)
        chain.payloads.append(payload._replace(next_type=following))
        chain.end += length
        if type in enclosing:
            break
    return chain
