"""The identification payloads: sizes that types demand. RFC 7296 3.5, RFC 7619 2.2."""

from __future__ import annotations

import pytest

from isakmp.payloads.ikev2.id import CODEC, CODEC_R, IdValue
from regress.payloads.told import refused, shown, unbuildable


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (1, b"\xc0\0\2\1", "IPV4_ADDR data 192.0.2.1"),
        (5, bytes(15) + b"\1", "IPV6_ADDR data ::1"),
        (2, b"gw.example", 'FQDN data "gw.example"'),
        (11, b"\1\2", "KEY_ID data 0102"),
        (13, b"", "NULL data -"),
        (99, b"a", 'UNKNOWN(99) data "a"'),
    ],
)
def test_identities(kind: int, data: bytes, text: str) -> None:
    body = bytes([kind, 0, 0, 0]) + data
    assert CODEC.parse(bytes([kind, 1, 2, 3]) + data) == IdValue(kind, data)
    assert CODEC.build(IdValue(kind, data)) == body
    assert shown(CODEC, body) == shown(CODEC_R, body) == f"type {text}"


@pytest.mark.parametrize(
    ("kind", "size"), [(1, 3), (1, 5), (5, 4), (13, 1)], ids=["less", "more", "IPv6", "ID_NULL"]
)
def test_of_another_size_it_is_none(kind: int, size: int) -> None:
    refused(CODEC, bytes([kind, 0, 0, 0]) + bytes(size))
    unbuildable(CODEC, IdValue(kind, bytes(size)))


@pytest.mark.parametrize("body", [b"", b"\2\0\0"])
def test_without_a_whole_header_it_is_none(body: bytes) -> None:
    refused(CODEC, body)
    assert refused(CODEC_R, body).path == "IDr"


def test_they_are_two_payloads() -> None:
    assert ((CODEC.name, CODEC.type), (CODEC_R.name, CODEC_R.type)) == (("IDi", 35), ("IDr", 36))
