"""The security association payload with its proposals and transforms: RFC 7296 3.3 to 3.3.6.

Octets that the RFC reserves are ignored, as it asks. Unlike in IKEv1 a transform has a type of
its own, and no number.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import Any

from construct import Bytes, Int8ub, Int16ub, Padding, Rebuild, len_, this
from construct import Struct as Layout

from isakmp.constants import ikev2, name_of
from isakmp.constants.key_exchange import KEY_EXCHANGES, method_name
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line, Misfit, Twin, Value
from isakmp.payloads.data_attribute import ATTRIBUTES, build_attributes, parse_attributes
from isakmp.payloads.ikev2.shapes import LenientChain
from isakmp.payloads.shapes import (
    HEADER,
    KNOWN_OCTETS,
    Shared,
    build_chain,
    proposal_reader,
    read_chain,
    remembering,
    written_again,
)

MAX_PROPOSALS = 255
MAX_TRANSFORMS = 255
_MORE_PROPOSALS, _MORE_TRANSFORMS = 2, 3

TRANSFORM = Layout(
    "type" / Int8ub,
    Padding(1),
    "transform_id" / Int16ub,
    "attributes" / ATTRIBUTES,
)

PROPOSAL = Layout(
    "number" / Int8ub,
    "protocol_id" / Int8ub,
    "_spi_size" / Rebuild(Int8ub, len_(this.spi)),
    "_transforms" / Rebuild(Int8ub, len_(this.transforms)),
    "spi" / Bytes(this._spi_size),
    "transforms"
    / LenientChain("transform", _MORE_TRANSFORMS, TRANSFORM, MAX_TRANSFORMS, this._transforms),
)

LAYOUT = Layout(
    "proposals" / LenientChain("proposal", _MORE_PROPOSALS, PROPOSAL, MAX_PROPOSALS),
)

_TRANSFORM = struct.Struct(">BBHBBH")
_TRANSFORM_FIXED = struct.Struct(">BxH")


def _parse(body: bytes) -> Value:
    value = Value(proposals=Shared() if len(body) <= KNOWN_OCTETS else [])
    try:
        end = len(body)
        at = read_chain(body, 0, end, ".proposal", MAX_PROPOSALS, _parse_proposal, value.proposals)
        if at != end:
            raise Misfit("", 0, f"{end - at} octets left over after the last proposal")
    except Misfit as misfit:
        misfit.so_far = value
        raise
    return value


def _region(body: bytes, at: int, end: int, where: str, fixed: int) -> int:
    """Where the substructure at ``at`` ends: its header and fixed fields are inside ``end``."""
    if end - at < HEADER.size:
        raise Misfit(where, at, f"{end - at} octets left for a header of {HEADER.size}")
    length = int.from_bytes(body[at + 2 : at + 4], "big")
    if length < fixed:
        raise Misfit(where, at, f"length {length}: at least {fixed} are needed")
    if length > end - at:
        raise Misfit(where, at, f"{length} octets declared, {end - at} left")
    return at + length


def _parse_transform(
    body: bytes, start: int, end: int, where: str, into: list[Value]
) -> tuple[int, int]:
    stop = _region(body, start, end, where, _TRANSFORM.size)
    following, _, _, kind, _, transform_id = _TRANSFORM.unpack_from(body, start)
    value = Value(type=kind, transform_id=transform_id, attributes=[])
    into.append(value)
    if (at := start + _TRANSFORM.size) < stop:
        value["attributes"] = parse_attributes(body, at, stop, where)
    if following not in (0, _MORE_TRANSFORMS):
        raise Misfit(where, start, f"{following} instead of 0 or {_MORE_TRANSFORMS}")
    return following, stop


_parse_proposal = proposal_reader(
    MAX_TRANSFORMS, _parse_transform, _region, _MORE_PROPOSALS, "{} instead of 0 or 2"
)


def _build(value: Mapping[str, Any]) -> bytes:
    bodies = [_build_proposal(proposal) for proposal in value["proposals"]]
    return build_chain(bodies, _MORE_PROPOSALS, MAX_PROPOSALS)


def _build_proposal(proposal: Mapping[str, Any]) -> bytes:
    spi: bytes = proposal["spi"]
    transforms = proposal["transforms"]
    fixed = bytes((proposal["number"], proposal["protocol_id"], len(spi), len(transforms)))
    return fixed + spi + _build_transforms(transforms)


@written_again
def _build_transforms(transforms: Sequence[Mapping[str, Any]]) -> bytes:
    bodies = [
        _TRANSFORM_FIXED.pack(transform["type"], transform["transform_id"])
        + build_attributes(transform["attributes"])
        for transform in transforms
    ]
    return build_chain(bodies, _MORE_TRANSFORMS, MAX_TRANSFORMS)


_TRANSFORM_IDS: Mapping[int, type[IntEnum]] = MappingProxyType(
    {
        ikev2.Transform.ENCR: ikev2.Encr,
        ikev2.Transform.PRF: ikev2.Prf,
        ikev2.Transform.INTEG: ikev2.Integ,
        ikev2.Transform.ESN: ikev2.SequenceNumbers,
    }
)


def transform_name(kind: int, transform_id: int) -> str:
    """The name of a transform, whose registry depends on its type."""
    if kind in KEY_EXCHANGES:
        return method_name(transform_id)
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

CODEC: Codec[Any] = Codec(
    "SA",
    ikev2.Payload.SA,
    LAYOUT,
    "RFC 7296 3.3",
    _VECTORS,
    _describe,
    Twin(remembering(_parse), _build),
)
