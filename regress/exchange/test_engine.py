"""The engine with toy scripts: steps, verdicts, waiting, repeats, limits, ends.

The toy dialect is as small as a dialect can be: the header, then payloads in clear, exchanges by
cookie and message ID.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import ip_address
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.app.none import Nothing
from isakmp.conf.store import Conf
from isakmp.constants import isakmp
from isakmp.errors import IsakmpError, MalformedPayload, Reason, Refused
from isakmp.event.job import Job
from isakmp.event.timer import Timers
from isakmp.event.worker import Here
from isakmp.exchange.engine import ANSWERS_MAX, Engine
from isakmp.exchange.exchange import Exchange, ExchangeOf, ScriptOf, digest, has
from isakmp.exchange.front import Front, Ike
from isakmp.exchange.half_open import NAMED_SHARE
from isakmp.exchange.outcome import OUTCOMES_MAX
from isakmp.exchange.script import AUTH, END, SWITCH, Incoming, Outgoing, Script, Verdict
from isakmp.log.log import Log
from isakmp.message import HEADER_SIZE, Header, Payload, build_payloads, parse_payloads
from isakmp.path import Path
from isakmp.payloads import FAMILY_1
from isakmp.policy.spd import Remote
from isakmp.sa_database import SaDatabase

P = isakmp.Payload
HERE, THERE = ip_address("192.0.2.1"), ip_address("192.0.2.2")
TO_THERE, TO_HERE = Path(HERE, 500, THERE, 500), Path(THERE, 500, HERE, 500)
PEER = Remote("peer", THERE, 500, isakmp.Exchange.ID_PROT, ())


@dataclass
class Memory:
    """What a toy exchange remembers: what its steps did, and what they wait for."""

    did: list[str] = field(default_factory=list)
    rounds: int = 0
    jobs: list[Job[Any]] = field(default_factory=list)
    ended: str = ""


X = ExchangeOf[Memory]


class Toy:
    """A dialect: protection is none, but for the word of it; a message's body says what it is.

    protected: without, whoever answers is one candidate of several.
    """

    name, major, rules = "toy", 1, FAMILY_1
    malformed = 0
    failure = 14

    def __init__(self, script: ScriptOf[Memory], protected: bool = True) -> None:
        self.script, self.protected = script, protected
        self.known = False
        self.left: list[int] = []
        self.notified: list[int] = []
        self.accepted_from: list[Path] = []
        self.heard_from: list[Path] = []
        self.withdrawn: list[Reason] = []

    def receive(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        exchange = engine.find(self.name, header.cky_i, 0) or next(
            (x for x in engine.exchanges.values() if x.cky_i == header.cky_i), None
        )
        if exchange is None:
            if any(header.cky_r):
                return
            exchange = engine.answer(
                self,
                self.script,
                PEER,
                path,
                header.cky_i,
                engine.new_cookie(),
                0,
                stranger=None if self.known else datagram,
            )
        elif engine.is_repeat(exchange, datagram) or engine.early(
            [exchange], path, len(datagram), partial(self.receive, engine, path, header, datagram)
        ):
            return
        payloads, end = parse_payloads(1, header.next_payload, datagram[HEADER_SIZE:])
        data = datagram[HEADER_SIZE:]
        message = Incoming(header, FAMILY_1, payloads, data, end, path, HEADER_SIZE, self.protected)
        engine.run(exchange, message, datagram)

    def identifiers(self, new_cookie: Callable[[], bytes]) -> tuple[bytes, bytes]:
        return new_cookie(), bytes(8)

    def message_id(self, exchange: Exchange) -> int:
        return 7 if exchange.sa is not None else 0

    def withdraw(self, exchange: Exchange, reason: Reason) -> None:
        self.withdrawn.append(reason)

    def seal(self, exchange: Exchange, message: Outgoing) -> tuple[bytes, ...]:
        first, chain = build_payloads(1, message.payloads)
        kind = exchange.script.exchange_type
        length = HEADER_SIZE + len(chain)
        header = Header(exchange.cky_i, exchange.cky_r, first, 1, 0, kind, 0, 0, length)
        return (header.pack() + chain,)

    def unspoken(self, engine: Engine, path: Path, header: Header) -> None:
        raise MalformedPayload("HDR", 17, f"major version {header.major}", "RFC 2408 3.1")

    def again(self, exchange: Exchange) -> tuple[bytes, ...]:
        return exchange.last_out

    def heard(self, exchange: Exchange, message: Incoming) -> None:
        self.heard_from.append(message.path)

    def inspect(self, exchange: Exchange, message: Incoming) -> None:
        pass

    def may_begin(self, sa: Any) -> bool:
        return True

    def key(self, exchange: Exchange) -> tuple[str, bytes, int]:
        return self.name, exchange.own_cookie, exchange.message_id

    def ends_sa(self, exchange: Exchange) -> bool:
        return False

    def awaited(self, exchange: Exchange) -> bool:
        return False

    def next_leg(self, exchange: Exchange) -> bool:
        return True

    def ended(self, exchange: Exchange, reason: Reason | None) -> None:
        pass

    def accepted(self, exchange: Exchange, message: Incoming) -> None:
        self.accepted_from.append(message.path)
        exchange.cky_r = message.header.cky_r if exchange.initiator else exchange.cky_r

    def leftover(self, exchange: Exchange, message: Incoming, payload: Payload) -> None:
        self.left.append(payload.type)

    def authenticator(self, exchange: Exchange) -> int:
        return P.HASH

    def notify(self, exchange: Exchange, refused: Refused) -> None:
        self.notified.append(refused.notify)


def says(text: str) -> Callable[[X, Outgoing], None]:
    """A step that sends a vendor ID of that text, and what the toys' syntax wants."""

    def send(x: X, message: Outgoing) -> None:
        x.state.did.append(f"send {text}")
        message.add(P.VENDOR, f"{text} {x.state.rounds}".encode())

    return send


