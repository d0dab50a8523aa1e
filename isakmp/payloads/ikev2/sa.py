"""The security association payload with its proposals and transforms: RFC 7296 3.3 to 3.3.6.

Octets that the RFC reserves are ignored, as it asks. Unlike in IKEv1 a transform has a type of
its own, and no number.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

from construct import Bytes, Int8ub, Int16ub, Padding, Rebuild, len_, this
from construct import Struct as Layout

from isakmp.constants import ikev2, name_of
from isakmp.constants.key_exchange import KEY_EXCHANGES, method_name
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line, Misfit, Twin, new
from isakmp.payloads.data_attribute import (
    ATTRIBUTES,
    DataAttribute,
    build_attributes,
    parse_attributes,
)
from isakmp.payloads.ikev2.shapes import LenientChain
from isakmp.payloads.shapes import (
    HEADER,
    KNOWN_OCTETS,
    ProposalValue,
    Shared,
    Typed,
    build_chain,
    proposal_reader,
    read_chain,
    remembering,
    written_again,
)

MAX_PROPOSALS = 255
MAX_TRANSFORMS = 255
_MORE_PROPOSALS, _MORE_TRANSFORMS = 2, 3


class TransformValue(NamedTuple):
    """A transform: an algorithm, of ikev2.Transform by type, with its key length."""

    type: int
    transform_id: int
    attributes: tuple[DataAttribute, ...]


Offer = ProposalValue[TransformValue]
"""A proposal as it comes and goes."""


class SaValue(NamedTuple):
    """What is offered, or in one proposal of one transform of each type chosen."""

    proposals: tuple[Offer, ...]


TRANSFORM = Typed(
    TransformValue,
    Layout("type" / Int8ub, Padding(1), "transform_id" / Int16ub, "attributes" / ATTRIBUTES),
)

PROPOSAL = Typed(
    ProposalValue,
    Layout(
        "number" / Int8ub,
        "protocol_id" / Int8ub,
        "_spi_size" / Rebuild(Int8ub, len_(this.spi)),
        "_count" / Rebuild(Int8ub, len_(this.transforms)),
        "spi" / Bytes(this._spi_size),
        "transforms"
        / LenientChain("transform", _MORE_TRANSFORMS, TRANSFORM, MAX_TRANSFORMS, this._count),
    ),
)

LAYOUT = Typed(
    SaValue,
    Layout("proposals" / LenientChain("proposal", _MORE_PROPOSALS, PROPOSAL, MAX_PROPOSALS)),
)

_TRANSFORM = struct.Struct(">BBHBBH")
_TRANSFORM_FIXED = struct.Struct(">BxH")


def _parse(body: bytes) -> SaValue:
    found: list[Offer] = []
    try:
        end = len(body)
        at = read_chain(body, 0, end, ".proposal", MAX_PROPOSALS, _parse_proposal, found)
        if at != end:
            raise Misfit("", 0, f"{end - at} octets left over after the last proposal")
    except Misfit as misfit:
        misfit.so_far = SaValue(tuple(found))
        raise
    return SaValue(Shared(found) if end <= KNOWN_OCTETS else tuple(found))


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
    body: bytes, start: int, end: int, where: str, into: list[TransformValue]
) -> tuple[int, int]:
    stop = _region(body, start, end, where, _TRANSFORM.size)
    following, _, _, kind, _, transform_id = _TRANSFORM.unpack_from(body, start)
    attributes: tuple[DataAttribute, ...] = ()
    try:
        if (at := start + _TRANSFORM.size) < stop:
            attributes = parse_attributes(body, at, stop, where)
    finally:  # with a fault in them it can be shown without
        into.append(new(TransformValue, (kind, transform_id, attributes)))
    if following not in (0, _MORE_TRANSFORMS):
        raise Misfit(where, start, f"{following} instead of 0 or {_MORE_TRANSFORMS}")
    return following, stop


_parse_proposal = proposal_reader(
    MAX_TRANSFORMS, _parse_transform, _region, _MORE_PROPOSALS, "{} instead of 0 or 2"
)


def _build(value: SaValue) -> bytes:
    bodies = [_build_proposal(proposal) for proposal in value.proposals]
    return build_chain(bodies, _MORE_PROPOSALS, MAX_PROPOSALS)


def _build_proposal(proposal: Offer) -> bytes:
    number, protocol_id, spi, transforms = proposal
    fixed = bytes((number, protocol_id, len(spi), len(transforms)))
    return fixed + spi + _build_transforms(transforms)


@written_again
def _build_transforms(transforms: tuple[TransformValue, ...]) -> bytes:
    bodies = [
        _TRANSFORM_FIXED.pack(kind, transform_id) + build_attributes(attributes)
        for kind, transform_id, attributes in transforms
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


def _describe(value: SaValue) -> list[Line]:
    lines: list[Line] = []
    for index, proposal in enumerate(value.proposals):
        where, spi = f".proposal[{index}]", show.octets(proposal.spi)
        protocol = name_of(ikev2.Protocol, proposal.protocol_id)
        lines.append((where, f"number {proposal.number} protocol_id {protocol} spi {spi}"))
        for nth, transform in enumerate(proposal.transforms):
            lines.append((f"{where}.transform[{nth}]", _transform_text(transform)))
    return lines


def _transform_text(transform: TransformValue) -> str:
    kind = transform.type
    parts = [f"{name_of(ikev2.Transform, kind)} {transform_name(kind, transform.transform_id)}"]
    for number, value in transform.attributes:
        text = show.octets(value) if isinstance(value, bytes) else str(value)
        parts.append(f"{name_of(ikev2.TransformAttribute, number)} = {text}")
    return " ".join(parts)


_VECTORS: tuple[tuple[str, SaValue], ...] = (
    (
        "0000002c010100040300000c0100000c800e01000300000802000005030000080300000c000000080400000e",
        SaValue(
            (
                ProposalValue(
                    1,
                    1,
                    b"",
                    (
                        TransformValue(1, 12, (DataAttribute(14, 256),)),
                        TransformValue(2, 5, ()),
                        TransformValue(3, 12, ()),
                        TransformValue(4, 14, ()),
                    ),
                ),
            )
        ),
    ),
    (
        "0200001c01030402c0ffee01"
        "030000080100001c"
        "0000000805000001"
        "0000001c02030401c0ffee02"
        "0000001001000003"
        "0001000401020304",
        SaValue(
            (
                ProposalValue(
                    1,
                    3,
                    bytes.fromhex("c0ffee01"),
                    (TransformValue(1, 28, ()), TransformValue(5, 1, ())),
                ),
                ProposalValue(
                    2,
                    3,
                    bytes.fromhex("c0ffee02"),
                    (TransformValue(1, 3, (DataAttribute(1, b"\x01\x02\x03\x04"),)),),
                ),
            )
        ),
    ),
)

CODEC = Codec(
    "SA",
    ikev2.Payload.SA,
    LAYOUT,
    "RFC 7296 3.3",
    _VECTORS,
    _describe,
    Twin(remembering(_parse), _build),
)
