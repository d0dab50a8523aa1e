"""Rivals: which of two SAs that serve the same gives way, and when it ends.

A new SA supersedes the one that served before. What is concluded late, as the key, the stack or a
confirmation was waited for, gives way to what was begun after it was agreed on: the peer has ended
it for that. Where two were negotiated at once, that of the lower nonce gives way; it receives, but
never sends. Whoever began the one that stays deletes the other after a grace. The other end does so
later on its own: with a slow network the ends may see different ones as the later, so that of the
lower nonce goes first, and where the peer deletes the one we would keep, the one we would not takes
its place. Both ends never delete both. What a responder has made of one attempt of the initiator's,
when somebody copied its first message, is told apart in doubles.py.
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


def wait_s(gone: AnySa, stays: AnySa) -> float:
    """How long a superseded SA waits for its end, in seconds."""
    if stays.initiator:
        return GRACE_S
    return FALLBACK_S if gone.tiebreak < stays.tiebreak else 2 * FALLBACK_S
