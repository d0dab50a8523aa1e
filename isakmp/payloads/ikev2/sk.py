"""The encrypted payloads: SK, RFC 7296 3.14, and its fragments SKF, RFC 7383 2.5.

``data`` is IV, ciphertext and ICV as they are on the wire: only the keys tell them apart.
"""

from __future__ import annotations

from typing import Any

from construct import GreedyBytes, Int16ub, Struct

from isakmp.constants import ikev2
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.ikev2.shapes import Demand
from isakmp.payloads.shapes import fields_twin, octets, octets_twin


def _wrong(value: Any) -> str:
    number, total = value["number"], value["total"]
    if not 1 <= number <= total:
        return f"fragment {number} of {total}"
    return "" if value["data"] else "no encrypted data"


CODEC = Codec(
    "SK",
    ikev2.Payload.SK,
    octets(),
    "RFC 7296 3.14",
    (("00112233", {"data": b"\x00\x11\x22\x33"}),),
    show.fields(data=show.octets),
    octets_twin(),
)
CODEC_FRAGMENT = Codec(
    "SKF",
    ikev2.Payload.SKF,
    Struct("number" / Int16ub, "total" / Int16ub, "data" / GreedyBytes, Demand(_wrong)),
    "RFC 7383 2.5",
    (("00010002cafe", {"number": 1, "total": 2, "data": b"\xca\xfe"}),),
    show.fields(number=str, total=str, data=show.octets),
    fields_twin(">HH", ("number", "total"), _wrong),
)
