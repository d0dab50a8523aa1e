"""The vendor ID payload: RFC 2408 3.16, and the vendor IDs that mean something.

Most are the MD5 of a text, RFC 3947 3.1 being an example; the DPD one is RFC 3706 5.1's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from isakmp.constants.isakmp import Payload
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line
from isakmp.payloads.shapes import octets, octets_twin

VENDOR_RFC3947 = bytes.fromhex("4a131c81070358455c5728f20e95452f")
VENDOR_NAT_T_00 = bytes.fromhex("4485152d18b6bbcd0be8a8469579ddcc")
VENDOR_NAT_T_02 = bytes.fromhex("cd60464335df21f87cfdb2fc68b6a448")
VENDOR_NAT_T_02_NEWLINE = bytes.fromhex("90cb80913ebb696e086381b5ec427b1f")
VENDOR_NAT_T_03 = bytes.fromhex("7d9419a65310ca6f2c179d9215529d56")
VENDOR_DPD = bytes.fromhex("afcad71368a1f1c96b8696fc77570100")
VENDOR_XAUTH = bytes.fromhex("09002689dfd6b712")
VENDOR_FRAGMENTATION = bytes.fromhex("4048b7d56ebce88525e7de7f00d6c2d3")
VENDOR_UNITY = bytes.fromhex("12f5f28c457168a9702d9fe274cc0100")
VENDOR_STRONGSWAN = bytes.fromhex("882fe56d6fd20dbc2251613b2ebe5beb")

NAMES: Mapping[bytes, str] = MappingProxyType(
    {
        VENDOR_RFC3947: "RFC 3947 NAT-T",
        VENDOR_NAT_T_00: "draft-ietf-ipsec-nat-t-ike-00",
        bytes.fromhex("16f6ca16e4a4066d83821a0f0aeaa862"): "draft-ietf-ipsec-nat-t-ike-01",
        VENDOR_NAT_T_02: "draft-ietf-ipsec-nat-t-ike-02",
        VENDOR_NAT_T_02_NEWLINE: "draft-ietf-ipsec-nat-t-ike-02\\n",
        VENDOR_NAT_T_03: "draft-ietf-ipsec-nat-t-ike-03",
        VENDOR_XAUTH: "XAUTH",
        VENDOR_STRONGSWAN: "strongSwan",
    }
)
"""Vendor IDs that are compared whole."""

PREFIXES: Mapping[bytes, str] = MappingProxyType(
    {
        VENDOR_DPD[:14]: "DPD",
        VENDOR_UNITY[:14]: "Cisco Unity",
        VENDOR_FRAGMENTATION: "fragmentation",
        bytes.fromhex("1e2b516905991c7d7c96fcbfb587e461"): "Microsoft Windows",
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


def _describe(value: Mapping[str, Any]) -> list[Line]:
    data: bytes = value["data"]
    return [("", f"{vendor_name(data) or 'unknown'} data {show.text(data)}")]


CODEC = Codec(
    "VENDOR",
    Payload.VENDOR,
    octets(0),
    "RFC 2408 3.16",
    ((VENDOR_DPD.hex(), {"data": VENDOR_DPD}), ("", {"data": b""})),
    _describe,
    octets_twin(0),
)
