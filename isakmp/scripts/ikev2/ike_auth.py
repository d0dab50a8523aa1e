"""IKE_AUTH with shared keys: RFC 7296 1.2, 2.15, 2.21.2; RFC 6023 (no child SA), 9242.

    initiator                                          responder
    HDR, SK {IDi, [IDr,] AUTH, [SAi2, TSi, TSr]}  -->
                                                  <--  HDR, SK {IDr, AUTH, [SAr2, TSi, TSr]}

Each end proves itself over its IKE_SA_INIT message, the other's nonce and its identity. An IKE SA
is good also where its child SA is refused: the answer then holds a notify in its place.
"""

from __future__ import annotations

from isakmp.auth import method
from isakmp.chosen import ChosenIkev2
from isakmp.constants import ikev2, ipsec, name_of
from isakmp.crypto import skeyseed
from isakmp.crypto.skeyseed import SkKeys
from isakmp.errors import MalformedPayload, Reason, Refused
from isakmp.exchange.script import (
    END,
    PROTECTED,
    SWITCH,
    Incoming,
    Outgoing,
    Script,
    Wait,
    refusable,
)
from isakmp.payloads import ikev2 as codecs
from isakmp.payloads.base import Codec
from isakmp.payloads.ikev2.auth import AuthValue
from isakmp.payloads.ikev2.id import IdValue
from isakmp.policy import proposal
from isakmp.policy.identity import MAX_NAME_BYTES, local_id_of
from isakmp.policy.peers import IKE_SA_INIT
from isakmp.policy.sameness import same_identity
from isakmp.policy.spd import Caller, Identity, Wish
from isakmp.sa import IsakmpSa, State
from isakmp.scripts.ikev2 import asked, common, less, ppk, twins
from isakmp.scripts.ikev2 import child as negotiation
from isakmp.scripts.ikev2.child import Child
from isakmp.scripts.ikev2.common import Notifies, sa_of
from isakmp.scripts.ikev2.informational import take_back
from isakmp.scripts.ikev2.initial import Initial, X

P, Notify = ikev2.Payload, ikev2.Notify
_ADDRESSES = (ipsec.Id.IPV4_ADDR, ipsec.Id.IPV6_ADDR)

_IDENTITIES = frozenset(ipsec.Id(int(kind)) for kind in (
    ikev2.Id.IPV4_ADDR, ikev2.Id.FQDN, ikev2.Id.RFC822_ADDR, ikev2.Id.IPV6_ADDR,
    ikev2.Id.DER_ASN1_DN, ikev2.Id.DER_ASN1_GN, ikev2.Id.KEY_ID,
))  # fmt: skip


# --- identities ------------------------------------------------------------------------------


def id_value(identity: Identity) -> IdValue:
    """What an IDi or IDr payload is built from; both versions number their types alike."""
    return IdValue(int(identity.type), identity.data)


def id_body(identity: Identity) -> bytes:
    """IDi' or IDr' of RFC 7296 2.15: the payload without its generic header."""
    return codecs.IDI.build(id_value(identity))


def take_id(message: Incoming, codec: Codec[IdValue]) -> tuple[Identity, bytes]:
    """The identity of an IDi or IDr payload, and its octets. Refused where its type is not
    known, or it is longer than any that is kept."""
    payload = message.take(codec.type)
    value = payload.of(codec)
    if value.type not in _IDENTITIES:
        name = name_of(ikev2.Id, value.type)
        reason = Reason("invalid-identity", f"identity type {name} is not taken",
                        acceptable=", ".join(i.name for i in sorted(_IDENTITIES)))  # fmt: skip
        raise Refused(reason, Notify.AUTHENTICATION_FAILED)
    if len(value.data) > MAX_NAME_BYTES:
        reason = Reason("invalid-identity", "the peer's identity is too long",
                        came=f"{len(value.data)} octets", acceptable=f"{MAX_NAME_BYTES} at most",
                        mend="set a shorter ID at the peer")  # fmt: skip
        raise Refused(reason, Notify.AUTHENTICATION_FAILED)
    return Identity(ipsec.Id(value.type), value.data), payload.body


# --- steps -----------------------------------------------------------------------------------


def send_ID_AUTH_SA_TS(x: X, message: Outgoing) -> Wait:
    """Who we are, the proof, and the child SA: the offer of it, or the choice."""
    s = x.state
    s.local_id = s.local_id or local_id_of(x.remote, x.path)
    s.local_body = id_body(s.local_id)
    message.add(P.IDI if x.initiator else P.IDR, s.local_body)
    if x.initiator:
        if x.remote.unique.alone and not x.host.sas.knows(x.remote.name):
            common.add_notify(message, Notify.INITIAL_CONTACT)
        if wanted := _asked_for(x):
            message.add(P.IDR, id_value(wanted))
    add_auth(x, message)
    if x.initiator:
        yield from _offer_child(x, message)
    else:
        yield from _answer_child(x, message)
    ppk.add(x, message, lambda sk: _proof(x, sk))


