"""The delete payload: RFC 2408 3.15. ``spis``: at least one, all of one size."""

from __future__ import annotations

import struct
from typing import NamedTuple

from construct import Array, Bytes, Check, Int8ub, Int16ub, Int32ub, Rebuild, len_, this
from construct import Struct as Layout

from isakmp.constants import isakmp, name_of
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line, Misfit, Twin, new
from isakmp.payloads.shapes import Typed

MAX_SPIS = 256


class DeleteValue(NamedTuple):
    """SAs of a protocol that are no more, by their SPIs."""

    doi: int
    protocol_id: int
    spis: tuple[bytes, ...]


LAYOUT = Typed(
    DeleteValue,
    Layout(
        "doi" / Int32ub,
        "protocol_id" / Int8ub,
        "_spi_size" / Rebuild(Int8ub, lambda value: len(value.spis[0])),
        "_count" / Rebuild(Int16ub, len_(this.spis)),
        Check((this._spi_size > 0) & (this._count > 0) & (this._count <= MAX_SPIS)),
        "spis" / Array(this._count, Bytes(this._spi_size)),
    ),
)

_FIXED = struct.Struct(">IBBH")


def _parse(body: bytes) -> DeleteValue:
    if len(body) < _FIXED.size:
        raise Misfit("", 0, f"{len(body)} octets: at least {_FIXED.size} are needed")
    doi, protocol_id, size, count = _FIXED.unpack_from(body)
    left = len(body) - _FIXED.size
    if not size or not 0 < count <= MAX_SPIS:
        raise Misfit("", 0, f"{count} SPIs of {size} octets: 1 to {MAX_SPIS} are possible")
    if count * size != left:
        raise Misfit("", 0, f"{count} SPIs of {size} octets declared in {left} octets")
    spis = [body[at : at + size] for at in range(_FIXED.size, len(body), size)]
    return new(DeleteValue, (doi, protocol_id, tuple(spis)))


def _build(value: DeleteValue) -> bytes:
    spis = value.spis
    size = len(spis[0])
    if not size or len(spis) > MAX_SPIS or any(len(spi) != size for spi in spis):
        raise ValueError(f"SPIs of different sizes, or more than {MAX_SPIS}")
    fixed = _FIXED.pack(value.doi, value.protocol_id, size, len(spis))
    return fixed + b"".join(spis)


def _describe(value: DeleteValue) -> list[Line]:
    protocol = name_of(isakmp.Protocol, value.protocol_id)
    spis = " ".join(show.octets(spi) for spi in value.spis)
    return [("", f"doi {show.doi(value.doi)} protocol_id {protocol} spis {spis}")]


CODEC = Codec(
    "DELETE",
    isakmp.Payload.DELETE,
    LAYOUT,
    "RFC 2408 3.15",
    (
        (
            "0000000103040002deadbeef00001001",
            DeleteValue(1, 3, (b"\xde\xad\xbe\xef", b"\0\0\x10\1")),
        ),
        (
            "0000000101100001000102030405060708090a0b0c0d0e0f",
            DeleteValue(1, 1, (bytes(range(16)),)),
        ),
    ),
    _describe,
    Twin(_parse, _build),
)
