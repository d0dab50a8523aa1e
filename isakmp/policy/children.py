"""Which connection a peer's request for a child SA is for: RFC 7296 2.9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2
from typing import NamedTuple

from isakmp.constants import ikev2, ipsec
from isakmp.errors import Part, Reason, Refused
from isakmp.policy.boxes import Work
from isakmp.policy.by_traffic import ByTraffic
from isakmp.policy.match import MISSES_MAX
from isakmp.policy.spd import Connection, Remote, Traffic, TrafficSelector
from isakmp.policy.traffic import (
    Asked,
    Narrowed,
    asked,
    at_host,
    describe,
    describe_side,
    is_subset,
    narrow,
    side_fits,
)

Found = tuple[Connection, Narrowed]

# A connection that has some of the traffic costs as much as so many comparisons: what it has is
# made up, and ranked with what others have.
_FOUND = 16
# What part of a request's comparisons its reason may cost.
_OF_A_REASON = 4
# Where each side fits, and nothing has refused it.
_APART = "local and remote side are of different IP versions"


class Bar(NamedTuple):
    """What keeps a connection from being answered with, whatever the traffic. part: how both ends
    differ; mend: of a connection of that name."""

    told: str
    part: Part
    mend: str


ACTIVE_ONLY = Bar(
    "is Active-only", Part("begun by", "the peer", "us alone", False),
    "take Active-only out of Flags of [{0}], or begin it here: isakmpctl up {0}",
)  # fmt: skip
_NO_SUITE = Bar(
    "has no suite that IKEv2 can negotiate", Part("suites", "of IKEv2", "none of IKEv2", False),
    "set ESP-proposals, or Suites that IKEv2 can negotiate, in [{0}]: isakmpd --check says which "
    "cannot be",
)  # fmt: skip
_MODE = Bar(
    "is in transport mode, the peer asks for tunnel mode",
    Part("mode", "tunnel", "transport", False),
    "set transport mode at the peer, or Mode= tunnel in [{0}]",
)


class _Search:
    """What of the connections has been found for one request, and why others were not."""

    def __init__(self, came: Traffic, transport: bool, work: Work) -> None:
        self.came, self.transport, self.work = came, transport, work
        self.found: dict[str, Found] = {}
        self.refusals: dict[str, Reason] = {}
        self.single: Reason | None = None
        self._sides = asked(came)

    def look(self, connection: Connection) -> bool:
        """Try one; whether it takes all, as it is asked for."""
        if connection.name in self.found or _bar(connection, self.transport):
            return False
        try:
            narrowed = _narrow(connection, self.came, self._sides, self.work)
        except Refused as error:
            if error.notify == ikev2.Notify.SINGLE_PAIR_REQUIRED:
                self.single = error.reason
            self.refusals[connection.name] = error.reason
            return False
        if narrowed is None:
            return False
        self.found[connection.name] = connection, narrowed
        self.work.done += _FOUND
        return narrowed.complete and is_transport(connection) is self.transport

    def best(self) -> Found:
        """Of those that were found."""
        found = list(self.found.values())
        if len(found) == 1:
            return found[0]
        connection, best = min(found, key=self._rank)
        more = any(not is_subset(other.traffic, best.traffic, self.work) for _, other in found)
        return connection, best._replace(additional=best.additional or not best.complete and more)

    def _rank(self, one: Found) -> tuple[bool, bool, bool, float]:
        connection, narrowed = one
        first = Traffic(self.came.local[:1], self.came.remote[:1])
        size = _bits(connection.traffic) if narrowed.complete else -_bits(narrowed.traffic)
        return (
            not narrowed.complete,
            not is_subset(first, narrowed.traffic, self.work),
            is_transport(connection) is not self.transport,
            size,
        )


def find_child(
    remote: Remote, connections: ByTraffic, came: Traffic, transport: bool, line: str, work: Work
) -> Found:
    """The connection that fits best, and what it leaves of the traffic, from our point of view.

    One that takes all goes first, of those the narrowest, which one of just that traffic is; else
    the one that takes most. transport: the peer asks for transport mode. Refused with a miss for
    each connection; where comparing is too much work, those that come later are not looked at, and
    the same goes.
    """
    search = _Search(came, transport, work)
    for connection in connections.equal(came):
        if search.look(connection):
            return search.found[connection.name]
    for connection in connections.near(came, work):
        search.look(connection)
    if search.found:
        return search.best()
    if search.single is not None:
        raise Refused(search.single, ikev2.Notify.SINGLE_PAIR_REQUIRED)
    reason = _reason(remote, connections.every, came, transport, search.refusals, line)
    raise Refused(reason, ikev2.Notify.TS_UNACCEPTABLE)


def is_transport(connection: Connection) -> bool:
    """Whether a connection is in transport mode: its first transform says so."""
    mode = connection.suites[0].protocols[0].transforms[0].encapsulation
    return mode is ipsec.Encapsulation.TRANSPORT


def _narrow(connection: Connection, came: Traffic, sides: Asked, work: Work) -> Narrowed | None:
    """Of a connection for single pairs that of the packet, which goes first. Refused with
    SINGLE_PAIR_REQUIRED where no packet says which pair."""
    ours, most = connection.traffic, connection.pairs_max
    if not connection.single_pair:
        return narrow(ours, sides, most, work)
    local, remote = came.local[0], came.remote[0]
    if _is_host(local) and _is_host(remote):
        pair = Traffic(at_host(ours.local, local, work), at_host(ours.remote, remote, work))
        if pair.local and pair.remote and (found := narrow(pair, sides, most, work)):
            return found._replace(additional=not found.complete)
    found = narrow(ours, sides, most, work)
    if found is None or all(
        _is_host(s) and s.start == side[0].start for side in found.traffic for s in side
    ):
        return found
    raise Refused(
        Reason("single-pair-required", f"{connection.name} takes one pair of addresses a child SA",
               came=describe(came), acceptable=f"the addresses of a packet of {describe(ours)}",
               line=connection.line,
               mend="have traffic bring it up at the peer, or set Single-pair= no here"),
        ikev2.Notify.SINGLE_PAIR_REQUIRED,
    )  # fmt: skip


def _is_host(selector: TrafficSelector) -> bool:
    return selector.start == selector.end


def _bar(connection: Connection, transport: bool) -> Bar | None:
    if connection.active_only:
        return ACTIVE_ONLY
    if not connection.proposals:
        return _NO_SUITE
    return _MODE if is_transport(connection) and not transport else None


def _bits(traffic: Traffic) -> float:
    """How wide traffic is, both sides together."""
    return sum(log2(sum(map(_volume, side)) or 1) for side in traffic)


def _volume(selector: TrafficSelector) -> int:
    addresses = int(selector.end) - int(selector.start) + 1
    ports = max(selector.end_port - selector.start_port, 0) + 1
    return addresses * (1 if selector.protocol else 256) * ports


def _reason(
    remote: Remote, connections: Sequence[Connection], came: Traffic, transport: bool,
    refusals: Mapping[str, Reason], line: str,
) -> Reason:  # fmt: skip
    shown = connections[:MISSES_MAX]
    bars = [_bar(connection, transport) for connection in shown]
    compared = list(zip(shown, bars, _compared(shown, came), strict=False))
    wanted = map(_wanted, shown, bars, [refusals.get(c.name) for c in shown])
    fitting = [(c, bar) for c, bar, parts in compared if not _misses(parts)]
    nearest = [one for one, _ in fitting[:1]] or connections[:1]
    mend = crosswise(remote.name, nearest)
    for one, bar in fitting[:1]:
        mend = _mend(one, bar, refusals.get(one.name)) or mend
    return Reason(
        "ts-unacceptable",
        f"no connection with {remote.name} has this traffic",
        came=describe(came) + (" in tunnel mode" if _MODE in bars else ""),
        acceptable="; ".join(filter(None, wanted)) or "nothing",
        line=nearest[0].line if nearest else line,
        misses=tuple(
            f"{c.name}: {bar.told if bar else _misses(parts) or _refused(refusals.get(c.name))}"
            for c, bar, parts in compared
        ),
        beside=tuple(
            part._replace(what=f"{c.name} {part.what}")
            for c, bar, parts in compared
            for part in (*parts, *([bar.part] if bar else []))
        ),
        mend=mend,
    )


def _wanted(connection: Connection, bar: Bar | None, refusal: Reason | None) -> str:
    """What of a connection would have been taken; empty for none of it."""
    if bar is not None:
        return f"{describe(connection.traffic)} in transport mode" if bar is _MODE else ""
    return (refusal and refusal.acceptable) or describe(connection.traffic)


def _mend(connection: Connection, bar: Bar | None, refusal: Reason | None) -> str:
    """What mends that one is not taken whose traffic fits."""
    if bar is not None:
        return bar.mend.format(connection.name)
    return refusal.mend if refusal else ""


def _refused(refusal: Reason | None) -> str:
    return refusal.detail if refusal else _APART


def crosswise(peer: str, connections: Sequence[Connection]) -> str:
    """What mends that none of these with a peer has the traffic that it wants; of the first."""
    if not connections:
        return f"name a connection with {peer} in Connections or Passive-connections of [Phase 2]"
    local, remote = connections[0].sides
    return f"{local} here must be the peer's remote traffic, and {remote} its local traffic"


def _compared(connections: Sequence[Connection], came: Traffic) -> list[tuple[Part, ...]]:
    """Both sides of each, as many as may be compared for a reason."""
    found = []
    work = Work()
    work.most //= _OF_A_REASON
    texts, sides = [describe_side(side) for side in came], asked(came)[1:]
    for connection in connections:
        parts = tuple(
            Part(what, theirs, describe_side(ours), side_fits(ours, boxes, work))
            for what, theirs, ours, boxes in zip(
                ("local", "remote"), texts, connection.traffic, sides, strict=True
            )
        )
        if work.over:
            break
        found.append(parts)
    return found


def _misses(parts: Sequence[Part]) -> str:
    """Which side does not fit, and how; empty where both do."""
    return "; ".join(
        f"{part.what} side is {part.ours}, the peer says {part.theirs}"
        for part in parts
        if not part.fits
    )
