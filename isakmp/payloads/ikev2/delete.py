"""The delete payload: RFC 7296 3.11. For an IKE SA it names no SPI, the header does."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from construct import Array, Bytes, Int8ub, Int16ub, Rebuild, len_, this
from construct import Struct as Layout

from isakmp.constants import ikev2, name_of
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line, Misfit, Twin, new
from isakmp.payloads.ikev2.shapes import Demand
from isakmp.payloads.shapes import Typed


def _spi_size(context: Any) -> int:
    return len(context["spis"][0]) if context["spis"] else 0


class DeleteValue(NamedTuple):
    """Child SAs of a protocol that are no more, by their SPIs; or the IKE SA itself."""

    protocol_id: int
    spis: tuple[bytes, ...]


LAYOUT = Typed(
    DeleteValue,
    Layout(
        "protocol_id" / Int8ub,
        "_spi_size" / Rebuild(Int8ub, _spi_size),
        "_count" / Rebuild(Int16ub, len_(this.spis)),
        # An SPI of no octets would make a list of any length out of nothing.
        Demand(lambda ctx: "SPIs of no octets" if ctx["_count"] and not ctx["_spi_size"] else ""),
        "spis" / Array(this._count, Bytes(this._spi_size)),
    ),
)


_FIXED = struct.Struct(">BBH")


def _parse(body: bytes) -> DeleteValue:
    if len(body) < _FIXED.size:
        raise Misfit("", 0, f"{len(body)} octets: at least {_FIXED.size} are needed")
    protocol_id, size, count = _FIXED.unpack_from(body)
    left = len(body) - _FIXED.size
    if count and not size:
        raise Misfit("", 0, "SPIs of no octets")
    if count * size > left:
        raise Misfit("", 0, f"{count} SPIs of {size} octets declared in {left} octets")
    if count * size < left:
        raise Misfit("", 0, f"{left - count * size} octets left over")
    spis = [body[at : at + size] for at in range(_FIXED.size, len(body), size)] if count else []
    return new(DeleteValue, (protocol_id, tuple(spis)))


def _build(value: DeleteValue) -> bytes:
    spis = value.spis
    size = len(spis[0]) if spis else 0
    if spis and not size or any(len(spi) != size for spi in spis):
        raise ValueError("SPIs of no octets, or of different sizes")
    return _FIXED.pack(value.protocol_id, size, len(spis)) + b"".join(spis)


def _describe(value: DeleteValue) -> list[Line]:
    spis = " ".join(spi.hex() for spi in value.spis[: show.MAX_SHOWN]) or "-"
    if len(value.spis) > show.MAX_SHOWN:
        spis += f" ... ({len(value.spis)} SPIs)"
    return [("", f"protocol_id {name_of(ikev2.Protocol, value.protocol_id)} spis {spis}")]


CODEC = Codec(
    "DELETE",
    ikev2.Payload.DELETE,
    LAYOUT,
    "RFC 7296 3.11",
    (
        ("01000000", DeleteValue(1, ())),
        ("03040002010203040a0b0c0d", DeleteValue(3, (b"\1\2\3\4", b"\n\x0b\x0c\r"))),
    ),
    _describe,
    Twin(_parse, _build),
)
