"""Pairs of daemons that speak IKEv2, for the tests beside this file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from isakmp.app.base import Expire
from isakmp.constants import ikev2
from isakmp.sa import ChildSa, IsakmpSa
from regress.pair import Gateway, Host, Network, Packet, agree, both, connected

SPOKEN = "Key-exchange= ikev2"
INIT = ["IKE_SA_INIT", "IKE_SA_INIT'"]
AUTH = ["IKE_AUTH", "IKE_AUTH'"]
WHO = pytest.mark.parametrize("who", ["west", "east"])


def gateways(tags: str = "", **changes: Any) -> tuple[Gateway, Gateway]:
    """West and east with IKEv2, more tags of the peer's section, and the same changes."""
    return both(peer_tags=f"{SPOKEN}\n{tags}", **changes)


def pair(
    tags: str = "", *, west: dict[str, Any] | None = None, east: dict[str, Any] | None = None,
    seconds: float = 3.0, lose: Any = None, **changes: Any,
) -> tuple[Network, Host, Host]:  # fmt: skip
    """Two daemons after so many seconds. west, east: what only one of them has."""
    one, other = gateways(tags, **changes)
    network = Network()
    hosts = network.host(replace(one, **(west or {}))), network.host(replace(other, **(east or {})))
    if lose is not None:
        network.lose = lose
    network.start()
    network.run(seconds)
    return network, *hosts


def sa_of(host: Host) -> IsakmpSa:
    """Its only IKE SA."""
    (sa,) = host.daemon.sas.isakmp.values()
    return sa


def child_of(host: Host) -> ChildSa:
    """Its only child SA."""
    (child,) = host.daemon.sas.all_children()
    return child


def kinds(packets: list[Packet]) -> list[str]:
    """What went over the wire: exchange types, an answer with a mark behind it."""
    return [
        ikev2.Exchange(p.header.exchange_type).name + ("'" * bool(p.header.flags & 0x20))
        for p in packets
    ]


def up(west: Host, east: Host) -> None:
    """Both have one IKE SA and one child SA, and the same keys."""
    assert connected(west)
    assert connected(east)
    agree(west, east)


def only_reason(host: Host) -> dict[str, Any]:
    """Why the last attempt that failed did, in whole or in part."""
    reason: dict[str, Any] = [o["reason"] for o in host.outcomes if not o["ok"]][-1]
    return reason


def settled(net: Network, west: Host, east: Host) -> None:
    """After a while both have one pair of each, with the same keys."""
    net.run(5)
    assert connected(west)
    assert connected(east)
    agree(west, east)
    assert len(west.app.sas) == 2
    assert not west.reasons() + east.reasons()


def wear_out(host: Host) -> None:
    host.daemon.expire(Expire(child_of(host).inbound()[0], False))
