"""IKE_SA_INIT: RFC 7296 1.2, 2.6, 2.7 and 2.23; RFC 7383 2.3, RFC 6023 3, RFC 8784 3.

    initiator                                responder
    HDR, [N(COOKIE)], SAi1, KEi, Ni    -->
                                       <--   HDR, SAr1, KEr, Nr

    or instead                         <--   HDR, N(COOKIE)
                                       <--   HDR, N(INVALID_KE_PAYLOAD)

Anybody can send the latter two, so that there may be several first messages. AUTH covers the one
that the peer has answered, and the wrong one ends the IKE SA there. An answer shows its group, and
was there when it came: it is to the last message with that group that had been sent by then. So a
cookie has to wait a while for an answer that does without one, and one that comes again goes before
others. The second message may come in several versions of the same keys (twins.py).

IKE_AUTH follows under the keys that come of it, or IKE_INTERMEDIATE where more key exchanges were
agreed on. What the responder derives is derived once its answer has left, while the initiator does
the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from isakmp.chosen import ChosenIkev2
from isakmp.constants import ikev2
from isakmp.crypto import skeyseed
from isakmp.crypto.prf import get_prf_v2
from isakmp.errors import MalformedPayload, Reason, Refused
from isakmp.exchange.exchange import ScriptOf
from isakmp.exchange.script import END, SWITCH, Incoming, Outgoing, Script, Verdict, Wait, refusable
from isakmp.log.log import LogClass
from isakmp.payloads import ikev2 as codecs
from isakmp.payloads.ikev2.sa import Offer
from isakmp.policy import proposal
from isakmp.policy.proposal import Choice
from isakmp.policy.remembered import remembered
from isakmp.policy.spd import Remote
from isakmp.scripts.ikev2 import abilities, common, ppk, twins
from isakmp.scripts.ikev2.common import Notifies
from isakmp.scripts.ikev2.ike_auth import IKE_AUTH
from isakmp.scripts.ikev2.ike_intermediate import IKE_INTERMEDIATE
from isakmp.scripts.ikev2.initial import (
    First,
    Initial,
    X,
    chosen_of,
    chosen_of_choice,
    fork,
    larval,
    log_keys,
    octets_of,
)
from isakmp.scripts.ikev2.keys import derive

P, Notify = ikev2.Payload, ikev2.Notify


# First messages of one attempt: a cookie, then a group, then a new cookie for it, and as much again
# that somebody on the way has made up.
MESSAGES_MAX = 8
COOKIES_MAX = 16
# For an answer that does without; twice as long each time, so that in the end none comes too late.
COOKIE_WAIT_S, COOKIE_WAIT_MAX_S = 0.5, 4.0


def send_SA_KE_NONCE(x: X, message: Outgoing) -> Wait:
    """The initiator's offer, behind the cookie it was asked for; the responder's choice."""
    s = x.state
    if x.initiator:
        yield from _offer(x, message)
        x.after_send.append(lambda: _keep_message_1(x))
    else:
        message.add(P.SA, proposal.answer(s.choice, b""))
        s.nr = x.host.random(common.NONCE_SIZE)
        public, s.g_ir = yield from common.respond(x, chosen_of(x).group, s.ke_peer)
        message.add(P.KE, common.ke_value(chosen_of(x).group, public))
        message.add(P.NONCE, s.nr)
        x.after_send.append(lambda: _make_sa(x))
    abilities.add(x, message)
    ppk.offer(x, message)


def _offer(x: X, message: Outgoing) -> Wait:
    s, proposals = x.state, x.remote.proposals
    groups = common.groups_of(proposals)
    if not groups:
        raise Refused(Reason("nothing-to-offer", f"peer {x.remote.name} has no IKEv2 proposal",
                             line=x.remote.line, mend="set IKE-proposals"))  # fmt: skip
    if s.cookie:
        common.add_notify(message, Notify.COOKIE, s.cookie)
    s.group = s.group or groups[0]
    known = (first.key_pair for first in s.asked if first.group == s.group)
    s.key_pair = next(known, None) or (yield from common.make_key_pair(x, s.group))
    s.ni = s.ni or x.host.random(common.NONCE_SIZE)
    message.add(P.SA, proposal.offer(proposals, b""))
    message.add(P.KE, common.ke_value(s.group, s.key_pair.public))
    message.add(P.NONCE, s.ni)


def _keep_message_1(x: X) -> None:
    s = x.state
    if s.group is not None and s.key_pair is not None:
        now = x.host.now()
        s.asked.append(First(s.group, s.cookie, s.key_pair, x.last_out[0], now))


def recv_SA_KE_NONCE(x: X, message: Incoming) -> Wait:
    """The responder chooses; the initiator checks the choice, and both have keys."""
    s = x.state
    proposals, ke = message.value(codecs.SA).proposals, message.value(codecs.KE)
    nonce = message.value(codecs.NONCE).data
    remote = x.remote
    if x.initiator:
        s.nr = nonce
        s.choice = proposal.check_answer(proposals, remote.proposals, remote.name, remote.line)
        s.chosen = chosen_of_choice(remote, s.choice)
        _take_responder_spi(x, message)
    else:
        s.ni = nonce
        s.message_1 = octets_of(message)
        s.choice, s.chosen = _choose(proposals, remote, ke.group)
    asked = () if x.initiator else proposals
    common.check_group(ke.group, s.chosen.group, remote.proposals, asked)
    if x.initiator:
        _recall(x, ke.group, message.came)
    s.ke_peer = ke.data
    abilities.take(x, message)
    abilities.check_additional(x)
    s.additional.methods = s.chosen.methods
    if x.initiator:
        ppk.agree(x)
    x.host.log.debug(LogClass.NEGOTIATION, 30, "%s: agreed on %s (%s)", x, s.chosen,
                     s.chosen.name)  # fmt: skip
    if x.initiator:
        s.message_2 = octets_of(message)
        s.answers[s.message_2] = message
        if s.key_pair is not None:
            s.g_ir = yield from common.agree(x, s.key_pair, s.ke_peer)
        _make_sa(x)


@remembered
def _choose(came: Sequence[Offer], remote: Remote, group: int) -> tuple[Choice, ChosenIkev2]:
    """What we take of an initiator's proposals, and what it means. group: of its KE payload."""
    choice = proposal.choose(
        came, remote.proposals, remote.name, remote.line,
        prefer_local=remote.ikev2.prefer_local, prefer_group=group,
    )  # fmt: skip
    return choice, chosen_of_choice(remote, choice)


