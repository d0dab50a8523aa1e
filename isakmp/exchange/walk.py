"""Walk: takes the steps of exchanges one after the other, as far as each goes without waiting.

RFC 2408 4.1; the isakmpd paper, 4.3.1. A step is an Attempt, and so is what is done once a message
has left: whatever is not there yet is waited for, and what it raises means the same before the
wait and after it. finalize may wait, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Protocol

from isakmp.errors import IsakmpError, MalformedPayload, Reason, Refused
from isakmp.exchange.attempt import Attempt, Done, Then
from isakmp.exchange.candidates import Candidates
from isakmp.exchange.exchange import UNNUMBERED, Exchange
from isakmp.exchange.half_open import HalfOpen
from isakmp.exchange.retransmission import Retransmission
from isakmp.exchange.script import Incoming, Outgoing, Script, Step, Verdict
from isakmp.path import Path

# Requests and answers of one exchange beyond those that its script has.
ROUNDS_MAX = 64


class WalkHost(Protocol):
    """What a walk asks of the engine that it is of."""

    def take(self, path: Path, read: Callable[[], object], /) -> None:
        """Have what has come that way read. Whatever it is, nothing is raised."""

    def number(self, exchange: Exchange) -> None:
        """Have it found by a message ID of its own."""

    def check_syntax(self, exchange: Exchange, kinds: Collection[int]) -> None:
        """MalformedPayload where our message lacks something."""

    def repeat(self, exchange: Exchange) -> None:
        """Send its last message."""

    def stop_timer(self, exchange: Exchange, name: str) -> None: ...

    def refused(self, exchange: Exchange, refused: Refused, *, proven: bool = True) -> None:
        """A step refused. proven: only the peer can have made what it looked at."""

    def malformed(
        self, exchange: Exchange, error: MalformedPayload, *, fresh: bool, proven: bool
    ) -> None:
        """A step cannot read its message. fresh: it has begun the exchange."""

    def forget(self, exchange: Exchange) -> None:
        """Take it out of the tables and stop its timers."""

    def failed(self, exchange: Exchange, reason: Reason, told: Exchange) -> None:
        """It has come to nothing. told: whose name the end has."""

    def concluded(self, exchange: Exchange) -> None:
        """It has done what it is for."""


class Walk:
    """That of one engine's exchanges."""

    def __init__(
        self,
        host: WalkHost,
        candidates: Candidates,
        retransmission: Retransmission,
        half_open: HalfOpen,
    ) -> None:
        self._host, self._candidates = host, candidates
        self._retransmission, self._half_open = retransmission, half_open

    def take(
        self, exchange: Exchange, step: Step[Exchange], message: Incoming | Outgoing, done: Done,
        *, fresh: bool = False, then: Then[Exchange] | None = None,
    ) -> None:  # fmt: skip
        """Take a step on a message, then whatever steps follow. done: is called before these; then:
        what follows, if not the next step. One that waits goes on as an Attempt."""
        exchange.attempt = None
        then = then or self._stepped
        try:
            result = step(exchange, message)
            if result is None or isinstance(result, Verdict):
                then(exchange, message, result, done)
            else:
                self._perform(exchange, Attempt(result, message, then, done, fresh))
        except IsakmpError as error:
            self._refused(exchange, message, error, fresh=fresh)

    def _perform(self, exchange: Exchange, attempt: Attempt[Exchange]) -> None:
        # Only what waits is kept: an exchange that knows itself would go only with the next search
        # for garbage.
        exchange.attempt = None
        try:
            if attempt.advance(exchange, self._resume):
                attempt.then(exchange, attempt.message, attempt.verdict, attempt.done)
            else:
                exchange.attempt = attempt
        except IsakmpError as error:
            self._refused(exchange, attempt.message, error, fresh=attempt.fresh)

    def _refused(
        self, exchange: Exchange, message: Incoming | Outgoing, error: IsakmpError, *,
        fresh: bool,
    ) -> None:  # fmt: skip
        """A step has raised: refused, or found its message malformed, or failed by itself."""
        host, proven = self._host, message.proven
        if isinstance(error, Refused):
            host.refused(exchange, error, proven=proven)
        elif isinstance(error, MalformedPayload) and isinstance(message, Incoming):
            host.malformed(exchange, error, fresh=fresh, proven=proven)
        else:
            host.refused(exchange, _own_failure(exchange, error), proven=proven)

    def _resume(self, exchange: Exchange, attempt: Attempt[Exchange]) -> None:
        """The answer came; the exchange may have ended meanwhile."""
        if not exchange.over:
            self._perform(exchange, attempt)

    def _stepped(
        self, exchange: Exchange, message: Incoming | Outgoing, verdict: Verdict | None,
        done: Done,
    ) -> None:  # fmt: skip
        """A step is done: note it, move on, and send what is ours to send."""
        if verdict is Verdict.WAIT:
            return
        number = exchange.step
        done()
        if exchange.over:
            return
        if verdict is None:
            exchange.step = number + 1
        else:
            self._turn(exchange, verdict)
        ends_leg = number % 2 and exchange.step < len(exchange.steps)  # the answer of a pair does
        if ends_leg and not exchange.dialect.next_leg(exchange):
            return
        if exchange.after_send:
            self._sent(exchange, message)
        else:
            self.go_on(exchange, message)

    @staticmethod
    def _turn(exchange: Exchange, verdict: Verdict) -> None:
        """Back to an earlier step. Refused where a peer goes round and round."""
        exchange.before = exchange.script.name
        if verdict is Verdict.RESTART:
            exchange.step = 0
        else:
            exchange.step -= 1
            exchange.rounds += 1
            if exchange.rounds > ROUNDS_MAX:
                raise Refused(Reason("too-many-rounds", f"{exchange.script.name}: more than "
                                     f"{ROUNDS_MAX} requests and answers"))  # fmt: skip

    def begin_again(self, exchange: Exchange) -> None:
        """Send the first message anew, though no answer has asked for it just now."""
        exchange.step, exchange.retries = 0, 0
        exchange.before = exchange.script.name
        self._host.stop_timer(exchange, "retransmit")
        self.go_on(exchange)

    def go_on(
        self, exchange: Exchange, cause: Incoming | Outgoing | None = None
    ) -> None:  # fmt: skip
        """After a step: finish, send the next message, or wait for the peer's. cause: the message
        of that step."""
        number, steps = exchange.step, exchange.steps
        if number >= len(steps):
            self.finish(exchange)
        elif (number % 2 == 0) is exchange.initiator:  # as sends() says, of every step
            row = exchange.script.rows[number]
            # What began an exchange ends with it; what only goes on from one does not end it.
            proven = cause is None or cause.proven or exchange.stem is None
            message = Outgoing(protected=row.protected, proven=proven)
            self.take(exchange, steps[number], message, partial(self._send, exchange, message))
        else:
            self._half_open.moved_on(exchange)
            if exchange.initiator or exchange.script.persistent:
                self._retransmission.arm(exchange)

    def _send(self, exchange: Exchange, message: Outgoing) -> None:
        host = self._host
        if exchange.message_id == UNNUMBERED:
            host.number(exchange)
        exchange.last_out = exchange.dialect.seal(exchange, message)
        host.check_syntax(exchange, dict(message.payloads))
        if exchange.resting:
            self._candidates.asks_again(exchange)
        host.repeat(exchange)

    def _sent(
        self, exchange: Exchange, message: Incoming | Outgoing, *_: object
    ) -> None:  # fmt: skip
        """What is left to do once a message has left, one after the other, then what follows. It
        is about the message that ours has answered: until it is done that one is not taken."""
        if exchange.over:
            return
        exchange.untaken = bool(exchange.after_send) and not message.proven
        if exchange.after_send:
            call = exchange.after_send.pop(0)
            self.take(exchange, lambda *_: call(), message, _nothing, then=self._sent)
            return
        self.go_on(exchange, message)
        if exchange.early is not None and not exchange.over:
            (path, read), exchange.early = exchange.early, None
            self._host.take(path, read)

    def finish(self, exchange: Exchange) -> None:
        """Every step is taken: another script follows, or this one installs what it negotiated."""
        if following := exchange.script.follows(exchange):
            self._follow(exchange, following)
            return
        self._candidates.proven(exchange)
        self._host.forget(exchange)
        self._finalize(exchange)

    def _finalize(self, exchange: Exchange, attempt: Attempt[Exchange] | None = None) -> None:
        host = self._host
        try:
            if attempt is None and (waiting := exchange.script.finalize(exchange)) is not None:
                attempt = Attempt(waiting, Outgoing(), self._stepped, _nothing)
            if attempt is not None and not attempt.advance(exchange, self._finalize):
                return
        except Exception as error:
            # Whoever waits for it must hear of it, even where this is a bug.
            told = error.reason if isinstance(error, Refused) else Reason("failed", str(error))
            host.failed(exchange, told, exchange)
            if isinstance(error, IsakmpError):
                return
            raise
        exchange.dialect.ended(exchange, None)
        host.concluded(exchange)

    def _follow(self, exchange: Exchange, script: Script[Exchange, object]) -> None:
        """Another exchange type goes on where this one ends, on a leg of its own; what was learned
        stays."""
        exchange.before = exchange.script.name
        exchange.follow(script)
        exchange.step = 0
        if exchange.dialect.next_leg(exchange):
            self.go_on(exchange)


def _nothing() -> None:
    """Of no message there is anything to note."""


def _own_failure(exchange: Exchange, error: IsakmpError) -> Refused:
    return Refused(Reason("failed", str(error)), exchange.dialect.failure)