def hears(text: str) -> Callable[[X, Incoming], None]:
    """A step that receives one."""

    def recv(x: X, message: Incoming) -> None:
        x.state.did.append(f"recv {text}")
        message.take(P.VENDOR)

    return recv


def ended(how: str) -> Callable[[X], None]:
    def note(x: X) -> None:
        x.state.ended = how

    return note


def toy(**changes: Any) -> ScriptOf[Memory]:
    """Four messages."""
    v = P.VENDOR
    plain = Script(
        "toy mode", 2,
        (says("1"), hears("2"), says("3"), hears("4")),
        (hears("1"), says("2"), hears("3"), says("4")),
        (v, SWITCH, v, SWITCH, v, SWITCH, v, END),
        Memory, ended("finalized"), ended("abandoned"), establishes=True,
    )  # fmt: skip
    return replace(plain, **changes)


# Whom the configuration names: nobody.
_NOBODY = SimpleNamespace(catalog=SimpleNamespace(names=lambda address: False))


class End:
    """One engine, its clock shared with the other end's."""

    def __init__(self, name: str, script: ScriptOf[Memory], clock: list[float], conf: str = ""):
        self.toy = Toy(script)
        self.script = script
        self.sent: list[tuple[Path, bytes]] = []
        self.lines: list[str] = []
        self.timers = Timers(lambda: clock[0])
        random = Random(name).randbytes
        self.engine = Engine(
            transmit=lambda path, data: self.sent.append((path, data)),
            unsent=lambda path: None, random=random,
            timers=self.timers, conf=Conf.from_text(conf), app=Nothing(self.timers, random),
            log=Log(lambda: clock[0], self.lines.append), sas=SaDatabase(),
            dialects={"toy": self.toy}, owner=_NOBODY, work=Here(),  # type: ignore[dict-item]
        )  # fmt: skip
        self.front = Front(self.engine, Ike([self.toy]).receive)

    def begin(self) -> X:
        return self.engine.initiate(self.toy, self.script, PEER, TO_THERE, name="mine")

    @property
    def only(self) -> X:
        (exchange,) = self.engine.exchanges.values()
        assert has(exchange, Memory)
        return exchange


class Pair:
    """Two of them, and a wire that is emptied by hand."""

    def __init__(
        self, script: ScriptOf[Memory] | None = None, other: ScriptOf[Memory] | None = None
    ):
        self.clock = [0.0]
        self.near = End("near", script or toy(), self.clock)
        self.far = End("far", other or script or toy(), self.clock)

    def to_far(self) -> list[bytes]:
        """Deliver what near has sent."""
        return self._carry(self.near, self.far, TO_HERE)

    def to_near(self) -> list[bytes]:
        return self._carry(self.far, self.near, TO_THERE)

    @staticmethod
    def _carry(source: End, target: End, path: Path) -> list[bytes]:
        sent, source.sent = source.sent, []
        for _, data in sent:
            target.front.receive(path, data)
        return [data for _, data in sent]

    def pump(self) -> int:
        carried = 0
        while self.near.sent or self.far.sent:
            carried += len(self.to_far()) + len(self.to_near())
            assert carried < 100
        return carried

    def wait(self, seconds: float) -> None:
        end = self.clock[0] + seconds
        while self.clock[0] < end:
            self.clock[0] = min(end, self.clock[0] + 0.0625)
            self.near.timers.run()
            self.far.timers.run()


def causes(end: End) -> list[str]:
    return [o.reason.cause for o in end.engine.outcomes.all() if o.reason]


# --- steps and verdicts ----------------------------------------------------------------------


def test_both_ends_walk_the_script() -> None:
    """RFC 2408 4.1."""
    pair = Pair()
    mine = pair.near.begin()
    pair.to_far()
    theirs = pair.far.only
    assert str(mine) == "#1 toy mode initiator mine"
    assert str(theirs) == "#1 toy mode responder peer"
    assert pair.pump() == 3
    assert mine.state.did == ["send 1", "recv 2", "send 3", "recv 4"]
    assert theirs.state.did == ["recv 1", "send 2", "recv 3", "send 4"]
    assert mine.finished.done and mine.finished.error is None
    for end, exchange in ((pair.near, mine), (pair.far, theirs)):
        assert exchange.state.ended == "finalized"
        assert not end.engine.exchanges
        assert not end.engine.half_open
        assert not end.timers.pending()
        (outcome,) = end.engine.outcomes.own
        assert outcome.ok
        assert outcome.to_dict()["exchange"] == "toy mode"


