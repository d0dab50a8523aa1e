"""IKEv2 traffic selectors: on the wire, narrowed, and as the IPsec stack takes them.

RFC 7296 2.9 (negotiation) and 3.13 (payloads), RFC 4301 4.4.1.1 (what ports mean). A selector is
a box of addresses, protocols and ports, so parts of it are boxes too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from isakmp.constants import ikev2
from isakmp.constants.ip import protocol_name
from isakmp.errors import MalformedPayload, Reason, Refused
from isakmp.payloads.ikev2.ts import OpaqueValue, RangeValue, TsValue
from isakmp.policy.boxes import (
    SELECTORS_MAX,
    V6,
    Box,
    Work,
    apart,
    both_ports,
    box_of,
    boxes_of,
    common,
    count_networks,
    covered,
    is_network,
    join,
    joined,
    less,
    meet,
    networks_of,
    prefix_of,
    selector_of,
)
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
    ports_text,
)
from isakmp.sa import ChildSa

# How many pairs of networks an SA may have, where nothing else is configured: a range of IPv6
# addresses alone can be 254 networks.
PAIRS_MAX = 256
# How many times as many may be looked at, as some of them may be the same.
_SAME_MAX = 4
PER_CHILD = "Max-selectors-per-child"
_MISSES_MAX = 16
# Of how many child SAs of a connection it is found out what they leave.
_HAD_MAX = 256

_TYPES = {
    4: ikev2.TrafficSelector.IPV4_ADDR_RANGE,
    6: ikev2.TrafficSelector.IPV6_ADDR_RANGE,
}
# A range of ICMP types and codes is at most so many boxes, any other range of ports is one.
_PORT_PAIRS_MAX = 3

Ports = tuple[int, int]
BothSides = tuple[list[Box], list[Box]]


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


def to_wire(selectors: Sequence[TrafficSelector]) -> TsValue:
    """The TSi or TSr payload for one side."""
    return TsValue(tuple(map(_one_to_wire, selectors)))


def _one_to_wire(s: TrafficSelector) -> RangeValue:
    kind, ports = int(_TYPES[s.start.version]), (s.start_port, s.end_port)
    return RangeValue(kind, s.protocol, *ports, s.start.packed, s.end.packed)


def from_wire(value: TsValue, most: int = SELECTORS_MAX) -> tuple[TrafficSelector, ...]:
    """The selectors of a payload, of the first ``most``.

    Those that are not of addresses, or have ports without a protocol, select nothing here.

    MalformedPayload where one ends before it starts. Refused with TS_UNACCEPTABLE where none is
    left.
    """
    if not value.selectors:
        raise MalformedPayload("TS", 0, "no selectors", "RFC 7296 3.13")
    found: list[TrafficSelector] = []
    useless: list[str] = []
    for index, selector in enumerate(value.selectors[:most]):
        if isinstance(selector, OpaqueValue):
            useless.append(f"type {selector.type}")
        elif why := _useless(selector):
            useless.append(why)
        else:
            found.append(_one_from_wire(selector, index))
    if found:
        return tuple(found)
    raise Refused(
        Reason("unusable-selectors", "the peer's selectors select nothing that is known",
               came=", ".join(useless[:_MISSES_MAX]),
               acceptable="IPv4 and IPv6 address ranges; ports with a protocol only",
               mend="set protocols beside the ports at the peer, or address ranges alone"),
        ikev2.Notify.TS_UNACCEPTABLE,
    )  # fmt: skip


def _useless(selector: RangeValue) -> str:
    """Why it selects nothing; it may stand beside others that do (3.13.1)."""
    ports = selector.start_port, selector.end_port
    if not selector.protocol and ports not in (ANY_PORTS, OPAQUE_PORTS):
        return f"ports {ports[0]} to {ports[1]} of any protocol"
    return ""


def _one_from_wire(selector: RangeValue, index: int) -> TrafficSelector:
    start, end = make_address(selector.start), make_address(selector.end)
    ports = selector.start_port, selector.end_port
    reason = ""
    if selector.start > selector.end:
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
    prefix, text = prefix_of(box_of(selector)), str(selector.start)
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


# --- narrowing -------------------------------------------------------------------------------


class Asked(NamedTuple):
    """The traffic a peer asks for, to be compared with many; from our point of view."""

    came: Traffic
    local: list[Box]
    remote: list[Box]


def asked(came: Traffic) -> Asked:
    """That traffic."""
    return Asked(came, boxes_of(came.local), boxes_of(came.remote))


def narrow(ours: Traffic, came: Asked, limit: int, work: Work) -> Narrowed | None:
    """What we can take of the traffic a peer asks for, its first selectors first; of at most
    ``limit`` pairs of networks. None where nothing is left.

    Less is found, or nothing, where comparing would be too much work. Refused with TS_UNACCEPTABLE
    where the first of it alone is of too many networks.
    """
    local = _narrow_side(ours.local, came.local, work)
    remote = _narrow_side(ours.remote, came.remote, work) if local else []
    local, remote = _of_common_versions(local, remote)
    if not local or not remote:
        return None
    kept = _installable(local, remote, limit, work)
    if kept == came[1:]:
        return Narrowed(came.came, True)
    all_of_it = kept == (local, remote)
    complete = all_of_it and _is_subset(came[1:], kept, work)
    return Narrowed(_traffic(*kept), complete, not all_of_it, not all_of_it)


def _traffic(local: Sequence[Box], remote: Sequence[Box]) -> Traffic:
    return Traffic(tuple(map(selector_of, local)), tuple(map(selector_of, remote)))


def _narrow_side(ours: Sequence[TrafficSelector], came: Sequence[Box], work: Work) -> list[Box]:
    return common(boxes_of(ours), came, max(SELECTORS_MAX, len(came)), work)


def side_fits(ours: Sequence[TrafficSelector], came: Sequence[Box], work: Work) -> bool:
    """Whether one side of the traffic has anything in common."""
    return bool(common(boxes_of(ours), came, 1, work))


def at_host(
    side: Sequence[TrafficSelector], host: TrafficSelector, work: Work
) -> tuple[TrafficSelector, ...]:
    """What there is of a side for one address."""
    every = box_of(TrafficSelector(host.start, host.end))
    return tuple(map(selector_of, _narrow_side(side, [every], work)))


def is_subset(part: Traffic, whole: Traffic, work: Work | None = None) -> bool:
    """Whether ``part`` asks for nothing that ``whole`` does not. No, where that is too much work to
    tell; work: that of the request, as much as so many selectors may be where it is not given."""
    work = work or Work(*map(len, (*part, *whole)))
    return part == whole or _is_subset(asked(part)[1:], asked(whole)[1:], work)


def _is_subset(part: BothSides, whole: BothSides, work: Work) -> bool:
    return all(
        covered(box, all_of_side, work)
        for side, all_of_side in zip(part, whole, strict=True)
        for box in side
    )


def reduced(traffic: Traffic) -> Traffic:
    """The same traffic without the selectors that lie inside another one."""
    if len(traffic.local) == len(traffic.remote) == 1:
        return traffic
    return _traffic(*(apart(boxes_of(side)) for side in traffic))


def rest(whole: Traffic, first: Traffic, had: Sequence[Traffic], limit: int) -> Traffic:
    """Of the traffic of a connection, with that of a packet, what none of those that it has
    carries, as none carries the packet. All of it where the rest cannot be said: in so many
    selectors, of at most ``limit`` pairs of networks; or where it has too many to look at."""
    local, remote = boxes_of(whole.local), boxes_of(whole.remote)
    packet = boxes_of(first.remote)
    for each in had if len(had) <= _HAD_MAX else ():
        there = boxes_of(each.remote)
        # The packet stays in what is left of the side that keeps it from being carried.
        if all(covered(box, there, Work(len(there))) for box in packet):
            local = less(local, boxes_of(each.local))
        else:
            remote = less(remote, there)
        if max(len(local), len(remote)) > SELECTORS_MAX:
            return whole
    few = _fits(joined(apart(local)), joined(apart(remote)), limit)
    return _traffic(local, remote) if few else whole


def _of_common_versions(local: list[Box], remote: list[Box]) -> BothSides:
    """Without selectors of an IP version that the other side has none of."""
    here, there = {box[0] >= V6 for box in local}, {box[0] >= V6 for box in remote}
    if here == there:
        return local, remote
    versions = here & there
    return (
        [box for box in local if (box[0] >= V6) in versions],
        [box for box in remote if (box[0] >= V6) in versions],
    )


def _installable(local: list[Box], remote: list[Box], limit: int, work: Work) -> BothSides:
    """As much of it, from the first selectors on, as the IPsec stack is given policies for."""
    most = len(local) + len(remote)
    if _is_plain(local, remote, limit) or _fits(joined(local), joined(remote), limit):
        return local, remote
    work.done += len(local) * len(remote)
    here, there = _beginnings(local), _beginnings(remote)

    def too_many(kept: int) -> bool:
        a, b = _shares(kept, len(local), len(remote))
        return not _fits(here[a], there[b], limit)

    kept = bisect_left(range(most), True, 2, most, key=too_many) - 1
    if kept < 2:
        raise Refused(
            Reason("unusable-selectors", "the traffic is of too many networks",
                   came=describe(_traffic(local[:1], remote[:1])),
                   acceptable=f"{limit} pairs of networks",
                   mend=f"raise {PER_CHILD} in [General], or ask for fewer networks"),
            ikev2.Notify.TS_UNACCEPTABLE,
        )  # fmt: skip
    a, b = _shares(kept, len(local), len(remote))
    return local[:a], remote[:b]


def _shares(kept: int, local: int, remote: int) -> tuple[int, int]:
    """How many of each side so many are: the longer side is cut first."""
    here = min(kept // 2, local)
    there = min(kept - here, remote)
    return kept - there, there


def _beginnings(side: Sequence[Box]) -> list[list[Box]]:
    """The first none, one, two of them and so on, each joined."""
    found: list[Box] = []
    every = [list(found)]
    for box in side:
        join(found, box)
        every.append(list(found))
    return every


def _is_plain(local: list[Box], remote: list[Box], limit: int) -> bool:
    """Whether it can be seen without counting them that there are not too many pairs."""
    few = _PORT_PAIRS_MAX * len(local) * len(remote) <= limit
    return few and all(map(is_network, local)) and all(map(is_network, remote))


def _fits(local: Sequence[Box], remote: Sequence[Box], limit: int) -> bool:
    """Whether what is joined on both sides is so many pairs of networks, or less."""
    left = limit
    there = {box: count_networks(box) for box in remote}
    for here, far in _matching(local, remote):
        left -= count_networks(here) * there[far] * len(_port_pairs(here, far))
        if left < 0:
            return False
    return True


# --- for the IPsec stack ---------------------------------------------------------------------


def selectors(traffic: Traffic, limit: int = PAIRS_MAX) -> tuple[Selector, ...]:
    """The traffic in network form: every pair of both sides that a packet can have.

    Refused with TS_UNACCEPTABLE where there is none, or more than ``limit``.
    """
    local, remote = _seamless(traffic.local), _seamless(traffic.remote)
    few = _is_plain(local, remote, limit) or _fits(local, remote, _SAME_MAX * limit)
    found = tuple(_pairs(local, remote)) if few else ()
    if len(found) > 1:
        found = tuple(dict.fromkeys(found))
    if 0 < len(found) <= limit:
        return found
    many = found or not few
    what = f"is of more than {limit} pairs of networks" if many else _nothing(traffic)
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


def _seamless(side: Sequence[TrafficSelector]) -> list[Box]:
    boxes = boxes_of(side)
    return boxes if len(boxes) == 1 else joined(apart(boxes))


def _pairs(local: Sequence[Box], remote: Sequence[Box]) -> Iterator[Selector]:
    """What is joined on both sides, network by network. The same may come twice, of ICMP or where
    one side alone has the protocol."""
    for here, there in _matching(local, remote):
        protocol, ports = here[2] or there[2], _port_pairs(here, there)
        for src, dst in product(networks_of(here), networks_of(there)):
            for pair in ports:
                yield Selector(src, dst, protocol, *pair)


def _matching(local: Sequence[Box], remote: Sequence[Box]) -> Iterator[tuple[Box, Box]]:
    """Those of both sides that a packet can have: of one version and protocol."""
    of_kind: dict[tuple[bool, int], list[Box]] = {}
    for here in local:
        version, protocol = kind = here[0] >= V6, here[2]
        if kind not in of_kind:
            of_kind[kind] = [
                there for there in remote
                if (there[0] >= V6) is version and (there[2] in (0, protocol) or not protocol)
            ]  # fmt: skip
        for there in of_kind[kind]:
            yield here, there


def unpaired(traffic: Traffic) -> Iterator[tuple[int, TrafficSelector]]:
    """The selectors that no packet has with any of the other side, and their side: 0 ours."""
    for side, (ours, theirs) in enumerate((traffic, traffic[::-1])):
        kinds = list({(box[0] >= V6, *box[2:]): box for box in boxes_of(theirs)}.values())
        for selector in ours:
            if not any(_port_pairs(*both) for both in _matching([box_of(selector)], kinds)):
                yield side, selector


def _port_pairs(local: Box, remote: Box) -> list[tuple[int, int, int | None, int | None]]:
    """The ports of a Selector's both ends, at most _PORT_PAIRS_MAX."""
    here, there = local[3:], remote[3:]
    if (local[2] or remote[2]) not in ICMP or OPAQUE_PORTS in (here, there):
        (src_port, src_last), (dst_port, dst_last) = _port(here), _port(there)
        return [(src_port, dst_port, src_last, dst_last)]
    both = both_ports(here, there)
    found = []
    for types, codes in _types_and_codes(*both) if both else ():
        (kind, kind_last), (code, code_last) = _octet(types), _octet(codes)
        found.append((kind, code, kind_last, code_last))
    return found


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


