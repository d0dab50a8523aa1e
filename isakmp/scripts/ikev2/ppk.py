"""Post-quantum pre-shared keys mixed into the keys of the initial IKE SA: RFC 8784 3.

    initiator                                         responder
    HDR, SAi1, KEi, Ni, N(USE_PPK)                -->
                                                  <--  HDR, SAr1, KEr, Nr, N(USE_PPK)
    HDR, SK {IDi, AUTH, ..., N(PPK_IDENTITY, PPK_ID), [N(NO_PPK_AUTH)]}  -->
                                                  <--  HDR, SK {IDr, AUTH, ..., [N(PPK_IDENTITY)]}

AUTH is made with SK_pi and SK_pr as they are with the PPK; NO_PPK_AUTH is what it would be without,
and is there where the initiator goes on without. What the responder does, who knows in IKE_AUTH
whose PPK counts (the table of RFC 8784 3):

    USE_PPK   the PPK named is   NO_PPK_AUTH   ours is required   then
    no                                         no                 without PPK
    no                                         yes                AUTHENTICATION_FAILED
    yes       ours                                                with PPK
    yes       another, or none   is there      no                 without PPK
    yes       another, or none   else                             AUTHENTICATION_FAILED
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from isakmp.constants import ikev2
from isakmp.crypto.skeyseed import SkKeys, with_ppk
from isakmp.errors import MalformedPayload, Reason, Refused
from isakmp.exchange.script import Incoming, Outgoing
from isakmp.log.log import LogClass
from isakmp.message import values_of
from isakmp.payloads import ikev2 as codecs
from isakmp.policy.ppk import Ppk, PpkUse, ppk_name
from isakmp.scripts.ikev2.common import add_notify, sa_of
from isakmp.scripts.ikev2.initial import X

Notify = ikev2.Notify
Notifies = Mapping[int, Sequence[Any]]

CHANGED_ON_THE_WAY = (
    "isakmpctl capture on at both ends shows whether somebody changes USE_PPK in answers to "
    "IKE_SA_INIT"
)


# --- IKE_SA_INIT -----------------------------------------------------------------------------


def offer(x: X, message: Outgoing) -> None:
    """Say that we use PPKs: the initiator with this peer, the responder with one that it may be."""
    s = x.state
    said = x.remote.ikev2.ppk is not None
    if not x.initiator:
        asked = Notify.USE_PPK in s.supports
        said = s.use_ppk = asked and x.host.owner.catalog.has_ppk(x.remote, x.path.remote)
        if asked and not said:
            x.declined.append(_unknown_yet(x))
    if said:
        add_notify(message, Notify.USE_PPK)


def _unknown_yet(x: X) -> Reason:
    """The peer may go on without, or not at all."""
    name = x.remote.name
    return Reason("ppk-unknown", f"the peer has said USE_PPK, and [{name}] has no PPK",
                  came="USE_PPK", acceptable="none", line=x.remote.line,
                  mend=f"set PPK-ID and its key in [{name}], as the peer has them")  # fmt: skip


def agree(x: X) -> None:
    """As initiator: whether both do. Refused where we must; a better answer may come, as that may
    be somebody's who has taken the notify away (RFC 8784 6)."""
    s, ppk = x.state, x.remote.ikev2.ppk
    s.use_ppk = ppk is not None and Notify.USE_PPK in s.supports
    if ppk is not None and ppk.required and not s.use_ppk:
        raise _refused(_not_used(x, ppk, "the peer uses no PPK", "no USE_PPK"))


def says(message: Incoming) -> bool:
    """Whether an IKE_SA_INIT says USE_PPK."""
    said = values_of(message.payloads, codecs.NOTIFY)
    return any(value.notify == Notify.USE_PPK for value in said)


def suits(x: X, message: Incoming) -> bool:
    """As initiator: whether what we do about the PPK is what that answer asks for."""
    return x.remote.ikev2.ppk is None or says(message) is x.state.use_ppk


