"""Which connection a peer's request for a child SA is for: RFC 7296 2.9."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

from isakmp.constants import ikev2, ipsec
from isakmp.errors import Part, Reason, Refused
from isakmp.policy.match import MISSES_MAX
from isakmp.policy.spd import Connection, Remote, Traffic, TrafficSelector
from isakmp.policy.traffic import (
    Narrowed,
    describe,
    describe_side,
    intersect,
    is_subset,
    misses,
    narrow,
    side_fits,
)

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
    single: Refused | None = None
    for connection in connections:
        reason = _miss(connection, transport)
        if not reason:
            try:
                found.append((connection, _narrow(connection, came)))
                continue
            except Refused as error:
                if error.notify == ikev2.Notify.SINGLE_PAIR_REQUIRED:
                    single = error
                reason = misses(connection.traffic, came) or error.reason.detail
        missed.append(f"{connection.name}: {reason}")
    if not found:
        raise single or Refused(
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


def _narrow(connection: Connection, came: Traffic) -> Narrowed:
    """Of a connection for single pairs that of the packet, which goes first. Refused with
    SINGLE_PAIR_REQUIRED where no packet says which pair."""
    ours, line = connection.traffic, connection.line
    if not connection.single_pair:
        return narrow(ours, came, line, connection.pairs_max)
    local, remote = came.local[0], came.remote[0]
    if _is_host(local) and _is_host(remote):
        pair = Traffic(_at(ours.local, local), _at(ours.remote, remote))
        if pair.local and pair.remote:
            found = narrow(pair, came, line, connection.pairs_max)
            return found._replace(additional=not found.complete)
    found = narrow(ours, came, line, connection.pairs_max)
    if all(_is_host(s) and s.start == side[0].start for side in found.traffic for s in side):
        return found
    raise Refused(
        Reason("single-pair-required", f"{connection.name} takes one pair of addresses a child SA",
               came=describe(came), acceptable=f"the addresses of a packet of {describe(ours)}",
               line=line, mend="have traffic bring it up at the peer, or set Single-pair= no here"),
        ikev2.Notify.SINGLE_PAIR_REQUIRED,
    )  # fmt: skip


def _is_host(selector: TrafficSelector) -> bool:
    return selector.start == selector.end


def _at(side: Sequence[TrafficSelector], host: TrafficSelector) -> tuple[TrafficSelector, ...]:
    """What there is for one address."""
    only = TrafficSelector(host.start, host.end)
    return tuple(both for s in side if (both := intersect(s, only)) is not None)


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
            Part(
                f"{c.name} {side}",
                describe_side(theirs),
                describe_side(ours),
                side_fits(ours, theirs),
            )
            for c in connections[:MISSES_MAX]
            for side, theirs, ours in (
                ("local", came.local, c.traffic.local),
                ("remote", came.remote, c.traffic.remote),
            )
        ),
        mend="Local-selectors (or Local-ID) here must be the peer's Remote-selectors (or "
        "Remote-ID), and the other way round",
    )
