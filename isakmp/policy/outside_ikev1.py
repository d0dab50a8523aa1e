"""What of a peer's or a connection's keywords IKEv1 has not got, and what it has in their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isakmp.constants import ikev2
from isakmp.constants.isakmp import Group
from isakmp.policy.algorithms import AUTH_OF_IKEV2_ALONE, in_ikev1
from isakmp.policy.spd import Proposal, Suite


def more_exchanges(proposals: Sequence[Proposal]) -> str:
    """Of key exchanges that are added to others (RFC 9370); empty where none is demanded."""
    demanded = sorted({number for proposal in proposals for number in proposal.demanded})
    without = " and ".join(f"ke{number}_none" for number in demanded)
    if not without:
        return ""
    return f"additional key exchanges are IKEv2's: set Key-exchange= ikev2, or add {without}"


def ipsec_hint(suites: Sequence[Suite], proposals: Sequence[Proposal]) -> str:
    """What keeps IKEv1 from each of these suites. proposals: the keywords that they are of, if they
    are."""
    return "; ".join(_lacking(suites, proposals))


def _lacking(suites: Sequence[Suite], proposals: Sequence[Proposal]) -> Iterator[str]:
    if more := more_exchanges(proposals):
        yield more
    plain = (proposal for proposal in proposals if not proposal.demanded)
    if any(map(_has_no_group, plain)):
        yield "name another group"
    outside = [t for suite in suites for t in suite.transforms if not in_ikev1(t)]
    if any(ours.auth in AUTH_OF_IKEV2_ALONE for ours in outside):
        yield "name another integrity algorithm"
    if any(False not in ours.esn for ours in outside):
        yield "name noesn: its sequence numbers have 32 bits"


def _has_no_group(proposal: Proposal) -> bool:
    named = proposal.of_type(ikev2.Transform.KE)
    return bool(named) and not any(one.id in list(Group) for one in named)
