"""SA payloads: chains, declared counts and bounds, and where a fault is said to be."""

from __future__ import annotations

from typing import Any

import pytest
from construct import ConstructError

from isakmp.constants.isakmp import Notify, Protocol
from isakmp.errors import MalformedPayload
from isakmp.payloads.base import Misfit
from isakmp.payloads.data_attribute import MAX_ATTRIBUTES, DataAttribute
from isakmp.payloads.notify import notify_for
from isakmp.payloads.sa import CODEC, MAX_PROPOSALS, SaValue, TransformValue, transform_name
from isakmp.payloads.shapes import ProposalValue

SITUATION = bytes.fromhex("0000000100000001")


def element(following: int, body: bytes) -> bytes:
    return bytes((following, 0)) + (4 + len(body)).to_bytes(2, "big") + body


def transform(attributes: bytes = b"", following: int = 0) -> bytes:
    return element(following, b"\1\1\0\0" + attributes)


def proposal(transforms: bytes, count: int = 1, spi: bytes = b"", following: int = 0) -> bytes:
    return element(following, bytes((1, 1, len(spi), count)) + spi + transforms)


TV, TLV = bytes.fromhex("80010005"), bytes.fromhex("000c000400015180")
THREE = transform(TV, 3) + transform(TV, 3) + transform(TV)


def refused(body: bytes, offset: int = 32) -> tuple[str, int]:
    with pytest.raises(MalformedPayload) as of_twin:
        CODEC.parse(body, offset)
    error = of_twin.value
    assert error.reason
    with pytest.raises(Misfit) as of_construct:
        CODEC.specify(body)
    where, at = of_construct.value.where, of_construct.value.at
    assert (error.path, error.offset) == ("SA" + where, offset + at)
    return error.path, error.offset - offset


def test_three_transforms_of_two_proposals() -> None:
    """RFC 2408 3.4 to 3.6, RFC 2407 4.6.1."""
    body = SITUATION + proposal(THREE, 3, following=2) + proposal(transform(TLV), spi=b"1234")
    first, second = CODEC.parse(body).proposals
    assert [t.attributes for t in first.transforms] == [(DataAttribute(1, 5),)] * 3
    assert second.spi == b"1234"
    assert second.transforms[0].attributes == (DataAttribute(12, b"\0\1\x51\x80"),)


LAST = 8 + 8 + 12 + 12
"""Where the third transform of SITUATION + proposal(THREE, 3) starts."""


@pytest.mark.parametrize(
    ("body", "path", "at"),
    [
        (b"", "SA", 0),
        (bytes.fromhex("0000000200000001"), "SA.doi", 0),
        (bytes.fromhex("0000000100000003"), "SA.situation", 4),
        (bytes.fromhex("000000010000"), "SA", 0),
        (SITUATION, "SA.proposal[0]", 8),
        (SITUATION + proposal(b"", 0), "SA.proposal[0].transform[0]", 16),
        (SITUATION + proposal(THREE, 2), "SA.proposal[0]", 8),
        (SITUATION + proposal(THREE, 4), "SA.proposal[0]", 8),
        (SITUATION + proposal(THREE, 3, following=1), "SA.proposal[0]", 8),
        (SITUATION + proposal(THREE, 3, following=2), "SA.proposal[1]", 8 + 44),
        (SITUATION + proposal(THREE, 3) + b"\0", "SA", 0),
        (SITUATION + proposal(THREE + b"\0", 3), "SA.proposal[0]", 8),
        (SITUATION + proposal(transform(TV, 4)), "SA.proposal[0].transform[0]", 16),
        (SITUATION + proposal(transform(TV, 3)), "SA.proposal[0].transform[1]", 28),
        (
            SITUATION + proposal(transform(TV + b"\x80")),
            "SA.proposal[0].transform[0].attribute[1]",
            28,
        ),
        (
            SITUATION + proposal(THREE[:24] + transform(TV + TLV[:6]), 3),
            "SA.proposal[0].transform[2].attribute[1]",
            LAST + 8 + 4,
        ),
        (
            SITUATION + proposal(transform(TV * (MAX_ATTRIBUTES + 1))),
            f"SA.proposal[0].transform[0].attribute[{MAX_ATTRIBUTES}]",
            24 + 4 * MAX_ATTRIBUTES,
        ),
        (SITUATION + b"\0\1" + proposal(THREE, 3)[2:], "SA.proposal[0]", 8),
        (SITUATION + b"\0\0\0\7" + proposal(THREE, 3)[4:], "SA.proposal[0]", 8),
        (SITUATION + b"\0\0\0\x2d" + proposal(THREE, 3)[4:], "SA.proposal[0]", 8),
        (SITUATION + proposal(element(0, b"\1\1\0")), "SA.proposal[0].transform[0]", 16),
        (SITUATION + proposal(element(0, b"\1\1\0\1")), "SA.proposal[0].transform[0]", 16),
        (SITUATION + element(0, b"\1\1\7\1abcdef"), "SA.proposal[0]", 8),
        (
            SITUATION + proposal(transform(), following=2) * MAX_PROPOSALS + proposal(transform()),
            f"SA.proposal[{MAX_PROPOSALS}]",
            8 + 16 * MAX_PROPOSALS,
        ),
        (
            SITUATION + proposal(transform(b"", 3) * 255 + transform(), 255),
            "SA.proposal[0].transform[255]",
            16 + 8 * 255,
        ),
    ],
)
def test_what_is_wrong_is_said_of_its_place(body: bytes, path: str, at: int) -> None:
    assert refused(body) == (path, at)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("SA.doi", {"doi": 7}),
        ("SA.situation", {"situation": 4}),
        ("SA", {"proposals": ()}),
        ("SA", {"proposals": (ProposalValue(1, 1, b"", ()),)}),
    ],
)
def test_what_cannot_be_built(path: str, value: dict[str, Any]) -> None:
    with pytest.raises(MalformedPayload, match="cannot be built") as caught:
        CODEC.build(CODEC.vectors[0][1]._replace(**value))
    assert caught.value.path == path
    with pytest.raises(ConstructError):
        CODEC.construct.build(CODEC.vectors[0][1]._replace(**value))


