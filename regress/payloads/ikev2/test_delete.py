"""The delete payload: for an IKE SA it names no SPI. RFC 7296 3.11."""

from __future__ import annotations

import pytest

from isakmp.payloads.ikev2.delete import CODEC, DeleteValue
from regress.payloads.told import refused, shown, unbuildable


def test_an_ike_sa_is_named_by_the_header() -> None:
    assert CODEC.build(DeleteValue(1, ())) == b"\1\0\0\0"
    assert CODEC.parse(b"\1\0\0\0") == DeleteValue(1, ())
    assert CODEC.parse(b"\1\x08\0\0") == DeleteValue(1, ()), "none of eight octets"


@pytest.mark.parametrize(
    "body",
    [b"\3\4\0", b"\3\0\0\1", b"\3\0\xff\xff", b"\3\4\0\2abcd", b"\3\4\0\1abcde", b"\1\0\0\0a"],
    ids=["short", "of no octets", "a list out of nothing", "too few", "left over", "behind none"],
)
def test_refused(body: bytes) -> None:
    refused(CODEC, body)


@pytest.mark.parametrize("spis", [[b""], [b"abcd", b"abc"], [bytes(256)]])
def test_what_cannot_be_built(spis: list[bytes]) -> None:
    unbuildable(CODEC, DeleteValue(3, tuple(spis)))


def test_thousands_are_shown_in_part() -> None:
    value = DeleteValue(3, tuple(n.to_bytes(4, "big") for n in range(1000)))
    text = shown(CODEC, CODEC.build(value))
    assert text.endswith("... (1000 SPIs)") and len(text) < 400
    assert shown(CODEC, b"\3\4\0\1\1\2\3\4") == "protocol_id ESP spis 01020304"
    assert shown(CODEC, b"\1\0\0\0") == "protocol_id IKE spis -"
