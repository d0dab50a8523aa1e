"""Twins: answers to one IKE_SA_INIT that make the same keys.

RFC 7296 2.4, 2.15. Somebody on the way can send the peer's own answer on with a notify changed,
added or gone. Its keys are those of the true one, and one IKE_AUTH goes out under them; but AUTH
covers the octets of one of the two. Which that is shows when it comes: what the others said is
forgotten then. Until then the last one says where the request is repeated to.

No request suits answers with USE_PPK and without (RFC 8784 3), and the peer ends its IKE SA at the
first AUTH that is wrong. So the first of them decides; where the peer refuses that, it is asked
anew, and an answer of the other kind goes before one as that was.
"""

from __future__ import annotations

from collections.abc import Callable

from isakmp.constants import ikev2
from isakmp.errors import Refused
from isakmp.exchange.candidates import make_room
from isakmp.exchange.script import Incoming
from isakmp.message import values_of
from isakmp.payloads import ikev2 as codecs
from isakmp.policy import proposal
from isakmp.scripts.ikev2 import abilities, common, ppk
from isakmp.scripts.ikev2.informational import tell
from isakmp.scripts.ikev2.initial import X, chosen_of_choice, octets_of

P = ikev2.Payload

# How often an attempt asks anew, as somebody may refuse in the peer's name, too.
ANEW_MAX = 7


def joins(x: X, message: Incoming) -> bool:
    """Whether another answer makes the keys that ``x`` goes on with; it is kept beside its own."""
    s = x.state
    if not s.answers or not _same_keys(x, message):
        return False
    s.answers[octets_of(message)] = message
    make_room(s.answers, x.path.remote, 1)
    _take(x, message)
    if not s.nat.found and x.stem is not None:
        x.path = x.stem.path
    if x.sa is not None:
        x.sa.path = x.path
        x.sa.fragments = x.sa.fragments or abilities.fragments(x)
    return True


def _same_keys(x: X, message: Incoming) -> bool:
    s, remote = x.state, x.remote
    payloads = message.payloads
    ke, nonce = values_of(payloads, codecs.KE)[0], values_of(payloads, codecs.NONCE)[0]
    if (message.header.cky_r, ke.data, nonce.data) != (x.cky_r, s.ke_peer, s.nr):
        return False
    try:
        offer = values_of(payloads, codecs.SA)[0].proposals
        choice = proposal.check_answer(offer, remote.proposals, remote.name, remote.line)
    except Refused:
        return False
    return chosen_of_choice(remote, choice) == s.chosen


def _take(x: X, message: Incoming) -> None:
    """What it says of the peer, in the place of what another one has said."""
    message.give_back()
    abilities.take(x, message)


def rests(stem: X, message: Incoming) -> bool:
    """Whether an answer says of USE_PPK what one said that the peer has refused last."""
    doubted = stem.state.doubted
    return bool(doubted) and ppk.says(message) is doubted[-1]


def anew(stem: X, refused: X) -> bool:
    """Whether the peer may have refused what an answer of somebody else's has made us do."""
    s, doubted, ours = refused.state, stem.state.doubted, stem.remote.ikev2.ppk
    optional = ours is not None and not ours.required
    if not optional or not ppk.in_doubt(refused) or len(doubted) >= ANEW_MAX:
        return False
    doubted.append(s.use_ppk)
    stem.state.group, stem.last_out = s.group, (s.message_1,)
    return True


def proven(x: X, fits: Callable[[], bool]) -> bool:
    """Whether what AUTH covers is one of the answers; what that one said counts. fits: whether it
    covers ``message_2``."""
    s = x.state
    if not x.initiator or len(s.answers) < 2:
        return fits()
    for octets, message in s.answers.items():
        if not ppk.suits(x, message):
            continue
        s.message_2 = octets
        if fits():
            _believe(x, message)
            return True
    return False


def _believe(x: X, message: Incoming) -> None:
    """A NAT that was not known of when the request went has to learn of the right port."""
    s, sa = x.state, common.sa_of(x)
    if x.stem is not None:
        x.path = x.stem.path
    _take(x, message)
    agreed = abilities.fragments(x)
    sa.fragments = agreed and (sa.fragments or agreed)
    if s.nat.found:
        dialect, host = x.dialect, x.host
        x.finished.then(lambda job: job.error or tell(host, dialect, sa, []))
