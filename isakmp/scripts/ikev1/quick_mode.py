"""Quick mode: RFC 2409 5.5, RFC 2407 4.5, RFC 3947 5.

    initiator                                    responder
    HDR*, HASH(1), SA, Ni [, KE] [, IDci, IDcr]  -->
                                            <--  HDR*, HASH(2), SA, Nr [, KE] [, IDci, IDcr]
    HDR*, HASH(3)                                -->
                                          [ <--  HDR*, HASH(1), N(CONNECTED) ]

    or instead of the second                <--  HDR*, HASH(2), N

No packet is lost: each end installs its inbound SA before it sends the message that lets the
peer use it, and its outbound SA once the peer's inbound one must be there. The last message is
sent where the responder set the commit bit (RFC 2408 3.1). No key protects that bit: where the
last message does not come, or the same answer comes without the bit, before the first is done with
or after, it may have been forged, and the SAs are used without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from hmac import compare_digest

from isakmp import payloads as codecs
from isakmp.app.base import Limits, SaSpec, bundle_order
from isakmp.constants import DOI_IPSEC, ipsec, isakmp
from isakmp.constants.key_exchange import Method
from isakmp.crypto import agreement, keymat
from isakmp.crypto.lengths import key_octets
from isakmp.errors import MalformedPayload, Reason, Refused
from isakmp.exchange.exchange import Exchange
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
from isakmp.log.log import LogClass
from isakmp.message import values_of
from isakmp.payloads.data_attribute import DataAttribute, build_attributes
from isakmp.payloads.nat_oa import AddressValue
from isakmp.payloads.notify import NotifyValue
from isakmp.payloads.sa import Offer, SaValue, TransformValue
from isakmp.payloads.shapes import ProposalValue
from isakmp.policy.algorithms import in_ikev1
from isakmp.policy.children import is_transport
from isakmp.policy.match import Chosen, choose_ipsec, describe
from isakmp.policy.spd import Connection, IpsecTransform, Selector, Suite
from isakmp.policy.supported import or_lacking
from isakmp.sa import ChildProtocol, ChildSa, offered_bits
from isakmp.scripts import ipsec_sa
from isakmp.scripts.ikev1 import nat
from isakmp.scripts.ikev1.phase_1 import (
    NONCE_SIZE,
    agree,
    check_nonce,
    id_body,
    life_attributes,
    take_sa,
)
from isakmp.scripts.ikev1.phase_2 import check_hash, recv_refusal, take_hash, unverified
from isakmp.scripts.ikev1.quick import Quick, X, connection_of, parent, selector_of
from isakmp.scripts.ikev1.traffic import check_ids, take_ids

P = isakmp.Payload
_COMMIT = int(isakmp.Flag.COMMIT)
# How long an SA lives where no lifetime is said, in seconds (RFC 2407 4.5).
DEFAULT_LIFE_S = 28800


# --- message 1 and 2, sending ----------------------------------------------------------------


def send_HASH_SA_NONCE(x: X, message: Outgoing) -> Wait:
    """The initiator's offer; the responder's choice, its inbound SA then being in place."""
    keys, s = parent(x).keys, x.state
    if x.initiator:
        suites = _offer(x)
        yield from _get_spis(x, sorted({p.protocol for suite in suites for p in suite.protocols}))
        message.add(P.SA, _proposals(x, suites))
        s.ni_b = x.host.random(NONCE_SIZE)
        message.add(P.NONCE, s.ni_b)
        message.hash_over = lambda rest: keymat.quick_hash_1(
            keys.prf, keys.skeyid_a, x.message_id, rest
        )
    else:
        yield from _get_spis(x, [isakmp.Protocol(c.what.protocol) for c in s.chosen])
        message.add(P.SA, _answer(x))
        s.nr_b = x.host.random(NONCE_SIZE)
        message.add(P.NONCE, s.nr_b)
        message.hash_over = lambda rest: keymat.quick_hash_2(
            keys.prf, keys.skeyid_a, x.message_id, s.ni_b, rest
        )
    yield from _add_key(x, message)
    for body in s.id_bodies:
        message.add(P.ID, body)
    _add_nat_oa(x, message)
    if x.initiator:
        parent(x).ids.offered = True
    else:
        _add_responder_lifetime(x, message)
        yield from _install_inbound(x)
        s.agreed = x.host.now()


def _offer(x: X) -> list[Suite]:
    """The suites to propose: those of the first one's PFS group, since there is one KE only."""
    s, connection = x.state, connection_of(x)
    s.id_bodies = (id_body(connection.local_id), id_body(connection.remote_id))
    s.selector = connection.selector
    usable = [suite for suite in connection.suites if all(map(in_ikev1, suite.transforms))]
    if not usable:
        raise Refused(
            Reason("nothing-to-offer", "the IPsec stack has no suite that IKEv1 can say",
                   came=", ".join(suite.name for suite in connection.suites), line=connection.line),
        )  # fmt: skip
    s.group = usable[0].transforms[0].group
    return [suite for suite in usable if all(t.group == s.group for t in suite.transforms)]


