"""Vendor IDs: published digests, and the names of those that are known."""

from __future__ import annotations

from hashlib import md5

import pytest

from isakmp.payloads import vendor
from regress.payloads.told import shown


@pytest.mark.parametrize(
    ("constant", "text", "digest"),
    [
        (vendor.VENDOR_RFC3947, "RFC 3947", "4a131c81070358455c5728f20e95452f"),
        (
            vendor.VENDOR_NAT_T_02_NEWLINE,
            "draft-ietf-ipsec-nat-t-ike-02\n",
            "90cb80913ebb696e086381b5ec427b1f",
        ),
        (
            vendor.VENDOR_NAT_T_02,
            "draft-ietf-ipsec-nat-t-ike-02",
            "cd60464335df21f87cfdb2fc68b6a448",
        ),
        (
            vendor.VENDOR_NAT_T_03,
            "draft-ietf-ipsec-nat-t-ike-03",
            "7d9419a65310ca6f2c179d9215529d56",
        ),
        (vendor.VENDOR_FRAGMENTATION, "FRAGMENTATION", "4048b7d56ebce88525e7de7f00d6c2d3"),
        (vendor.VENDOR_STRONGSWAN, "strongSwan", "882fe56d6fd20dbc2251613b2ebe5beb"),
    ],
)
def test_vendor_ids_are_the_published_digests(constant: bytes, text: str, digest: str) -> None:
    assert constant.hex() == digest == md5(text.encode(), usedforsecurity=False).hexdigest()
    assert vendor.vendor_name(constant)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (vendor.VENDOR_DPD, "DPD"),
        (vendor.VENDOR_DPD[:14] + b"\1\1", "DPD"),
        (vendor.VENDOR_XAUTH, "XAUTH"),
        (vendor.VENDOR_FRAGMENTATION + b"\x80\0\0\0", "fragmentation"),
        (vendor.VENDOR_RFC3947, "RFC 3947"),
        (b"HeartBeat_Notify8k\1\0", "ScreenOS heartbeat"),
        (bytes(16), ""),
    ],
)
def test_vendor_names(data: bytes, name: str) -> None:
    assert vendor.vendor_name(data) == name
    assert shown(vendor.CODEC, data).startswith(name or "unknown")
