"""Key exchange methods by number: one registry of IANA's in two enums. RFC 9370 2.2.1."""

from __future__ import annotations

import pytest

from isakmp.constants.ikev2 import KeyExchange, Transform
from isakmp.constants.isakmp import Group
from isakmp.constants.key_exchange import (
    ADDITIONAL,
    KEY_EXCHANGES,
    is_new,
    method_name,
    method_of,
)


def test_additional_ones_are_seven_types_in_their_order() -> None:
    assert [int(kind) for kind in ADDITIONAL] == [6, 7, 8, 9, 10, 11, 12]
    assert (Transform.KE, *ADDITIONAL) == KEY_EXCHANGES


@pytest.mark.parametrize("number", [*Group, *KeyExchange])
def test_each_number_is_of_one_registry(number: int) -> None:
    found = method_of(int(number))
    assert found == number and is_new(number) is isinstance(found, KeyExchange)
    assert method_name(number) == found.name


def test_registries_do_not_meet() -> None:
    assert max(Group) < min(KeyExchange)
    assert not is_new(max(Group)) and is_new(min(KeyExchange))


@pytest.mark.parametrize(
    ("number", "name"), [(0, "NONE"), (9999, "UNKNOWN(9999)"), (13, "UNKNOWN(13)")]
)
def test_what_there_is_not(number: int, name: str) -> None:
    assert method_name(number) == name
    with pytest.raises(ValueError, match=str(number)):
        method_of(number)
