"""The signature payload: RFC 2408 3.12. ``data``: the signature."""

from isakmp.constants.isakmp import Payload
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.shapes import Octets, octets, octets_twin

CODEC = Codec(
    "SIG",
    Payload.SIG,
    octets(),
    "RFC 2408 3.12",
    (("8899aabbccddeeff", Octets(bytes.fromhex("8899aabbccddeeff"))),),
    show.fields(data=show.octets),
    octets_twin(),
)
