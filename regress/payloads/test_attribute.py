"""The attribute payload of mode config and XAUTH: it reads, and hides passwords."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants.isakmp import ConfigAttribute
from isakmp.payloads.attribute import CODEC, ConfigValue
from isakmp.payloads.data_attribute import DataAttribute
from regress.payloads.told import refused, unbuildable


@pytest.mark.parametrize(
    "body",
    [b"\1\0\0", bytes.fromhex("01010001"), bytes.fromhex("0100000100010005aabb")],
    ids=["short", "reserved octet", "cut"],
)
def test_refused(body: bytes) -> None:
    refused(CODEC, body)


@pytest.mark.parametrize("attributes", [[()], [DataAttribute(1, 1)] * 65])
def test_what_cannot_be_built(attributes: list[Any]) -> None:
    unbuildable(CODEC, ConfigValue(1, 1, tuple(attributes)))


def test_a_request_asks_with_attributes_of_no_octets() -> None:
    value = ConfigValue(1, 42, (DataAttribute(1, b""),))
    assert CODEC.build(value) == bytes.fromhex("0100002a00010000")
    assert CODEC.parse(CODEC.build(value)) == value


def test_mode_config_reads_and_hides_passwords() -> None:
    attributes = [
        DataAttribute(ConfigAttribute.INTERNAL_IP4_ADDRESS, bytes((10, 1, 0, 2))),
        DataAttribute(ConfigAttribute.INTERNAL_IP4_SUBNET, bytes((10, 0, 0, 0, 255, 0, 0, 0))),
        DataAttribute(ConfigAttribute.INTERNAL_IP4_DNS, b""),
        DataAttribute(ConfigAttribute.XAUTH_STATUS, 1),
        DataAttribute(ConfigAttribute.XAUTH_USER_NAME, b"jo"),
        DataAttribute(ConfigAttribute.XAUTH_USER_PASSWORD, b"hunter2"),
        DataAttribute(ConfigAttribute.XAUTH_PASSCODE, b""),
    ]
    lines = CODEC.describe(ConfigValue(2, 5, tuple(attributes)))
    assert lines[0] == ("", "type REPLY identifier 5")
    assert [where for where, _ in lines[1:]] == [f".attribute[{n}]" for n in range(7)]
    assert [text.partition(" = ")[2] for _, text in lines[1:]] == [
        "10.1.0.2", "10.0.0.0/255.0.0.0", "-", "1", '"jo"', "(hidden)", "-",
    ]  # fmt: skip
