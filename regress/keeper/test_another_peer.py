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
from isakmp.sa import IsakmpSa, State
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


UNIQUE = pytest.mark.parametrize("unique", ["replace", "no", "never", "keep"])
KIND = pytest.mark.parametrize("kind", ["ikev1", "ikev2"])
ORDER = pytest.mark.parametrize("order", [(1, 2), (2, 1)])
OTHERS = pytest.mark.parametrize("other", ["behind it", "itself", "without NAT traversal"])


class Box(Nat):
    """The NAT is a host, too: what it has no mapping for is its own."""

    def back(self, packet: Packet) -> Packet | None:
        return super().back(packet) or packet


def server_with(tags: str, general: str = "", **changes: Any) -> str:
    """A server with two connections with the one section."""
    of_server = Gateway(
        "192.0.2.2", "203.0.113.1", "west", "c1", "172.16.0.0/16", "10.1.0.0/16",
        exchange="AGGRESSIVE", peer_tags=tags, general=general, **changes,
    )  # fmt: skip
    second = "[c2]\nPhase= 2\nISAKMP-peer= west\nConfiguration= phase-2\nLocal-ID= near\n"
    second += f"Remote-ID= far2\n{network_id('far2', '10.2.0.0/16')}[near]"
    text = of_server.text().replace("onnections= c1", "onnections= c1,c2")
    return text.replace("[near]", second, 1)


def device(number: int, address: str, tags: str) -> Gateway:
    """One that calls the server, with its own identity and network."""
    return Gateway(
        address, "192.0.2.2", "east", "c", f"10.{number}.0.0/16", "172.16.0.0/16",
        exchange="AGGRESSIVE", peer_tags=f"{tags}ID= me",
        more=f"[me]\nID-type= FQDN\nName= d{number}.example",
    )  # fmt: skip


def behind_one_nat(
    kind: str, order: tuple[int, ...], other: str = "behind it", unique: str = "replace"
) -> tuple[Network, Host, dict[int, Gateway]]:
    """A server that calls both at the NAT's address, where each has a port: one section, no
    Remote-ID. other: the second device, which may be the NAT."""
    net, tags = Network(), f"Key-exchange= {kind}\n"
    server = net.add("192.0.2.2", server_with(tags, f"Unique-ids= {unique}"))
    second = "203.0.113.1" if other == "itself" else "198.18.2.1"
    devices = {1: device(1, "198.18.1.1", tags), 2: device(2, second, tags)}
    net.nats.append(Nat("198.18.1.1", "203.0.113.1", 20000))
    if other == "itself":
        net.nats.append(Box("192.0.2.99", "203.0.113.1"))
    else:
        net.nats.append(Nat(second, "203.0.113.1", 30000))
    server.daemon.start()
    for number in order:
        knows = number == 1 or other != "without NAT traversal"
        net.host(devices[number], nat_traversal=knows).daemon.start()
        net.run(3)
    return net, server, devices


def sends(net: Network, server: Host, gateway: Gateway) -> Stream:
    """What the server sends to a device, and not that back."""
    traffic = Selector.of(gateway.local, gateway.remote)
    stream = Stream(net, ip_address(gateway.address), server.address, traffic)
    stream.senders = {server.address}
    return stream


def orphan(net: Network) -> None:
    """Nobody has an ISAKMP SA any more."""
    for host in list(net.hosts.values()):
        for sa in list(host.daemon.sas.isakmp.values()):
            host.daemon.keeper.delete_sa(sa, tell=False)


def sa_with(server: Host, name: str) -> IsakmpSa:
    """The one that is up with a device."""
    every = [sa for sa in server.daemon.sas.isakmp.values() if sa.state is State.ESTABLISHED]
    (found,) = [sa for sa in every if name in str(sa.remote_id)]
    return found


@ORDER
@KIND
@UNIQUE
@OTHERS
def test_who_has_started_again_is_called_whoever_else_is_behind_its_nat(
    kind: str, order: tuple[int, ...], other: str, unique: str
) -> None:
    net, server, devices = behind_one_nat(kind, order, other, unique)
    net.kill(net.hosts[ip_address("198.18.1.1")])
    net.host(replace(devices[1], passive=True), seed=5).daemon.start()
    server.daemon.keeper.liveness.suspect(sa_with(server, "d1"))
    stream = sends(net, server, devices[1])
    stream.run(8)
    assert stream.carried == (True,), "RFC 7296 2.4: where its first question has no answer"


@ORDER
@OTHERS
@pytest.mark.parametrize("lost", [1, 2])
def test_the_silence_of_one_behind_a_nat_is_not_that_of_another(
    order: tuple[int, ...], other: str, lost: int
) -> None:
    """Neither has an ISAKMP SA any more, and one is gone. Streams pass no NAT outside UDP."""
    net, server, devices = behind_one_nat("ikev1", order, other)
    orphan(net)
    net.kill(net.hosts[ip_address(devices[lost].address)])
    gone, there = sends(net, server, devices[lost]), sends(net, server, devices[3 - lost])
    for _ in range(120):
        gone.run(1)
        there.run(1)
        assert server.daemon.sas.of_connection(f"c{3 - lost}")
        assert there.carried == (lost == 2 or other != "without NAT traversal",)


# --- one that comes back elsewhere, or as another -------------------------------------------------


