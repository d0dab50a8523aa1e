"""What comes under IKEv1: which exchange a message is of, under which keys; notifies in clear.

RFC 2408 5.1 and 5.2, RFC 2409 5 and appendix B. A message that is opened goes to engine.run().
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from isakmp import payloads as codecs
from isakmp.constants import isakmp, name_of
from isakmp.errors import MalformedPayload, Reason, Refused
from isakmp.exchange.dialect import Dialect
from isakmp.exchange.engine import Engine
from isakmp.exchange.exchange import Exchange, Host, ScriptOf, digest, has
from isakmp.exchange.script import Incoming
from isakmp.log.log import LogClass
from isakmp.message import (
    HEADER_SIZE,
    Header,
    Message,
    is_whole_chain,
    parse_payloads,
    whole,
)
from isakmp.path import Path
from isakmp.payloads import FAMILY_1
from isakmp.policy import peers
from isakmp.policy.spd import Address
from isakmp.sa import IsakmpSa, State
from isakmp.scripts.ikev1 import notices
from isakmp.scripts.ikev1.aggressive import AGGRESSIVE
from isakmp.scripts.ikev1.informational import (
    INFORMATIONAL,
)
from isakmp.scripts.ikev1.keys import Keys
from isakmp.scripts.ikev1.main_mode import MAIN_MODE
from isakmp.scripts.ikev1.padding import Padding, is_padded
from isakmp.scripts.ikev1.phase_1 import Phase1, refused_in_clear, unreadable_payload, wrong_secret
from isakmp.scripts.ikev1.quick_mode import (
    QUICK_MODE,
    QUICK_MODE_COMMIT,
    take_without_commit_bit,
)

P = isakmp.Payload
# A plain number: an enum of flags makes a member for every look at one, in 1 us.
ENCRYPTION = int(isakmp.Flag.ENCRYPTION)
# The responder's cookie in a message that begins.
NOBODY = bytes(8)


def marked(header: Header, datagram: bytes) -> bytes:
    """What a message is known by if it comes again. No key protects a header: a copy of the peer's
    own message with another one is the same message."""
    return datagram[HEADER_SIZE:] if header.flags & ENCRYPTION else datagram


PHASE_1: dict[int, ScriptOf[Phase1]] = {s.exchange_type: s for s in (MAIN_MODE, AGGRESSIVE)}
PHASE_2: dict[int, ScriptOf[Any]] = {s.exchange_type: s for s in (QUICK_MODE, INFORMATIONAL)}

# What informational exchanges are for, and what only quick mode has.
_TOLD, _NEGOTIATED = {P.NOTIFY, P.DELETE}, {P.SA, P.NONCE, P.KE, P.ID}

_OPENINGS = {int(one.exchange_type): opening for one, opening in (
    (MAIN_MODE, peers.MAIN_MODE), (AGGRESSIVE, peers.AGGRESSIVE_MODE))}  # fmt: skip


def _script_of(header: Header, kinds: set[int]) -> ScriptOf[Any]:
    """What a first message under an ISAKMP SA begins. Its HASH, the same in both exchanges, covers
    the payloads and not the header, which may be forged: under the other type the peer's own
    message would be used up by its copy."""
    if P.SA in kinds:
        return QUICK_MODE
    if kinds & _TOLD and not kinds & _NEGOTIATED:
        return INFORMATIONAL
    return PHASE_2[header.exchange_type]


class Receiver:
    """That of one engine's dialect."""

    def __init__(self, dialect: Dialect[Exchange]) -> None:
        self._dialect, self._padding = dialect, Padding()

    def receive(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        """Find the exchange of a message, or begin one."""
        if header.cky_i == NOBODY:
            raise MalformedPayload("HDR.cky_i", 0, "is zero", "RFC 2408 5.2")
        clear = not header.flags & ENCRYPTION
        if header.exchange_type == isakmp.Exchange.INFO and clear:
            self._hint(engine, path, header, datagram)
        elif header.message_id == 0:
            self._phase_1(engine, path, header, datagram)
        else:
            self._phase_2(engine, path, header, datagram)

    def _phase_1(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        exchange = self._running(engine, path, header, datagram)
        if exchange is None:
            self._first_or_late(engine, path, header, datagram)
            return
        candidates = engine.candidates.among(exchange)
        mark = digest(marked(header, datagram))
        for each in candidates:
            if datagram in each.last_out:
                engine.came_back(exchange, path)
                return
            if engine.repeats(each, mark):
                return
        fit = [x for x in candidates if self._fits(x, header)]
        if not fit:
            engine.drop(path, f"{exchange}: wrong cookie or exchange type")
            return
        again = partial(self.receive, engine, path, header, datagram)
        if engine.early(fit, path, len(datagram), again):
            return
        if header.flags & ENCRYPTION:
            self._encrypted(engine, path, header, datagram, fit)
        else:
            message = self._open(engine, path, header, datagram, None, b"")
            engine.run(self._wanting(engine, fit, message), message, datagram)

    @staticmethod
    def _wanting(engine: Engine, fit: list[Exchange], message: Incoming) -> Exchange:
        """The first that waits for a message and has all it wants in this one, of one or more."""
        if len(fit) == 1:
            return fit[0]
        free = [x for x in fit if not (x.parked or x.sends(x.step))]
        return next((x for x in free if not engine.lacking(x, x.script, message.kinds)), fit[0])

    @staticmethod
    def _fits(exchange: Exchange, header: Header) -> bool:
        wrong_cookie = exchange.step > 1 and header.cky_r != exchange.cky_r
        return not wrong_cookie and header.exchange_type == exchange.script.exchange_type

    def _encrypted(
        self, engine: Engine, path: Path, header: Header, datagram: bytes,
        candidates: list[Exchange],
    ) -> None:  # fmt: skip
        """A message goes to that of the candidates whose keys open it, as far as they can tell."""
        octets = marked(header, datagram)
        keyed: list[tuple[Exchange, Keys | None]] = [
            (x, x.state.keys) for x in candidates if isinstance(x.state, Phase1) and x.state.keys
        ] or [(candidates[0], None)]
        for exchange, keys in keyed:
            try:
                message = self._open(engine, path, header, datagram, keys, exchange.protection)
            except MalformedPayload as error:
                if exchange is keyed[-1][0]:
                    self._unreadable(engine, exchange, error, keys, header, datagram[HEADER_SIZE:])
                continue
            if self._waits(engine, exchange, message, keys, octets):
                return
            engine.run(exchange, message, octets)
            if exchange.last_in == digest(octets) or exchange.over:
                return

    def _running(
        self, engine: Engine, path: Path, header: Header, datagram: bytes
    ) -> Exchange | None:
        """The phase 1 exchange of a message: by our cookie, a repeated first one by its octets."""
        found = engine.find(self._dialect.name, header.cky_i, 0)
        if found is not None and found.initiator:
            return found
        if header.cky_r != NOBODY:
            found = engine.find(self._dialect.name, header.cky_r, 0)
            ours = found is not None and not found.initiator and found.cky_i == header.cky_i
            return found if ours else None
        return engine.half_open.begun(self._dialect.name, datagram, path)

    def _first_or_late(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        """Begin as responder, or answer the repeated last message of a finished phase 1."""
        if header.cky_r == NOBODY:
            if header.flags & ENCRYPTION:
                engine.drop(path, "first message of an exchange is encrypted")
            else:
                self._respond(engine, path, header, datagram)
        elif sa := self._sa(engine, header):
            self._late(engine, sa, path, header, datagram)
        else:
            engine.drop(path, "no exchange or SA has these cookies (INVALID_COOKIE)")

    def _respond(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        """A stranger begins: nothing is read of one that no configuration can answer."""
        script = PHASE_1.get(header.exchange_type)
        try:
            if script is None:
                raise Refused(
                    Reason("unsupported-exchange-type", "this exchange cannot begin phase 1",
                           came=name_of(isakmp.Exchange, header.exchange_type),
                           acceptable=", ".join(s.name for s in PHASE_1.values())),
                    isakmp.Notify.UNSUPPORTED_EXCHANGE_TYPE,
                )  # fmt: skip
            opening = _OPENINGS[header.exchange_type]
            remote = engine.owner.catalog.find_remote(path.remote, opening)
            engine.check_first(datagram)
            message = self._open(engine, path, header, datagram, None, b"")
            cookie = engine.new_cookie()
            exchange = engine.answer(self._dialect, script, remote, path, header.cky_i, cookie, 0,
                                     stranger=datagram)  # fmt: skip
        except Refused as refused:
            engine.turn_away(path, "phase 1", refused.reason)
            notices.tell_refused(engine, path, header.cky_i, bytes(8), refused)
            return
        engine.run(exchange, message, datagram)

    def _phase_2(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        sa = self._sa(engine, header)
        if sa is None:
            if not self._told_before_an_sa(engine, path, header, datagram):
                engine.drop(path, "no ISAKMP SA has these cookies (INVALID_COOKIE)")
                self._tell_unknown(engine, path, header)
            return
        exchange = engine.find(self._dialect.name, sa.own_cookie, header.message_id)
        try:
            self._under_sa(engine, sa, exchange, path, header, datagram)
        except MalformedPayload as error:
            self._unread(engine, sa, exchange, path, header, error)
            raise

    def _under_sa(
        self, engine: Engine, sa: IsakmpSa, exchange: Exchange | None, path: Path,
        header: Header, datagram: bytes,
    ) -> None:  # fmt: skip
        """MalformedPayload where it cannot be read."""
        octets = marked(header, datagram)
        if exchange is None:
            if sa.ids.is_used(header.message_id):
                self._late(engine, sa, path, header, datagram)
            else:
                self._respond_phase_2(engine, sa, path, header, datagram)
        elif take_without_commit_bit(exchange, header.flags, datagram):
            engine.log.proto_warn("%s: the commit bit of its answer may be forged", exchange)
        elif not engine.is_repeat(exchange, octets):
            if not self._carries(exchange, header.exchange_type):
                engine.drop(path, f"{exchange}: {name_of(isakmp.Exchange, header.exchange_type)}")
                return
            message = self._open_phase_2(engine, sa, path, header, datagram, exchange)
            if not self._waits(engine, exchange, message, sa.keys, octets):
                engine.run(exchange, message, octets)

    def _waits(
        self, engine: Engine, exchange: Exchange, message: Incoming, keys: Keys | None,
        octets: bytes,
    ) -> bool:  # fmt: skip
        """Whether a message of an exchange has to wait for its like with less padding."""
        if keys is None or not is_padded(message, keys.block_size):
            return False
        iv = exchange.protection

        def read() -> None:
            if exchange.over or exchange.protection != iv:
                engine.drop(message.path, f"{exchange}: the same came with less padding")
            else:
                engine.run(exchange, message, octets)

        self._padding.hold(engine, self._dialect.key(exchange), message, read)
        return True

    @staticmethod
    def _unread(
        engine: Engine, sa: IsakmpSa, exchange: Exchange | None, path: Path, header: Header,
        error: MalformedPayload,
    ) -> None:  # fmt: skip
        """Tell of a message under an ISAKMP SA that cannot be read, and so proves nothing."""
        kind = name_of(isakmp.Exchange, header.exchange_type)
        reason = Reason(
            "malformed-message",
            f"{kind}: {error}; its HASH cannot be checked, so that anybody may have sent it",
            came=f"from {path.remote}",
            mend="isakmpctl capture on records what comes, of the peer or in its name",
        )
        engine.log.proto_warn("%s: message under it refused: %s", sa, reason.brief())
        if exchange is None:
            engine.outcomes.turned_away(path, engine.now(), kind, reason)
        else:
            exchange.hint = exchange.hint or reason

    @staticmethod
    def _carries(exchange: Exchange, exchange_type: int) -> bool:
        """What the commit bit has one wait for may come in an exchange of its own."""
        connected = exchange.script is QUICK_MODE_COMMIT and exchange_type == isakmp.Exchange.INFO
        return connected or exchange_type == exchange.script.exchange_type

    def _told_before_an_sa(
        self, engine: Engine, path: Path, header: Header, datagram: bytes
    ) -> bool:  # fmt: skip
        """An informational exchange under keys whose phase 1 is not done: its peer may refuse us
        so, instead of in clear (RFC 2409 5.7)."""
        begun = self._running(engine, path, header, datagram)
        if begun is None or header.exchange_type != isakmp.Exchange.INFO:
            return False
        for exchange in engine.candidates.among(begun):
            if not has(exchange, Phase1) or exchange.cky_r != header.cky_r:
                continue
            keys = exchange.state.keys
            # Where we have said so ourselves it may be our own message that comes back.
            if keys is None or exchange.state.refused_id:
                continue
            iv = replace(keys, iv=exchange.protection).phase_2_iv(header.message_id)
            with suppress(MalformedPayload):
                message = self._open(engine, path, header, datagram, keys, iv)
                notices.take_proven(exchange, keys, message)
                return True
        return False

    def _tell_unknown(self, engine: Engine, path: Path, header: Header) -> None:
        """INVALID-COOKIE, where it may be a peer that has missed the end of an ISAKMP SA. Behind
        aggressive mode's last message that got lost, quick mode comes before there is one."""
        spoken = header.exchange_type in PHASE_2 and header.flags & ENCRYPTION
        early = any(engine.find(self._dialect.name, own, 0) for own in (header.cky_r, header.cky_i))
        if spoken and not early and self.may_be_peer(engine, path.remote):
            notices.tell_unknown_cookies(engine, path, header)

    def _open_phase_2(
        self, engine: Engine, sa: IsakmpSa, path: Path, header: Header, datagram: bytes,
        exchange: Exchange,
    ) -> Incoming:  # fmt: skip
        """A CONNECTED notify may come as an exchange of its own, with its own first IV."""
        try:
            return self._open(engine, path, header, datagram, sa.keys, exchange.protection)
        except MalformedPayload:
            if header.exchange_type == exchange.script.exchange_type:
                raise
            iv = sa.keys.phase_2_iv(header.message_id)
            return self._open(engine, path, header, datagram, sa.keys, iv)

    def _respond_phase_2(
        self, engine: Engine, sa: IsakmpSa, path: Path, header: Header, datagram: bytes
    ) -> None:
        if header.exchange_type not in PHASE_2 or not header.flags & ENCRYPTION:
            kind = name_of(isakmp.Exchange, header.exchange_type)
            engine.drop(path, f"{kind} message in clear, or not spoken")
            return
        if sa.ids.used_up:
            engine.drop(path, f"{sa}: no message ID is left, a new one is to follow it")
            return
        if engine.too_many(sa, path):
            return
        iv = sa.keys.phase_2_iv(header.message_id)
        message = self._open(engine, path, header, datagram, sa.keys, iv)
        script = _script_of(header, set(message.kinds))
        begin = partial(self._begin_phase_2, engine, sa, script, iv, message, datagram)
        key = self._dialect.name, sa.own_cookie, header.message_id
        # Nothing comes behind an informational exchange's only message.
        chained = len(script.responder) > 1
        if chained and is_padded(message, sa.keys.block_size):
            self._padding.hold(engine, key, message, begin)
        else:
            begin()

    def _begin_phase_2(
        self, engine: Engine, sa: IsakmpSa, script: ScriptOf[Any], iv: bytes, message: Incoming,
        datagram: bytes,
    ) -> None:  # fmt: skip
        """The peer's exchange, unless its first message has been read meanwhile."""
        header, path = message.header, message.path
        begun = engine.find(self._dialect.name, sa.own_cookie, header.message_id)
        if begun or sa.ids.is_used(header.message_id) or sa.state is State.DEAD:
            engine.drop(path, f"{sa}: the same came with less padding, or too late")
            return
        # Without a NAT the peer has one address: another may be that of who has recorded this.
        where = sa.nat.followed(sa.path, path)
        exchange = engine.answer(
            self._dialect, script, sa.remote, where, sa.cky_i, sa.cky_r, header.message_id,
            sa=sa, stranger=None,
        )  # fmt: skip
        exchange.protection = iv
        engine.run(exchange, message, marked(header, datagram))

    def _sa(self, engine: Engine, header: Header) -> IsakmpSa | None:
        """The ISAKMP SA of both cookies."""
        for own in (header.cky_r, header.cky_i):
            sa = engine.sas.find(self._dialect.name, own)
            if sa is not None and (sa.cky_i, sa.cky_r) == (header.cky_i, header.cky_r):
                return sa
        return None

    @staticmethod
    def _late(engine: Engine, sa: IsakmpSa, path: Path, header: Header, datagram: bytes) -> None:
        """The exchange is over: its last message again gets our last answer again."""
        last_in, last_out = sa.ids.again(header.message_id)
        if last_in == digest(marked(header, datagram)):
            for answer in last_out:
                engine.transmit(sa.path, answer)
        else:
            engine.drop(path, f"message ID {header.message_id:08x} was used before")

    @staticmethod
    def _open(
        engine: Engine, path: Path, header: Header, datagram: bytes, keys: Keys | None, iv: bytes
    ) -> Incoming:
        """The payloads of a message, in clear. MalformedPayload, also for a wrong key."""
        data, commit = datagram[HEADER_SIZE:], None
        if header.flags & ENCRYPTION:
            opened = keys.decrypt(iv, data) if keys else None
            if opened is None:
                reason = "not whole blocks" if keys else "encrypted before there are keys"
                raise MalformedPayload("HDR", HEADER_SIZE, reason, "RFC 2408 3.1")
            data, commit = opened
        payloads, end = parse_payloads(1, header.next_payload, data)
        if commit is None and end != len(data):
            raise MalformedPayload("HDR", HEADER_SIZE + end, f"{len(data) - end} octets left over",
                                   "RFC 2408 5.1")  # fmt: skip
        message = Incoming(
            header, FAMILY_1, payloads, data, end, path, HEADER_SIZE, commit is not None, commit
        )
        if engine.log.on(LogClass.MESSAGE, 70):
            for line in Message(header, payloads).dump():
                engine.log.debug(LogClass.MESSAGE, 70, "received %s: %s", path.came, line)
        if engine.capture is not None:
            clear = header._replace(flags=header.flags & ~ENCRYPTION)
            engine.capture(path, False, whole(clear, data[:end]))
        return message

    def _unreadable(
        self, engine: Engine, exchange: Exchange, error: MalformedPayload, keys: Keys | None,
        header: Header, data: bytes,
    ) -> None:  # fmt: skip
        """A message that cannot be read: under new keys, most likely a wrong pre-shared key."""
        if keys is None or not has(exchange, Phase1):
            engine.drop(exchange.path, f"{exchange}: {error}")
            return
        opened = keys.decrypt(exchange.protection, data)
        if opened and is_whole_chain(1, header.next_payload, opened[0], keys.block_size):
            refused = unreadable_payload(exchange, error)
        else:
            reason = wrong_secret(exchange, f"after decryption, {error}")
            refused = Refused(reason, isakmp.Notify.PAYLOAD_MALFORMED)
        engine.log.proto_warn("%s: message refused: %s", exchange, refused.reason.brief())
        if exchange.hint is None:
            exchange.hint = refused.reason
            notices.tell_refused(engine, exchange.path, exchange.cky_i, exchange.cky_r, refused)

    def _hint(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        """A notify in clear proves nothing, but may tell why a phase 1 gets no further, or that the
        peer has lost an SA."""
        exchange = self._running(engine, path, header, datagram) or self._unheard(engine, header)
        if exchange is not None:
            several = engine.candidates.among(exchange)
            exchange = next((x for x in several if x.cky_r == header.cky_r), exchange)
        message = self._open(engine, path, header, datagram, None, b"")
        for value in message.values(codecs.NOTIFY):
            said = name_of(isakmp.Notify, value.notify)
            lost = value.notify == isakmp.Notify.INVALID_COOKIE
            if exchange is None or (lost and exchange.sa is not None):
                notices.take(engine, path, header, value)
                exchange = None
            if exchange is None or exchange.path.remote != path.remote:
                engine.drop(path, f"notify {said} in clear")
                return
            engine.log.proto_warn("%s: peer says %s, unauthenticated", exchange, said)
            exchange.hint = exchange.hint or refused_in_clear(exchange, said)

    def _unheard(self, engine: Engine, header: Header) -> Exchange | None:
        """Ours under an ISAKMP SA whose last message, of aggressive mode, may have been refused."""
        sa = self._sa(engine, header)
        if sa is None or "unheard" not in sa.events:
            return None
        return next((x for x in sa.running.values() if x.initiator), None)

    @staticmethod
    def may_be_peer(host: Host, address: Address) -> bool:
        """Whether somebody there may begin."""
        for opening in _OPENINGS.values():
            with suppress(Refused):
                host.owner.catalog.find_remote(address, opening)
                return True
        return False
