"""Candidates: who has answered a message of ours, while none of them has proved to be the peer.

RFC 7296 2.4. Whoever sees a message of phase 1 or an IKE_SA_INIT go by can answer it in clear, and
before the peer does. So an exchange that takes an answer which nothing protects stays as it was,
and a fork of it goes on; another answer makes another fork. The first fork whose peer proves itself
ends all others, without a word to anybody. An attempt fails once all have, and is one attempt to
whoever waits for it: forks have its number and its end.

An answer that is followed is alone for a round trip. Who forges a notify, or a first message, can
make the peer answer twice; both at once would make two SAs there. So those that are followed at a
time are answers to one message of ours.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Protocol

from isakmp.errors import Reason
from isakmp.event.timer import Timers
from isakmp.exchange.answers import ROUND_TRIP_S, Answers
from isakmp.exchange.attempt import Done
from isakmp.exchange.exchange import Exchange
from isakmp.exchange.script import Incoming, Outgoing, Script, Step
from isakmp.exchange.settings import Settings
from isakmp.log.log import Log, LogClass
from isakmp.policy.spd import Address

# Answers to one message that are followed at a time, some kB each, and that wait for their turn: so
# many may be forged between the peer's answer and its proof.
FOLLOWED_MAX, WAITING_MAX = 8, 7
PROVEN = Reason("another-answer", "the peer of another one is proven")
# How long a better answer is waited for after one that refuses and may be forged.
HINT_S = 4.0


def family(exchange: Exchange) -> list[Exchange]:
    """An exchange and all that goes on from it, oldest first."""
    found = [exchange]
    if exchange.answers is not None:
        for fork in exchange.answers.forks:
            if fork.answers is None:
                found.append(fork)
            else:
                found += family(fork)
    return found


def leaves(exchange: Exchange) -> list[Exchange]:
    """Those that nothing goes on from: they wait for a message, or are on their way to."""
    if exchange.answers is None:
        return [exchange]
    return [x for x in family(exchange) if x.answers is None or not x.answers.forks]


def may_be_forged(exchange: Exchange, message: Incoming) -> bool:
    """Whether a message answers one of ours, at either end, and anybody can have made it."""
    return exchange.script.establishes and exchange.step > 0 and not message.protected


def make_room(waiting: dict[bytes, Incoming], there: Address, keep: int = 0) -> None:
    """Where too many wait, one gives way, none of the first ``keep``: one that does not come from
    where the question went, else the oldest, which was there before the peer's own came."""
    if len(waiting) > WAITING_MAX + keep:
        may_go = list(waiting)[keep:]
        strange = (key for key in may_go if waiting[key].path.remote != there)
        del waiting[next(strange, may_go[0])]


class Takes(Protocol):
    """Who takes the steps."""

    def take(
        self, exchange: Exchange, step: Step[Exchange], message: Incoming | Outgoing, done: Done
    ) -> None:
        """Take a step on a message, then whatever steps follow. done: is called before these."""


class Arms(Protocol):
    """Who sends messages again."""

    def arm(self, exchange: Exchange) -> None:
        """Repeat its message in a while."""


class CandidatesHost(Protocol):
    """What candidates ask of the engine that they are of."""

    @property
    def log(self) -> Log: ...

    @property
    def timers(self) -> Timers: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def walk(self) -> Takes: ...

    @property
    def retransmission(self) -> Arms: ...

    def now(self) -> float: ...

    def took(self, exchange: Exchange, message: Incoming, script: Script[Exchange, object]) -> None:
        """A receiving step of that script accepted its message."""

    def repeat(self, exchange: Exchange) -> None:
        """Send its last message once more."""

    def stop_timer(self, exchange: Exchange, name: str) -> None: ...

    def timed_out(self, exchange: Exchange) -> None:
        """The time of an attempt is over."""

    def fail(self, exchange: Exchange, reason: Reason) -> None:
        """End an exchange without result."""

    def forget(self, exchange: Exchange) -> None:
        """Take it out of the tables and stop its timers."""