def looping(rounds: int, verdict: Verdict) -> Callable[[X, Incoming], Verdict | None]:
    def recv(x: X, message: Incoming) -> Verdict | None:
        message.take(P.VENDOR)
        x.state.did.append("recv")
        x.state.rounds += 1
        return verdict if x.state.rounds < rounds else None

    return recv


def test_loop_goes_back_to_the_message_before() -> None:
    pair = Pair(toy(initiator=(says("1"), looping(3, Verdict.AGAIN), says("3"), hears("4"))))
    mine = pair.near.begin()
    pair.to_far()
    pair.to_near()
    assert (mine.step, mine.state.rounds) == (1, 1)
    assert mine.state.did == ["send 1", "recv", "send 1"]
    assert len(pair.near.sent) == 1
    assert pair.near.sent[0][1].endswith(b"1 1")


def test_loop_in_the_responder_waits_for_the_next_round() -> None:
    def answer(x: X, message: Outgoing) -> Verdict | None:
        says("more")(x, message)
        return Verdict.AGAIN if x.state.rounds < 3 else None

    def listen(x: X, message: Incoming) -> None:
        looping(9, Verdict.AGAIN)(x, message)

    def ask(x: X, message: Outgoing) -> None:
        x.state.rounds += 1
        says("ask")(x, message)

    v = P.VENDOR
    pair = Pair(
        toy(initiator=(ask, looping_until(3)), responder=(), syntax=(v, SWITCH, v, END)),
        toy(initiator=(), responder=(listen, answer), syntax=(v, SWITCH, v, END)),
    )
    mine = pair.near.begin()
    assert pair.pump() == 6
    assert mine.complete
    assert pair.far.engine.outcomes.own[0].ok


def looping_until(rounds: int) -> Callable[[X, Incoming], Verdict | None]:
    def recv(x: X, message: Incoming) -> Verdict | None:
        message.take(P.VENDOR)
        return Verdict.AGAIN if x.state.rounds < rounds else None

    return recv


def test_restart_begins_again_with_the_same_exchange() -> None:
    pair = Pair(toy(initiator=(says("1"), looping(2, Verdict.RESTART), says("3"), hears("4"))))
    mine = pair.near.begin()
    pair.to_far()
    pair.to_near()
    assert (mine.step, mine.retries) == (1, 0)
    assert mine.state.did == ["send 1", "recv", "send 1"]
    assert pair.near.engine.exchanges
    # The far end is in the middle of its own script and hears the first message anew.
    assert pair.near.sent[-1][1].endswith(b"1 1")
    assert "retransmit" in mine.events


# --- steps that wait -------------------------------------------------------------------------


def waits(count: int = 1, kind: int | None = P.VENDOR) -> Callable[[X, Any], Any]:
    """A step that waits for jobs of the state, one after the other, and notes what they say."""

    def step(x: X, message: Any) -> Any:
        for _ in range(count):
            job: Job[Any] = Job()
            x.state.jobs.append(job)
            try:
                answer = yield job
            except ValueError as error:
                answer = f"caught {error}"
            x.state.did.append(str(answer))
        if isinstance(message, Incoming):
            message.take(P.VENDOR)
        else:
            message.add(kind, b"waited")

    return step


def test_a_step_parks_and_resumes_with_the_answer() -> None:
    pair = Pair(toy(initiator=(waits(2), hears("2"), says("3"), hears("4"))))
    mine = pair.near.begin()
    assert mine.parked
    assert not pair.near.sent
    mine.state.jobs[0].finish("one")
    assert mine.parked
    mine.state.jobs[1].finish("two")
    assert not mine.parked
    assert len(pair.near.sent) == 1
    pair.pump()
    assert mine.complete
    assert mine.state.did[:2] == ["one", "two"]


def test_answers_that_are_there_already_do_not_park() -> None:
    def step(x: X, message: Outgoing) -> Any:
        for number in range(1000):
            assert (yield Job.of(number)) == number
        message.add(P.VENDOR, b"done")

    pair = Pair(toy(initiator=(step, hears("2"), says("3"), hears("4"))))
    pair.near.begin()
    pair.pump()
    assert pair.near.engine.outcomes.own[0].ok


def test_an_error_is_thrown_into_the_step_that_waits() -> None:
    pair = Pair(toy(initiator=(waits(), hears("2"), says("3"), hears("4"))))
    mine = pair.near.begin()
    mine.state.jobs[0].fail(ValueError("no"))
    assert mine.state.did == ["caught no"]
    pair.pump()
    assert mine.complete


@pytest.mark.parametrize("parks", [False, True])
@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (IsakmpError("the stack is gone"), "failed"),
        (Refused(Reason("because", "it is so"), 24), "because"),
    ],
)
def test_an_error_that_the_step_does_not_catch_ends_the_exchange(
    error: Exception, cause: str, parks: bool
) -> None:
    pair = Pair(toy(initiator=(waits(), hears("2"), says("3"), hears("4"))))
    if parks:
        mine = pair.near.begin()
        mine.state.jobs[0].fail(error)
    else:

        def step(x: X, message: Outgoing) -> Any:
            yield Job.failed(error)

        pair = Pair(toy(initiator=(step, hears("2"), says("3"), hears("4"))))
        mine = pair.near.begin()
    assert mine.over
    assert mine.state.ended == "abandoned"
    assert causes(pair.near) == [cause]
    assert isinstance(mine.finished.error, Refused)
    assert not pair.near.engine.exchanges


