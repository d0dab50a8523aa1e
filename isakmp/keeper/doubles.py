"""Doubles: SAs that one attempt of a peer's has made, of which it has one.

Whoever changes what nothing protects of a first message, or sends it on from another port, has it
answered more than once; who follows those answers proves itself to each, and goes on with the first
that proves itself in turn (candidates.py). The cookie or SPI of who began is the same in all. Which
one it has shows by what comes under it: each is asked, and the others are forgotten then. The peer
knows nothing of those.
"""

from __future__ import annotations

from isakmp.keeper.liveness import EndSa
from isakmp.keeper.shared import Shared
from isakmp.policy.spd import Address
from isakmp.sa import IsakmpSa, State


class Doubles:
    """Those of one daemon's keeper."""

    def __init__(self, shared: Shared, end_sa: EndSa) -> None:
        self._shared, self._end_sa = shared, end_sa

    def look(self, new: IsakmpSa) -> None:
        """``new`` is there, and may not be the only one of its attempt."""
        if not (others := self._others(new)):
            return
        engine = self._shared.engine
        for sa in (*others, new):
            sa.doubled = True
            if sa.dpd:
                sa.dpd_sequence = (sa.dpd_sequence + 1) & 0x7FFFFFFF
                engine.dialects[sa.dialect].probe(engine, sa, sa.dpd_sequence)

    def heard(self, sa: IsakmpSa) -> None:
        """Something that only who has ``sa`` can have sent came under it, now that it is made."""
        if not sa.doubled or sa.state is State.LARVAL:
            return
        sa.doubled = False
        for other in self._others(sa):
            self._shared.log.proto_warn("%s: the peer has another one of the same attempt", other)
            self._end_sa(other, tell=False)

    def _others(self, sa: IsakmpSa) -> list[IsakmpSa]:
        if sa.initiator:
            return []
        every, _ = self._shared.sas.everywhere(sa)
        own = _attempt(sa)
        return [x for x in every if x is not sa and _attempt(x) == own]


def _attempt(sa: IsakmpSa) -> tuple[str, bytes, bool, Address]:
    """What is the same in all that one has made. Another device of the same identity can choose the
    cookie or SPI that goes by in clear, but not be where the first one is."""
    return sa.dialect, sa.cky_i, sa.initiator, sa.path.remote