def carries_all(connection: Connection, children: Sequence[ChildSa]) -> bool:
    """Whether child SAs of a connection leave nothing of it out together.

    One for a pair of addresses at a time leaves nothing out: the others come when they are needed.
    """
    if connection.single_pair or not children:
        return True
    return is_carried(configured(connection), list(map(agreed, children)))


def is_carried(whole: Traffic, each: Sequence[Traffic]) -> bool:
    """Whether each packet of that traffic is of one of those: for a pair of a local and a remote
    selector it is not enough that there is either. No, where that is too much work to tell."""
    if whole in each:
        return True
    work = Work(sum(len(side) for had in each for side in had))
    left = [asked(whole)[1:]]
    for had in each:
        left = [part for one in left for part in _beyond(one, asked(had)[1:], work)]
        if not left or work.over:
            break
    return not left


def _beyond(whole: BothSides, had: BothSides, work: Work) -> Iterator[BothSides]:
    """What there is of it apart from that: first what differs in the local side, then what has that
    in common and differs in the remote side. All of it where that is too much work."""
    (local, remote), (here, there) = whole, had
    work.done += len(local) * len(here) + len(remote) * len(there)
    if work.over:
        yield whole
        return
    shared = [both for one in local for other in here if (both := meet(one, other))]
    for part in ((less(local, here), remote), (shared, less(remote, there))):
        if any(_pairs(*part)):
            yield part


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
