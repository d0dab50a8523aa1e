"""CREATE_CHILD_SA: RFC 7296 1.3, 2.8, 2.17, 2.18 and 2.25.

a new child SA, or one in the place of another (with N(REKEY_SA)):
HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr}  -->
                                                  <--  HDR, SK {SA, Nr, [KEr,] TSi, TSr}
a new IKE SA in the place of this one:
HDR, SK {SA, Ni, KEi}                             -->
                                                  <--  HDR, SK {SA, Nr, KEr}

IKE_FOLLOWUP_KE follows where more key exchanges than one were agreed on (RFC 9370 2.2.4).
"""

from __future__ import annotations

from isakmp.constants import ikev2
from isakmp.errors import MalformedPayload, Reason, Refused
from isakmp.exchange.script import (
    END,
    PROTECTED,
    SWITCH,
    Incoming,
    Outgoing,
    Script,
    Verdict,
    Wait,
    refusable,
)
from isakmp.message import values_of
from isakmp.payloads import ikev2 as codecs
from isakmp.payloads.ikev2.sa import Offer
from isakmp.policy import proposal
from isakmp.policy.spd import Proposal
from isakmp.sa import State
from isakmp.scripts.ikev2 import asked, common, rekey
from isakmp.scripts.ikev2 import child as negotiation
from isakmp.scripts.ikev2.child import PROTOCOLS, Child
from isakmp.scripts.ikev2.common import Notifies, sa_of
from isakmp.scripts.ikev2.creation import (
    Create,
    X,
    abandon,
    add_rest,
    finalize,
    refused,
    take_rest,
    taken_back,
)
from isakmp.scripts.ikev2.ike_followup_ke import IKE_FOLLOWUP_KE
from isakmp.scripts.ikev2.initial import chosen_of_choice

P, Notify = ikev2.Payload, ikev2.Notify

SPI_SIZE = 8
RESTARTS_MAX = 2
# What a peer refuses that may take no more than it has taken before.
_NARROWER = frozenset((Notify.TS_UNACCEPTABLE, Notify.SINGLE_PAIR_REQUIRED))


# --- sending ---------------------------------------------------------------------------------


def send_SA_NONCE(x: X, message: Outgoing) -> Wait:
    """What is asked for, or what is agreed to."""
    s = x.state
    if x.initiator:
        s.ni = x.host.random(common.NONCE_SIZE)
    else:
        s.nr = x.host.random(common.NONCE_SIZE)
    if s.child is None:
        yield from _send_ike(x, message)
    else:
        yield from _send_child(x, s.child, message)


def _send_child(x: X, c: Child, message: Outgoing) -> Wait:
    s = x.state
    if x.initiator:
        _check_wanted(x, c)
        if c.spi_in == 0:
            yield from negotiation.reserve_spi(x, c)
        if c.old is not None:
            first = c.old.protocols[0]
            wire = next(v2 for v2, number in PROTOCOLS.items() if number == first.chosen.protocol)
            common.add_notify(message, Notify.REKEY_SA, b"", wire, first.spi_in.to_bytes(4, "big"))
        groups = common.groups_of(c.proposals)
        s.group = s.group or (groups[0] if groups else None)
    else:
        yield from negotiation.reserve_spi(x, c)
    negotiation.add_sa(c, message)
    message.add(P.NONCE, s.ni if x.initiator else s.nr)
    yield from _add_key(x, message)
    if x.initiator:
        _check_wanted(x, c)
        asked.add_request(x, c, message)
    else:
        negotiation.add_answer(c, message)
        s.additional.methods = tuple(t.id for t in c.choice.additional)
        yield from add_rest(x, message)


def _check_wanted(x: X, c: Child) -> None:
    """While this waited, for its turn or its key, the peer may have done it already, or begun."""
    sa, old = sa_of(x), c.old
    if sa.state is not State.ESTABLISHED:
        raise Refused(Reason("sa-gone", "its IKE SA is being replaced or deleted"))
    if old is not None and old.state is not State.ESTABLISHED:
        raise Refused(Reason("superseded", "the child SA has a successor, or is gone"))


