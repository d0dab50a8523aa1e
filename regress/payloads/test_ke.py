"""The key exchange payload: 1 octet at least. RFC 2408 3.7."""

from __future__ import annotations

from isakmp.constants.isakmp import Payload
from isakmp.payloads.ke import CODEC
from regress.payloads.told import plain_octets


def test_its_body_is_its_data() -> None:
    plain_octets(CODEC)
    assert (CODEC.name, CODEC.type) == ("KE", Payload.KE)
