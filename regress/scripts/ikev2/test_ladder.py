"""An exchange of several requests and answers, one kind of which takes over from another: what a
client that proves itself in rounds asks of the engine (RFC 7296 2.16)."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from isakmp.constants import ikev2
from isakmp.errors import Reason
from isakmp.event.job import Job
from isakmp.exchange.exchange import UNNUMBERED, ExchangeOf, ScriptOf
from isakmp.exchange.script import END, PROTECTED, SWITCH, Incoming, Outgoing, Script, Verdict
from isakmp.exchange.walk import ROUNDS_MAX
from isakmp.scripts.ikev2 import receive
from isakmp.scripts.ikev2.dialect import RESUME_S
from regress.pair import Host, Network
from regress.scripts.ikev2.pairs import pair, sa_of

P = ikev2.Payload
IDI, AUTH, NONCE = int(P.IDI), int(P.AUTH), int(P.NONCE)
BODIES = {IDI: b"\x0b\0\0\0somebody", AUTH: b"\2\0\0\0" + bytes(16)}
TYPE = 240


@dataclass
class Rounds:
    """What an end has done, and the message IDs of what it heard; left: rounds to go; job: what it
    waits for."""

    did: list[str] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    left: int = 2
    proves: bool = False
    job: Job[Any] | None = None


X = ExchangeOf[Rounds]


def says(name: str, *payloads: int) -> Any:
    def send(x: X, message: Outgoing) -> Verdict | None:
        x.state.did.append(f"send {name}")
        for kind in payloads:
            if kind != AUTH or x.state.proves:
                message.add(kind, BODIES[kind])
        return None

    return send


def hears(name: str) -> Any:
    def recv(x: X, message: Incoming) -> Verdict | None:
        x.state.did.append(f"recv {name}")
        x.state.ids.append(message.header.message_id)
        return None

    return recv


def send_round(x: X, message: Outgoing) -> Verdict | None:
    x.state.did.append("send round")
    message.add(NONCE, bytes(16))
    if x.initiator:
        return None
    x.state.left -= 1
    return Verdict.AGAIN if x.state.left else None


def recv_round(x: X, message: Incoming) -> Verdict | None:
    hears("round")(x, message)
    if not x.initiator:
        return None
    x.state.left -= 1
    return Verdict.AGAIN if x.state.left else None


def send_round_and_wait(x: X, message: Outgoing) -> Verdict | None:
    """Something is left to do once the answer is out."""

    def rest() -> Generator[Job[Any], Any, None]:
        x.state.job = Job()
        yield x.state.job

    x.after_send.append(rest)
    return send_round(x, message)


# Who proves itself at once; and who does so in rounds.
PLAIN: ScriptOf[Rounds] = Script(
    "plain", TYPE, (says("ID", IDI, AUTH), hears("ID")), (hears("ID"), says("ID", IDI, AUTH)),
    (PROTECTED, IDI, AUTH, SWITCH, PROTECTED, IDI, AUTH, END), Rounds,
)  # fmt: skip
LADDER = replace(
    PLAIN, name="ladder",
    initiator=(says("ID", IDI), hears("ID"), send_round, recv_round, says("AUTH", AUTH),
               hears("AUTH")),
    responder=(hears("ID"), says("ID", IDI), recv_round, send_round, hears("AUTH"),
               says("AUTH", AUTH)),
    syntax=(PROTECTED, IDI, SWITCH, PROTECTED, IDI, SWITCH, PROTECTED, NONCE, SWITCH, PROTECTED,
            NONCE, SWITCH, PROTECTED, AUTH, SWITCH, PROTECTED, AUTH, END),
)  # fmt: skip
LATE = replace(
    LADDER, responder=(*LADDER.responder[:3], send_round_and_wait, *LADDER.responder[4:])
)
DID = ["ID", "ID", *["round"] * 4, "AUTH", "AUTH"]
WAYS = (["send", "recv"] * 4, ["recv", "send"] * 4)


def ends(monkeypatch: pytest.MonkeyPatch, variant: ScriptOf[Rounds]) -> tuple[Network, Host, Host]:
    """East knows the plain exchange, of which this is a variant."""
    monkeypatch.setitem(receive.SCRIPTS, TYPE, replace(PLAIN, variants=(variant,)))
    return pair()


def begin(west: Host, script: ScriptOf[Rounds] = LADDER, **state: Any) -> X:
    engine, sa = west.daemon.engine, sa_of(west)

    def prepare(memory: Rounds) -> None:
        for name, value in {"proves": True, **state}.items():
            setattr(memory, name, value)

    return engine.initiate(
        engine.dialects["ikev2"], script, sa.remote, sa.path, sa=sa, prepare=prepare
    )


def watch(east: Host, left: int = 2) -> list[X]:
    """The exchanges of that type that the peer begins, and how many rounds we want of each."""
    begun: list[X] = []
    create = east.daemon.engine.create

    def note(*args: Any) -> X:
        exchange = create(*args)
        if exchange.script.exchange_type == TYPE:
            exchange.state.proves, exchange.state.left = True, left
            begun.append(exchange)
        return exchange

    east.daemon.engine.create = note  # type: ignore[method-assign, assignment]
    return begun


def test_a_variant_takes_over_at_either_end(monkeypatch: pytest.MonkeyPatch) -> None:
    net, west, east = ends(monkeypatch, LADDER)
    begun = watch(east)
    mine = begin(west)
    first = mine.message_id
    net.run(1)
    (theirs,) = begun
    assert mine.finished.done and mine.finished.error is None
    assert theirs.finished.done and theirs.finished.error is None
    for exchange, ways in zip((mine, theirs), WAYS, strict=True):
        assert exchange.state.did == [f"{way} {what}" for way, what in zip(ways, DID, strict=True)]
        assert exchange.state.ids == [first, first + 1, first + 2, first + 3]
    assert theirs.script is LADDER


def test_who_has_what_the_script_wants_stays_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    net, west, east = ends(monkeypatch, LADDER)
    begun = watch(east)
    mine = begin(west, PLAIN)
    net.run(1)
    assert mine.finished.done and mine.finished.error is None
    assert begun[0].script.name == "plain"


@pytest.mark.parametrize("lost", range(8))
def test_whatever_is_lost_is_repeated(monkeypatch: pytest.MonkeyPatch, lost: int) -> None:
    net, west, east = ends(monkeypatch, LADDER)
    watch(east)
    mark = len(net.history)
    net.lose = lambda packet: len(net.history) == mark + lost + 1
    mine = begin(west)
    net.run(10)
    assert mine.finished.done and mine.finished.error is None
    assert len(mine.state.ids) == 4


def test_a_request_that_comes_before_its_answerer_is_ready_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net, west, east = ends(monkeypatch, LATE)
    begun = watch(east)
    mine = begin(west)
    net.run(0.5)
    (theirs,) = begun
    for sent in (2, 2):
        assert theirs.early is not None
        assert theirs.state.job is not None
        assert mine.state.did.count("send round") == sent
        theirs.state.job.finish(None)
        net.run(0.1)
    assert mine.finished.done and mine.finished.error is None
    assert len({packet.data for packet in net.history}) == len(net.history)


@pytest.mark.parametrize("ours", [2, 100_000])
@pytest.mark.parametrize("theirs", [2, 100_000])
def test_rounds_without_end_come_to_one(
    monkeypatch: pytest.MonkeyPatch, ours: int, theirs: int
) -> None:
    """Whoever wants to go on for ever: one of both ends gives up, and nothing is left."""
    net, west, east = ends(monkeypatch, LADDER)
    begun = watch(east, theirs)
    mine = begin(west, left=ours)
    sent = len(net.history)
    net.until(lambda: mine.finished.done and begun[0].finished.done, 400)
    assert len(net.history) - sent < 4 * ROUNDS_MAX
    assert (mine.finished.error is None) is (ours == theirs == 2)
    for host in (west, east):
        kinds = [x.script.exchange_type for x in host.daemon.engine.exchanges.values()]
        assert TYPE not in kinds
    if ours == theirs == 100_000:
        assert "too-many-rounds" in west.reasons() + east.reasons()


def test_each_request_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exchange-max-time is for each; one that stands still ends as any does."""
    net, west, east = ends(monkeypatch, LATE)
    begun = watch(east)
    for host in (west, east):
        host.daemon.engine.settings.exchange_max_s = 10.0
        host.daemon.engine.settings.sa_retransmits = 0
    mine = begin(west)
    net.run(0.5)
    (theirs,) = begun
    before = theirs.events["end"].when
    net.run(0.3)
    assert theirs.state.job is not None
    theirs.state.job.finish(None)
    net.run(0.1)
    assert theirs.events["end"].when > before
    assert not mine.finished.done
    net.run(60)
    assert theirs.over
    assert not east.daemon.engine.exchanges


