"""The identification payloads IDi and IDr: RFC 7296 3.5, RFC 7619 2.2 (ID_NULL)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from construct import GreedyBytes, Int8ub, Padding, Struct

from isakmp.constants import ikev2, name_of
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line
from isakmp.payloads.ikev2.shapes import Demand
from isakmp.payloads.shapes import Typed, fields_twin

_SIZES: Mapping[int, int] = MappingProxyType(
    {ikev2.Id.IPV4_ADDR: 4, ikev2.Id.IPV6_ADDR: 16, ikev2.Id.NULL: 0}
)
_ADDRESSES = (ikev2.Id.IPV4_ADDR, ikev2.Id.IPV6_ADDR)


class IdValue(NamedTuple):
    """An identity. type: of ikev2.Id."""

    type: int
    data: bytes


def _wrong(value: IdValue) -> str:
    size = _SIZES.get(value.type)
    if size is None or size == len(value.data):
        return ""
    return f"{name_of(ikev2.Id, value.type)} of {len(value.data)} octets, not {size}"


LAYOUT = Typed(IdValue, Struct("type" / Int8ub, Padding(3), "data" / GreedyBytes, Demand(_wrong)))


def _describe(value: IdValue) -> list[Line]:
    shower = show.address if value.type in _ADDRESSES else show.text
    return [("", f"type {name_of(ikev2.Id, value.type)} data {shower(value.data)}")]


CODEC = Codec(
    "IDi",
    ikev2.Payload.IDI,
    LAYOUT,
    "RFC 7296 3.5",
    (
        ("01000000c0000201", IdValue(1, b"\xc0\x00\x02\x01")),
        ("02000000" + b"gw.example".hex(), IdValue(2, b"gw.example")),
        ("0d000000", IdValue(13, b"")),
    ),
    _describe,
    fields_twin(">B3x", IdValue, _wrong),
)
CODEC_R = CODEC.renamed("IDr", ikev2.Payload.IDR)
