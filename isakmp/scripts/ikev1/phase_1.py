"""The steps that main and aggressive mode share: RFC 2409 5, RFC 2407 4.6.2, RFC 3706, RFC 3947.

Names are those of the RFC: g_xi and g_xr the public values, ni_b and nr_b the nonces, sai_b the
initiator's SA payload, idii_b and idir_b the identities, each a payload body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hmac import compare_digest

from isakmp import payloads as codecs
from isakmp.causes import MENDS
from isakmp.chosen import ChosenIke
from isakmp.constants import DOI_IPSEC, IKEV1, ipsec, isakmp, name_of
from isakmp.crypto import agreement, keymat
from isakmp.crypto.groups import KeyPair, get_group
from isakmp.crypto.hash import get_hash
from isakmp.crypto.prf import get_prf
from isakmp.errors import CryptoError, MalformedPayload, Reason, Refused
from isakmp.exchange.exchange import Exchange, ExchangeOf
from isakmp.exchange.script import Incoming, Outgoing, Wait, duplicate
from isakmp.log.log import LogClass
from isakmp.message import Payload
from isakmp.path import Path
from isakmp.payloads.data_attribute import DataAttribute
from isakmp.payloads.notify import NotifyValue
from isakmp.payloads.sa import Offer, SaValue, TransformValue
from isakmp.payloads.shapes import ProposalValue, Shared
from isakmp.payloads.vendor import VENDOR_DPD
from isakmp.policy.identity import MAX_NAME_BYTES, local_id_of
from isakmp.policy.match import choose_ike
from isakmp.policy.meanings import AGREED, refusal
from isakmp.policy.peers import Opening
from isakmp.policy.remembered import remembered
from isakmp.policy.sameness import same_identity
from isakmp.policy.spd import Caller, Identity, IkeTransform, Remote
from isakmp.sa import IsakmpSa, Nat, offered_bits, peer_of
from isakmp.scripts.ikev1 import nat
from isakmp.scripts.ikev1.keys import Keys, derive
from isakmp.scripts.ikev1.message_ids import MessageIds

P = isakmp.Payload

NONCE_SIZE = 32


def _work_out(proposals: Sequence[Offer], remote: Remote) -> tuple[ChosenIke, SaValue]:
    """The choice, and the payload that tells of it: the transform is repeated as it came, attribute
    for attribute (RFC 2408 4.2)."""
    chosen, proposal, transform = choose_ike(proposals, remote)
    answer = proposal._replace(transforms=Shared((transform,)))
    return chosen, SaValue(DOI_IPSEC, ipsec.Situation.IDENTITY_ONLY, (answer,))


_choose_and_answer = remembered(_work_out)


# RFC 2409 5: between 8 and 256 octets.
NONCE_SIZES = range(8, 257)


@dataclass(slots=True)
class Phase1:
    """What the steps of one phase 1 exchange have learned. refused_id: the peer was told that we do
    not take who it has proved to be."""

    reply: SaValue | None = None
    chosen: ChosenIke | None = None
    sai_b: bytes = b""
    key_pair: KeyPair | None = None
    g_xi: bytes = b""
    g_xr: bytes = b""
    ni_b: bytes = b""
    nr_b: bytes = b""
    idii_b: bytes = b""
    idir_b: bytes = b""
    keys: Keys | None = None
    secret_line: str = ""
    local_id: Identity | None = None
    remote_id: Identity | None = None
    nat: Nat = field(default_factory=Nat)
    vendors: set[bytes] = field(default_factory=set)
    initial_contact: bool = False
    refused_id: bool = False


X = ExchangeOf[Phase1]


def fork(x: X) -> Phase1:
    """What is known, for another answer."""
    state = x.state
    other = duplicate(state)
    other.nat, other.vendors = duplicate(state.nat), set(state.vendors)
    return other


def send_vendors(message: Outgoing) -> None:
    """Say that we know NAT traversal and dead peer detection."""
    for vendor in (*nat.VENDORS, VENDOR_DPD):
        message.add(P.VENDOR, vendor)


def recv_vendors(x: X, message: Incoming) -> None:
    """Note what the peer knows (at most 64 vendor IDs)."""
    x.state.vendors.update(v.data for v in message.values(codecs.VENDOR)[:64])
    if x.host.owner.nat_traversal:
        x.state.nat.vendor = nat.best_vendor(x.state.vendors)


# --- SA --------------------------------------------------------------------------------------


def send_proposal(x: X, message: Outgoing, group: isakmp.Group | None = None) -> None:
    """Our phase 1 proposal: the configured transforms, those of ``group`` where one is given."""
    offered = [t for t in x.remote.transforms if _can_offer(t) and group in (None, t.group)]
    if not offered:
        names = ", ".join(t.name for t in x.remote.transforms)
        raise Refused(
            Reason("nothing-to-offer", f"no transform of peer {x.remote.name} can be proposed",
                   came=names, acceptable="pre-shared keys, every algorithm named (not ANY)",
                   line=x.remote.line),
        )  # fmt: skip
    transforms = tuple(_transform(i, ours) for i, ours in enumerate(offered, 1))
    proposal = ProposalValue(1, int(isakmp.Protocol.ISAKMP), b"", transforms)
    value = SaValue(DOI_IPSEC, ipsec.Situation.IDENTITY_ONLY, (proposal,))
    x.state.sai_b = codecs.SA.build(value)
    message.add(P.SA, x.state.sai_b)


def _can_offer(ours: IkeTransform) -> bool:
    """ANY is for accepting only; so far peers are known by pre-shared keys."""
    named = None not in (ours.encryption, ours.hash, ours.group)
    return named and ours.auth in (None, isakmp.Authentication.PRE_SHARED)


def _transform(number: int, ours: IkeTransform) -> TransformValue:
    kind = isakmp.Attribute
    pairs: list[tuple[int, int | None]] = [
        (kind.ENCRYPTION_ALGORITHM, ours.encryption),
        (kind.HASH_ALGORITHM, ours.hash),
        (kind.AUTHENTICATION_METHOD, ours.auth or isakmp.Authentication.PRE_SHARED),
        (kind.GROUP_DESCRIPTION, ours.group),
        (kind.KEY_LENGTH, offered_bits(ours.key_bits) or None),
    ]
    attributes = [DataAttribute(number, int(v)) for number, v in pairs if v is not None]
    attributes += life_attributes(
        kind.LIFE_TYPE, kind.LIFE_DURATION, ours.life.seconds and ours.life.seconds.offer,
        ours.life.kilobytes and ours.life.kilobytes.offer,
    )  # fmt: skip
    return TransformValue(number, ipsec.IsakmpTransform.KEY_IKE, tuple(attributes))


def life_attributes(
    life_type: int, life_duration: int, seconds: int | None, kilobytes: int | None
) -> list[DataAttribute]:
    """Lifetimes as pairs of attributes; long ones as four octets or eight (RFC 2407 4.5)."""
    attributes: list[DataAttribute] = []
    for unit, amount in (
        (isakmp.LifeType.SECONDS, seconds),
        (isakmp.LifeType.KILOBYTES, kilobytes),
    ):
        if amount:
            size = 4 if amount < 1 << 32 else 8
            value = amount if amount < 0x10000 else amount.to_bytes(size, "big")
            attributes += [
                DataAttribute(life_type, int(unit)),
                DataAttribute(life_duration, value),
            ]
    return attributes


def take_sa(message: Incoming) -> Payload:
    """The one SA payload. Refused where there are several: phase 1 has one (RFC 2409 5), and of a
    quick mode who is answered to the first alone would wait for the others."""
    first, *others = message.take_all(P.SA)
    if others:
        raise Refused(
            Reason("several-sas", "one exchange is to negotiate several SAs",
                   came=f"{1 + len(others)} SA payloads", acceptable="one SA payload"),
            isakmp.Notify.NO_PROPOSAL_CHOSEN,
        )  # fmt: skip
    return first


def recv_proposal(x: X, message: Incoming) -> None:
    """Choose among the peer's transforms. NO_PROPOSAL_CHOSEN with the differences otherwise."""
    payload = take_sa(message)
    value = payload.of(codecs.SA)
    _check_doi(value)
    chosen, x.state.reply = _choose_and_answer(value.proposals, x.remote)
    x.state.sai_b, x.state.chosen = payload.body, chosen
    x.host.log.debug(LogClass.NEGOTIATION, 30, "%s: accepts %s (%s)", x, chosen, chosen.name)
    recv_vendors(x, message)


