"""A peer that is another one to us than it was: what is begun to rekey a child SA, and brings an
ISAKMP SA that is not with the peer of that."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from isakmp.constants import ipsec
from isakmp.constants.isakmp import Payload
from isakmp.keeper.connection import REKEY_RETRY_S
from isakmp.policy.spd import Identity, Selector
from regress.observer import edited, is_clear
from regress.pair import EAST, WEST, Gateway, Host, Nat, Network, Packet, both, network_id
from regress.scripts.ikev2.pairs import child_of
from regress.traffic import Stream

LIVES = "Default-phase-1-lifetime= 600,60:86400\nDefault-phase-2-lifetime= 900,60:86400\n"
EXCHANGES = pytest.mark.parametrize("exchange", ["ID_PROT", "AGGRESSIVE"])
FLOW = Selector(ip_network(WEST.local), ip_network(EAST.local))
OTHER = Identity(ipsec.Id.FQDN, b"other.example")


def begun_by(host: Host) -> list[Packet]:
    """The first messages of phase 1 that it has sent."""
    sent = [p for p in host.network.history if p.data and p.src == host.address]
    return [p for p in sent if is_clear(p) and not any(p.header.cky_r)]


def another_id(host: Host) -> None:
    """From now on it says another identity than before."""
    remotes = host.daemon.catalog.remotes
    (name,) = remotes
    remotes[name] = replace(remotes[name], local_id=OTHER)


@EXCHANGES
@pytest.mark.parametrize("unique", ["no", "never", "replace"])
def test_a_nat_that_was_seen_once_does_not_keep_a_child_sa_from_its_successor(
    exchange: str, unique: str
) -> None:
    """Nothing protects NAT-D while it goes by; the peer has another place in one phase 1 than in
    the next."""
    net = Network()
    pair = both(
        general=f"{LIVES}Unique-ids= {unique}", peer_tags="Key-exchange= ikev1", exchange=exchange
    )
    west, east = (net.host(each) for each in pair)
    send, left = net.send, [2]

    def change(payloads: Any) -> Any:
        kinds = Payload.NAT_D, Payload.NAT_D_DRAFT
        return [(kind, bytes(len(v)) if kind in kinds else v) for kind, v in payloads]

    def changed(packet: Packet) -> None:
        if packet.data and packet.src == east.address and is_clear(packet) and left[0]:
            left[0] -= 1
            packet = edited(packet, change)
        send(packet)

    net.send = changed  # type: ignore[method-assign]
    net.start()
    net.run(5)
    assert [row["nat_t"] for row in west.rows(1)] == ["local+remote"]
    net.run(2400)
    assert len(begun_by(west)) < 10
    assert len(west.rows(2)) == len(east.rows(2)) == 1
    assert west.said.count("connection west-east up") > 2


@EXCHANGES
@pytest.mark.parametrize("unique", ["no", "replace"])
@pytest.mark.parametrize("late_s", [0.0, 0.02])
def test_a_peer_that_says_another_identity_has_its_child_sas_under_that(
    exchange: str, unique: str, late_s: float
) -> None:
    """There is no Remote-ID, and the section is for the one peer at its address. The configuration
    is read again each time that phase 1 has begun."""
    net = Network()
    pair = both(
        general=f"{LIVES}Unique-ids= {unique}", peer_tags="Key-exchange= ikev1", exchange=exchange
    )
    west, east = (net.host(each) for each in pair)
    send = net.send

    def late(packet: Packet) -> None:
        if packet.src == west.address and is_clear(packet) and not any(packet.header.cky_r):
            west.timers.add("reload", late_s / 2, west.daemon.reload)
        west.timers.add("wire", late_s, send, packet)

    net.send = late  # type: ignore[method-assign]
    net.start()
    net.run(5)
    first = child_of(west)
    stream = Stream(net, west.address, east.address, FLOW)
    stream.run(2)
    another_id(east)
    carried = stream.run(2000)
    assert all(carried)
    assert len(begun_by(west)) < 10
    assert {str(sa.remote_id) for sa in west.daemon.sas.isakmp.values()} == {str(OTHER)}
    assert first.state.value == "dead"
    assert len(west.rows(2)) == len(east.rows(2)) == 1


@EXCHANGES
def test_what_is_no_use_is_begun_again_after_a_pause(exchange: str) -> None:
    """A section for several: who answers at the place of one may not have what is that one's."""
    west_gate = replace(WEST, passive=True, general=LIVES, exchange=exchange)
    east_gate = replace(EAST, passive=False, general=LIVES, exchange=exchange)
    net = Network()
    text = west_gate.text().replace(f"Address= {EAST.address}\n", "", 1)
    west = net.add(WEST.address, text.replace(f"{EAST.address}= east", "Default= east"))
    east = net.host(east_gate)
    net.start()
    net.run(5)
    child = child_of(west)
    assert west.daemon.catalog.remotes["east"].shared
    east.daemon.set_active(False)
    another_id(east)
    net.until(lambda: child.state.value == "dead", 1000)
    begun = begun_by(west)
    assert 2 <= len(begun) <= 900 / REKEY_RETRY_S
    assert "rekeying waits: phase 1 has brought none with its peer" in west.said
    assert {str(sa.remote_id) for sa in west.daemon.sas.isakmp.values()} <= {str(OTHER)}


