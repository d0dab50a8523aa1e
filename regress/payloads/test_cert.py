"""The certificate payload: an encoding, and octets. RFC 2408 3.9."""

from __future__ import annotations

import pytest

from isakmp.constants.isakmp import CertEncoding
from isakmp.errors import MalformedPayload
from isakmp.payloads.cert import CODEC
from isakmp.payloads.shapes import Encoded, Octets
from regress.payloads.told import shown, unbuildable


@pytest.mark.parametrize("data", [b"\x30\x82", bytes(2000)])
def test_an_encoding_and_its_octets(data: bytes) -> None:
    value = Encoded(CertEncoding.X509_SIG, data)
    body = CODEC.build(value)
    assert body == b"\4" + data and CODEC.parse(body) == value


@pytest.mark.parametrize("body", [b"", b"\4"])
def test_too_little(body: bytes) -> None:
    with pytest.raises(MalformedPayload) as caught:
        CODEC.parse(body)
    assert (caught.value.path, caught.value.rfc) == ("CERT", CODEC.rfc)


def test_an_encoding_is_of_one_octet() -> None:
    unbuildable(CODEC, Encoded(256, b"\x30"))
    unbuildable(CODEC, Octets(b"\x30"))


def test_encodings_are_named() -> None:
    assert shown(CODEC, b"\4\x30\x82") == "encoding X509_SIG data 3082"
    assert shown(CODEC, b"\xfa\x30") == "encoding UNKNOWN(250) data 30"
