"""The EAP payload: RFC 7296 3.16, one EAP message of RFC 3748 4.

``type`` is None in a success, a failure and whatever has no type of method.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from construct import GreedyBytes, If, Int8ub, Int16ub, Rebuild, Struct

from isakmp.constants import ikev2, name_of
from isakmp.payloads import show
from isakmp.payloads.base import Codec, Line
from isakmp.payloads.ikev2.shapes import Demand
from isakmp.payloads.shapes import Typed

_TYPED = (ikev2.EapCode.REQUEST, ikev2.EapCode.RESPONSE)
_BARE = (ikev2.EapCode.SUCCESS, ikev2.EapCode.FAILURE)


def _length(context: Any) -> int:
    return 4 + (context["code"] in _TYPED) + len(context["data"])


def _wrong(context: Any) -> str:
    declared, there = context["_length"], _length(context)
    if declared != there:
        return f"an EAP length of {declared} octets, {there} there"
    bare = context["code"] in _BARE
    return f"{name_of(ikev2.EapCode, context['code'])} with data" if bare and there > 4 else ""


class EapValue(NamedTuple):
    """An EAP message. code: of ikev2.EapCode; type: of ikev2.EapType."""

    code: int
    identifier: int
    type: int | None
    data: bytes


LAYOUT = Typed(
    EapValue,
    Struct(
        "code" / Int8ub,
        "identifier" / Int8ub,
        "_length" / Rebuild(Int16ub, _length),
        "type" / If(lambda ctx: ctx["code"] in _TYPED, Int8ub),
        "data" / GreedyBytes,
        Demand(_wrong),
    ),
)


def _describe(value: EapValue) -> list[Line]:
    text = f"{name_of(ikev2.EapCode, value.code)} identifier {value.identifier}"
    if value.type is not None:
        identity = value.type == ikev2.EapType.IDENTITY
        data = show.text(value.data) if identity else show.octets(value.data)
        text += f" type {name_of(ikev2.EapType, value.type)} data {data}"
    elif value.data:
        text += f" data {show.octets(value.data)}"
    return [("", text)]


CODEC = Codec(
    "EAP",
    ikev2.Payload.EAP,
    LAYOUT,
    "RFC 7296 3.16",
    (
        ("0107000501", EapValue(1, 7, 1, b"")),
        ("0207000801626f62", EapValue(2, 7, 1, b"bob")),
        ("03080004", EapValue(3, 8, None, b"")),
        ("05090006abcd", EapValue(5, 9, None, b"\xab\xcd")),
    ),
    _describe,
)
