"""The identification payload: RFC 2408 3.8, RFC 2407 4.6.2.

``protocol`` and ``port`` restrict an address to some traffic; 0 stands for any. Addresses, subnets
(network and mask) and ranges (first and last) have the size their type says; names are not empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from construct import Check, GreedyBytes, Int8ub, Int16ub, Struct

from isakmp.constants import ipsec, name_of
from isakmp.constants.ipsec import Id
from isakmp.constants.isakmp import Payload
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line
from isakmp.payloads.shapes import Typed, fields_twin

SIZES: Mapping[int, int] = MappingProxyType(
    {
        Id.IPV4_ADDR: 4,
        Id.IPV4_ADDR_SUBNET: 8,
        Id.IPV4_RANGE: 8,
        Id.IPV6_ADDR: 16,
        Id.IPV6_ADDR_SUBNET: 32,
        Id.IPV6_RANGE: 32,
    }
)
"""Octets of data of the types that hold addresses."""

_NAMES = frozenset({Id.FQDN, Id.USER_FQDN, Id.DER_ASN1_DN, Id.DER_ASN1_GN, Id.KEY_ID})


class IdValue(NamedTuple):
    """An identity. type: of ipsec.Id; protocol, port: 0 for any."""

    type: int
    protocol: int
    port: int
    data: bytes


def _wrong(value: IdValue) -> str:
    kind, size = value.type, len(value.data)
    if size != SIZES.get(kind, size):
        return f"{name_of(Id, kind)} of {size} octets: {SIZES[kind]} are needed"
    if not size and kind in _NAMES:
        return f"{name_of(Id, kind)} without a name"
    return ""


LAYOUT = Typed(
    IdValue,
    Struct(
        "type" / Int8ub,
        "protocol" / Int8ub,
        "port" / Int16ub,
        "data" / GreedyBytes,
        Check(lambda value: not _wrong(value)),
    ),
)


def identity(kind: int, data: bytes) -> str:
    """An identity as people write it: an address, network/mask, first-last, a name."""
    if len(data) == SIZES.get(kind):
        if kind in (Id.IPV4_ADDR_SUBNET, Id.IPV6_ADDR_SUBNET):
            return show.addresses(data, "/")
        if kind in (Id.IPV4_RANGE, Id.IPV6_RANGE):
            return show.addresses(data, "-")
        return show.address(data)
    return show.text(data)


def _describe(value: IdValue) -> list[Line]:
    what = f"type {name_of(ipsec.Id, value.type)} protocol {value.protocol} port {value.port}"
    return [("", f"{what} data {identity(value.type, value.data)}")]


CODEC = Codec(
    "ID",
    Payload.ID,
    LAYOUT,
    "RFC 2407 4.6.2",
    (
        ("011101f40a000301", IdValue(1, 17, 500, b"\n\0\3\1")),
        ("040000000a010000ffff0000", IdValue(4, 0, 0, b"\n\1\0\0\xff\xff\0\0")),
        ("020000006d6f6f6e", IdValue(2, 0, 0, b"moon")),
    ),
    _describe,
    fields_twin(">BBH", IdValue, _wrong),
)