def recv_choice(x: X, message: Incoming) -> None:
    """The peer's choice must be one of our transforms, and one only."""
    value = take_sa(message).of(codecs.SA)
    _check_doi(value)
    proposals = value.proposals
    if len(proposals) != 1 or len(proposals[0].transforms) != 1:
        raise Refused(
            Reason("bad-choice", "the peer's answer holds more than one transform"),
            isakmp.Notify.BAD_PROPOSAL_SYNTAX,
        )
    x.state.chosen, _ = _choose_and_answer(proposals, x.remote)
    x.cky_r = message.header.cky_r
    x.host.log.debug(LogClass.NEGOTIATION, 30, "%s: peer chose %s", x, x.state.chosen)
    recv_vendors(x, message)


def shorten(x: X, seconds: int) -> None:
    """The responder lets the SA live no longer than that (RFC 2407 4.6.3.1); 0 says nothing."""
    chosen = chosen_of(x)
    if x.initiator and seconds:
        x.state.chosen = chosen._replace(life_s=min(chosen.life_s or seconds, seconds))


def _check_doi(value: SaValue) -> None:
    if value.doi not in (0, DOI_IPSEC):
        raise Refused(
            Reason("doi-not-supported", f"domain of interpretation {value.doi} is not IPsec"),
            isakmp.Notify.DOI_NOT_SUPPORTED,
        )


