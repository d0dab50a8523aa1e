"""What the exchanges under an ISAKMP SA share: the HASH of each message, and refusals.

RFC 2409 5.5 and 5.7, RFC 2408 3.14.
"""

from __future__ import annotations

from hmac import compare_digest

from isakmp import payloads as codecs
from isakmp.constants import isakmp, name_of
from isakmp.crypto import keymat
from isakmp.errors import MalformedPayload, Reason, Refused
from isakmp.exchange.exchange import Exchange, has
from isakmp.exchange.script import Incoming
from isakmp.policy.meanings import refusal
from isakmp.policy.supported import left_out
from isakmp.scripts.ikev1.quick import Quick

P = isakmp.Payload


def take_hash(message: Incoming) -> tuple[bytes, bytes]:
    """The HASH, which must come first (RFC 2409 5.5), and what it covers."""
    payload = message.take(P.HASH)
    if payload is not message.payloads[0]:
        raise MalformedPayload("HASH", payload.offset, "is not the first payload", "RFC 2409 5.5")
    return payload.of(codecs.HASH).data, message.after(payload)


def check_hash(received: bytes, expected: bytes) -> None:
    """Constant time; a message that fails was not made by the peer, or not with these keys."""
    if not compare_digest(received, expected):
        raise unverified()


def unverified() -> MalformedPayload:
    """The error that a HASH does not fit."""
    return MalformedPayload("HASH", 28, "does not verify", "RFC 2409 5.5")


def recv_refusal(x: Exchange, message: Incoming) -> None:
    """An answer that chooses nothing says why, under the answer's own HASH or that of an
    informational exchange. What proves neither, or says nothing, is waited out."""
    if x.sa is None or not has(x, Quick):
        return
    keys, s = x.sa.keys, x.state
    received, rest = take_hash(message)
    if not compare_digest(
        received, keymat.quick_hash_1(keys.prf, keys.skeyid_a, x.message_id, rest)
    ):
        check_hash(
            received, keymat.quick_hash_2(keys.prf, keys.skeyid_a, x.message_id, s.ni_b, rest)
        )
    x.sa.ids.spoken = True
    said = [value.notify for value in message.values(codecs.NOTIFY)]
    error = next((number for number in said if number < isakmp.Notify.CONNECTED), None)
    if error is None:
        raise MalformedPayload("HDR", 28, "an answer without SA and NONCE", "RFC 2409 5.5")
    message.proven = True
    x.dialect.heard(x, message)
    raise Refused(refused_by_peer(x, error))


def refused_by_peer(x: Exchange, number: int) -> Reason:
    """The reason that an authentic error notify is, with what we had proposed."""
    said, wanted = name_of(isakmp.Notify, number), getattr(x.state, "connection", None)
    line, offered = x.remote.line, ""
    if wanted is not None:
        suites = ", ".join(suite.name for suite in wanted.suites)
        line, offered = wanted.line, f"{suites} for {wanted.selector}{left_out(wanted)}"
        if number == isakmp.Notify.NO_PROPOSAL_CHOSEN:
            line = wanted.suites[0].line
    return refusal(x.script.name, said, f"the peer refused: {said}", offered, line)
