"""The hash payload: RFC 2408 3.11. ``data``: as long as the prf is wide."""

from isakmp.constants.isakmp import Payload
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.shapes import Octets, octets, octets_twin

CODEC = Codec(
    "HASH",
    Payload.HASH,
    octets(),
    "RFC 2408 3.11",
    (
        (
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            Octets(bytes.fromhex("da39a3ee5e6b4b0d3255bfef95601890afd80709")),
        ),
    ),
    show.fields(data=show.octets),
    octets_twin(),
)