# --- KE and NONCE ----------------------------------------------------------------------------


def chosen_of(x: X) -> ChosenIke:
    """What the SA payloads agreed on; the script sees to it that they came first."""
    if x.state.chosen is None:
        raise MalformedPayload("SA", 28, "nothing is agreed on yet", "RFC 2409 5")
    return x.state.chosen


def keys_of(x: Exchange) -> Keys:
    """The derived keys; the script sees to it that KE and NONCE came first."""
    state = x.state
    if isinstance(state, Phase1) and (keys := state.keys) is not None:
        return keys
    raise MalformedPayload("KE", 28, "no keys are derived yet", "RFC 2409 5")


def make_key_pair(x: X, group: isakmp.Group) -> Wait:
    """Our public value and nonce."""
    x.state.key_pair = yield from agreement.key_pair(x.host.work, x.host.random, group)
    nonce = x.host.random(NONCE_SIZE)
    if x.initiator:
        x.state.g_xi, x.state.ni_b = x.state.key_pair.public, nonce
    else:
        x.state.g_xr, x.state.nr_b = x.state.key_pair.public, nonce


def add_key_and_nonce(x: X, message: Outgoing) -> None:
    """Append KE and NONCE."""
    public, nonce = x.state.g_xr, x.state.nr_b
    if x.initiator:
        public, nonce = x.state.g_xi, x.state.ni_b
    message.add(P.KE, public)
    message.add(P.NONCE, nonce)


def take_key_and_nonce(x: X, message: Incoming) -> None:
    """Note the peer's public value and nonce."""
    public, payload = message.value(codecs.KE).data, message.take(P.NONCE)
    nonce = payload.of(codecs.NONCE).data
    check_nonce(nonce, payload.offset)
    group = get_group(chosen_of(x).group)
    if len(public) != group.public_size:
        raise Refused(
            Reason("invalid-key-information",
                   f"the public value has {len(public)} octets, {group.name} "
                   f"takes {group.public_size}"),
            isakmp.Notify.INVALID_KEY_INFORMATION,
        )  # fmt: skip
    x.state.keys = None
    if x.initiator:
        x.state.g_xr, x.state.nr_b = public, nonce
    else:
        x.state.g_xi, x.state.ni_b = public, nonce


