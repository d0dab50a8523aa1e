"""The configuration payload: RFC 7296 3.15. An attribute of no octets asks for a value."""

from __future__ import annotations

from typing import NamedTuple

from construct import (
    Computed,
    GreedyBytes,
    Int8ub,
    Int16ub,
    Padding,
    Prefixed,
    Rebuild,
    Struct,
    this,
)

from isakmp.constants import ikev2, name_of
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line
from isakmp.payloads.ikev2.shapes import Demand
from isakmp.payloads.shapes import Series, Typed

MAX_ATTRIBUTES = 256
_TYPE_MASK = 0x7FFF
_TEXTS = (ikev2.ConfigAttribute.APPLICATION_VERSION, ikev2.ConfigAttribute.INTERNAL_DNS_DOMAIN)
_ADDRESSES = frozenset(
    attribute
    for attribute in ikev2.ConfigAttribute
    if attribute.name.startswith(("INTERNAL_IP", "P_CSCF"))
)


class CpAttribute(NamedTuple):
    """What is configured, or with no octets asked for. type: of ikev2.ConfigAttribute."""

    type: int
    value: bytes


class CpValue(NamedTuple):
    """type: of ikev2.ConfigType."""

    type: int
    attributes: tuple[CpAttribute, ...]


ATTRIBUTE = Typed(
    CpAttribute,
    Struct(
        "_word" / Rebuild(Int16ub, this.type),
        "type" / Computed(this._word & _TYPE_MASK),
        "value" / Prefixed(Int16ub, GreedyBytes),
    ),
)

LAYOUT = Typed(
    CpValue,
    Struct(
        "type" / Int8ub,
        Padding(3),
        "attributes" / Series("attribute", ATTRIBUTE, MAX_ATTRIBUTES),
        Demand(lambda ctx: "" if all(a.type <= _TYPE_MASK for a in ctx.attributes) else "type"),
    ),
)


def _text(attribute: CpAttribute) -> str:
    kind, value = attribute
    shower = show.octets
    if kind in _TEXTS:
        shower = show.text
    elif kind in _ADDRESSES:
        shower = show.address
    return f"{name_of(ikev2.ConfigAttribute, kind)} = {shower(value)}"


def _describe(value: CpValue) -> list[Line]:
    return [
        ("", f"type {name_of(ikev2.ConfigType, value.type)}"),
        *((f".attribute[{at}]", _text(one)) for at, one in enumerate(value.attributes)),
    ]


CODEC = Codec(
    "CP",
    ikev2.Payload.CP,
    LAYOUT,
    "RFC 7296 3.15",
    (
        ("0100000000010000", CpValue(1, (CpAttribute(1, b""),))),
        (
            "02000000000100040a0101017f000001aa",
            CpValue(2, (CpAttribute(1, b"\x0a\x01\x01\x01"), CpAttribute(0x7F00, b"\xaa"))),
        ),
    ),
    _describe,
)