@pytest.mark.parametrize("error", [IsakmpError("no room"), ZeroDivisionError("a bug")])
def test_whoever_waits_hears_of_a_finalization_that_fails(error: Exception) -> None:
    def finalize(x: X) -> None:
        raise error

    pair = Pair(toy(finalize=finalize))
    mine = pair.near.begin()
    for _ in range(4):
        with suppress(ZeroDivisionError):
            pair.pump()
    assert isinstance(mine.finished.error, Refused)
    assert mine.state.ended == "abandoned"
    assert causes(pair.near) == ["failed"]
    assert not pair.near.engine.exchanges


def test_messages_are_not_taken_while_a_step_waits() -> None:
    pair = Pair(toy(responder=(waits(), says("2"), hears("3"), says("4"))))
    pair.near.begin()
    first = pair.to_far()[0]
    theirs = pair.far.only
    assert theirs.parked
    pair.far.front.receive(TO_HERE, first)
    pair.far.front.receive(TO_HERE, first[:-1] + b"?")
    assert len(theirs.state.jobs) == len(pair.far.toy.heard_from) == 1
    assert pair.far.engine.counters["dropped"] == 2
    theirs.state.jobs[0].finish("go")
    pair.pump()
    assert pair.near.engine.outcomes.own[0].ok


def leaves(text: str, after: Callable[[X, Job[Any]], object]) -> Callable[[X, Outgoing], None]:
    """A step that sends, and has to wait for something once that has left."""

    def rest(x: X) -> Any:
        job: Job[Any] = Job()
        x.state.jobs.append(job)
        yield job
        after(x, job)

    def send(x: X, message: Outgoing) -> None:
        says(text)(x, message)
        x.after_send.append(lambda: rest(x))

    return send


def test_what_is_done_after_sending_waits_and_so_does_what_comes_meanwhile() -> None:
    answer = leaves("2", lambda x, job: x.state.did.append(str(job.result)))
    pair = Pair(toy(responder=(hears("1"), answer, hears("3"), says("4"))))
    mine = pair.near.begin()
    pair.pump()
    theirs = pair.far.only
    assert theirs.state.did == ["recv 1", "send 2"]
    assert not mine.complete
    pair.far.front.receive(TO_HERE, mine.last_out[0])  # another of the same is one
    assert pair.far.engine.counters == {}
    theirs.state.jobs[0].finish("keys")
    assert theirs.state.did == ["recv 1", "send 2", "keys", "recv 3", "send 4"]
    pair.pump()
    assert mine.complete
    assert pair.near.engine.outcomes.own[0].ok
    assert not pair.far.engine.exchanges


def test_a_message_larger_than_what_is_kept_is_not_kept() -> None:
    answer = leaves("2", lambda x, job: None)
    pair = Pair(toy(responder=(hears("1"), answer, hears("3"), says("4"))))
    mine = pair.near.begin()
    pair.pump()
    kept = pair.far.only.early
    assert kept is not None and kept[0] == TO_HERE
    assert isinstance(kept[1], partial) and kept[1].args[-1] == mine.last_out[0]
    large = mine.last_out[0] + bytes(16384)
    large = large[:24] + len(large).to_bytes(4, "big") + large[28:]
    pair.far.front.receive(TO_HERE, large)
    assert pair.far.only.early is kept


def test_an_exchange_is_done_once_what_follows_its_last_message_is() -> None:
    answer = leaves("4", lambda x, job: x.state.did.append(str(job.result)))
    pair = Pair(toy(responder=(hears("1"), says("2"), hears("3"), answer)))
    pair.near.begin()
    pair.pump()
    theirs = pair.far.only
    assert theirs.state.ended == ""
    theirs.state.jobs[0].finish("told")
    assert theirs.state.did[-1] == "told"
    assert theirs.state.ended == "finalized"
    assert not pair.far.engine.exchanges


def test_what_is_refused_after_sending_is_told_and_ends_the_exchange() -> None:
    def refuse(x: X, job: Job[Any]) -> None:
        raise Refused(Reason("bad", "no keys come of it"), 17)

    pair = Pair(toy(responder=(hears("1"), leaves("2", refuse), hears("3"), says("4"))))
    pair.near.begin()
    pair.to_far()
    pair.far.only.state.jobs[0].finish("go")
    assert pair.far.toy.notified == [17]
    assert causes(pair.far) == ["bad"]
    assert not pair.far.engine.exchanges


def test_a_finalization_waits_and_whoever_waits_for_it_with_it() -> None:
    job: Job[Any] = Job()

    def finalize(x: X) -> Any:
        x.state.did.append((yield job))

    pair = Pair(toy(finalize=finalize))
    mine = pair.near.begin()
    pair.pump()
    assert not pair.near.engine.exchanges
    assert not mine.finished.done
    job.finish("installed")
    assert mine.state.did[-1] == "installed"
    assert mine.finished.done
    assert [outcome.ok for outcome in pair.near.engine.outcomes.own] == [True]


def test_a_finalization_that_fails_after_a_wait_fails_the_exchange() -> None:
    job: Job[Any] = Job()

    def finalize(x: X) -> Any:
        yield job

    pair = Pair(toy(finalize=finalize, responder=toy().responder))
    mine = pair.near.begin()
    pair.pump()
    job.fail(IsakmpError("the stack is gone"))
    assert isinstance(mine.finished.error, Refused)
    assert mine.state.ended == "abandoned"
    assert causes(pair.near) == ["failed"]


