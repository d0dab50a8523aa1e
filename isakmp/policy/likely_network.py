"""The network that an identity likely means, where it is written otherwise than it has to be: for
dropping it, rather too much than too little.
"""

from __future__ import annotations

import re

from isakmp.conf.values import address_of
from isakmp.policy.spd import Address, Network, make_network

# An address, or the beginning of one, and what stands behind it.
_WRITTEN = re.compile(
    r"\[?([0-9A-Fa-f.:]+)\]?(?:\s*/\s*|\s+(?:(?:net)?mask[\s:=]+)?|$)(\S*)",
    re.ASCII | re.IGNORECASE,
)
# A mask that begins with fewer ones is none, or everybody.
_LEAST = 8


def likely_network(text: str, masks: list[str]) -> tuple[Network | None, bool]:
    """The network, or None, and whether that is certain to have all that is meant: it is not where
    octets or the mask are missing. masks: what may be its mask, beside what text has; of several
    the widest counts."""
    match = _WRITTEN.fullmatch(text.strip())
    address, whole = _address(match[1]) if match else (None, False)
    if match is None or address is None:
        return None, False
    bits = address.max_prefixlen
    prefixes = [found for mask in (match[2], *masks) if (found := _prefix(mask, bits)) is not None]
    if prefixes:
        prefix = min(filter(None, prefixes), default=0)
        return make_network(address.packed, prefix, strict=False), whole
    # Without a mask the octets of zero behind it are those of hosts.
    prefix = 8 * len(address.packed.rstrip(b"\0"))
    return (make_network(address.packed, prefix) if prefix else None), False


def is_mask(text: str) -> bool:
    """Whether an address is a mask rather than an address."""
    address = address_of(text)
    return address is not None and bool(_prefix(text, address.max_prefixlen))


def _address(text: str) -> tuple[Address | None, bool]:
    """An address, and whether it is written to its end."""
    if (address := address_of(text)) is not None:
        return address, True
    octets = [octet for octet in text.split(".") if octet]
    return address_of(".".join([*octets, "0", "0", "0"][:4])), len(octets) == 4


def _prefix(mask: str, bits: int) -> int | None:
    """The ones at the beginning of a mask, or their number; None: it is no mask."""
    mask = mask.strip("/ ")
    if mask.isascii() and mask.isdigit() and len(mask) <= 3:
        return int(mask) if int(mask) <= bits else None
    address = address_of(mask)
    if address is None or address.max_prefixlen != bits:
        return None
    value = int(address)
    if bits == 32 and value and not value & (value + 1):
        # A mask of ones where others have zeros, as some routers write it.
        value ^= (1 << bits) - 1
    ones = bits - (value ^ ((1 << bits) - 1)).bit_length()
    return ones if ones >= _LEAST or not int(address) else None
