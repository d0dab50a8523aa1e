"""When a connection that does not come up is tried again."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest

from isakmp.app.base import Acquire, UnknownSpi
from isakmp.keeper.entry import AWAITED_RETRY_S
from regress.pair import EAST, WEST, Gateway, Host, Network
from regress.scripts.ikev2.pairs import gateways

PEER = ip_address(EAST.address)
VERSION = pytest.mark.parametrize("version", ["ikev1", "ikev2"])


def alone(gateway: Gateway) -> tuple[Network, Host]:
    """West, whose peer has been gone for long."""
    net = Network()
    west = net.host(gateway)
    west.daemon.start()
    net.run(600)
    return net, west


def of_version(version: str) -> tuple[Network, Host]:
    return alone(WEST if version == "ikev1" else gateways()[0])


def packet(host: Host) -> Callable[[], None]:
    """A packet waits for the connection."""
    (policy,) = [p for p in host.app.policies if p.direction.name == "OUT"]
    event = Acquire(policy.reqid, policy.selector, host.address, PEER)
    return lambda: host.daemon.acquire(event)


def pauses(net: Network, each_second: Callable[[], object], seconds: int) -> list[float]:
    """The times between messages."""
    sent = [net.now]
    for _ in range(seconds):
        each_second()
        before = len(net.history)
        net.run(1)
        sent += [net.now] * (len(net.history) > before)
    return [later - sooner for sooner, later in zip(sent, [*sent[1:], net.now], strict=True)]


@VERSION
def test_packets_that_wait_have_the_pause_cut_short(version: str) -> None:
    net, west = of_version(version)
    assert max(pauses(net, packet(west), 120)) <= AWAITED_RETRY_S + 1
    assert max(pauses(net, lambda: None, 600)) > 30, "nobody waits any more"


@VERSION
def test_a_peer_that_sends_can_be_reached(version: str) -> None:
    """Packets for SAs that we have lost: somebody there is alive, and believes in them."""
    net, west = of_version(version)
    west.daemon.unknown_spi(UnknownSpi(4711, ip_address("198.51.100.7"), west.address, None))
    assert max(pauses(net, lambda: None, 120)) > 30, "a stranger's packets say nothing"
    event = UnknownSpi(4711, PEER, west.address, None)
    net.lose = lambda packet: True
    assert max(pauses(net, lambda: west.daemon.unknown_spi(event), 120)) <= AWAITED_RETRY_S + 1


def test_a_peer_that_refuses_is_asked_every_seven_seconds_at_most() -> None:
    """However many packets wait, or strangers say that some do."""
    net, west = alone(gateways(transforms="AES-256-SHA2-512-GRP14")[0])
    net.host(gateways()[1]).daemon.start()
    net.run(100)
    net.history.clear()
    pauses(net, packet(west), 200)
    asked = [p for p in net.history if p.src == west.address]
    assert 200 / (1.25 * AWAITED_RETRY_S) - 1 <= len(asked) <= 200 / (0.75 * AWAITED_RETRY_S) + 1