def _recall(x: X, group: int, came: float) -> None:
    """The message that was answered."""
    s, first = x.state, _question(x, group, came)
    if first is None:
        reason = Reason("invalid-ke-payload", f"no message of ours was of group {group} by then")
        raise Refused(reason, Notify.INVALID_KE_PAYLOAD)
    s.group, s.key_pair, s.message_1 = group, first.key_pair, first.octets


def _question(x: X, group: int, came: float) -> First | None:
    """The last message of that group that was sent before an answer came; others, that somebody
    has made us send, may have followed it before it was the answer's turn."""
    before = (
        first for first in x.state.asked if (first.group, first.sent <= came) == (group, True)
    )
    return max(before, key=lambda first: first.sent, default=None)


def question(x: X, message: Incoming) -> First | None:
    """Of which an answer is to be taken as the answer, as far as it shows."""
    bodies = (payload.body for payload in message.payloads if payload.type == P.KE)
    return _question(x, int.from_bytes(next(bodies, b"")[:2], "big"), message.came)


def _take_responder_spi(x: X, message: Incoming) -> None:
    if not any(message.header.cky_r):
        raise MalformedPayload("HDR.cky_r", 8, "is zero", "RFC 7296 3.1")
    x.cky_r = message.header.cky_r


def _make_sa(x: X) -> None:
    """SKEYSEED and what follows from it; the IKE SA, larval until both have proved themselves."""
    s, chosen = x.state, chosen_of(x)
    if not x.initiator:
        s.message_2 = x.last_out[0]
    prf = get_prf_v2(chosen.prf)
    seed = skeyseed.skeyseed(prf, s.ni, s.nr, s.g_ir)
    keys = derive(chosen, seed, s.ni, s.nr, x.cky_i, x.cky_r, initiator=x.initiator)
    log_keys(x, s.g_ir, keys)
    x.sa = larval(x, keys, chosen, x.cky_i, x.cky_r, s.nat)
    x.stranger = False  # it has computed what we have, and answers where it says it is
    # This exchange was number 0, of which nothing is left to say under the SA.
    if x.initiator:
        x.sa.ids.done(x.sa.ids.take())
    else:
        x.sa.ids.begin(0)
    x.sa.fragments = abilities.fragments(x)
    s.key_pair, s.g_ir = None, b""
    s.asked = []


