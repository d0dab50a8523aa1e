"""The IP packet in a frame, whatever carries it: link types, EtherTypes, PPP.

Link types by the numbers of the registry in draft-ietf-opsawg-pcaplinktype. What is in a frame is
found by following one header after the other; each is a row of a table. RFC 894, RFC 1042
(LLC/SNAP), RFC 1661 and 1662 (PPP), RFC 2516 (PPPoE), RFC 3032 (MPLS).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from types import MappingProxyType


class Link(IntEnum):
    """The link types that are read. 12 and 14: raw IP as some systems number it in files."""

    NULL = 0
    ETHERNET = 1
    PPP = 9
    RAW_12 = 12
    RAW_14 = 14
    PPP_HDLC = 50
    PPP_ETHER = 51
    RAW = 101
    LOOP = 108
    ENC = 109
    LINUX_SLL = 113
    PFLOG = 117
    PPP_WITH_DIR = 204
    IPV4 = 228
    IPV6 = 229
    NFLOG = 239
    LINUX_SLL2 = 276


_IPV4, _IPV6 = 0x0800, 0x86DD
_MAX_TAGS = 8
_MAX_LENGTH = 1500
"""Up to here the field of an Ethernet header is a length (IEEE 802.3), not a type."""
_IP_FAMILIES = frozenset((2, 10, 24, 28, 30))  # AF_INET, and AF_INET6 of Linux, *BSD, macOS
_NFULA_PAYLOAD = 9

Reader = Callable[[bytes], bytes | None]


def ip_packet(link: int, frame: bytes) -> bytes | None:
    """The IP packet in ``frame``; None where there is none or the link type is not read."""
    reader = _LINKS.get(link)
    return reader(frame) if reader else None


def is_read(link: int) -> bool:
    """Whether frames of that link type are looked into."""
    return link in _LINKS


def ethernet(frame: bytes) -> bytes | None:
    """The IP packet in an Ethernet frame, from its first address on."""
    return _typed(frame[12:])


def of_type(ether_type: int, data: bytes) -> bytes | None:
    """The IP packet in what an EtherType announces; tags and labels are taken off."""
    for _ in range(_MAX_TAGS):
        if ether_type in (_IPV4, _IPV6):
            return data
        if ether_type <= _MAX_LENGTH:
            return _snap(data)
        if ether_type in (0x8864, 0x880B):  # PPPoE's session; PPP in GRE
            return ppp(data[6:] if ether_type == 0x8864 else data)
        if ether_type in (0x8847, 0x8848):
            return _labelled(data)
        if ether_type == 0x6558:  # Ethernet in GRE
            return ethernet(data)
        if ether_type not in (0x8100, 0x88A8, 0x9100):  # VLAN tags
            return None
        ether_type, data = int.from_bytes(data[2:4]), data[4:]
    return None


def _typed(data: bytes) -> bytes | None:
    return of_type(int.from_bytes(data[:2]), data[2:]) if len(data) > 2 else None


def _snap(data: bytes) -> bytes | None:
    """LLC with a SNAP header whose organization is 0: an EtherType follows."""
    return _typed(data[6:]) if data[:6] == b"\xaa\xaa\x03\0\0\0" else None


def _labelled(data: bytes) -> bytes | None:
    """MPLS says not what it carries: IP shows its version, all else is passed over."""
    for at in range(0, 4 * _MAX_TAGS, 4):
        if len(data) < at + 5:
            return None
        if data[at + 2] & 1:  # the bottom of the stack
            return data[at + 4 :] if data[at + 4] >> 4 in (4, 6) else None
    return None


def ppp(data: bytes) -> bytes | None:
    """PPP, with or without its address and control octets; the protocol may be one octet."""
    if data[:2] == b"\xff\x03":
        data = data[2:]
    size = 1 if data and data[0] & 1 else 2
    return data[size:] if int.from_bytes(data[:size]) in (0x0021, 0x0057) else None


def _loopback(frame: bytes) -> bytes | None:
    """The address family is in the byte order of the host that captured (NULL) or big (LOOP)."""
    family = frame[:4]
    if {int.from_bytes(family, "big"), int.from_bytes(family, "little")} & _IP_FAMILIES:
        return frame[4:]
    return None


def _enc(frame: bytes) -> bytes | None:
    """OpenBSD's enc(4): an address family, an SPI and flags of 4 octets each."""
    return _loopback(frame[:4] + frame[12:])


def _pflog(frame: bytes) -> bytes | None:
    """OpenBSD's pflog(4): the length of its header, which is filled up to 4 octets, is first."""
    size = frame[0] if frame else 0
    return frame[size + 3 & ~3 :] if size and frame[1:2] and frame[1] in _IP_FAMILIES else None


def _nflog(frame: bytes) -> bytes | None:
    """Linux's NFLOG: attributes in the byte order of the host that captured."""
    for order in ("little", "big"):
        found = _nflog_payload(frame, order == "little")
        if found is not None:
            return found
    return None


def _nflog_payload(frame: bytes, little: bool) -> bytes | None:
    at = 4
    while at + 4 <= len(frame):
        size, kind = (
            int.from_bytes(frame[i : i + 2], "little" if little else "big") for i in (at, at + 2)
        )
        if not 4 <= size <= len(frame) - at:
            return None
        if kind == _NFULA_PAYLOAD:
            return frame[at + 4 : at + size]
        at += size + 3 & ~3
    return None


def _sll2(frame: bytes) -> bytes | None:
    return of_type(int.from_bytes(frame[:2]), frame[20:])


_LINKS: Mapping[int, Reader] = MappingProxyType(
    {
        **dict.fromkeys(
            (Link.RAW, Link.RAW_12, Link.RAW_14, Link.IPV4, Link.IPV6), lambda frame: frame
        ),
        Link.NULL: _loopback,
        Link.LOOP: _loopback,
        Link.ETHERNET: ethernet,
        Link.LINUX_SLL: lambda frame: _typed(frame[14:]),
        Link.LINUX_SLL2: _sll2,
        Link.PPP: ppp,
        Link.PPP_HDLC: ppp,
        Link.PPP_ETHER: lambda frame: ppp(frame[6:]),
        Link.PPP_WITH_DIR: lambda frame: ppp(frame[1:]),
        Link.ENC: _enc,
        Link.PFLOG: _pflog,
        Link.NFLOG: _nflog,
    }
)