def check_nonce(nonce: bytes, offset: int) -> None:
    """RFC 2409 5: 8 to 256 octets."""
    if len(nonce) not in NONCE_SIZES:
        raise MalformedPayload("NONCE", offset, f"has {len(nonce)} octets", "RFC 2409 5")


def agree(x: Exchange, pair: KeyPair, public: bytes) -> agreement.Octets:
    """g^xy. Refused where the peer's value is not in the group."""
    try:
        return (yield from agreement.agree(x.host.work, pair, public))
    except CryptoError as error:
        reason = Reason("invalid-key-information", str(error))
        raise Refused(reason, isakmp.Notify.INVALID_KEY_INFORMATION) from None


def derive_keys(x: X) -> Wait:
    """g_xy, SKEYID and everything that follows from it."""
    s, chosen = x.state, chosen_of(x)
    if s.key_pair is None:
        return
    g_xy = yield from agree(x, s.key_pair, s.g_xr if x.initiator else s.g_xi)
    catalog, came = x.host.owner.catalog, None if x.initiator else s.remote_id
    secret = catalog.secret(x.remote, came)
    s.secret_line = catalog.secret_line(x.remote, came)
    skeyid = keymat.skeyid_psk(get_prf(chosen.hash), secret, s.ni_b, s.nr_b)
    s.keys = derive(chosen, skeyid, g_xy, s.g_xi, s.g_xr, x.cky_i, x.cky_r)
    x.protection = s.keys.iv
    log = x.host.log
    if log.on(LogClass.CRYPTO, 50):
        log.dump(LogClass.CRYPTO, 50, "Ni_b", s.ni_b)
        log.dump(LogClass.CRYPTO, 50, "Nr_b", s.nr_b)
        log.dump(LogClass.CRYPTO, 50, "phase 1 IV", s.keys.iv)
        for title, value in (
            ("g_xy", g_xy), ("SKEYID", s.keys.skeyid), ("SKEYID_d", s.keys.skeyid_d),
            ("SKEYID_a", s.keys.skeyid_a), ("SKEYID_e", s.keys.skeyid_e),
            ("cipher key", s.keys.cipher_key),
        ):  # fmt: skip
            log.secret(title, value)


def add_nat_d(x: X, message: Outgoing) -> None:
    """Append our NAT-D payloads."""
    hash_spec = get_hash(chosen_of(x).hash)
    nat.send_nat_d(message, x.state.nat, hash_spec, x.path, x.cky_i, x.cky_r)


def take_nat_d(x: X, message: Incoming) -> None:
    """Look at the peer's; the initiator moves to the NAT-traversal port where one is found."""
    hash_spec = get_hash(chosen_of(x).hash)
    nat.recv_nat_d(message, x.state.nat, hash_spec, x.path, x.cky_i, x.cky_r)
    x.state.nat.reached = not x.initiator
    if x.state.nat.found:
        x.host.log.debug(LogClass.EXCHANGE, 20, "%s: NAT found (%s)", x, x.state.nat)
        if x.initiator and not x.path.encap:
            x.path = nat.floated(x.path, x.host.owner.nat_t_port)


# --- ID and AUTH -----------------------------------------------------------------------------


def add_id(x: X, message: Outgoing) -> None:
    """Append our identity."""
    x.state.local_id = local_id_of(x.remote, x.path)
    body = id_body(x.state.local_id)
    if x.initiator:
        x.state.idii_b = body
    else:
        x.state.idir_b = body
    message.add(P.ID, body)


def id_body(identity: Identity) -> bytes:
    """An identity as the body of an ID payload (RFC 2407 4.6.2)."""
    head = bytes([identity.type, identity.protocol]) + identity.port.to_bytes(2, "big")
    return head + identity.data


def take_id(x: X, message: Incoming) -> Payload:
    """The peer's identity as its HASH covers it."""
    payload = message.take(P.ID)
    if x.initiator:
        x.state.idir_b = payload.body
    else:
        x.state.idii_b = payload.body
    return payload


