"""IKE_INTERMEDIATE: RFC 9242; one for each additional key exchange of an IKE SA, RFC 9370 2.2.2.

    initiator                   responder
    HDR, SK {KEi(n)}   -->
                       <--   HDR, SK {KEr(n)}

Each is under the keys that the one before has made, and all seven keys come anew of each:

SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr)
{SK_d(n) | ... | SK_pr(n)} = prf+(SKEYSEED(n), Ni | Nr | SPIi | SPIr)

AUTH covers the messages (intauth.py). How many there are was agreed on in IKE_SA_INIT, so that
nobody can ask for more. The peer has not proved itself yet: whatever is wrong ends the attempt.
"""

from __future__ import annotations

from isakmp.constants import ikev2
from isakmp.crypto import skeyseed
from isakmp.errors import MalformedPayload
from isakmp.exchange.script import (
    END,
    PROTECTED,
    SWITCH,
    Incoming,
    Outgoing,
    Script,
    Verdict,
    Waiting,
    refusable,
)
from isakmp.message import build_payloads
from isakmp.scripts.ikev2 import additional, common
from isakmp.scripts.ikev2.common import sa_of
from isakmp.scripts.ikev2.ike_auth import IKE_AUTH
from isakmp.scripts.ikev2.initial import Initial, X, chosen_of, log_keys
from isakmp.scripts.ikev2.keys import derive

P = ikev2.Payload


def send_KE(x: X, message: Outgoing) -> Waiting:
    """Our value; behind the responder's the keys are new."""
    s = x.state
    yield from additional.send(x, s.additional, message)
    more = len(s.additional.methods) > 1
    x.after_send.append(lambda: _sent(x, message))
    return Verdict.AGAIN if more and not x.initiator else None


def _sent(x: X, message: Outgoing) -> None:
    """As it was before it was encrypted, and maybe cut."""
    _, chain = build_payloads(2, message.payloads)
    x.state.int_auth.note(sa_of(x).keys, x.initiator, x.last_out[0], chain)
    if not x.initiator:
        _new_keys(x)


def recv_KE(x: X, message: Incoming) -> Waiting:
    """The peer's value; behind the answer the keys are new."""
    s = x.state
    yield from additional.recv(x, s.additional, message)
    s.int_auth.note(sa_of(x).keys, not x.initiator, message.outer, message.data)
    if x.initiator:
        _new_keys(x)
    return Verdict.AGAIN if x.initiator and s.additional.methods else None


def _new_keys(x: X) -> None:
    """Those of SKEYSEED(n). The ones before open what is repeated under them."""
    s, sa = x.state, sa_of(x)
    secret, old = s.additional.take_secret(), sa.keys
    seed = skeyseed.rekeyed_skeyseed(old.prf, old.sk.d, secret, s.ni, s.nr)
    keys = derive(chosen_of(x), seed, s.ni, s.nr, sa.cky_i, sa.cky_r, initiator=x.initiator)
    keys.earlier = (*old.earlier, old)
    old.earlier = ()
    log_keys(x, secret, keys)
    sa.keys = keys


def recv_refusal(x: X, message: Incoming) -> None:
    """Notifies alone: the peer refuses our value."""
    error = common.error_among(common.take_notifies(message))
    if error is None:
        raise MalformedPayload("HDR", 28, "an answer without KE", "RFC 9370 2.2.2")
    raise common.refused_by_peer(x, error, proven=True)


KE = P.KE

ike_intermediate_initiator = (send_KE, recv_KE)
ike_intermediate_responder = (recv_KE, send_KE)
ike_intermediate_syntax = (PROTECTED, KE, SWITCH, PROTECTED, KE, END)

IKE_INTERMEDIATE = refusable(Script(
    "IKE_INTERMEDIATE", ikev2.Exchange.IKE_INTERMEDIATE, ike_intermediate_initiator,
    ike_intermediate_responder, ike_intermediate_syntax, Initial, follows=lambda x: IKE_AUTH,
    establishes=True,
), (int(P.NOTIFY),), recv_refusal)  # fmt: skip
