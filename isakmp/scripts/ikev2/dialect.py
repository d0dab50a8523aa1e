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
from isakmp.errors import Reason, Refused
from isakmp.event.job import Job
from isakmp.exchange.candidates import family
from isakmp.exchange.dialect import Key
from isakmp.exchange.engine import Engine
from isakmp.exchange.exchange import UNNUMBERED, Exchange, ExchangeOf, Host
from isakmp.exchange.script import Incoming, Outgoing
from isakmp.log.log import LogClass
from isakmp.message import (
    Header,
    Payload,
)
from isakmp.path import Path
from isakmp.payloads.ikev2 import FAMILY
from isakmp.policy.spd import Connection, Remote, Traffic
from isakmp.sa import ChildSa, IsakmpSa, State
from isakmp.scripts.ikev2 import common, notices, sealing
from isakmp.scripts.ikev2.child import Child, child_of
from isakmp.scripts.ikev2.create_child_sa import CREATE_CHILD_SA
from isakmp.scripts.ikev2.creation import Create
from isakmp.scripts.ikev2.ike_auth import IKE_AUTH
from isakmp.scripts.ikev2.ike_followup_ke import IKE_FOLLOWUP_KE
from isakmp.scripts.ikev2.ike_sa_init import IKE_SA_INIT
from isakmp.scripts.ikev2.informational import (
    Info,
    delete_children,
    delete_ike,
    heed_deletes,
    take_back,
    tell,
    tell_of_end,
)
from isakmp.scripts.ikev2.initial import Initial
from isakmp.scripts.ikev2.receive import KNOWN, RESPONSE, SCRIPTS, Receiver
from isakmp.scripts.ikev2.rekey import rekeys_ike

P, Notify = ikev2.Payload, ikev2.Notify


# For so long an exchange is kept that its peer has to go on with; 5 to 20 s are asked for.
RESUME_S = 15.0
# What makes SAs under an IKE SA.
_CREATING = (CREATE_CHILD_SA, IKE_FOLLOWUP_KE)


