"""The dialect of the toy protocol, and what reads its port.

An exchange is found by where its peer is, the session that the initiator chose, and who began. What
was answered last is kept for a peer that has missed it.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

from isakmp.errors import MalformedPayload, Reason, Refused
from isakmp.exchange.dialect import Key
from isakmp.exchange.engine import Engine
from isakmp.exchange.exchange import Exchange, ExchangeOf, digest
from isakmp.exchange.script import Incoming, Outgoing
from isakmp.log.log import LogClass
from isakmp.message import Payload
from isakmp.path import Path
from isakmp.policy.spd import Remote
from regress.toy import wire
from regress.toy.join import Authority, Join, Leave, Link, join_script, leave_script
from regress.toy.wire import MAC, RULES, Header, Kind, Type, WhyValue

PORT = 7911
# Answers that are kept.
ANSWERED_MAX = 32
_ANSWERS = {Kind.JOIN: Kind.JOINED, Kind.LEAVE: Kind.LEFT}
_MAC_SIZE = 34


def place_of(path: Path) -> bytes:
    """Where a peer is."""
    return path.remote.packed + path.remote_port.to_bytes(2, "big")


def _open(link: Link, message: Incoming) -> None:
    """Verify the MAC of a sealed message. MalformedPayload where it is not that of the link."""
    said = message.data[:-_MAC_SIZE]
    macs = [value.data for value in message.values(MAC)]
    if len(macs) != 1 or not hmac.compare_digest(macs[0], _mac(link, said)):
        raise MalformedPayload("MAC", len(said), "is not that of the link")
    message.protected = message.proven = True


def _mac(link: Link, said: bytes) -> bytes:
    return hmac.digest(link.key, said, "sha256")


class Toy:
    """One end. remote_of: who is at an address; Refused where nobody is expected there."""

    name, rules = "toy", RULES
    malformed = 1
    failure = 2

    def __init__(
        self, us: str, authority: Authority, remote_of: Callable[[Path], Remote]
    ) -> None:  # fmt: skip
        self.us, self.authority, self._remote_of = us, authority, remote_of
        self.links: dict[str, Link] = {}
        self.answered: OrderedDict[Key, tuple[bytes, tuple[bytes, ...]]] = OrderedDict()
        self.join, self.leave = join_script(self), leave_script(self)

    def keep(self, link: Link) -> None:
        """One link with each peer, the newest."""
        self.links[link.peer] = link

    def drop(self, peer: str) -> None:
        """A link has ended."""
        self.links.pop(peer, None)

    # --- beginnings --------------------------------------------------------------------------

    def begin_join(self, engine: Engine, remote: Remote, path: Path) -> ExchangeOf[Join]:
        """Ask for a ticket, then for a link."""

        def prepare(state: Join) -> None:
            state.them = remote.name

        return engine.initiate(self, self.join, remote, path, prepare=prepare)

    def begin_leave(self, engine: Engine, remote: Remote) -> ExchangeOf[Leave]:
        """End a link."""
        link = self.links[remote.name]

        def prepare(state: Leave) -> None:
            state.link = link

        return engine.initiate(self, self.leave, remote, link.path, prepare=prepare)

    # --- what comes in -----------------------------------------------------------------------

    def receive(self, engine: Engine, path: Path, datagram: bytes) -> None:
        """Find the exchange of a message, or begin one."""
        header, payloads = wire.parse(datagram)
        begins = header.kind in _ANSWERS
        number = -1 - header.session if begins else header.session
        key = self.name, place_of(path), number
        message = Incoming(header, RULES, payloads, datagram, len(datagram), path, wire.SIZE)
        found = engine.find(*key)
        if found is not None:
            again = partial(self.receive, engine, path, datagram)
            if not engine.is_repeat(found, datagram) and not engine.early(
                [found], path, len(datagram), again
            ):
                self._run(engine, found, message, datagram)
        elif begins and not self._repeated(engine, path, key, datagram):
            self._begin(engine, path, header, message, datagram)
        elif not begins:
            engine.drop(path, "an answer to nothing of ours")

    def _repeated(self, engine: Engine, path: Path, key: Key, datagram: bytes) -> bool:
        mark, answer = self.answered.get(key, (b"", ()))
        if mark != digest(datagram):
            return False
        for one in answer:
            engine.transmit(path, one)
        return True

    def _begin(
        self, engine: Engine, path: Path, header: Header, message: Incoming, datagram: bytes
    ) -> None:
        try:
            remote = self._remote_of(path)
            engine.check_first(datagram)
            if header.kind == Kind.LEAVE:
                found: Exchange = self._left(engine, remote, path, message)
            else:
                found = engine.answer(
                    self, self.join, remote, path, b"", b"", header.session, stranger=datagram
                )
        except Refused as refused:
            engine.turn_away(path, "toy", refused.reason)
        else:
            self._run(engine, found, message, datagram)

    def _left(
        self, engine: Engine, remote: Remote, path: Path, message: Incoming
    ) -> ExchangeOf[Leave]:
        """Who has the link's key is no stranger."""
        link = self.links.get(remote.name)
        if link is None:
            raise Refused(Reason("no-link", "there is no link to leave"))
        _open(link, message)
        session = message.header.session
        found = engine.answer(self, self.leave, remote, path, b"", b"", session, stranger=None)
        found.state.link = link
        return found

    def _run(self, engine: Engine, exchange: Exchange, message: Incoming, datagram: bytes) -> None:
        kind, state = exchange.script.exchange_type, exchange.state
        if message.header.kind not in (kind, _ANSWERS[Kind(kind)], Kind.REFUSED):
            raise MalformedPayload("HDR", 1, f"a {message.header.kind} to {exchange}")
        if isinstance(state, Leave) and state.link is not None and not message.proven:
            _open(state.link, message)
        if engine.capture is not None:
            engine.capture(message.path, False, datagram)
        engine.run(exchange, message, datagram)

    # --- what the engine asks ----------------------------------------------------------------

    def identifiers(self, new_cookie: Callable[[], bytes]) -> tuple[bytes, bytes]:
        """Neither end is called anything."""
        return b"", b""

    def key(self, exchange: Exchange) -> Key:
        """The initiator's session, and of what the peer began a negative number."""
        number = exchange.message_id
        place = place_of(exchange.path)
        return self.name, place, number if exchange.initiator else -1 - number

    def message_id(self, exchange: Exchange) -> int:
        """A session that is not in use."""
        engine = exchange.host
        while True:
            number = int.from_bytes(engine.random(4), "big")
            if engine.find(self.name, place_of(exchange.path), number) is None:
                return number

    def seal(self, exchange: Exchange, message: Outgoing) -> tuple[bytes, ...]:
        """Build the datagram, with a MAC where it is asked for."""
        kind = Kind(exchange.script.exchange_type)
        header = Header(kind if exchange.initiator else _ANSWERS[kind], exchange.message_id)
        state = exchange.state
        link = state.link if message.protected and isinstance(state, Leave) else None
        data = wire.build(header, message.payloads, _MAC_SIZE if link else 0)
        if link:
            data += wire.sealed(_mac(link, data))
        if exchange.host.capture is not None:
            exchange.host.capture(exchange.path, True, data)
        return (data,)

    def again(self, exchange: Exchange) -> tuple[bytes, ...]:
        """As it was."""
        return exchange.last_out

    def authenticator(self, exchange: Exchange) -> int:
        """PROOF."""
        return Type.PROOF

    def heard(self, exchange: Exchange, message: Incoming) -> None:
        """Nothing is noted."""

    def inspect(self, exchange: Exchange, message: Incoming) -> None:
        """Steps look at payloads."""

    def accepted(self, exchange: Exchange, message: Incoming) -> None:
        """Nothing is noted."""

    def leftover(self, exchange: Exchange, message: Incoming, payload: Payload) -> None:
        """Ignored."""
        exchange.host.log.debug(LogClass.MESSAGE, 30, "%s: left %d", exchange, payload.type)

    def ends_sa(self, exchange: Exchange) -> bool:
        """There is none."""
        return False

    def awaited(self, exchange: Exchange) -> bool:
        """Any exchange may end."""
        return False

    def may_begin(self, sa: Any) -> bool:
        """Always."""
        return True

    def next_leg(self, exchange: Exchange) -> bool:
        """There is one."""
        return True

    def notify(self, exchange: Exchange, refused: Refused) -> None:
        """REFUSED with WHY, in clear, as often as strangers are told anything."""
        engine, code = exchange.host, refused.notify or self.failure
        if exchange.initiator or not engine.budget.take(code, exchange.path.remote):
            return
        header = Header(Kind.REFUSED, exchange.message_id)
        exchange.last_out = (wire.build(header, [(Type.WHY, WhyValue(code))]),)
        engine.repeat(exchange)

    def withdraw(self, exchange: Exchange, reason: Reason) -> None:
        """The peer finds out by itself."""

    def ended(self, exchange: Exchange, reason: Reason | None) -> None:
        """Keep our answer for who has missed it."""
        if not exchange.initiator and exchange.last_out:
            self.answered[self.key(exchange)] = exchange.now_in, exchange.last_out
            if len(self.answered) > ANSWERED_MAX:
                self.answered.popitem(last=False)
