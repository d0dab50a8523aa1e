"""The attribute payload of mode config and XAUTH: draft-ietf-ipsec-isakmp-mode-cfg 3.2.

A request asks with attributes of no octets.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from construct import Const, Int8ub, Int16ub
from construct import Struct as Layout

from isakmp.constants import isakmp, name_of
from isakmp.constants.isakmp import ConfigAttribute, ConfigType
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line, Misfit, Twin, Value
from isakmp.payloads.data_attribute import ATTRIBUTES, build_attributes, parse_attributes

LAYOUT = Layout(
    "type" / Int8ub,
    "_reserved" / Const(b"\0"),
    "identifier" / Int16ub,
    "attributes" / ATTRIBUTES,
)

_FIXED = struct.Struct(">BBH")


def _parse(body: bytes) -> Value:
    if len(body) < _FIXED.size:
        raise Misfit("", 0, f"{len(body)} octets: at least {_FIXED.size} are needed")
    kind, reserved, identifier = _FIXED.unpack_from(body)
    if reserved:
        raise Misfit("", 0, f"reserved octet is {reserved}")
    attributes = parse_attributes(body, _FIXED.size)
    return Value(type=kind, identifier=identifier, attributes=attributes)


def _build(value: Mapping[str, Any]) -> bytes:
    fixed = _FIXED.pack(value["type"], 0, value["identifier"])
    return fixed + build_attributes(value["attributes"])


_ADDRESSES = frozenset(
    {
        ConfigAttribute.INTERNAL_IP4_ADDRESS,
        ConfigAttribute.INTERNAL_IP4_NETMASK,
        ConfigAttribute.INTERNAL_IP4_DNS,
        ConfigAttribute.INTERNAL_IP4_NBNS,
        ConfigAttribute.INTERNAL_IP4_DHCP,
        ConfigAttribute.INTERNAL_IP6_ADDRESS,
        ConfigAttribute.INTERNAL_IP6_NETMASK,
        ConfigAttribute.INTERNAL_IP6_DNS,
        ConfigAttribute.INTERNAL_IP6_NBNS,
        ConfigAttribute.INTERNAL_IP6_DHCP,
    }
)
_SECRETS = frozenset({ConfigAttribute.XAUTH_USER_PASSWORD, ConfigAttribute.XAUTH_PASSCODE})


def _shown(kind: int, value: int | bytes) -> str:
    if kind in _SECRETS:
        return "(hidden)" if value else "-"
    if isinstance(value, int):
        return str(value)
    if kind in _ADDRESSES:
        return show.address(value)
    if kind == ConfigAttribute.INTERNAL_IP4_SUBNET and len(value) == 8:
        return show.addresses(value, "/")
    return show.text(value)


def _describe(value: Mapping[str, Any]) -> list[Line]:
    kind = name_of(ConfigType, value["type"])
    lines = [("", f"type {kind} identifier {value['identifier']}")]
    for index, attribute in enumerate(value["attributes"]):
        name = name_of(ConfigAttribute, attribute["type"])
        shown = _shown(attribute["type"], attribute["value"])
        lines.append((f".attribute[{index}]", f"{name} = {shown}"))
    return lines


CODEC: Codec[Any] = Codec(
    "ATTRIBUTE",
    isakmp.Payload.ATTRIBUTE,
    LAYOUT,
    "draft-ietf-ipsec-isakmp-mode-cfg 3.2",
    (
        (
            "0100002a0001000000030000",
            {
                "type": 1,
                "identifier": 42,
                "attributes": [{"type": 1, "value": b""}, {"type": 3, "value": b""}],
            },
        ),
        (
            "0200002a000100040a010002c08f0001",
            {
                "type": 2,
                "identifier": 42,
                "attributes": [
                    {"type": 1, "value": b"\n\1\0\2"},
                    {"type": 16527, "value": 1},
                ],
            },
        ),
    ),
    _describe,
    Twin(_parse, _build),
)
