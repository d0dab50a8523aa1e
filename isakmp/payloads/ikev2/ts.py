"""The traffic selector payloads TSi and TSr: RFC 7296 3.13.

A selector is of an address range, or has its octets as ``data`` (RFC 9478 security labels).
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from construct import (
    Bytes,
    Construct,
    ExprAdapter,
    FixedSized,
    GreedyBytes,
    Int8ub,
    Int16ub,
    Padding,
    Rebuild,
    Switch,
    len_,
    this,
)
from construct import Struct as Layout

from isakmp.constants import ikev2, name_of
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line, Misfit, Twin, new
from isakmp.payloads.ikev2.shapes import Demand
from isakmp.payloads.shapes import Exactly, Series, Typed

MAX_SELECTORS = 255
_HEAD_SIZE = 4


class RangeValue(NamedTuple):
    """A range of addresses, and of ports; in octets of the family that the type says."""

    type: int
    protocol: int
    start_port: int
    end_port: int
    start: bytes
    end: bytes


class OpaqueValue(NamedTuple):
    """A selector of any other type."""

    type: int
    protocol: int
    data: bytes


SelectorValue = RangeValue | OpaqueValue


class TsValue(NamedTuple):
    """The traffic of one side."""

    selectors: tuple[SelectorValue, ...]


def _range(size: int) -> Construct:
    return Layout(
        "start_port" / Int16ub, "end_port" / Int16ub, "start" / Bytes(size), "end" / Bytes(size)
    )


_RANGES = {
    ikev2.TrafficSelector.IPV4_ADDR_RANGE: _range(4),
    ikev2.TrafficSelector.IPV6_ADDR_RANGE: _range(16),
}


def _length(context: Any) -> int:
    body = context["_body"]
    if context["type"] in _RANGES:
        return _HEAD_SIZE + 4 + len(body["start"]) + len(body["end"])
    return _HEAD_SIZE + len(body["data"])


def _flat(value: Any, _context: Any) -> SelectorValue:
    kind: Any = RangeValue if value["type"] in _RANGES else OpaqueValue
    selector: SelectorValue = kind(
        value["type"], value["protocol"], *(value["_body"][name] for name in kind._fields[2:])
    )
    return selector


def _nested(value: SelectorValue, _context: Any) -> dict[str, Any]:
    return {"type": value.type, "protocol": value.protocol, "_body": value._asdict()}


SELECTOR = ExprAdapter(
    Layout(
        "type" / Int8ub,
        "protocol" / Int8ub,
        "_length" / Rebuild(Int16ub, _length),
        "_body"
        / FixedSized(
            this._length - _HEAD_SIZE,
            Exactly(Switch(this.type, _RANGES, default=Layout("data" / GreedyBytes))),
        ),
    ),
    _flat,
    _nested,
)


def _wrong(context: Any) -> str:
    declared, there = context["_count"], len(context["selectors"])
    return f"{declared} selectors declared, {there} there" if declared != there else ""


LAYOUT = Typed(
    TsValue,
    Layout(
        "_count" / Rebuild(Int8ub, len_(this.selectors)),
        Padding(3),
        "selectors" / Series("selector", SELECTOR, MAX_SELECTORS),
        Demand(_wrong),
    ),
)


_COUNT = struct.Struct(">B3x")
_HEAD = struct.Struct(">BBH")
_PORTS = struct.Struct(">HH")
_ADDRESS_SIZES = {7: 4, 8: 16}


def _parse(body: bytes) -> TsValue:
    if len(body) < _COUNT.size:
        raise Misfit("", 0, f"{len(body)} octets: at least {_COUNT.size} are needed")
    (count,) = _COUNT.unpack_from(body)
    selectors: list[SelectorValue] = []
    at, end = _COUNT.size, len(body)
    while at < end:
        where = f".selector[{len(selectors)}]"
        if len(selectors) == MAX_SELECTORS:
            raise Misfit(where, at, f"more than {MAX_SELECTORS} of them")
        selector, at = _parse_selector(body, at, where)
        selectors.append(selector)
    if count != len(selectors):
        raise Misfit("", 0, f"{count} selectors declared, {len(selectors)} there")
    return TsValue(tuple(selectors))


def _parse_selector(body: bytes, at: int, where: str) -> tuple[SelectorValue, int]:
    left = len(body) - at
    if left < _HEAD.size:
        raise Misfit(where, at, f"{left} octets left for a header of {_HEAD.size}")
    kind, protocol, length = _HEAD.unpack_from(body, at)
    if not _HEAD.size <= length <= left:
        raise Misfit(where, at, f"{length} octets declared, {left} left")
    stop, first = at + length, at + _HEAD.size
    size = _ADDRESS_SIZES.get(kind)
    if size is None:
        return OpaqueValue(kind, protocol, body[first:stop]), stop
    start = first + _PORTS.size
    if stop - start != 2 * size:
        raise Misfit(where, at, f"two addresses of {size} octets in {stop - start}")
    start_port, end_port = _PORTS.unpack_from(body, first)
    first_one, last_one = body[start : start + size], body[start + size : stop]
    fields = kind, protocol, start_port, end_port, first_one, last_one
    return new(RangeValue, fields), stop


def _build(value: TsValue) -> bytes:
    selectors = value.selectors
    if len(selectors) > MAX_SELECTORS:
        raise ValueError(f"{len(selectors)} selectors: {MAX_SELECTORS} are possible")
    return _COUNT.pack(len(selectors)) + b"".join(_build_selector(s) for s in selectors)


def _build_selector(selector: SelectorValue) -> bytes:
    size = _ADDRESS_SIZES.get(selector.type)
    if isinstance(selector, OpaqueValue):
        if size is not None:
            raise ValueError(f"a range of addresses of type {selector.type} without any")
        body = selector.data
    else:
        start, end = selector.start, selector.end
        if len(start) != size or len(end) != size:
            raise ValueError(f"addresses of {len(start)} and {len(end)} octets, not {size}")
        body = _PORTS.pack(selector.start_port, selector.end_port) + start + end
    return _HEAD.pack(selector.type, selector.protocol, _HEAD.size + len(body)) + body


def _describe(value: TsValue) -> list[Line]:
    return [
        (f".selector[{index}]", _text(selector)) for index, selector in enumerate(value.selectors)
    ]


def _text(selector: SelectorValue) -> str:
    head = f"{name_of(ikev2.TrafficSelector, selector.type)} protocol {selector.protocol}"
    if isinstance(selector, OpaqueValue):
        return f"{head} data {show.octets(selector.data)}"
    ports = f"{selector.start_port}-{selector.end_port}"
    return f"{head} ports {ports} {show.address(selector.start)}-{show.address(selector.end)}"


_V4 = RangeValue(7, 17, 0, 65535, b"\x0a\x00\x00\x00", b"\x0a\x00\x00\xff")
_V6 = RangeValue(8, 0, 500, 500, bytes(16), b"\xff" * 16)

CODEC = Codec(
    "TSi",
    ikev2.Payload.TSI,
    LAYOUT,
    "RFC 7296 3.13",
    (
        ("01000000071100100000ffff0a0000000a0000ff", TsValue((_V4,))),
        (
            "020000000800002801f401f4" + "00" * 16 + "ff" * 16 + "0a000006abcd",
            TsValue((_V6, OpaqueValue(10, 0, b"\xab\xcd"))),
        ),
    ),
    _describe,
    Twin(_parse, _build),
)
CODEC_R = CODEC.renamed("TSr", ikev2.Payload.TSR)
