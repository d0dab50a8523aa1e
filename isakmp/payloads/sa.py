"""The security association payload with its proposals and transforms.

RFC 2408 3.4 (SA), 3.5 (proposal), 3.6 (transform); RFC 2407 4.6.1 (situation).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from construct import Bytes, Const, ExprAdapter, Int8ub, Int32ub, Rebuild, len_, this
from construct import Struct as Layout

from isakmp.constants import DOI_IPSEC, ipsec, isakmp, name_of
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line, Misfit, Twin, new
from isakmp.payloads.data_attribute import (
    ATTRIBUTES,
    DataAttribute,
    build_attributes,
    describe_attribute,
    parse_attributes,
)
from isakmp.payloads.shapes import (
    HEADER,
    KNOWN_OCTETS,
    Chain,
    ProposalValue,
    Shared,
    Typed,
    build_chain,
    proposal_reader,
    read_chain,
    remembering,
    written_again,
)

MAX_PROPOSALS = 64
MAX_TRANSFORMS = 255
# Plain numbers: comparing with enum members costs more than the rest of a chain's step.
_PROPOSAL_TYPE = int(isakmp.Payload.PROPOSAL)
_TRANSFORM_TYPE = int(isakmp.Payload.TRANSFORM)


def _only(number: int, where: str, at: int, reason: str) -> Callable[[int, Any], int]:
    """Lets ``number`` pass and nothing else: what follows would be laid out otherwise."""

    def check(value: int, _context: Any) -> int:
        if value != number:
            raise Misfit(where, at, f"{reason} {value}")
        return value

    return check


_doi = _only(DOI_IPSEC, ".doi", 0, "unknown domain of interpretation")
_situation = _only(ipsec.Situation.IDENTITY_ONLY, ".situation", 4, "unsupported situation")


class TransformValue(NamedTuple):
    """A transform: the algorithm that its protocol has by that ID, and how it is used."""

    number: int
    transform_id: int
    attributes: tuple[DataAttribute, ...]


Offer = ProposalValue[TransformValue]
"""A proposal as it comes and goes."""


class SaValue(NamedTuple):
    """What is offered, or in one proposal of one transform each chosen."""

    doi: int
    situation: int
    proposals: tuple[Offer, ...]


TRANSFORM = Typed(
    TransformValue,
    Layout(
        "number" / Int8ub,
        "transform_id" / Int8ub,
        "_reserved" / Const(b"\0\0"),
        "attributes" / ATTRIBUTES,
    ),
)

PROPOSAL = Typed(
    ProposalValue,
    Layout(
        "number" / Int8ub,
        "protocol_id" / Int8ub,
        "_spi_size" / Rebuild(Int8ub, len_(this.spi)),
        "_count" / Rebuild(Int8ub, len_(this.transforms)),
        "spi" / Bytes(this._spi_size),
        "transforms" / Chain("transform", _TRANSFORM_TYPE, TRANSFORM, MAX_TRANSFORMS, this._count),
    ),
)

LAYOUT = Typed(
    SaValue,
    Layout(
        "doi" / ExprAdapter(Int32ub, _doi, _doi),
        "situation" / ExprAdapter(Int32ub, _situation, _situation),
        "proposals" / Chain("proposal", _PROPOSAL_TYPE, PROPOSAL, MAX_PROPOSALS),
    ),
)

_FIXED = struct.Struct(">II")
_TRANSFORM = struct.Struct(">BBHBBH")


def _parse(body: bytes) -> SaValue:
    if len(body) < 4:
        raise Misfit("", 0, f"{len(body)} octets: at least 8 are needed")
    doi = _doi(int.from_bytes(body[:4], "big"), None)
    if len(body) < 8:
        raise Misfit("", 0, f"{len(body)} octets: at least 8 are needed")
    situation = _situation(int.from_bytes(body[4:8], "big"), None)
    found: list[Offer] = []
    try:
        end = len(body)
        at = read_chain(body, 8, end, ".proposal", MAX_PROPOSALS, _parse_proposal, found)
        if at != end:
            raise Misfit("", 0, f"{end - at} octets left over after the last proposal")
    except Misfit as misfit:
        misfit.so_far = SaValue(doi, situation, tuple(found))
        raise
    return SaValue(doi, situation, Shared(found) if end <= KNOWN_OCTETS else tuple(found))


def _region(body: bytes, at: int, end: int, where: str, fixed: int) -> int:
    """Where the substructure at ``at`` ends: its header and fixed fields are inside ``end``."""
    if end - at < HEADER.size:
        raise Misfit(where, at, f"{end - at} octets left for a header of {HEADER.size}")
    _, reserved, length = HEADER.unpack_from(body, at)
    if reserved:
        raise Misfit(where, at, f"reserved octet is {reserved}")
    if length < fixed:
        raise Misfit(where, at, f"length {length}: at least {fixed} are needed")
    if length > end - at:
        raise Misfit(where, at, f"{length} octets declared, {end - at} left")
    return at + int(length)


def _parse_transform(
    body: bytes, start: int, end: int, where: str, into: list[TransformValue]
) -> tuple[int, int]:
    stop = _region(body, start, end, where, _TRANSFORM.size)
    following, _, _, number, transform_id, reserved = _TRANSFORM.unpack_from(body, start)
    if reserved:
        raise Misfit(where, start, f"reserved octets are {reserved:#06x}")
    attributes: tuple[DataAttribute, ...] = ()
    try:
        attributes = parse_attributes(body, start + _TRANSFORM.size, stop, where)
    finally:  # with a fault in them it can be shown without
        into.append(new(TransformValue, (number, transform_id, attributes)))
    if following not in (0, _TRANSFORM_TYPE):
        raise Misfit(where, start, f"next payload {following} inside a proposal")
    return following, stop


_parse_proposal = proposal_reader(
    MAX_TRANSFORMS, _parse_transform, _region, _PROPOSAL_TYPE, "next payload {} inside an SA"
)


def _build(value: SaValue) -> bytes:
    doi, situation = _doi(value.doi, None), _situation(value.situation, None)
    bodies = [_build_proposal(proposal) for proposal in value.proposals]
    chain = build_chain(bodies, _PROPOSAL_TYPE, MAX_PROPOSALS)
    return _FIXED.pack(doi, situation) + chain


def _build_proposal(proposal: Offer) -> bytes:
    number, protocol_id, spi, transforms = proposal
    fixed = bytes((number, protocol_id, len(spi), len(transforms)))
    return fixed + spi + _build_transforms(transforms)


@written_again
def _build_transforms(transforms: tuple[TransformValue, ...]) -> bytes:
    bodies = [
        bytes((number, transform_id, 0, 0)) + build_attributes(attributes)
        for number, transform_id, attributes in transforms
    ]
    return build_chain(bodies, _TRANSFORM_TYPE, MAX_TRANSFORMS)


_TRANSFORM_IDS: Mapping[int, type[IntEnum]] = MappingProxyType(
    {
        isakmp.Protocol.ISAKMP: ipsec.IsakmpTransform,
        isakmp.Protocol.IPSEC_AH: ipsec.Ah,
        isakmp.Protocol.IPSEC_ESP: ipsec.Esp,
        isakmp.Protocol.IPCOMP: ipsec.Ipcomp,
    }
)


def transform_name(protocol_id: int, transform_id: int) -> str:
    """The name of a transform, whose registry depends on the protocol."""
    registry = _TRANSFORM_IDS.get(protocol_id)
    return name_of(registry, transform_id) if registry else f"UNKNOWN({transform_id})"


def _describe(value: SaValue) -> list[Line]:
    situation = ipsec.Situation(value.situation).name
    lines = [("", f"doi {show.doi(value.doi)} situation {situation}")]
    for index, proposal in enumerate(value.proposals):
        where, protocol_id = f".proposal[{index}]", proposal.protocol_id
        name = name_of(isakmp.Protocol, protocol_id)
        spi = show.octets(proposal.spi)
        lines.append((where, f"number {proposal.number} protocol_id {name} spi {spi}"))
        for nth, transform in enumerate(proposal.transforms):
            inner = f"{where}.transform[{nth}]"
            kind = transform_name(protocol_id, transform.transform_id)
            lines.append((inner, f"number {transform.number} transform_id {kind}"))
            lines.extend(
                (f"{inner}.attribute[{last}]", describe_attribute(attribute, protocol_id))
                for last, attribute in enumerate(transform.attributes)
            )
    return lines


_VECTORS: tuple[tuple[str, SaValue], ...] = (
    (
        "0000000100000001"
        "00000028"
        "01010001"
        "00000020"
        "01010000"
        "80010005"
        "80020002"
        "80040002"
        "80030001"
        "800b0001"
        "800c0e10",
        SaValue(
            1,
            1,
            (
                ProposalValue(
                    1,
                    1,
                    b"",
                    (
                        TransformValue(
                            1,
                            1,
                            (
                                DataAttribute(1, 5),
                                DataAttribute(2, 2),
                                DataAttribute(4, 2),
                                DataAttribute(3, 1),
                                DataAttribute(11, 1),
                                DataAttribute(12, 3600),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    ),
    (
        "0000000100000001"
        "02000034"
        "01030402"
        "deadbeef"
        "03000014"
        "010c0000"
        "80060080"
        "80040001"
        "80050002"
        "00000014"
        "02030000"
        "80010001"
        "0002000400015180"
        "00000012"
        "02040201"
        "1234"
        "00000008"
        "01020000",
        SaValue(
            1,
            1,
            (
                ProposalValue(
                    1,
                    3,
                    b"\xde\xad\xbe\xef",
                    (
                        TransformValue(
                            1, 12, (DataAttribute(6, 128), DataAttribute(4, 1), DataAttribute(5, 2))
                        ),
                        TransformValue(
                            2, 3, (DataAttribute(1, 1), DataAttribute(2, b"\x00\x01\x51\x80"))
                        ),
                    ),
                ),
                ProposalValue(2, 4, b"\x12\x34", (TransformValue(1, 2, ()),)),
            ),
        ),
    ),
)

CODEC = Codec(
    "SA",
    isakmp.Payload.SA,
    LAYOUT,
    "RFC 2408 3.4",
    _VECTORS,
    _describe,
    Twin(remembering(_parse), _build),
)
