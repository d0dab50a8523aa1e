"""Exchange: whose turn it is, what it is found by, and its forks."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha1
from types import SimpleNamespace
from typing import Any

import pytest

from isakmp.event.job import Job
from isakmp.exchange.attempt import Attempt
from isakmp.exchange.exchange import ExchangeOf, digest
from isakmp.exchange.script import Incoming, Outgoing, Waiting
from regress.toy.join import Join
from regress.toy.wire import RULES
from regress.toy.world import World


def begun(initiator: bool = True) -> ExchangeOf[Join]:
    """A JOIN that stands at its first step."""
    world = World()
    exchange = world.west.join(world.east)
    return ExchangeOf(
        7, exchange.dialect, exchange.script, initiator, exchange.remote, exchange.path,
        b"initiate", b"responds", 5, 100.0, exchange.origin, exchange.host, exchange.state,
    )  # fmt: skip


def waiting(exchange: ExchangeOf[Join], message: Incoming | Outgoing) -> Job[None]:
    """Have the exchange stand at a step that waits for an answer, with that message."""
    job: Job[None] = Job()

    def step() -> Waiting:
        yield job
        return None

    exchange.attempt = Attempt(step(), message, lambda *_: None, lambda: None)
    exchange.attempt.advance(exchange, lambda exchange, attempt: None)
    return job


def incoming(exchange: ExchangeOf[Join]) -> Incoming:
    return Incoming(None, RULES, [], b"", 0, exchange.path, 0)


@pytest.mark.parametrize(("initiator", "own"), [(True, b"initiate"), (False, b"responds")])
def test_each_end_sends_every_other_message(initiator: bool, own: bytes) -> None:
    exchange = begun(initiator)
    assert [exchange.sends(step) for step in range(4)] == [initiator, not initiator] * 2
    assert exchange.steps == exchange.script.steps(initiator)
    assert exchange.own_cookie == own
    assert exchange.way == (exchange.path.out if initiator else exchange.path.came)
    role = "initiator" if initiator else "responder"
    assert str(exchange) == f"#7 {exchange.script.name} {role} east"


def test_it_is_complete_once_every_step_is_taken() -> None:
    exchange = begun()
    exchange.step = len(exchange.steps) - 1
    assert not exchange.complete
    exchange.step += 1
    assert exchange.complete


def test_it_goes_by_the_script_that_it_follows() -> None:
    exchange = begun(initiator=False)
    other = replace(exchange.script, name="another", responder=exchange.script.responder * 2)
    exchange.follow(other)
    assert exchange.script is other and exchange.steps == other.responder


def test_under_an_sa_the_cookie_is_that_of_when_it_was_made() -> None:
    sa: Any = SimpleNamespace(own_cookie=b"of-an-SA", last_heard=0.0)
    exchange = replace(begun(), sa=sa)
    assert exchange.own_cookie == b"of-an-SA"
    assert exchange.forked().own_cookie == b"of-an-SA"


@pytest.mark.parametrize(
    ("last_heard", "unheard"), [(98.9, True), (99.0, False), (100.0, False), (105.0, False)]
)
def test_a_peer_that_says_nothing_may_have_lost_the_sa(last_heard: float, unheard: bool) -> None:
    exchange = begun()
    assert not exchange.unheard, "there is no SA yet"
    sa: Any = SimpleNamespace(own_cookie=b"", last_heard=last_heard)
    exchange.sa = sa
    assert exchange.unheard is unheard


def test_what_waits_looks_at_a_message_or_is_not_ready_for_one() -> None:
    exchange = begun()
    assert not (exchange.parked or exchange.looks or exchange.unready)
    job = waiting(exchange, incoming(exchange))
    assert exchange.parked and exchange.looks and not exchange.unready
    job.finish(None)
    assert not (exchange.parked or exchange.looks)
    waiting(exchange, Outgoing())
    assert exchange.parked and not exchange.looks
    assert not exchange.unready, "its own message has not left: step 0 sends it"
    exchange.step = 1
    assert exchange.unready


def test_a_fork_has_a_memory_of_its_own_and_ends_as_its_stem() -> None:
    stem = begun()
    stem.last_in, stem.last_out, stem.step, stem.retries = b"last", (b"out",), 1, 3
    stem.first_in, stem.name = b"first", "a name"
    fork = stem.forked()
    again = fork.forked()
    assert fork.stem is stem and again.stem is fork and again.root is fork.root is stem.root is stem
    assert fork.untaken and not stem.untaken
    assert (fork.step, fork.last_in, fork.last_out, fork.name) == (1, b"last", (b"out",), "a name")
    assert fork.finished is stem.finished
    assert fork.state is not stem.state and fork.state == stem.state
    fork.state.nonce_r = b"another"
    assert stem.state.nonce_r == b""
    assert fork.events is not stem.events and fork.after_send is not stem.after_send
    assert not fork.retries, "it has repeated nothing itself"


def test_a_repeated_datagram_has_the_digest_of_the_first() -> None:
    for data in (b"", b"one", b"two", b"one"):
        assert digest(data) == sha1(data, usedforsecurity=False).digest()
    assert digest(bytes(bytearray(b"one"))) == digest(b"one") != digest(b"two")
