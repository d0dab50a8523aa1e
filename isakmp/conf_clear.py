"""Traffic of a configuration that is cut off, not dropped, or claimed twice; told beforehand."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, islice

from isakmp.policy.identity import Resolve
from isakmp.policy.spd import Connection, Network, Selector, make_network

_COMPARED = 500
_TOLD = 20


def traffic_warnings(
    connections: Sequence[Connection], bypass: Sequence[Selector], resolve: Resolve
) -> Iterator[str]:
    """Warnings, with the lines they are about; of overlaps the first ones."""
    own = list(_own_networks(resolve)) if connections else []
    for connection in connections:
        yield from _everybody(connection)
        yield from _cut_off(connection, own, bypass)
    yield from islice(_overlaps(connections[:_COMPARED]), _TOLD)


def _own_networks(resolve: Resolve) -> Iterator[tuple[str, Network]]:
    """The networks of this host's interfaces that others are in."""
    for _, name in socket.if_nameindex():
        for version in (4, 6):
            found = resolve(name, version)
            if found and not (found.is_loopback or found.is_link_local):
                network = make_network(found.ip.packed, found.network.prefixlen, False)
                if network.prefixlen < network.max_prefixlen:
                    yield name, network


def _everybody(connection: Connection) -> Iterator[str]:
    if connection.passive and not connection.selector.dst.prefixlen:
        yield (f"{connection.line}: [{connection.name}] is passive and its remote network is "
               "everybody: its traffic is not dropped while no peer is connected; name the "
               "networks that peers have")  # fmt: skip


def _cut_off(
    connection: Connection, own: Iterable[tuple[str, Network]], bypass: Sequence[Selector]
) -> Iterator[str]:
    """The host's own networks inside a wider remote one."""
    far = connection.selector.dst
    for name, network in own:
        if _within(network, far) and not any(_within(network, each.dst) for each in bypass):
            yield (f"{connection.line}: the network of {name}, {network}, lies inside {far}, the "
                   f"remote one of [{connection.name}]: it goes through the tunnel, and is cut off "
                   "while that is down; to reach it in clear, name in Bypass of [Phase 2] a "
                   f"section with Remote-selectors= {network}")  # fmt: skip


def _within(part: Network, whole: Network) -> bool:
    same = part.version == whole.version
    return same and part.prefixlen > whole.prefixlen - 1 and part.network_address in whole


def _overlaps(connections: Sequence[Connection]) -> Iterator[str]:
    for one, other in combinations(connections, 2):
        ours, theirs = one.selector, other.selector
        if ours.src.version != theirs.src.version or ours == theirs:
            continue
        if ours.src.overlaps(theirs.src) and ours.dst.overlaps(theirs.dst):
            narrow, wide = (one, other) if _size(ours) >= _size(theirs) else (other, one)
            yield (f"{narrow.line}: [{narrow.name}] has traffic that [{wide.name}] has, too: it "
                   f"belongs to [{narrow.name}] alone, also while that is down")  # fmt: skip


def _size(selector: Selector) -> tuple[int, bool]:
    return selector.src.prefixlen + selector.dst.prefixlen, bool(selector.protocol)
