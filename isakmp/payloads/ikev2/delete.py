"""The delete payload: RFC 7296 3.11. For an IKE SA it names no SPI, the header does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from construct import Array, Bytes, Int8ub, Int16ub, Rebuild, Struct, len_, this

from isakmp.constants import ikev2, name_of
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line
from isakmp.payloads.ikev2.shapes import Demand


def _spi_size(context: Any) -> int:
    return len(context["spis"][0]) if context["spis"] else 0


LAYOUT = Struct(
    "protocol_id" / Int8ub,
    "_spi_size" / Rebuild(Int8ub, _spi_size),
    "_count" / Rebuild(Int16ub, len_(this.spis)),
    # An SPI of no octets would make a list of any length out of nothing.
    Demand(lambda ctx: "SPIs of no octets" if ctx["_count"] and not ctx["_spi_size"] else ""),
    "spis" / Array(this._count, Bytes(this._spi_size)),
)


def _describe(value: Mapping[str, Any]) -> list[Line]:
    spis = " ".join(spi.hex() for spi in value["spis"][: show.MAX_SHOWN]) or "-"
    if len(value["spis"]) > show.MAX_SHOWN:
        spis += f" ... ({len(value['spis'])} SPIs)"
    return [("", f"protocol_id {name_of(ikev2.Protocol, value['protocol_id'])} spis {spis}")]


CODEC = Codec(
    "DELETE",
    ikev2.Payload.DELETE,
    LAYOUT,
    "RFC 7296 3.11",
    (
        ("01000000", {"protocol_id": 1, "spis": []}),
        (
            "03040002010203040a0b0c0d",
            {"protocol_id": 3, "spis": [b"\x01\x02\x03\x04", b"\x0a\x0b\x0c\x0d"]},
        ),
    ),
    _describe,
)
