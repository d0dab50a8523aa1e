"""The encrypted payloads: SK, RFC 7296 3.14, and its fragments SKF, RFC 7383 2.5.

``data`` is IV, ciphertext and ICV as they are on the wire: only the keys tell them apart.
"""

from __future__ import annotations

from typing import NamedTuple

from construct import GreedyBytes, Int16ub, Struct

from isakmp.constants import ikev2
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.ikev2.shapes import Demand
from isakmp.payloads.shapes import Octets, Typed, fields_twin, octets, octets_twin


class Fragment(NamedTuple):
    """A fragment, the ``number``-th of ``total``, from 1."""

    number: int
    total: int
    data: bytes


def _wrong(value: Fragment) -> str:
    if not 1 <= value.number <= value.total:
        return f"fragment {value.number} of {value.total}"
    return "" if value.data else "no encrypted data"


FRAGMENT = Typed(
    Fragment, Struct("number" / Int16ub, "total" / Int16ub, "data" / GreedyBytes, Demand(_wrong))
)

CODEC = Codec(
    "SK",
    ikev2.Payload.SK,
    octets(),
    "RFC 7296 3.14",
    (("00112233", Octets(b"\x00\x11\x22\x33")),),
    show.fields(data=show.octets),
    octets_twin(),
)
CODEC_FRAGMENT = Codec(
    "SKF",
    ikev2.Payload.SKF,
    FRAGMENT,
    "RFC 7383 2.5",
    (("00010002cafe", Fragment(1, 2, b"\xca\xfe")),),
    show.fields(number=str, total=str, data=show.octets),
    fields_twin(">HH", Fragment, _wrong),
)
