"""The NAT discovery payload: RFC 3947 3.2. ``data``: HASH(CKY-I | CKY-R | IP | port)."""

from isakmp.constants.isakmp import Payload
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.shapes import Octets, octets, octets_twin

CODEC = Codec(
    "NAT_D",
    Payload.NAT_D,
    octets(1, 64),
    "RFC 3947 3.2",
    (
        (
            "00112233445566778899aabbccddeeff",
            Octets(bytes.fromhex("00112233445566778899aabbccddeeff")),
        ),
    ),
    show.fields(data=show.octets),
    octets_twin(1, 64),
)
