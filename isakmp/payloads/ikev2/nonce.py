"""The nonce payload, 16 to 256 octets: RFC 7296 3.9."""

from __future__ import annotations

from isakmp.constants import ikev2
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.shapes import Octets, octets, octets_twin

LEAST, MOST = 16, 256

CODEC = Codec(
    "NONCE",
    ikev2.Payload.NONCE,
    octets(LEAST, MOST),
    "RFC 7296 3.9",
    (("00112233445566778899aabbccddeeff", Octets(bytes(range(0, 256, 17)))),),
    show.fields(data=show.octets),
    octets_twin(LEAST, MOST),
)