def _asked_for(x: X) -> Identity | None:
    """Whom an initiator asks for (RFC 7296 2.15, IDr), where it does."""
    return x.remote.remote_id if x.initiator and x.remote.ikev2.send_idr else None


def _offer_child(x: X, message: Outgoing) -> Wait:
    c = x.state.child
    if c is None or _childless(x):
        x.state.child = None
        return
    yield from negotiation.reserve_spi(x, c)
    negotiation.add_sa(c, message)
    asked.add_request(x, c, message)


def _childless(x: X) -> bool:
    """Whether the first child SA has an exchange of its own (RFC 6023)."""
    can = Notify.CHILDLESS_IKEV2_SUPPORTED in x.state.supports
    return can and x.remote.ikev2.childless is Wish.FORCE


def _answer_child(x: X, message: Outgoing) -> Wait:
    """The child SA, or why there is none."""
    s, c = x.state, x.state.child
    if c is None:
        return
    if s.refusal is None:
        try:
            yield from negotiation.reserve_spi(x, c)
            yield from negotiation.install_inbound(x, c, sa_of(x), s.ni, s.nr)
        except Refused as refused:
            s.refusal = refused.kept()
        if s.remote_id is not None:  # it may have come from elsewhere, too, while this waited
            x.host.owner.places.admit(x.remote, s.remote_id, x.path, sa_of(x).nat)
    if s.refusal is None:
        negotiation.add_sa(c, message)
        negotiation.add_answer(c, message)
    else:
        common.add_notify(message, s.refusal.notify or Notify.NO_PROPOSAL_CHOSEN, s.refusal.data)


def recv_ID_AUTH_SA_TS(x: X, message: Incoming) -> Wait:
    """Who the peer is and whether it knows the secret; then the child SA."""
    s, sa = x.state, sa_of(x)
    _expect_proof(message)
    notifies = common.take_notifies(message)
    s.remote_id, s.remote_body = take_id(message, codecs.IDR if x.initiator else codecs.IDI)
    if x.initiator:
        _expect_identity(x, s.remote_id)
    else:
        wanted = take_id(message, codecs.IDR)[0] if message.has(P.IDR) else None
        begun, catalog = x.remote, x.host.owner.catalog
        x.remote = catalog.identify(begun, Caller(s.remote_id, wanted, x.path.remote), IKE_SA_INIT)
        if x.remote is not begun:
            _expect_algorithms(x, sa)
        sa.remote, s.local_id, sa.asked_for = x.remote, _own_id(x, wanted), wanted
    take_auth(x, message, notifies)
    if x.initiator:
        x.path = s.nat.settled(x.path, message.path)
    _expect_no_refusal(x, notifies)
    if not x.initiator:
        _proven(x, sa, s.remote_id)
    s.initial_contact = Notify.INITIAL_CONTACT in notifies
    if x.initiator:
        yield from _take_child(x, message, notifies)
        if x.unwanted is not None:
            raise Refused(x.unwanted)
    else:
        _choose_child(x, message, notifies)


def _expect_proof(message: Incoming) -> None:
    """A request without AUTH asks for EAP (2.16), and is well formed."""
    if not message.has(P.AUTH):
        raise Refused(
            Reason("unsupported-authentication", "the peer wants to prove itself by EAP",
                   came="no AUTH payload", acceptable=ikev2.Auth.SHARED_KEY_MIC.name),
            Notify.AUTHENTICATION_FAILED,
        )  # fmt: skip


def _expect_algorithms(x: X, sa: IsakmpSa) -> None:
    """Those of the peer that it is: IKE_SA_INIT knew its address only, and took that one's."""
    ours, chosen = x.remote.proposals, sa.chosen
    if isinstance(chosen, ChosenIkev2) and not proposal.permits(ours, chosen):
        raise Refused(
            Reason("no-proposal-chosen", f"peer {x.remote.name} may not have what its IKE SA has",
                   came=str(chosen), acceptable=", ".join(p.name for p in ours),
                   line=ours[0].line if ours else x.remote.line,
                   mend="the sections that share an address need a proposal in common"),
            Notify.AUTHENTICATION_FAILED,
        )  # fmt: skip


