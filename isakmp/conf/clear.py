"""Traffic of a configuration that is cut off, not dropped, or claimed twice; told beforehand."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product

from isakmp.conf.astray import SIDES
from isakmp.conf.store import Conf
from isakmp.policy.children import is_transport
from isakmp.policy.identity import Resolve
from isakmp.policy.overlaps import Overlaps
from isakmp.policy.spd import Connection, Network, Selector, lies_in, make_network
from isakmp.policy.traffic import selector_text, selectors_of, unpaired

_TOLD = 20
# Pairs of networks that are told of a connection.
_PAIRS = 5


@dataclass(frozen=True, slots=True)
class _Told:
    """How it is told: as what is, or as what would be."""

    everybody: str = "its traffic is not dropped"
    itself: str = "goes into the tunnel"
    lan: str = "it goes through the tunnel, and is cut off while that is down"
    last: str = "it goes to whose child SA was made last"
    belongs: str = "it belongs to"
    passes: str = "it lets pass in clear"


_IS = _Told()
_WOULD_BE = _Told(
    "without -n its traffic would not be dropped",
    "would go into the tunnel without -n",
    "without -n it would go through the tunnel, and be cut off while that is down",
    "without -n it would go to whose child SA was made last",
    "without -n it would belong to",
    "without -n it would let pass in clear",
)


def traffic_warnings(
    conf: Conf, connections: Sequence[Connection], bypass: Mapping[str, Sequence[Selector]],
    resolve: Resolve, installs: bool, idle: bool = False,
) -> Iterator[str]:  # fmt: skip
    """Warnings, with the lines they are about, and an empty one at each step; of overlaps the first
    ones. Where nothing is installed, nothing is cut off, and nothing goes into a tunnel. idle: it
    is not this time, by the command line; then they say what would be.
    """
    told = _WOULD_BE if idle else _IS
    own = list(_own_networks(resolve)) if connections and installs else []
    passed = [selector for selectors in bypass.values() for selector in selectors]
    every = []
    for connection in connections:
        yield from _first(_unpaired(conf, connection))
        every.append(_Traffic(connection, selectors_of(connection)))
        yield ""
    for traffic in every if installs else ():
        yield ""
        yield from _exchanged(traffic, own)
        yield from _everybody(traffic, told)
        yield from _to_itself(traffic, told)
        yield from _forwarded(traffic)
        yield from _cut_off(traffic, own, passed, told)
    if installs:
        yield from _first(_opened(conf, every, bypass, own, told))
    yield from _first(_overlaps(every, told))


def _first(texts: Iterable[str]) -> Iterator[str]:
    """The first ones, and each step until then."""
    left = _TOLD
    for text in texts:
        yield text
        left -= bool(text)
        if not left:
            return


def _unpaired(conf: Conf, connection: Connection) -> Iterator[str]:
    """What is written on one side, and goes with nothing of the other."""
    for side, selector in unpaired(connection.traffic):
        other = connection.traffic[not side]
        version = selector.start.version
        same = any(one.start.version == version for one in other)
        lacks = "of its protocol and ports" if same else f"of IPv{version}"
        place = conf.where(connection.name, SIDES[side][1])
        yield (f"{place}: [{connection.name}] protects nothing of {selector_text(selector)}: there "
               f"is nothing {lacks} on the other side")  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Traffic:
    """All that a connection carries."""

    connection: Connection
    selectors: tuple[Selector, ...]

    @property
    def far(self) -> Iterable[Network]:
        """The far networks, each once."""
        return dict.fromkeys(selector.dst for selector in self.selectors)


def _own_networks(resolve: Resolve) -> Iterator[tuple[str, Network]]:
    """The networks of this host's interfaces that others are in."""
    for _, name in socket.if_nameindex():
        for version in (4, 6):
            found = resolve(name, version)
            if found and not (found.is_loopback or found.is_link_local):
                network = make_network(found.ip.packed, found.network.prefixlen, False)
                if network.prefixlen < network.max_prefixlen:
                    yield name, network


def _exchanged(traffic: _Traffic, own: Iterable[tuple[str, Network]]) -> Iterator[str]:
    """Whether its sides are the wrong way round: this host is in the remote networks, and in none
    of the local ones."""
    connection = traffic.connection
    for src, dst, *_ in traffic.selectors if all(far.prefixlen for far in traffic.far) else ():
        mine = next((name for name, network in own if lies_in(network, dst)), "")
        if mine and not src.overlaps(dst) and not any(src.overlaps(net) for _, net in own):
            local, remote = connection.sides
            yield (f"{connection.line}: {dst}, which is remote, is this host's own network, at "
                   f"{mine}, and {src}, which is local, is not: are {local} and {remote} "
                   "exchanged?")  # fmt: skip
            return


