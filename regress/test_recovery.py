"""Both ends recover: what can happen to one of them, and how soon traffic flows again.

Within SOON_S where a live end can know of it: by INITIAL_CONTACT, or because packets come that
nobody has an SA for, which is told (RFC 7296 1.5, 2.4 and 2.21.4); within DEAD_S where only
silence shows it (RFC 3706).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network

import pytest

from fifo_ui import explain
from isakmp.policy.spd import Address, Selector
from regress.pair import EAST, WEST, Gateway, Host, Nat, Network, Packet
from regress.traffic import Stream

SOON_S = 10
# 10 s until silence shows, 10 more until it is looked at, DPD-timeout, and a pause before a try.
DEAD_S = 10 + 10 + 30 + 5
KINDS = {
    "main": ("ID_PROT", "ikev1"),
    "aggressive": ("AGGRESSIVE", "ikev1"),
    "ikev2": ("ID_PROT", "ikev2"),
}
KIND = pytest.mark.parametrize("kind", KINDS)
WHO = pytest.mark.parametrize("who", ["initiator", "responder"])
# Whether the responder begins by itself, too.
PASSIVE = pytest.mark.parametrize("passive", [True, False], ids=["passive", "active"])
FLOW = Selector(ip_network(WEST.local), ip_network(EAST.local))


@dataclass
class Scene:
    """West began, east answered, and traffic flows."""

    net: Network
    gateways: dict[Address, Gateway]
    west: Host
    east: Host
    stream: Stream
    lives: int = 1

    def address(self, who: str) -> Address:
        return (self.west if who == "initiator" else self.east).address

    def restart(self, *who: str, down_s: int = 3) -> None:
        """Killed, without a word, and started again."""
        addresses = [self.address(each) for each in who]
        for address in addresses:
            self.net.hosts.pop(address)
        self.stream.run(down_s)
        self.lives += 1
        for address in addresses:
            self.net.host(self.gateways[address], seed=self.lives).daemon.start()

    @contextmanager
    def paused(self, who: str) -> Iterator[None]:
        """Stopped for a while: what comes meanwhile waits in its socket."""
        host, waiting, lose = self.net.hosts.pop(self.address(who)), [], self.net.lose

        def keep(packet: Packet) -> bool:
            if packet.dst == host.address and packet.data:
                waiting.append(packet)
            return packet.dst == host.address or lose(packet)

        self.net.lose = keep
        yield
        self.net.lose = lose
        self.net.hosts[host.address] = host
        for packet in waiting:
            host.receive(packet)

    def recovers(self, within_s: int) -> None:
        """Traffic flows again that soon, and goes on."""
        self.stream.until_it_passes(within_s)
        assert all(self.stream.run(150)), "it stopped again"
        for host in self.net.hosts.values():
            assert len([r for r in host.rows(1) if r["state"] == "established"]) == 1
            assert len([r for r in host.rows(2) if r["state"] == "established"]) == 1


def scene(kind: str, passive: bool = True, nat: Nat | None = None) -> Scene:
    exchange, version = KINDS[kind]
    tags = f"\nKey-exchange= {version}"
    west, east = WEST, replace(EAST, passive=passive)
    net = Network()
    if nat is not None:
        me = "[warrior]\nID-type= FQDN\nName= warrior.example\n"
        west = replace(west, peer_tags="ID= warrior", more=me)
        east = replace(east, peer_address=str(nat.outside), peer_tags="Remote-ID= warrior", more=me)
        net.nats.append(nat)
    west, east = (replace(g, exchange=exchange, peer_tags=g.peer_tags + tags) for g in (west, east))
    one, other = net.host(west), net.host(east)
    stream = Stream(net, one.address, other.address, FLOW)
    net.start()
    assert all(stream.run(30)[15:])
    return Scene(net, {one.address: west, other.address: east}, one, other, stream)


@KIND
@WHO
@PASSIVE
def test_an_end_that_was_killed_and_is_back(kind: str, who: str, passive: bool) -> None:
    one = scene(kind, passive)
    one.restart(who)
    one.recovers(SOON_S)


@WHO
def test_what_a_recovery_leaves_unanswered_is_not_explained(who: str) -> None:
    """There is nothing to mend: the SAs that it was said under are gone."""
    one = scene("ikev2")
    one.restart(who)
    one.recovers(SOON_S)
    one.stream.run(300)
    for host in one.net.hosts.values():
        assert explain.failures(host.outcomes, None) == []


@KIND
@WHO
@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_stack_that_starts_anew_while_sas_are_made(kind: str, who: str, after: int) -> None:
    """What it was given for them so far is gone, whoever finishes them."""
    one = scene(kind)
    host, count = one.net.hosts[one.address(who)], 0

    def forgets(packet: Packet) -> bool:
        nonlocal count
        count += bool(packet.data)
        if count == after:
            host.app.sas.clear()
            host.app.larval.clear()
            host.daemon.restarted()
        return False

    one.west.daemon.teardown("west-east", 2)
    one.net.run(3)
    one.net.lose = forgets
    one.west.daemon.connect("west-east")
    one.net.run(3)
    assert count >= min(after, 2 if kind == "ikev2" else 3)
    held = {sa.spi for sa in host.app.sas.values()}
    for child in host.daemon.sas.all_children():
        for each in child.protocols:
            assert {each.spi_in, each.spi_out} <= held, "it is up without its SAs"
    one.recovers(SOON_S)


@KIND
@PASSIVE
def test_both_were_killed_and_are_back(kind: str, passive: bool) -> None:
    one = scene(kind, passive)
    one.restart("initiator", "responder")
    one.recovers(SOON_S)


@KIND
@WHO
@PASSIVE
def test_an_end_that_was_killed_and_is_back_after_it_was_missed(
    kind: str, who: str, passive: bool
) -> None:
    one = scene(kind, passive)
    one.restart(who, down_s=100)
    one.recovers(SOON_S)


@KIND
@WHO
@PASSIVE
@pytest.mark.parametrize("seconds", [5, 60, 600])
def test_an_end_that_was_stopped_for_a_while(
    kind: str, who: str, passive: bool, seconds: int
) -> None:
    one = scene(kind, passive)
    with one.paused(who):
        one.stream.run(seconds)
    one.recovers(SOON_S)


@KIND
@WHO
@PASSIVE
@pytest.mark.parametrize("seconds", [5, 60, 600])
def test_an_address_that_was_gone_and_is_back(
    kind: str, who: str, passive: bool, seconds: int
) -> None:
    one = scene(kind, passive)
    gone = one.address(who)
    one.net.lose = lambda packet: gone in (packet.src, packet.dst)
    one.stream.run(seconds)
    one.net.lose = lambda packet: False
    one.recovers(DEAD_S)


@KIND
def test_a_nat_that_was_started_again(kind: str) -> None:
    nat = Nat(WEST.address, "203.0.113.1")
    one = scene(kind, nat=nat)
    nat.rebind()
    one.recovers(SOON_S)


@KIND
@pytest.mark.parametrize("hours", [-100, 100])
def test_a_clock_that_is_set(kind: str, hours: int) -> None:
    one = scene(kind)
    one.net.set_clock_s = 3600 * hours
    mark = len(one.net.history)
    one.recovers(0)
    assert len(one.net.history) == mark, "nobody noticed"
    assert all(one.stream.run(4000)), "lifetimes go by as they did"