def _expect_identity(x: X, came: Identity) -> None:
    wanted = x.remote.remote_id
    if wanted is not None and not same_identity(wanted, came):
        raise Refused(
            Reason("wrong-identity", f"peer {x.remote.name} must have another identity",
                   came=f"{came.type.name} {came}", acceptable=f"{wanted.type.name} {wanted}",
                   line=wanted.line or x.remote.line,
                   mend=f"set Remote-ID of [{x.remote.name}], or the peer's own identity"),
            Notify.AUTHENTICATION_FAILED,
        )  # fmt: skip


def _own_id(x: X, wanted: Identity | None) -> Identity | None:
    """As responder, who we say we are; None for our address. Behind a NAT of our own that is the
    one that the peer knows us by, if it says so: any other identity has to be configured, or
    everybody with the secret would be whom the peer expects."""
    known = x.remote.local_id
    if known is None and wanted is not None and x.state.nat.local:
        return wanted if wanted.type in _ADDRESSES else None
    return known


def _expect_no_refusal(x: X, notifies: Notifies) -> None:
    """The responder may prove itself and still not take us; other errors are of the child SA."""
    error = next((n for n in notifies if n in common.FATAL_AT_FIRST), None)
    if x.initiator and error is not None:
        raise _refused_by_peer(x, error)


def _choose_child(x: X, message: Incoming, notifies: Notifies) -> None:
    """As responder: what child SA there may be, if one is asked for."""
    s = x.state
    if not message.has(P.SA):
        if x.remote.ikev2.childless is Wish.NO:
            reason = Reason("childless-refused", "the peer asks for no child SA, which it must",
                            line=x.remote.line, mend="set Childless= yes")  # fmt: skip
            raise Refused(reason, Notify.INVALID_SYNTAX)
        return
    s.child = Child()
    try:
        negotiation.choose(x, s.child, message, notifies)
    except Refused as refused:
        s.refusal = refused.kept()


def _take_child(x: X, message: Incoming, notifies: Notifies) -> Wait:
    """As initiator: the child SA, or the notify that says why there is none."""
    s, c = x.state, x.state.child
    if c is None:
        return
    error = common.error_among(notifies)
    if not message.has(P.SA):
        s.refusal = negotiation.refused_by_peer(x, c, error or Notify.NO_PROPOSAL_CHOSEN)
        return
    try:
        negotiation.take_answer(x, c, message, notifies)
        yield from negotiation.install_inbound(x, c, sa_of(x), s.ni, s.nr)
    except Refused as refused:
        s.refusal, s.unwanted = refused.kept(), True


# --- AUTH ------------------------------------------------------------------------------------


def add_auth(x: X, message: Outgoing) -> None:
    """Append the proof that we know the secret."""
    number = int(ikev2.Auth.SHARED_KEY_MIC)
    message.add(P.AUTH, AuthValue(number, _proof(x, ppk.own_keys(x))))


def _proof(x: X, sk: SkKeys) -> bytes:
    how = method(ikev2.Auth.SHARED_KEY_MIC)
    return how.prove(sa_of(x).keys.prf, _secret(x), _octets(x, sk, ours=True))


def take_auth(x: X, message: Incoming, notifies: Notifies) -> None:
    """Check the peer's proof, which ends what others have answered. Refused with
    AUTHENTICATION_FAILED where it is none."""
    value = message.value(codecs.AUTH)
    how = method(value.method)
    keys, secret = sa_of(x).keys, _secret(x)
    data = ppk.settle(x, notifies, value.data)

    def fits(data: bytes, sk: SkKeys) -> bool:
        return how.check(keys.prf, secret, _octets(x, sk, ours=False), data)

    if twins.proven(x, lambda: fits(data, keys.sk)):
        x.host.candidates.proven(x)
        return
    reason = ppk.differs(x, notifies, fits) or _wrong_secret(x)
    raise Refused(ppk.told(x, reason, notifies), Notify.AUTHENTICATION_FAILED)


def _wrong_secret(x: X) -> Reason:
    return Reason("authentication-failed", "the peer's AUTH does not fit our pre-shared key",
                  came=f"identity {x.state.remote_id}", line=_secret_line(x),
                  mend="make the Authentication of both ends the same")  # fmt: skip


def _proven(x: X, sa: IsakmpSa, came: Identity) -> None:
    """The peer is who it says. Refused where it may not be there, too, or have another IKE SA."""
    x.host.owner.places.admit(x.remote, came, x.path, sa.nat)
    sa.remote_id = came
    sa.find_peer()
    if reason := x.host.bounds.sa(x.remote, sa.who):
        raise Refused(reason, Notify.TEMPORARY_FAILURE)


def _secret(x: X) -> bytes:
    """Of whom the initiator asks for, whoever answers; of whom the responder is asked by."""
    return x.host.owner.catalog.secret(x.remote, _said(x))


