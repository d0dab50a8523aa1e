"""The nonce payload, 16 to 256 octets: RFC 7296 3.9."""

from __future__ import annotations

import pytest

from isakmp.payloads.ikev2.nonce import CODEC, LEAST, MOST
from isakmp.payloads.shapes import Octets
from regress.payloads.told import refused, unbuildable


@pytest.mark.parametrize("size", [16, 32, 256])
def test_a_nonce(size: int) -> None:
    assert CODEC.parse(bytes(size)) == Octets(bytes(size))
    assert CODEC.build(Octets(bytes(size))) == bytes(size)


@pytest.mark.parametrize("size", [0, 8, 15, 257])
def test_too_little_and_too_much(size: int) -> None:
    assert refused(CODEC, bytes(size)).rfc == "RFC 7296 3.9"
    unbuildable(CODEC, Octets(bytes(size)))


def test_bounds_are_those_of_the_rfc() -> None:
    assert (LEAST, MOST) == (16, 256)
