"""The vendor ID payload: RFC 2408 3.16, and the vendor IDs that mean something.

Most are the MD5 of a text, RFC 3947 3.1 being an example; the DPD one is RFC 3706 5.1's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from isakmp.constants.isakmp import Payload
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line
from isakmp.payloads.shapes import Octets, octets, octets_twin


def _of(text: str) -> bytes:
    return hashlib.md5(text.encode(), usedforsecurity=False).digest()


VENDOR_RFC3947 = _of("RFC 3947")
VENDOR_NAT_T_02 = _of("draft-ietf-ipsec-nat-t-ike-02")
VENDOR_NAT_T_02_NEWLINE = _of("draft-ietf-ipsec-nat-t-ike-02\n")
VENDOR_NAT_T_03 = _of("draft-ietf-ipsec-nat-t-ike-03")
VENDOR_DPD = bytes.fromhex("afcad71368a1f1c96b8696fc77570100")
VENDOR_XAUTH = bytes.fromhex("09002689dfd6b712")
VENDOR_UNITY = bytes.fromhex("12f5f28c457168a9702d9fe274cc0100")
VENDOR_FRAGMENTATION = _of("FRAGMENTATION")
VENDOR_STRONGSWAN = _of("strongSwan")

_TEXTS = (
    "RFC 3947",
    *(f"draft-ietf-ipsec-nat-t-ike-{number:02}" for number in range(9)),
    "draft-stenberg-ipsec-nat-traversal-01",
    "draft-stenberg-ipsec-nat-traversal-02",
    "draft-huttunen-ipsec-esp-in-udp-00.txt",
    "strongSwan",
    "KAME/racoon",
    "GSSAPI",
    "Vid-Initial-Contact",
    "IKE CGA version 1",
)

NAMES: Mapping[bytes, str] = MappingProxyType(
    {
        **{_of(text): text for text in _TEXTS},
        VENDOR_NAT_T_02_NEWLINE: "draft-ietf-ipsec-nat-t-ike-02 (with newline)",
        VENDOR_XAUTH: "XAUTH",
    }
)
"""Vendor IDs that are compared whole."""

PREFIXES: Mapping[bytes, str] = MappingProxyType(
    {
        VENDOR_DPD[:14]: "DPD",
        VENDOR_UNITY[:14]: "Cisco Unity",
        VENDOR_FRAGMENTATION: "fragmentation",
        _of("MS NT5 ISAKMPOAKLEY"): "Microsoft Windows",
        bytes.fromhex("f4ed19e0c114eb516faaac0ee37daf2807b4381f"): "Check Point",
        b"HeartBeat_Notify": "ScreenOS heartbeat",
        b"OE": "Openswan",
    }
)
"""Vendor IDs that a version or flags follow."""


def vendor_name(data: bytes) -> str:
    """Who or what a vendor ID stands for; empty where that is not known."""
    if name := NAMES.get(data):
        return name
    return next((name for prefix, name in PREFIXES.items() if data.startswith(prefix)), "")


def _describe(value: Octets) -> list[Line]:
    said = vendor_name(value.data) or "unknown"
    return [("", f"{said} data {show.text(value.data)}")]


CODEC = Codec(
    "VENDOR",
    Payload.VENDOR,
    octets(0),
    "RFC 2408 3.16",
    ((VENDOR_DPD.hex(), Octets(VENDOR_DPD)), ("", Octets(b""))),
    _describe,
    octets_twin(0),
)