# --- two behind one NAT ---------------------------------------------------------------------------


def behind_one_nat(kind: str, order: tuple[int, ...]) -> tuple[Network, Host, dict[int, Gateway]]:
    """A server that calls both at the NAT's address, where each has a port: one section, no
    Remote-ID."""
    net, tags = Network(), f"Key-exchange= {kind}\n"
    of_server = Gateway(
        "192.0.2.2", "203.0.113.1", "west", "c1", "172.16.0.0/16", "10.1.0.0/16",
        exchange="AGGRESSIVE", peer_tags=tags,
    )  # fmt: skip
    second = "[c2]\nPhase= 2\nISAKMP-peer= west\nConfiguration= phase-2\nLocal-ID= near\n"
    second += f"Remote-ID= far2\n{network_id('far2', '10.2.0.0/16')}[near]"
    text = of_server.text().replace("Connections= c1", "Connections= c1,c2")
    server = net.add("192.0.2.2", text.replace("[near]", second, 1))
    devices = {}
    for number in (1, 2):
        net.nats.append(Nat(f"198.18.{number}.1", "203.0.113.1", 10000 * (number + 1)))
        devices[number] = Gateway(
            f"198.18.{number}.1", "192.0.2.2", "east", "c", f"10.{number}.0.0/16", "172.16.0.0/16",
            exchange="AGGRESSIVE", peer_tags=f"{tags}ID= me",
            more=f"[me]\nID-type= FQDN\nName= d{number}.example",
        )  # fmt: skip
    server.daemon.start()
    for number in order:
        net.host(devices[number]).daemon.start()
        net.run(3)
    return net, server, devices


def sends(net: Network, server: Host, number: int) -> Stream:
    """What the server sends to a device, and not that back."""
    traffic = Selector.of(f"10.{number}.0.0/16", "172.16.0.0/16")
    stream = Stream(net, ip_address(f"198.18.{number}.1"), server.address, traffic)
    stream.senders = {server.address}
    return stream


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
@pytest.mark.parametrize("kind", ["ikev1", "ikev2"])
def test_who_has_started_again_is_called_whoever_else_is_behind_its_nat(
    kind: str, order: tuple[int, ...]
) -> None:
    net, server, devices = behind_one_nat(kind, order)
    net.kill(net.hosts[ip_address("198.18.1.1")])
    net.host(replace(devices[1], passive=True), seed=5).daemon.start()
    (lost,) = [s for s in server.daemon.sas.isakmp.values() if "d1" in str(s.remote_id)]
    server.daemon.keeper.liveness.suspect(lost)
    stream = sends(net, server, 1)
    stream.run(30)
    assert stream.carried == (True,)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_the_silence_of_one_behind_a_nat_is_not_that_of_another(order: tuple[int, ...]) -> None:
    """Neither has an ISAKMP SA any more, and one is gone."""
    net, server, _ = behind_one_nat("ikev1", order)
    for host in list(net.hosts.values()):
        for sa in list(host.daemon.sas.isakmp.values()):
            host.daemon.keeper.delete_sa(sa, tell=False)
    net.kill(net.hosts[ip_address("198.18.1.1")])
    gone, there = sends(net, server, 1), sends(net, server, 2)
    for _ in range(120):
        gone.run(1)
        there.run(1)
        assert there.carried == (True,)