def _get_spis(x: X, protocols: list[isakmp.Protocol]) -> Wait:
    connection, s = connection_of(x), x.state
    s.reqid = x.host.owner.connections.reqid(connection.name, (selector_of(x),), x)
    for protocol in protocols:
        s.spis[protocol] = yield from ipsec_sa.reserve_spi(x, protocol, connection, s.reqid)


def _proposals(x: X, suites: list[Suite]) -> SaValue:
    return _sa_value(
        _proposal(x, number, ours.protocol,
                  tuple(_transform(x, i, t) for i, t in enumerate(ours.transforms, 1)))
        for number, suite in enumerate(suites, 1)
        for ours in suite.protocols
    )  # fmt: skip


def _sa_value(proposals: Iterable[Offer]) -> SaValue:
    return SaValue(DOI_IPSEC, ipsec.Situation.IDENTITY_ONLY, tuple(proposals))


def _proposal(x: X, number: int, protocol: int, transforms: tuple[TransformValue, ...]) -> Offer:
    """With our SPI."""
    return ProposalValue(number, protocol, x.state.spis[protocol].to_bytes(4, "big"), transforms)


def _transform(x: X, number: int, ours: IpsecTransform) -> TransformValue:
    kind = ipsec.Attribute
    mode = nat.on_the_wire(ours.encapsulation, parent(x).nat)
    pairs: list[tuple[int, int | None]] = [
        (kind.ENCAPSULATION_MODE, mode),
        (kind.AUTHENTICATION_ALGORITHM, ours.auth),
        (kind.GROUP_DESCRIPTION, ours.group),
        (kind.KEY_LENGTH, offered_bits(ours.key_bits) or None),
    ]
    attributes = life_attributes(
        kind.LIFE_TYPE, kind.LIFE_DURATION, ours.life.seconds and ours.life.seconds.offer,
        ours.life.kilobytes and ours.life.kilobytes.offer,
    )  # fmt: skip
    attributes += [DataAttribute(number, int(v)) for number, v in pairs if v is not None]
    return TransformValue(number, ours.transform_id, tuple(attributes))


def _answer(x: X) -> SaValue:
    """The chosen transforms as they came, with our SPIs (RFC 2408 4.2)."""
    return _sa_value(
        _proposal(x, c.proposal.number, c.what.protocol, c.transforms) for c in x.state.chosen
    )


def _add_key(x: X, message: Outgoing) -> Wait:
    """With PFS, our public value; the responder can derive g_qm_xy as well."""
    s = x.state
    if s.group is None:
        return
    s.key_pair = yield from agreement.key_pair(x.host.work, x.host.random, s.group)
    message.add(P.KE, s.key_pair.public)
    if not x.initiator:
        yield from _agree(x)


def _add_nat_oa(x: X, message: Outgoing) -> None:
    """The original addresses, for transport mode behind a NAT (RFC 3947 5.2)."""
    found = parent(x).nat
    modes = {t.encapsulation for u in connection_of(x).suites for p in u.protocols
             for t in p.transforms}  # fmt: skip
    if not x.initiator:
        modes = {c.what.encapsulation for c in x.state.chosen}
    if not found.found or ipsec.Encapsulation.TRANSPORT not in modes:
        return
    kind = P.NAT_OA_DRAFT if nat.is_draft(found) else P.NAT_OA
    ours, theirs = x.path.local, x.path.remote
    for address in (ours, theirs) if x.initiator else (theirs, ours):
        id_type = ipsec.Id.IPV4_ADDR if address.version == 4 else ipsec.Id.IPV6_ADDR
        message.add(kind, AddressValue(id_type, address.packed))


def _add_responder_lifetime(x: X, message: Outgoing) -> None:
    """Say so where our SA lives shorter than the initiator asked, or than it takes for granted
    where it has not asked (RFC 2407 4.6.3.1)."""
    chosen = x.state.chosen[0]
    if not 0 < chosen.what.life_s < (chosen.asked_s or DEFAULT_LIFE_S):
        return
    kind = ipsec.Attribute
    attributes = life_attributes(kind.LIFE_TYPE, kind.LIFE_DURATION, chosen.what.life_s, None)
    spi = x.state.spis[chosen.what.protocol].to_bytes(4, "big")
    about = chosen.what.protocol, isakmp.Notify.RESPONDER_LIFETIME, spi
    message.add(P.NOTIFY, NotifyValue(DOI_IPSEC, *about, build_attributes(attributes)))


