"""IKEv2 traffic selectors: on the wire, narrowed, and as the IPsec stack takes them.

RFC 7296 2.9 (negotiation) and 3.13 (payloads), RFC 4301 4.4.1.1 (what ports mean). A selector is
a box of addresses, protocols and ports, so parts of it are boxes too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import summarize_address_range
from itertools import product
from typing import Any, NamedTuple

from isakmp.constants import ikev2
from isakmp.constants.ip import protocol_name
from isakmp.errors import MalformedPayload, Reason, Refused
from isakmp.policy.spd import (
    ANY_PORTS,
    ICMP,
    OPAQUE_PORTS,
    Connection,
    Network,
    Selector,
    Traffic,
    TrafficSelector,
    last_address,
    make_address,
    make_network,
    ports_text,
)
from isakmp.sa import ChildSa

# How many selectors of a side are looked at, and how many pairs of networks an SA may have, where
# nothing else is configured: a range of IPv6 addresses alone can be 254 networks.
SELECTORS_MAX, PAIRS_MAX = 64, 256
PER_CHILD = "Max-selectors-per-child"
# How many pieces a selector may be cut into while it is compared with others.
_PIECES_MAX = 512
_MISSES_MAX = 16

_TYPES = {
    4: ikev2.TrafficSelector.IPV4_ADDR_RANGE,
    6: ikev2.TrafficSelector.IPV6_ADDR_RANGE,
}
_OF_ADDRESSES = frozenset(map(int, _TYPES.values()))
# A range of ICMP types and codes is at most so many boxes, any other range of ports is one.
_PORT_PAIRS_MAX = 3

Ports = tuple[int, int]


class Narrowed(NamedTuple):
    """What is left of the traffic a peer asks for, from our point of view.

    complete: all of it; additional: more of it may be had with another child SA; too_many: of as
    many networks as one child SA may have, of more.
    """

    traffic: Traffic
    complete: bool
    additional: bool = False
    too_many: bool = False


# --- the wire --------------------------------------------------------------------------------


def to_wire(selectors: Sequence[TrafficSelector]) -> dict[str, Any]:
    """The TSi or TSr payload for one side."""
    return {
        "selectors": [
            {
                "type": int(_TYPES[s.start.version]),
                "protocol": s.protocol,
                "start_port": s.start_port,
                "end_port": s.end_port,
                "start": s.start.packed,
                "end": s.end.packed,
            }
            for s in selectors
        ]
    }


def from_wire(value: Any, most: int = SELECTORS_MAX) -> tuple[TrafficSelector, ...]:
    """The selectors of a payload, of the first ``most``.

    Those that are not of addresses, or have ports without a protocol, select nothing here.

    MalformedPayload where one ends before it starts. Refused with TS_UNACCEPTABLE where none is
    left.
    """
    if not value.selectors:
        raise MalformedPayload("TS", 0, "no selectors", "RFC 7296 3.13")
    came = value.selectors[:most]
    useless = [_useless(selector) for selector in came]
    found = tuple(
        _one_from_wire(selector, index)
        for index, (selector, why) in enumerate(zip(came, useless, strict=True)) if not why
    )  # fmt: skip
    if found:
        return found
    raise Refused(
        Reason("unusable-selectors", "the peer's selectors select nothing that is known",
               came=", ".join(useless[:_MISSES_MAX]),
               acceptable="IPv4 and IPv6 address ranges; ports with a protocol only",
               mend="set protocols beside the ports at the peer, or address ranges alone"),
        ikev2.Notify.TS_UNACCEPTABLE,
    )  # fmt: skip


def _useless(selector: Any) -> str:
    """Why it selects nothing; it may stand beside others that do (3.13.1)."""
    if selector.type not in _OF_ADDRESSES:
        return f"type {selector.type}"
    ports = selector.start_port, selector.end_port
    if not selector.protocol and ports not in (ANY_PORTS, OPAQUE_PORTS):
        return f"ports {ports[0]} to {ports[1]} of any protocol"
    return ""


def _one_from_wire(selector: Any, index: int) -> TrafficSelector:
    start, end = make_address(selector.start), make_address(selector.end)
    ports = selector.start_port, selector.end_port
    reason = ""
    if int(start) > int(end):
        reason = f"addresses {start} to {end}"
    elif ports[0] > ports[1] and ports != OPAQUE_PORTS:
        reason = f"ports {ports[0]} to {ports[1]}"
    if reason:
        raise MalformedPayload(f"TS.selector[{index}]", 0, reason, "RFC 7296 3.13.1")
    return TrafficSelector(start, end, selector.protocol, *ports)


# --- texts -----------------------------------------------------------------------------------


def describe(traffic: Traffic) -> str:
    """One line for people: ``10.1.0.0/16, 10.2.0.0/16[tcp/80] === 10.9.0.1``."""
    return f"{describe_side(traffic.local)} === {describe_side(traffic.remote)}"


def describe_side(selectors: Sequence[TrafficSelector]) -> str:
    """The selectors of one side."""
    shown = ", ".join(selector_text(s) for s in selectors[:_MISSES_MAX]) or "nothing"
    more = len(selectors) - _MISSES_MAX
    return f"{shown} and {more} more" if more > 0 else shown


def selector_text(selector: TrafficSelector) -> str:
    """``10.1.0.0/16[tcp/80-90]``, as Local-selectors takes it."""
    prefix, text = _prefix(selector), str(selector.start)
    if prefix is None:
        text = f"{text}-{selector.end}"
    elif prefix < selector.start.max_prefixlen:
        text = f"{text}/{prefix}"
    ports = selector.start_port, selector.end_port
    if not selector.protocol and ports == ANY_PORTS:
        return text
    protocol = protocol_name(selector.protocol)
    if ports == ANY_PORTS:
        return f"{text}[{protocol}]"
    if selector.protocol in ICMP and ports != OPAQUE_PORTS:
        return f"{text}[{protocol}/{_icmp_text(*ports)}]"
    return f"{text}[{protocol}/{ports_text(*ports)}]"


def _icmp_text(start: int, end: int) -> str:
    """Types, and codes where not all of them are meant: ``8``, ``3.1``, ``3.1-3.4``."""
    if start & 0xFF == 0 and end & 0xFF == 0xFF:
        return ports_text(start >> 8, end >> 8)
    return "-".join(dict.fromkeys(f"{n >> 8}.{n & 0xFF}" for n in (start, end)))


def _prefix(selector: TrafficSelector) -> int | None:
    """The prefix length where the addresses are one network."""
    first = int(selector.start)
    size = int(selector.end) - first + 1
    if size & (size - 1) or first & (size - 1):
        return None
    return selector.start.max_prefixlen - size.bit_length() + 1


def _networks(selector: TrafficSelector, limit: int) -> Iterator[Network]:
    """The networks its addresses are, at most ``limit``."""
    start, end, prefix = selector.start, selector.end, _prefix(selector)
    if prefix is not None:
        yield make_network(start.packed, prefix)
        return
    found: Iterator[Network] = summarize_address_range(start, end)
    for _, network in zip(range(limit), found, strict=False):
        yield network


# --- boxes -----------------------------------------------------------------------------------


def intersect(one: TrafficSelector, other: TrafficSelector) -> TrafficSelector | None:
    """What both select; None for nothing."""
    if one.start.version != other.start.version:
        return None
    start, end = max(one.start, other.start, key=int), min(one.end, other.end, key=int)
    if int(start) > int(end):
        return None
    if one.protocol and other.protocol and one.protocol != other.protocol:
        return None
    ports = _both_ports((one.start_port, one.end_port), (other.start_port, other.end_port))
    return ports and TrafficSelector(start, end, one.protocol or other.protocol, *ports)


def _both_ports(one: Ports, other: Ports) -> Ports | None:
    """Any port takes in a port that cannot be seen, a range of them does not."""
    if OPAQUE_PORTS in (one, other):
        return OPAQUE_PORTS if {one, other} <= {OPAQUE_PORTS, ANY_PORTS} else None
    first, last = max(one[0], other[0]), min(one[1], other[1])
    return (first, last) if first <= last else None


def _without(part: TrafficSelector, inner: TrafficSelector) -> list[TrafficSelector]:
    """``part`` less ``inner``, which lies inside it but for its protocol, one of many or same."""
    pieces = []
    if int(part.start) < int(inner.start):
        pieces.append(part._replace(end=inner.start - 1))
    if int(inner.end) < int(part.end):
        pieces.append(part._replace(start=inner.end + 1))
    middle = part._replace(start=inner.start, end=inner.end)
    if inner.protocol != part.protocol:
        return [*pieces, middle]  # 255 protocols are left
    if OPAQUE_PORTS in ((part.start_port, part.end_port), (inner.start_port, inner.end_port)):
        same = (part.start_port, part.end_port) == (inner.start_port, inner.end_port)
        return pieces if same else [*pieces, middle]
    if part.start_port < inner.start_port:
        pieces.append(middle._replace(end_port=inner.start_port - 1))
    if inner.end_port < part.end_port:
        pieces.append(middle._replace(start_port=inner.end_port + 1))
    return pieces


def _covered(part: TrafficSelector, whole: Iterable[TrafficSelector]) -> bool:
    """Whether all that ``part`` selects is selected by some of ``whole``."""
    left = [part]
    for selector in whole:
        still: list[TrafficSelector] = []
        for piece in left:
            inner = intersect(piece, selector)
            still += _without(piece, inner) if inner else [piece]
        left = still
        if not left:
            return True
        if len(left) > _PIECES_MAX:
            return False
    return False


def is_subset(part: Traffic, whole: Traffic) -> bool:
    """Whether ``part`` asks for nothing that ``whole`` does not."""
    return all(s in whole.local or _covered(s, whole.local) for s in part.local) and all(
        s in whole.remote or _covered(s, whole.remote) for s in part.remote
    )


# --- narrowing -------------------------------------------------------------------------------


def narrow(ours: Traffic, came: Traffic, line: str = "", limit: int = PAIRS_MAX) -> Narrowed:
    """What we can take of the traffic a peer asks for, its first selectors first; of at most
    ``limit`` pairs of networks.

    Refused with TS_UNACCEPTABLE and what kept each selector from being taken.
    """
    traffic = Traffic(_narrow_side(ours.local, came.local), _narrow_side(ours.remote, came.remote))
    traffic = reduced(_of_common_versions(traffic))
    if not traffic.local or not traffic.remote:
        raise Refused(_reason(ours, came, line), ikev2.Notify.TS_UNACCEPTABLE)
    kept = _installable(traffic, limit)
    complete = kept == traffic and is_subset(came, traffic)
    return Narrowed(kept, complete, kept != traffic, kept != traffic)


def _narrow_side(
    ours: Sequence[TrafficSelector], came: Sequence[TrafficSelector]
) -> tuple[TrafficSelector, ...]:
    found: list[TrafficSelector] = []
    most = max(SELECTORS_MAX, len(came))
    for theirs, own in product(came, ours):
        both = intersect(theirs, own)
        if both and not any(intersect(both, known) == both for known in found):
            found.append(both)
            if len(found) == most:
                break
    return tuple(found)


def side_fits(ours: Sequence[TrafficSelector], came: Sequence[TrafficSelector]) -> bool:
    """Whether one side of the traffic has anything in common."""
    return bool(_narrow_side(ours, came))


def reduced(traffic: Traffic) -> Traffic:
    """The same traffic without the selectors that lie inside another one."""
    return Traffic(_reduced_side(traffic.local), _reduced_side(traffic.remote))


def _reduced_side(side: Sequence[TrafficSelector]) -> tuple[TrafficSelector, ...]:
    if len(side) == 1:
        return tuple(side)
    each = tuple(dict.fromkeys(side))
    return tuple(s for s in each if not any(o != s and intersect(s, o) == s for o in each))


def _of_common_versions(traffic: Traffic) -> Traffic:
    """Without selectors of an IP version that the other side has none of."""
    sides = [{s.start.version for s in side} for side in traffic]
    versions = sides[0] & sides[1]
    if sides[0] == sides[1]:
        return traffic
    local, remote = (tuple(s for s in side if s.start.version in versions) for side in traffic)
    return Traffic(local, remote)


def _installable(traffic: Traffic, limit: int) -> Traffic:
    """As much of it, from the first selectors on, as the IPsec stack is given policies for."""
    while not _is_plain(traffic, limit) and sum(1 for _ in _pairs(traffic, limit + 1)) > limit:
        local, remote = traffic
        if len(local) == len(remote) == 1:
            raise Refused(
                Reason("unusable-selectors", "the traffic is of too many networks",
                       came=describe(traffic), acceptable=f"{limit} pairs of networks",
                       mend=f"raise {PER_CHILD} in [General], or ask for fewer networks"),
                ikev2.Notify.TS_UNACCEPTABLE,
            )  # fmt: skip
        longer = len(local) >= len(remote)
        traffic = Traffic(local[:-1], remote) if longer else Traffic(local, remote[:-1])
    return traffic


def _is_plain(traffic: Traffic, limit: int) -> bool:
    """Whether it can be seen without making them that there are not too many pairs."""
    local, remote = traffic
    few = _PORT_PAIRS_MAX * len(local) * len(remote) <= limit
    return few and not any(_prefix(selector) is None for selector in (*local, *remote))


def misses(ours: Traffic, came: Traffic) -> str:
    """Which side does not fit, and how; empty where both do."""
    found = [
        f"{label} is {describe_side(own)}, the peer says {describe_side(theirs)}"
        for label, own, theirs in (
            ("local side", ours.local, came.local),
            ("remote side", ours.remote, came.remote),
        )
        if not side_fits(own, theirs)
    ]
    return "; ".join(found)


def _reason(ours: Traffic, came: Traffic, line: str) -> Reason:
    missed = misses(ours, came) or "local and remote side are of different IP versions"
    return Reason(
        "ts-unacceptable",
        "nothing of the traffic the peer asks for is configured",
        came=describe(came),
        acceptable=describe(ours),
        line=line,
        misses=(missed,),
        mend="the selectors here must be those of the peer, sides exchanged",
    )


# --- for the IPsec stack ---------------------------------------------------------------------


def selectors(traffic: Traffic, limit: int = PAIRS_MAX) -> tuple[Selector, ...]:
    """The traffic in network form: every pair of both sides that a packet can have.

    Refused with TS_UNACCEPTABLE where there is none, or more than ``limit``.
    """
    found = tuple(_pairs(traffic, limit + 1))
    if found and len(found) <= limit:
        return found
    what = f"is of more than {limit} pairs of networks" if found else _nothing(traffic)
    reason = Reason("unusable-selectors", f"the traffic {what}", came=describe(traffic))
    raise Refused(reason, ikev2.Notify.TS_UNACCEPTABLE)


def _nothing(traffic: Traffic) -> str:
    """Why no packet has both sides."""
    local, remote = ({s.start.version for s in side} for side in traffic)
    if local and remote and not local & remote:
        return f"selects no packet: IPv{local.pop()} on one side, IPv{remote.pop()} on the other"
    return "selects no packet: the two sides have no protocol, or no port, in common"


def selectors_of(connection: Connection) -> tuple[Selector, ...]:
    """All traffic of a connection in that form."""
    if not connection.traffic.local:
        return (connection.selector,)
    return selectors(connection.traffic, connection.pairs_max)


def _pairs(traffic: Traffic, limit: int) -> Iterator[Selector]:
    seen: set[Selector] = set()
    for local, remote in product(*map(_joined, reduced(traffic))):
        if local.start.version != remote.start.version:
            continue
        if local.protocol and remote.protocol and local.protocol != remote.protocol:
            continue
        protocol = local.protocol or remote.protocol
        ports = list(_port_pairs(local, remote, protocol))
        for src, dst in product(_networks(local, limit), _networks(remote, limit)):
            for pair in ports:
                selector = Selector(src, dst, protocol, *pair)
                if selector not in seen:
                    seen.add(selector)
                    yield selector
                if len(seen) == limit:
                    return


def _joined(side: Sequence[TrafficSelector]) -> list[TrafficSelector]:
    """Without seams: addresses side by side are one range, ports too, whose place is that of its
    first part.

    What two peers write in different pieces is the same traffic for the IPsec stack.
    """
    found: list[TrafficSelector] = []
    for selector in side:
        place = at = len(found)
        while at:
            at -= 1
            if whole := _touching(found[at], selector):
                del found[at]
                # What was made of two may touch what neither of them did.
                selector, place, at = whole, min(place, at), len(found)
        found.insert(place, selector)
    return found


def _touching(one: TrafficSelector, other: TrafficSelector) -> TrafficSelector | None:
    """Both as one, where they differ in addresses or in ports alone and nothing lies between."""
    if one.start.version != other.start.version or one.protocol != other.protocol:
        return None
    start, end = min(one.start, other.start, key=int), max(one.end, other.end, key=int)
    if one[3:] == other[3:]:
        apart = max(int(one.start), int(other.start)) - min(int(one.end), int(other.end))
        return one._replace(start=start, end=end) if apart <= 1 else None
    if one[:2] != other[:2] or OPAQUE_PORTS in (one[3:], other[3:]):
        return None
    ports = min(one.start_port, other.start_port), max(one.end_port, other.end_port)
    apart = max(one.start_port, other.start_port) - min(one.end_port, other.end_port)
    # Any port would be more: a packet whose ports cannot be seen is of no range.
    if apart > 1 or ports == ANY_PORTS:
        return None
    return one._replace(start_port=ports[0], end_port=ports[1])


def _port_pairs(
    local: TrafficSelector, remote: TrafficSelector, protocol: int
) -> Iterator[tuple[int, int, int | None, int | None]]:
    here, there = (local.start_port, local.end_port), (remote.start_port, remote.end_port)
    if protocol not in ICMP or OPAQUE_PORTS in (here, there):
        (src_port, src_last), (dst_port, dst_last) = _port(here), _port(there)
        yield src_port, dst_port, src_last, dst_last
        return
    both = _both_ports(here, there)
    for types, codes in _types_and_codes(*both) if both else ():
        (kind, kind_last), (code, code_last) = _octet(types), _octet(codes)
        yield kind, code, kind_last, code_last


def _port(ports: Ports) -> tuple[int, int | None]:
    """As a Selector has it: 0 and no last one for any, one alone without the last one."""
    first, last = ports
    if ports == ANY_PORTS:
        return 0, None
    return (first, None) if first == last and first else (first, last)


def _octet(values: Ports) -> tuple[int, int | None]:
    return (0, None) if values == (0, 0xFF) else _port(values)


def _types_and_codes(start: int, end: int) -> Iterator[tuple[Ports, Ports]]:
    """A range of types and codes as boxes: of a first type, of whole ones, of a last one."""
    (first, low), (last, high) = divmod(start, 256), divmod(end, 256)
    if first == last:
        yield (first, last), (low, high)
        return
    if low:
        yield (first, first), (low, 0xFF)
        first += 1
    whole = last if high == 0xFF else last - 1
    if first <= whole:
        yield (first, whole), (0, 0xFF)
    if whole < last:
        yield (last, last), (0, high)


def port_masks(first: int, last: int) -> list[tuple[int, int]]:
    """A range of ports as values and masks, as few as there can be: what kernels match."""
    found = []
    while first <= last:
        size = first & -first or 0x10000
        while first + size - 1 > last:
            size >>= 1
        found.append((first, 0x10000 - size))
        first += size
    return found


# --- from networks ---------------------------------------------------------------------------


def of_network(network: Network, protocol: int = 0, port: int = 0) -> TrafficSelector:
    """A network, or a phase 2 identity's worth of it; port 0: any. Of ICMP the port is a type."""
    start, end = network.network_address, last_address(network)
    if not port:
        return TrafficSelector(start, end, protocol)
    if protocol in ICMP:
        return TrafficSelector(
            start, end, protocol, port << 8 & 0xFF00, (port << 8 & 0xFF00) | 0xFF
        )
    return TrafficSelector(start, end, protocol, port, port)


def configured(connection: Connection) -> Traffic:
    """What a connection of either version is for."""
    return connection.traffic if connection.traffic.local else of_selector(connection.selector)


def agreed(child: ChildSa) -> Traffic:
    """What a child SA of either version is for."""
    return child.traffic if child.traffic.local else of_selector(child.selector)


def of_selector(selector: Selector) -> Traffic:
    """The same traffic for IKEv2; the protocol and its ports are those of a phase 2 identity."""
    src, dst, protocol, src_port, dst_port, *_ = selector
    if protocol in ICMP:
        local, remote = (_of_types(one, protocol, src_port, dst_port) for one in (src, dst))
        return Traffic((local,), (remote,))
    return Traffic((of_network(src, protocol, src_port),), (of_network(dst, protocol, dst_port),))


def _of_types(network: Network, protocol: int, kind: int, code: int) -> TrafficSelector:
    """One type of ICMP, all of its codes where that is 0; every type where that is."""
    whole = of_network(network, protocol, kind)
    if not kind or not code:
        return whole
    port = whole.start_port | code & 0xFF
    return whole._replace(start_port=port, end_port=port)
