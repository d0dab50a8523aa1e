"""Outcomes: what is kept of attempts that are over, and that strangers push nobody out."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from isakmp.causes import CHEAP
from isakmp.errors import Reason
from isakmp.exchange.exchange import Exchange
from isakmp.exchange.outcome import OUTCOMES_MAX, STRANGERS_MAX, Outcomes
from isakmp.path import Path
from isakmp.policy.spd import Address
from regress.toy.world import World

HERE = ip_address("192.0.2.1")
REASON = Reason("authentication-failed", "for a test")


def path(remote: Address) -> Path:
    return Path(HERE, 500, remote, 500)


def begun(initiator: bool = True, stranger: bool = False) -> Exchange:
    world = World()
    exchange: Exchange = world.west.join(world.east)
    exchange.initiator, exchange.stranger = initiator, stranger
    return exchange


def test_an_attempt_that_went_well_has_no_reason() -> None:
    found, exchange = Outcomes(), begun()
    exchange.name = "west-east"
    found.note(exchange, 2.5, None)
    (one,) = found.all()
    assert one.ok and one.reason is None and one.times == 1
    assert one.to_dict() == {
        "id": exchange.number, "when": 2.5, "exchange": exchange.script.name, "name": "west-east",
        "phase": 1, "peer": "east", "remote": "192.0.2.2", "initiator": True, "ok": True,
        "times": 1, "reason": None, "took_s": 2.5,
    }  # fmt: skip


def test_one_without_a_name_has_that_of_its_peer() -> None:
    found = Outcomes()
    found.note(begun(), 1.0, REASON)
    (one,) = found.all()
    assert one.name == "east" and not one.ok and one.to_dict()["reason"] == REASON.to_dict()


def test_the_last_ones_are_kept() -> None:
    found, exchange = Outcomes(), begun()
    for number in range(OUTCOMES_MAX + 3):
        exchange.number = number
        found.note(exchange, float(number), None)
    assert [one.number for one in found.all()] == list(range(3, OUTCOMES_MAX + 3))


@pytest.mark.parametrize(
    ("initiator", "stranger", "cause", "kept_apart"),
    [
        (False, True, "authentication-failed", True),
        (False, False, "authentication-failed", False),
        (False, False, min(CHEAP), True),
        (True, False, min(CHEAP), False),
    ],
)
def test_strangers_and_who_asks_for_too_much_are_kept_apart(
    initiator: bool, stranger: bool, cause: str, kept_apart: bool
) -> None:
    found = Outcomes()
    found.note(begun(initiator, stranger), 1.0, Reason(cause, "for a test"))
    assert (len(found.strangers), len(found.own)) == ((1, 0) if kept_apart else (0, 1))


def test_of_each_address_and_cause_the_last_attempt_is_kept_and_counted() -> None:
    found, other = Outcomes(), Reason("malformed-message", "for a test")
    for when, last, reason in ((1, 7, REASON), (2, 7, other), (3, 8, REASON), (4, 7, REASON)):
        there = ip_address(f"198.51.100.{last}")
        found.turned_away(path(there), float(when), "main mode", reason)
    shown = [(one.when, one.remote, one.reason, one.times) for one in found.all()]
    assert shown == [
        (2.0, "198.51.100.7", other, 1),
        (3.0, "198.51.100.8", REASON, 1),
        (4.0, "198.51.100.7", REASON, 2),
    ]


def test_strangers_push_out_only_strangers_the_oldest_first() -> None:
    found = Outcomes()
    found.note(begun(), 0.0, None)
    first = int(ip_address("198.51.100.0"))
    for number in range(STRANGERS_MAX):
        found.turned_away(path(ip_address(first + number)), 1.0 + number, "main mode", REASON)
    found.turned_away(path(ip_address(first)), 500.0, "main mode", REASON)
    found.turned_away(path(ip_address("203.0.113.1")), 501.0, "main mode", REASON)
    assert len(found.strangers) == STRANGERS_MAX and len(found.own) == 1
    kept = {one.remote for one in found.all()}
    assert "198.51.100.0" in kept, "who was heard again is not the oldest"
    assert "198.51.100.1" not in kept and "203.0.113.1" in kept
