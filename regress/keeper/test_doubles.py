"""Doubles: who is made to follow two answers to one message has one SA, and so has its peer."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from random import Random
from typing import Any

import pytest

from isakmp.constants import isakmp
from isakmp.keeper.rivals import FALLBACK_S
from isakmp.path import Path
from isakmp.sa import State
from regress.observer import Payloads, altered, edited, is_clear
from regress.pair import Gateway, Host, Network, Packet, agree, both, connected, up
from regress.scripts.ikev2.pairs import gateways

HERE_OR_ELSEWHERE = pytest.mark.parametrize("elsewhere_s", [None, 0.02], ids=["here", "elsewhere"])
BEHIND = pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
ELSEWHERE = ip_address("192.0.2.9")
PORT: dict[str, Any] = {"sport": 1234}
ADDRESS: dict[str, Any] = {"src": ELSEWHERE}
SEEDS = pytest.mark.parametrize("seed", range(4))


def with_a_vendor_id(payloads: Payloads) -> Payloads:
    return [*payloads, (isakmp.Payload.VENDOR, b"sixteen octets!!")]


DEVICE = """[Phase 1]
192.0.2.2= east
[Phase 2]
Connections= c
[east]
Key-exchange= ikev2
Address= 192.0.2.2
Local-address= {0}
Authentication= a secret of both of them, long
ID= road
IKE-proposals= aes256-sha256-x25519
[road]
ID-type= USER_FQDN
Name= road@x
[c]
ISAKMP-peer= east
Local-selectors= {0}
Remote-selectors= 10.2.0.0/16
ESP-proposals= aes256gcm16
"""
FOR_DEVICES = """[General]
Unique-ids= {}
[Phase 1]
Default= road
[Phase 2]
Passive-connections= c
[road]
Key-exchange= ikev2
Local-address= 192.0.2.2
Authentication= a secret of both of them, long
Remote-ID= road-id
IKE-proposals= aes256-sha256-x25519
[road-id]
ID-type= USER_FQDN
Name= road@x
[c]
ISAKMP-peer= road
Local-selectors= 10.2.0.0/16
Remote-selectors= 192.0.2.0/24
ESP-proposals= aes256gcm16
"""


class Doubler:
    """Has the first message answered twice, once more by somebody else, who is followed first, and
    both answers of the true responder after that. From another place, its port or address, it has
    the second: what is in the message is proven in IKEv2."""

    def __init__(
        self, net: Network, west: Host, *, behind: bool, place: dict[str, Any] | None = None
    ) -> None:
        self.net, self.west, self.behind, self.place = net, west, behind, place or {}
        self.asked = self.forged = False
        net.lose = self.lose

    def lose(self, packet: Packet) -> bool:
        ours, fly = packet.src == self.west.address, self.net.flying.append
        if ours and is_clear(packet) and not self.asked:
            self.asked = True
            elsewhere = packet._replace(**self.place)
            copy = elsewhere if self.place else edited(packet, with_a_vendor_id)
            for each in (packet, copy) if self.behind else (copy, packet):
                fly(each)
            return True
        if not ours and is_clear(packet) and not self.forged:
            self.forged = True
            fly(altered(packet, Random(1), spi=True, values=False)._replace(dport=500))
        if packet.dport == 1234 or packet.dst == ELSEWHERE:
            fly(packet._replace(dst=self.west.address, dport=500))
            return True
        return False


def doubled(
    ends: tuple[Gateway, Gateway], *, place: dict[str, Any] | None = None, behind: bool = False,
    seed: int = 0, elsewhere_s: float | None = None,
) -> tuple[Network, Host, Host]:  # fmt: skip
    net = Network()
    west, east = (net.host(end, seed=seed, elsewhere_s=elsewhere_s) for end in ends)
    doubler = Doubler(net, west, place=place, behind=behind)
    net.start()
    net.run(3)
    assert doubler.forged
    return net, west, east


def one_each(west: Host, east: Host) -> None:
    (ours,), (theirs,) = (list(h.daemon.sas.isakmp.values()) for h in (west, east))
    assert ours.cookies == theirs.cookies
    assert ours.state is theirs.state is State.ESTABLISHED
    assert connected(west)
    assert connected(east)
    agree(west, east)


@SEEDS
@BEHIND
@HERE_OR_ELSEWHERE
def test_main_mode(seed: int, behind: bool, elsewhere_s: float | None) -> None:
    net, west, east = doubled(both(), seed=seed, behind=behind, elsewhere_s=elsewhere_s)
    assert east.said.count("the peer has another one of the same attempt") == 1
    for _ in range(4):
        one_each(west, east)
        net.run(FALLBACK_S)
    assert "deleted by the peer" not in west.said
    assert len(west.outcomes) == 2


@SEEDS
@BEHIND
def test_a_peer_that_asks_for_nothing_is_asked(seed: int, behind: bool) -> None:
    ends = both()
    net = Network()
    west, east = net.host(replace(ends[0], passive=True), seed=seed), net.host(ends[1], seed=seed)
    doubler = Doubler(net, west, behind=behind)
    net.start()
    way = Path(west.address, 500, east.address, 500)
    west.daemon.connections.begin_sa(west.daemon.catalog.remotes["east"], way)
    net.run(3)
    assert doubler.forged
    for _ in range(3):
        (ours,), (theirs,) = (list(h.daemon.sas.isakmp.values()) for h in (west, east))
        assert ours.cookies == theirs.cookies
        net.run(FALLBACK_S)


def test_only_what_one_attempt_has_made_at_this_end_is_double() -> None:
    _, west, east = up(*both())
    (ours,), (theirs,) = (list(h.daemon.sas.isakmp.values()) for h in (west, east))
    for host, sa in ((west, ours), (east, theirs)):
        elsewhere = sa.path._replace(remote=ELSEWHERE)
        changes = (
            {"cky_i": b"another."}, {"initiator": not sa.initiator}, {"dialect": "ikev2"},
            {"path": elsewhere},
        )  # fmt: skip
        for change in (*changes, {"initiator": True, "cky_r": b"another."}):
            other = replace(sa, **change)
            host.daemon.keeper.doubles.look(other)
            assert not sa.doubled
            assert not other.doubled
            host.daemon.keeper.doubles.heard(other)
        assert connected(host)


def test_three_of_one_attempt_become_one() -> None:
    net, west, east = up(*both())
    (first,) = east.daemon.sas.isakmp.values()
    more = [replace(first, cky_r=bytes([n]) * 8, events={}, running={}) for n in (1, 2)]
    for sa in more:
        east.daemon.keeper.established(sa)
    assert first.state is State.SUPERSEDED or more[1].state is State.SUPERSEDED
    net.run(1)
    assert list(east.daemon.sas.isakmp.values()) == [first]
    assert first.state is State.ESTABLISHED
    assert connected(west)
    assert connected(east)


@SEEDS
@BEHIND
@HERE_OR_ELSEWHERE
def test_ikev2_by_another_port(seed: int, behind: bool, elsewhere_s: float | None) -> None:
    net, west, east = doubled(
        gateways(), place=PORT, seed=seed, behind=behind, elsewhere_s=elsewhere_s
    )
    for _ in range(4):
        one_each(west, east)
        net.run(FALLBACK_S)
    assert "deleted by the peer" not in west.said
    assert not west.reasons()


@SEEDS
@BEHIND
@pytest.mark.parametrize("unique", ["never", "no"])
def test_ikev2_by_another_address(unique: str, behind: bool, seed: int) -> None:
    """An initiator has one address in the end, whichever the copy came from."""
    net = Network()
    west = net.add("192.0.2.1", DEVICE.format("192.0.2.1"), seed=seed)
    east = net.add("192.0.2.2", FOR_DEVICES.format(unique), seed=seed)
    doubler = Doubler(net, west, place=ADDRESS, behind=behind)
    net.start()
    net.run(3)
    assert doubler.forged
    assert east.said.count("the peer has another one of the same attempt") == behind
    for _ in range(3):
        one_each(west, east)
        net.run(FALLBACK_S)
    assert not west.reasons()


@pytest.mark.parametrize("place", [{}, PORT], ids=["here", "port"])
@BEHIND
def test_aggressive_mode_proves_itself_to_one(place: dict[str, Any], behind: bool) -> None:
    net, west, east = doubled(both(exchange="AGGRESSIVE"), place=place, behind=behind)
    one_each(west, east)
    net.run(2 * FALLBACK_S)
    one_each(west, east)
    assert "of the same attempt" not in east.said


@pytest.mark.parametrize("unique", ["never", "no"])
def test_another_device_of_the_same_identity_is_no_double(unique: str) -> None:
    """It takes the SPI that the first one has chosen, which goes by in clear, and ended its SA."""
    net = Network()
    first, second = (net.add(f"192.0.2.{n}", DEVICE.format(f"192.0.2.{n}")) for n in (1, 3))
    east = net.add("192.0.2.2", FOR_DEVICES.format(unique))
    for host in (east, first):
        host.daemon.start()
    net.run(3)
    (sa,) = first.daemon.sas.isakmp.values()
    patch = pytest.MonkeyPatch()
    patch.setattr(second.daemon.engine, "new_cookie", lambda: sa.cky_i)
    second.daemon.start()
    net.run(5)
    patch.undo()
    assert connected(second)
    assert "of the same attempt" not in east.said
    if unique == "never":
        assert connected(first)
        assert {str(sa.path.remote) for sa in east.daemon.sas.isakmp.values()} == {
            "192.0.2.1", "192.0.2.3",
        }  # fmt: skip
