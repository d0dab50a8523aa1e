"""The authentication payload: a method, and data. RFC 7296 3.8, RFC 7427 3."""

from __future__ import annotations

import pytest

from isakmp.constants.ikev2 import Auth
from isakmp.payloads.ikev2.auth import CODEC, AuthValue
from regress.payloads.told import refused, shown, unbuildable


def test_reserved_octets_are_ignored_and_sent_as_zero() -> None:
    value = AuthValue(2, b"\x5a" * 20)
    assert CODEC.build(value) == b"\2\0\0\0" + b"\x5a" * 20
    assert CODEC.parse(b"\2\xff\xff\xff" + b"\x5a" * 20) == value


@pytest.mark.parametrize("body", [b"", b"\2\0\0", b"\2\0\0\0"])
def test_nothing_proves_nothing(body: bytes) -> None:
    refused(CODEC, body)


def test_what_cannot_be_built() -> None:
    unbuildable(CODEC, AuthValue(2, b""))
    unbuildable(CODEC, AuthValue(256, b"\1"))


@pytest.mark.parametrize(
    ("method", "name"), [(2, Auth(2).name), (14, Auth(14).name), (99, "UNKNOWN(99)")]
)
def test_methods_are_named(method: int, name: str) -> None:
    assert shown(CODEC, bytes([method, 0, 0, 0, 0xAB])) == f"method {name} data ab"
