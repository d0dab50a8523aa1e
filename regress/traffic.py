"""Whether traffic between two hosts of pair.py would pass, by what their applications hold.

A stack sends with the newest outbound SA of the reqid that its policy names, and takes what comes
with an inbound SA where the policy the clear packet meets names that SA's reqid.
"""

from __future__ import annotations

from isakmp.app.base import Direction, SaSpec
from isakmp.policy.spd import Selector
from regress.pair import Host


def stopped(sender: Host, receiver: Host, selector: Selector) -> str:
    """Why a packet of ``selector`` does not come from one host to the other; empty: it does."""
    out = [p for p in sender.app.policies if (p.direction, p.selector) == (Direction.OUT, selector)]
    if len(out) != 1:
        return f"{sender.address} has {len(out)} policies"
    mine = [s for s in sender.app.sas.values() if not s.inbound and s.reqid == out[0].reqid]
    if not mine:
        return f"{sender.address} has no SA of its policy's reqid"
    theirs = [s for s in receiver.app.sas.values() if s.inbound and s.spi == mine[-1].spi]
    if not theirs or _keys(theirs[0]) != _keys(mine[-1]):
        return f"{receiver.address} has no such SA"
    ins = {p.reqid for p in receiver.app.policies
           if (p.direction, p.selector) == (Direction.IN, selector)}  # fmt: skip
    return "" if ins == {theirs[0].reqid} else f"{receiver.address} takes it with another SA only"


def _keys(sa: SaSpec) -> tuple[bytes, bytes]:
    return sa.enc_key, sa.auth_key


def flows(one: Host, other: Host) -> bool:
    """Whether traffic passes both ways, of every policy that one of them has."""
    found = {p.selector for p in one.app.policies if p.direction is Direction.OUT}
    ways = [(one, other, s) for s in found] + [(other, one, s.reversed()) for s in found]
    return bool(ways) and not any(stopped(*way) for way in ways)
