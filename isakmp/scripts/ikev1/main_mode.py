"""Main mode with pre-shared keys: RFC 2409 5.4, the identity protection exchange of RFC 2408 4.5.

    initiator                       responder
    HDR, SA                    -->
                               <--  HDR, SA
    HDR, KE, Ni                -->
                               <--  HDR, KE, Nr
    HDR*, IDii, HASH_I         -->
                               <--  HDR*, IDir, HASH_R

The keys are derived once our KE has left, while the peer derives its own.
"""

from __future__ import annotations

from isakmp.constants import isakmp
from isakmp.exchange.script import AUTH, END, PROTECTED, SWITCH, Incoming, Outgoing, Script, Wait
from isakmp.scripts.ikev1 import notices, phase_1
from isakmp.scripts.ikev1.phase_1 import Phase1, X, chosen_of

ID, KE, NONCE, SA = (
    isakmp.Payload.ID, isakmp.Payload.KE, isakmp.Payload.NONCE, isakmp.Payload.SA,
)  # fmt: skip


def send_SA(x: X, message: Outgoing) -> None:
    """Message 1 proposes, message 2 answers with the choice."""
    if x.initiator:
        phase_1.send_proposal(x, message)
    else:
        message.add(SA, x.state.reply)
    phase_1.send_vendors(message)


def recv_SA(x: X, message: Incoming) -> None:
    """The responder chooses; the initiator checks the choice."""
    if x.initiator:
        phase_1.recv_choice(x, message)
    else:
        phase_1.recv_proposal(x, message)


def send_KE_NONCE(x: X, message: Outgoing) -> Wait:
    """The responder derives the keys when its answer has left."""
    yield from phase_1.make_key_pair(x, chosen_of(x).group)
    phase_1.add_key_and_nonce(x, message)
    phase_1.add_nat_d(x, message)
    if not x.initiator:
        x.after_send.append(lambda: phase_1.derive_keys(x))


def recv_KE_NONCE(x: X, message: Incoming) -> Wait:
    """Public value, nonce and NAT detection; the initiator can derive the keys now."""
    phase_1.take_key_and_nonce(x, message)
    phase_1.take_nat_d(x, message)
    if x.initiator:
        yield from phase_1.derive_keys(x)


def send_ID_AUTH(x: X, message: Outgoing) -> None:
    """Who we are, and the proof, under the new keys."""
    phase_1.add_id(x, message)
    phase_1.add_auth(x, message)
    phase_1.add_initial_contact(x, message)


def recv_ID_AUTH(x: X, message: Incoming) -> None:
    """Whether the peer knows the secret, and who it is."""
    identity = phase_1.take_id(x, message)
    notices.check_auth(x, message)
    notices.check_id(x, message, identity)
    phase_1.admit(x, message)


main_mode_initiator = (
    send_SA, recv_SA, send_KE_NONCE, recv_KE_NONCE, send_ID_AUTH, recv_ID_AUTH,
)  # fmt: skip
main_mode_responder = (
    recv_SA, send_SA, recv_KE_NONCE, send_KE_NONCE, recv_ID_AUTH, send_ID_AUTH,
)  # fmt: skip
main_mode_syntax = (
    SA, SWITCH,
    SA, SWITCH,
    KE, NONCE, SWITCH,
    KE, NONCE, SWITCH,
    PROTECTED, ID, AUTH, SWITCH,
    PROTECTED, ID, AUTH, END,
)  # fmt: skip

MAIN_MODE = Script(
    "main mode", isakmp.Exchange.ID_PROT, main_mode_initiator, main_mode_responder,
    main_mode_syntax, Phase1, phase_1.finalize, establishes=True, fork=phase_1.fork,
)  # fmt: skip