def recv_refusal(x: X, message: Incoming) -> Verdict:
    """Notifies alone: a cookie to repeat, a group to take, or an error that proves nothing."""
    s, notifies = x.state, common.take_notifies(message)
    if cookie := notifies.get(Notify.COOKIE):
        _note_cookie(x, cookie[0].data)
        return Verdict.WAIT
    group = common.other_group(notifies, set(common.groups_of(x.remote.proposals)), s.group)
    if group is not None:
        x.host.log.debug(LogClass.NEGOTIATION, 30, "%s: the peer asks for group %d", x, group)
        if not _may_send(x, group, s.cookie):
            _prefer(x, group)
            return Verdict.WAIT
        s.group = group
        return Verdict.RESTART
    if _is_late(x, notifies):
        return Verdict.WAIT
    error = common.error_among(notifies)
    if error is None:
        raise MalformedPayload("HDR", 28, "an answer without SA, KE and NONCE", "RFC 7296 1.2")
    offered = "; ".join(proposal.describe(p.transforms) for p in x.remote.proposals)
    line = x.remote.proposals[0].line if x.remote.proposals else ""
    raise common.refused_by_peer(x, error, proven=False, offered=offered, line=line)


def _is_late(x: X, notifies: Notifies) -> bool:
    """Whether it asks for the group that was sent since then: a message before that was repeated,
    and this is one more answer to it, which takes no longer than the first one."""
    values, asked, group = notifies.get(Notify.INVALID_KE_PAYLOAD), x.state.asked, x.state.group
    before = [first.sent for first in asked if first.group != group]
    if not (values and before) or int.from_bytes(values[0].data, "big") != group:
        return False
    sent = max(first.sent for first in asked if first.group == group)
    return x.host.now() - sent <= sent - min(before)


def _note_cookie(x: X, cookie: bytes) -> None:
    """Whether it was ours to be asked for one shows in a while."""
    if not 1 <= len(cookie) <= 64:
        raise MalformedPayload("NOTIFY.data", 28, "a cookie of no octets, or of more than 64",
                               "RFC 7296 2.6")  # fmt: skip
    heard = x.state.cookies
    if cookie in heard or len(heard) < COOKIES_MAX:
        heard[cookie] = heard.get(cookie, 0) + 1
    if "cookie" not in x.events:
        wait = min(COOKIE_WAIT_S * (1 << len(x.state.asked) - 1), COOKIE_WAIT_MAX_S)
        x.events["cookie"] = x.host.timers.add("cookie", wait, _show_cookie, x)


def _show_cookie(x: X) -> None:
    """No answer did without: the same again with the cookie that came most often."""
    del x.events["cookie"]
    s = x.state
    if x.script is not IKE_SA_INIT or x.parked or s.group is None:
        return
    for cookie in sorted(s.cookies, key=lambda each: -s.cookies[each]):
        if not _was_sent(s, s.group, cookie):
            if _may_send(x, s.group, cookie):
                s.cookie = cookie
                x.host.walk.begin_again(x)
            return


def _may_send(x: X, group: int, cookie: bytes) -> bool:
    """Whether that is something new, and there were not too many messages already."""
    s = x.state
    if len(s.asked) >= MESSAGES_MAX:
        x.hint = Reason("too-many-restarts", "the peer asks for one change after another, or "
                        "somebody in its name")  # fmt: skip
    return len(s.asked) < MESSAGES_MAX and not _was_sent(s, group, cookie)


def _prefer(x: X, group: int) -> None:
    """What was sent already is repeated from now on: its answer may have got lost while somebody
    made us ask for another group."""
    s = x.state
    for first in s.asked:
        if (first.group, first.cookie) == (group, s.cookie):
            s.group, x.last_out = group, (first.octets,)


def _was_sent(s: Initial, group: int, cookie: bytes) -> bool:
    return any((first.group, first.cookie) == (group, cookie) for first in s.asked)


def _following(x: X) -> ScriptOf[Initial]:
    """What the keys are made with is not all there yet, or is."""
    return IKE_INTERMEDIATE if chosen_of(x).additional else IKE_AUTH


SA, KE, NONCE = P.SA, P.KE, P.NONCE

ike_sa_init_initiator = (send_SA_KE_NONCE, recv_SA_KE_NONCE)
ike_sa_init_responder = (recv_SA_KE_NONCE, send_SA_KE_NONCE)
ike_sa_init_syntax = (SA, KE, NONCE, SWITCH, SA, KE, NONCE, END)

IKE_SA_INIT = refusable(Script(
    "IKE_SA_INIT", ikev2.Exchange.IKE_SA_INIT, ike_sa_init_initiator, ike_sa_init_responder,
    ike_sa_init_syntax, Initial, follows=_following, establishes=True,
    fork=fork, question=question, joins=twins.joins,
    rests=twins.rests, anew=twins.anew,
), (int(P.NOTIFY),), recv_refusal)  # fmt: skip