def _add_key(x: X, message: Outgoing) -> Wait:
    s = x.state
    if s.group:
        if x.initiator:
            s.key_pair = yield from common.make_key_pair(x, s.group)
            public = s.key_pair.public
        else:
            public, s.g_ir = yield from common.respond(
                x, s.group, s.ke_peer.data if s.ke_peer else b""
            )
        message.add(P.KE, common.ke_value(s.group, public))


def _send_ike(x: X, message: Outgoing) -> Wait:
    s, proposals = x.state, x.remote.proposals
    if x.initiator:
        _check_sa_wanted(x)
        s.spi_i = s.spi_i or x.host.new_cookie()
        s.group = s.group or _first_group(x, proposals)
        message.add(P.SA, proposal.offer(proposals, s.spi_i))
    else:
        s.spi_r = x.host.new_cookie()
        message.add(P.SA, proposal.answer(s.choice, s.spi_r))
    message.add(P.NONCE, s.ni if x.initiator else s.nr)
    yield from _add_key(x, message)
    if x.initiator:
        _check_sa_wanted(x)
    elif s.chosen is not None:
        s.additional.methods = s.chosen.methods
        yield from add_rest(x, message)


def _check_sa_wanted(x: X) -> None:
    if sa_of(x).state is not State.ESTABLISHED:
        raise Refused(Reason("superseded", "the IKE SA has a successor, or is gone"))


def _first_group(x: X, proposals: tuple[Proposal, ...]) -> int:
    """The group the IKE SA has now is one that both know."""
    groups, now = common.groups_of(proposals), sa_of(x).chosen.group
    return int(now) if now in groups else groups[0]


# --- receiving -------------------------------------------------------------------------------


def recv_SA_NONCE(x: X, message: Incoming) -> Wait:
    """What the peer asks for, or has agreed to."""
    s = x.state
    notifies = common.take_notifies(message)
    nonce = message.value(codecs.NONCE).data
    s.ke_peer = next(iter(message.values(codecs.KE)), None)
    if x.initiator:
        s.nr = nonce
        if s.child is None:
            yield from taken_back(x, _recv_ike_answer(x, message, notifies))
        else:
            yield from taken_back(x, _recv_child_answer(x, s.child, message, notifies))
        return
    s.ni = nonce
    if _asks_for_ike(message):
        _recv_ike_request(x, message)
    else:
        _recv_child_request(x, message, notifies)


def _asks_for_ike(message: Incoming) -> bool:
    """Whether the proposals are for an IKE SA."""
    return any(p.protocol_id == ikev2.Protocol.IKE for p in _proposals(message))


def _proposals(message: Incoming) -> list[Offer]:
    """The peer's."""
    return [p for value in values_of(message.payloads, codecs.SA) for p in value.proposals]


def _recv_child_request(x: X, message: Incoming, notifies: Notifies) -> None:
    s = x.state
    s.child = c = Child(with_group=True)
    rekey.check_child_request(x)
    if values := notifies.get(Notify.REKEY_SA):
        c.old = rekey.find_old(x, values[0])
        c.connection = c.old.connection
        x.name = c.connection.name
    negotiation.choose(x, c, message, notifies, _guess(s))
    _check_key(x, message, c.choice.group, c.proposals)


def _guess(s: Create) -> int | None:
    """The group that the peer has begun with."""
    return s.ke_peer.group if s.ke_peer else None


def _check_key(
    x: X, message: Incoming, group: int | None, proposals: tuple[Proposal, ...]
) -> None:  # fmt: skip
    """A key exchange comes exactly where one was agreed on."""
    s = x.state
    s.group = group or None
    if s.group is not None:
        common.check_group(_guess(s) or 0, s.group, proposals, _proposals(message))


