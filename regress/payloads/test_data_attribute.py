"""Data attributes: the short form is a number, the long one octets. RFC 2408 3.3."""

from __future__ import annotations

import struct

import pytest

from isakmp.payloads.base import Misfit
from isakmp.payloads.data_attribute import (
    MAX_ATTRIBUTES,
    DataAttribute,
    build_attributes,
    describe_attribute,
    parse_attributes,
)


def test_both_forms() -> None:
    attributes = DataAttribute(1, 7), DataAttribute(2, b"\0\0\x70\x80")
    data = bytes.fromhex("800100070002000400007080")
    assert build_attributes(attributes) == data
    assert parse_attributes(data) == attributes
    assert parse_attributes(b"??" + data + b"??", 2, 2 + len(data)) == attributes


@pytest.mark.parametrize(
    ("text", "where", "at"),
    [
        ("800100", ".attribute[0]", 0),
        ("80010007 8002", ".attribute[1]", 4),
        ("80010007 00020005 00007080", ".attribute[1]", 4),
        ("80010007" * (MAX_ATTRIBUTES + 1), f".attribute[{MAX_ATTRIBUTES}]", 4 * MAX_ATTRIBUTES),
    ],
    ids=["cut", "second cut", "longer than there is", "too many"],
)
def test_what_does_not_fit_is_said_of_its_place(text: str, where: str, at: int) -> None:
    with pytest.raises(Misfit) as caught:
        parse_attributes(bytes.fromhex(text), place=".x")
    assert (caught.value.where, caught.value.at) == (f".x{where}", at)


def test_as_many_as_there_may_be() -> None:
    many = (DataAttribute(1, 1),) * MAX_ATTRIBUTES
    assert parse_attributes(build_attributes(many)) == many
    with pytest.raises(ValueError, match="64 are possible"):
        build_attributes([*many, many[0]])


@pytest.mark.parametrize(
    "attribute",
    [
        DataAttribute(0x8000, 1), DataAttribute(-1, 1), DataAttribute(0x8000, b"a"),
        DataAttribute(1, 65536), DataAttribute(1, -1), DataAttribute(1, bytes(65536)),
    ],
)  # fmt: skip
def test_what_cannot_be_built(attribute: DataAttribute) -> None:
    with pytest.raises((ValueError, struct.error)):
        build_attributes([attribute])


@pytest.mark.parametrize(
    ("protocol", "attribute", "text"),
    [
        (1, DataAttribute(1, 7), "ENCRYPTION_ALGORITHM = AES_CBC"),
        (1, DataAttribute(12, b"\0\1\0\0"), "LIFE_DURATION = 65536"),
        (3, DataAttribute(4, 1), "ENCAPSULATION_MODE = TUNNEL"),
        (3, DataAttribute(5, 250), "AUTHENTICATION_ALGORITHM = UNKNOWN(250)"),
        (3, DataAttribute(999, 1), "UNKNOWN(999) = 1"),
    ],
)
def test_each_protocol_has_names_of_its_own(
    protocol: int, attribute: DataAttribute, text: str
) -> None:
    assert describe_attribute(attribute, protocol) == text


def test_attributes_of_octets_too_long_for_a_number() -> None:
    attribute = DataAttribute(6, bytes(64))
    assert describe_attribute(attribute, 1) == f"GROUP_PRIME = {'00' * 32}... (64 octets)"
