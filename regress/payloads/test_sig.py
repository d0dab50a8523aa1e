"""The signature payload: 1 octet at least. RFC 2408 3.12."""

from __future__ import annotations

from isakmp.constants.isakmp import Payload
from isakmp.payloads.sig import CODEC
from regress.payloads.told import plain_octets


def test_its_body_is_its_data() -> None:
    plain_octets(CODEC)
    assert (CODEC.name, CODEC.type) == ("SIG", Payload.SIG)
