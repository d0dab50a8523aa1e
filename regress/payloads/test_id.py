"""The identification payload: sizes that types demand, how identities read. RFC 2407 4.6.2."""

from __future__ import annotations

import pytest

from isakmp.constants.ipsec import Id
from isakmp.payloads.id import CODEC, IdValue, identity
from regress.payloads.told import refused, shown, unbuildable


@pytest.mark.parametrize(
    "body",
    [
        b"\1\0\0", b"\1\0\0\0abc", b"\4\0\0\0abcd", b"\2\0\0\0", b"\5\0\0\0" + bytes(15),
        b"\x0b\0\0\0", b"\7\0\0\0" + bytes(9), b"",
    ],
)  # fmt: skip
def test_refused(body: bytes) -> None:
    refused(CODEC, body)


def test_what_cannot_be_built() -> None:
    unbuildable(CODEC, IdValue(1, 0, 0, b"abc"))
    unbuildable(CODEC, IdValue(2, 0, 65536, b"abc"))


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (Id.IPV4_ADDR, bytes((10, 0, 3, 1)), "10.0.3.1"),
        (Id.IPV4_ADDR_SUBNET, bytes((10, 1, 0, 0, 255, 255, 0, 0)), "10.1.0.0/255.255.0.0"),
        (Id.IPV4_RANGE, bytes((10, 0, 0, 1, 10, 0, 0, 9)), "10.0.0.1-10.0.0.9"),
        (Id.IPV6_ADDR, bytes(15) + b"\1", "::1"),
        (Id.IPV6_ADDR_SUBNET, b"\xfd" + bytes(15) + b"\xff" * 2 + bytes(14), "fd00::/ffff::"),
        (Id.FQDN, b"moon.example.org", '"moon.example.org"'),
        (Id.KEY_ID, b"\1\2", "0102"),
    ],
)
def test_identities_read_as_people_write_them(kind: Id, data: bytes, text: str) -> None:
    assert identity(kind, data) == text
    body = bytes((kind, 0, 0, 0)) + data
    assert shown(CODEC, body) == f"type {kind.name} protocol 0 port 0 data {text}"


def test_what_has_another_size_than_its_type_is_shown_all_the_same() -> None:
    assert identity(Id.IPV4_ADDR, b"abc") == '"abc"' and identity(99, b"\0") == "00"
