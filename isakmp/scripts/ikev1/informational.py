"""The informational exchange: RFC 2409 5.7, RFC 2408 4.8, RFC 3706.

    sender                          receiver
    HDR*, HASH(1), N/D         -->

Under an ISAKMP SA only; what comes in clear during phase 1 proves nothing (dialect.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from isakmp import deletes
from isakmp import payloads as codecs
from isakmp.constants import DOI_IPSEC, isakmp, name_of
from isakmp.crypto import keymat
from isakmp.errors import Reason, Refused
from isakmp.exchange.dialect import Dialect
from isakmp.exchange.exchange import Exchange, ExchangeOf, Host
from isakmp.exchange.script import END, PROTECTED, Incoming, Outgoing, Script
from isakmp.log.log import LogClass
from isakmp.path import Path
from isakmp.payloads.delete import DeleteValue
from isakmp.payloads.notify import NotifyValue
from isakmp.policy.match import Chosen
from isakmp.sa import IsakmpSa, State
from isakmp.scripts.ikev1 import lifetime, phase_1
from isakmp.scripts.ikev1.phase_2 import check_hash, refused_by_peer, take_hash
from isakmp.scripts.ikev1.quick import Quick

P, Notify = isakmp.Payload, isakmp.Notify

SPI_SIZE = 4
# What a peer says behind phase 1 that does not take who we are.
_OF_US = (Notify.INVALID_ID_INFORMATION, Notify.AUTHENTICATION_FAILED)
AGAIN_S = 1.0
_SEQUENCE_SIZE = 4  # of RFC 3706 5.3, in octets


@dataclass(slots=True)
class Info:
    """What one informational exchange says: payload types and values. bereft: it has deleted what
    nothing is left in the place of; first: the peer has said nothing under the ISAKMP SA before;
    ends_sa: it deletes that; refuses_us: the peer does not take who we are, so that there is no
    such SA."""

    payloads: list[tuple[int, Any]] = field(default_factory=list)
    bereft: bool = False
    first: bool = False
    ends_sa: bool = False
    refuses_us: bool = False


X = ExchangeOf[Info]


def send_HASH_INFO(x: X, message: Outgoing) -> None:
    """Whatever the exchange was begun for, authenticated."""
    keys = x.sa.keys if x.sa else None
    if keys is None:
        raise Refused(Reason("sa-gone", "its ISAKMP SA is gone"))
    message.hash_over = lambda rest: keymat.quick_hash_1(
        keys.prf, keys.skeyid_a, x.message_id, rest
    )
    for kind, value in x.state.payloads:
        message.add(kind, value)


def recv_HASH_INFO(x: X, message: Incoming) -> None:
    """Check the HASH, then act on every notify and delete."""
    sa, keys = x.sa, x.sa.keys if x.sa else None
    if sa is None or keys is None:
        return
    received, rest = take_hash(message)
    check_hash(received, keymat.quick_hash_1(keys.prf, keys.skeyid_a, x.message_id, rest))
    values = message.values(codecs.DELETE)
    x.state.ends_sa = sa.cookies in _cookies(values)
    x.state.first, sa.ids.spoken = not sa.ids.spoken, True
    for notify in message.values(codecs.NOTIFY):
        _recv_notify(x, sa, notify, message.path)
    _recv_deletes(x, sa, values)
    if x.state.refuses_us and sa.state is State.ESTABLISHED:
        x.host.owner.delete_sa(sa, tell=False)


def _recv_deletes(x: X, sa: IsakmpSa, values: list[DeleteValue]) -> None:
    """Child SAs first: what is said of them may come with the end of what it is said under."""
    spis = [
        (value.protocol_id, int.from_bytes(spi, "big"))
        for value in values if value.protocol_id != isakmp.Protocol.ISAKMP
        for spi in value.spis if len(spi) == SPI_SIZE
    ]  # fmt: skip
    sas = x.host.sas
    found = deletes.named(
        sas, deletes.addresses(sas, sa), spis, lambda child: deletes.speaks_for(sas, sa, child)
    )
    for child, reason in found.doubtful.items():
        x.host.remark(x, reason, goes_on=True)
        x.host.owner.children.lost(child)
    for child in found.children:
        x.host.owner.children.peer_deleted(child)
    x.state.bereft = any(
        all(other.state is not State.ESTABLISHED for other in sas.in_slot(child.slot))
        for child in found.children
    )
    _give_up(x.host, sa, set(found.unknown))
    lost = x.host.owner.peer_deleted(sa, _cookies(values))
    unknown: list[int | bytes] = [*found.unknown, *lost]
    if unknown:
        x.host.log.debug(LogClass.SA, 20, "%s: deletes what nobody has: %s", x,
                         deletes.shown(unknown))  # fmt: skip


def _cookies(values: list[DeleteValue]) -> list[bytes]:
    """The ISAKMP SAs that Deletes name."""
    of_sas = (value for value in values if value.protocol_id == isakmp.Protocol.ISAKMP)
    return [spi for value in of_sas for spi in value.spis]


def _give_up(host: Host, sa: IsakmpSa, spis: set[int]) -> None:
    """The peer does not go on with a quick mode of which that was its SPI: what it began, or has
    answered, which waits for its key, the stack or a confirmation here."""
    under = dict.fromkeys((sa, *host.sas.of_peer(sa.peer)))
    for exchange in [x for each in under for x in each.running.values()]:
        theirs = {int.from_bytes(c.proposal.spi, "big") for c in _chosen(exchange)}
        if spis & theirs:
            host.fail(exchange, Reason("sa-gone", "the peer has given it up"))


def _chosen(exchange: Exchange) -> list[Chosen]:
    state = exchange.state
    return state.chosen if isinstance(state, Quick) else []


def _recv_notify(x: X, sa: IsakmpSa, value: NotifyValue, path: Path) -> None:
    x.host.log.debug(LogClass.EXCHANGE, 20, "%s: notify %s", x, name_of(Notify, value.notify))
    if take := _NOTIFIES.get(value.notify):
        take(x, sa, value, path)
    elif _may_refuse_us(x, value) and _refuses_us(x, sa):
        said = name_of(Notify, value.notify)
        x.state.refuses_us = True
        x.host.remark(x, phase_1.refused_by_peer(x, said, f"the peer refused: {said}"))
    elif value.notify < Notify.CONNECTED:
        _peer_refused(x.host, sa, value.notify, value.spi)
        if sa.dpd and _may_refuse_us(x, value) and sa.ours_was_last:
            x.host.owner.liveness.suspect(sa)


def _may_refuse_us(x: X, value: NotifyValue) -> bool:
    """Whether this can be the word of a peer that does not take who we are: it has no ISAKMP SA, so
    that it says nothing under that before. The SPI says nothing (RFC 2408 3.14)."""
    of_sa = value.protocol_id == isakmp.Protocol.ISAKMP
    return x.state.first and of_sa and value.notify in _OF_US


def _refuses_us(x: X, sa: IsakmpSa) -> bool:
    """Whether it is: there is no quick mode that it could be about, or it takes back what our last
    message of phase 1 has made."""
    return not sa.ids.offered or (x.state.ends_sa and sa.ours_was_last)


def _recv_r_u_there(x: X, sa: IsakmpSa, value: NotifyValue, path: Path) -> None:
    """Its SPI is that of the header, whatever it says (RFC 2408 3.14)."""
    if len(value.data) == _SEQUENCE_SIZE:
        x.host.owner.liveness.asked_if_alive(sa, value.data, path)
        ack = notify_payload(Notify.R_U_THERE_ACK, spi=sa.cookies, data=value.data)
        tell(x.host, x.dialect, sa, [ack])


def _recv_r_u_there_ack(x: X, sa: IsakmpSa, value: NotifyValue, path: Path) -> None:
    if len(value.data) == _SEQUENCE_SIZE:
        x.host.owner.liveness.said_alive(sa, int.from_bytes(value.data, "big"))


def _recv_initial_contact(x: X, sa: IsakmpSa, value: NotifyValue, path: Path) -> None:
    x.host.owner.places.initial_contact(sa)


def _recv_responder_lifetime(x: X, sa: IsakmpSa, value: NotifyValue, path: Path) -> None:
    lifetime.take(x, sa, value)


def _recv_invalid_spi(x: X, sa: IsakmpSa, value: NotifyValue, path: Path) -> None:
    """The peer has no SA for what we send with that SPI."""
    spi = value.spi if len(value.spi) == SPI_SIZE else value.data
    number = int.from_bytes(spi, "big") if len(spi) == SPI_SIZE else 0
    child = deletes.received_with(x.host.sas, sa, value.protocol_id, number)
    if child is not None:
        x.host.owner.children.peer_deleted(child)
    elif number:
        _peer_refused(x.host, sa, value.notify, spi)


def _peer_refused(host: Host, sa: IsakmpSa, notify: int, spi: bytes) -> None:
    """The peer refuses what we offer or choose under ``sa``, with proof that it is the peer: what
    has that SPI of ours; where it names none, the only exchange that we have begun."""
    said, number = name_of(Notify, notify), int.from_bytes(spi, "big") if len(spi) == 4 else 0
    running = [x for x in sa.running.values() if len(x.steps) > 1]
    named = [x for x in running if number and number in getattr(x.state, "spis", {}).values()]
    ours = [x for x in running if x.initiator] if notify != Notify.INVALID_SPI else []
    meant = named or (ours if len(ours) == 1 else [])
    for exchange in meant:
        host.fail(exchange, refused_by_peer(exchange, notify))
    if not meant:
        host.log.proto_warn("%s: peer says %s", sa, said)


_NOTIFIES: dict[int, Callable[[X, IsakmpSa, NotifyValue, Path], None]] = {
    Notify.R_U_THERE: _recv_r_u_there,
    Notify.R_U_THERE_ACK: _recv_r_u_there_ack,
    Notify.INITIAL_CONTACT: _recv_initial_contact,
    Notify.RESPONDER_LIFETIME: _recv_responder_lifetime,
    Notify.INVALID_SPI: _recv_invalid_spi,
}
"""What is done about a notify under an ISAKMP SA, with its value and the way that it came. Others
refuse where they are errors, and change nothing where they only tell."""


def notify_payload(
    notify: int, protocol: int = isakmp.Protocol.ISAKMP, spi: bytes = b"", data: bytes = b""
) -> tuple[int, NotifyValue]:
    """A NOTIFY payload to send."""
    return P.NOTIFY, NotifyValue(DOI_IPSEC, protocol, notify, spi, data)


def delete_payload(protocol: int, spis: list[bytes]) -> tuple[int, DeleteValue]:
    """A DELETE payload to send."""
    return P.DELETE, DeleteValue(DOI_IPSEC, protocol, tuple(spis))


def tell(
    host: Host, dialect: Dialect[Exchange], sa: IsakmpSa, payloads: list[tuple[int, Any]]
) -> ExchangeOf[Info]:
    """Send an informational exchange under ``sa``."""

    def prepare(state: Info) -> None:
        state.payloads = payloads

    return host.initiate(dialect, INFORMATIONAL, sa.remote, sa.path, sa=sa, prepare=prepare)


def tell_twice(
    host: Host, dialect: Dialect[Exchange], sa: IsakmpSa, payloads: list[tuple[int, Any]]
) -> ExchangeOf[Info]:
    """The same for what must not get lost: nobody acknowledges it, and the same datagram again
    costs little and does no harm."""
    told = tell(host, dialect, sa, payloads)
    host.timers.add("informational again", AGAIN_S, host.repeat, told)
    return told


INFORMATIONAL = Script(
    "informational", isakmp.Exchange.INFO, (send_HASH_INFO,), (recv_HASH_INFO,),
    (PROTECTED, P.HASH, END), Info, tells=True,
)  # fmt: skip
