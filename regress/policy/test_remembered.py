"""Results that are known of the same two objects, and of no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from isakmp.payloads.base import Codec
from isakmp.payloads.data_attribute import DataAttribute
from isakmp.payloads.ikev2.sa import CODEC as SA_2
from isakmp.payloads.sa import CODEC as SA_1
from isakmp.payloads.shapes import KNOWN_OCTETS, Shared
from isakmp.policy.remembered import MOST, _every, remembered
from regress.pair import EAST, WEST, Network
from regress.payloads.values import first_changed


class Counted:
    """A function that says how often it was called."""

    def __init__(self) -> None:
        self.calls = 0
        self.again = remembered(self.call)

    def call(
        self, one: Sequence[int], other: Sequence[int], name: str, *, fast: bool = True
    ) -> str:
        self.calls += 1
        if not one:
            raise ValueError(f"call {self.calls}")
        return f"{sum(one) + sum(other)} {name} {fast}"


def test_the_same_is_worked_out_once() -> None:
    counted, one, other = Counted(), Shared([1]), [2]
    assert counted.again(one, other, "a") == "3 a True"
    assert counted.again(one, other, "a") == "3 a True"
    assert counted.calls == 1
    assert counted.again(one, other, "b") == "3 b True"
    assert counted.again(one, other, "b", fast=False) == "3 b False"
    assert counted.calls == 3


def test_what_is_equal_is_not_the_same() -> None:
    counted, one = Counted(), Shared([1])
    counted.again(one, [2], "a")
    counted.again(one, [2], "a")
    assert counted.calls == 2


def test_nothing_takes_the_place_of_what_is_known() -> None:
    """An object that is gone gives its identity to another; one that is known is not gone."""
    counted = Counted()
    for number in range(3 * MOST):
        assert counted.again(Shared([number]), [number], "a") == f"{2 * number} a True"
    assert counted.calls == 3 * MOST


def test_so_many_are_known() -> None:
    counted, kept = Counted(), [Shared([number]) for number in range(MOST + 1)]
    for each in kept:
        counted.again(each, each, "a")
    counted.again(kept[-1], kept[-1], "a")
    assert counted.calls == MOST + 1
    counted.again(kept[0], kept[0], "a")
    assert counted.calls == MOST + 2


def test_what_cannot_come_again_is_not_kept() -> None:
    """Whatever its length: it is another object each time, and found by that alone."""
    counted, one, other = Counted(), [1], [1]
    for _ in range(2):
        assert counted.again(one, other, "a") == "2 a True"
    assert counted.calls == 2


@pytest.mark.parametrize("value", [1, b"\0" * 200], ids=["attributes", "octets"])
@pytest.mark.parametrize("major", [1, 2])
def test_of_a_strangers_long_offer_nothing_is_left(major: int, value: int | bytes) -> None:
    """Few transforms may have many attributes, and these any length: 15 kB left 800 kB."""
    codec: Codec[Any] = (SA_1, SA_2)[major - 1]
    _, vector = codec.vectors[0]
    (transform, *_) = vector.proposals[0].transforms
    long = transform._replace(attributes=(DataAttribute(1, value),) * 64)
    body = codec.build(first_changed(vector, transforms=(long,) * 4))
    assert len(body) > KNOWN_OCTETS
    again = remembered(lambda came, ours: len(came))
    for _ in range(2):
        came = codec.parse(body)
        assert again(came.proposals, [1]) == 1
        assert again(came.proposals[0].transforms, [1]) == 4
    assert not _every[-1]


def test_errors_are_not_known() -> None:
    counted, none = Counted(), Shared[int]()
    for call in ("call 1", "call 2"):
        with pytest.raises(ValueError, match=call):
            counted.again(none, none, "a")


def test_a_change_of_the_configuration_is_no_place_for_what_was_before() -> None:
    """What was chosen of holds peers with their secrets, those of a single change, too."""
    net = Network()
    net.host(WEST)
    east = net.host(EAST)
    net.start()
    net.run(5)
    assert any(_every)
    transaction = east.daemon.conf.begin()
    transaction.set("west", "Authentication", "another secret, which is long", True)
    east.done(east.daemon.alter(transaction, False))
    assert not any(_every)
