"""The notify payload: RFC 7296 3.10."""

from __future__ import annotations

import struct
from typing import NamedTuple

from construct import Bytes, GreedyBytes, Int8ub, Int16ub, Rebuild, len_, this
from construct import Struct as Layout

from isakmp.constants import ikev2, name_of
from isakmp.constants.key_exchange import method_name
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line, Misfit, Twin, new
from isakmp.payloads.shapes import Typed
from isakmp.policy.ppk import ppk_name


class NotifyValue(NamedTuple):
    """A notification, of ikev2.Notify; ``protocol_id`` and ``spi`` where it is about a child SA."""

    protocol_id: int
    notify: int
    spi: bytes
    data: bytes


LAYOUT = Typed(
    NotifyValue,
    Layout(
        "protocol_id" / Int8ub,
        "_spi_size" / Rebuild(Int8ub, len_(this.spi)),
        "notify" / Int16ub,
        "spi" / Bytes(this._spi_size),
        "data" / GreedyBytes,
    ),
)
_TEXTS = (ikev2.Notify.REDIRECT, ikev2.Notify.REDIRECTED_FROM)


_FIXED = struct.Struct(">BBH")


def _parse(body: bytes) -> NotifyValue:
    if len(body) < _FIXED.size:
        raise Misfit("", 0, f"{len(body)} octets: at least {_FIXED.size} are needed")
    protocol_id, spi_size, notify = _FIXED.unpack_from(body)
    end = _FIXED.size + spi_size
    if end > len(body):
        raise Misfit("", 0, f"SPI of {spi_size} octets, {len(body) - _FIXED.size} left")
    return new(NotifyValue, (protocol_id, notify, body[_FIXED.size : end], body[end:]))


def _build(value: NotifyValue) -> bytes:
    protocol_id, notify, spi, data = value
    return _FIXED.pack(protocol_id, len(spi), notify) + spi + data


def _data(notify: int, data: bytes) -> str:
    """What is in a notify whose data has a meaning that fits on a line."""
    if notify == ikev2.Notify.INVALID_KE_PAYLOAD and len(data) == 2:
        return method_name(int.from_bytes(data, "big"))
    if notify == ikev2.Notify.SIGNATURE_HASH_ALGORITHMS and data and len(data) % 2 == 0:
        numbers = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
        return ", ".join(name_of(ikev2.Hash, number) for number in numbers[: show.MAX_SHOWN])
    if notify in (ikev2.Notify.ADDITIONAL_IP4_ADDRESS, ikev2.Notify.ADDITIONAL_IP6_ADDRESS):
        return show.address(data)
    if notify == ikev2.Notify.PPK_IDENTITY and data:
        return ppk_name(data)
    return show.octets(data)


def _describe(value: NotifyValue) -> list[Line]:
    name, protocol = name_of(ikev2.Notify, value.notify), name_of(ikev2.Protocol, value.protocol_id)
    said = _data(value.notify, value.data)
    return [("", f"{name} protocol_id {protocol} spi {show.octets(value.spi)} data {said}")]


CODEC = Codec(
    "NOTIFY",
    ikev2.Payload.NOTIFY,
    LAYOUT,
    "RFC 7296 3.10",
    (
        (
            "00004004" + "0d" * 20,
            NotifyValue(0, 16388, b"", b"\r" * 20),
        ),
        (
            "03044009deadbeef",
            NotifyValue(3, 16393, b"\xde\xad\xbe\xef", b""),
        ),
    ),
    _describe,
    Twin(_parse, _build),
)
