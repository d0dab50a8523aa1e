"""The traffic selector payloads TSi and TSr: RFC 7296 3.13."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants import name_of
from isakmp.constants.ikev2 import TrafficSelector
from isakmp.payloads.ikev2.ts import CODEC, CODEC_R, MAX_SELECTORS, OpaqueValue, RangeValue, TsValue
from regress.payloads.told import refused, unbuildable

ONE = bytes.fromhex("071100100000ffff0a0000000a0000ff")
V4 = RangeValue(7, 17, 0, 65535, b"\x0a\0\0\0", b"\x0a\0\0\xff")
LABEL = OpaqueValue(10, 0, b"\xab\xcd")


def body(*selectors: bytes, count: int | None = None) -> bytes:
    return bytes([len(selectors) if count is None else count, 0, 0, 0]) + b"".join(selectors)


def test_a_range_and_a_label() -> None:
    """RFC 9478: a security label has octets alone."""
    value = TsValue((V4, LABEL))
    whole = body(ONE, bytes.fromhex("0a000006abcd"))
    assert CODEC.build(value) == whole
    assert CODEC.parse(b"\2\xff\xff\xff" + whole[4:]) == value, "reserved octets are ignored"
    assert CODEC.describe(value) == [
        (".selector[0]", "IPV4_ADDR_RANGE protocol 17 ports 0-65535 10.0.0.0-10.0.0.255"),
        (".selector[1]", f"{name_of(TrafficSelector, 10)} protocol 0 data abcd"),
    ]


@pytest.mark.parametrize(
    ("octets", "path", "at"),
    [
        (b"\1\0\0", "TSi", 0),
        (body(ONE, count=2), "TSi", 0),
        (body(ONE, ONE, count=1), "TSi", 0),
        (body(ONE, b"\7\0\0"), "TSi.selector[1]", 20),
        (body(ONE, b"\7\0\0\x11" + ONE[4:]), "TSi.selector[1]", 20),
        (body(b"\7\0\0\3" + ONE[4:]), "TSi.selector[0]", 4),
        (body(b"\x08" + ONE[1:]), "TSi.selector[0]", 4),
    ],
    ids=["short", "fewer", "more", "cut", "longer than there is", "no header", "other family"],
)
def test_what_is_wrong_is_said_of_its_place(octets: bytes, path: str, at: int) -> None:
    error = refused(CODEC, octets)
    assert (error.path, error.offset) == (path, 32 + at)
    assert refused(CODEC_R, octets).path == path.replace("TSi", "TSr")


def test_as_many_as_there_may_be() -> None:
    value = TsValue((V4,) * MAX_SELECTORS)
    assert CODEC.parse(CODEC.build(value)) == value
    unbuildable(CODEC, TsValue((V4,) * (MAX_SELECTORS + 1)))
    assert refused(CODEC, body(*[ONE] * (MAX_SELECTORS + 1), count=0)).path.endswith("[255]")


@pytest.mark.parametrize(
    "change", [{"start": b"\x0a\0\0"}, {"end": bytes(16)}, {"end_port": 65536}, {"type": 8}]
)
def test_what_cannot_be_built(change: dict[str, Any]) -> None:
    unbuildable(CODEC, TsValue((V4._replace(**change),)))
