"""INFORMATIONAL: RFC 7296 1.4, 1.4.1 and 2.25: deletes, notifies, or nothing at all.

    HDR, SK {[N,] [D,] ...}   -->
                              <--   HDR, SK {[N,] [D,] ...}

An empty one asks whether the peer is alive; every one tells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from isakmp import deletes
from isakmp.constants import ikev2, name_of
from isakmp.errors import Reason, Refused
from isakmp.event.job import Job
from isakmp.exchange.dialect import Dialect
from isakmp.exchange.exchange import Exchange, ExchangeOf, Host, ScriptOf
from isakmp.exchange.script import END, PROTECTED, SWITCH, Incoming, Outgoing, Script
from isakmp.log.log import LogClass
from isakmp.message import values_of
from isakmp.payloads import ikev2 as codecs
from isakmp.payloads.ikev2.delete import DeleteValue
from isakmp.policy.sameness import same_identity
from isakmp.sa import ChildSa, IsakmpSa, State
from isakmp.scripts.ikev2 import common, rekey
from isakmp.scripts.ikev2.child import PROTOCOLS, Child
from isakmp.scripts.ikev2.common import Notifies, sa_of

P, Notify = ikev2.Payload, ikev2.Notify

SPI_SIZE = 4
# Who ends a child SA that soon behind our answer may not want it as it is.
INSISTS_S = 2.0
_NUMBERS = {int(number): wire for wire, number in PROTOCOLS.items()}


@dataclass(slots=True)
class Info:
    """payloads: what the message to send holds; then: what is done once it has left."""

    payloads: list[tuple[int, Any]] = field(default_factory=list)
    then: list[Callable[[], object]] = field(default_factory=list)


X = ExchangeOf[Info]


def send_INFO(x: X, message: Outgoing) -> None:
    """What the exchange was begun for; as responder, what the request asks to be answered with."""
    for kind, value in x.state.payloads:
        message.add(kind, value)


def recv_INFO(x: X, message: Incoming) -> None:
    """Act on a request; an answer says that it was heard, and what else it has heed_deletes() sees
    to."""
    sa, notifies = sa_of(x), common.take_notifies(message)
    named = message.values(codecs.DELETE)
    if x.initiator:
        _recv_error(x, notifies)
        return
    for number, values in notifies.items():
        if number in (common.FATAL_AT_FIRST if _is_first(sa, message) else common.FATAL):
            _end_by(x, sa, number)
        else:
            for data in dict.fromkeys(value.data or value.spi for value in values):
                _recv_notify(x, sa, number, data)
    for value in named:
        _recv_delete(x, sa, value)


def _recv_error(x: X, notifies: Notifies) -> None:
    """The peer refuses a request of ours: little is asked for here that it could refuse."""
    error = common.error_among(notifies)
    if error is None:
        return
    x.host.remark(x, common.refused_by_peer(x, error, proven=True).reason)
    if error in common.FATAL:
        common.end_sa(x)


def _is_first(sa: IsakmpSa, message: Incoming) -> bool:
    """Whether the initiator of IKE_AUTH says it right after that, as one that refuses our answer
    does (2.21.2)."""
    asked = sa.exchange_type == ikev2.Exchange.IKE_AUTH and not sa.initiator
    return asked and message.header.message_id == sa.ids.opening


def _end_by(x: X, sa: IsakmpSa, number: int) -> None:
    """What the peer has found ends the IKE SA, here as there, without a Delete."""
    reason, asked_for = common.refused_by_peer(x, number, proven=True).reason, sa.asked_for
    if asked_for is not None and not same_identity(asked_for, sa.local_id):
        wanted, ours = (f"{one.type.name} {one}" for one in (asked_for, sa.local_id))
        detail = f"{reason.detail}; it has asked for {wanted} (IDr), and we are {ours}"
        mend = f"make the ID of [{sa.remote.name}] and the peer's Remote-ID the same"
        reason = replace(reason, detail=detail, offered=f"identity {ours}", mend=mend)
    x.host.remark(x, reason)
    for child in x.host.sas.own_children(sa):
        _insisted(x, child)
    x.state.then.append(lambda: x.host.owner.delete_sa(sa, tell=False))


def _recv_notify(x: X, sa: IsakmpSa, number: int, data: bytes) -> None:
    x.host.log.debug(LogClass.EXCHANGE, 20, "%s: notify %s", x, name_of(Notify, number))
    if take := _NOTIFIES.get(number):
        take(x, sa, data)
    elif number < common.STATUS:
        _says(x, sa, number)


def _says(x: X, sa: IsakmpSa, number: int) -> None:
    """It changes nothing, as nothing was asked (2.21.3, 2.21.4)."""
    x.host.log.proto_warn("%s: the peer says %s", sa, name_of(Notify, number))


def _recv_invalid_message_id(x: X, sa: IsakmpSa, data: bytes) -> None:
    """Its window is smaller than we believe; where the oldest request is out of it, that ends
    without an answer, as if the peer were dead."""
    x.host.log.proto_warn("%s: the peer refuses message ID 0x%s: it is beyond its window",
                          sa, data.hex())  # fmt: skip
    sa.ids.size_out = 1


def _recv_invalid_spi(x: X, sa: IsakmpSa, data: bytes) -> None:
    if child := _sent_with(x, sa, data):
        x.host.log.proto_warn("%s: the peer has lost child SA %s", sa, child)
        x.state.then.append(partial(x.host.owner.children.lost, child))
    else:
        _says(x, sa, Notify.INVALID_SPI)


_NOTIFIES: dict[int, Callable[[X, IsakmpSa, bytes], None]] = {
    Notify.INVALID_MESSAGE_ID: _recv_invalid_message_id,
    Notify.INVALID_SPI: _recv_invalid_spi,
}
"""What is done about a notify in a request under an IKE SA, with its data, or its SPI where it has
none. Those that end it go before (common.FATAL)."""


def _sent_with(x: X, sa: IsakmpSa, spi: bytes) -> ChildSa | None:
    """What we send with that SPI. That its peer lacks it, it may also say under another IKE SA,
    which may be all that it has."""
    child = x.host.sas.sent_with(sa.path.remote, spi)
    if child is None or not (child.peer == sa.peer or _speaks_for(x, sa, child)):
        return None
    return child


def _recv_delete(x: X, sa: IsakmpSa, value: DeleteValue) -> None:
    owner, then = x.host.owner, x.state.then
    if value.protocol_id == ikev2.Protocol.IKE:
        _ike_deleted(x, sa)
        then.append(lambda: owner.delete_sa(sa, tell=False))
        return
    found = _deleted(x, sa, _spis(value))
    then += [partial(owner.children.lost, child) for child in found.doubtful]
    # Who deletes it itself has said so already (RFC 7296 2.25.1).
    told = [child for child in found.children if child.state is not State.DELETING]
    if told:
        x.state.payloads.append(delete_children(told))
    then += [partial(owner.children.delete_child, child, tell=False) for child in found.children]


def heed_deletes(x: Exchange, message: Incoming) -> None:
    """What the answer to a request of ours deletes beside (C.6), once the exchange is over: it may
    be about the same SA. Nobody answers an answer, so our half of a pair goes in a request."""
    sa, values = x.sa, values_of(message.payloads, codecs.DELETE)
    if sa is None or sa.state is State.LARVAL or not values:
        return
    spis = [spi for value in values for spi in _spis(value) if not _is_ours(x, sa, spi)]
    of_ike = any(value.protocol_id == ikev2.Protocol.IKE for value in values)

    def act(job: Job[Any]) -> None:
        found = _deleted(x, sa, spis)
        for child in found.doubtful:
            x.host.owner.children.lost(child)
        for child in found.children:
            x.host.owner.children.delete_child(child, tell=not of_ike)
        if of_ike and sa.state in (State.ESTABLISHED, State.SUPERSEDED):
            _ike_deleted(x, sa)
            x.host.owner.delete_sa(sa, tell=False)

    x.finished.then(act)


def _is_ours(x: Exchange, sa: IsakmpSa, name: tuple[int, int]) -> bool:
    """Whether it is the other half of what we are deleting ourselves."""
    child = x.host.sas.child_by_spi(*name, str(sa.path.remote))
    return child is not None and child.state is State.DELETING


def _ike_deleted(x: Exchange, sa: IsakmpSa) -> None:
    """Other child SAs send from now on, where there are some."""
    x.host.log.info("%s deleted by the peer", sa)
    for child in x.host.sas.own_children(sa):
        _insisted(x, child)
        x.host.owner.children.hand_over(child)


def _spis(value: DeleteValue) -> list[tuple[int, int]]:
    """What a Delete for child SAs names, with the protocol as all stacks have it."""
    protocol = PROTOCOLS.get(value.protocol_id) or 0
    return [(protocol, int.from_bytes(spi, "big")) for spi in value.spis if len(spi) == SPI_SIZE]


def _deleted(x: Exchange, sa: IsakmpSa, spis: list[tuple[int, int]]) -> deletes.Named:
    """The child SAs of those names; others send from now on, where there are some."""
    sas = x.host.sas
    found = deletes.named(
        sas, deletes.addresses(sas, sa), spis, lambda child: _speaks_for(x, sa, child)
    )
    if found.unknown:
        x.host.log.debug(LogClass.SA, 20, "%s: deletes what nobody has: %s", x,
                         deletes.shown(found.unknown))  # fmt: skip
        rekey.deleted_early(sa, found.unknown)
    for reason in found.doubtful.values():
        x.host.remark(x, reason, goes_on=True)
    for child in found.children:
        x.host.log.info("connection %s: child SA %s deleted by the peer",
                           child.connection.name, child)  # fmt: skip
        _insisted(x, child)
        x.host.owner.children.hand_over(child)
    return found


def _insisted(x: Exchange, child: ChildSa) -> None:
    """The peer ends what has just been made, maybe as it did not get what it asked for: nobody can
    tell, and it is no failure of what it has beside."""
    number, again = child.parent.ids.repeated if child.parent else (0, 0.0)
    answered = max(child.established, again) if number == child.request else child.established
    soon = x.host.now() - answered <= INSISTS_S
    if not (soon and child.declined) or _has_another(x, child):
        return
    first = child.declined[0]
    detail = f"{first.detail}; it has ended the child SA at once, maybe for that"
    child.end = replace(first, detail=detail, misses=tuple(r.detail for r in child.declined[1:]))
    x.name = x.name or child.connection.name
    x.host.remark(x, child.end, goes_on=True)
    x.host.owner.connections.child_refused(child.connection, child.end)


def _has_another(x: Exchange, child: ChildSa) -> bool:
    """Whether its peer has more of its connection, be it other traffic."""
    rest = [one for one in x.host.sas.of_connection(child.connection.name) if one is not child]
    up = (one.peer == child.peer and one.state is State.ESTABLISHED for one in rest)
    return any(up) or any(one.slot == child.slot for one in rest)


def _speaks_for(x: Exchange, sa: IsakmpSa, child: ChildSa) -> bool:
    """Whether the peer may delete ``child`` under ``sa``, which one end may have replaced."""
    parent = child.parent
    if parent is None:  # of IKEv1: it may have outlived the ISAKMP SA that it was made under
        return deletes.speaks_for(x.host.sas, sa, child)
    return parent is sa or parent in sa.heirs or sa in parent.heirs


def finalize(x: X) -> None:
    """The peer has its answer: now what it has asked for."""
    for call in x.state.then:
        call()


def delete_children(children: list[ChildSa]) -> tuple[int, DeleteValue]:
    """The Delete for child SAs of one protocol: the SPIs that we receive with."""
    first = children[0].protocols[0].chosen.protocol
    spis = tuple(child.protocols[0].spi_in.to_bytes(SPI_SIZE, "big") for child in children)
    return P.DELETE, DeleteValue(int(_NUMBERS[first]), spis)


def take_back(x: Exchange, c: Child) -> None:
    """The peer has made a child SA of an answer that we do not take: it is to delete it."""
    wire = c.proposals[0].protocol
    if c.spi_in and c.spi_out not in c.gone:
        value = DeleteValue(int(wire), (c.spi_in.to_bytes(SPI_SIZE, "big"),))
        tell_of_end(x.host, x.dialect, sa_of(x), (P.DELETE, value))


def delete_ike() -> tuple[int, DeleteValue]:
    """The Delete for the IKE SA that it comes under."""
    return P.DELETE, DeleteValue(int(ikev2.Protocol.IKE), ())


def tell(
    host: Host, dialect: Dialect[Exchange], sa: IsakmpSa, payloads: list[tuple[int, Any]]
) -> ExchangeOf[Info]:
    """Begin an INFORMATIONAL under ``sa``."""

    def prepare(state: Info) -> None:
        state.payloads = payloads

    return host.initiate(dialect, INFORMATIONAL, sa.remote, sa.path, sa=sa, prepare=prepare)


def tell_of_end(
    host: Host, dialect: Dialect[Exchange], sa: IsakmpSa, delete: tuple[int, Any]
) -> Job[None]:
    """The same with the Delete for a child SA, which must arrive: where ``sa`` is replaced before,
    it goes under what has its child SAs then (RFC 7296 2.18). Done once it was heard."""
    heard: Job[None] = Job()

    def told(job: Job[Any]) -> None:
        heir = rekey.home(sa)
        if job.error is None or heir is sa:
            heard.take(job)
        else:
            tell_of_end(host, dialect, heir, delete).then(heard.take)

    tell(host, dialect, sa, [delete]).finished.then(told)
    return heard


INFORMATIONAL = Script(
    "INFORMATIONAL", ikev2.Exchange.INFORMATIONAL, (send_INFO, recv_INFO), (recv_INFO, send_INFO),
    (PROTECTED, SWITCH, PROTECTED, END), Info, finalize, tells=True,
)  # fmt: skip


# --- exchanges that are none -----------------------------------------------------------------


def recv_ANY(x: X, message: Incoming) -> None:
    """Nothing was asked for that we know of. What has a message ID has an answer all the same."""
    kind = name_of(ikev2.Exchange, x.script.exchange_type)
    raise Refused(
        Reason("unknown-exchange", "there is no such exchange under an IKE SA", came=kind,
               acceptable="CREATE_CHILD_SA, IKE_FOLLOWUP_KE, INFORMATIONAL"), Notify.INVALID_SYNTAX,
    )  # fmt: skip


def unknown(exchange_type: int) -> ScriptOf[Info]:
    """The script of a request of a type that is not known, or not for now (RFC 7296 3.10.1)."""
    name = f"exchange {name_of(ikev2.Exchange, exchange_type)}"
    return replace(INFORMATIONAL, name=name, exchange_type=exchange_type, initiator=(),
                   responder=(recv_ANY, send_INFO), tells=False)  # fmt: skip
