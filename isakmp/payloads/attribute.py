"""The attribute payload of mode config and XAUTH: draft-ietf-ipsec-isakmp-mode-cfg 3.2.

A request asks with attributes of no octets.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from construct import Const, Int8ub, Int16ub
from construct import Struct as Layout

from isakmp.constants import isakmp, name_of
from isakmp.constants.isakmp import ConfigAttribute, ConfigType
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line, Misfit, Twin
from isakmp.payloads.data_attribute import (
    ATTRIBUTES,
    DataAttribute,
    build_attributes,
    parse_attributes,
)
from isakmp.payloads.shapes import Typed


class ConfigValue(NamedTuple):
    """What is configured. type: of isakmp.ConfigType; identifier: of the exchange that it is in."""

    type: int
    identifier: int
    attributes: tuple[DataAttribute, ...]


LAYOUT = Typed(
    ConfigValue,
    Layout(
        "type" / Int8ub,
        "_reserved" / Const(b"\0"),
        "identifier" / Int16ub,
        "attributes" / ATTRIBUTES,
    ),
)

_FIXED = struct.Struct(">BBH")


def _parse(body: bytes) -> ConfigValue:
    if len(body) < _FIXED.size:
        raise Misfit("", 0, f"{len(body)} octets: at least {_FIXED.size} are needed")
    kind, reserved, identifier = _FIXED.unpack_from(body)
    if reserved:
        raise Misfit("", 0, f"reserved octet is {reserved}")
    return ConfigValue(kind, identifier, parse_attributes(body, _FIXED.size))


def _build(value: ConfigValue) -> bytes:
    return _FIXED.pack(value.type, 0, value.identifier) + build_attributes(value.attributes)


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


def _describe(value: ConfigValue) -> list[Line]:
    kind = name_of(ConfigType, value.type)
    lines = [("", f"type {kind} identifier {value.identifier}")]
    for index, attribute in enumerate(value.attributes):
        name, shown = name_of(ConfigAttribute, attribute.type), _shown(*attribute)
        lines.append((f".attribute[{index}]", f"{name} = {shown}"))
    return lines


CODEC = Codec(
    "ATTRIBUTE",
    isakmp.Payload.ATTRIBUTE,
    LAYOUT,
    "draft-ietf-ipsec-isakmp-mode-cfg 3.2",
    (
        (
            "0100002a0001000000030000",
            ConfigValue(1, 42, (DataAttribute(1, b""), DataAttribute(3, b""))),
        ),
        (
            "0200002a000100040a010002c08f0001",
            ConfigValue(2, 42, (DataAttribute(1, b"\n\1\0\2"), DataAttribute(16527, 1))),
        ),
    ),
    _describe,
    Twin(_parse, _build),
)
