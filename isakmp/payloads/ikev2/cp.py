"""The configuration payload: RFC 7296 3.15. An attribute of no octets asks for a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
from isakmp.payloads.shapes import Series

MAX_ATTRIBUTES = 256
_TYPE_MASK = 0x7FFF
_TEXTS = (ikev2.ConfigAttribute.APPLICATION_VERSION, ikev2.ConfigAttribute.INTERNAL_DNS_DOMAIN)
_ADDRESSES = frozenset(
    attribute
    for attribute in ikev2.ConfigAttribute
    if attribute.name.startswith(("INTERNAL_IP", "P_CSCF"))
)

ATTRIBUTE = Struct(
    "_word" / Rebuild(Int16ub, this.type),
    "type" / Computed(this._word & _TYPE_MASK),
    "value" / Prefixed(Int16ub, GreedyBytes),
)

LAYOUT = Struct(
    "type" / Int8ub,
    Padding(3),
    "attributes" / Series("attribute", ATTRIBUTE, MAX_ATTRIBUTES),
    Demand(lambda ctx: "" if all(a["type"] <= _TYPE_MASK for a in ctx["attributes"]) else "type"),
)


def _text(attribute: Mapping[str, Any]) -> str:
    kind, value = attribute["type"], attribute["value"]
    shower = show.octets
    if kind in _TEXTS:
        shower = show.text
    elif kind in _ADDRESSES:
        shower = show.address
    return f"{name_of(ikev2.ConfigAttribute, kind)} = {shower(value)}"


def _describe(value: Mapping[str, Any]) -> list[Line]:
    return [
        ("", f"type {name_of(ikev2.ConfigType, value['type'])}"),
        *((f".attribute[{at}]", _text(one)) for at, one in enumerate(value["attributes"])),
    ]


CODEC: Codec[Any] = Codec(
    "CP",
    ikev2.Payload.CP,
    LAYOUT,
    "RFC 7296 3.15",
    (
        ("0100000000010000", {"type": 1, "attributes": [{"type": 1, "value": b""}]}),
        (
            "02000000000100040a0101017f000001aa",
            {
                "type": 2,
                "attributes": [
                    {"type": 1, "value": b"\x0a\x01\x01\x01"},
                    {"type": 0x7F00, "value": b"\xaa"},
                ],
            },
        ),
    ),
    _describe,
)
