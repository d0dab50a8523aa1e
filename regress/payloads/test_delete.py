"""The delete payload: SPIs of one size, one at least. RFC 2408 3.15."""

from __future__ import annotations

import pytest

from isakmp.payloads.delete import CODEC, MAX_SPIS, DeleteValue
from regress.payloads.told import refused, shown, unbuildable


@pytest.mark.parametrize(
    "body",
    [
        bytes(7),
        bytes.fromhex("0000000103040000"),
        bytes.fromhex("000000010300ffff"),
        bytes.fromhex("0000000103040002deadbeef"),
        bytes.fromhex("0000000103040001deadbeef00"),
        b"\0\0\0\1\3\1" + (MAX_SPIS + 1).to_bytes(2, "big") + bytes(MAX_SPIS + 1),
    ],
    ids=["short", "none", "of no octets", "too few", "left over", "too many"],
)
def test_refused(body: bytes) -> None:
    refused(CODEC, body)


@pytest.mark.parametrize(
    "spis", [[], [b""], [b"abcd", b"abc"], [b"a"] * (MAX_SPIS + 1), [bytes(256)]]
)
def test_what_cannot_be_built(spis: list[bytes]) -> None:
    unbuildable(CODEC, DeleteValue(1, 3, tuple(spis)))


def test_as_many_as_there_may_be() -> None:
    value = DeleteValue(1, 3, tuple(n.to_bytes(4, "big") for n in range(MAX_SPIS)))
    assert CODEC.parse(CODEC.build(value)) == value


def test_deletes_list_their_spis() -> None:
    body = bytes.fromhex("0000000103040002deadbeef00001001")
    assert shown(CODEC, body) == "doi IPSEC protocol_id IPSEC_ESP spis deadbeef 00001001"
