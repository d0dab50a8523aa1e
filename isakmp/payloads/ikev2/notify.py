"""The notify payload: RFC 7296 3.10."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from construct import Bytes, GreedyBytes, Int8ub, Int16ub, Rebuild, len_, this
from construct import Struct as Layout

from isakmp.constants import ikev2, name_of
from isakmp.constants.key_exchange import method_name
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line, Misfit, Twin, Value
from isakmp.policy.ppk import ppk_name

LAYOUT = Layout(
    "protocol_id" / Int8ub,
    "_spi_size" / Rebuild(Int8ub, len_(this.spi)),
    "notify" / Int16ub,
    "spi" / Bytes(this._spi_size),
    "data" / GreedyBytes,
)
_TEXTS = (ikev2.Notify.REDIRECT, ikev2.Notify.REDIRECTED_FROM)


_FIXED = struct.Struct(">BBH")


def _parse(body: bytes) -> Value:
    if len(body) < _FIXED.size:
        raise Misfit("", 0, f"{len(body)} octets: at least {_FIXED.size} are needed")
    protocol_id, spi_size, notify = _FIXED.unpack_from(body)
    end = _FIXED.size + spi_size
    if end > len(body):
        raise Misfit("", 0, f"SPI of {spi_size} octets, {len(body) - _FIXED.size} left")
    spi = body[_FIXED.size : end]
    return Value(protocol_id=protocol_id, notify=notify, spi=spi, data=body[end:])


def _build(value: Mapping[str, Any]) -> bytes:
    spi, data = value["spi"], value["data"]
    fixed = _FIXED.pack(value["protocol_id"], len(spi), value["notify"])
    return bytes(fixed + spi + data)


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


def _describe(value: Mapping[str, Any]) -> list[Line]:
    notify = value["notify"]
    return [
        (
            "",
            f"{name_of(ikev2.Notify, notify)} protocol_id "
            f"{name_of(ikev2.Protocol, value['protocol_id'])} spi {show.octets(value['spi'])} "
            f"data {_data(notify, value['data'])}",
        )
    ]


CODEC: Codec[Any] = Codec(
    "NOTIFY",
    ikev2.Payload.NOTIFY,
    LAYOUT,
    "RFC 7296 3.10",
    (
        (
            "00004004" + "0d" * 20,
            {"protocol_id": 0, "notify": 16388, "spi": b"", "data": b"\r" * 20},
        ),
        (
            "03044009deadbeef",
            {"protocol_id": 3, "notify": 16393, "spi": b"\xde\xad\xbe\xef", "data": b""},
        ),
    ),
    _describe,
    Twin(_parse, _build),
)