class Candidates:
    """Those of one engine's exchanges."""

    def __init__(self, host: CandidatesHost) -> None:
        self._host = host

    @staticmethod
    def among(exchange: Exchange) -> list[Exchange]:
        """All of an attempt that listen to the same cookie and message ID, the newest first."""
        root = exchange.root
        if root.answers is None:
            return [exchange]
        key_of = exchange.dialect.key
        key = key_of(exchange)
        return [x for x in family(root) if not x.over and key_of(x) == key][::-1]

    @staticmethod
    def furthest(root: Exchange) -> Exchange:
        """Whose end is that of the whole attempt: of the newest one, or who was last."""
        newest = leaves(root)[-1]
        while newest.answers is not None and newest.answers.last is not None:
            newest = newest.answers.last
        return newest

    # --- what comes in -----------------------------------------------------------------------

    def answer(self, stem: Exchange, message: Incoming, mark: bytes) -> None:
        """One more answer that may be the peer's. mark: its digest."""
        message.came = self._host.now()
        if (answers := stem.answers) is None:
            answers = stem.answers = Answers(heard=1)
            if not stem.script.rests(stem, message):
                self._follow_new(stem, answers, message, mark)
                return
        elif mark in answers.known or mark in answers.waiting:
            return
        else:
            answers.heard += 1
        if self._joined(stem, answers, message, mark) or self._late(stem, answers, message, mark):
            return
        answers.waiting[mark] = message
        make_room(answers.waiting, stem.path.remote)
        self._next(stem, answers)

    def _next(self, stem: Exchange, answers: Answers[Exchange]) -> None:
        """Those that wait have their turn, now or in a while."""
        alone = answers.alone_s(self._host.now())
        if alone <= 0:
            self._follow_all(stem, answers)
        else:
            self._arm_turn(stem, answers, alone)

    @staticmethod
    def _joined(stem: Exchange, answers: Answers[Exchange], message: Incoming, mark: bytes) -> bool:
        """Whether it makes the keys of a fork: two of the same keys would take each other's
        messages, so that one goes on with both. It is as new as its newest."""
        joins = (fork for fork in answers.forks if stem.script.joins(fork, message))
        if (fork := next(joins, None)) is None:
            return False
        answers.note(mark)
        answers.forks.remove(fork)
        answers.forks.append(fork)
        return True

    def _late(
        self, stem: Exchange, answers: Answers[Exchange], message: Incoming, mark: bytes
    ) -> bool:  # fmt: skip
        """Whether it makes keys that the peer has refused us under already, and ended then."""
        refused = answers.refused
        if refused is None or not stem.script.joins(refused, message):
            return False
        answers.note(mark)
        self._ask_anew(stem, answers)
        return True

    def _ask_anew(self, stem: Exchange, answers: Answers[Exchange]) -> bool:
        """Send the same message again where another answer may do better than one that was refused
        under its keys: whoever refused has ended what it made of the message. Not while another one
        that is followed is alone; whether it was."""
        refused = answers.refused
        if refused is None or refused is answers.settled:
            return False
        if answers.forks and (alone := answers.alone_s(self._host.now())) > 0:
            self._arm_turn(stem, answers, alone)
            return False
        if not stem.script.anew(stem, refused):
            return False
        answers.settled = refused
        self.asks_again(stem)
        stem.retries = 0
        self._host.repeat(stem)
        self._host.retransmission.arm(stem)
        return True

    def _arm_turn(self, stem: Exchange, answers: Answers[Exchange], seconds: float) -> None:
        if "turn" not in stem.events:
            stem.events["turn"] = self._host.timers.add(
                "answers", seconds, self._turn, stem, answers
            )

    def _turn(self, stem: Exchange, answers: Answers[Exchange]) -> None:
        stem.events.pop("turn", None)
        self._follow_all(stem, answers)
        if not stem.over:
            self._ask_anew(stem, answers)

    def _follow_all(self, stem: Exchange, answers: Answers[Exchange]) -> None:
        """The first answer alone; where that was not the peer's, whatever else there is to the
        message that the next one is to. What rests goes last, and not before its time."""
        waiting, question, rests = answers.waiting, stem.script.question, stem.script.rests
        rested = self._host.now() - ROUND_TRIP_S
        order = sorted(waiting, key=lambda mark: rests(stem, waiting[mark]))
        ready = [m for m in order if waiting[m].came <= rested or not rests(stem, waiting[m])]
        asked = [question(stem, waiting[mark]) for mark in ready[:1]]
        for mark in ready:
            one = waiting.get(mark)
            if one is not None and not stem.over and question(stem, one) == asked[0]:
                self._follow(stem, answers, waiting.pop(mark), mark)
        if waiting and not stem.over:
            self._arm_turn(stem, answers, ROUND_TRIP_S)

    def _follow(
        self, stem: Exchange, answers: Answers[Exchange], message: Incoming, mark: bytes
    ) -> None:
        if not self._joined(stem, answers, message, mark) and not self._late(
            stem, answers, message, mark
        ):
            self._follow_new(stem, answers, message, mark)

    def _follow_new(
        self, stem: Exchange, answers: Answers[Exchange], message: Incoming, mark: bytes
    ) -> None:  # fmt: skip
        answers.note(mark)
        answers.answered = False
        if len(answers.forks) >= FOLLOWED_MAX:
            self._discard(answers.forks[0], Reason("another-answer", "newer ones came"))
        fork = stem.forked()
        fork.now_in = mark
        answers.forks.append(fork)
        answers.since = self._host.now()
        took = partial(self._took, stem, fork, message)
        self._host.walk.take(fork, fork.steps[fork.step], message, took)

    def _took(self, stem: Exchange, fork: Exchange, message: Incoming) -> None:
        """A fork has accepted its answer: the question is not put again, or the peer might take
        it for another attempt."""
        host = self._host
        if stem.answers is not None:
            stem.answers.since = host.now()
        host.stop_timer(stem, "retransmit")
        self._wake(stem, stem.root.created + host.settings.exchange_max_s)
        fork.untaken = False
        host.took(fork, message, fork.script)

    def asks_again(self, exchange: Exchange) -> None:
        """What was refused was another message: this one is repeated, and has its time."""
        self._wake(exchange, self._host.now() + HINT_S)

    def _tell_refused(self, exchange: Exchange, reason: Reason) -> None:
        """An answer is not taken, and the attempt goes on."""
        self._host.log.proto_warn("%s: answer refused: %s", exchange, reason.brief())

    def _goes_on(self, exchange: Exchange) -> None:
        """A better answer has come: its end will not tell of the one that was refused."""
        if exchange.resting and exchange.hint is not None:
            self._tell_refused(exchange, exchange.hint)
        exchange.resting = False

    def _wake(self, exchange: Exchange, end: float) -> None:
        self._goes_on(exchange)
        if exchange.root.events["end"].when < end:
            self._end_at(exchange.root, end)

    # --- ends --------------------------------------------------------------------------------

    def proven(self, exchange: Exchange) -> None:
        """The peer of one has proved itself: the others end, and it alone is the attempt now."""
        self._goes_on(exchange)
        root = exchange.root
        if root.answers is None:
            return
        end = root.events.pop("end")
        self.end_others(exchange, PROVEN)
        exchange.stem = exchange.answers = None
        self.let_go(root)
        # Whose attempt it is now, it ends by the same time.
        end.args, exchange.events["end"] = (exchange,), end

    @staticmethod
    def let_go(root: Exchange) -> None:
        """Nothing leads any more from an attempt that is over to those that were followed, with
        their keys: they know it, and a circle would stay until the next search for garbage."""
        answers, root.answers = root.answers, None
        if answers is not None:
            for each in (answers.last, answers.refused, answers.settled, *answers.forks):
                if each is not None and each.answers is not None:
                    Candidates.let_go(each)

    def end_others(self, exchange: Exchange, reason: Reason) -> None:
        """End all but one of what belongs to an attempt, without a word to anybody."""
        root = exchange.root
        if root.answers is None:
            return
        for other in [x for x in family(root) if x is not exchange][::-1]:
            self._wipe(other, reason)

    def refused(self, exchange: Exchange, reason: Reason, *, proven: bool) -> None:
        """An answer was refused, or refuses us. proven: under the keys of who gave that answer."""
        fork, stem, wait_s = exchange, exchange.stem, HINT_S
        if proven and stem is None:
            self._host.fail(exchange, reason)
            return
        if stem is not None and (proven or exchange.untaken):
            if proven:
                wait_s = self._host.settings.retransmit_s
            elif stem.answers is not None:
                # What a forged one costs stays bounded: the next one has to wait for its turn.
                stem.answers.answered = exchange.last_out is not stem.last_out
            self._drop(stem, exchange, reason)
            if proven and stem.answers is not None:
                stem.answers.refused = exchange
            exchange = stem
        if exchange.resting and exchange.hint not in (None, reason):
            self._tell_refused(exchange, exchange.hint)
        exchange.hint = reason
        answers = exchange.answers
        if answers is not None and answers.waiting and not answers.forks:
            self._next(exchange, answers)
        last = answers is None or not answers.forks
        if proven and last and not exchange.initiator:
            self._host.fail(exchange, reason)
            return
        asked = proven and answers is not None and self._ask_anew(exchange, answers)
        if last and exchange.initiator and not asked:
            self._rest(exchange, wait_s)  # its end tells of it, or _goes_on()
        else:
            self._tell_refused(fork, reason)

    def failed(self, fork: Exchange, reason: Reason) -> None:
        """Nothing more comes of a fork."""
        stem = fork.stem
        if stem is None:
            return
        self._drop(stem, fork, reason)
        answers = stem.answers
        if answers is not None and answers.waiting:
            self._follow_all(stem, answers)
        if answers is None or not (answers.forks or answers.waiting):
            self._host.fail(stem, stem.hint or reason)

    def _discard(self, exchange: Exchange, reason: Reason) -> None:
        """End one of several, with all that goes on from it."""
        for each in family(exchange)[::-1]:
            self._wipe(each, reason)

    def _rest(self, exchange: Exchange, seconds: float) -> None:
        """What may be forged ends no exchange, but a better answer is not waited for for long."""
        exchange.resting = True
        self._host.stop_timer(exchange, "retransmit")
        root, when = exchange.root, self._host.now() + seconds
        if all(leaf.resting for leaf in leaves(root)) and root.events["end"].when > when:
            self._end_at(root, when)

    def _end_at(self, root: Exchange, when: float) -> None:
        """Another end of the time that an attempt has."""
        host = self._host
        host.stop_timer(root, "end")
        root.events["end"] = host.timers.add(
            "exchange end", when - host.now(), host.timed_out, root
        )

    def _drop(self, stem: Exchange, fork: Exchange, reason: Reason) -> None:
        """A fork has failed, and all that goes on from it; its peer may yet be told why."""
        if stem.answers is not None:
            stem.answers.last = fork
        for other in family(fork)[:0:-1]:
            self._wipe(other, reason)
        self._end(fork)
        fork.dialect.ended(fork, reason)
        self._host.log.debug(LogClass.EXCHANGE, 20, "%s: one answer less: %s", fork, reason)

    def _wipe(self, exchange: Exchange, reason: Reason) -> None:
        """One of several is not followed any more, and what it knows is forgotten."""
        self._end(exchange)
        exchange.state = exchange.script.state()
        if exchange.sa is not None:
            exchange.sa.keys = None
        self._host.log.debug(LogClass.EXCHANGE, 20, "%s: one answer less: %s", exchange, reason)

    def _end(self, exchange: Exchange) -> None:
        stem = exchange.stem
        if stem is not None and stem.answers is not None and exchange in stem.answers.forks:
            stem.answers.forks.remove(exchange)
        self._host.forget(exchange)
        exchange.script.abandon(exchange)


def of_many(root: Exchange, reason: Reason) -> Reason:
    """The reason that an attempt fails for, with how many have answered it where that were more
    than one."""
    if root.answers is None:
        return reason
    heard = max((x.answers.heard for x in family(root) if x.answers is not None), default=0)
    if heard < 2:
        return reason
    return replace(reason, detail=f"{reason.detail} ({heard} different answers came, none proven)")
