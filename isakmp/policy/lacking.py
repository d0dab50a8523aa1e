"""Key exchange methods that the installed library lacks: what needs one is not proposed.

A choice among others goes on without it. A proposal that demands it is left out, and never made
weaker: who has written down an additional key exchange gets it or nothing.
"""

from __future__ import annotations

from dataclasses import replace

from isakmp.constants.ikev2 import KeyExchange
from isakmp.constants.key_exchange import KEY_EXCHANGES
from isakmp.crypto.agreement import get_method
from isakmp.errors import CryptoError
from isakmp.policy.spd import Proposal, Transform

MEND = "install isakmpd[pq], for cryptography 48 or newer"


def lacks(transform: Transform) -> str:
    """Why the library cannot do a transform that newer ones can; empty where it can."""
    if transform.type not in KEY_EXCHANGES or transform.id < min(KeyExchange):
        return ""
    try:
        get_method(transform.id)
    except CryptoError as error:
        return str(error)
    return ""


def without_lacking(proposal: Proposal) -> Proposal | None:
    """What is left to propose; None where nothing is that asks for as much."""
    kept = tuple(t for t in proposal.transforms if not lacks(t))
    if len(kept) == len(proposal.transforms):
        return proposal
    if {t.type for t in kept} != {t.type for t in proposal.transforms}:
        return None
    return replace(proposal, transforms=kept)
