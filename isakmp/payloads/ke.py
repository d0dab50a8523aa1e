"""The key exchange payload: RFC 2408 3.7, RFC 2409 3. ``data``: the public value."""

from isakmp.constants.isakmp import Payload
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.shapes import Octets, octets, octets_twin

CODEC = Codec(
    "KE",
    Payload.KE,
    octets(),
    "RFC 2408 3.7",
    (("0102030405060708", Octets(bytes.fromhex("0102030405060708"))),),
    show.fields(data=show.octets),
    octets_twin(),
)
