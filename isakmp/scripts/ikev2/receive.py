"""What comes under IKEv2: which exchange a message is of, whether it may come, what it holds.

RFC 7296 2.2, 2.3, 2.4, 2.6 and 2.23; RFC 7383 2.6. A message that is opened goes to engine.run().
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from isakmp.constants import ikev2, name_of
from isakmp.constants.key_exchange import ADDITIONAL
from isakmp.errors import CryptoError, MalformedPayload, Refused
from isakmp.exchange.dialect import Dialect
from isakmp.exchange.engine import Engine
from isakmp.exchange.exchange import UNNUMBERED, Exchange, ScriptOf, digest
from isakmp.exchange.script import Incoming
from isakmp.message import (
    HEADER_SIZE,
    Header,
    parse_payloads,
    values_of,
)
from isakmp.path import Path
from isakmp.payloads import ikev2 as codecs
from isakmp.payloads.ikev2 import FAMILY
from isakmp.policy import peers
from isakmp.sa import IsakmpSa, State
from isakmp.scripts.ikev2 import notices
from isakmp.scripts.ikev2.cookie import Cookies
from isakmp.scripts.ikev2.create_child_sa import CREATE_CHILD_SA
from isakmp.scripts.ikev2.ended import Ended, EndedSa
from isakmp.scripts.ikev2.fragments import OCTETS_MAX, UNPROVEN_MAX
from isakmp.scripts.ikev2.ike_followup_ke import IKE_FOLLOWUP_KE
from isakmp.scripts.ikev2.ike_sa_init import IKE_SA_INIT
from isakmp.scripts.ikev2.informational import (
    INFORMATIONAL,
    unknown,
)
from isakmp.scripts.ikev2.packet import (
    SK,
    SKF,
    find_protected,
    is_told_in_clear,
    outside,
    read_clear,
    record,
)
from isakmp.window import Judgement

P, Notify = ikev2.Payload, ikev2.Notify
# Plain numbers: an enum of flags makes a member for every look at one, in 1 us.
INITIATOR, RESPONSE = int(ikev2.Flag.INITIATOR), int(ikev2.Flag.RESPONSE)
INIT = int(ikev2.Exchange.IKE_SA_INIT)
# Requests before an IKE SA is there: IKE_SA_INIT, IKE_INTERMEDIATE at most so often, IKE_AUTH.
INITIAL_MAX = 2 + len(ADDITIONAL)
_INITIAL = range(INITIAL_MAX)
RETURNED = "a message of our own has come back"

SCRIPTS: dict[int, ScriptOf[Any]] = {
    int(s.exchange_type): s for s in (CREATE_CHILD_SA, IKE_FOLLOWUP_KE, INFORMATIONAL)
}
KNOWN = frozenset(FAMILY.codecs)


class Receiver:
    """That of one engine's dialect. remark: tells a peer what it may like to know; ended: the
    answers of IKE SAs that are gone."""

    def __init__(
        self, dialect: Dialect[Exchange], remark: Callable[[Engine, IsakmpSa, int, bytes], object],
        random: Callable[[int], bytes], now: Callable[[], float],
    ) -> None:  # fmt: skip
        self._dialect, self._remark = dialect, remark
        self._cookies = Cookies(random, now)
        self.ended = Ended(now)

    def receive(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        """Find the exchange of a message, or begin one."""
        if header.cky_i == notices.NOBODY and not notices.is_one_way(header):
            raise MalformedPayload("HDR.cky_i", 0, "is zero", "RFC 7296 3.1")
        if header.exchange_type == INIT and header.next_payload != SK:
            self._initial(engine, path, header, datagram)
        elif header.flags & RESPONSE:
            self._response(engine, path, header, datagram)
        else:
            self._request(engine, path, header, datagram)

    def _initial(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        """IKE_SA_INIT, in clear."""
        response, initiator = header.flags & RESPONSE, header.flags & INITIATOR
        if header.message_id != 0 or bool(response) is bool(initiator):
            raise MalformedPayload("HDR", 19, "not the flags or message ID of an IKE_SA_INIT",
                                   "RFC 7296 3.1")  # fmt: skip
        if response:
            exchange = engine.find(self._dialect.name, header.cky_i, 0)
            if exchange is None or exchange.script is not IKE_SA_INIT:
                engine.drop(path, "an answer to no IKE_SA_INIT of ours")
            elif exchange.last_in != digest(datagram):
                engine.run(exchange, read_clear(engine, path, header, datagram), datagram)
            return
        if self._is_ours(engine, header.cky_i):
            # AUTH covers it as it went: whoever answered would prove us to ourselves.
            if (begun := engine.find(self._dialect.name, header.cky_i, 0)) is not None:
                engine.came_back(begun, path)
            else:
                engine.drop(path, RETURNED)
            return
        known = engine.half_open.begun(self._dialect.name, datagram, path)
        if known is not None and engine.is_repeat(known, datagram):
            return
        if header.cky_r != notices.NOBODY:
            engine.drop(path, "IKE_SA_INIT to an SPI of ours")
        else:
            self._respond(engine, path, header, datagram)

    def _respond(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        """A stranger begins: nothing is read of one that no configuration can answer. Under load
        it has to prove its address first (RFC 7296 2.6)."""
        try:
            remote = engine.owner.catalog.find_remote(path.remote, peers.IKE_SA_INIT)
            engine.check_first(datagram)
            message = read_clear(engine, path, header, datagram)
            if self._owes_cookie(engine, path, header, message):
                return
            exchange = engine.answer(self._dialect, IKE_SA_INIT, remote, path, header.cky_i,
                                     engine.new_cookie(), 0, stranger=datagram)  # fmt: skip
        except Refused as refused:
            engine.turn_away(path, "IKE_SA_INIT", refused.reason)
            notices.answer(engine, path, header, refused.notify, refused.data)
            return
        engine.run(exchange, message, datagram)

    def _owes_cookie(
        self, engine: Engine, path: Path, header: Header, message: Incoming
    ) -> bool:  # fmt: skip
        if not engine.half_open.pressing(engine.settings.cookie_threshold):
            return False
        nonces = [p.body for p in message.payloads if p.type == P.NONCE]
        if not nonces:
            raise MalformedPayload("HDR", 16, "has no NONCE", "RFC 7296 1.2")
        # It goes first (2.6), and counts anywhere (2.5).
        said = values_of(message.payloads, codecs.NOTIFY)
        cookies = [value.data for value in said if value.notify == Notify.COOKIE]
        if cookies and self._cookies.check(cookies[0], nonces[0], path.remote, header.cky_i):
            return False
        engine.counters["cookies"] = engine.counters.get("cookies", 0) + 1
        cookie = self._cookies.make(nonces[0], path.remote, header.cky_i)
        notices.send_answer(engine, path, header, Notify.COOKIE, cookie)
        return True

    def _response(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        """An answer to a request of ours."""
        own = header.cky_r if header.flags & INITIATOR else header.cky_i
        mark, stray = digest(datagram), True
        if is_told_in_clear(header, datagram):
            self._hint(engine, path, header)
            return
        for exchange in engine.find_all(self._dialect.name, own, header.message_id):
            sa = exchange.sa
            if sa is None or exchange.over or not self._fits(sa, header):
                continue
            stray = False
            if header.exchange_type != exchange.script.exchange_type:
                engine.drop(
                    path,
                    f"{exchange}: an answer of {name_of(ikev2.Exchange, header.exchange_type)}",
                )
            elif exchange.last_in != mark:
                self._take(engine, sa, exchange, path, header, datagram)
        if stray:
            engine.drop(path, f"an answer to no request of ours, message ID {header.message_id}")

    def _request(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        """A request of the peer's: new, repeated, or out of the window (RFC 7296 2.2, 2.3)."""
        own = header.cky_r if header.flags & INITIATOR else header.cky_i
        waiting = engine.find(self._dialect.name, own, -1 - header.message_id)
        begun = waiting or engine.half_open.chose(self._dialect.name, own)
        sa = engine.sas.find(self._dialect.name, own) or (begun.sa if begun is not None else None)
        if sa is None or not self._fits(sa, header):
            self._without_sa(engine, own, path, header, datagram)
            return
        mark = digest(datagram)
        judgement = sa.ids.judge(header.message_id)
        if judgement is Judgement.NEW:
            self._new_request(engine, sa, waiting, path, header, datagram)
        elif judgement is Judgement.REPEATED:
            another = sa.ids.answered(header.message_id, mark) is None
            if another and self._anew(sa, header, datagram):
                sa.ids.answer_to(header.message_id, mark)
            self._answer_again(engine, sa, path, header.message_id, mark)
            sa.ids.repeated = header.message_id, engine.now()
        else:
            engine.drop(path, f"{sa}: message ID {header.message_id} is {judgement.value}")
            if judgement is Judgement.AHEAD and header.next_payload == SK:
                self._beyond(engine, sa, path, header, datagram)

    def _beyond(
        self, engine: Engine, sa: IsakmpSa, path: Path, header: Header, datagram: bytes
    ) -> None:
        """What is beyond the window has no answer; a peer that has sent it is told (2.3)."""
        if self._open(engine, sa, path, header, datagram) is not None:
            number = header.message_id.to_bytes(4, "big")
            self._remark(engine, sa, Notify.INVALID_MESSAGE_ID, number)

    def _new_request(
        self, engine: Engine, sa: IsakmpSa, waiting: Exchange | None, path: Path,
        header: Header, datagram: bytes,
    ) -> None:  # fmt: skip
        if waiting is not None:
            if header.exchange_type != waiting.script.exchange_type:
                engine.drop(path, f"{waiting}: {name_of(ikev2.Exchange, header.exchange_type)}")
                return
            again = partial(self.receive, engine, path, header, datagram)
            if not engine.early([waiting], path, len(datagram), again):
                self._take(engine, sa, waiting, path, header, datagram)
            return
        if sa.state is State.LARVAL:
            engine.drop(path, f"{sa}: the initial exchanges are not done")
            return
        self._take(engine, sa, None, path, header, datagram)

    @staticmethod
    def _anew(sa: IsakmpSa, header: Header, datagram: bytes) -> bool:
        """Whether this is the first piece of a request, as the peer has cut it again since
        (RFC 7383 2.6.1): the others call for no answer."""
        at, kind = find_protected(header, datagram)
        if kind != SKF or codecs.SKF.parse(datagram[at + 4 :], at + 4).number != 1:
            return False
        # It is under the keys that it was first sent under.
        for keys in (sa.keys, *sa.keys.earlier):
            with suppress(CryptoError):
                keys.opens.open(datagram, at + 8)
                return True
        return False

    @staticmethod
    def _answer_again(
        engine: Engine, sa: IsakmpSa | EndedSa, path: Path, message_id: int, mark: bytes
    ) -> None:
        answers = sa.ids.answered(message_id, mark)
        if answers is None:
            engine.drop(path, f"{sa}: message ID {message_id} again, and not the same message")
        for datagram in answers or ():
            engine.transmit(path, datagram)

    @staticmethod
    def _fits(sa: IsakmpSa | EndedSa, header: Header) -> bool:
        """Both SPIs are those of ``sa``, and the message is not one of our own come back."""
        from_initiator = bool(header.flags & INITIATOR)
        return from_initiator is not sa.initiator and (sa.cky_i, sa.cky_r) == (
            header.cky_i,
            header.cky_r,
        )

    def _without_sa(
        self, engine: Engine, own: bytes, path: Path, header: Header, datagram: bytes
    ) -> None:
        """A request under no IKE SA of ours: one that has ended, or a peer that has missed it."""
        ended = self.ended.get(own)
        if ended is not None and self._fits(ended, header):
            self._answer_again(engine, ended, path, header.message_id, digest(datagram))
            return
        if notices.is_one_way(header):
            notices.take_one_way(engine, path, header, datagram)
            return
        if self._begun(engine, own):
            engine.drop(path, "the initial exchanges are not done")
            return
        others = header.cky_i if header.flags & INITIATOR else header.cky_r
        if self._is_ours(engine, others):
            engine.drop(path, RETURNED)
            return
        engine.drop(path, "no IKE SA has these SPIs (INVALID_IKE_SPI)")
        notices.answer(engine, path, header, Notify.INVALID_IKE_SPI)

    def _is_ours(self, engine: Engine, spi: bytes) -> bool:
        """Whether we chose that SPI for an IKE SA that is there, or in the making."""
        return engine.sas.find(self._dialect.name, spi) is not None or self._begun(engine, spi)

    def _begun(self, engine: Engine, own: bytes) -> bool:
        """Whether an IKE SA with that SPI of ours is in the making."""
        name = self._dialect.name
        asked = [(name, own, number) for number in _INITIAL]
        if not engine.exchanges.keys().isdisjoint(asked):
            return True
        return engine.half_open.chose(name, own) is not None

    def _hint(self, engine: Engine, path: Path, header: Header) -> None:
        """An answer in clear ends no request that is under way, as anybody may have sent it;
        INVALID_IKE_SPI is a hint that the peer has restarted, late or not."""
        own = header.cky_r if header.flags & INITIATOR else header.cky_i
        sa = engine.sas.find(self._dialect.name, own)
        if sa is not None and self._fits(sa, header):
            engine.owner.liveness.suspect(sa)
        engine.drop(path, f"an answer in clear, message ID {header.message_id}")

    def _take(
        self, engine: Engine, sa: IsakmpSa, exchange: Exchange | None, path: Path,
        header: Header, datagram: bytes,
    ) -> None:  # fmt: skip
        """Open a protected message and hand it to its exchange, which a request may begin.

        What does not verify leaves no trace; what does is the peer's, and it answers for it.
        """
        opened = self._open(engine, sa, path, header, datagram)
        if opened is None:
            return
        message = self._read(engine, path, header, opened)
        if exchange is None:
            exchange = self._resumed(engine, sa, message)
        if exchange is None:
            exchange = self._begin(engine, sa, path, header)
            if exchange is None:
                return
        elif not exchange.initiator:
            exchange.path = self._whereabouts(sa, path)
        if not exchange.initiator:
            exchange.back = path
            sa.ids.begin(header.message_id)
        engine.run(exchange, message, opened[2])

    @staticmethod
    def _read(
        engine: Engine, path: Path, header: Header, opened: tuple[bytes, int, bytes]
    ) -> Incoming:
        """What was opened, or what is wrong with it."""
        inner, first, mark = opened
        try:
            payloads, end = parse_payloads(2, first, inner)
            if end != len(inner):
                raise MalformedPayload("SK", HEADER_SIZE + end, f"{len(inner) - end} octets left "
                                       "over", "RFC 7296 3.14")  # fmt: skip
        except MalformedPayload as error:
            return Incoming(header, FAMILY, [], inner, 0, path, HEADER_SIZE, True, None, True,
                            outer=mark, error=error)  # fmt: skip
        # Of what stands in clear nothing counts, but that it may have to be understood (2.5).
        strange = [p for p in outside(mark) if p.critical and p.type not in KNOWN]
        message = Incoming(header, FAMILY, [*strange, *payloads], inner, end, path, HEADER_SIZE,
                           True, None, True, outer=mark)  # fmt: skip
        record(engine, path, header._replace(next_payload=first), payloads, inner)
        return message

    @staticmethod
    def _resumed(engine: Engine, sa: IsakmpSa, message: Incoming) -> Exchange | None:
        """What waits for a request that says that it goes on with it."""
        exchange: Exchange
        for exchange in sa.running.values():
            resumes, number = exchange.script.resumes, message.header.message_id
            waits = not exchange.initiator and exchange.message_id == UNNUMBERED
            same = exchange.script.exchange_type == message.header.exchange_type
            if waits and same and resumes is not None and resumes(exchange, message):
                engine.resume(exchange, number)
                return exchange
        return None

    def _open(
        self, engine: Engine, sa: IsakmpSa, path: Path, header: Header, datagram: bytes
    ) -> tuple[bytes, int, bytes] | None:
        """What an SK payload holds: the chain, its first type, and the datagram to tell the
        message by. None where there is nothing to act on."""
        at, kind = find_protected(header, datagram)
        following = datagram[at]
        try:
            if kind == SK:
                return sa.keys.opens.open(datagram, at + 4), following, datagram
            return self._join(sa, path, header, datagram, at)
        except CryptoError as error:
            engine.counters["bad_integrity"] = engine.counters.get("bad_integrity", 0) + 1
            engine.drop(path, f"{sa}: {error}")
            return None

    @staticmethod
    def _join(
        sa: IsakmpSa, path: Path, header: Header, datagram: bytes, at: int
    ) -> tuple[bytes, int, bytes] | None:
        """A piece of a message (RFC 7383 2.6); what it completes is as good as an SK payload."""
        if sa.fragments is None:
            raise MalformedPayload("SKF", at, "fragmentation was not agreed on", "RFC 7383 2.3")
        piece = codecs.SKF.parse(datagram[at + 4 :], at + 4)
        data = sa.keys.opens.open(datagram, at + 8)
        key = bool(header.flags & RESPONSE), header.message_id
        most = UNPROVEN_MAX if sa.state is State.LARVAL else OCTETS_MAX
        whole = sa.fragments.add(key, piece.number, piece.total, datagram[at], data, datagram, most)
        if whole is None:
            return None
        sa.fragments.seen(whole.largest, path)
        return whole.inner, whole.first, whole.mark

    @staticmethod
    def _whereabouts(sa: IsakmpSa, path: Path) -> Path:
        """Where the peer is, and what is made with it, now that something authentic and new came
        that way (RFC 7296 2.23). A copy of it may have come first."""
        if sa.state is not State.LARVAL:
            return sa.nat.followed(sa.path, path)
        sa.path = sa.nat.settled(sa.path, path)
        return sa.path

    def _begin(self, engine: Engine, sa: IsakmpSa, path: Path, header: Header) -> Exchange | None:
        if engine.too_many(sa, path):
            return None
        script = SCRIPTS.get(header.exchange_type) or unknown(header.exchange_type)
        where = self._whereabouts(sa, path)
        return engine.answer(self._dialect, script, sa.remote, where, sa.cky_i, sa.cky_r,
                             header.message_id, sa=sa, stranger=None)  # fmt: skip