@pytest.mark.parametrize("attribute", [DataAttribute(0x8000, 1), DataAttribute(1, 65536)])
def test_attributes_that_cannot_be_built(attribute: DataAttribute) -> None:
    choice = TransformValue(1, 1, (attribute,))
    offer = ProposalValue(1, 1, b"", (choice,))
    with pytest.raises(MalformedPayload):
        CODEC.build(SaValue(1, 1, (offer,)))
    many = choice._replace(attributes=(DataAttribute(1, 1),) * (MAX_ATTRIBUTES + 1))
    offer = offer._replace(transforms=(many,))
    with pytest.raises(MalformedPayload):
        CODEC.build(SaValue(1, 1, (offer,)))
    with pytest.raises(ConstructError):
        CODEC.construct.build(SaValue(1, 1, (offer,)))


def test_as_many_as_there_may_be() -> None:
    body = SITUATION + proposal(
        transform(TV * MAX_ATTRIBUTES, 3) + transform(b"", 3) * 253 + transform(), 255
    )
    transforms = CODEC.parse(body).proposals[0].transforms
    assert len(transforms) == 255
    assert len(transforms[0].attributes) == MAX_ATTRIBUTES
    assert CODEC.specify(body) == CODEC.parse(body)
    assert CODEC.build(CODEC.parse(body)) == body


def test_up_to_its_fault_it_can_be_shown() -> None:
    ill = transform(TV, 3) + transform(TV + b"\x80")
    value = CODEC.salvage(SITUATION + proposal(transform(TV), following=2) + proposal(ill, 2))
    assert value is not None
    attributes = [[t.attributes for t in one.transforms] for one in value.proposals]
    assert attributes == [[(DataAttribute(1, 5),)], [(DataAttribute(1, 5),), ()]]
    assert CODEC.describe(value)
    assert CODEC.salvage(SITUATION) == SaValue(1, 1, ())
    assert CODEC.salvage(b"") is None


def test_the_dump_names_numbers_by_the_protocol() -> None:
    phase_1 = CODEC.describe(CODEC.parse(bytes.fromhex(CODEC.vectors[0][0])))
    assert phase_1[:4] == [
        ("", "doi IPSEC situation IDENTITY_ONLY"),
        (".proposal[0]", "number 1 protocol_id ISAKMP spi -"),
        (".proposal[0].transform[0]", "number 1 transform_id KEY_IKE"),
        (".proposal[0].transform[0].attribute[0]", "ENCRYPTION_ALGORITHM = 3DES_CBC"),
    ]
    phase_2 = dict(CODEC.describe(CODEC.parse(bytes.fromhex(CODEC.vectors[1][0]))))
    assert phase_2[".proposal[0]"] == "number 1 protocol_id IPSEC_ESP spi deadbeef"
    assert phase_2[".proposal[0].transform[0]"] == "number 1 transform_id AES"
    assert phase_2[".proposal[0].transform[0].attribute[1]"] == "ENCAPSULATION_MODE = TUNNEL"
    assert phase_2[".proposal[0].transform[1].attribute[1]"] == "LIFE_DURATION = 86400"
    assert phase_2[".proposal[1].transform[0]"] == "number 1 transform_id DEFLATE"


def test_transform_names() -> None:
    """RFC 2407 4.4 and 4.4.5."""
    assert transform_name(Protocol.IPSEC_ESP, 3) == "3DES"
    assert transform_name(Protocol.IPSEC_AH, 99) == "UNKNOWN(99)"
    assert transform_name(77, 1) == "UNKNOWN(1)"


@pytest.mark.parametrize(
    ("path", "notify"),
    [
        ("SA.doi", Notify.DOI_NOT_SUPPORTED),
        ("SA.situation", Notify.SITUATION_NOT_SUPPORTED),
        ("SA.proposal[0].transform[1]", Notify.BAD_PROPOSAL_SYNTAX),
        ("SA", Notify.PAYLOAD_MALFORMED),
        ("HDR.length", Notify.UNEQUAL_PAYLOAD_LENGTHS),
        ("HDR.version", Notify.INVALID_MAJOR_VERSION),
        ("PROPOSAL", Notify.INVALID_PAYLOAD_TYPE),
        ("NONCE", Notify.PAYLOAD_MALFORMED),
    ],
)
def test_what_the_peer_is_told(path: str, notify: Notify) -> None:
    """RFC 2408 5.3 and 5.4, RFC 2407 4.2."""
    assert notify_for(MalformedPayload(path, 0, "")) is notify
