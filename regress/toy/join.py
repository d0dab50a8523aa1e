"""The exchanges of the toy protocol, both ends of which ask a third, the authority, and wait.

    JOIN     initiator                            responder
             asks for a ticket
             NAME, NONCE, TICKET, PROOF    -->
                                                  has the ticket opened
                                           <--    NONCE, PROOF
    LEAVE    NONCE, MAC                    -->
                                           <--    NONCE, MAC

The ticket's key makes both PROOFs and, of both nonces, the key of the link. Who is refused is told
with WHY, which anybody can say.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Protocol

from isakmp.errors import Reason, Refused
from isakmp.event.job import Job
from isakmp.exchange.exchange import ExchangeOf, ScriptOf
from isakmp.exchange.script import (
    AUTH,
    END,
    PROTECTED,
    SWITCH,
    Incoming,
    Outgoing,
    Script,
    Wait,
    refusable,
)
from isakmp.path import Path
from isakmp.payloads.shapes import Octets
from regress.toy.wire import NAME, NONCE, PROOF, TICKET, WHY, Kind, Type

NOT_PROVEN = 3


class Authority(Protocol):
    """Whom both ends trust. Whatever it says comes later, or never; Refused where it says no."""

    def ticket(self, us: str, them: str) -> Job[tuple[bytes, bytes]]:
        """A ticket for them, and its key."""

    def opened(self, us: str, ticket: bytes) -> Job[tuple[str, bytes]]:
        """Who has got a ticket, and its key; once."""


class Link(NamedTuple):
    """What JOIN makes."""

    peer: str
    path: Path
    key: bytes


class Place(Protocol):
    """What one end is: its name, whom it asks, and what it keeps."""

    us: str
    authority: Authority

    def keep(self, link: Link) -> None: ...

    def drop(self, peer: str) -> None: ...


@dataclass(slots=True)
class Join:
    """What JOIN learns. them: the peer's name."""

    place: Place
    them: str = ""
    key: bytes = field(default=b"", repr=False)
    nonce_i: bytes = b""
    nonce_r: bytes = b""


@dataclass(slots=True)
class Leave:
    """link: what ends."""

    place: Place
    link: Link | None = None


X = ExchangeOf[Join]


def _proof(x: X, what: bytes) -> Octets:
    s = x.state
    said = what + x.message_id.to_bytes(4, "big") + s.nonce_i + s.nonce_r
    return Octets(hmac.digest(s.key, said, "sha256"))


def _check_proof(x: X, message: Incoming, what: bytes) -> None:
    if not hmac.compare_digest(message.value(PROOF).data, _proof(x, what).data):
        raise Refused(Reason("authentication-failed", "the proof is another key's"), NOT_PROVEN)


def send_NAME_NONCE_TICKET_PROOF(x: X, message: Outgoing) -> Wait:
    s = x.state
    ticket, s.key = yield s.place.authority.ticket(s.place.us, s.them)
    s.nonce_i = x.host.random(16)
    message.add(Type.NAME, Octets(s.place.us.encode()))
    message.add(Type.NONCE, Octets(s.nonce_i))
    message.add(Type.TICKET, Octets(ticket))
    message.add(Type.PROOF, _proof(x, b"join"))


def recv_NAME_NONCE_TICKET_PROOF(x: X, message: Incoming) -> Wait:
    s = x.state
    said, s.nonce_i = message.value(NAME).data, message.value(NONCE).data
    ticket = message.value(TICKET).data
    s.them, s.key = yield s.place.authority.opened(s.place.us, ticket)
    if said != s.them.encode():
        raise Refused(Reason("wrong-identity", "the ticket is another's"), NOT_PROVEN)
    _check_proof(x, message, b"join")
    x.host.known(x)


def send_NONCE_PROOF(x: X, message: Outgoing) -> None:
    x.state.nonce_r = x.host.random(16)
    message.add(Type.NONCE, Octets(x.state.nonce_r))
    message.add(Type.PROOF, _proof(x, b"joined"))


def recv_NONCE_PROOF(x: X, message: Incoming) -> None:
    x.state.nonce_r = message.value(NONCE).data
    _check_proof(x, message, b"joined")


def recv_WHY(x: X, message: Incoming) -> None:
    code = message.value(WHY).code
    raise Refused(Reason("refused-by-peer", f"the peer says {code}, in clear"))


def finalize(x: X) -> None:
    """The link is there."""
    key = _proof(x, b"link").data
    x.state.place.keep(Link(x.state.them, x.path, key))


def send_NONCE(x: ExchangeOf[Leave], message: Outgoing) -> None:
    message.add(Type.NONCE, Octets(x.host.random(16)))


def recv_NONCE(x: ExchangeOf[Leave], message: Incoming) -> None:
    message.take(Type.NONCE)


def drop(x: ExchangeOf[Leave]) -> None:
    """The link is gone."""
    if x.state.link is not None:
        x.state.place.drop(x.state.link.peer)


def join_script(place: Place) -> ScriptOf[Join]:
    """JOIN at that end."""
    plain = Script(
        "JOIN",
        Kind.JOIN,
        (send_NAME_NONCE_TICKET_PROOF, recv_NONCE_PROOF),
        (recv_NAME_NONCE_TICKET_PROOF, send_NONCE_PROOF),
        (Type.NAME, Type.NONCE, Type.TICKET, AUTH, SWITCH, Type.NONCE, AUTH, END),
        partial(Join, place),
        finalize,
        establishes=True,
    )
    return refusable(plain, (Type.WHY,), recv_WHY)


def leave_script(place: Place) -> ScriptOf[Leave]:
    """LEAVE at that end."""
    return Script(
        "LEAVE",
        Kind.LEAVE,
        (send_NONCE, recv_NONCE),
        (recv_NONCE, send_NONCE),
        (PROTECTED, Type.NONCE, SWITCH, PROTECTED, Type.NONCE, END),
        partial(Leave, place),
        drop,
    )
