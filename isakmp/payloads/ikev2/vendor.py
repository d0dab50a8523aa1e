"""The vendor ID payload: RFC 7296 3.12."""

from __future__ import annotations

from isakmp.constants import ikev2
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.shapes import Octets, octets, octets_twin

CODEC = Codec(
    "VENDOR",
    ikev2.Payload.VENDOR,
    octets(0),
    "RFC 7296 3.12",
    ((b"example".hex(), Octets(b"example")), ("", Octets(b""))),
    show.fields(data=show.text),
    octets_twin(0),
)