@pytest.mark.parametrize("step", [0, 2])
def test_who_waits_for_somebody_here_does_not_blame_the_peer(step: int) -> None:
    """A responder whose step stands at a job to the end has kept its peer waiting."""
    steps = list(toy().responder)
    steps[step] = waits()
    pair = Pair(toy(responder=tuple(steps)))
    pair.near.begin()
    pair.pump()
    assert pair.far.only.parked
    pair.wait(200)
    assert causes(pair.far) == ["not-done"]
    assert not pair.far.engine.exchanges


def test_a_peer_that_is_known_is_no_stranger() -> None:
    """Who begins says whether it is one: what strangers fail with is told briefly, and apart."""
    for known in (False, True):
        pair = Pair(toy(responder=(refuses, *toy().responder[1:])))
        pair.far.toy.known = known
        pair.near.begin()
        pair.to_far()
        assert len(pair.far.engine.outcomes.own) == known
        assert len(pair.far.engine.outcomes.strangers) == (not known)
        assert not pair.far.engine.half_open


def test_an_exchange_that_ends_while_a_step_waits_does_not_come_back() -> None:
    closed: list[int] = []

    def step(x: X, message: Outgoing) -> Any:
        job: Job[Any] = Job()
        x.state.jobs.append(job)
        try:
            yield job
        finally:
            closed.append(1)
        x.state.did.append("resumed")

    pair = Pair(toy(initiator=(step, hears("2"), says("3"), hears("4"))))
    mine = pair.near.begin()
    pair.wait(121)
    assert causes(pair.near) == ["not-sent"]
    assert closed == [1]
    mine.state.jobs[0].finish("late")
    assert mine.state.did == []
    assert not pair.near.sent
    assert len(pair.near.engine.outcomes.own) == 1


def test_what_comes_too_late_is_given_back() -> None:
    given: list[str] = []
    pair = Pair(toy(initiator=(waits(), hears("2"), says("3"), hears("4"))))
    mine = pair.near.begin()
    mine.state.jobs[0].give_back = given.append
    pair.near.engine.fail(mine, Reason("stopped", "by the operator"))
    assert given == []
    mine.state.jobs[0].finish("an SPI")
    mine.state.jobs[0].finish("another")
    assert given == ["an SPI"]


@pytest.mark.parametrize("parks", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        Refused(Reason("because", "it is so"), 24),
        MalformedPayload("VENDOR", 28, "is bad", "RFC 2408 3.16"),
        IsakmpError("a worker died"),
    ],
)
def test_what_is_not_proven_ends_nothing_at_once_or_after_a_wait(
    error: IsakmpError, parks: bool
) -> None:
    refuses = [True]

    def step(x: X, message: Incoming) -> Any:
        if parks:
            job: Job[Any] = Job()
            x.state.jobs.append(job)
            yield job
        if refuses:
            refuses.clear()
            raise error
        message.take(P.VENDOR)

    script = replace(toy(initiator=(says("1"), step, says("3"), hears("4"))), establishes=True)
    pair = Pair(script)
    mine = pair.near.begin()
    for datagram in pair.to_far():
        pair.far.front.receive(TO_HERE, datagram)
    answer = pair.far.sent[-1][1]
    for _ in range(2):
        pair.near.front.receive(TO_THERE, answer)
        for job in mine.state.jobs:
            job.finish("go on")
    assert not mine.over
    pair.pump()
    assert pair.near.engine.outcomes.own[0].ok


def test_malformed_input_found_after_waiting_is_refused_like_any() -> None:
    def step(x: X, message: Incoming) -> Any:
        job: Job[Any] = Job()
        x.state.jobs.append(job)
        yield job
        raise MalformedPayload("V", 28, "is bad")

    pair = Pair(toy(responder=(step, says("2"), hears("3"), says("4"))))
    pair.near.begin()
    pair.to_far()
    theirs = pair.far.only
    theirs.state.jobs[0].finish(None)
    assert theirs.over
    assert theirs.state.ended == "abandoned"


# --- syntax and leftovers --------------------------------------------------------------------


def test_a_first_message_that_lacks_a_payload_ends_the_exchange() -> None:
    pair = Pair(toy(), toy(syntax=(P.VENDOR, P.NONCE, SWITCH, P.VENDOR, SWITCH, END)))
    pair.near.begin()
    pair.to_far()
    assert not pair.far.engine.exchanges
    assert causes(pair.far) == ["malformed-message"]
    assert "lacks NONCE" in "\n".join(pair.far.lines)


def test_a_later_bad_message_is_ignored_and_the_good_one_still_counts() -> None:
    pair = Pair()
    mine = pair.near.begin()
    pair.to_far()
    good = pair.far.sent.pop()[1]
    header = Header(mine.cky_i, b"r" * 8, P.NONCE, 1, 0, 2, 0, 0, HEADER_SIZE + 12)
    bad = header.pack() + build_payloads(1, [(P.NONCE, b"12345678")])[1]
    pair.near.front.receive(TO_THERE, bad)
    assert not mine.over
    assert mine.hint is not None
    assert "lacks " in mine.hint.detail
    pair.near.front.receive(TO_THERE, good)
    pair.pump()
    assert mine.complete


