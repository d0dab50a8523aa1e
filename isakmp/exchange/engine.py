"""The engine: it walks the script of each exchange, whatever protocol wrote the script.

RFC 2408 4.1 to 4.8 (exchanges, and what goes for all of them); the isakmpd paper, 4.3.1 and 4.3.5.

What is walked is a Script (script.py). What a protocol version does its own way (finding the
exchange of a packet, protection, message identifiers, notifies) is its Dialect. The engine opens
no socket and reads no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from functools import partial

from isakmp.app.base import Application
from isakmp.causes import ASKED_AGAIN, BOUNDS, CHEAP
from isakmp.conf.store import Conf
from isakmp.errors import MalformedPayload, Reason, Refused
from isakmp.event.timer import Args, Timers
from isakmp.event.worker import Work
from isakmp.exchange.bounds import Bounds
from isakmp.exchange.budget import Budget
from isakmp.exchange.candidates import Candidates, family, leaves, may_be_forged, of_many
from isakmp.exchange.dialect import Dialect, Key
from isakmp.exchange.exchange import UNNUMBERED, Exchange, ExchangeOf, ScriptOf, digest
from isakmp.exchange.half_open import HalfOpen
from isakmp.exchange.host import Owner
from isakmp.exchange.key_exchange import KeyExchange
from isakmp.exchange.outcome import Outcomes
from isakmp.exchange.retransmission import Retransmission
from isakmp.exchange.script import Incoming, S, Script
from isakmp.exchange.settings import Settings
from isakmp.exchange.walk import Walk
from isakmp.log.log import Log, LogClass, Severity, severity_of
from isakmp.message import in_clear, missing
from isakmp.path import Path
from isakmp.policy.silence import farewell, silence
from isakmp.policy.spd import Address, Remote
from isakmp.sa import IsakmpSa, State
from isakmp.sa_database import SaDatabase

# A peer that repeats a message gets our last answer again, this many times.
ANSWERS_MAX = 12
# The steps of a message and its answer.
FIRST_PAIR = 2
# Octets of a message that begins an exchange in clear.
FIRST_MAX = 16384
_AT_THIS_END = "the IPsec stack, an exchange before it, or who else is asked here is not done"


class Engine:
    """Runs exchanges."""

    def __init__(
        self, *, transmit: Callable[[Path, bytes], None], unsent: Callable[[Path], Reason | None],
        random: Callable[[int], bytes], timers: Timers, conf: Conf, app: Application, log: Log,
        sas: SaDatabase, dialects: dict[str, KeyExchange], owner: Owner, work: Work,
    ) -> None:  # fmt: skip
        self.transmit, self.unsent, self.random, self.work = transmit, unsent, random, work
        self.timers, self.now, self.conf, self.app = timers, timers.now, conf, app
        self.log, self.sas, self.dialects, self.owner = log, sas, dialects, owner
        self.settings = Settings()
        self.exchanges: dict[Key, Exchange] = {}
        self.outcomes = Outcomes()
        self.counters: dict[str, int] = {}
        self.capture: Callable[[Path, bool, bytes], None] | None = None
        self._numbers = 0
        self.budget = Budget(timers.now, self._names)
        self.bounds = Bounds(sas, timers.now, conf.where, lambda: owner.catalog.reserved)
        self.half_open = HalfOpen(random, timers.now)
        self.candidates = Candidates(self)
        self.retransmission = Retransmission(self)
        self.walk = Walk(self, self.candidates, self.retransmission, self.half_open)

    def _names(self, address: Address) -> bool:
        return self.owner.catalog.names(address)

    # --- what comes in -----------------------------------------------------------------------

    def take(self, path: Path, read: Callable[[*Args], object], *args: *Args) -> None:
        """Have what has come that way read, with ``args``. Whatever it is, nothing is raised."""
        try:
            read(*args)
        except MalformedPayload as error:
            self.drop(path, str(error))

    def find(self, dialect: str, cookie: bytes, number: int) -> Exchange | None:
        """The exchange of that dialect whose messages come with that cookie of ours and number."""
        return self.exchanges.get((dialect, cookie, number))

    def find_all(self, dialect: str, cookie: bytes, number: int) -> list[Exchange]:
        """The same; more than one where several have answered and none is proven, newest first."""
        found = self.find(dialect, cookie, number)
        return self.candidates.among(found) if found is not None else []

    def drop(self, path: Path, why: str) -> None:
        """Count and log a message that nothing is done about."""
        self.counters["dropped"] = self.counters.get("dropped", 0) + 1
        self.log.debug(LogClass.MESSAGE, 20, "dropped message %s: %s", path.came, why)

    def came_back(self, exchange: Exchange, path: Path) -> None:
        """A message of ours comes from where it went, of that exchange: nobody else has read it, as
        far as anybody can tell."""
        self.drop(path, "a message of our own has come back")
        there, name = exchange.path.remote, exchange.remote.name
        if path.remote == there and exchange.initiator:
            exchange.mirrored = Reason(
                "own-message",
                f"our own message comes back from {there}, which is this host, or sends all back",
                line=self.conf.where(name, "Address"),
                mend=f"set Address of [{name}] to that of the peer; else isakmpctl capture on "
                "shows what comes from there",
            )  # fmt: skip

    @staticmethod
    def check_first(datagram: bytes) -> None:
        """What begins in clear is of a bounded size, before it is read. MalformedPayload."""
        if len(datagram) > FIRST_MAX:
            raise MalformedPayload("HDR", 0, f"{len(datagram)} octets are too many to begin with")

    @staticmethod
    def early(
        exchanges: Iterable[Exchange], path: Path, size: int, read: Callable[[], object]
    ) -> bool:
        """Whether a message for one of these has to wait, as what it is to be read with is not
        there yet. One is kept, if it has not too many octets, and read when it is."""
        unready = [exchange for exchange in exchanges if exchange.unready]
        for exchange in unready:
            if size <= FIRST_MAX:
                exchange.early = path, read
        return bool(unready)

    def is_repeat(self, exchange: Exchange, octets: bytes) -> bool:
        """Whether this is the peer's last message again; it then gets our last answer again.
        octets: what run() was given of it."""
        return self.repeats(exchange, digest(octets))

    def repeats(self, exchange: Exchange, mark: bytes) -> bool:
        """The same of a message's digest."""
        if exchange.last_in != mark:
            return False
        waits = exchange.complete or not exchange.sends(exchange.step)
        answering = waits and exchange in leaves(exchange)
        if exchange.last_out and answering and exchange.repeats < ANSWERS_MAX:
            exchange.repeats += 1
            self.log.debug(LogClass.EXCHANGE, 40, "%s: repeated message, answered again", exchange)
            self.repeat(exchange)
        return True

    def repeat(self, exchange: Exchange) -> None:
        """Send our last message once more."""
        for datagram in exchange.last_out:
            self.transmit(exchange.where, datagram)

    def run(self, exchange: Exchange, message: Incoming, octets: bytes) -> None:
        """Give an exchange its next message. octets: what that is known by if it comes again."""
        if not exchange.expects:
            self.drop(message.path, f"{exchange} does not expect a message now")
            return
        exchange.now_in = digest(octets)
        fresh = not exchange.last_in
        exchange.dialect.heard(exchange, message)
        try:
            if message.error is not None:
                raise message.error
            exchange.dialect.inspect(exchange, message)
            script = self._script_for(exchange, message)
            several = not script.refuses and may_be_forged(exchange, message)
            if several:
                self.check_first(octets)
        except Refused as refused:
            self.refused(exchange, refused, proven=message.proven)
        except MalformedPayload as error:
            self.malformed(exchange, error, fresh=fresh, proven=message.proven)
        else:
            if several:
                self.candidates.answer(exchange, message, exchange.now_in)
                return
            took = partial(self.took, exchange, message, script)
            step = script.steps(exchange.initiator)[exchange.step]
            self.walk.take(exchange, step, message, took, fresh=fresh)

    def malformed(
        self, exchange: Exchange, error: MalformedPayload, *, fresh: bool, proven: bool
    ) -> None:
        """A bad message ends an exchange only where it began it, as strangers can send bad ones,
        or where it is proven: the peer has no other one."""
        reason = Reason("malformed-message", f"{exchange.script.name}: {error}")
        self.log.proto_warn("%s: message refused: %s", exchange, error)
        if exchange.untaken:
            self.candidates.failed(exchange, reason)
            return
        exchange.hint = exchange.hint or reason
        if proven or (fresh and not exchange.initiator):
            if proven:
                exchange.dialect.notify(exchange, Refused(reason, exchange.dialect.malformed))
            self.candidates.refused(exchange, reason, proven=True)

    def _script_for(self, exchange: Exchange, message: Incoming) -> Script[Exchange, object]:
        """What the message is of: the exchange's script, or a variant of that. MalformedPayload
        where it is of neither."""
        script, kinds = exchange.script, message.kinds
        lacking = self.lacking(exchange, script, kinds)
        for variant in script.variants:
            if len(variant.steps(exchange.initiator)) <= exchange.step:
                continue
            theirs = variant.takes(exchange, message) if variant.takes else lacking
            if theirs and not self.lacking(exchange, variant, kinds):
                script, lacking = variant, []
                break
        if lacking:
            raise self._lacks(exchange, lacking)
        if script.rows[exchange.step].protected and not message.protected:
            raise in_clear(exchange.dialect.rules, self._where(exchange))
        return script

    @staticmethod
    def lacking(
        exchange: Exchange, script: Script[Exchange, object], have: Collection[int]
    ) -> list[int]:  # fmt: skip
        """The payloads that the message in turn must have and has not."""
        row, lacking = script.rows[exchange.step], []
        if not row.needs.issubset(have):
            lacking = [kind for kind in row.must if kind not in have]
        if row.authentic and (proof := exchange.dialect.authenticator(exchange)) not in have:
            lacking.append(proof)
        return lacking

    def check_syntax(self, exchange: Exchange, kinds: Collection[int]) -> None:
        """MalformedPayload where our message lacks something."""
        if lacking := self.lacking(exchange, exchange.script, kinds):
            raise self._lacks(exchange, lacking)

    def _lacks(self, exchange: Exchange, lacking: list[int]) -> MalformedPayload:
        return missing(exchange.dialect.rules, self._where(exchange), lacking[0])

    @staticmethod
    def _where(exchange: Exchange) -> str:
        return f"{exchange.script.name} message {exchange.step + 1}"

    def took(self, exchange: Exchange, message: Incoming, script: Script[Exchange, object]) -> None:
        """A receiving step of that script accepted its message."""
        exchange.last_in, exchange.retries, exchange.repeats = exchange.now_in, 0, 0
        if script is not exchange.script and not script.refuses:
            exchange.follow(script)
        self.stop_timer(exchange, "retransmit")
        exchange.dialect.accepted(exchange, message)
        for payload in message.left:
            exchange.dialect.leftover(exchange, message, payload)

    def unlist(self, exchange: Exchange) -> None:
        """Messages of that key find another exchange of the same attempt, or none."""
        key = exchange.dialect.key(exchange)
        if self.exchanges.get(key) is exchange:
            del self.exchanges[key]
            others = self.candidates.among(exchange)
            if exchange in others:
                others.remove(exchange)
            if others:
                self.exchanges[key] = others[-1]

    # --- ends --------------------------------------------------------------------------------

    def refused(self, exchange: Exchange, refused: Refused, *, proven: bool = True) -> None:
        """A step refused. An unprotected answer may be forged: who gets one waits on."""
        answer = exchange.step > 0 and not exchange.sends(exchange.step)
        if answer and exchange.script.establishes and not proven:
            self.candidates.refused(exchange, refused.reason, proven=False)
            return
        exchange.dialect.notify(exchange, refused)
        if answer:
            self.candidates.refused(exchange, refused.reason, proven=True)
        else:
            if exchange.stranger and refused.reason.cause == "no-proposal-chosen":
                self.half_open.refused()
            self.fail(exchange.root, refused.reason)

    def fail(self, exchange: Exchange, reason: Reason) -> None:
        """End an exchange without result; whoever waits for it learns why."""
        if exchange.over:
            self.log.internal_warn("%s: after its end: %s", exchange, reason)
        elif exchange.stem is not None:
            self.candidates.failed(exchange, reason)
        else:
            told = exchange
            if exchange.answers is not None:
                told, reason = self.candidates.furthest(exchange), of_many(exchange, reason)
                self.candidates.end_others(exchange, reason)
            self.forget(exchange)
            self.failed(exchange, reason, told)
            self.candidates.let_go(exchange)

    def cancel(self, exchange: Exchange, reason: Reason) -> None:
        """End an exchange; one that the peer expects to be ended by its answer ends then."""
        if exchange.dialect.awaited(exchange):
            for each in family(exchange.root):
                each.unwanted = reason
        elif not exchange.over:
            exchange.dialect.withdraw(exchange, reason)
            self.fail(exchange.root, reason)

    def failed(self, exchange: Exchange, reason: Reason, told: Exchange) -> None:
        """told: whose name the end has, of those that belong together."""
        exchange.script.abandon(exchange)
        exchange.dialect.ended(exchange, reason)
        # Lines of one text are bounded together: strangers must not push our own out.
        strange = exchange.stranger or (not exchange.initiator and reason.cause in CHEAP)
        again = reason.cause in ASKED_AGAIN
        text = "%s: refused: %s" if strange or again else "%s: failed: %s"
        if reason.cause in BOUNDS:
            self.met(told.remote.name, reason)
        else:
            said = reason.brief() if strange else reason
            self.log.write(severity_of(reason), text, told, said)
        if not again:
            self._outcome(told, reason)
        exchange.finished.fail(Refused(reason))

    def under_way(self) -> list[Exchange]:
        """Every exchange, also those of an SA that messages do not find, as nothing has left."""
        under = (x for sa in self.sas.isakmp.values() for x in sa.running.values())
        return list(dict.fromkeys((*self.exchanges.values(), *under)))

    def forget(self, exchange: Exchange) -> None:
        """Take an exchange out of the tables and stop its timers."""
        exchange.over = True
        if exchange.attempt is not None:
            exchange.attempt.give_up()
        for event in exchange.events.values():
            event.cancel()
        exchange.events.clear()
        self.unlist(exchange)
        if exchange.sa is not None:
            exchange.sa.running.pop(exchange.number, None)
        self.half_open.remove(exchange)

    def remark(self, exchange: Exchange, reason: Reason, *, goes_on: bool = False) -> None:
        """An exchange has done what it is for, but not all of it, or not as it should be.

        goes_on: nothing is given up for that.
        """
        if reason.cause in BOUNDS:
            self.met(exchange.remote.name, reason)
        else:
            severity = Severity.PROTO_WARN if goes_on else severity_of(reason)
            self.log.write(severity, "%s: %s", exchange, reason)
        self._outcome(exchange, reason, partly=not goes_on)

    def met(self, peer: str, reason: Reason) -> None:
        """A peer has met a bound, and not got what it asked for: one line for all that meet it,
        which the log counts."""
        self.log.proto_err("bound met by %s: %s", peer, reason)

    def concluded(self, exchange: Exchange) -> None:
        """An exchange has done what it is for."""
        self._outcome(exchange, None)
        exchange.finished.finish(None)

    def _outcome(
        self, exchange: Exchange, reason: Reason | None, *, partly: bool = False
    ) -> None:  # fmt: skip
        if len(exchange.steps) == 1 and reason is None:
            return
        self.outcomes.note(exchange, self.now(), reason, partly=partly)
        if reason is None:
            self.log.debug(LogClass.EXCHANGE, 10, "%s: done", exchange)

    def turn_away(self, path: Path, what: str, reason: Reason) -> None:
        """Somebody is refused before there is an exchange."""
        self.counters["refused"] = self.counters.get("refused", 0) + 1
        said = what, path.remote, reason.brief()
        self.log.write(severity_of(reason), "%s from %s refused: %s", *said)
        self.outcomes.turned_away(path, self.now(), what, reason)

    # --- beginnings --------------------------------------------------------------------------

    def initiate(
        self, dialect: Dialect[Exchange], script: ScriptOf[S], remote: Remote, path: Path, *,
        name: str = "", sa: IsakmpSa | None = None, prepare: Callable[[S], object] | None = None,
    ) -> ExchangeOf[S]:  # fmt: skip
        """Begin an exchange of ours; its ``finished`` job tells how it ended."""
        cky_i, cky_r = (sa.cky_i, sa.cky_r) if sa else dialect.identifiers(self.new_cookie)
        exchange = self.create(dialect, script, remote, path, True, cky_i, cky_r, UNNUMBERED, sa)
        exchange.name = name
        if prepare:
            prepare(exchange.state)
        if sa is None:
            self._begin(exchange)
        else:
            sa.waiting.append(exchange)
            self.begin_waiting(sa)
            if exchange in sa.waiting:
                self.log.debug(LogClass.EXCHANGE, 30, "%s: waits for those before it", exchange)
        return exchange

    def _begin(self, exchange: Exchange) -> None:
        # Under an SA a number is taken only once there is a message for it.
        if exchange.sa is None:
            self.number(exchange)
        self.log.debug(LogClass.EXCHANGE, 10, "%s: begins, %s", exchange, exchange.way)
        self.walk.go_on(exchange)

    def number(self, exchange: Exchange) -> None:
        exchange.message_id = exchange.dialect.message_id(exchange)
        self.exchanges[exchange.dialect.key(exchange)] = exchange

    def resume(self, exchange: Exchange, message_id: int) -> None:
        """A request goes on with an exchange of the peer's that waits for one without a number."""
        exchange.message_id, exchange.hint = message_id, None
        self.exchanges[exchange.dialect.key(exchange)] = exchange
        self.allow_time(exchange)

    def begin_waiting(self, sa: IsakmpSa) -> None:
        """Exchanges of ours that wait for a place under ``sa`` take what has become free."""
        while sa.waiting:
            if sa.waiting[0].over:
                sa.waiting.pop(0)
            elif sa.waiting[0].dialect.may_begin(sa):
                self._begin(sa.waiting.pop(0))
            else:
                return

    def answer(
        self, dialect: Dialect[Exchange], script: ScriptOf[S], remote: Remote, path: Path,
        cky_i: bytes, cky_r: bytes, message_id: int, *, sa: IsakmpSa | None = None,
        stranger: bytes | None,
    ) -> ExchangeOf[S]:  # fmt: skip
        """Begin an exchange of the peer's. stranger: what it is begun with by somebody of whom
        nothing is known yet, None where who begins is known. What strangers begin is half-open,
        and bounded (the paper, 4.3.5): Refused where there is no room."""
        named = stranger is not None and self._names(path.remote)
        if stranger is not None:
            self._make_room(path, named)
        exchange = self.create(dialect, script, remote, path, False, cky_i, cky_r, message_id, sa)
        if stranger is not None:
            exchange.stranger, exchange.first_in = True, digest(stranger)
            self.half_open.add(exchange, named=named)
        self.exchanges[dialect.key(exchange)] = exchange
        self.log.debug(LogClass.EXCHANGE, 10, "%s: begins, %s", exchange, exchange.way)
        return exchange

    def known(self, exchange: Exchange) -> None:
        """The peer of an exchange has proved who it is: that gives way to no stranger's."""
        exchange.stranger = False
        self.half_open.remove(exchange)

    def too_many(self, sa: IsakmpSa, path: Path) -> bool:
        """Whether the peer of ``sa`` has so many exchanges under way that it may begin no more."""
        reason = self.bounds.exchange(sa.who)
        if reason is not None:
            self.drop(path, f"{sa}: {reason.detail}")
            self.met(sa.remote.name, reason)
        return reason is not None

    def create(
        self, dialect: Dialect[Exchange], script: ScriptOf[S], remote: Remote, path: Path,
        initiator: bool, cky_i: bytes, cky_r: bytes, message_id: int, sa: IsakmpSa | None,
    ) -> ExchangeOf[S]:  # fmt: skip
        """An exchange with its end set."""
        self._numbers += 1
        exchange = ExchangeOf(
            self._numbers, dialect, script, initiator, remote, path, cky_i, cky_r, message_id,
            self.now(), path.remote, self, script.state(), sa,
        )  # fmt: skip
        if sa is not None:
            sa.running[exchange.number] = exchange
        self.allow_time(exchange)
        return exchange

    def allow_time(self, exchange: Exchange, most: float | None = None) -> None:
        """Have an exchange end in a while, counted from now; most: in seconds, if not its own."""
        most = self.settings.exchange_max_s if most is None else most
        if exchange.dialect.ends_sa(exchange):
            # It may have to wait for another one that is as patient.
            most += 2 * self.retransmission.longest_s()
        self.stop_timer(exchange, "end")
        exchange.events["end"] = self.timers.add("exchange end", most, self.timed_out, exchange)

    def new_cookie(self) -> bytes:
        """Eight random octets that no exchange or SA of ours has, and not all zero."""
        while True:
            cookie = self.random(8)
            running = [name for name in self.dialects if (name, cookie, 0) in self.exchanges]
            if any(cookie) and not running and cookie not in self.sas.isakmp:
                return cookie

    def _make_room(self, path: Path, named: bool) -> None:
        """Drop a half-open exchange where there are too many. Refused where none may go."""
        limits = self.settings.half_open_peer_max, self.settings.half_open_max
        if surplus := self.half_open.surplus(path.remote, *limits, named=named):
            victim, why = surplus
            if victim is None:
                raise Refused(replace(why, detail=f"{why.detail}, and none that may give way"))
            self.counters["half_open_dropped"] = self.counters.get("half_open_dropped", 0) + 1
            self.fail(victim, why)

    # --- time --------------------------------------------------------------------------------

    def conclude(self, exchange: Exchange) -> bool:
        """End an exchange well that only lacks its confirmation; whether it was one."""
        lacks_it = exchange.script.confirmed and exchange.step == len(exchange.steps) - 1
        if lacks_it and not exchange.over:
            self.log.proto_warn("%s: goes on without its confirmation", exchange)
            self.walk.finish(exchange)
        return lacks_it

    def timed_out(self, exchange: Exchange) -> None:
        if self.conclude(exchange):
            return
        exchange, ended = self.candidates.furthest(exchange), exchange
        script = exchange.script.name
        if exchange.initiator and not exchange.last_out:
            self.fail(ended, Reason("not-sent", f"{script}: {_AT_THIS_END}"))
            return
        if exchange.parked:
            detail = "the peer's message came; what this host asked of others for it (a worker, "
            detail += "the IPsec stack) has no answer"
            waited = Reason("not-done", f"{script}: {detail}")
            exchange.dialect.withdraw(exchange, waited)
            self.fail(ended, waited)
            return
        told = exchange.hint or ended.hint or self.unsent(exchange.path) or _unanswered(exchange)
        if exchange.script.persistent and not exchange.initiator:
            # What it waits for may have been sent, and got lost: the peer is done then.
            exchange.dialect.withdraw(exchange, told)
        self.fail(ended, told)

    def so_far(self, exchange: Exchange) -> Reason | None:
        """What an exchange that is under way ends for unless better comes; None where nothing is
        in its way, as far as anybody can tell."""
        newest = leaves(exchange)[-1]
        if told := newest.hint or exchange.hint or self.unsent(newest.path):
            return told
        late = bool(newest.retries) or self._is_late(newest)
        if not (newest.expects and late) or _is_farewell(newest):
            return None
        return _unanswered(newest, newest.retries)

    def _is_late(self, exchange: Exchange) -> bool:
        """Whether the initiator of an exchange could have repeated what we wait for. Of who has
        answered nothing yet, and may be anybody, nothing is expected."""
        begun = not exchange.initiator and not (exchange.stranger and exchange.step <= FIRST_PAIR)
        return begun and self.now() - exchange.created > 2 * self.settings.retransmit_s

    @staticmethod
    def stop_timer(exchange: Exchange, name: str) -> None:
        if event := exchange.events.pop(name, None):
            event.cancel()


def _unanswered(exchange: Exchange, repeated: int | None = None) -> Reason:
    """Why nothing comes. repeated: how often our message was, where something may come yet."""
    name, path = exchange.script.name, exchange.path
    address, port = str(path.remote), path.remote_port
    if repeated is None and _is_farewell(exchange):
        return farewell(name, address, port)
    if exchange.mirrored is not None:
        return exchange.mirrored
    return silence(
        name, exchange.step, address, port, after=exchange.before, lost=exchange.unheard,
        repeated=repeated, declined=exchange.declined,
    )  # fmt: skip


def _is_farewell(exchange: Exchange) -> bool:
    """Whether it is under an SA that is on its way out."""
    return exchange.sa is not None and exchange.sa.state in (State.SUPERSEDED, State.DELETING)
