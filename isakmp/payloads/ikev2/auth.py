"""The authentication payload: RFC 7296 3.8, RFC 7427 3 (digital signatures)."""

from __future__ import annotations

from typing import Any

from construct import GreedyBytes, Int8ub, Padding, Struct

from isakmp.constants import ikev2
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.ikev2.shapes import Demand
from isakmp.payloads.shapes import fields_twin


def _wrong(value: Any) -> str:
    return "" if value["data"] else "no authentication data"


CODEC = Codec(
    "AUTH",
    ikev2.Payload.AUTH,
    Struct("method" / Int8ub, Padding(3), "data" / GreedyBytes, Demand(_wrong)),
    "RFC 7296 3.8",
    (("02000000" + "5a" * 32, {"method": 2, "data": b"\x5a" * 32}),),
    show.fields(method=show.registry(ikev2.Auth), data=show.octets),
    fields_twin(">B3x", ("method",), _wrong),
)
