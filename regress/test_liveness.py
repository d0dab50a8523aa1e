"""Peers that are asked because traffic to them has no answer: what holds where nothing is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isakmp.app.base import Usage
from isakmp.constants.isakmp import Payload
from isakmp.liveness import IDLE_S, QUIET_S
from regress.observer import Observer, edited, numbered
from regress.pair import EAST, WEST, Gateway, Host, Network, both, up
from regress.scripts.ikev2.pairs import child_of, gateways
from regress.traffic import flows

PAIRS = {"ikev1": (WEST, EAST), "ikev2": gateways()}
VERSION = pytest.mark.parametrize("version", ["ikev1", "ikev2"])


def begin(version: str, general: str = "") -> tuple[Network, Host, Host]:
    west, east = PAIRS[version]
    return up(_with(west, general), _with(east, general))


def _with(gateway: Gateway, general: str) -> Gateway:
    return replace(gateway, general=general)


def send(net: Network, host: Host, seconds: int, answered: bool) -> None:
    """A packet a second goes out, with or without an answer."""
    (protocol,) = child_of(host).protocols
    for count in range(1, seconds + 1):
        host.app.carried[protocol.spi_out] = Usage(count, 100 * count, 1.0, 0.0)
        if answered:
            host.app.carried[protocol.spi_in] = Usage(count, 100 * count, 1.0, 0.0)
        net.run(1)


@VERSION
@pytest.mark.parametrize("answered", [True, False], ids=["answered", "never answered"])
def test_only_traffic_without_an_answer_has_a_peer_asked(version: str, answered: bool) -> None:
    """RFC 3706 5.4 and 5.5, RFC 7296 2.4."""
    net, west, _ = begin(version)
    mark = len(net.history)
    net.run(IDLE_S - 10)
    assert len(net.history) == mark, "who has nothing to send asks nobody"
    send(net, west, 100, answered)
    asked = [p for p in net.history[mark:] if p.src == west.address]
    assert not asked if answered else 3 <= len(asked) <= 10
    assert len(west.rows(1)) == 1


@VERSION
def test_a_peer_that_is_gone_is_found_by_traffic_and_is_up_again_once_it_is_back(
    version: str,
) -> None:
    net, west, east = begin(version)
    net.kill(east)
    back = net.host(PAIRS[version][1], seed=2)
    back.daemon.start()
    sent = child_of(west).protocols[0].spi_out
    for count in range(1, 200):
        west.app.carried[sent] = Usage(count, 100 * count, 1.0, 0.0)
        net.run(1)
        if flows(west, back):
            break
    assert count <= 30 + 10 + 30 + 10
    # Who has lost an ISAKMP SA says so: nobody waits for its death.
    assert ("seems to have lost it" if version == "ikev1" else "is dead") in west.said


@VERSION
def test_who_keeps_a_connection_up_asks_now_and_then_though_it_has_nothing_to_send(
    version: str,
) -> None:
    """A passive peer that has lost everything cannot begin."""
    net, west, east = begin(version)
    net.kill(east)
    back = net.host(PAIRS[version][1], seed=2)
    back.daemon.start()
    net.run(IDLE_S + QUIET_S + 30 + 10)
    assert flows(west, back)
    mark = len(net.history)
    net.run(3 * IDLE_S)
    asked = {p.src for p in net.history[mark:] if not p.header.flags & 0x20 or version == "ikev1"}
    assert len(net.history) - mark <= 2 * 3
    assert asked == {west.address} or version == "ikev1"


@VERSION
def test_nobody_is_asked_where_the_file_says_so(version: str) -> None:
    net, west, _ = begin(version, "DPD-check-interval= 0")
    mark = len(net.history)
    send(net, west, 100, answered=False)
    assert not [p for p in net.history[mark:] if p.src == west.address]


def test_who_asks_can_be_asked() -> None:
    """RFC 3706 5.1: somebody has taken the vendor IDs out of main mode's second message, so that
    west does not know that east knows of dead peers."""
    net = Network()
    west, east = (net.host(each) for each in both(general="DPD-check-interval= 20"))
    Observer(
        net, numbered(2),
        lambda packet: [edited(packet, lambda all: [p for p in all if p[0] != Payload.VENDOR])],
    )  # fmt: skip
    net.start()
    net.run(25)
    net.kill(east)
    net.run(60)
    assert "is dead" in west.said
