"""The IP packet in a frame: Ethernet with VLAN tags, Linux cooked v1 and v2, loopback, raw IP.

Link types by the numbers of the registry in draft-ietf-opsawg-pcaplinktype.
"""

from __future__ import annotations

from enum import IntEnum


class Link(IntEnum):
    """The link types that are read. 12 and 14: raw IP as some systems number it in files."""

    NULL = 0
    ETHERNET = 1
    RAW_12 = 12
    RAW_14 = 14
    RAW = 101
    LOOP = 108
    LINUX_SLL = 113
    IPV4 = 228
    IPV6 = 229
    LINUX_SLL2 = 276


_IP_TYPES = (0x0800, 0x86DD)
_VLAN_TYPES = (0x8100, 0x88A8, 0x9100)
_MAX_TAGS = 4
_IP_FAMILIES = frozenset((2, 10, 24, 28, 30))  # AF_INET, and AF_INET6 of Linux, *BSD, macOS


def ip_packet(link: int, frame: bytes) -> bytes | None:
    """The IP packet in ``frame``; None where there is none or the link type is not known."""
    if link in (Link.RAW, Link.RAW_12, Link.RAW_14, Link.IPV4, Link.IPV6):
        return frame
    if link == Link.ETHERNET:
        return _tagged(frame, 12)
    if link == Link.LINUX_SLL:
        return _tagged(frame, 14)
    if link == Link.LINUX_SLL2:
        return frame[20:] if int.from_bytes(frame[:2]) in _IP_TYPES else None
    if link in (Link.NULL, Link.LOOP):
        return _loopback(frame)
    return None


def _tagged(frame: bytes, at: int) -> bytes | None:
    """Follow the EtherType at ``at``, through VLAN tags."""
    for _ in range(_MAX_TAGS):
        ether_type = int.from_bytes(frame[at : at + 2])
        if ether_type in _IP_TYPES:
            return frame[at + 2 :]
        if ether_type not in _VLAN_TYPES:
            return None
        at += 4
    return None


def _loopback(frame: bytes) -> bytes | None:
    """The address family is in the byte order of the host that captured (NULL) or big (LOOP)."""
    family = frame[:4]
    if {int.from_bytes(family, "big"), int.from_bytes(family, "little")} & _IP_FAMILIES:
        return frame[4:]
    return None
