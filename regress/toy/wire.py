"""The octets of the toy protocol: two ends that trust a third, which gives out tickets.

    version 1 (8) | kind (8) | length (16) | session (32) | payloads

A payload is its type (8), its length (8) without these two octets, and its body. The initiator
chooses the session. A message that is sealed ends with a MAC over all that is before it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum, IntFlag
from typing import NamedTuple

from construct import Int8ub, Struct

from isakmp.errors import MalformedPayload
from isakmp.message import Payload
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Family, by_type
from isakmp.payloads.shapes import Octets, Typed, octets

_HEADER, _PAYLOAD = struct.Struct(">BBHI"), struct.Struct(">BB")
SIZE = _HEADER.size
VERSION, PAYLOADS_MAX, LENGTH_MAX = 1, 8, 1024
_PAGE = "the toy protocol"


class Kind(IntEnum):
    """What a message is."""

    JOIN = 1
    JOINED = 2
    LEAVE = 3
    LEFT = 4
    REFUSED = 5


class Type(IntEnum):
    """What a payload is."""

    NAME = 1
    NONCE = 2
    TICKET = 3
    PROOF = 4
    MAC = 5
    WHY = 6


class NoFlag(IntFlag):
    """There are none."""


class WhyValue(NamedTuple):
    """What a refusal is for."""

    code: int


def _codec(type: Type, least: int, most: int) -> Codec[Octets]:
    """A payload of octets, so many of them."""
    data = bytes(range(least))
    return Codec(type.name, type, octets(least, most), _PAGE, ((data.hex(), Octets(data)),),
                 show.fields(data=show.octets))  # fmt: skip


NAME, NONCE = _codec(Type.NAME, 1, 64), _codec(Type.NONCE, 16, 16)
TICKET, PROOF = _codec(Type.TICKET, 16, 255), _codec(Type.PROOF, 32, 32)
MAC = _codec(Type.MAC, 32, 32)
WHY = Codec(
    "WHY",
    Type.WHY,
    Typed(WhyValue, Struct("code" / Int8ub)),
    _PAGE,
    (("07", WhyValue(7)),),
    show.fields(code=str),
)
CODECS = NAME, NONCE, TICKET, PROOF, MAC, WHY
RULES = Family(_PAGE, Type, Kind, NoFlag, by_type(CODECS), header_size=SIZE)


class Header(NamedTuple):
    """What each message begins with."""

    kind: int
    session: int


def parse(datagram: bytes) -> tuple[Header, list[Payload]]:
    """A message. MalformedPayload where it is none."""
    if not SIZE <= len(datagram) <= LENGTH_MAX:
        raise MalformedPayload("HDR", 0, f"{len(datagram)} octets", _PAGE)
    version, kind, length, session = _HEADER.unpack_from(datagram)
    if version != VERSION or kind not in set(Kind) or length != len(datagram):
        raise MalformedPayload("HDR", 0, f"{version}, {kind}, {length}", _PAGE)
    payloads: list[Payload] = []
    at = SIZE
    while at < length:
        if len(payloads) == PAYLOADS_MAX or at + 2 > length:
            raise MalformedPayload("HDR", at, "too many payloads, or octets left over", _PAGE)
        type, size = _PAYLOAD.unpack_from(datagram, at)
        body = datagram[at + 2 : at + 2 + size]
        if len(body) != size or type not in RULES.codecs:
            raise MalformedPayload("payload", at, f"type {type}, {size} octets", _PAGE)
        payloads.append(Payload(type, body, RULES.codecs[type].parse(body, at + 2), at))
        at += 2 + size
    return Header(kind, session), payloads


def build(header: Header, items: Sequence[tuple[int, object]], tail: int = 0) -> bytes:
    """A message, and that ``tail`` octets follow. MalformedPayload where it cannot be."""
    bodies = [(type, RULES.codecs[type].build(value)) for type, value in items]
    chain = b"".join(_PAYLOAD.pack(type, len(body)) + body for type, body in bodies)
    length = SIZE + len(chain) + tail
    return _HEADER.pack(VERSION, header.kind, length, header.session) + chain


def sealed(mac: bytes) -> bytes:
    """The payload that a sealed message ends with."""
    return _PAYLOAD.pack(Type.MAC, len(mac)) + mac
