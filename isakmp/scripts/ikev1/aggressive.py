"""Aggressive mode with pre-shared keys: RFC 2409 5.4, RFC 2408 4.7.

    initiator                       responder
    HDR, SA, KE, Ni, IDii      -->
                               <--  HDR, SA, KE, Nr, IDir, HASH_R
    HDR*, HASH_I               -->

NAT-D stands before the proof, vendor IDs before both (RFC 3947 3.2): old peers read in order.
Nobody answers the last message, and the responder repeats nothing to an address that has proved
nothing: the initiator repeats its last message until something comes under the new SA.
Identities cross in clear and the responder computes before it knows with whom: a peer is
answered so only where its configuration says EXCHANGE_TYPE= AGGRESSIVE.
"""

from __future__ import annotations

from isakmp.constants import isakmp
from isakmp.exchange.script import AUTH, END, SWITCH, Incoming, Outgoing, Script, Wait
from isakmp.policy.peers import AGGRESSIVE_MODE
from isakmp.scripts.ikev1 import notices, phase_1
from isakmp.scripts.ikev1.informational import notify_payload, tell_twice
from isakmp.scripts.ikev1.phase_1 import Phase1, X, chosen_of

ID, KE, NONCE, SA = (
    isakmp.Payload.ID, isakmp.Payload.KE, isakmp.Payload.NONCE, isakmp.Payload.SA,
)  # fmt: skip


def send_SA_KE_NONCE_ID(x: X, message: Outgoing) -> Wait:
    """Everything at once, in the group of the first transform: the peer cannot choose another."""
    group = next((t.group for t in x.remote.transforms if t.group), None)
    phase_1.send_proposal(x, message, group)
    yield from phase_1.make_key_pair(x, group or isakmp.Group.MODP_2048)
    phase_1.add_key_and_nonce(x, message)
    phase_1.add_id(x, message)
    phase_1.send_vendors(message)


def recv_SA_KE_NONCE_ID(x: X, message: Incoming) -> None:
    """The identity comes before all else: it says whose section counts, and which secret."""
    phase_1.check_id(x, phase_1.take_id(x, message), AGGRESSIVE_MODE)
    phase_1.recv_proposal(x, message)
    phase_1.take_key_and_nonce(x, message)


def send_SA_KE_NONCE_ID_AUTH(x: X, message: Outgoing) -> Wait:
    """Our choice, public value, identity and proof."""
    message.add(SA, x.state.reply)
    yield from phase_1.make_key_pair(x, chosen_of(x).group)
    yield from phase_1.derive_keys(x)
    phase_1.add_key_and_nonce(x, message)
    phase_1.add_id(x, message)
    phase_1.send_vendors(message)
    phase_1.add_nat_d(x, message)
    phase_1.add_auth(x, message)


def recv_SA_KE_NONCE_ID_AUTH(x: X, message: Incoming) -> Wait:
    """The peer's choice, public value, identity and proof."""
    phase_1.recv_choice(x, message)
    phase_1.take_key_and_nonce(x, message)
    identity = phase_1.take_id(x, message)
    yield from phase_1.derive_keys(x)
    notices.check_auth(x, message)
    notices.check_id(x, message, identity)
    phase_1.take_nat_d(x, message)


def send_AUTH(x: X, message: Outgoing) -> None:
    """Our proof, encrypted, on the NAT-traversal port where there is a NAT."""
    message.protected = True
    phase_1.add_nat_d(x, message)
    phase_1.add_auth(x, message)
    phase_1.add_initial_contact(x, message)


def recv_AUTH(x: X, message: Incoming) -> None:
    """The initiator's proof; it need not be encrypted, and comes from where we are to answer to
    from now on (RFC 3947 4)."""
    notices.check_auth(x, message)
    phase_1.take_nat_d(x, message)
    x.path = phase_1.whereabouts(x, message)
    phase_1.admit(x, message)


def finalize(x: X) -> None:
    """Phase 1 is done, as far as we know: the peer may not have our last message yet.

    None of the responder's is protected, so that its INITIAL_CONTACT comes afterwards.
    """
    first = phase_1.first_contact(x)
    phase_1.finalize(x)
    if x.sa is None:
        return
    if x.initiator:
        x.host.retransmission.until_heard(x, x.sa)
    elif first:
        notify = notify_payload(isakmp.Notify.INITIAL_CONTACT, spi=x.sa.cookies)
        tell_twice(x.host, x.dialect, x.sa, [notify])


AGGRESSIVE = Script(
    "aggressive mode", isakmp.Exchange.AGGRESSIVE,
    (send_SA_KE_NONCE_ID, recv_SA_KE_NONCE_ID_AUTH, send_AUTH),
    (recv_SA_KE_NONCE_ID, send_SA_KE_NONCE_ID_AUTH, recv_AUTH),
    (SA, KE, NONCE, ID, SWITCH, SA, KE, NONCE, ID, AUTH, SWITCH, AUTH, END),
    Phase1, finalize, establishes=True, fork=phase_1.fork,
)  # fmt: skip