def in_doubt(x: X) -> bool:
    """As initiator: whether answers of the same keys came that ask for both."""
    return not all(suits(x, message) for message in x.state.answers.values())


# --- IKE_AUTH --------------------------------------------------------------------------------


def own_keys(x: X) -> SkKeys:
    """The keys that our AUTH is made with."""
    keys, ppk = sa_of(x).keys, x.remote.ikev2.ppk
    if x.initiator and x.state.use_ppk and ppk is not None:
        return with_ppk(keys.prf, ppk.secret, keys.sk)
    sk: SkKeys = keys.sk
    return sk


def add(x: X, message: Outgoing, prove: Callable[[SkKeys], bytes]) -> None:
    """Name the PPK, and prove who we are without it where that will do; in an answer, that it is
    used."""
    sa, ppk = sa_of(x), x.remote.ikev2.ppk
    if not x.state.use_ppk or ppk is None:
        return
    if not x.initiator:
        if sa.ppk is not None and not sa.ppk.why:
            add_notify(message, Notify.PPK_IDENTITY)
        return
    add_notify(message, Notify.PPK_IDENTITY, ppk.id)
    if not ppk.required:
        add_notify(message, Notify.NO_PPK_AUTH, prove(sa.keys.sk))


def settle(x: X, notifies: Notifies, auth: bytes) -> bytes:
    """Which proof of the peer's counts, and the keys that it is made with. auth: that in its AUTH.

    Refused with AUTHENTICATION_FAILED where there is nothing to go on with; MalformedPayload.
    """
    ppk = x.remote.ikev2.ppk
    if not x.state.use_ppk:
        if ppk is not None:
            _without(x, ppk, _not_used(x, ppk, "the peer uses no PPK", "no USE_PPK"))
        return auth
    if not x.initiator:
        return _settle_answer(x, ppk, notifies, auth)
    if ppk is not None:
        if Notify.PPK_IDENTITY in notifies:  # what else it says means nothing
            _mix(x, ppk)
        else:
            came = "no PPK_IDENTITY"
            _without(x, ppk, _not_used(x, ppk, "the peer goes on without the PPK", came))
    return auth


def _settle_answer(x: X, ppk: Ppk | None, notifies: Notifies, auth: bytes) -> bytes:
    """The same, as responder."""
    named, plain = _one(notifies, Notify.PPK_IDENTITY), _one(notifies, Notify.NO_PPK_AUTH)
    if named is None:
        raise _refused(
            Reason("ppk-not-used", "the peer says that it uses a PPK, and names none",
                   came="no PPK_IDENTITY", acceptable=str(ppk or "none"), line=_line(x, ppk),
                   mend=f"{CHANGED_ON_THE_WAY}; where nobody does, the peer breaks RFC 8784")
        )  # fmt: skip
    if len(named) < 2:
        raise MalformedPayload("NOTIFY.data", 28, "a PPK_IDENTITY without one", "RFC 8784 5.1")
    if ppk is not None and ppk.id == named:
        _mix(x, ppk)
        return auth
    reason = _unknown(x, ppk, named)
    if plain is None:
        raise _refused(reason)
    _without(x, ppk or Ppk(named, b""), reason)
    return plain


def differs(x: X, notifies: Notifies, fits: Callable[[bytes, SkKeys], bool]) -> Reason | None:
    """Why AUTH does not fit, where the PPK is the cause. fits: whether a proof does, with keys."""
    s, ppk = x.state, x.remote.ikev2.ppk
    if s.sk_before is None or ppk is None:
        return None
    plain = None if x.initiator else _one(notifies, Notify.NO_PPK_AUTH)
    if plain is not None and fits(plain, s.sk_before):
        return Reason("ppk-differs", "the peer's AUTH fits our pre-shared key, but not our PPK",
                      came=ppk_name(ppk.id), line=ppk.line,
                      mend="make the PPK of both ends the same")  # fmt: skip
    return Reason("authentication-failed",
                  "the peer's AUTH does not fit our pre-shared key together with our PPK",
                  came=f"identity {x.state.remote_id}, PPK {ppk_name(ppk.id)}", line=ppk.line,
                  mend="make the Authentication of both ends the same, and the PPK")  # fmt: skip


