"""Data attributes: RFC 2408 3.3. An int value is the short (TV) form, octets are the long one.

::

     1                   15 1                    16
    |AF|  attribute type   |  AF=0 length, AF=1 value | AF=0 value ...
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from enum import IntEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from construct import (
    Check,
    Computed,
    GreedyBytes,
    IfThenElse,
    Int16ub,
    Prefixed,
    Rebuild,
    Struct,
    this,
)

from isakmp.constants import ipsec, isakmp, name_of
from isakmp.payloads import show
from isakmp.payloads.base import Misfit, new
from isakmp.payloads.shapes import Series, Typed

SHORT = 0x8000
MAX_ATTRIBUTES = 64
_PAIR = struct.Struct(">HH")


class DataAttribute(NamedTuple):
    """One attribute. value: a number of 16 bits, or octets of any number."""

    type: int
    value: int | bytes


def _head(context: Any) -> int:
    kind: int = context.type
    return kind | SHORT if isinstance(context.value, int) else kind


ATTRIBUTE = Typed(
    DataAttribute,
    Struct(
        "_head" / Rebuild(Int16ub, _head),
        "_sane" / Check(lambda ctx: ctx._parsing or 0 <= ctx.type < SHORT),
        "type" / Computed(this._head & (SHORT - 1)),
        "value" / IfThenElse(this._head & SHORT, Int16ub, Prefixed(Int16ub, GreedyBytes)),
    ),
)

ATTRIBUTES = Series("attribute", ATTRIBUTE, MAX_ATTRIBUTES)


def parse_attributes(
    data: bytes, at: int = 0, end: int = -1, place: str = ""
) -> tuple[DataAttribute, ...]:
    """The attributes in ``data[at:end]``. Misfit where one does not fit."""
    end = len(data) if end < 0 else end
    attributes: list[DataAttribute] = []
    for _ in range(MAX_ATTRIBUTES):
        if at == end:
            return tuple(attributes)
        start, at = at, at + _PAIR.size
        if at > end:
            raise _misfit(place, attributes, start, f"{end - start} octets left, 4 are needed")
        kind, value = _PAIR.unpack_from(data, start)
        if kind & SHORT:
            attributes.append(new(DataAttribute, (kind ^ SHORT, value)))
            continue
        first, at = at, at + value
        if at > end:
            reason = f"{value} octets declared, {end - first} left"
            raise _misfit(place, attributes, start, reason)
        attributes.append(new(DataAttribute, (kind, data[first:at])))
    if at < end:
        raise _misfit(place, attributes, at, f"more than {MAX_ATTRIBUTES} of them")
    return tuple(attributes)


def _misfit(place: str, before: list[DataAttribute], at: int, reason: str) -> Misfit:
    return Misfit(f"{place}.attribute[{len(before)}]", at, reason)


def build_attributes(attributes: Iterable[DataAttribute]) -> bytes:
    """The octets of attributes. struct.error or ValueError where a number does not fit."""
    parts = [
        _short(kind, value) if isinstance(value, int) else _long(kind, value)
        for kind, value in attributes
    ]
    if len(parts) > MAX_ATTRIBUTES:
        raise ValueError(f"{len(parts)} attributes: {MAX_ATTRIBUTES} are possible")
    return b"".join(parts)


@lru_cache(256)
def _short(kind: int, value: int) -> bytes:
    """An attribute of two octets. Those of one configuration are built again and again."""
    return _PAIR.pack(_checked(kind) | SHORT, value)


def _long(kind: int, value: bytes) -> bytes:
    return _PAIR.pack(_checked(kind), len(value)) + value


def _checked(kind: int) -> int:
    if not 0 <= kind < SHORT:
        raise ValueError(f"attribute type {kind}")
    return kind


_PHASE_1: Mapping[int, type[IntEnum]] = MappingProxyType(
    {
        isakmp.Attribute.ENCRYPTION_ALGORITHM: isakmp.Encryption,
        isakmp.Attribute.HASH_ALGORITHM: isakmp.Hash,
        isakmp.Attribute.AUTHENTICATION_METHOD: isakmp.Authentication,
        isakmp.Attribute.GROUP_DESCRIPTION: isakmp.Group,
        isakmp.Attribute.LIFE_TYPE: isakmp.LifeType,
    }
)
_PHASE_2: Mapping[int, type[IntEnum]] = MappingProxyType(
    {
        ipsec.Attribute.LIFE_TYPE: isakmp.LifeType,
        ipsec.Attribute.GROUP_DESCRIPTION: isakmp.Group,
        ipsec.Attribute.ENCAPSULATION_MODE: ipsec.Encapsulation,
        ipsec.Attribute.AUTHENTICATION_ALGORITHM: ipsec.Auth,
    }
)


def describe_attribute(attribute: DataAttribute, protocol_id: int) -> str:
    """``NAME = VALUE``; ISAKMP has attributes of its own, the others share the IPsec DOI's."""
    phase_1 = protocol_id == isakmp.Protocol.ISAKMP
    kinds: type[IntEnum] = isakmp.Attribute if phase_1 else ipsec.Attribute
    kind, value = attribute
    # Python writes no number of thousands of digits.
    if isinstance(value, bytes) and len(value) > 8:
        return f"{name_of(kinds, kind)} = {show.octets(value)}"
    number = int.from_bytes(value, "big") if isinstance(value, bytes) else value
    if values := (_PHASE_1 if phase_1 else _PHASE_2).get(kind):
        return f"{name_of(kinds, kind)} = {name_of(values, number)}"
    return f"{name_of(kinds, kind)} = {number}"
