"""The key exchange payload: RFC 7296 3.4."""

from __future__ import annotations

from typing import NamedTuple

from construct import GreedyBytes, Int16ub, Padding, Struct

from isakmp.constants import ikev2
from isakmp.constants.key_exchange import method_name
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.ikev2.shapes import Demand
from isakmp.payloads.shapes import Typed, fields_twin


class KeValue(NamedTuple):
    """A public value of the method ``group``."""

    group: int
    data: bytes


def _wrong(value: KeValue) -> str:
    return "" if value.data else "no key exchange data"


LAYOUT = Typed(KeValue, Struct("group" / Int16ub, Padding(2), "data" / GreedyBytes, Demand(_wrong)))

CODEC = Codec(
    "KE",
    ikev2.Payload.KE,
    LAYOUT,
    "RFC 7296 3.4",
    (("001f0000" + "0b" * 32, KeValue(31, b"\x0b" * 32)),),
    show.fields(group=method_name, data=show.octets),
    fields_twin(">H2x", KeValue, _wrong),
)