def check_id(x: X, payload: Payload, opening: Opening | None = None) -> None:
    """Note the peer's identity; it must be the configured one, where one is configured.

    opening: it says which section that is, as it comes early enough for that to count.
    """
    value = payload.of(codecs.ID)
    try:
        came = Identity(ipsec.Id(value.type), value.data)
    except ValueError:
        reason = Reason(
            "invalid-id-information", f"identity type {name_of(ipsec.Id, value.type)} is not taken",
            mend=MENDS["invalid-identity"],
        )  # fmt: skip
        raise Refused(reason, isakmp.Notify.INVALID_ID_INFORMATION) from None
    if len(value.data) > MAX_NAME_BYTES:
        reason = Reason("invalid-id-information", "the peer's identity is too long",
                        came=f"{len(value.data)} octets", acceptable=f"{MAX_NAME_BYTES} at most",
                        mend="set a shorter ID at the peer")  # fmt: skip
        raise Refused(reason, isakmp.Notify.INVALID_ID_INFORMATION)
    if value.protocol not in (0, 17) or value.port not in (0, 500, 4500):
        raise MalformedPayload("ID", payload.offset, "protocol and port must be 0 or UDP 500",
                               "RFC 2407 4.6.2")  # fmt: skip
    if opening is not None:
        caller = Caller(came, None, x.path.remote)
        x.remote = x.host.owner.catalog.identify(x.remote, caller, opening)
    wanted = x.remote.remote_id
    if wanted is not None and not same_identity(wanted, came):
        raise Refused(
            Reason("wrong-identity", f"peer {x.remote.name} must have another identity",
                   came=f"{came.type.name} {came}", acceptable=f"{wanted.type.name} {wanted}",
                   line=wanted.line or x.remote.line,
                   mend=f"set Remote-ID of [{x.remote.name}], or the peer's own identity"),
            isakmp.Notify.INVALID_ID_INFORMATION,
        )  # fmt: skip
    x.state.remote_id = came


def add_auth(x: X, message: Outgoing) -> None:
    """Append the HASH that proves that we know the secret (RFC 2409 5)."""
    message.add(P.HASH, _hash(x, ours=True))


def take_auth(x: X, message: Incoming) -> None:
    """Check the peer's HASH. The cipher alone proves nothing: who changes a bit of what goes by
    changes what it is deciphered to, and spoils no more than a block. What comes to an initiator
    may be another's answer still, who has the secret, too."""
    if not compare_digest(message.value(codecs.HASH).data, _hash(x, ours=False)):
        raise Refused(wrong_secret(x, "its HASH does not verify"),
                      isakmp.Notify.AUTHENTICATION_FAILED)  # fmt: skip
    message.proven = not x.initiator


def whereabouts(x: X, message: Incoming) -> Path:
    """Where the peer is: a message may go on at the NAT-traversal port (RFC 3947 4), and a copy of
    it from elsewhere may have come first."""
    return x.state.nat.settled(x.path, message.path)


def admit(x: X, message: Incoming) -> None:
    """As responder: whether who the peer has proved to be may be at that place, too, and have
    another ISAKMP SA. Refused otherwise."""
    came, found = x.state.remote_id, x.state.nat
    if x.initiator or came is None:
        return
    where = whereabouts(x, message)
    x.host.owner.places.admit(x.remote, came, where, found)
    who, _ = peer_of(x.remote, came, where, found)
    if reason := x.host.bounds.sa(x.remote, who):
        raise Refused(reason, isakmp.Notify.NO_PROPOSAL_CHOSEN)


def wrong_secret(x: X, how: str) -> Reason:
    """The reason that a pre-shared key which differs looks like."""
    return Reason(
        "authentication-failed",
        f"the peer's message does not fit our pre-shared key: {how}",
        line=x.state.secret_line,
        mend="make the Authentication of both ends the same",
    )


def refused_in_clear(x: Exchange, said: str) -> Reason:
    """The reason that a peer's notify may be: of proposals, or of us where one was chosen."""
    return refused_by_peer(x, said, f"the peer said {said} (in clear, so unproven)")


