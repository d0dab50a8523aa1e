"""IP protocols that people select traffic by, as they write and read them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PROTOCOLS: Mapping[str, int] = MappingProxyType(
    {"any": 0, "icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "ipv6-icmp": 58, "sctp": 132}
)
_NAMES = MappingProxyType({number: name for name, number in PROTOCOLS.items()})


def protocol_name(number: int) -> str:
    """``tcp``, ``any``; the number itself where it has no name here."""
    return _NAMES.get(number, str(number))