class Ikev2:
    """The IKEv2 dialect of one engine."""

    name, major, rules = IKEV2, 2, FAMILY
    failure = int(Notify.TEMPORARY_FAILURE)
    malformed = int(Notify.INVALID_SYNTAX)
    owns_children = True

    def __init__(self, random: Callable[[int], bytes], now: Callable[[], float]) -> None:
        self._receiver = Receiver(self, self.remark, random, now)

    def receive(self, engine: Engine, path: Path, header: Header, datagram: bytes) -> None:
        """Find the exchange of a message, or begin one."""
        self._receiver.receive(engine, path, header, datagram)

    # --- exchanges ---------------------------------------------------------------------------

    def heard(self, exchange: Exchange, message: Incoming) -> None:
        """The peer lives; behind a NAT it is where this came from (RFC 7296 2.23): its message ID
        was in the window, and has not come before. An IKE SA that is on its way out follows its
        peer, too: of two devices of one identity it may be the other one's."""
        sa, host = exchange.sa, exchange.host
        if sa is None or not message.proven:
            return
        sa.heard(host.now())
        host.owner.liveness.said_alive(sa, sa.dpd_sequence)
        host.owner.doubles.heard(sa)
        where = sa.nat.followed(sa.path, message.path)
        if where != sa.path and sa.state is not State.LARVAL:
            host.owner.moved(sa, where)

    def inspect(self, exchange: Exchange, message: Incoming) -> None:
        """Refuse what must be understood and is not (RFC 7296 2.5, 3.10.1)."""
        if exchange.initiator:
            heed_deletes(exchange, message)
            common.check_errors(exchange, message)
        for payload in message.payloads:
            if payload.critical and payload.type not in KNOWN:
                name = name_of(ikev2.Payload, payload.type)
                self._not_understood(exchange)
                raise Refused(
                    Reason("unsupported-critical-payload", f"payload {name} is critical"),
                    Notify.UNSUPPORTED_CRITICAL_PAYLOAD, bytes([payload.type]),
                )  # fmt: skip

    @staticmethod
    def _not_understood(exchange: Exchange) -> None:
        """An answer that makes a child SA and is not understood, or not done with: the peer is to
        delete it. Which IKE SA one has made is not known, so that both end."""
        if not exchange.initiator or exchange.script not in _CREATING:
            return
        if (child := child_of(exchange)) is not None:
            take_back(exchange, child)
        else:
            common.end_sa(exchange, tell=True)

    def accepted(self, exchange: Exchange, message: Incoming) -> None:
        """What the peer says of its window counts in any message."""
        if exchange.sa is not None and message.protected:
            common.take_window(exchange.sa, message)

    def leftover(self, exchange: Exchange, message: Incoming, payload: Payload) -> None:
        """What nobody has asked for is ignored (RFC 7296 2.5)."""
        if payload.type != P.VENDOR:
            exchange.host.log.debug(LogClass.MESSAGE, 30, "%s: ignored payload %s", exchange,
                                    name_of(P, payload.type))  # fmt: skip

    # --- sealing -----------------------------------------------------------------------------

    def seal(self, exchange: Exchange, message: Outgoing) -> tuple[bytes, ...]:
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

    def again(self, exchange: Exchange) -> tuple[bytes, ...]:
        """Our message for another time; what came in pieces and to nothing is cut smaller."""
        return sealing.again(exchange)

    def authenticator(self, exchange: Exchange) -> int:
        """AUTH, whatever the method."""
        return int(P.AUTH)

    # --- message IDs -------------------------------------------------------------------------

    def identifiers(self, new_cookie: Callable[[], bytes]) -> tuple[bytes, bytes]:
        """Our SPI (RFC 7296 2.6)."""
        return new_cookie(), bytes(8)

    def key(self, exchange: Exchange) -> Key:
        """The SPI that we chose, and the message ID; of what the peer counts a negative number."""
        number = exchange.message_id
        return self.name, exchange.own_cookie, number if exchange.initiator else -1 - number

    def ends_sa(self, exchange: Exchange) -> bool:
        """A request that is not answered ends an established IKE SA (RFC 7296 2.4)."""
        sa = exchange.sa
        return exchange.initiator and sa is not None and sa.state is State.ESTABLISHED

    def awaited(self, exchange: Exchange) -> bool:
        """Each request under an IKE SA has its answer, which the peer's window waits for."""
        if not exchange.initiator:
            return False
        return any(x.sa is not None and x.last_out for x in family(exchange.root))

    def connection(self, exchange: Exchange) -> Connection | None:
        """That of the child SA which comes with an IKE SA, or by itself."""
        child = child_of(exchange)
        return child.connection if child is not None else None

    def message_id(self, exchange: Exchange) -> int:
        """The next of ours; the initial exchanges count on from 0."""
        if exchange.sa is None:
            return 0
        if exchange.initiator:
            return int(exchange.sa.ids.take())
        return exchange.message_id + 1

    def next_leg(self, exchange: Exchange) -> bool:
        """Another request has another message ID: ours waits its turn as every request, the peer's
        is expected. It has as long as the one before."""
        sa, host = exchange.sa, exchange.host
        if sa is None:
            return True
        host.unlist(exchange)
        # A stranger has no more of it than for one request.
        if "end" in exchange.events and sa.state is not State.LARVAL:
            host.allow_time(exchange)
        if not exchange.initiator:
            self.ended(exchange, None)
            if exchange.script.resumes is None:
                host.number(exchange)
            else:
                self._wait_to_resume(exchange)
            return True
        sa.ids.done(exchange.message_id)
        exchange.message_id, exchange.last_out = UNNUMBERED, ()
        # What has begun goes before what has not.
        sa.waiting.insert(0, exchange)
        host.begin_waiting(sa)
        return False

    @staticmethod
    def _wait_to_resume(exchange: Exchange) -> None:
        """The peer goes on with it by what its request says, or soon never (RFC 9370 2.2.4)."""
        exchange.message_id = UNNUMBERED
        exchange.hint = Reason(
            "not-resumed", f"the peer does not go on with {exchange.script.name}"
        )
        exchange.host.allow_time(exchange, RESUME_S)

    def may_begin(self, sa: IsakmpSa) -> bool:
        """As many requests of ours may be unanswered as the peer's window holds (2.3)."""
        begun = [x for x in sa.running.values() if x.initiator and x not in sa.waiting]
        # Nothing else is asked for while its successor is: it would end between the two (2.8).
        if any(map(rekeys_ike, begun)) or (begun and rekeys_ike(sa.waiting[0])):
            return False
        ahead = sum(1 for x in begun if not x.last_out)
        return bool(sa.ids.room(ahead))

    def ended(self, exchange: Exchange, reason: Reason | None) -> None:
        """Keep an answer for who has missed it; after a request, the next one may begin."""
        sa, host = exchange.sa, exchange.host
        if sa is None:
            return
        if not exchange.initiator:
            if exchange.message_id != UNNUMBERED and (exchange.last_in or reason is not None):
                mark = exchange.now_in if reason is not None else exchange.last_in
                sa.ids.answer(exchange.message_id, mark, exchange.last_out)
            return
        if exchange.message_id >= 0 and exchange.last_out:
            sa.ids.done(exchange.message_id)
        if sa.state is State.DEAD:
            return
        silent = reason is not None and reason.cause in (*UNANSWERED, "not-confirmed")
        if not silent or reason is None or sa.state is State.LARVAL:
            host.begin_waiting(sa)
        elif sa.state is State.ESTABLISHED:
            host.owner.liveness.dead(sa, reason.detail)
        else:
            # It is on its way out: the peer may have finished with it before us.
            host.owner.delete_sa(sa, tell=False)

    # --- notifies ----------------------------------------------------------------------------

    def unspoken(self, engine: Engine, path: Path, header: Header) -> None:
        """INVALID_MAJOR_VERSION with the highest that we speak (RFC 7296 2.5)."""
        engine.drop(path, f"major version {header.major}")
        if header.major > 2 and not header.flags & RESPONSE:
            notices.answer(engine, path, header, Notify.INVALID_MAJOR_VERSION)

    def notify(self, exchange: Exchange, refused: Refused) -> None:
        """Tell the peer: in the answer to its request, or in a request of our own."""
        if exchange.initiator:
            self._tell_of_answer(exchange, refused)
            return
        if not refused.notify:
            refused = Refused(refused.reason, self.failure)
        value = common.notify_value(refused.notify, refused.data, refused.protocol, refused.spi)
        items = [(int(P.NOTIFY), value)]
        if exchange.sa is None and not notices.may_send(
            exchange.host, exchange.path, refused.notify
        ):
            return
        # Who is refused before there are keys never learns our SPI.
        spi = exchange.cky_r
        if exchange.sa is None:
            exchange.cky_r = bytes(8)
        exchange.last_out = sealing.seal(exchange, items, exchange.sa is not None)
        exchange.cky_r = spi
        exchange.host.repeat(exchange)
        if exchange.sa is not None:
            self._refused_under(exchange, exchange.sa, refused.notify)

    def withdraw(self, exchange: Exchange, reason: Reason) -> None:
        """A request has its answer: without one the peer would count us as dead. What it has made
        with its own answer goes."""
        if not exchange.initiator and exchange.message_id != UNNUMBERED:
            self.notify(exchange, Refused(reason, self.failure))
        elif exchange.looks:
            self._not_understood(exchange)

    def _tell_of_answer(self, exchange: Exchange, refused: Refused) -> None:
        """An answer of no use: why (2.21.2), or the end (2.21.3, RFC 6989 2.5)."""
        if exchange.script is IKE_AUTH and exchange.sa is not None and exchange.unwanted:
            tell(exchange.host, self, exchange.sa, [delete_ike()])
        elif exchange.script is IKE_AUTH and exchange.sa is not None and refused.notify:
            value = common.notify_value(refused.notify, refused.data)
            tell(exchange.host, self, exchange.sa, [(int(P.NOTIFY), value), delete_ike()])
        elif exchange.script in _CREATING and refused.notify == Notify.INVALID_SYNTAX:
            common.end_sa(exchange, tell=True)

    def _refused_under(self, exchange: Exchange, sa: IsakmpSa, notify: int) -> None:
        """What a refusal means for its IKE SA: what is badly formatted ends it (2.21.3)."""
        if sa.state is State.LARVAL:
            self.sa_gone(exchange.host, sa)
        elif notify == Notify.INVALID_SYNTAX and exchange.script.exchange_type in SCRIPTS:
            common.end_sa(exchange)

    # --- verbs of the daemon -----------------------------------------------------------------

    def begin_sa(
        self, host: Host, remote: Remote, path: Path, connection: Connection | None
    ) -> Exchange:
        """Start the initial exchanges with a peer."""

        def prepare(state: Initial) -> None:
            state.child = Child(connection) if connection is not None else None

        name = connection.name if connection is not None else ""
        return host.initiate(self, IKE_SA_INIT, remote, path, name=name, prepare=prepare)

    def begin_child(
        self, host: Host, sa: IsakmpSa, connection: Connection, old: ChildSa | None,
        part: Traffic | None = None,
    ) -> Exchange:  # fmt: skip
        """Start CREATE_CHILD_SA for a child SA."""

        def prepare(state: Create) -> None:
            state.child = c = Child(connection, part=part, before=old, with_group=True)
            if old is not None and old.parent is sa:
                c.connection, c.old = old.connection, old

        return host.initiate(self, CREATE_CHILD_SA, sa.remote, sa.path, name=connection.name,
                             sa=sa, prepare=prepare)  # fmt: skip

    def rekey_sa(self, host: Host, sa: IsakmpSa) -> None:
        """Start CREATE_CHILD_SA for a successor of ``sa``."""
        if any(x.initiator and rekeys_ike(x) for x in sa.running.values()):
            return
        host.initiate(self, CREATE_CHILD_SA, sa.remote, sa.path, sa=sa)

    def reauthenticate(self, host: Host, sa: IsakmpSa) -> None:
        """IKE_SA_INIT and IKE_AUTH again (RFC 7296 2.8.3)."""
        host.owner.reauthenticate(sa)

    def tell(self, host: Host, sa: IsakmpSa, items: list[tuple[int, Any]]) -> ExchangeOf[Info]:
        """Send an INFORMATIONAL under ``sa``."""
        return tell(host, self, sa, items)

    def tell_deleted(self, host: Host, sa: IsakmpSa, child: ChildSa | None) -> Job[Any]:
        """Tell the peer that a child SA, or ``sa`` itself, is gone (RFC 7296 1.4.1)."""
        if child is not None:
            return tell_of_end(host, self, sa, delete_children([child]))
        return tell(host, self, sa, [delete_ike()]).finished

    def tell_later(self, child: ChildSa) -> None:
        """No child SA outlives its IKE SA."""

    def probe(self, host: Host, sa: IsakmpSa, sequence: int) -> None:
        """Ask whether the peer is alive; a request that is under way tells as much, and goes out
        once more, as it may have got lost. Whatever answers is proof (receive.py)."""
        asked = [x for x in sa.running.values() if x.initiator and x.last_out]
        for exchange in asked:
            if not exchange.looks:
                host.repeat(exchange)
        if not asked:
            tell(host, self, sa, [])

    def has(self, child: ChildSa) -> bool | None:
        """Who speaks under an IKE SA has what the initial exchanges made with it. A request of the
        peer's that comes again has no answer there yet (RFC 7296 2.1)."""
        sa = child.parent
        if sa is None or child.initiator:
            return None
        first = not sa.initiator and child.request < sa.ids.opening
        if first and sa.last_heard > sa.established:
            return True
        number, again = sa.ids.repeated
        return False if number == child.request and again > child.established else None

    def unknown_spi(self, host: Host, path: Path, spi: int) -> None:
        """INVALID_SPI (1.5): under the IKE SA with that address; without any, in clear."""
        sa, data = host.sas.at(path), spi.to_bytes(4, "big")
        if sa is not None and sa.dialect == self.name:
            self.remark(host, sa, Notify.INVALID_SPI, data)
        elif sa is None:
            notices.send_one_way(host, path, Notify.INVALID_SPI, data)

    def remark(self, host: Host, sa: IsakmpSa, notify: int, data: bytes) -> None:
        """Tell the peer what it may like to know; strangers may be behind it, so not too often,
        and not while another request of ours is under way."""
        idle = not any(x.initiator for x in sa.running.values())
        if not idle or sa.state is not State.ESTABLISHED:
            return
        if host.budget.take(notify, sa.path.remote, proven=True):
            self.tell(host, sa, [(int(P.NOTIFY), common.notify_value(notify, data))])

    def sa_gone(self, host: Host, sa: IsakmpSa) -> None:
        """Keep the last answers of an IKE SA that has ended."""
        self._receiver.ended.add(host.timers, sa)