def refused_by_peer(x: Exchange, said: str, detail: str) -> Reason:
    """What an error notify can mean by the time that it comes."""
    if x.sa is not None:
        line = x.sa.local_id.line or x.remote.line
        if said == isakmp.Notify.AUTHENTICATION_FAILED.name:
            line = x.host.owner.catalog.secret_line(x.remote, x.sa.remote_id)
        return refusal(AGREED, said, detail, f"identity {x.sa.local_id}", line)
    s = x.state
    if not isinstance(s, Phase1) or s.chosen is None:
        offered = ", ".join(t.name for t in x.remote.transforms)
        line = x.remote.transforms[0].line if x.remote.transforms else x.remote.line
        return refusal(x.script.name, said, detail, offered, line)
    ours, line = s.local_id, s.secret_line
    if said == isakmp.Notify.INVALID_ID_INFORMATION.name:
        line = ours.line if ours else ""
    offered = f"identity {ours}" if ours else ""
    return refusal(AGREED, said, detail, offered, line or x.remote.line)


def unreadable_payload(x: X, error: MalformedPayload) -> Refused:
    """A payload that breaks its layout in a message that the right keys have opened."""
    if error.path.startswith("ID"):
        reason = Reason(
            "invalid-id-information",
            f"the peer's identity cannot be read: {error}",
            line=x.remote.line,
            mend="set an identity at the peer: it sends an empty or broken one",
        )
        return Refused(reason, isakmp.Notify.INVALID_ID_INFORMATION)  # fmt: skip
    reason = Reason("malformed-message", f"{x.script.name}: {error}")
    return Refused(reason, isakmp.Notify.PAYLOAD_MALFORMED)


def _hash(x: X, *, ours: bool) -> bytes:
    s, keys = x.state, keys_of(x)
    if x.initiator is ours:
        return keymat.hash_i(
            keys.prf, keys.skeyid, s.g_xi, s.g_xr, x.cky_i, x.cky_r, s.sai_b, s.idii_b
        )
    return keymat.hash_r(keys.prf, keys.skeyid, s.g_xr, s.g_xi, x.cky_r, x.cky_i, s.sai_b, s.idir_b)


def first_contact(x: X) -> bool:
    """Whether we know of no other SA with this peer (RFC 2407 4.6.3.3), and can know of all."""
    return x.remote.unique.alone and not x.host.sas.knows(x.remote.name)


def add_initial_contact(x: X, message: Outgoing) -> None:
    """Say so where this is the first contact."""
    if first_contact(x):
        about = isakmp.Protocol.ISAKMP, isakmp.Notify.INITIAL_CONTACT, x.cky_i + x.cky_r
        message.add(P.NOTIFY, NotifyValue(DOI_IPSEC, *about, b""))


def made(x: X, local_id: Identity, remote_id: Identity, keys: Keys) -> IsakmpSa:
    """The ISAKMP SA that comes of it, which is not known to anybody yet."""
    s, now = x.state, x.host.now()
    return IsakmpSa(
        x.remote, x.path, x.initiator, x.cky_i, x.cky_r, IKEV1, x.script.exchange_type, keys,
        MessageIds(), chosen_of(x), local_id, remote_id, s.nat, VENDOR_DPD in s.vendors,
        x.created, now, min(s.ni_b, s.nr_b), last_heard=now,
    )  # fmt: skip


def finalize(x: X) -> None:
    """Phase 1 is done: here is the ISAKMP SA."""
    s, keys = x.state, keys_of(x)
    if s.local_id is None or s.remote_id is None:
        raise MalformedPayload("ID", 28, "an identity is missing", "RFC 2409 5")
    keys.iv = x.protection
    x.sa = made(x, s.local_id, s.remote_id, keys)
    x.host.known(x)
    x.host.owner.established(x.sa)
    if s.initial_contact:
        x.host.owner.places.initial_contact(x.sa)
    x.host.owner.places.returned(x.sa)