# --- message 1 and 2, receiving --------------------------------------------------------------


def prove(x: Exchange, s: Quick, message: Incoming) -> None:
    """Whether HASH(1) or HASH(2) fits, of whatever is behind it: who is wrong is to hear so, with
    its own SPI. An answer that says nothing may have another one behind it."""
    first = message.payloads[0] if message.payloads else None
    if first is None or first.type != P.HASH or x.step > 1:
        return
    keys, rest = parent(x).keys, message.after(first)
    if x.initiator:
        if P.SA not in message.kinds and P.NONCE not in message.kinds:
            return
        expected = keymat.quick_hash_2(keys.prf, keys.skeyid_a, x.message_id, s.ni_b, rest)
    else:
        expected = keymat.quick_hash_1(keys.prf, keys.skeyid_a, x.message_id, rest)
    message.proven = compare_digest(first.body, expected)
    if message.proven:
        parent(x).ids.spoken = True
        offers = (value.proposals for value in values_of(message.payloads, codecs.SA))
        s.first_spi = next((one.spi for offer in offers for one in offer), b"")
    if x.initiator and message.proven:
        s.committed = message.commit if message.header.flags & _COMMIT else b""


def recv_HASH_SA_NONCE(x: X, message: Incoming) -> Wait:
    """The responder chooses; the initiator checks the choice against its offer."""
    s = x.state
    take_hash(message)
    if not message.proven:
        raise unverified()
    proposals = take_sa(message).of(codecs.SA).proposals
    payload, s.agreed = message.take(P.NONCE), x.host.now()
    nonce = payload.of(codecs.NONCE).data
    check_nonce(nonce, payload.offset)
    for kind in (P.NAT_OA, P.NAT_OA_DRAFT):
        message.take_all(kind)
    if x.initiator:
        s.nr_b = nonce
        yield from _recv_answer(x, message, proposals)
    else:
        s.ni_b = nonce
        _recv_offer(x, message, proposals)


def _recv_offer(x: X, message: Incoming, proposals: Sequence[Offer]) -> None:
    s, sa = x.state, parent(x)
    selector = take_ids(x, message)
    if reason := x.host.bounds.often(sa.who):
        raise Refused(reason, isakmp.Notify.NO_PROPOSAL_CHOSEN)
    s.connection, s.selector = _find(x, selector, nat.asks_for_transport(proposals))
    connection, selectors = connection_of(x), (s.selector,)
    x.name = connection.name
    ipsec_sa.check_room(x, sa, connection, selectors, isakmp.Notify.NO_PROPOSAL_CHOSEN)
    ipsec_sa.check_traffic(x, sa, connection, selectors, isakmp.Notify.INVALID_ID_INFORMATION)
    s.chosen = _choose(proposals, connection)
    for chosen in s.chosen:
        _log_choice(x, "accepts", chosen)
    _take_key(x, message, s.chosen[0].what.group)


def _choose(proposals: Sequence[Offer], connection: Connection) -> list[Chosen]:
    def among(one: Connection) -> list[Chosen]:
        return choose_ipsec(proposals, one.suites, one.line)

    try:
        return among(connection)
    except Refused as refused:
        raise or_lacking(connection, refused, among) from None


def _find(x: X, came: Selector, transport: bool) -> tuple[Connection, Selector]:
    """The connection, and its traffic; of transport mode behind NAT with the addresses that we see,
    or where there is none such, with those that came."""
    sa, find = parent(x), x.host.owner.catalog.find_connection
    seen = nat.as_seen(came, sa.nat, x.path) if transport else came
    with suppress(Refused):
        found = find(sa.remote, seen)
        if seen == came or is_transport(found[0]):
            return found
    return find(sa.remote, came)


def _recv_answer(x: X, message: Incoming, proposals: Sequence[Offer]) -> Wait:
    s = x.state
    if any(len(p.transforms) != 1 for p in proposals):
        raise Refused(
            Reason("bad-choice", "the peer's answer holds more than one transform"),
            isakmp.Notify.BAD_PROPOSAL_SYNTAX,
        )
    connection = connection_of(x)
    s.chosen = choose_ipsec(proposals, connection.suites, connection.line)
    for chosen in s.chosen:
        _log_choice(x, "peer chose", chosen)
    check_ids(message, s.id_bodies, connection)
    _take_key(x, message, s.group)
    if s.group is not None:
        yield from _agree(x)


