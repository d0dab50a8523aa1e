"""Our own messages, sent back to us in the peer's name by somebody who knows no key.

RFC 7296 2.15: AUTH tells an initiator from a responder, and not one host from another that has the
same secret and answers to the same name, which a host does to itself.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from isakmp.constants import ikev2
from regress.observer import is_clear
from regress.pair import Gateway, Host, Network, Packet, agree, both, connected
from regress.scripts.ikev2.pairs import child_of, gateways, kinds, pair, sa_of, wear_out
from regress.test_amplification import chain, message

ALL = "10.0.0.0/8"
ONE_NAME = "ID= us\nRemote-ID= us\n[us]\nID-type= FQDN\nName= one.example"
TWO_METHODS = "IKE-proposals= aes128-sha256-x25519-ke1_ecp256"
PPK = "PPK-ID= red\nPPK= a post-quantum secret of some length 0123456789"


def of_hosts() -> tuple[Gateway, Gateway]:
    """Transport mode between the two."""
    one, other = gateways(connection_tags="Mode= transport")
    return (
        replace(one, local=one.address, remote=other.address),
        replace(other, local=other.address, remote=one.address),
    )


PAIRS = {
    "IKEv2": gateways(),
    "all networks": gateways(local=ALL, remote=ALL),
    "transport": of_hosts(),
    "one name": gateways(ONE_NAME),
    "two methods": gateways(TWO_METHODS),
    "PPK": gateways(PPK),
    "main mode": both(),
    "main mode, all networks": both(local=ALL, remote=ALL),
    "aggressive mode": both(exchange="AGGRESSIVE"),
    "aggressive mode, one name": both(exchange="AGGRESSIVE", peer_tags=ONE_NAME),
}
EACH_PAIR = pytest.mark.parametrize("name", PAIRS)
HERE_OR_ELSEWHERE = pytest.mark.parametrize("elsewhere_s", [None, 0.05], ids=["here", "elsewhere"])


def back(packet: Packet) -> Packet:
    """The same, from where it went to."""
    return packet._replace(
        src=packet.dst, dst=packet.src, sport=packet.dport, dport=packet.sport
    )  # fmt: skip


def mirror(net: Network, host: Host, *, alone: bool = False) -> None:
    """Whatever the host sends comes back first. alone: and gets nowhere else."""

    def lose(packet: Packet) -> bool:
        if packet.src != host.address:
            return False
        net.flying.append(back(packet))
        return alone

    net.lose = lose


def mirrored(name: str, elsewhere_s: float | None, *, alone: bool) -> tuple[Network, Host, Host]:
    one, other = PAIRS[name]
    net = Network()
    west, east = (net.host(g, elsewhere_s=elsewhere_s) for g in (one, other))
    mirror(net, west, alone=alone)
    net.start()
    net.run(6)
    return net, west, east


def causes(host: Host) -> set[str]:
    return {o["reason"]["cause"] for o in host.outcomes if not o["ok"]}


@EACH_PAIR
@HERE_OR_ELSEWHERE
def test_what_comes_back_is_no_peer_and_keeps_none_out(
    name: str, elsewhere_s: float | None
) -> None:
    _, west, east = mirrored(name, elsewhere_s, alone=False)
    assert connected(west)
    assert connected(east)
    agree(west, east)
    assert not west.reasons()


@EACH_PAIR
@HERE_OR_ELSEWHERE
def test_who_hears_only_itself_has_no_peer(name: str, elsewhere_s: float | None) -> None:
    net, west, east = mirrored(name, elsewhere_s, alone=True)
    for _ in range(3):
        assert not west.daemon.sas.isakmp
        assert not west.daemon.sas.all_children()
        assert not west.app.sas
        net.run(30)
    net.lose = lambda packet: False
    net.until(lambda: connected(west) and connected(east), 300)


@EACH_PAIR
@HERE_OR_ELSEWHERE
def test_who_hears_only_itself_is_told_so(name: str, elsewhere_s: float | None) -> None:
    """As with an Address that is this host's own: while it is under way, and at its end."""
    net, west, _ = mirrored(name, elsewhere_s, alone=True)
    (row,) = west.daemon.status()["connections"]
    net.run(120)
    for reason in (row["so_far"], next(o["reason"] for o in west.outcomes if not o["ok"])):
        assert reason["cause"] == "own-message"
        assert "[east]:Address" in reason["line"] and "Address of [east]" in reason["mend"]


