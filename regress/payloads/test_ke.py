"""The key exchange payload: 1 octet at least. RFC 2408 3.7."""

from __future__ import annotations

import pytest

from isakmp.constants.isakmp import Payload
from isakmp.payloads.ke import CODEC
from regress.payloads.told import refused, shown, unbuildable


@pytest.mark.parametrize("size", [1, 1024])
def test_its_body_is_its_data(size: int) -> None:
    body = bytes(range(256)) * 4
    assert CODEC.parse(body[:size]) == {"data": body[:size]}
    assert CODEC.build({"data": body[:size]}) == body[:size]


@pytest.mark.parametrize("size", [0])
def test_too_little(size: int) -> None:
    refused(CODEC, bytes(size))
    unbuildable(CODEC, {"data": bytes(size)})


def test_it_is_shown_in_hexadecimal_as_far_as_fits_on_a_line() -> None:
    assert shown(CODEC, b"\xa5" * 8) == "data " + "a5" * 8
    assert shown(CODEC, b"\xa5" * 64) == "data " + "a5" * 32 + "... (64 octets)"
    assert (CODEC.name, CODEC.type) == ("KE", Payload.KE)
