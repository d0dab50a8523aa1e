"""The notification payload: RFC 2408 3.14, RFC 2407 4.6.3, RFC 3706 5.2."""

from __future__ import annotations

import struct
from typing import NamedTuple

from construct import Bytes, GreedyBytes, Int8ub, Int16ub, Int32ub, Rebuild, len_, this
from construct import Struct as Layout

from isakmp.constants import isakmp, name_of
from isakmp.constants.isakmp import Notify
from isakmp.errors import MalformedPayload
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line, Misfit, Twin, new
from isakmp.payloads.data_attribute import describe_attribute, parse_attributes
from isakmp.payloads.shapes import Typed


class NotifyValue(NamedTuple):
    """A notification, of isakmp.Notify, about what ``protocol_id`` and ``spi`` name."""

    doi: int
    protocol_id: int
    notify: int
    spi: bytes
    data: bytes


LAYOUT = Typed(
    NotifyValue,
    Layout(
        "doi" / Int32ub,
        "protocol_id" / Int8ub,
        "_spi_size" / Rebuild(Int8ub, len_(this.spi)),
        "notify" / Int16ub,
        "spi" / Bytes(this._spi_size),
        "data" / GreedyBytes,
    ),
)

_FIXED = struct.Struct(">IBBH")


def _parse(body: bytes) -> NotifyValue:
    if len(body) < _FIXED.size:
        raise Misfit("", 0, f"{len(body)} octets: at least {_FIXED.size} are needed")
    doi, protocol_id, spi_size, notify = _FIXED.unpack_from(body)
    end = _FIXED.size + spi_size
    if end > len(body):
        raise Misfit("", 0, f"SPI of {spi_size} octets, {len(body) - _FIXED.size} left")
    return new(NotifyValue, (doi, protocol_id, notify, body[_FIXED.size : end], body[end:]))


def _build(value: NotifyValue) -> bytes:
    doi, protocol_id, notify, spi, data = value
    return _FIXED.pack(doi, protocol_id, len(spi), notify) + spi + data


def _data(notify: int, data: bytes) -> str:
    """What a notification says beside its type, where that is known."""
    if notify in (Notify.R_U_THERE, Notify.R_U_THERE_ACK) and len(data) == 4:
        return f"sequence {int.from_bytes(data, 'big')}"
    if notify == Notify.RESPONDER_LIFETIME:
        try:
            attributes = parse_attributes(data)
        except Misfit:
            return show.octets(data)
        protocol = isakmp.Protocol.IPSEC_ESP
        return ", ".join(describe_attribute(attribute, protocol) for attribute in attributes)
    return show.octets(data)


def _describe(value: NotifyValue) -> list[Line]:
    protocol = name_of(isakmp.Protocol, value.protocol_id)
    where = f"doi {show.doi(value.doi)} protocol_id {protocol} spi {show.octets(value.spi)}"
    said = _data(value.notify, value.data)
    return [("", f"notify {name_of(Notify, value.notify)} {where} data {said}")]


_PLACES = (
    ("SA.doi", Notify.DOI_NOT_SUPPORTED),
    ("SA.situation", Notify.SITUATION_NOT_SUPPORTED),
    ("SA.", Notify.BAD_PROPOSAL_SYNTAX),
    ("HDR.length", Notify.UNEQUAL_PAYLOAD_LENGTHS),
    ("HDR.version", Notify.INVALID_MAJOR_VERSION),
    ("PROPOSAL", Notify.INVALID_PAYLOAD_TYPE),
    ("TRANSFORM", Notify.INVALID_PAYLOAD_TYPE),
)


def notify_for(error: MalformedPayload) -> Notify:
    """What to tell a peer of a malformed payload (RFC 2408 5.2 to 5.4)."""
    for place, notify in _PLACES:
        if error.path.startswith(place):
            return notify
    return Notify.PAYLOAD_MALFORMED


CODEC = Codec(
    "NOTIFY",
    isakmp.Payload.NOTIFY,
    LAYOUT,
    "RFC 2408 3.14",
    (
        ("0000000101000010", NotifyValue(1, 1, 16, b"", b"")),
        (
            "0000000101108d28000102030405060708090a0b0c0d0e0f0000002a",
            NotifyValue(1, 1, 36136, bytes(range(16)), b"\0\0\0*"),
        ),
    ),
    _describe,
    Twin(_parse, _build),
)
