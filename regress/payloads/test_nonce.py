"""The nonce payload: 8 octets at least, 256 at most. RFC 2409 5."""

from __future__ import annotations

import pytest

from isakmp.constants.isakmp import Payload
from isakmp.payloads.nonce import CODEC
from isakmp.payloads.shapes import Octets
from regress.payloads.told import refused, shown, unbuildable


@pytest.mark.parametrize("size", [8, 256])
def test_its_body_is_its_data(size: int) -> None:
    body = bytes(range(256)) * 4
    assert CODEC.parse(body[:size]) == Octets(body[:size])
    assert CODEC.build(Octets(body[:size])) == body[:size]


@pytest.mark.parametrize("size", [0, 7, 257])
def test_too_little_and_too_much(size: int) -> None:
    refused(CODEC, bytes(size))
    unbuildable(CODEC, Octets(bytes(size)))


def test_it_is_shown_in_hexadecimal_as_far_as_fits_on_a_line() -> None:
    assert shown(CODEC, b"\xa5" * 8) == "data " + "a5" * 8
    assert shown(CODEC, b"\xa5" * 64) == "data " + "a5" * 32 + "... (64 octets)"
    assert (CODEC.name, CODEC.type) == ("NONCE", Payload.NONCE)
