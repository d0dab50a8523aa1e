"""The traffic that an initiator asks for: RFC 7296 2.9, 2.9.2."""

from __future__ import annotations

from isakmp.constants import ikev2
from isakmp.errors import Refused
from isakmp.exchange.script import Outgoing
from isakmp.policy import traffic
from isakmp.policy.boxes import SELECTORS_OF_PAYLOAD
from isakmp.policy.spd import Traffic
from isakmp.sa import ChildSa, State
from isakmp.scripts import ipsec_sa
from isakmp.scripts.ikev2 import common
from isakmp.scripts.ikev2.child import Child, X, connection_of

P, Notify = ikev2.Payload, ikev2.Notify


def add_request(x: X, c: Child, message: Outgoing) -> None:
    """The initiator's selectors, those of the packet that waits first."""
    connection, packets = connection_of(c), x.host.owner.connections.packets
    # What replaces another SA has its traffic, whatever packet waits (2.9.2).
    c.first = packet = None if c.before else packets.waiting(connection, c.part)
    c.offered = c.part or connection.traffic
    if c.before is not None:
        c.offered = _in_place_of(x, c, c.before)
    local, remote = c.offered
    if c.old is None and packets.by_pairs(connection):
        # Without a packet it is the pair of one that had such a child SA before.
        pair = connection.selector
        if packet is not None:
            pair = pair._replace(src=packet.src, dst=packet.dst)
        local, remote = c.offered = traffic.of_selector(pair)
    elif packet is not None:
        first = traffic.of_selector(packet)
        local, remote = (*first.local, *local), (*first.remote, *remote)
    message.add(P.TSI, traffic.to_wire(local))
    message.add(P.TSR, traffic.to_wire(remote))


def _in_place_of(x: X, c: Child, old: ChildSa) -> Traffic:
    """The traffic of a child SA that is replaced, under whatever IKE SA, and behind it all that its
    connection is for, where the peer has narrowed that: it may have it by now (2.9.2)."""
    connection, sa = old.connection, common.sa_of(x)
    by_pairs = x.host.owner.connections.packets.by_pairs(connection)
    if c.as_old or connection.passive or by_pairs:
        return old.traffic
    if c.old is not None:  # else what there is beside it ends with its IKE SA
        every = x.host.sas.of_connection(connection.name)
        up = [other for other in every if other.state is State.ESTABLISHED]
        within = traffic.is_subset(old.traffic, connection.traffic)
        if not within or traffic.carries_all(connection, up):
            return old.traffic
    try:
        whole = traffic.selectors_of(connection)
        ipsec_sa.check_traffic(x, sa, connection, whole, Notify.TS_UNACCEPTABLE)
    except Refused:
        return old.traffic
    return _before_all(old)


def _before_all(old: ChildSa) -> Traffic:
    """The traffic of a child SA, and behind it all that its connection is for, as much as may be in
    a payload. That of hosts behind NAT, as their peer sees them, may be no part of it."""
    every = old.connection.traffic
    if not traffic.is_subset(old.traffic, every) or traffic.is_subset(every, old.traffic):
        return every
    local, remote = (
        (*first, *rest)[:SELECTORS_OF_PAYLOAD]
        for first, rest in zip(old.traffic, every, strict=True)
    )
    return Traffic(local, remote)


def asks_for_more(c: Child) -> bool:
    """Whether it was to carry more than what it takes the place of."""
    return c.before is not None and not c.as_old and c.offered != c.before.traffic
