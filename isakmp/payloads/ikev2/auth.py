"""The authentication payload: RFC 7296 3.8, RFC 7427 3 (digital signatures)."""

from __future__ import annotations

from typing import NamedTuple

from construct import GreedyBytes, Int8ub, Padding, Struct

from isakmp.constants import ikev2
from isakmp.payloads import show
from isakmp.payloads.base import Codec
from isakmp.payloads.ikev2.shapes import Demand
from isakmp.payloads.shapes import Typed, fields_twin


class AuthValue(NamedTuple):
    """What proves who the peer is. method: of ikev2.Auth."""

    method: int
    data: bytes


def _wrong(value: AuthValue) -> str:
    return "" if value.data else "no authentication data"


LAYOUT = Typed(
    AuthValue, Struct("method" / Int8ub, Padding(3), "data" / GreedyBytes, Demand(_wrong))
)

CODEC = Codec(
    "AUTH",
    ikev2.Payload.AUTH,
    LAYOUT,
    "RFC 7296 3.8",
    (("02000000" + "5a" * 32, AuthValue(2, b"\x5a" * 32)),),
    show.fields(method=show.registry(ikev2.Auth), data=show.octets),
    fields_twin(">B3x", AuthValue, _wrong),
)