@KIND
@pytest.mark.parametrize("unique", ["replace", "no"])
@pytest.mark.parametrize("moves", ["no", "rebound", "another address"])
def test_what_ended_with_its_sa_is_asked_for_at_once_where_its_peer_is(
    kind: str, moves: str, unique: str
) -> None:
    """The device has started again while it was asked for what it had refused for long, and its
    INITIAL_CONTACT ends the SA that was before."""
    net, tags = Network(), f"Key-exchange= {kind}\n"
    text = server_with(tags, f"Unique-ids= {unique}", passive=True)
    text = text.replace("Address= 203.0.113.1\n", "", 1)
    server = net.add("192.0.2.2", text.replace("203.0.113.1= west", "Default= west"))
    nat = Nat("198.18.1.1", "203.0.113.1", 20000)
    net.nats.append(nat)

    def boot(at: str) -> Host:
        gateway = device(1, at, tags)
        more = "[d]\nPhase= 2\nISAKMP-peer= east\nConfiguration= phase-2\nLocal-ID= near2\n"
        more += f"Remote-ID= far\n{network_id('near2', '10.2.0.0/16')}"
        text = gateway.text().replace(
            "Connections= c\n", "Connections= c\nPassive-connections= d\n"
        )
        host = net.add(at, text + more, seed=len(net.history))
        host.daemon.start()
        return host

    server.daemon.start()
    first = boot("198.18.1.1")
    net.run(5)
    net.kill(first)
    connections = server.daemon.connections
    connections.connect("c2")
    connections.entries["c2"].tries = 6
    if moves == "rebound":
        nat.rebind()
    boot("198.51.100.9" if moves == "another address" else "198.18.1.1")
    net.until(lambda: server.daemon.sas.of_connection("c2"), 15)


@KIND
@pytest.mark.parametrize("asked", ["", "DPD-check-interval= 0"])
def test_who_has_lost_everything_twice_under_two_identities_is_called_twice(
    kind: str, asked: str
) -> None:
    """What was lost first is still there, and no successor of what is lost now."""
    net = Network()
    pair = both(peer_tags=f"Key-exchange= {kind}", general=asked)
    west, east = (net.host(each) for each in pair)
    net.start()
    net.run(5)
    stream = Stream(net, west.address, east.address, FLOW)
    stream.senders = {west.address}
    stream.run(1)
    for seed in (7, 8):
        net.kill(east)
        east = net.host(pair[1], seed=seed)
        east.daemon.start()
        another_id(east)
        stream.run(10)
        assert stream.carried == (True,)


def another_comes(kind: str) -> tuple[Network, Host, IsakmpSa, IsakmpSa]:
    """East says another identity in a second ISAKMP SA, and has lost the first one, with what it
    protected, without a word."""
    net = Network()
    west, east = (net.host(each) for each in both(peer_tags=f"Key-exchange= {kind}"))
    net.start()
    net.run(5)
    (first,) = west.daemon.sas.isakmp.values()
    east.daemon.set_active(False)
    for sa in list(east.daemon.sas.isakmp.values()):
        east.daemon.keeper.delete_sa(sa, tell=False)
    for child in east.daemon.sas.all_children():
        east.daemon.keeper.children.delete_child(child)
    another_id(east)
    (kept,) = west.daemon.connections.entries.values()
    kept.wanted = False  # nothing comes along
    west.daemon.connections.begin_sa(first.remote, first.path)
    net.pump()
    kept.wanted = True
    (new,) = [sa for sa in west.daemon.sas.isakmp.values() if sa is not first]
    assert new.who != first.who and first.state is State.ESTABLISHED
    return net, west, first, new


@KIND
def test_what_was_lost_goes_on_under_a_successor_that_is_there(kind: str) -> None:
    """Nothing more is begun; what the peer has no more ends when that of the successor is there."""
    net, west, first, new = another_comes(kind)
    (child,) = west.daemon.sas.children_of(first)
    begun = len(begun_by(west))
    west.daemon.keeper.liveness.suspect(first)
    net.run(8)
    assert len(begun_by(west)) == begun
    (made,) = west.daemon.sas.children_of_peer(new.peer)
    assert made.state is State.ESTABLISHED
    assert child.state in (State.DELETING, State.DEAD), "IKEv2 tells the peer under the old one"


@KIND
def test_what_was_one_identitys_is_not_anothers_at_its_place_in_a_section_for_several(
    kind: str,
) -> None:
    """Who has come there is asked for no child SA of the other."""
    net, west, first, new = another_comes(kind)
    first.remote = new.remote = replace(first.remote, address=None)
    assert new.remote.shared
    west.daemon.keeper.liveness.suspect(first)
    net.run(8)
    assert not west.daemon.sas.children_of_peer(new.peer) and not west.reasons()


def test_what_was_lost_without_an_isakmp_sa_is_made_anew_with_who_answers() -> None:
    """It says another identity than before; somebody has told us that it has lost all."""
    net, west, first, _ = another_comes("ikev1")
    (child,) = west.daemon.sas.children_of(first)
    orphan(net)
    west.daemon.keeper.liveness.doubt(child)
    net.run(2)
    assert child.state is State.DEAD
    assert [str(sa.remote_id) for sa in west.daemon.sas.isakmp.values()] == [str(OTHER)]
    assert child_of(west).who == next(iter(west.daemon.sas.isakmp.values())).who