def _recv_child_answer(
    x: X, c: Child, message: Incoming, notifies: Notifies
) -> Wait:  # fmt: skip
    s = x.state
    negotiation.take_answer(x, c, message, notifies)
    s.additional.methods = tuple(t.id for t in c.choice.additional)
    yield from _check_answer_key(x, c.choice.group)
    yield from take_rest(x, notifies)


def _check_answer_key(x: X, group: int | None) -> Wait:
    s = x.state
    if not group and s.ke_peer is None:
        # It has taken a proposal of ours without key exchange, where others have one.
        s.group = s.key_pair = None
        return
    if (group or None) != s.group or (s.ke_peer is None) is not (s.group is None):
        raise Refused(Reason("bad-choice", "the peer's key exchange is not what it chose"))
    if s.key_pair is not None and s.ke_peer is not None:
        if s.ke_peer.group != s.group:
            raise Refused(Reason("bad-choice", "the peer's KE is of another group than ours"))
        s.g_ir = yield from common.agree(x, s.key_pair, s.ke_peer.data)


def _recv_ike_request(x: X, message: Incoming) -> None:
    s, remote = x.state, x.remote
    rekey.check_ike_request(x)
    s.choice = proposal.choose(
        message.value(codecs.SA).proposals, remote.proposals, remote.name, remote.line,
        prefer_local=remote.ikev2.prefer_local,
        prefer_group=_guess(s),
    )  # fmt: skip
    s.spi_i = _spi(s.choice.spi)
    s.chosen = chosen_of_choice(remote, s.choice)
    _check_key(x, message, s.chosen.group, remote.proposals)


def _recv_ike_answer(x: X, message: Incoming, notifies: Notifies) -> Wait:
    s, remote = x.state, x.remote
    s.choice = proposal.check_answer(
        message.value(codecs.SA).proposals, remote.proposals, remote.name, remote.line
    )
    s.spi_r = _spi(s.choice.spi)
    s.chosen = chosen_of_choice(remote, s.choice)
    s.additional.methods = s.chosen.methods
    yield from _check_answer_key(x, s.chosen.group)
    yield from take_rest(x, notifies)


def _spi(spi: bytes) -> bytes:
    if len(spi) != SPI_SIZE or not any(spi):
        raise Refused(Reason("invalid-spi", f"{spi.hex()} is no SPI of an IKE SA"),
                      Notify.INVALID_SYNTAX)  # fmt: skip
    return spi


def recv_refusal(x: X, message: Incoming) -> Verdict:
    """Notifies alone: another group to take, something to try later, or an end."""
    s, notifies = x.state, common.take_notifies(message)
    offered = common.groups_of(s.child.proposals if s.child else x.remote.proposals)
    s.restarts += 1
    group = common.other_group(notifies, set(offered), s.group)
    if group is not None and s.restarts <= RESTARTS_MAX:
        s.group = group
        return Verdict.RESTART
    error = common.error_among(notifies)
    if error is None:
        raise MalformedPayload("HDR", 28, "an answer without SA and NONCE", "RFC 7296 1.3")
    if s.child is not None and error in _NARROWER and asked.asks_for_more(s.child):
        s.child.as_old = True
        return Verdict.RESTART
    raise refused(x, error)


SA, NONCE = P.SA, P.NONCE

create_child_sa_initiator = (send_SA_NONCE, recv_SA_NONCE)
create_child_sa_responder = (recv_SA_NONCE, send_SA_NONCE)
create_child_sa_syntax = (PROTECTED, SA, NONCE, SWITCH, PROTECTED, SA, NONCE, END)

CREATE_CHILD_SA = refusable(Script(
    "CREATE_CHILD_SA", ikev2.Exchange.CREATE_CHILD_SA, create_child_sa_initiator,
    create_child_sa_responder, create_child_sa_syntax, Create, finalize, abandon,
    follows=lambda x: IKE_FOLLOWUP_KE if x.state.additional.methods else None,
), (int(P.NOTIFY),), recv_refusal)  # fmt: skip
