"""The EAP payload: one message of RFC 3748 4, as long as it says. RFC 7296 3.16."""

from __future__ import annotations

import pytest

from isakmp.constants import name_of
from isakmp.constants.ikev2 import EapCode, EapType
from isakmp.payloads.ikev2.eap import CODEC, EapValue
from regress.payloads.told import refused, shown, unbuildable


@pytest.mark.parametrize(
    ("text", "kind", "data"),
    [
        ("0107000501", 1, b""), ("0207000801626f62", 1, b"bob"), ("03080004", None, b""),
        ("04080004", None, b""), ("05090006abcd", None, b"\xab\xcd"),
    ],
)  # fmt: skip
def test_requests_and_responses_have_a_type(text: str, kind: int | None, data: bytes) -> None:
    body = bytes.fromhex(text)
    value = EapValue(body[0], body[1], kind, data)
    assert CODEC.parse(body) == value and CODEC.build(value) == body


@pytest.mark.parametrize(
    "text",
    ["", "010700", "01070004", "0107000601", "010700050100", "03080005aa", "04080003", "03080005"],
)
def test_refused(text: str) -> None:
    refused(CODEC, bytes.fromhex(text))


def test_a_success_says_nothing_else() -> None:
    """RFC 3748 4.2."""
    unbuildable(CODEC, EapValue(3, 1, None, b"a"))


def test_an_identity_reads_as_text() -> None:
    name = EapType(1).name
    assert shown(CODEC, bytes.fromhex("0207000801626f62")) == (
        f'RESPONSE identifier 7 type {name} data "bob"'
    )
    assert shown(CODEC, bytes.fromhex("03080004")) == "SUCCESS identifier 8"
    assert (
        shown(CODEC, bytes.fromhex("05090006abcd"))
        == f"{name_of(EapCode, 5)} identifier 9 data abcd"
    )
