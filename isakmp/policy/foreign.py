"""Attributes of a transform that we do not carry out: who accepts a transform accepts all of it.

RFC 2408 4.2, RFC 2409 appendix A, RFC 2407 4.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from isakmp.constants import ipsec, isakmp, name_of
from isakmp.payloads.sa import TransformValue

# Nothing that is negotiated is larger: a lifetime of 2^63 kilobytes fits no counter of octets, and
# Python writes no number of thousands of digits.
LARGEST = 0xFFFFFFFF
_IKE, _IPSEC = isakmp.Attribute, ipsec.Attribute
_LIFE_TYPES = frozenset(int(unit) for unit in isakmp.LifeType)
_CARRIED_OUT: dict[Any, set[int]] = {
    _IKE: {
        _IKE.ENCRYPTION_ALGORITHM, _IKE.HASH_ALGORITHM, _IKE.AUTHENTICATION_METHOD,
        _IKE.GROUP_DESCRIPTION, _IKE.LIFE_TYPE, _IKE.LIFE_DURATION, _IKE.KEY_LENGTH,
    },
    _IPSEC: {
        _IPSEC.LIFE_TYPE, _IPSEC.LIFE_DURATION, _IPSEC.GROUP_DESCRIPTION,
        _IPSEC.ENCAPSULATION_MODE, _IPSEC.AUTHENTICATION_ALGORITHM, _IPSEC.KEY_LENGTH,
    },
}  # fmt: skip


def foreign(
    transform: TransformValue, kind: type[isakmp.Attribute | ipsec.Attribute]
) -> Iterator[str]:
    """What keeps a transform from being taken as a whole, each attribute by its name."""
    seen: dict[int, int | bytes] = {}
    carried_out = _CARRIED_OUT[kind]
    life_type, life_duration = kind.LIFE_TYPE, kind.LIFE_DURATION
    if kind is _IKE and transform.transform_id != ipsec.IsakmpTransform.KEY_IKE:
        yield f"TRANSFORM_ID {transform.transform_id}, not KEY_IKE"
    for number, value in transform.attributes:
        if number == life_duration:
            continue
        if number == life_type:
            if (unit := _number_of(value)) not in _LIFE_TYPES:
                yield f"LIFE_TYPE {min(unit, LARGEST)}, which is not carried out"
        elif number not in carried_out:
            yield f"{name_of(kind, number)}, which is not carried out"
        elif number not in seen:
            seen[number] = value
        elif _number_of(seen[number]) != _number_of(value):
            yield f"{name_of(kind, number)} twice"


def _number_of(value: int | bytes) -> int:
    """What an attribute says, in either form."""
    return value if isinstance(value, int) else int.from_bytes(value, "big")