def test_the_first_reason_is_the_one_that_a_timeout_gives() -> None:
    pair = Pair()
    mine = pair.near.begin()
    for kind in (P.NONCE, P.KE):
        header = Header(mine.cky_i, b"r" * 8, kind, 1, 0, 2, 0, 0, HEADER_SIZE + 12)
        chain = build_payloads(1, [(kind, b"12345678")])[1]
        pair.near.front.receive(TO_THERE, header.pack() + chain)
    first = mine.hint
    pair.wait(30)
    assert pair.near.engine.outcomes.own[0].reason is first


def test_auth_stands_for_what_the_dialect_says() -> None:
    v = P.VENDOR
    pair = Pair(toy(), toy(syntax=(AUTH, SWITCH, v, SWITCH, v, SWITCH, v, END)))
    pair.near.begin()
    pair.to_far()
    assert "lacks HASH" in "\n".join(pair.far.lines)


def test_a_message_of_ours_that_breaks_the_syntax_does_not_leave() -> None:
    v = P.VENDOR
    pair = Pair(toy(syntax=(v, P.NONCE, SWITCH, v, SWITCH, v, SWITCH, v, END)))
    mine = pair.near.begin()
    assert not pair.near.sent
    assert mine.over
    assert causes(pair.near) == ["failed"]
    assert "lacks NONCE" in str(mine.finished.error)


def test_unclaimed_payloads_go_to_the_leftover_handler_once_the_step_is_done() -> None:
    def send(x: X, message: Outgoing) -> None:
        message.add(P.VENDOR, b"wanted")
        message.add(P.VENDOR, b"extra")
        message.add(P.NONCE, b"12345678")
        message.add(99, b"unknown")

    pair = Pair(toy(initiator=(send, hears("2"), says("3"), hears("4"))))
    pair.near.begin()
    pair.to_far()
    assert pair.far.toy.left == [P.VENDOR, P.NONCE, 99]


def test_payloads_are_claimed_one_by_one() -> None:
    payloads, end = parse_payloads(
        1, *build_payloads(1, [(P.VENDOR, b"a"), (P.NONCE, b"12345678"), (P.VENDOR, b"b")])
    )
    header = Header(b"i" * 8, bytes(8), P.VENDOR, 1, 0, 2, 0, 0, 28 + end)
    data = build_payloads(1, [(P.VENDOR, b"a"), (P.NONCE, b"12345678"), (P.VENDOR, b"b")])[1]
    message = Incoming(header, FAMILY_1, payloads, data, end, TO_HERE, HEADER_SIZE)
    first = message.take(P.VENDOR)
    assert first.body == b"a"
    assert message.after(first) == data[5:]
    assert [p.body for p in message.left] == [b"12345678", b"b"]
    assert [p.body for p in message.take_all(P.VENDOR)] == [b"b"]
    assert message.take_all(P.VENDOR) == []
    with pytest.raises(MalformedPayload, match="lacks VENDOR"):
        message.take(P.VENDOR)


# --- refusals --------------------------------------------------------------------------------


def refuses(x: X, message: Any) -> None:
    raise Refused(Reason("not-so", "we do not like it"), 14)


def test_a_responder_that_refuses_says_so_and_forgets() -> None:
    pair = Pair(toy(), toy(responder=(refuses, says("2"), hears("3"), says("4"))))
    pair.near.begin()
    pair.to_far()
    assert pair.far.toy.notified == [14]
    assert causes(pair.far) == ["not-so"]
    assert not pair.far.engine.exchanges


def test_an_initiator_waits_on_after_an_unprotected_answer_it_refuses() -> None:
    verdicts = [refuses, hears("2")]
    pair = Pair(
        toy(initiator=(says("1"), lambda x, m: verdicts.pop(0)(x, m), says("3"), hears("4")))
    )
    mine = pair.near.begin()
    pair.to_far()
    (genuine,) = pair.far.sent
    forged = genuine[1][:-1] + b"!"
    pair.near.front.receive(TO_THERE, forged)
    assert not mine.over
    assert mine.hint is not None
    assert mine.hint.cause == "not-so"
    assert pair.near.toy.notified == []
    pair.pump()
    assert mine.complete


def test_an_initiator_refuses_outright_where_the_answer_is_protected() -> None:
    pair = Pair(
        toy(initiator=(says("1"), refuses, says("3"), hears("4")), establishes=False), toy()
    )
    mine = pair.near.begin()
    pair.pump()
    assert mine.over
    assert pair.near.toy.notified == [14]
    assert (len(pair.near.toy.heard_from), pair.near.toy.accepted_from) == (1, [])


def test_a_responder_in_the_middle_waits_on_after_an_unprotected_message_it_refuses() -> None:
    """Else one forged message ended a negotiation that the initiator believes to be done."""
    verdicts = [refuses, hears("3")]
    pair = Pair(
        toy(),
        toy(responder=(hears("1"), says("2"), lambda x, m: verdicts.pop(0)(x, m), says("4"))),
    )
    mine = pair.near.begin()
    pair.to_far()
    pair.to_near()
    ((_, third),) = pair.near.sent
    pair.far.front.receive(TO_HERE, third[:-1] + b"!")
    assert not pair.far.only.over
    assert pair.far.toy.notified == []
    pair.pump()
    assert mine.complete


