"""The vendor ID payload: any octets, or none. RFC 7296 3.12."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.payloads.ikev2.vendor import CODEC
from isakmp.payloads.shapes import Octets
from regress.payloads.told import shown, unbuildable


@pytest.mark.parametrize("data", [b"", b"example", bytes(300)])
def test_any_octets(data: bytes) -> None:
    assert CODEC.parse(data) == Octets(data) and CODEC.build(Octets(data)) == data


@pytest.mark.parametrize(
    ("data", "text"), [(b"example", '"example"'), (b"", "-"), (b"\x1b[31m", "1b5b33316d")]
)
def test_what_is_text_reads_so_and_nothing_else(data: bytes, text: str) -> None:
    assert shown(CODEC, data) == f"data {text}"


def test_numbers_are_no_octets() -> None:
    number: Any = 7
    unbuildable(CODEC, Octets(number))
    unbuildable(CODEC, ())
