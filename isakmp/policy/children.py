"""Which connection a peer's request for a child SA is for: RFC 7296 2.9."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

from isakmp.constants import ikev2, ipsec
from isakmp.errors import Reason, Refused
from isakmp.policy.match import MISSES_MAX
from isakmp.policy.spd import Connection, Remote, Traffic, TrafficSelector
from isakmp.policy.traffic import Narrowed, describe, describe_side, is_subset, misses, narrow

Found = tuple[Connection, Narrowed]


def find_child(
    remote: Remote, connections: Sequence[Connection], came: Traffic, transport: bool, line: str
) -> Found:
    """The connection that fits best, and what it leaves of the traffic, from our point of view.

    One that takes all goes first, of those the narrowest; else the one that takes most.
    transport: the peer asks for transport mode. Refused with a miss for each connection.
    """
    found: list[Found] = []
    missed: list[str] = []
    for connection in connections:
        reason = _miss(connection, transport)
        if not reason:
            try:
                found.append((connection, narrow(connection.traffic, came, connection.line)))
                continue
            except Refused as error:
                reason = misses(connection.traffic, came) or error.reason.detail
        missed.append(f"{connection.name}: {reason}")
    if not found:
        raise Refused(
            _reason(remote, connections, came, missed, line), ikev2.Notify.TS_UNACCEPTABLE
        )
    if len(found) == 1:
        return found[0]
    connection, best = min(found, key=lambda one: _rank(one[0], one[1], came, transport))
    more = any(not is_subset(other.traffic, best.traffic) for _, other in found)
    return connection, best._replace(additional=best.additional or not best.complete and more)


def is_transport(connection: Connection) -> bool:
    """Whether a connection is in transport mode: its first transform says so."""
    mode = connection.suites[0].protocols[0].transforms[0].encapsulation
    return mode is ipsec.Encapsulation.TRANSPORT


def _miss(connection: Connection, transport: bool) -> str:
    if connection.active_only:
        return "is Active-only"
    if not connection.proposals:
        return "has no suite that IKEv2 can negotiate"
    if is_transport(connection) and not transport:
        return "is in transport mode, the peer asks for tunnel mode"
    return ""


def _rank(
    connection: Connection, narrowed: Narrowed, came: Traffic, transport: bool
) -> tuple[bool, bool, bool, float]:
    first = Traffic(came.local[:1], came.remote[:1])
    size = _bits(connection.traffic) if narrowed.complete else -_bits(narrowed.traffic)
    return (
        not narrowed.complete,
        not is_subset(first, narrowed.traffic),
        is_transport(connection) != transport,
        size,
    )


def _bits(traffic: Traffic) -> float:
    """How wide traffic is, both sides together."""
    return sum(log2(sum(map(_volume, side)) or 1) for side in traffic)


def _volume(selector: TrafficSelector) -> int:
    addresses = int(selector.end) - int(selector.start) + 1
    ports = max(selector.end_port - selector.start_port, 0) + 1
    return addresses * (1 if selector.protocol else 256) * ports


def _reason(
    remote: Remote, connections: Sequence[Connection], came: Traffic, missed: list[str], line: str
) -> Reason:
    acceptable = "; ".join(describe(c.traffic) for c in connections[:MISSES_MAX])
    return Reason(
        "ts-unacceptable",
        f"no connection with {remote.name} has this traffic",
        came=describe(came),
        acceptable=acceptable or "nothing",
        line=connections[0].line if connections else line,
        misses=tuple(missed[:MISSES_MAX]),
        beside=tuple(
            (f"{c.name} {side}", describe_side(theirs), describe_side(ours))
            for c in connections[:MISSES_MAX]
            for side, theirs, ours in (
                ("local", came.local, c.traffic.local),
                ("remote", came.remote, c.traffic.remote),
            )
        ),
        mend="selectors or Local-ID and Remote-ID here must be those of the peer, sides exchanged",
    )