def told(x: X, reason: Reason, notifies: Notifies) -> Reason:
    """Why the proof of either does not fit, with what was seen of USE_PPK. notifies: those beside
    the peer's proof."""
    seen = ""
    if x.initiator and (x.state.doubted or in_doubt(x)):
        seen = "answers with USE_PPK and without came, of which one is somebody else's"
    elif not x.initiator and not x.state.use_ppk and Notify.PPK_IDENTITY in notifies:
        seen = "the peer names a PPK, though our answer did not say USE_PPK"
    if not seen:
        return reason
    return replace(reason, detail=f"{reason.detail}; {seen}", mend=CHANGED_ON_THE_WAY)


def audit(x: X) -> None:
    """Tell of an IKE SA that is up without a PPK, though there is one (RFC 8784 6)."""
    if x.state.no_ppk is not None:
        x.host.remark(x, x.state.no_ppk, goes_on=True)


# --- what becomes of it ----------------------------------------------------------------------


def _mix(x: X, ppk: Ppk) -> None:
    """Go on with the PPK."""
    s, sa = x.state, sa_of(x)
    s.sk_before = sa.keys.sk
    sa.keys.sk = with_ppk(sa.keys.prf, ppk.secret, sa.keys.sk)
    sa.ppk = PpkUse(ppk_name(ppk.id), ppk.required)
    log, sk = x.host.log, sa.keys.sk
    log.debug(LogClass.NEGOTIATION, 30, "%s: PPK %s is used", x, ppk)
    if log.on(LogClass.CRYPTO, 50):
        for title, value in (("SK_d", sk.d), ("SK_pi", sk.pi), ("SK_pr", sk.pr)):
            log.secret(f"{title} with PPK", value)


def _without(x: X, ppk: Ppk, reason: Reason) -> None:
    """Go on without the PPK. Refused where it is required."""
    if ppk.required:
        raise _refused(reason)
    x.state.no_ppk = reason
    sa_of(x).ppk = PpkUse(ppk_name(ppk.id), ppk.required, reason.detail)


def _refused(reason: Reason) -> Refused:
    return Refused(reason, Notify.AUTHENTICATION_FAILED)


def _not_used(x: X, ppk: Ppk, detail: str, came: str) -> Reason:
    mend = "give the peer the PPK"
    if ppk.required:
        mend += f", or set PPK-required= no in [{x.remote.name}]"
    return Reason("ppk-not-used", detail, came=came, acceptable=str(ppk), line=ppk.line, mend=mend)


def _unknown(x: X, ppk: Ppk | None, named: bytes) -> Reason:
    mend = "make PPK-ID and PPK-ID-type of both ends the same"
    if ppk is None:
        mend = f"set PPK-ID and its key in [{x.remote.name}], as the peer has them"
    return Reason("ppk-unknown", f"the peer's PPK {ppk_name(named)} is not known here",
                  came=ppk_name(named), acceptable=str(ppk or "none"), line=_line(x, ppk),
                  mend=mend)  # fmt: skip


def _line(x: X, ppk: Ppk | None) -> str:
    return ppk.line if ppk is not None else x.remote.line


def _one(notifies: Notifies, number: Notify) -> bytes | None:
    """The data of a notify that comes once, or not at all."""
    values = notifies.get(number, ())
    if len(values) > 1:
        raise MalformedPayload("NOTIFY", 28, f"{number.name} comes twice", "RFC 8784 3")
    data: bytes | None = values[0].data if values else None
    return data
