"""What the answer of a responder leaves out of the traffic that was asked for: RFC 7296 2.9, 2.9.2.

That is its right but where a child SA is replaced; both ends tell it, and whoever waits for the
rest is told why.
"""

from __future__ import annotations

from isakmp.errors import Reason
from isakmp.policy import traffic
from isakmp.policy.spd import Traffic
from isakmp.sa import ChildSa
from isakmp.scripts.ikev2.child import Child, X, connection_of, traffic_of


def tell(x: X, c: Child, child: ChildSa) -> None:
    """Of a child SA that is there: what who answered has left out of it. Told once, and not with
    each one that comes in the place of another that had no more."""
    if not x.initiator:
        _tell_ours(x, child)
        return
    if lost := _lost_in_rekeying(x, c):
        x.host.owner.connections.narrowed(connection_of(c), lost)
        x.host.remark(x, lost, goes_on=True)
        return
    reason = _less(x, c)
    if reason is not None and x.host.owner.connections.narrowed(connection_of(c), reason):
        x.host.remark(x, reason, goes_on=True)


def _tell_ours(x: X, child: ChildSa) -> None:
    """What we have left out; of all that are there for a connection with the first alone, as each
    client of a gateway may ask for everything. Not that of one for a pair of addresses at a time:
    the others come when they are needed."""
    cut, connection = child.cut, child.connection
    if cut is None or connection.single_pair or x.host.sas.has_cut(connection.name, child):
        return
    x.host.remark(x, cut, goes_on=True)


def _less(x: X, c: Child) -> Reason | None:
    """That it is less than what was asked for, and more than the pair of addresses of the packet
    that it was asked for with: the others come when they are needed."""
    connection, had = connection_of(c), traffic_of(c)
    offered = traffic.reduced(c.offered or connection.traffic)
    if _is_part(x, offered, had) or (c.before and _is_same(x, had, c.before.traffic)):
        return None
    if c.first is not None:
        pair = c.first.without_ports()._replace(protocol=0)
        if _is_part(x, had, traffic.of_selector(pair)):
            return None
    return Reason(
        "narrowed", f"the peer takes less traffic than [{connection.name}] has",
        came=traffic.describe(had), offered=traffic.describe(offered), line=connection.line,
        mend=f"the peer's policy is narrower: widen its selectors, or ask for less in "
        f"[{connection.name}]",
    )  # fmt: skip


def _is_same(x: X, one: Traffic, other: Traffic) -> bool:
    return _is_part(x, one, other) and _is_part(x, other, one)


def _is_part(x: X, part: Traffic, whole: Traffic) -> bool:
    """So, too, where that is too much work to tell."""
    work = x.host.bounds.work(*map(len, (*part, *whole)))
    return traffic.is_subset(part, whole, work) or work.over


def _lost_in_rekeying(x: X, c: Child) -> Reason | None:
    """What the peer has left out of the traffic of the child SA that is replaced, though it must
    not (2.9.2); or that this is too much to tell. The old one would end all the same, so that the
    new one is better than none."""
    if c.old is None:
        return None
    old, new = c.old.traffic, traffic_of(c)
    work = x.host.bounds.work(*map(len, (*old, *new)))
    if traffic.is_subset(old, new, work):
        return None
    if work.over:
        return x.host.bounds.compared(work)
    return Reason(
        "narrowed-rekey", "the new child SA carries less than the one in whose place it comes",
        came=traffic.describe(new), acceptable=traffic.describe(old),
        line=connection_of(c).line, mend="the peer's configuration has changed: compare selectors",
    )  # fmt: skip