# What the peer goes on with is found by what a request says: here, that it has the nonce.
RESUMED = replace(
    PLAIN, name="resumed", initiator=(send_round, recv_round), responder=(recv_round, send_round),
    syntax=(PROTECTED, NONCE, SWITCH, PROTECTED, NONCE, END),
    resumes=lambda x, message: NONCE in [payload.type for payload in message.payloads],
)  # fmt: skip


def first_of_two(monkeypatch: pytest.MonkeyPatch) -> tuple[Network, Host, Host, X, X]:
    """East has answered the first request, and waits for another of its own; west sends none."""
    monkeypatch.setitem(receive.SCRIPTS, TYPE, replace(PLAIN, follows=lambda x: RESUMED))
    net, west, east = pair()
    begun = watch(east, left=1)
    mine = begin(west, PLAIN)
    net.run(1)
    assert mine.finished.done and mine.finished.error is None
    (theirs,) = begun
    return net, west, east, mine, theirs


def test_what_waits_to_be_resumed_has_no_number_and_ends_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net, west, east, _, theirs = first_of_two(monkeypatch)
    engine = east.daemon.engine
    assert theirs.script is RESUMED and theirs.message_id == UNNUMBERED
    assert theirs not in engine.exchanges.values() and engine.under_way() == [theirs]
    assert not theirs.finished.done
    net.run(RESUME_S + 1)
    assert theirs.over and "not-resumed" in east.reasons()
    assert not engine.under_way() and sa_of(east)


def test_a_request_of_any_number_resumes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    net, west, east, mine, theirs = first_of_two(monkeypatch)
    begin(west, replace(PLAIN, initiator=(says("ID", IDI, AUTH), hears("ID"))))
    net.run(0.1)
    again = begin(west, RESUMED, left=1)
    net.run(0.5)
    assert again.finished.done and again.finished.error is None
    assert theirs.finished.done and theirs.finished.error is None
    assert theirs.state.did[-2:] == ["recv round", "send round"]


def test_what_waits_is_cancelled_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    net, west, east, _, theirs = first_of_two(monkeypatch)
    sent = len(net.history)
    east.daemon.engine.cancel(theirs, Reason("taken-down", "taken down"))
    assert theirs.over and len(net.history) == sent