def _everybody(traffic: _Traffic, told: _Told) -> Iterator[str]:
    connection = traffic.connection
    if connection.passive and not all(far.prefixlen for far in traffic.far):
        yield (f"{connection.line}: it is passive and its remote network is everybody: "
               f"{told.everybody} while no peer is connected; name the networks that peers "
               "have")  # fmt: skip


def _to_itself(traffic: _Traffic, told: _Told) -> Iterator[str]:
    """One network at both ends of a tunnel."""
    connection = traffic.connection
    if is_transport(connection):
        return
    same = (each.src for each in traffic.selectors if each.src == each.dst and each.src.prefixlen)
    for network in dict.fromkeys(same):
        yield (f"{connection.line}: {network} is at both ends of [{connection.name}]: what this "
               f"host sends to its own network {told.itself}; name the networks of each end "
               "as Local-ID and Remote-ID, or Local-selectors and Remote-selectors")  # fmt: skip


def _forwarded(traffic: _Traffic) -> Iterator[str]:
    """Transport mode between networks."""
    connection = traffic.connection
    if not is_transport(connection):
        return
    for src, dst, *_ in traffic.selectors:
        if src.prefixlen < src.max_prefixlen and dst.prefixlen < dst.max_prefixlen:
            yield (f"{connection.line}: transport mode is for what two hosts send each other, and "
                   f"{src} and {dst} are networks: what is forwarded between them needs tunnel "
                   "mode")  # fmt: skip
            return


def _cut_off(
    traffic: _Traffic, own: Iterable[tuple[str, Network]], bypass: Sequence[Selector],
    told: _Told,
) -> Iterator[str]:  # fmt: skip
    """The host's own networks inside a wider remote one."""
    connection = traffic.connection
    # Where that is everybody, a passive one has what its child SAs have: nothing is cut off.
    wider = [far for far in traffic.far if far.prefixlen or not connection.passive]
    for far, (name, network) in product(wider, own):
        if lies_in(network, far) and not any(lies_in(network, each.dst) for each in bypass):
            yield (f"{connection.line}: the network of {name}, {network}, lies inside {far}, the "
                   f"remote one of [{connection.name}]: {told.lan}; to reach it "
                   "in clear, name in Bypass of [Phase 2] a section with "
                   f"Remote-selectors= {network}")  # fmt: skip


def _opened(
    conf: Conf, every: Iterable[_Traffic], bypass: Mapping[str, Sequence[Selector]],
    own: Sequence[tuple[str, Network]], told: _Told,
) -> Iterator[str]:  # fmt: skip
    """What bypasses that say nothing of our side let pass, but for the host's own networks; empty
    at each step."""
    unsaid: Overlaps[str] = Overlaps()
    for name, selectors in bypass.items():
        if not conf.is_written(name, "Local-selectors"):
            for selector in selectors:
                if not any(lies_in(selector.dst, network) for _, network in own):
                    unsaid.add([selector], name)
    for traffic in every:
        yield ""
        found: dict[str, dict[str, None]] = {}
        for shared in (each for ours in traffic.selectors for each in unsaid.of([ours])):
            found.setdefault(shared.whose, {})[shared.networks] = None
        for name, pairs in found.items():
            more = [f"{len(pairs) - _PAIRS} more"] * (len(pairs) > _PAIRS)
            some = ", ".join([*islice(pairs, _PAIRS), *more])
            yield (f"{conf.where(name)}: it has no Local-selectors, so {told.passes} what "
                   f"[{traffic.connection.name}] has of {some}; name our side, or everybody as "
                   "Local-selectors= 0.0.0.0/0")  # fmt: skip


def _overlaps(every: Iterable[_Traffic], told: _Told) -> Iterator[str]:
    """Each two connections that have traffic in common, once; empty at each step."""
    before: Overlaps[_Traffic] = Overlaps()
    for one in every:
        yield ""
        for other, ours, theirs in before.of(one.selectors):
            yield _overlap(one.connection, other.connection, ours, theirs, told)
        before.add(one.selectors, one)


def _overlap(
    one: Connection, other: Connection, ours: Selector, theirs: Selector, told: _Told
) -> str:
    if ours == theirs:
        return (f"{one.line}: [{one.name}] has traffic that [{other.name}] has, too: "
                f"{told.last}")  # fmt: skip
    narrow, wide = (one, other) if _size(ours) >= _size(theirs) else (other, one)
    return (f"{narrow.line}: [{narrow.name}] has traffic that [{wide.name}] has, too: "
            f"{told.belongs} [{narrow.name}] alone, also while that is down")  # fmt: skip


def _size(selector: Selector) -> tuple[int, bool]:
    return selector.src.prefixlen + selector.dst.prefixlen, bool(selector.protocol)
