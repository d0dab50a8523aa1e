"""IKE_FOLLOWUP_KE: RFC 9370 2.2.4; one for each additional key exchange behind CREATE_CHILD_SA.

    initiator                                            responder
    HDR, SK {KEi(n), N(ADDITIONAL_KEY_EXCHANGE)}   -->
                                                   <--   HDR, SK {KEr(n),
                                                              [N(ADDITIONAL_KEY_EXCHANGE)]}

The octets of the notify, the link, say which negotiation goes on, as other requests may come in
between; the last answer has none. A responder whose peer does not go on forgets what it was about,
and answers STATE_NOT_FOUND then.
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
    Waiting,
    refusable,
)
from isakmp.message import values_of
from isakmp.payloads import ikev2 as codecs
from isakmp.scripts.ikev2 import additional, common
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

P, Notify = ikev2.Payload, ikev2.Notify


def send_KE(x: X, message: Outgoing) -> Waiting:
    """Our value, and whether more follows."""
    s = x.state
    yield from additional.send(x, s.additional, message)
    if x.initiator:
        common.add_notify(message, Notify.ADDITIONAL_KEY_EXCHANGE, s.link)
        return None
    s.secrets += s.additional.take_secret()
    yield from add_rest(x, message)
    return Verdict.AGAIN if s.additional.methods else None


def recv_KE(x: X, message: Incoming) -> Waiting:
    """The peer's value; with that of an answer there is one secret more."""
    s = x.state
    if not s.additional.methods:
        raise Refused(
            Reason("state-not-found", "nothing waits to go on that the request could mean"),
            Notify.STATE_NOT_FOUND,
        )
    s.link = b""
    if not x.initiator:
        yield from additional.recv(x, s.additional, message)
        return None
    yield from taken_back(x, _recv_answer(x, message))
    return Verdict.AGAIN if s.additional.methods else None


def _recv_answer(x: X, message: Incoming) -> Wait:
    s, notifies = x.state, common.take_notifies(message)
    yield from additional.recv(x, s.additional, message)
    s.secrets += s.additional.take_secret()
    yield from take_rest(x, notifies)


def resumes(x: X, message: Incoming) -> bool:
    """Whether a request brings the link of what waits."""
    return bool(x.state.link) and any(
        value.notify == Notify.ADDITIONAL_KEY_EXCHANGE and value.data == x.state.link
        for value in values_of(message.payloads, codecs.NOTIFY)
    )


def recv_refusal(x: X, message: Incoming) -> None:
    """Notifies alone: the peer does not go on."""
    error = common.error_among(common.take_notifies(message))
    if error is None:
        raise MalformedPayload("HDR", 28, "an answer without KE", "RFC 9370 2.2.4")
    raise refused(x, error)


KE = P.KE

ike_followup_ke_initiator = (send_KE, recv_KE)
ike_followup_ke_responder = (recv_KE, send_KE)
ike_followup_ke_syntax = (PROTECTED, KE, SWITCH, PROTECTED, KE, END)

IKE_FOLLOWUP_KE = refusable(Script(
    "IKE_FOLLOWUP_KE", ikev2.Exchange.IKE_FOLLOWUP_KE, ike_followup_ke_initiator,
    ike_followup_ke_responder, ike_followup_ke_syntax, Create, finalize, abandon, resumes=resumes,
), (int(P.NOTIFY),), recv_refusal)  # fmt: skip
