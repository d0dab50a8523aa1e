"""Retransmission: a message again and again, ever later, as long as nobody answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from isakmp.event.job import Job
from isakmp.exchange.attempt import Attempt
from isakmp.exchange.exchange import ExchangeOf
from isakmp.exchange.script import Incoming, Waiting
from regress.toy.join import Join
from regress.toy.wire import RULES
from regress.toy.world import World


class Lost(World):
    """Whatever is sent is lost; when it was sent is kept."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.times: list[float] = []
        self.lose = self._note

    def _note(self, data: bytes) -> bool:
        self.times.append(self.now)
        return True


def waits(times: list[float]) -> list[float]:
    return [after - before for before, after in zip(times, times[1:], strict=False)]


def begun(world: World) -> ExchangeOf[Join]:
    world.west.engine.settings.exchange_max_s = 10_000.0
    return world.west.join(world.east)


@pytest.mark.parametrize("seed", range(3))
def test_the_wait_doubles_up_to_the_longest_and_is_jittered(seed: int) -> None:
    world = Lost(seed)
    settings = world.west.engine.settings
    settings.retransmits, settings.retransmit_s, settings.retransmit_max_s = 6, 2.0, 10.0
    begun(world)
    world.run(1000)
    plain = [2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
    shares = [wait / due for wait, due in zip(waits(world.times), plain, strict=True)]
    assert all(0.874 <= share <= 1.126 for share in shares)
    assert len(set(shares)) > 1, "two that began together do not stay so"
    assert len({data for _, data in world.sent}) == 1, "the same octets"


@pytest.mark.parametrize("retransmits", [0, 1, 4])
def test_it_is_given_up_after_so_many(retransmits: int) -> None:
    world = Lost()
    world.west.engine.settings.retransmits = retransmits
    exchange = begun(world)
    world.run(1000)
    assert len(world.sent) == 1 + retransmits
    assert exchange.over and world.west.at_rest()
    assert world.west.causes() == ["timeout"]


def test_an_exchange_that_rests_or_has_sent_nothing_repeats_nothing() -> None:
    world = Lost()
    exchange = begun(world)
    retransmission = world.west.engine.retransmission
    assert not exchange.last_out
    retransmission.arm(exchange)
    assert "retransmit" not in exchange.events
    exchange.last_out, exchange.resting = (b"a message",), True
    retransmission.arm(exchange)
    assert "retransmit" not in exchange.events
    exchange.resting = False
    retransmission.arm(exchange)
    assert "retransmit" in exchange.events


def test_while_an_answer_is_looked_at_nothing_is_repeated_nor_given_up() -> None:
    world = Lost()
    world.west.engine.settings.retransmits = 3
    exchange = begun(world)
    world.run(0.5)
    answer, job = Incoming(None, RULES, [], b"", 0, exchange.path, 0), Job[None]()

    def step() -> Waiting:
        yield job
        return None

    exchange.attempt = Attempt(step(), answer, lambda *_: None, lambda: None)
    exchange.attempt.advance(exchange, lambda exchange, attempt: None)
    world.run(500)
    assert len(world.sent) == 1 and not exchange.over
    job.finish(None)
    world.run(500)
    assert len(world.sent) == 4 and exchange.over, "then as before"


def test_how_long_a_request_is_repeated_at_most() -> None:
    engine = World().west.engine
    settings = engine.settings
    settings.sa_retransmits, settings.retransmit_s, settings.retransmit_max_s = 4, 1.0, 5.0
    assert engine.retransmission.longest_s() == 1 + 2 + 4 + 5 + 5
    settings.sa_retransmits = 10_000
    assert engine.retransmission.longest_s() == 1 + 2 + 4 + 5 * 9998, "no number is too large"


def test_a_last_message_is_repeated_until_the_peer_is_heard() -> None:
    world = Lost()
    exchange = begun(world)
    world.run(0.5)
    engine = world.west.engine
    engine.stop_timer(exchange, "retransmit")
    exchange.retries = 0
    sa: Any = SimpleNamespace(events={})
    engine.settings.retransmits = 3
    engine.retransmission.until_heard(exchange, sa)
    world.run(1.1)
    assert len(world.sent) == 2
    world.run(2.0)
    assert len(world.sent) == 3
    sa.events.pop("unheard").cancel()
    world.run(100)
    assert len(world.sent) == 3