def _log_choice(x: X, verb: str, chosen: Chosen) -> None:
    if x.host.log.on(LogClass.NEGOTIATION, 30):
        what = describe(chosen.what)
        x.host.log.debug(LogClass.NEGOTIATION, 30, "%s: %s %s (%s)", x, verb, what,
                         chosen.what.name)  # fmt: skip


def _take_key(x: X, message: Incoming, group: Method | None) -> None:
    """KE must be there exactly where PFS was agreed on."""
    x.state.group = group
    values = message.values(codecs.KE)
    if (group is None) == bool(values):
        said = "with a KE payload but without PFS" if values else "with PFS but no KE payload"
        raise Refused(Reason("invalid-key-information", f"the peer's message comes {said}"),
                      isakmp.Notify.INVALID_KEY_INFORMATION)  # fmt: skip
    if values:
        x.state.g_qm_peer = values[0].data


def _agree(x: X) -> Wait:
    s = x.state
    if s.key_pair is not None:
        s.g_qm_xy = yield from agree(x, s.key_pair, s.g_qm_peer)


# --- message 3 and 4 -------------------------------------------------------------------------


def send_HASH(x: X, message: Outgoing) -> Wait:
    """Proof that we are alive; our inbound SA is in place when the peer reads it."""
    yield from _install_inbound(x)
    keys, s = parent(x).keys, x.state
    hash_3 = keymat.quick_hash_3(keys.prf, keys.skeyid_a, x.message_id, s.ni_b, s.nr_b)
    message.add(P.HASH, hash_3)
    if s.unconfirmed:
        x.follow(QUICK_MODE)


def recv_HASH(x: X, message: Incoming) -> None:
    """The initiator is alive: this was no replay."""
    keys, s = parent(x).keys, x.state
    expected = keymat.quick_hash_3(keys.prf, keys.skeyid_a, x.message_id, s.ni_b, s.nr_b)
    check_hash(take_hash(message)[0], expected)


def take_without_commit_bit(x: Exchange, flags: int, datagram: bytes) -> bool:
    """Whether it is the answer that came with the commit bit, or is looked at, without it. One of
    the two was forged, so the SAs are used, now or once our last message has left. It is known by
    its last block, as nothing in the header is protected."""
    s = x.state
    if not isinstance(s, Quick) or not (x.looks or x.script is QUICK_MODE_COMMIT):
        return False
    if flags & _COMMIT or not s.committed or not datagram.endswith(s.committed):
        return False
    s.unconfirmed = True
    x.host.conclude(x)
    return True


def recv_CONNECTED(x: X, message: Incoming) -> None:
    """The responder that set the commit bit is ready."""
    keys = parent(x).keys
    received, rest = take_hash(message)
    check_hash(received, keymat.quick_hash_1(keys.prf, keys.skeyid_a, x.message_id, rest))
    notify = message.take(P.NOTIFY)
    if notify.of(codecs.NOTIFY).notify != isakmp.Notify.CONNECTED:
        raise MalformedPayload("NOTIFY", notify.offset, "is not CONNECTED", "RFC 2408 3.1")


# --- SAs -------------------------------------------------------------------------------------


def _install_inbound(x: X) -> Wait:
    """Derive the keys of every SA; give the application the inbound ones."""
    s = x.state
    s.limits, s.in_udp = _limits(x), any(chosen.in_udp for chosen in s.chosen)
    for chosen in s.chosen:
        peer_spi = int.from_bytes(chosen.proposal.spi, "big")
        if len(chosen.proposal.spi) != 4 or peer_spi < 256:
            raise Refused(
                Reason("invalid-spi", f"SPI {chosen.proposal.spi.hex()} of the peer is reserved"),
                isakmp.Notify.INVALID_SPI,
            )
        # Peers behind one address share its SPIs: the stack would take the other's SA for this.
        taken = x.host.sas.child_by_spi(chosen.what.protocol, peer_spi, str(x.path.remote))
        if taken is not None and taken.peer != parent(x).peer:
            raise Refused(
                Reason("spi-taken", f"SPI {peer_spi:08x} is another peer's at this address"),
                isakmp.Notify.NO_PROPOSAL_CHOSEN,
            )
        inbound = _spec(x, chosen, s.spis[chosen.what.protocol], inbound=True)
        s.specs += [inbound, _spec(x, chosen, peer_spi, inbound=False)]
        yield x.host.app.update_sa(inbound)


