"""The attribute payload of mode config and XAUTH: it reads, and hides passwords."""

from __future__ import annotations

import pytest

from isakmp.constants.isakmp import ConfigAttribute
from isakmp.payloads.attribute import CODEC
from regress.payloads.told import refused, unbuildable


@pytest.mark.parametrize(
    "body",
    [b"\1\0\0", bytes.fromhex("01010001"), bytes.fromhex("0100000100010005aabb")],
    ids=["short", "reserved octet", "cut"],
)
def test_refused(body: bytes) -> None:
    refused(CODEC, body)


@pytest.mark.parametrize("attributes", [[{"type": 1}], [{"type": 1, "value": 1}] * 65])
def test_what_cannot_be_built(attributes: list[dict[str, int]]) -> None:
    unbuildable(CODEC, {"type": 1, "identifier": 1, "attributes": attributes})


def test_a_request_asks_with_attributes_of_no_octets() -> None:
    value = {"type": 1, "identifier": 42, "attributes": [{"type": 1, "value": b""}]}
    assert CODEC.build(value) == bytes.fromhex("0100002a00010000")
    assert CODEC.parse(CODEC.build(value)) == value


def test_mode_config_reads_and_hides_passwords() -> None:
    attributes = [
        {"type": ConfigAttribute.INTERNAL_IP4_ADDRESS, "value": bytes((10, 1, 0, 2))},
        {"type": ConfigAttribute.INTERNAL_IP4_SUBNET, "value": bytes((10, 0, 0, 0, 255, 0, 0, 0))},
        {"type": ConfigAttribute.INTERNAL_IP4_DNS, "value": b""},
        {"type": ConfigAttribute.XAUTH_STATUS, "value": 1},
        {"type": ConfigAttribute.XAUTH_USER_NAME, "value": b"jo"},
        {"type": ConfigAttribute.XAUTH_USER_PASSWORD, "value": b"hunter2"},
        {"type": ConfigAttribute.XAUTH_PASSCODE, "value": b""},
    ]
    lines = CODEC.describe({"type": 2, "identifier": 5, "attributes": attributes})
    assert lines[0] == ("", "type REPLY identifier 5")
    assert [where for where, _ in lines[1:]] == [f".attribute[{n}]" for n in range(7)]
    assert [text.partition(" = ")[2] for _, text in lines[1:]] == [
        "10.1.0.2", "10.0.0.0/255.0.0.0", "-", "1", '"jo"', "(hidden)", "-",
    ]  # fmt: skip
