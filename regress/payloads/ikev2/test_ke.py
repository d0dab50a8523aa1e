"""The key exchange payload: RFC 7296 3.4."""

from __future__ import annotations

import pytest

from isakmp.payloads.ikev2.ke import CODEC, KeValue
from regress.payloads.told import refused, shown, unbuildable


def test_reserved_octets_are_ignored_and_sent_as_zero() -> None:
    value = KeValue(31, b"\x0b" * 32)
    assert CODEC.build(value) == b"\0\x1f\0\0" + b"\x0b" * 32
    assert CODEC.parse(b"\0\x1f\xff\xff" + b"\x0b" * 32) == value


@pytest.mark.parametrize("body", [b"", b"\0\x1f\0", b"\0\x1f\0\0"])
def test_without_a_value_it_is_none(body: bytes) -> None:
    refused(CODEC, body)


def test_what_cannot_be_built() -> None:
    unbuildable(CODEC, KeValue(31, b""))
    unbuildable(CODEC, KeValue(65536, b"a"))


@pytest.mark.parametrize(
    ("group", "name"), [(31, "CURVE25519"), (14, "MODP_2048"), (36, "ML_KEM_768"), (0, "NONE")]
)
def test_methods_of_both_registries_are_named(group: int, name: str) -> None:
    assert shown(CODEC, group.to_bytes(2, "big") + b"\0\0\xab") == f"group {name} data ab"