def _limits(x: X) -> Limits:
    """The negotiated lifetimes, or the responder's shorter one."""
    what, theirs_s = x.state.chosen[0].what, x.state.responder_life_s
    seconds = min(what.life_s or theirs_s, theirs_s) if theirs_s else what.life_s
    return ipsec_sa.limits(x, seconds, what.life_kb, connection_of(x).packets)


def _spec(x: X, chosen: Chosen, spi: int, *, inbound: bool) -> SaSpec:
    """One SA with its keys: KEYMAT = prf+(SKEYID_d, [g_qm_xy |] protocol | SPI | Ni | Nr)."""
    s, keys, what = x.state, parent(x).keys, chosen.what
    encryption, auth = key_octets(what.protocol, what.transform_id, what.key_bits, what.auth)
    material = keymat.keymat(
        keys.prf, keys.skeyid_d, what.protocol, spi.to_bytes(4, "big"), s.ni_b, s.nr_b,
        encryption + auth, s.g_qm_xy,
    )  # fmt: skip
    ends, ports = ipsec_sa.ends(x.path, inbound=inbound)
    selector = selector_of(x)
    # Around the innermost protocol of a bundle the others are applied to what it has made.
    several = len(s.chosen) > 1
    around = several and what.protocol != bundle_order(c.what.protocol for c in s.chosen)[0]
    mode = ipsec.Encapsulation.TRANSPORT if around else what.encapsulation
    spec = SaSpec(
        what.protocol, spi, *ends, mode, inbound,
        (selector.reversed() if inbound else selector,), s.reqid,
        what.transform_id, material[:encryption], what.auth, material[encryption:],
        what.replay_window, s.limits, ports if s.in_udp else None,
    )  # fmt: skip
    x.host.owner.keyed(spec)
    return spec


def finalize(x: X) -> None:
    """Both ends are ready: the outbound SAs, and the child SA is up. Where others have got its
    traffic meanwhile, the peer, which has its SAs, hears that there are none."""
    s, sa = x.state, parent(x)
    try:
        ipsec_sa.check_traffic(x, sa, connection_of(x), (selector_of(x),),
                               isakmp.Notify.INVALID_ID_INFORMATION)  # fmt: skip
    except Refused as refused:
        x.dialect.withdraw(x, refused.reason)
        raise
    child = ChildSa(
        connection_of(x), sa.peer, sa.own_cookie, x.message_id, x.initiator, x.path,
        selector_of(x),
        tuple(
            ChildProtocol(c.what, s.spis[c.what.protocol], int.from_bytes(c.proposal.spi, "big"))
            for c in s.chosen
        ),
        s.reqid, s.limits, s.in_udp, x.created, x.host.now(),
        min(s.ni_b, s.nr_b), s.agreed,
    )  # fmt: skip
    x.host.owner.children.child_established(child, s.specs)
    # The peer may have said so in the last message, when the SAs were in place.
    x.host.owner.children.shorten(child, s.responder_life_s)
    s.specs = []


def abandon(x: X) -> None:
    """Give the SPIs back."""
    for protocol, spi in x.state.spis.items():
        ipsec_sa.give_back(x, isakmp.Protocol(protocol), spi, x.state.specs)


HASH, SA, NONCE, NOTIFY = P.HASH, P.SA, P.NONCE, P.NOTIFY

quick_mode_initiator = (send_HASH_SA_NONCE, recv_HASH_SA_NONCE, send_HASH)
quick_mode_responder = (recv_HASH_SA_NONCE, send_HASH_SA_NONCE, recv_HASH)
quick_mode_syntax = (
    PROTECTED, HASH, SA, NONCE, SWITCH,
    PROTECTED, HASH, SA, NONCE, SWITCH,
    PROTECTED, HASH,
)  # fmt: skip

# What quick mode becomes for the initiator once the responder has set the commit bit.
QUICK_MODE_COMMIT = Script(
    "quick mode", isakmp.Exchange.QUICK_MODE, (*quick_mode_initiator, recv_CONNECTED), (),
    (*quick_mode_syntax, SWITCH, PROTECTED, HASH, NOTIFY, END), Quick, finalize, abandon,
    persistent=True, confirmed=True,
    takes=lambda x, message: x.step == 1 and bool(message.header.flags & _COMMIT),
)  # fmt: skip

QUICK_MODE = refusable(
    Script(
        "quick mode", isakmp.Exchange.QUICK_MODE, quick_mode_initiator, quick_mode_responder,
        (*quick_mode_syntax, END), Quick, finalize, abandon, persistent=True,
        variants=(QUICK_MODE_COMMIT,),
    ), (HASH, NOTIFY), recv_refusal,
)  # fmt: skip