def _secret_line(x: X) -> str:
    return x.host.owner.catalog.secret_line(x.remote, _said(x))


def _said(x: X) -> Identity | None:
    """Who asks us; nobody where we ask."""
    return None if x.initiator else x.state.remote_id


def _octets(x: X, sk: SkKeys, *, ours: bool) -> bytes:
    """InitiatorSignedOctets or ResponderSignedOctets, RFC 7296 2.15, RFC 9242 3.3.2."""
    s, prf = x.state, sa_of(x).keys.prf
    if x.initiator is ours:
        message, nonce, sk_p = s.message_1, s.nr, sk.pi
    else:
        message, nonce, sk_p = s.message_2, s.ni, sk.pr
    body = s.local_body if ours else s.remote_body
    return skeyseed.signed_octets(prf, message, nonce, sk_p, body) + s.int_auth.octets


# --- ends ------------------------------------------------------------------------------------


def recv_refusal(x: X, message: Incoming) -> None:
    """Notifies alone, under the keys: the peer refuses us."""
    error = common.error_among(common.take_notifies(message))
    if error is None:
        raise MalformedPayload("HDR", 28, "an answer without IDr and AUTH", "RFC 7296 1.2")
    raise _refused_by_peer(x, error)


def _refused_by_peer(x: X, error: int) -> Refused:
    """The reason that the peer's refusal of our proof is, by the line of what it refuses."""
    line = _secret_line(x) if error == Notify.AUTHENTICATION_FAILED else ""
    wanted = _asked_for(x)
    offered = f"identity {x.state.local_id}" + (f" for {wanted}" if wanted else "")
    if x.state.use_ppk and x.remote.ikev2.ppk is not None:
        offered += f", PPK {x.remote.ikev2.ppk}"
    refused = common.refused_by_peer(x, error, proven=True, offered=offered, line=line)
    return Refused(ppk.told(x, refused.reason, {}))


def finalize(x: X) -> None:
    """Both have proved themselves: here are the IKE SA and its first child SA."""
    s, sa, owner = x.state, sa_of(x), x.host.owner
    _complete(x, sa, s)
    c = s.child
    if x.initiator and x.remote.ikev2.reauth_s:
        sa.reauth_at = x.host.now() + x.remote.ikev2.reauth_s
    owner.established(sa, c.connection if c else None)
    ppk.audit(x)
    sa.keys.earlier = ()
    if c is not None and s.refusal is None:
        child = negotiation.make(x, c, sa, s.ni, s.nr)
        owner.children.child_established(child, c.specs)
        less.tell(x, c, child)
    if s.initial_contact:
        # Its child SA is there before what it replaces goes: the traffic always has one.
        owner.places.initial_contact(sa)
    owner.places.returned(sa)
    if c is not None and s.refusal is not None:
        _child_refused(x, c, s.refusal)


def _complete(x: X, sa: IsakmpSa, s: Initial) -> None:
    if s.local_id is None or s.remote_id is None:
        raise MalformedPayload("ID", 28, "an identity is missing", "RFC 7296 1.2")
    sa.local_id, sa.remote_id, sa.state = s.local_id, s.remote_id, State.ESTABLISHED
    sa.established, sa.tiebreak, sa.path = x.host.now(), min(s.ni, s.nr), x.path
    sa.remote, sa.exchange_type = x.remote, x.script.exchange_type
    sa.ids.opening = x.message_id + 1
    sa.find_peer()


def _child_refused(x: X, c: Child, refusal: Refused) -> None:
    """The IKE SA stays. What the peer believes to be up is taken down."""
    if x.state.unwanted:
        take_back(x, c)
    negotiation.give_back(x, c)
    if x.initiator:
        connection = negotiation.connection_of(c)
        x.host.owner.connections.child_refused(connection, refusal.reason)
    x.host.remark(x, refusal.reason)


def abandon(x: X) -> None:
    """Give the SPI back."""
    if x.state.child is not None and x.state.child.connection is not None:
        negotiation.give_back(x, x.state.child)


IDI, IDR = P.IDI, P.IDR
AUTH = P.AUTH

ike_auth_initiator = (send_ID_AUTH_SA_TS, recv_ID_AUTH_SA_TS)
ike_auth_responder = (recv_ID_AUTH_SA_TS, send_ID_AUTH_SA_TS)
ike_auth_syntax = (PROTECTED, IDI, SWITCH, PROTECTED, IDR, AUTH, END)

IKE_AUTH = refusable(Script(
    "IKE_AUTH", ikev2.Exchange.IKE_AUTH, ike_auth_initiator, ike_auth_responder, ike_auth_syntax,
    Initial, finalize, abandon, establishes=True,
), (int(P.NOTIFY),), recv_refusal)  # fmt: skip
