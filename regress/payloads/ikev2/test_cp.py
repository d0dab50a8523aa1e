"""The configuration payload: RFC 7296 3.15."""

from __future__ import annotations

import pytest

from isakmp.constants.ikev2 import ConfigType
from isakmp.payloads.ikev2.cp import CODEC, MAX_ATTRIBUTES, CpAttribute, CpValue
from regress.payloads.told import refused, unbuildable


def attribute(kind: int, value: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value


def test_an_attribute_of_no_octets_asks_for_a_value() -> None:
    value = CpValue(1, (CpAttribute(1, b""),))
    assert CODEC.build(value) == b"\1\0\0\0" + attribute(1, b"")
    assert CODEC.parse(CODEC.build(value)) == value


def test_reserved_bits_are_ignored() -> None:
    body = b"\1\xff\xff\xff" + attribute(0x8001, b"\n\0\0\1")
    assert CODEC.parse(body) == CpValue(1, (CpAttribute(1, b"\n\0\0\1"),))


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"\1\0\0", "CP"),
        (b"\1\0\0\0\0\1\0", "CP.attribute[0]"),
        (b"\1\0\0\0" + attribute(1, b"") + b"\0\1\0\5abcd", "CP.attribute[1]"),
        (b"\1\0\0\0" + attribute(1, b"") * (MAX_ATTRIBUTES + 1), "CP"),
    ],
    ids=["short", "cut", "longer than there is", "too many"],
)
def test_refused(body: bytes, path: str) -> None:
    assert refused(CODEC, body).path.startswith(path)


def test_what_cannot_be_built() -> None:
    unbuildable(CODEC, CpValue(1, (CpAttribute(0x8000, b""),)))
    unbuildable(CODEC, CpValue(256, ()))


def test_a_dump_reads() -> None:
    body = (
        b"\2\0\0\0" + attribute(1, b"\n\1\1\1") + attribute(7, b"gw 1") + attribute(0x7F00, b"\xaa")
    )
    assert CODEC.describe(CODEC.parse(body)) == [
        ("", f"type {ConfigType(2).name}"),
        (".attribute[0]", "INTERNAL_IP4_ADDRESS = 10.1.1.1"),
        (".attribute[1]", 'APPLICATION_VERSION = "gw 1"'),
        (".attribute[2]", "UNKNOWN(32512) = aa"),
    ]
