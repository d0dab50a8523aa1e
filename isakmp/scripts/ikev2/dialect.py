"""What IKEv2 does its own way: the message layer of RFC 7296 2, protection 3.14, RFC 7383.

Every exchange is a request and an answer. Each end counts its own requests, within the other's
window; only who asks repeats itself, and who has answered answers a repeated request alike. The
initial exchanges run before there is an IKE SA; all others under one, found by our own SPI.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isakmp.causes import UNANSWERED
from isakmp.constants import IKEV2, ikev2, name_of
from isakmp.errors import CryptoError, MalformedPayload, Reason, Refused
from isakmp.event.job import Job
from isakmp.exchange.candidates import family
from isakmp.exchange.engine import Engine
from isakmp.exchange.exchange import UNNUMBERED, Exchange, Key, digest
from isakmp.exchange.script import Incoming, Outgoing, Script
from isakmp.log.log import LogClass
from isakmp.message import (
    HEADER_SIZE,
    Header,
    Payload,
    parse_payloads,
)
from isakmp.path import Path
from isakmp.payloads.ikev2 import FAMILY
from isakmp.payloads.ikev2.sk import CODEC_FRAGMENT as P_SKF
from isakmp.policy import peers
from isakmp.policy.spd import Connection, Remote
from isakmp.sa import ChildSa, IsakmpSa, State
from isakmp.scripts.ikev2 import common, notices, sealing
from isakmp.scripts.ikev2.child import Child
from isakmp.scripts.ikev2.cookie import Cookies
from isakmp.scripts.ikev2.create_child_sa import CREATE_CHILD_SA, Create
from isakmp.scripts.ikev2.ended import Ended, EndedSa
from isakmp.scripts.ikev2.fragments import OCTETS_MAX, UNPROVEN_MAX
from isakmp.scripts.ikev2.ike_auth import IKE_AUTH
from isakmp.scripts.ikev2.ike_sa_init import IKE_SA_INIT
from isakmp.scripts.ikev2.informational import (
    INFORMATIONAL,
    Info,
    delete_children,
    delete_ike,
    heed_deletes,
    take_back,
    tell,
    unknown,
)
from isakmp.scripts.ikev2.initial import Initial
from isakmp.scripts.ikev2.packet import SK, SKF, find_protected, outside, read_clear, record
from isakmp.window import Judgement

P, Notify = ikev2.Payload, ikev2.Notify
# Plain numbers: an enum of flags makes a member for every look at one, in 1 us.
INITIATOR, RESPONSE = int(ikev2.Flag.INITIATOR), int(ikev2.Flag.RESPONSE)
INIT = int(ikev2.Exchange.IKE_SA_INIT)

SCRIPTS: dict[int, Script[Any]] = {
    int(s.exchange_type): s for s in (CREATE_CHILD_SA, INFORMATIONAL)
}
_KNOWN = frozenset(FAMILY.codecs)


def _replaces_sa(x: Exchange[Any]) -> bool:
    return x.script is CREATE_CHILD_SA and x.state.child is None


class Ikev2:
    """The IKEv2 dialect of one engine."""

    name, major = IKEV2, 2
    failure = int(Notify.NO_PROPOSAL_CHOSEN)
    malformed = int(Notify.INVALID_SYNTAX)
    once = owns_children = True

    def __init__(self, random: Callable[[int], bytes], now: Callable[[], float]) -> None:
        self._cookies = Cookies(random, now)
        self._ended = Ended(now)

    # --- what comes in -----------------------------------------------------------------------

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
            exchange = engine.find(self.name, header.cky_i, 0)
            if exchange is None or exchange.script is not IKE_SA_INIT:
                engine.drop(path, "an answer to no IKE_SA_INIT of ours")
            elif exchange.last_in != digest(datagram):
                engine.run(exchange, read_clear(engine, path, header, datagram), datagram)
            return
        known = engine.half_open.begun(self.name, datagram, path.remote)
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
            exchange = engine.answer(self, IKE_SA_INIT, remote, path, header.cky_i,
                                     engine.new_cookie(), 0, first=datagram)  # fmt: skip
        except Refused as refused:
            engine.turn_away(path, "IKE_SA_INIT", refused.reason)
            notices.answer(engine, path, header, refused.notify, refused.data)
            return
        engine.run(exchange, message, datagram)

    def _owes_cookie(
        self, engine: Engine, path: Path, header: Header, message: Incoming
    ) -> bool:  # fmt: skip
        if len(engine.half_open) < engine.settings.cookie_threshold:
            return False
        nonces = [p.body for p in message.payloads if p.type == P.NONCE]
        if not nonces:
            raise MalformedPayload("HDR", 16, "has no NONCE", "RFC 7296 1.2")
        # It goes first (2.6), and counts anywhere (2.5).
        cookies = [p.value.data for p in message.payloads
                   if p.type == P.NOTIFY and p.value.notify == Notify.COOKIE]  # fmt: skip
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
        for exchange in engine.find_all(self.name, own, header.message_id):
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
            self._stray(engine, path, header)

    def _request(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        """A request of the peer's: new, repeated, or out of the window (RFC 7296 2.2, 2.3)."""
        own = header.cky_r if header.flags & INITIATOR else header.cky_i
        waiting = engine.find(self.name, own, -1 - header.message_id)
        sa = engine.sas.find(self.name, own) or (waiting.sa if waiting is not None else None)
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
        self, engine: Engine, sa: IsakmpSa, waiting: Exchange[Any] | None, path: Path,
        header: Header, datagram: bytes,
    ) -> None:  # fmt: skip
        if waiting is not None:
            if header.exchange_type != waiting.script.exchange_type:
                engine.drop(path, f"{waiting}: {name_of(ikev2.Exchange, header.exchange_type)}")
            elif not engine.early([waiting], path, header, datagram):
                self._take(engine, sa, waiting, path, header, datagram)
            return
        self._take(engine, sa, None, path, header, datagram)

    @staticmethod
    def _anew(sa: IsakmpSa, header: Header, datagram: bytes) -> bool:
        """Whether this is the first piece of a request, as the peer has cut it again since
        (RFC 7383 2.6.1): the others call for no answer."""
        at, kind = find_protected(header, datagram)
        if kind != SKF or P_SKF.parse(datagram[at + 4 :], at + 4).number != 1:
            return False
        try:
            sa.keys.opens.open(datagram, at + 8)
        except CryptoError:
            return False
        return True

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
        ended = self._ended.get(own)
        if ended is not None and self._fits(ended, header):
            self._answer_again(engine, ended, path, header.message_id, digest(datagram))
            return
        if notices.is_one_way(header):
            notices.take_one_way(engine, path, header, datagram)
            return
        if any(engine.find(self.name, own, number) for number in (0, 1, -1, -2)):
            engine.drop(path, "the initial exchanges are not done")
            return
        others = header.cky_i if header.flags & INITIATOR else header.cky_r
        if engine.sas.find(self.name, others) is not None:
            engine.drop(path, "a message of our own has come back")
            return
        engine.drop(path, "no IKE SA has these SPIs (INVALID_IKE_SPI)")
        notices.answer(engine, path, header, Notify.INVALID_IKE_SPI)

    def _stray(self, engine: Engine, path: Path, header: Header) -> None:
        """An answer to nothing; INVALID_IKE_SPI in clear is a hint that the peer has restarted."""
        own = header.cky_r if header.flags & INITIATOR else header.cky_i
        sa = engine.sas.find(self.name, own)
        if sa is not None and self._fits(sa, header) and header.next_payload == P.NOTIFY:
            engine.owner.liveness.suspect(sa)
        engine.drop(path, f"an answer to no request of ours, message ID {header.message_id}")

    # --- opening -----------------------------------------------------------------------------

    def _take(
        self, engine: Engine, sa: IsakmpSa, exchange: Exchange[Any] | None, path: Path,
        header: Header, datagram: bytes,
    ) -> None:  # fmt: skip
        """Open a protected message and hand it to its exchange, which a request may begin.

        What does not verify leaves no trace; what does is the peer's, and it answers for it.
        """
        opened = self._open(engine, sa, path, header, datagram)
        if opened is None:
            return
        inner, first, mark = opened
        if exchange is None:
            exchange = self._begin(engine, sa, path, header)
            if exchange is None:
                return
        if not exchange.initiator:
            # What is authentic and new tells where the peer is now (RFC 7296 2.23).
            exchange.path = path
            sa.ids.begin(header.message_id)
        if sa.state is State.LARVAL:
            sa.path = path
        try:
            payloads, end = parse_payloads(2, first, inner)
            if end != len(inner):
                raise MalformedPayload("SK", HEADER_SIZE + end, f"{len(inner) - end} octets left "
                                       "over", "RFC 7296 3.14")  # fmt: skip
        except MalformedPayload as error:
            exchange.now_in = digest(mark)
            engine.malformed(exchange, error, fresh=not exchange.last_in, proven=True)
            return
        # Of what stands in clear nothing counts, but that it may have to be understood (2.5).
        strange = [p for p in outside(mark) if p.critical and p.type not in _KNOWN]
        message = Incoming(header, [*strange, *payloads], inner, end, path, HEADER_SIZE, True, None,
                           True)  # fmt: skip
        record(engine, path, header._replace(next_payload=first), payloads, inner)
        engine.run(exchange, message, mark)

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
        piece = P_SKF.parse(datagram[at + 4 :], at + 4)
        data = sa.keys.opens.open(datagram, at + 8)
        key = bool(header.flags & RESPONSE), header.message_id
        most = UNPROVEN_MAX if sa.state is State.LARVAL else OCTETS_MAX
        whole = sa.fragments.add(key, piece.number, piece.total, datagram[at], data, datagram, most)
        if whole is None:
            return None
        sa.fragments.seen(whole.largest, path)
        return whole.inner, whole.first, whole.mark

    def _begin(
        self, engine: Engine, sa: IsakmpSa, path: Path, header: Header
    ) -> Exchange[Any] | None:
        if engine.too_many(sa, path):
            return None
        script = SCRIPTS.get(header.exchange_type) or unknown(header.exchange_type)
        return engine.answer(self, script, sa.remote, path, sa.cky_i, sa.cky_r,
                             header.message_id, sa)  # fmt: skip

    def inspect(self, exchange: Exchange[Any], message: Incoming) -> None:
        """Refuse what must be understood and is not (RFC 7296 2.5, 3.10.1)."""
        if exchange.initiator:
            heed_deletes(exchange, message)
            common.check_errors(exchange, message)
        for payload in message.payloads:
            if payload.critical and payload.type not in _KNOWN:
                name = name_of(ikev2.Payload, payload.type)
                self._not_understood(exchange)
                raise Refused(
                    Reason("unsupported-critical-payload", f"payload {name} is critical"),
                    Notify.UNSUPPORTED_CRITICAL_PAYLOAD, bytes([payload.type]),
                )  # fmt: skip

    @staticmethod
    def _not_understood(exchange: Exchange[Any]) -> None:
        """An answer that makes a child SA and is not understood: the peer is to delete it. Which
        IKE SA one has made is not known, so that both end."""
        if not exchange.initiator or exchange.script is not CREATE_CHILD_SA:
            return
        if exchange.state.child is not None:
            take_back(exchange, exchange.state.child)
        else:
            common.end_sa(exchange, tell=True)

    def accepted(self, exchange: Exchange[Any], message: Incoming) -> None:
        """The peer lives; behind a NAT it is where this came from (RFC 7296 2.23). What it says of
        its window counts in any message."""
        sa = exchange.sa
        if sa is None or not message.protected:
            return
        sa.last_heard = exchange.engine.now()
        common.take_window(sa, message)
        if sa.nat.peer_moves and sa.path != message.path and sa.state is State.ESTABLISHED:
            exchange.engine.owner.moved(sa, message.path)

    def leftover(self, exchange: Exchange[Any], message: Incoming, payload: Payload) -> None:
        """What nobody has asked for is ignored (RFC 7296 2.5)."""
        if payload.type != P.VENDOR:
            exchange.engine.log.debug(LogClass.MESSAGE, 30, "%s: ignored payload %s", exchange,
                                      name_of(P, payload.type))  # fmt: skip

    # --- sealing -----------------------------------------------------------------------------

    def seal(self, exchange: Exchange[Any], message: Outgoing) -> tuple[bytes, ...]:
        """Header and payloads, in an SK payload where the message asks for it.

        Under every IKE SA, rekeyed ones too, our first message says how many requests we take.
        """
        window = exchange.sa.ids if exchange.sa is not None and message.protected else None
        if window is not None and not window.announced:
            window.announced = True
            size = window.size_in.to_bytes(4, "big")
            value = common.notify_value(Notify.SET_WINDOW_SIZE, size)
            kinds = [kind for kind, _ in message.payloads]
            # Notifies go before Deletes (C.6).
            at = kinds.index(P.DELETE) if P.DELETE in kinds else len(kinds)
            message.payloads.insert(at, (P.NOTIFY, value))
        return sealing.seal(exchange, message.payloads, message.protected)

    def again(self, exchange: Exchange[Any]) -> tuple[bytes, ...]:
        """Our message for another time; what came in pieces and to nothing is cut smaller."""
        return sealing.again(exchange)

    def authenticator(self, exchange: Exchange[Any]) -> int:
        """AUTH, whatever the method."""
        return int(P.AUTH)

    # --- message IDs -------------------------------------------------------------------------

    def key(self, exchange: Exchange[Any]) -> Key:
        """The SPI that we chose, and the message ID; of what the peer counts a negative number."""
        number = exchange.message_id
        return self.name, exchange.own_cookie, number if exchange.initiator else -1 - number

    def ends_sa(self, exchange: Exchange[Any]) -> bool:
        """A request that is not answered ends an established IKE SA (RFC 7296 2.4)."""
        sa = exchange.sa
        return exchange.initiator and sa is not None and sa.state is State.ESTABLISHED

    def awaited(self, exchange: Exchange[Any]) -> bool:
        """Each request under an IKE SA has its answer, which the peer's window waits for."""
        if not exchange.initiator:
            return False
        return any(x.sa is not None and x.last_out for x in family(exchange.root))

    def message_id(self, exchange: Exchange[Any]) -> int:
        """The next of ours; the initial exchanges count on from 0."""
        if exchange.sa is None:
            return 0
        if exchange.initiator:
            return int(exchange.sa.ids.take())
        return exchange.message_id + 1

    def next_leg(self, exchange: Exchange[Any]) -> bool:
        """Another request has another message ID: ours waits its turn as every request, the peer's
        is expected. It has as long as the one before."""
        sa, engine = exchange.sa, exchange.engine
        if sa is None:
            return True
        engine.unlist(exchange)
        self.ended(exchange, None)
        if "end" in exchange.events:
            engine.allow_time(exchange)
        if not exchange.initiator:
            engine.number(exchange)
            return True
        exchange.message_id, exchange.last_out = UNNUMBERED, ()
        sa.waiting.append(exchange)
        engine.begin_waiting(sa)
        return False

    def may_begin(self, sa: IsakmpSa) -> bool:
        """As many requests of ours may be unanswered as the peer's window holds (2.3)."""
        begun = [x for x in sa.running.values() if x.initiator and x not in sa.waiting]
        # Nothing else is asked for while its successor is: it would end between the two (2.8).
        if any(map(_replaces_sa, begun)) or (begun and _replaces_sa(sa.waiting[0])):
            return False
        ahead = sum(1 for x in begun if not x.last_out)
        return bool(sa.ids.room(ahead))

    def ended(self, exchange: Exchange[Any], reason: Reason | None) -> None:
        """Keep an answer for who has missed it; after a request, the next one may begin."""
        sa, engine = exchange.sa, exchange.engine
        if sa is None:
            return
        if not exchange.initiator:
            if exchange.last_in or reason is not None:
                mark = exchange.now_in if reason is not None else exchange.last_in
                sa.ids.answer(exchange.message_id, mark, exchange.last_out)
            return
        if exchange.message_id >= 0 and exchange.last_out:
            sa.ids.done(exchange.message_id)
        if sa.state is State.DEAD:
            return
        silent = reason is not None and reason.cause in (*UNANSWERED, "not-confirmed")
        if not silent or reason is None or sa.state is State.LARVAL:
            engine.begin_waiting(sa)
        elif sa.state is State.ESTABLISHED:
            engine.owner.liveness.dead(sa, reason.detail)
        else:
            # It is on its way out: the peer may have finished with it before us.
            engine.owner.delete_sa(sa, tell=False)

    # --- notifies ----------------------------------------------------------------------------

    def unspoken(self, engine: Engine, path: Path, header: Header) -> None:
        """INVALID_MAJOR_VERSION with the highest that we speak (RFC 7296 2.5)."""
        engine.drop(path, f"major version {header.major}")
        if header.major > 2 and not header.flags & RESPONSE:
            notices.answer(engine, path, header, Notify.INVALID_MAJOR_VERSION)

    def notify(self, exchange: Exchange[Any], refused: Refused) -> None:
        """Tell the peer: in the answer to its request, or in a request of our own."""
        if exchange.initiator:
            self._tell_of_answer(exchange, refused)
            return
        if not refused.notify:
            refused = Refused(refused.reason, self.failure)
        value = common.notify_value(refused.notify, refused.data, refused.protocol, refused.spi)
        items = [(int(P.NOTIFY), value)]
        if exchange.sa is None and not notices.may_send(
            exchange.engine, exchange.path, refused.notify
        ):
            return
        # Who is refused before there are keys never learns our SPI.
        spi = exchange.cky_r
        if exchange.sa is None:
            exchange.cky_r = bytes(8)
        exchange.last_out = sealing.seal(exchange, items, exchange.sa is not None)
        exchange.cky_r = spi
        exchange.engine.repeat(exchange)
        if exchange.sa is not None:
            self._refused_under(exchange, exchange.sa, refused.notify)

    def withdraw(self, exchange: Exchange[Any], reason: Reason) -> None:
        """A request has its answer: without one the peer would count us as dead."""
        if not exchange.initiator:
            self.notify(exchange, Refused(reason, self.failure))

    def _tell_of_answer(self, exchange: Exchange[Any], refused: Refused) -> None:
        """An answer of no use: why (2.21.2), or the end (2.21.3, RFC 6989 2.5)."""
        if exchange.script is IKE_AUTH and exchange.sa is not None and exchange.unwanted:
            tell(exchange.engine, self, exchange.sa, [delete_ike()])
        elif exchange.script is IKE_AUTH and exchange.sa is not None and refused.notify:
            value = common.notify_value(refused.notify, refused.data)
            tell(exchange.engine, self, exchange.sa, [(int(P.NOTIFY), value), delete_ike()])
        elif exchange.script is CREATE_CHILD_SA and refused.notify == Notify.INVALID_SYNTAX:
            common.end_sa(exchange, tell=True)

    def _refused_under(self, exchange: Exchange[Any], sa: IsakmpSa, notify: int) -> None:
        """What a refusal means for its IKE SA: what is badly formatted ends it (2.21.3)."""
        if sa.state is State.LARVAL:
            self.sa_gone(exchange.engine, sa)
        elif notify == Notify.INVALID_SYNTAX and exchange.script.exchange_type in SCRIPTS:
            common.end_sa(exchange)

    # --- verbs of the daemon -----------------------------------------------------------------

    def begin_sa(
        self, engine: Engine, remote: Remote, path: Path, connection: Connection | None
    ) -> Exchange[Any]:
        """Start the initial exchanges with a peer."""

        def prepare(state: Initial) -> None:
            state.child = Child(connection) if connection is not None else None

        name = connection.name if connection is not None else ""
        return engine.initiate(self, IKE_SA_INIT, remote, path, name=name, prepare=prepare)

    def begin_child(
        self, engine: Engine, sa: IsakmpSa, connection: Connection, old: ChildSa | None
    ) -> Exchange[Any]:
        """Start CREATE_CHILD_SA for a child SA."""

        def prepare(state: Create) -> None:
            state.child = Child(old.connection if old else connection, old, with_group=True)

        return engine.initiate(self, CREATE_CHILD_SA, sa.remote, sa.path, name=connection.name,
                               sa=sa, prepare=prepare)  # fmt: skip

    def rekey_sa(self, engine: Engine, sa: IsakmpSa) -> None:
        """Start CREATE_CHILD_SA for a successor of ``sa``."""
        if any(x.initiator and x.script is CREATE_CHILD_SA and x.state.child is None
               for x in sa.running.values()):  # fmt: skip
            return
        engine.initiate(self, CREATE_CHILD_SA, sa.remote, sa.path, sa=sa)

    def reauthenticate(self, engine: Engine, sa: IsakmpSa) -> None:
        """IKE_SA_INIT and IKE_AUTH again (RFC 7296 2.8.3)."""
        engine.owner.reauthenticate(sa)

    def tell(self, engine: Engine, sa: IsakmpSa, items: list[tuple[int, Any]]) -> Exchange[Info]:
        """Send an INFORMATIONAL under ``sa``."""
        return tell(engine, self, sa, items)

    def tell_deleted(self, engine: Engine, sa: IsakmpSa, child: ChildSa | None) -> Job[Any]:
        """Tell the peer that a child SA, or ``sa`` itself, is gone (RFC 7296 1.4.1)."""
        items = [delete_ike() if child is None else delete_children([child])]
        return tell(engine, self, sa, items).finished

    def tell_later(self, child: ChildSa) -> None:
        """No child SA outlives its IKE SA."""

    def probe(self, engine: Engine, sa: IsakmpSa, sequence: int) -> None:
        """Ask whether the peer is alive, unless a request is under way that tells as much."""
        if any(x.initiator for x in sa.running.values()):
            return

        def answered(job: Job[Any]) -> None:
            if job.error is None:
                engine.owner.liveness.said_alive(sa, sa.dpd_sequence)

        tell(engine, self, sa, []).finished.then(answered)

    def unknown_spi(self, engine: Engine, path: Path, spi: int) -> None:
        """INVALID_SPI (1.5): under the IKE SA with that address; without any, in clear."""
        sa, data = engine.sas.at(path), spi.to_bytes(4, "big")
        if sa is not None and sa.dialect == self.name:
            self._remark(engine, sa, Notify.INVALID_SPI, data)
        elif sa is None:
            notices.send_one_way(engine, path, Notify.INVALID_SPI, data)

    def _remark(self, engine: Engine, sa: IsakmpSa, notify: int, data: bytes) -> None:
        """Tell the peer what it may like to know; strangers may be behind it, so not too often,
        and not while another request of ours is under way."""
        idle = not any(x.initiator for x in sa.running.values())
        if not idle or sa.state is not State.ESTABLISHED:
            return
        if engine.budget.take(notify, sa.path.remote, proven=True):
            self.tell(engine, sa, [(int(P.NOTIFY), common.notify_value(notify, data))])

    def sa_gone(self, engine: Engine, sa: IsakmpSa) -> None:
        """Keep the last answers of an IKE SA that has ended."""
        self._ended.add(engine.timers, sa)
