"""The NAT original address payload: RFC 3947 5.2. One IPv4 or IPv6 address."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from construct import Bytes, Const, Error, Int8ub, Struct, Switch, this

from isakmp.constants.ipsec import Id
from isakmp.constants.isakmp import Payload
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Misfit, Twin
from isakmp.payloads.shapes import Typed

_SIZES: Mapping[int, int] = MappingProxyType({Id.IPV4_ADDR: 4, Id.IPV6_ADDR: 16})


class AddressValue(NamedTuple):
    """An address. type: that of an identity which is one, of ipsec.Id."""

    type: int
    data: bytes


_ADDRESS = Switch(this.type, {kind: Bytes(size) for kind, size in _SIZES.items()}, default=Error)
LAYOUT = Typed(
    AddressValue,
    Struct("type" / Int8ub, "_reserved" / Const(b"\0\0\0"), "data" / _ADDRESS),
)


def _parse(body: bytes) -> AddressValue:
    kind, data = body[:1], body[4:]
    if body[1:4] != bytes(3) or len(data) != _SIZES.get(body[0]):
        raise Misfit("", 0, f"type {kind.hex()}: reserved octets, or {len(data)} octets of address")
    return AddressValue(body[0], data)


def _build(value: AddressValue) -> bytes:
    kind, data = value
    if len(data) != _SIZES.get(kind):
        raise ValueError(f"type {kind} with {len(data)} octets of address")
    return bytes((kind, 0, 0, 0)) + data


CODEC = Codec(
    "NAT_OA",
    Payload.NAT_OA,
    LAYOUT,
    "RFC 3947 5.2",
    (
        ("010000000a000301", AddressValue(1, b"\n\0\3\1")),
        ("05000000" + bytes(range(16)).hex(), AddressValue(5, bytes(range(16)))),
    ),
    show.fields(type=show.registry(Id), data=show.address),
    Twin(_parse, _build),
)