def test_a_sending_step_that_refuses_ends_the_exchange() -> None:
    pair = Pair(toy(initiator=(refuses, hears("2"), says("3"), hears("4"))))
    mine = pair.near.begin()
    assert mine.over
    assert isinstance(mine.finished.error, Refused)
    assert mine.finished.error.reason.cause == "not-so"


def test_an_exchange_ends_once() -> None:
    pair = Pair()
    mine = pair.near.begin()
    for cause in ("first", "second"):
        pair.near.engine.fail(mine, Reason(cause, "told twice"))
    assert causes(pair.near) == ["first"]
    assert mine.state.ended == "abandoned"
    assert "after its end: second" in "\n".join(pair.near.lines)


def test_a_step_that_ends_its_own_exchange_sends_no_more() -> None:
    def step(x: X, message: Incoming) -> None:
        message.take(P.VENDOR)
        x.host.fail(x, Reason("enough", "of this"))

    pair = Pair(toy(responder=(step, says("2"), hears("3"), says("4"))))
    pair.near.begin()
    pair.to_far()
    assert causes(pair.far) == ["enough"]
    assert not pair.far.sent


# --- time ------------------------------------------------------------------------------------


def test_messages_are_repeated_with_back_off_then_given_up() -> None:
    """RFC 2408 5.1."""
    pair = Pair()
    mine = pair.near.begin()
    sent_at: list[float] = []
    for _ in range(1000):
        before = len(pair.near.sent)
        pair.wait(0.0625)
        if len(pair.near.sent) > before:
            sent_at.append(pair.clock[0])
    assert mine.over
    assert len({data for _, data in pair.near.sent}) == 1
    assert len(sent_at) == 3
    gaps = [b - a for a, b in zip([0.0, *sent_at], sent_at, strict=False)]
    for gap, wanted in zip(gaps, (1, 2, 4), strict=True):
        assert 0.87 * wanted <= gap <= 1.13 * wanted + 0.07
    (outcome,) = pair.near.engine.outcomes.own
    assert outcome.reason
    assert outcome.reason.cause == "timeout"
    assert "no answer to message 1 of toy mode" in outcome.reason.detail
    assert not pair.near.timers.pending()


def test_jitter_differs_between_exchanges() -> None:
    pair = Pair()
    first, second = pair.near.begin(), pair.near.begin()
    assert first.events["retransmit"].when != second.events["retransmit"].when


def test_a_responder_does_not_repeat_unless_its_script_says_so() -> None:
    for persistent in (False, True):
        pair = Pair(toy(persistent=persistent))
        pair.near.begin()
        pair.to_far()
        assert len(pair.far.sent) == 1
        pair.near.sent.clear()
        pair.wait(5)
        assert (len(pair.far.sent) > 1) is persistent


def test_who_repeats_its_answer_in_vain_tells_the_peer_which_may_be_done() -> None:
    """No initiator that has no answer, and nobody whose answer is not waited behind."""
    for persistent in (False, True):
        pair = Pair(toy(persistent=persistent))
        pair.near.begin()
        pair.to_far()
        pair.near.sent.clear()
        pair.wait(200)
        assert causes(pair.far) == causes(pair.near) == ["timeout"]
        assert [r.cause for r in pair.far.toy.withdrawn] == ["timeout"] * persistent
        assert not pair.near.toy.withdrawn


def test_an_answer_resets_the_back_off() -> None:
    pair = Pair()
    mine = pair.near.begin()
    pair.wait(1.5)
    assert mine.retries == 1
    pair.to_far()
    pair.to_near()
    assert mine.retries == 0
    assert mine.step == 3


def test_a_half_done_exchange_ends_in_time_whatever_it_is_sent() -> None:
    pair = Pair()
    pair.near.engine.settings.retransmits = 1000
    mine = pair.near.begin()
    pair.to_far()
    pair.near.sent.clear()
    pair.wait(119)
    assert pair.far.engine.exchanges
    pair.wait(2)
    assert not pair.far.engine.exchanges
    assert not pair.far.engine.half_open
    assert mine.over


# --- repeats ---------------------------------------------------------------------------------


def test_a_repeated_message_gets_the_same_answer_a_bounded_number_of_times() -> None:
    """RFC 2408 5.1."""
    pair = Pair()
    pair.near.begin()
    first = pair.to_far()[0]
    answer = pair.far.sent.pop()
    theirs = pair.far.only
    did = list(theirs.state.did)
    for _ in range(3 * ANSWERS_MAX):
        pair.far.front.receive(TO_HERE, first)
    assert pair.far.sent == [answer] * ANSWERS_MAX
    assert theirs.state.did == did


def test_a_new_message_gives_new_answers_to_repeats() -> None:
    pair = Pair(toy(
        initiator=(says("1"), hears("2"), says("3"), hears("4"), says("5")),
        responder=(hears("1"), says("2"), hears("3"), says("4"), hears("5")),
        syntax=(SWITCH, SWITCH, SWITCH, SWITCH, END),
    ))  # fmt: skip
    pair.near.begin()
    first = pair.to_far()[0]
    for _ in range(ANSWERS_MAX + 5):
        pair.far.front.receive(TO_HERE, first)
    del pair.far.sent[1:]
    pair.to_near()
    third = pair.to_far()[0]
    pair.far.sent.clear()
    pair.far.front.receive(TO_HERE, third)
    assert len(pair.far.sent) == 1
    pair.far.front.receive(TO_HERE, first)
    assert len(pair.far.sent) == 1


