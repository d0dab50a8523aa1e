"""The security association payload with its proposals and transforms: RFC 7296 3.3 to 3.3.6.

Octets that the RFC reserves are ignored, as it asks. Unlike in IKEv1 a transform has a type of
its own, and no number.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any

from construct import Bytes, Int8ub, Int16ub, Padding, Rebuild, Struct, len_, this

from isakmp.constants import ikev2, isakmp, name_of
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line
from isakmp.payloads.data_attribute import ATTRIBUTES
from isakmp.payloads.ikev2.shapes import LenientChain

MAX_PROPOSALS = 255
MAX_TRANSFORMS = 255
_MORE_PROPOSALS, _MORE_TRANSFORMS = 2, 3

TRANSFORM = Struct(
    "type" / Int8ub,
    Padding(1),
    "transform_id" / Int16ub,
    "attributes" / ATTRIBUTES,
)

PROPOSAL = Struct(
    "number" / Int8ub,
    "protocol_id" / Int8ub,
    "_spi_size" / Rebuild(Int8ub, len_(this.spi)),
    "_transforms" / Rebuild(Int8ub, len_(this.transforms)),
    "spi" / Bytes(this._spi_size),
    "transforms"
    / LenientChain("transform", _MORE_TRANSFORMS, TRANSFORM, MAX_TRANSFORMS, this._transforms),
)

LAYOUT = Struct(
    "proposals" / LenientChain("proposal", _MORE_PROPOSALS, PROPOSAL, MAX_PROPOSALS),
)

_TRANSFORM_IDS: Mapping[int, type[IntEnum]] = MappingProxyType(
    {
        ikev2.Transform.ENCR: ikev2.Encr,
        ikev2.Transform.PRF: ikev2.Prf,
        ikev2.Transform.INTEG: ikev2.Integ,
        ikev2.Transform.ESN: ikev2.SequenceNumbers,
    }
)
_KEY_EXCHANGES = frozenset((ikev2.Transform.KE, *range(ikev2.Transform.ADDKE1, 13)))


def group_name(number: int) -> str:
    """The name of a key exchange method: a Diffie-Hellman group, or one of those after them."""
    if number == 0:
        return "NONE"
    registry = ikev2.KeyExchange if number >= min(ikev2.KeyExchange) else isakmp.Group
    return name_of(registry, number)


def transform_name(kind: int, transform_id: int) -> str:
    """The name of a transform, whose registry depends on its type."""
    if kind in _KEY_EXCHANGES:
        return group_name(transform_id)
    registry = _TRANSFORM_IDS.get(kind)
    return name_of(registry, transform_id) if registry else f"UNKNOWN({transform_id})"


def _describe(value: Mapping[str, Any]) -> list[Line]:
    lines: list[Line] = []
    for index, proposal in enumerate(value["proposals"]):
        where, spi = f".proposal[{index}]", show.octets(proposal["spi"])
        protocol = name_of(ikev2.Protocol, proposal["protocol_id"])
        lines.append((where, f"number {proposal['number']} protocol_id {protocol} spi {spi}"))
        for nth, transform in enumerate(proposal["transforms"]):
            lines.append((f"{where}.transform[{nth}]", _transform_text(transform)))
    return lines


def _transform_text(transform: Mapping[str, Any]) -> str:
    kind = transform["type"]
    parts = [f"{name_of(ikev2.Transform, kind)} {transform_name(kind, transform['transform_id'])}"]
    for attribute in transform["attributes"]:
        value = attribute["value"]
        text = show.octets(value) if isinstance(value, bytes) else str(value)
        parts.append(f"{name_of(ikev2.TransformAttribute, attribute['type'])} = {text}")
    return " ".join(parts)


_VECTORS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "0000002c010100040300000c0100000c800e01000300000802000005030000080300000c000000080400000e",
        {
            "proposals": [
                {
                    "number": 1,
                    "protocol_id": 1,
                    "spi": b"",
                    "transforms": [
                        {
                            "type": 1,
                            "transform_id": 12,
                            "attributes": [{"type": 14, "value": 256}],
                        },
                        {"type": 2, "transform_id": 5, "attributes": []},
                        {"type": 3, "transform_id": 12, "attributes": []},
                        {"type": 4, "transform_id": 14, "attributes": []},
                    ],
                }
            ]
        },
    ),
    (
        "0200001c01030402c0ffee01"
        "030000080100001c"
        "0000000805000001"
        "0000001c02030401c0ffee02"
        "0000001001000003"
        "0001000401020304",
        {
            "proposals": [
                {
                    "number": 1,
                    "protocol_id": 3,
                    "spi": bytes.fromhex("c0ffee01"),
                    "transforms": [
                        {"type": 1, "transform_id": 28, "attributes": []},
                        {"type": 5, "transform_id": 1, "attributes": []},
                    ],
                },
                {
                    "number": 2,
                    "protocol_id": 3,
                    "spi": bytes.fromhex("c0ffee02"),
                    "transforms": [
                        {
                            "type": 1,
                            "transform_id": 3,
                            "attributes": [{"type": 1, "value": b"\x01\x02\x03\x04"}],
                        }
                    ],
                },
            ]
        },
    ),
)

CODEC = Codec("SA", ikev2.Payload.SA, LAYOUT, "RFC 7296 3.3", _VECTORS, _describe)
