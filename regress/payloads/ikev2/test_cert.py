"""The certificate and certificate request payloads: RFC 7296 3.6 and 3.7."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants.ikev2 import CertEncoding
from isakmp.payloads.base import Codec
from isakmp.payloads.ikev2.cert import CODEC, CODEC_REQUEST
from isakmp.payloads.shapes import Encoded
from regress.payloads.told import refused, shown, unbuildable

BOTH = pytest.mark.parametrize("codec", [CODEC, CODEC_REQUEST], ids=lambda codec: codec.name)


@BOTH
@pytest.mark.parametrize("data", [b"", b"\x30\x82", bytes(3000)])
def test_an_encoding_and_octets_or_none(codec: Codec[Any], data: bytes) -> None:
    value = Encoded(4, data)
    assert codec.build(value) == b"\4" + data
    assert codec.parse(b"\4" + data) == value


@BOTH
def test_without_an_encoding_it_is_none(codec: Codec[Any]) -> None:
    error = refused(codec, b"")
    assert error.path == codec.name and error.rfc in ("RFC 7296 3.6", "RFC 7296 3.7")
    unbuildable(codec, Encoded(256, b""))


def test_they_are_two_payloads() -> None:
    assert (CODEC.type, CODEC_REQUEST.type) == (37, 38)


def test_encodings_are_named() -> None:
    assert shown(CODEC, b"\4\x30") == f"encoding {CertEncoding(4).name} data 30"
    assert shown(CODEC_REQUEST, b"\xfa") == "encoding UNKNOWN(250) data -"