def test_a_repeat_is_recognized_by_its_digest() -> None:
    assert digest(b"a") == digest(b"a") != digest(b"b")
    assert len(digest(bytes(60000))) == 20


# --- limits ----------------------------------------------------------------------------------


def first_message(cookie: int) -> bytes:
    first, chain = build_payloads(1, [(P.VENDOR, b"hello")])
    cky_i = cookie.to_bytes(8, "big")
    return Header(cky_i, bytes(8), first, 1, 0, 2, 0, 0, HEADER_SIZE + len(chain)).pack() + chain


def crowd(end: End, count: int, *, hosts: int = 1, start: int = 1) -> None:
    for number in range(start, start + count):
        remote = ip_address(0xC6336400 + number % hosts)
        end.front.receive(Path(HERE, 500, remote, 500), first_message(number))


def test_half_open_exchanges_of_one_address_are_bounded() -> None:
    """RFC 2408 2.5.3."""
    far = Pair().far
    far.engine.settings.half_open_peer_max = 5
    crowd(far, 50)
    assert len(far.engine.half_open) == len(far.engine.exchanges) == 5
    assert far.engine.counters["half_open_dropped"] == 45
    assert set(causes(far)) == {"half-open-limit"}
    assert len(far.timers.pending()) == 5


def test_half_open_exchanges_are_bounded_in_all() -> None:
    far = Pair().far
    far.engine.settings.half_open_max = 20
    crowd(far, 200, hosts=50)
    assert len(far.engine.half_open) == 20 - 20 // NAMED_SHARE


def test_the_victim_is_a_random_one_of_those_that_got_least_far() -> None:
    pair = Pair()
    pair.far.engine.settings.half_open_max = 10
    pair.near.begin()
    pair.to_far()
    genuine = pair.far.only
    genuine.step = 3
    pair.far.engine.half_open.moved_on(genuine)
    crowd(pair.far, 100, hosts=50)
    assert genuine in pair.far.engine.half_open
    survivors = sorted(int.from_bytes(x.cky_i, "big") for x in pair.far.engine.half_open)
    assert survivors[:9] != list(range(92, 101)), "not simply the oldest"


def test_a_flood_does_not_keep_a_peer_with_another_address_out() -> None:
    pair = Pair()
    pair.far.engine.settings.half_open_peer_max = 10
    crowd(pair.far, 1000)
    pair.far.sent.clear()
    mine = pair.near.begin()
    pair.pump()
    assert mine.complete


def test_outcomes_are_bounded() -> None:
    far = Pair().far
    far.engine.settings.half_open_peer_max = 2
    crowd(far, 2 * OUTCOMES_MAX)
    (kept,) = far.engine.outcomes.strangers.values()
    assert kept.times == 2 * OUTCOMES_MAX - 2
    assert not far.engine.outcomes.own, "strangers push nobody out"


def test_cookies_are_neither_zero_nor_taken() -> None:
    """RFC 2408 2.5.3."""
    pair = Pair()
    mine = pair.near.begin()
    answers = [bytes(8), mine.cky_i, b"anything"]
    pair.near.engine.random = lambda n: answers.pop(0)
    assert pair.near.engine.new_cookie() == b"anything"


# --- whatever comes in -----------------------------------------------------------------------


def test_another_major_version_is_dropped() -> None:
    far = Pair().far
    datagram = bytearray(first_message(1))
    datagram[17] = 0x30
    far.front.receive(TO_HERE, bytes(datagram))
    assert far.engine.counters == {"dropped": 1}
    assert not far.engine.exchanges


def test_two_messages_in_one_datagram_are_two() -> None:
    far = Pair().far
    far.front.receive(TO_HERE, first_message(1) + first_message(2))
    assert len(far.engine.exchanges) == 2


@given(st.binary(max_size=100))
@settings(max_examples=300, deadline=None)
def test_nothing_is_raised_for_any_octets(data: bytes) -> None:
    far = Pair().far
    far.front.receive(TO_HERE, data)
    far.front.receive(TO_HERE, first_message(1)[:HEADER_SIZE] + data)
    assert len(far.engine.exchanges) <= 2


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=ANSWERS_MAX))
@settings(max_examples=80, deadline=None)
def test_repeated_and_reordered_messages_do_no_harm(chaos: list[tuple[int, bool]]) -> None:
    """Any of the messages so far come again, to their own end; then the exchange completes."""
    pair = Pair()
    mine = pair.near.begin()
    for number, to_far in chaos:
        source, target = (pair.near, pair.far) if to_far else (pair.far, pair.near)
        if source.sent:
            target.front.receive(
                TO_HERE if to_far else TO_THERE, source.sent[number % len(source.sent)][1]
            )
    for _ in range(8):
        pair.far.front.receive(TO_HERE, mine.last_out[0])
        for _, data in list(pair.far.sent):
            pair.near.front.receive(TO_THERE, data)
    assert mine.complete
    assert mine.state.did == ["send 1", "recv 2", "send 3", "recv 4"]
    assert len(pair.near.engine.outcomes.own) == 1
