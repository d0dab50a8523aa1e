"""The NAT original address payload: one address. RFC 3947 5.2."""

from __future__ import annotations

import pytest

from isakmp.payloads.nat_oa import CODEC, AddressValue
from regress.payloads.told import refused, shown, unbuildable


@pytest.mark.parametrize(
    "body",
    [
        b"\1\0\0\0abc", b"\1\0\0\1abcd", b"\2\0\0\0abcd", b"\1\0\0\0" + bytes(16), b"\1\0\0",
        b"\5\0\0\0abcd", b"\1\0\0\0abcde",
    ],
)  # fmt: skip
def test_what_is_no_address(body: bytes) -> None:
    refused(CODEC, body)


@pytest.mark.parametrize(
    ("kind", "size"), [(1, 16), (5, 4), (2, 4), (4, 8)], ids=["IPv4", "IPv6", "FQDN", "subnet"]
)
def test_what_cannot_be_built(kind: int, size: int) -> None:
    unbuildable(CODEC, AddressValue(kind, bytes(size)))


def test_addresses_read_as_people_write_them() -> None:
    assert shown(CODEC, b"\1\0\0\0\x0a\0\3\1") == "type IPV4_ADDR data 10.0.3.1"
    assert shown(CODEC, b"\5\0\0\0" + bytes(15) + b"\1") == "type IPV6_ADDR data ::1"