@pytest.mark.parametrize("name", PAIRS)
def test_who_has_heard_the_peer_is_told_of_its_silence(name: str) -> None:
    """A copy has come back, the peer has answered, and nothing follows."""
    net = Network()
    west, east = (net.host(gateway) for gateway in PAIRS[name])
    mirror(net, west)
    reflects = net.lose
    net.lose = lambda packet: (
        reflects(packet) or (packet.src == west.address and not is_clear(packet))
    )
    net.start()
    net.run(260)
    assert not connected(east)
    assert causes(west) and "own-message" not in causes(west)


def test_a_first_message_for_another_cookie_comes_back() -> None:
    """Sent anew, it has the same SPI."""
    one, other = gateways(general="Cookie-threshold= 0", local=ALL, remote=ALL)
    net = Network()
    west, east = net.host(one), net.host(other)
    mirror(net, west)
    net.start()
    net.run(6)
    assert kinds(net.history)[:4] == ["IKE_SA_INIT", "IKE_SA_INIT'"] * 2
    assert connected(west)
    assert connected(east)
    assert not west.reasons()


def test_what_comes_back_later_begins_nothing() -> None:
    """The SPI is that of an IKE SA, which it has been once."""
    net, west, east = pair(local=ALL, remote=ALL)
    before = len(net.history)
    for packet in [p for p in net.history if p.src == west.address]:
        west.receive(back(packet))
    net.run(1)
    assert len(net.history) == before
    assert connected(west)
    assert not len(west.daemon.engine.half_open)
    agree(west, east)


def test_a_first_message_that_comes_back_after_its_attempt_leads_nowhere() -> None:
    """Nobody is left who would prove anything to its answer."""
    one, other = gateways(local=ALL, remote=ALL)
    net = Network()
    west = net.host(one)
    net.start()
    net.until(west.reasons, 300)
    for packet in net.history.copy():
        west.receive(back(packet))
    mirror(net, west)
    net.run(300)
    assert not west.daemon.sas.isakmp
    net.host(other).daemon.start()
    net.until(lambda: connected(west), 300)


def test_rekeying_that_comes_back_is_not_the_peers() -> None:
    net, west, east = pair(local=ALL, remote=ALL)
    mirror(net, west)
    first, child = sa_of(west), child_of(west)
    wear_out(west)
    net.run(3)
    west.daemon.engine.dialects["ikev2"].rekey_sa(west.daemon.engine, first)
    net.run(3)
    assert sa_of(west) is not first
    assert child_of(west) is not child
    agree(west, east)
    assert len(west.app.sas) == 2
    assert not west.reasons() + east.reasons()
    mirror(net, east)
    east.daemon.engine.dialects["ikev2"].rekey_sa(east.daemon.engine, sa_of(east))
    net.run(3)
    assert connected(west)
    agree(west, east)


def test_an_spi_of_ours_is_nobody_elses() -> None:
    """Whoever it comes from, and whatever is in it: so is that of an exchange under way."""
    one, _ = gateways()
    net = Network()
    west = net.host(one)
    net.start()
    net.run(0.5)
    (asked,) = net.history
    forged = message(2, ikev2.Exchange.IKE_SA_INIT, chain(), flags=8, cky_i=asked.header.cky_i)
    west.receive(back(asked)._replace(data=forged))
    assert len(net.history) == 1
    assert west.daemon.engine.counters["dropped"] == 1


@pytest.mark.parametrize("name", ["main mode", "aggressive mode"])
def test_who_answers_and_hears_itself_has_heard_the_peer(name: str) -> None:
    """Its peer has begun, so that the Address is right, and falls silent."""
    net = Network()
    west, east = (net.host(gateway) for gateway in PAIRS[name])
    mirror(net, east)
    reflects, first = net.lose, iter(range(1))
    net.lose = lambda packet: (
        reflects(packet) or (packet.src == west.address and next(first, None) is None)
    )
    net.start()
    net.run(260)
    assert east.daemon.engine.counters["dropped"]
    assert causes(east) and "own-message" not in causes(east)


@pytest.mark.parametrize("name", ["IKEv2", "main mode", "aggressive mode"])
def test_what_comes_back_from_elsewhere_says_nothing_of_the_address(name: str) -> None:
    """Anybody may send it, from wherever he is."""
    net = Network()
    west, _ = (net.host(gateway) for gateway in PAIRS[name])

    def lose(packet: Packet) -> bool:
        if packet.src == west.address:
            net.flying.append(back(packet)._replace(src=ip_address("198.51.100.7")))
        return True

    net.lose = lose
    net.start()
    net.run(120)
    assert west.daemon.engine.counters["dropped"]
    assert causes(west) and "own-message" not in causes(west)
