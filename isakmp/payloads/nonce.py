"""The nonce payload: RFC 2408 3.13; 8 to 256 octets, RFC 2409 5."""

from isakmp.constants.isakmp import Payload
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.shapes import Octets, octets, octets_twin

CODEC = Codec(
    "NONCE",
    Payload.NONCE,
    octets(8, 256),
    "RFC 2409 5",
    (("a3a34f453de42c67", Octets(bytes.fromhex("a3a34f453de42c67"))),),
    show.fields(data=show.octets),
    octets_twin(8, 256),
)
