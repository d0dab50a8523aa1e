"""Script: its syntax read message by message, and messages as steps see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import pytest

from isakmp.errors import MalformedPayload
from isakmp.exchange.exchange import ExchangeOf, ScriptOf
from isakmp.exchange.script import (
    AUTH,
    END,
    PROTECTED,
    SWITCH,
    Incoming,
    Outgoing,
    Row,
    Script,
    Step,
    duplicate,
    refusable,
)
from isakmp.path import Path
from isakmp.payloads.shapes import Octets
from regress.toy import wire
from regress.toy.wire import RULES, Header, Kind, Type

SA, KE, NONCE, NOTIFY = 33, 34, 40, 41


@dataclass
class Memory:
    number: int = 0
    names: list[str] = field(default_factory=list)


def step(exchange: Any, message: Any) -> None:
    """Does nothing."""


def other(exchange: Any, message: Any) -> None:
    """Does nothing either."""


def script(
    *syntax: Any, steps: tuple[Step[ExchangeOf[Memory]], ...] = (step, step)
) -> ScriptOf[Memory]:
    return Script("a test", 34, steps, steps[::-1], syntax, Memory)


def test_the_syntax_of_each_message() -> None:
    found = script(SA, KE, NONCE, SWITCH, SA, AUTH, SWITCH, PROTECTED, AUTH, SWITCH, END)
    assert found.rows == (
        Row((SA, KE, NONCE)),
        Row((SA,), authentic=True),
        Row((), authentic=True, protected=True),
        Row(),
    )


def test_each_role_has_its_half() -> None:
    found = script(SA, SWITCH, SA, END, steps=(step, other))
    assert found.steps(True) == (step, other)
    assert found.steps(False) == (other, step)


@pytest.mark.parametrize("protected", [False, True])
def test_an_answer_of_notifies_alone_is_a_variant(protected: bool) -> None:
    mark = (PROTECTED,) if protected else ()
    plain = script(*mark, SA, SWITCH, *mark, SA, NONCE, END)
    found = refusable(plain, (NOTIFY,), other)
    (variant,) = found.variants
    assert variant.refuses and not variant.variants and not found.refuses
    assert variant.rows == (Row((SA,), protected=protected), Row((NOTIFY,), protected=protected))
    assert variant.initiator == (step, other), "only who asked can be refused so"
    assert variant.responder == ()
    assert found.rows == plain.rows and found.initiator == plain.initiator


def test_variants_that_are_there_stay() -> None:
    once = refusable(script(SA, SWITCH, SA, END), (NOTIFY,), other)
    twice = refusable(once, (KE,), step)
    assert twice.variants[0] is once.variants[0] and len(twice.variants) == 2


def test_a_duplicate_is_another_of_the_same_values() -> None:
    one = Memory(4, ["name"])
    same = duplicate(one)
    assert same == one and same is not one
    assert same.names is one.names, "as deep as replace() copies"
    same.number = 5
    assert one.number == 4


def incoming(*items: tuple[Type, bytes]) -> Incoming:
    """A message of the toy protocol with these payloads."""
    data = wire.build(Header(Kind.JOIN, 1), [(kind, Octets(body)) for kind, body in items])
    header, payloads = wire.parse(data)
    way = Path(ip_address("192.0.2.1"), 500, ip_address("192.0.2.2"), 500)
    return Incoming(header, RULES, payloads, data, len(data), way, 0)


FIRST, SECOND = bytes(16), bytes(range(16))


def test_payloads_are_claimed_one_by_one() -> None:
    message = incoming((Type.NONCE, FIRST), (Type.NAME, b"west"), (Type.NONCE, SECOND))
    assert message.take(Type.NONCE).body == FIRST
    assert message.has(Type.NONCE) and message.has(Type.NAME)
    assert message.take(Type.NONCE).body == SECOND
    assert not message.has(Type.NONCE)
    with pytest.raises(MalformedPayload):
        message.take(Type.NONCE)
    assert [payload.type for payload in message.left] == [Type.NAME]
    assert len(message.payloads) == 3, "what came stays what it was"


def test_all_of_a_type_are_claimed_in_their_order() -> None:
    message = incoming((Type.NONCE, FIRST), (Type.NAME, b"west"), (Type.NONCE, SECOND))
    assert [payload.body for payload in message.take_all(Type.NONCE)] == [FIRST, SECOND]
    assert message.take_all(Type.NONCE) == []
    assert [payload.body for payload in message.left] == [b"west"]


def test_values_are_claimed_with_their_payloads() -> None:
    message = incoming((Type.NONCE, FIRST), (Type.NAME, b"west"), (Type.NONCE, SECOND))
    assert message.value(wire.NAME) == Octets(b"west")
    assert message.values(wire.NONCE) == [Octets(FIRST), Octets(SECOND)]
    assert not message.left and message.values(wire.NONCE) == []
    with pytest.raises(MalformedPayload, match="lacks NAME"):
        message.value(wire.NAME)


def test_payloads_go_out_in_the_order_they_were_added() -> None:
    message = Outgoing()
    message.add(NONCE, Octets(FIRST))
    message.add(KE, b"octets")
    assert message.payloads == [(NONCE, Octets(FIRST)), (KE, b"octets")]
    assert not Outgoing().payloads, "each has its own"
