"""KeyExchange: what the daemon asks of the versions of IKE, and the engine of none."""

from __future__ import annotations

import inspect

import pytest

from isakmp.exchange.dialect import Dialect
from isakmp.exchange.key_exchange import KeyExchange
from isakmp.scripts.ikev1.dialect import Ikev1
from isakmp.scripts.ikev2.dialect import Ikev2
from regress.exchange.test_dialect import asked_for, members
from regress.toy.dialect import Toy


def test_the_engine_never_asks_for_what_makes_sas() -> None:
    assert members(KeyExchange) and not asked_for() & members(KeyExchange)


@pytest.mark.parametrize("kind", [Ikev1, Ikev2])
def test_the_versions_of_ike_are_both(kind: type) -> None:
    for name in members(Dialect) | members(KeyExchange):
        assert hasattr(kind, name), name


def test_a_protocol_without_sas_has_none_of_it() -> None:
    assert not any(hasattr(Toy, name) for name in members(KeyExchange))


def test_each_method_says_what_it_is_for() -> None:
    for name, member in vars(KeyExchange).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            assert member.__doc__, name
