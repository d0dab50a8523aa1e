"""What IKEv1 does its own way: RFC 2408 3.1 and 5, RFC 2409 5 and appendix B.

Phase 1 has message ID 0 and is found by cookie; every phase 2 exchange has a random message ID
under an ISAKMP SA. Encryption is CBC over the whole chain of payloads, its IV chained from
message to message; a message that is refused leaves no trace in the chain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isakmp import payloads as codecs
from isakmp.constants import IKEV1, isakmp, name_of
from isakmp.errors import MalformedPayload, Reason, Refused
from isakmp.event.job import Job
from isakmp.exchange.dialect import Key
from isakmp.exchange.engine import Engine
from isakmp.exchange.exchange import UNNUMBERED, Exchange, ExchangeOf, Host, has
from isakmp.exchange.script import Incoming, Outgoing
from isakmp.log.log import LogClass
from isakmp.message import (
    HEADER_SIZE,
    Header,
    Message,
    Payload,
    build_payloads,
    generic_header,
    parse_payloads,
    whole,
)
from isakmp.path import Path
from isakmp.payloads import FAMILY_1
from isakmp.payloads.notify import NotifyValue
from isakmp.payloads.vendor import VENDOR_DPD
from isakmp.policy.spd import Connection, Remote, Traffic
from isakmp.sa import ChildSa, IsakmpSa, State
from isakmp.scripts.ikev1 import lifetime, notices, phase_1
from isakmp.scripts.ikev1.farewells import Farewells
from isakmp.scripts.ikev1.informational import (
    Info,
    delete_payload,
    notify_payload,
    tell,
    tell_twice,
)
from isakmp.scripts.ikev1.keys import authenticator
from isakmp.scripts.ikev1.phase_1 import Phase1
from isakmp.scripts.ikev1.quick import Quick
from isakmp.scripts.ikev1.quick_mode import QUICK_MODE, prove
from isakmp.scripts.ikev1.receive import ENCRYPTION, PHASE_1, Receiver

P = isakmp.Payload


def _may_be_made(exchange: Exchange) -> bool:
    """Whether the peer may have SAs of a quick mode: all that it needs has left."""
    return exchange.step >= (3 if exchange.initiator else 2)


class Ikev1:
    """The IKEv1 dialect of one engine."""

    name, major, rules = IKEV1, 1, FAMILY_1
    owns_children = False
    malformed = int(isakmp.Notify.PAYLOAD_MALFORMED)
    failure = int(isakmp.Notify.NO_PROPOSAL_CHOSEN)

    def __init__(self) -> None:
        self._farewells = Farewells()
        self._receiver = Receiver(self)

    def receive(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        """Find the exchange of a message, or begin one."""
        self._receiver.receive(engine, path, header, datagram)

    # --- what comes in -----------------------------------------------------------------------

    def unspoken(self, engine: Engine, path: Path, header: Header) -> None:
        """Nothing but a line in the log: whoever speaks another version asks again in this one."""
        raise MalformedPayload("HDR", 17, f"major version {header.major}", "RFC 2408 3.1")

    # --- opening and sealing -----------------------------------------------------------------

    def seal(self, exchange: Exchange, message: Outgoing) -> tuple[bytes, ...]:
        """Header and payloads; encrypted, zero-padded, where the message asks for it."""
        first, chain = build_payloads(1, message.payloads)
        if message.hash_over is not None:
            value = message.hash_over(chain)
            message.payloads.insert(0, (P.HASH, value))
            first, chain = P.HASH, generic_header(first, value) + value + chain
        header = Header(exchange.cky_i, exchange.cky_r, first, 1, 0, exchange.script.exchange_type,
                        message.flags, exchange.message_id, HEADER_SIZE + len(chain))  # fmt: skip
        host = exchange.host
        if host.log.on(LogClass.MESSAGE, 70):
            for line in Message(header, parse_payloads(1, first, chain)[0]).dump():
                host.log.debug(LogClass.MESSAGE, 70, "sending %s: %s", exchange.path.out, line)
        if host.capture is not None:
            host.capture(exchange.path, True, whole(header, chain))
        if message.protected:
            keys = exchange.sa.keys if exchange.sa else phase_1.keys_of(exchange)
            iv = exchange.protection or keys.phase_2_iv(exchange.message_id)
            chain, exchange.protection = keys.encrypt(iv, chain)
            header = Header(*header[:6], message.flags | ENCRYPTION, exchange.message_id,
                            HEADER_SIZE + len(chain))  # fmt: skip
        return (header.pack() + chain,)

    def again(self, exchange: Exchange) -> tuple[bytes, ...]:
        """The same datagram (RFC 2408 5.1)."""
        return exchange.last_out

    def heard(self, exchange: Exchange, message: Incoming) -> None:
        """What proves a message of quick mode goes before what it may lack."""
        if message.protected and isinstance(exchange.state, Quick):
            prove(exchange, exchange.state, message)
        if message.proven:
            self._follow(exchange, message)

    @staticmethod
    def _follow(exchange: Exchange, message: Incoming) -> None:
        """The peer lives. One whose NAT has moved it is followed, but not after a replay: only a
        message that answers one of ours is known to be fresh."""
        sa, host = exchange.sa, exchange.host
        if sa is None:
            return
        sa.heard(host.now())
        host.owner.doubles.heard(sa)
        if exchange.step:
            where = sa.nat.followed(sa.path, message.path)
            if where != sa.path:
                exchange.path = where
            host.owner.moved(sa, where)

    def inspect(self, exchange: Exchange, message: Incoming) -> None:
        """Its steps look at all of it."""

    def accepted(self, exchange: Exchange, message: Incoming) -> None:
        """Chain the IV. What no more than its step could prove counts now."""
        if message.protected:
            exchange.protection = message.commit
        if exchange.sa is None:
            if message.protected and exchange.step and isinstance(exchange.state, Phase1):
                exchange.path = exchange.state.nat.settled(exchange.path, message.path)
        elif not message.proven:
            self._follow(exchange, message)

    def identifiers(self, new_cookie: Callable[[], bytes]) -> tuple[bytes, bytes]:
        """Our cookie (RFC 2408 2.5.3)."""
        return new_cookie(), bytes(8)

    def key(self, exchange: Exchange) -> Key:
        """The cookie that we chose, and the message ID that all its messages have."""
        return self.name, exchange.own_cookie, exchange.message_id

    def ends_sa(self, exchange: Exchange) -> bool:
        """Never: nothing tells a message that was lost from a peer that is."""
        return False

    def awaited(self, exchange: Exchange) -> bool:
        """Never: any message may be the last."""
        return False

    def connection(self, exchange: Exchange) -> Connection | None:
        """That of a quick mode."""
        state = exchange.state
        return state.connection if isinstance(state, Quick) else None

    def message_id(self, exchange: Exchange) -> int:
        """Random, not 0, and unused under this SA (RFC 2408 3.1); 0 where there is none.

        It counts as used at once: both ends have the same keys, so that our own message could
        come back to us as the peer's.
        """
        sa, host = exchange.sa, exchange.host
        if sa is None:
            return 0
        while True:
            number = int.from_bytes(host.random(4), "big")
            running = host.find(self.name, sa.own_cookie, number)
            if number and not running and not sa.ids.is_used(number):
                sa.ids.use(number)
                lifetime.renew_worn(host, sa)
                return number

    def next_leg(self, exchange: Exchange) -> bool:
        """All messages of an exchange have its message ID."""
        return True

    def may_begin(self, sa: IsakmpSa) -> bool:
        """Any number of exchanges run side by side."""
        return True

    def ended(self, exchange: Exchange, reason: Reason | None) -> None:
        """The last message may come again; what began it may have been recorded. Under a new
        ISAKMP SA we say again what its peer may have missed."""
        if exchange.sa is None or not exchange.last_in:
            return
        if exchange.script.establishes and reason is None:
            self._farewells.established(exchange.host, self, exchange.sa)
        bereft = isinstance(exchange.state, Info) and exchange.state.bereft
        if bereft and exchange.sa.state is not State.DEAD:
            # The peer may have missed the end of what that replaced, and count on it.
            self._farewells.repeat(exchange.host, self, exchange.sa)
        if reason is not None:
            exchange.sa.ids.use(exchange.message_id)
            self._given_up(exchange, exchange.sa)
        elif not exchange.sends(exchange.step - 1):
            exchange.sa.ids.use(exchange.message_id)
        elif exchange.initiator:
            answer = exchange.last_in, exchange.last_out
            exchange.sa.ids.close(exchange.message_id, answer, exchange.host.now())
        else:
            exchange.sa.ids.answer(exchange.message_id, exchange.last_in, exchange.last_out)
        lifetime.renew_worn(exchange.host, exchange.sa)

    def _given_up(self, exchange: Exchange, sa: IsakmpSa) -> None:
        """A quick mode has failed when all that its peer needs may have left: it is told, at the
        latest under the next ISAKMP SA, that there are no SAs."""
        host, state = exchange.host, exchange.state
        if not isinstance(state, Quick) or not _may_be_made(exchange):
            return
        self._farewells.given_up(sa.peer, state.spis.items())
        current = host.sas.current(sa.peer)
        if current is None or current.dialect != self.name:
            return
        if sa.state is not State.ESTABLISHED:
            self._farewells.repeat(host, self, current)

    def authenticator(self, exchange: Exchange) -> int:
        """HASH or SIG, as the authentication method says."""
        state = exchange.state
        if isinstance(state, Phase1) and state.chosen:
            return authenticator(state.chosen.auth)
        return authenticator(isakmp.Authentication.PRE_SHARED)

    def leftover(self, exchange: Exchange, message: Incoming, payload: Payload) -> None:
        """Notifies of phase 1 and quick mode; what is unknown is ignored (RFC 2408 5.2).

        A vendor ID may stand in any message of phase 1 (RFC 2408 3.16). Dead peer detection's
        counts in each; the steps take NAT traversal's from the first two (RFC 3947 3.1).
        """
        state = exchange.state
        if payload.type == P.VENDOR and isinstance(state, Phase1):
            if payload.body == VENDOR_DPD:
                state.vendors.add(VENDOR_DPD)
            return
        if payload.type != P.NOTIFY or payload.value is None:
            if payload.type not in (P.VENDOR, P.NAT_D, P.NAT_D_DRAFT, P.HASH):
                exchange.host.log.debug(LogClass.MESSAGE, 30, "%s: ignored payload %s", exchange,
                                        name_of(P, payload.type))  # fmt: skip
            return
        if message.protected:
            self._notify_beside(exchange, payload.of(codecs.NOTIFY))

    @staticmethod
    def _notify_beside(exchange: Exchange, value: NotifyValue) -> None:
        """A notify that came with what the exchange is about (RFC 2407 4.6.3)."""
        state, notify, sa = exchange.state, value.notify, exchange.sa
        if notify == isakmp.Notify.INITIAL_CONTACT and isinstance(state, Phase1):
            state.initial_contact = True
        elif notify == isakmp.Notify.INITIAL_CONTACT and sa is not None:
            exchange.host.owner.places.initial_contact(sa)
        elif notify == isakmp.Notify.RESPONDER_LIFETIME and has(exchange, Phase1):
            phase_1.shorten(exchange, lifetime.seconds_of(value))
        elif notify == isakmp.Notify.RESPONDER_LIFETIME and isinstance(state, Quick) and sa:
            if not lifetime.take(exchange, sa, value):
                state.responder_life_s = lifetime.seconds_of(value)
        else:
            exchange.host.log.debug(LogClass.EXCHANGE, 20, "%s: notify %s", exchange,
                                    name_of(isakmp.Notify, notify))  # fmt: skip

    # --- notifies ----------------------------------------------------------------------------

    def notify(self, exchange: Exchange, refused: Refused) -> None:
        """Tell the peer, if it has heard of the exchange: under the SA where there is one, in clear
        otherwise."""
        if not refused.notify or exchange.message_id == UNNUMBERED:
            return
        host, sa = exchange.host, exchange.sa
        if sa is None:
            notices.tell_refused(host, exchange.path, exchange.cky_i, exchange.cky_r, refused)
            return
        spi = exchange.state.peer_spi if isinstance(exchange.state, Quick) else b""
        told = self.tell(host, sa, [
            notify_payload(refused.notify, isakmp.Protocol.IPSEC_ESP, spi, refused.data)
        ])  # fmt: skip
        # Who repeats what was refused has not read this, and gets it again.
        sa.ids.answer(exchange.message_id, exchange.now_in, told.last_out)

    def withdraw(self, exchange: Exchange, reason: Reason) -> None:
        """The SAs that our quick mode has offered, or chosen, are deleted."""
        sa, state = exchange.sa, exchange.state
        if sa is None or not exchange.last_out or not isinstance(state, Quick):
            return
        if _may_be_made(exchange):
            self._farewells.withdrawn(exchange.host, self, sa, state.spis.items())
        else:
            tell_twice(exchange.host, self, sa, [
                delete_payload(protocol, [spi.to_bytes(4, "big")])
                for protocol, spi in state.spis.items()
            ])  # fmt: skip

    # --- verbs of the daemon -----------------------------------------------------------------

    def begin_sa(
        self, host: Host, remote: Remote, path: Path, connection: Connection | None
    ) -> Exchange:
        """Start phase 1 with a peer; quick mode comes after it."""
        return host.initiate(self, PHASE_1[remote.exchange], remote, path)

    def rekey_sa(self, host: Host, sa: IsakmpSa) -> None:
        """IKEv1 knows no rekeying of an ISAKMP SA: a new phase 1 makes another one."""
        host.owner.connections.begin_sa(sa.remote, sa.path, nat=sa.nat)

    reauthenticate = rekey_sa

    def begin_child(
        self, host: Host, sa: IsakmpSa, connection: Connection, old: ChildSa | None,
        part: Traffic | None = None,
    ) -> Exchange:  # fmt: skip
        """Start quick mode for a connection; it does not say what it replaces."""

        def prepare(state: Quick) -> None:
            state.connection = connection

        return host.initiate(self, QUICK_MODE, sa.remote, sa.path, name=connection.name, sa=sa,
                             prepare=prepare)  # fmt: skip

    def tell(self, host: Host, sa: IsakmpSa, payloads: list[tuple[int, Any]]) -> ExchangeOf[Info]:
        """Send an informational exchange under ``sa``."""
        return tell(host, self, sa, payloads)

    def tell_deleted(self, host: Host, sa: IsakmpSa, child: ChildSa | None) -> Job[Any]:
        """Tell the peer that a child SA, or ``sa`` itself, is gone (RFC 2408 3.15)."""
        payloads = [delete_payload(isakmp.Protocol.ISAKMP, [sa.cookies])]
        if child is not None:
            payloads = [
                delete_payload(p.chosen.protocol, [p.spi_in.to_bytes(4, "big")])
                for p in child.protocols
            ]
            self._farewells.said(child)
        return tell_twice(host, self, sa, payloads).finished

    def tell_later(self, child: ChildSa) -> None:
        """Its peer hears of its end under the next ISAKMP SA with it; what has a parent ends with
        that."""
        if child.parent is None:
            self._farewells.said(child)

    def sa_gone(self, host: Host, sa: IsakmpSa) -> None:
        """Nobody answers under a deleted ISAKMP SA."""

    def has(self, child: ChildSa) -> bool | None:
        """Only what is sent with it shows that."""
        return None

    def unknown_spi(self, host: Host, path: Path, spi: int) -> None:
        """INVALID_SPI, under the ISAKMP SA with that address, else in clear: the peer sends what
        nobody can read."""
        sa = host.sas.at(path)
        if sa is None and self._receiver.may_be_peer(host, path.remote):
            notices.tell_unknown_spi(host, path, spi)
        told = isakmp.Notify.INVALID_SPI
        if sa and sa.dialect == self.name and host.budget.take(told, sa.path.remote, proven=True):
            data = spi.to_bytes(4, "big")
            self.tell(host, sa, [notify_payload(told, isakmp.Protocol.IPSEC_ESP, data)])

    def probe(self, host: Host, sa: IsakmpSa, sequence: int) -> None:
        """Ask whether the peer is alive (RFC 3706 5.4)."""
        data = sequence.to_bytes(4, "big")
        self.tell(host, sa, [notify_payload(isakmp.Notify.R_U_THERE, spi=sa.cookies, data=data)])
