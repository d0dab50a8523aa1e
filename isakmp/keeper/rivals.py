"""Rivals: which of two SAs that serve the same gives way, and when it ends.

A new SA supersedes the one that served before. What is concluded late, as the key, the stack or a
confirmation was waited for, gives way to what was begun after it was agreed on: the peer has ended
it for that. What a responder has made second of one attempt, the initiator has not. Where two were
negotiated at once, that of the lower nonce gives way; it receives, but never sends. Whoever began
the one that stays deletes the other after a grace. The other end does so later on its own: with a
slow network the ends may see different ones as the later, so that of the lower nonce goes first,
and where the peer deletes the one we would keep, the one we would not takes its place. Both ends
never delete both.
"""

from __future__ import annotations

from isakmp.sa import ChildSa, IsakmpSa

GRACE_S, FALLBACK_S = 3.0, 30.0

AnySa = IsakmpSa | ChildSa


def gives_way(new: AnySa, old: AnySa) -> bool:
    """Whether a new SA is not to replace ``old``: it was negotiated before that, or at once with
    it, and loses."""
    if new.agreed < old.created:
        return True
    return old.agreed >= new.created and new.tiebreak < old.tiebreak


def is_second_answer(new: IsakmpSa, old: IsakmpSa) -> bool:
    """Whether a responder has made ``new`` for the same attempt of the initiator's as ``old``, as
    somebody has sent a copy of its first message. The initiator goes on with the first."""
    return not (new.initiator or old.initiator) and new.cky_i == old.cky_i


def wait_s(gone: AnySa, stays: AnySa) -> float:
    """How long a superseded SA waits for its end, in seconds."""
    if stays.initiator:
        return GRACE_S
    return FALLBACK_S if gone.tiebreak < stays.tiebreak else 2 * FALLBACK_S
