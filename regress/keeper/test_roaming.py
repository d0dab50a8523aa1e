"""A NAT moves a peer while it is silent, and what comes first from its new place is a phase 1.

Of IKEv1, where child SAs outlive what they were made under: whatever Unique-ids says, whoever sends
after that, and however peers are asked whether they live, traffic passes again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import NamedTuple

import pytest

from isakmp import deletes
from isakmp.app.base import Direction, Mapping
from isakmp.constants import isakmp
from isakmp.policy.spd import Selector
from isakmp.sa import ChildSa, State
from regress.keeper.test_places import client
from regress.keeper.test_places import server as server_of
from regress.pair import Gateway, Host, Nat, Network, agree, both, up
from regress.scripts.ikev1.test_nat import INSIDE, OUTSIDE, through_nat
from regress.traffic import Stream, flows

FLOW = Selector.of("10.1.0.0/16", "10.2.0.0/16")
NOWHERE = ip_address("198.51.100.44")
# A peer is asked after two minutes of silence, is dead half a minute later, and called once more.
FOUND_S = 300
LIVES = "Default-phase-1-lifetime= 86400,60:86400\nDefault-phase-2-lifetime= 86400,60:86400\n"
KINDS = {
    "main": ("ID_PROT", "ikev1"),
    "aggressive": ("AGGRESSIVE", "ikev1"),
    "ikev2": ("ID_PROT", "ikev2"),
}
UNIQUE = pytest.mark.parametrize("unique", ["replace", "keep", "no", "never"])


@dataclass
class Road:
    """A gateway, west, behind a NAT, and another one, east, that takes it from anywhere. inside:
    what west is made of."""

    net: Network
    inside: Gateway
    west: Host
    east: Host
    nat: Nat
    stream: Stream

    def move(self, what: str) -> None:
        """West is elsewhere, and neither end knows."""
        self.nat.rebind()
        if what == "address":
            self.nat.outside = NOWHERE

    def restart(self, seed: int) -> None:
        """West is killed, and begins anew."""
        self.net.kill(self.west)
        self.west = self.net.host(self.inside, seed=seed)
        self.west.daemon.start()

    @property
    def gone_to(self) -> set[tuple[object, int]]:
        """Where east sends to with child SAs."""
        sas = [sa for sa in self.east.app.sas.values() if not sa.inbound and sa.encap]
        return {(sa.dst, sa.encap[1]) for sa in sas if sa.encap}

    @property
    def is_at(self) -> tuple[object, int]:
        """Where west is."""
        return self.nat.outside, self.nat._ports[4500]


def road(kind: str, unique: str, dpd: str, *, passive: bool = False) -> Road:
    """Both are up, and packets have passed both ways. passive: neither keeps that up."""
    exchange, version = KINDS[kind]
    asked = f"DPD-check-interval= {dpd}\n" if dpd else ""
    general = f"{LIVES}{asked}Unique-ids= {unique}\n"

    def like(gateway: Gateway) -> Gateway:
        tags = f"{gateway.peer_tags}\nKey-exchange= {version}"
        return replace(
            gateway, exchange=exchange, general=general, peer_tags=tags,
            passive=passive or gateway.passive,
        )  # fmt: skip

    net, nat = Network(), Nat("192.0.2.1", "203.0.113.1")
    net.nats.append(nat)
    anywhere = like(OUTSIDE).text().replace("203.0.113.1= west", "Default= west")
    inside = like(INSIDE)
    west = net.host(inside)
    east = net.add(OUTSIDE.address, anywhere.replace("Address= 203.0.113.1\n", ""))
    net.start()
    west.daemon.connect("west-east")
    net.run(5)
    stream = Stream(net, west.address, east.address, FLOW)
    stream.until_it_passes(5)
    return Road(net, inside, west, east, nat, stream)


@UNIQUE
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["port", "address"])
@pytest.mark.parametrize("renews", ["west", "east"])
@pytest.mark.parametrize("talks", ["west", "east", "both"])
@pytest.mark.parametrize("dpd", ["", "10", "0"])
def test_traffic_passes_again(
    kind: str, unique: str, what: str, renews: str, talks: str, dpd: str
) -> None:
    world = road(kind, unique, dpd)
    world.move(what)
    host, peer = (world.west, "east") if renews == "west" else (world.east, "west")
    host.daemon.rekey(peer, "main")
    world.net.run(2)
    senders = {"west": [world.west], "east": [world.east]}.get(talks, [world.west, world.east])
    world.stream.senders = {sender.address for sender in senders}
    world.stream.run(FOUND_S)
    # West says nothing that is taken, and nobody is to ask whether it is there; but in aggressive
    # mode it asks itself whether the peer has what its last message has made.
    refused = unique == "keep" and kind not in ("ikev2", "aggressive")
    unheard = dpd == "0" and talks == "east" and (renews == "east" or refused)
    assert world.stream.passes is not unheard
    world.stream.senders = {world.west.address, world.east.address}
    world.stream.run(30)
    assert world.stream.passes and world.gone_to == {world.is_at}


@pytest.mark.parametrize("unique", ["replace", "no", "never"])
def test_who_never_deletes_its_old_isakmp_sa_hears_where_it_is_now(unique: str) -> None:
    world = road("main", unique, "10")
    (old,) = world.west.daemon.sas.isakmp.values()
    lost = old.cookies
    world.net.lose = lambda packet: packet.src == world.west.address and packet.message[:16] == lost
    world.move("port")
    world.west.daemon.rekey("east", "main")
    world.stream.senders = {world.east.address}
    world.stream.run(120)
    assert world.stream.passes
    assert len(world.west.rows(2)) == len(world.east.rows(2)) == 1


@pytest.mark.parametrize("unique", ["replace", "no", "never"])
def test_what_the_peer_deletes_from_its_new_place_is_found_at_the_old_one(unique: str) -> None:
    world = road("main", unique, "0")
    (east,) = world.east.daemon.sas.all_children()
    world.east.daemon.connections.settings.active = False
    world.west.daemon.connections.settings.active = False
    (old,) = world.west.daemon.sas.isakmp.values()
    old.dpd = False  # so that nobody is asked under what was before
    world.move("address")
    remote = world.west.daemon.catalog.remote("east")
    world.west.daemon.connections.begin_sa(remote, old.path)
    world.net.run(40)
    assert (east.path.remote, len(world.east.rows(1))) == (ip_address("203.0.113.1"), 1)
    world.west.daemon.teardown("west-east", 2)
    world.net.run(1)
    assert not world.west.rows(2) + world.east.rows(2)


@UNIQUE
def test_a_child_sa_without_an_isakmp_sa_follows_its_packets(unique: str) -> None:
    """RFC 3948 5.1, RFC 3947 7."""
    world = road("main", unique, "10")
    for host in (world.west, world.east):
        (sa,) = host.daemon.sas.isakmp.values()
        host.daemon.keeper.delete_sa(sa, tell=False)
    world.move("address")
    world.stream.run(3)
    assert world.stream.passes and world.gone_to == {world.is_at}
    world.net.kill(world.west)
    world.stream.run(60)
    assert not world.east.rows(2), "its peer is called there"


def test_what_was_made_without_a_nat_follows_nobody() -> None:
    """RFC 3947 7: whoever sends its packets on could have all that we send."""
    net, west, east = up()
    (child,) = east.daemon.sas.all_children()
    for end_it in (False, True):
        if end_it:
            (sa,) = east.daemon.sas.isakmp.values()
            east.daemon.keeper.delete_sa(sa, tell=False)
        east.daemon.mapping(Mapping(child.inbound()[0], NOWHERE, 4500))
        assert child.path.remote == west.address
    assert flows(west, east)


class Yard(NamedTuple):
    """Two devices of one identity behind NATs of one outside address, and a server."""

    net: Network
    server: Host
    devices: tuple[Host, Host]
    nats: tuple[Nat, Nat]

    def sent_to(self, device: Host) -> set[int]:
        """At which port the server has a device: where the child SAs that it receives with go."""
        mine = {sa.spi for sa in device.app.sas.values() if sa.inbound}
        return {sa.encap[1] for sa in self.server.app.sas.values() if sa.spi in mine and sa.encap}

    def streams(self) -> list[Stream]:
        """What each device and the server send each other."""
        return [
            Stream(self.net, device.address, self.server.address,
                   Selector.of(f"10.{number}.0.0/16", "172.16.0.0/16"))
            for number, device in enumerate(self.devices, 1)
        ]  # fmt: skip

    def end_isakmp_sas(self, device: Host) -> None:
        """It ends them, and keeps what was negotiated under them."""
        for sa in list(device.daemon.sas.isakmp.values()):
            device.daemon.keeper.delete_sa(sa)
        self.net.run(5)

    def begin_sa(self, device: Host) -> None:
        """It begins a phase 1, or the like."""
        connections = device.daemon.connections
        remote = device.daemon.catalog.remote("east")
        path = connections.beginnings.path_to(remote)
        assert path is not None
        connections.begin_sa(remote, path)
        self.net.run(1)

    def settles(self, streams: list[Stream], within_s: int, moves: int) -> None:
        """All traffic passes again, and the server has each device where it is, which nobody
        moves any more."""
        mark = self.moves
        for second in range(within_s + 30):
            for stream in streams:
                stream.run(1)
                assert stream.passes or second < within_s
        assert self.moves - mark <= moves
        for device, nat in zip(self.devices, self.nats, strict=True):
            assert self.sent_to(device) == {nat._ports[4500]}

    @property
    def moves(self) -> int:
        """How often the server has followed one."""
        return sum("peer moved" in line for line in self.server.lines)


def yard(unique: str, kind: str = "main", *, second: bool = True, server_s: int = 0) -> Yard:
    """Both devices are up, or the first; neither says that it is the only one. server_s: after
    which silence the server asks, 0: never."""
    net, ports = Network(), (20000, 30000)
    general = f"{LIVES}DPD-check-interval= {server_s}"
    server = net.add("192.0.2.2", server_of(kind, unique, general=general))
    devices = []
    for number, first in enumerate(ports, 1):
        inside = f"198.18.{number}.1"
        net.nats.append(Nat(inside, "203.0.113.1", first))
        tags = "Address= 192.0.2.2\nUnique-ids= no"
        one = client(kind, inside, f"10.{number}.0.0/16", tags, general=LIVES)
        devices.append(net.host(replace(one, remote="172.16.0.0/16")))
    for host in reversed((server, *devices[: 1 + second])):
        host.daemon.start()
    net.run(5)
    return Yard(net, server, (devices[0], devices[1]), (net.nats[0], net.nats[1]))


@pytest.mark.parametrize("unique", ["no", "never"])
def test_two_devices_behind_one_nat_keep_their_own_child_sas(unique: str) -> None:
    world = yard(unique)
    mover, other = world.devices
    stays = world.sent_to(other)
    assert len(stays) == 1 and len(world.server.rows(2)) == 2
    world.nats[0].rebind()
    mover.daemon.rekey("east", "main")
    world.net.run(100)
    assert world.sent_to(other) == stays and flows(other, world.server)
    assert world.sent_to(mover) == {world.nats[0]._ports[4500]}
    assert len(world.server.rows(1)) == len(world.server.rows(2)) == 2


def test_who_shares_an_identity_deletes_nothing_of_another_device() -> None:
    """Both may have chosen the same SPI: only what has nobody at its place may be the other's."""
    world = yard("never")
    sas = world.server.daemon.sas
    one, other = sorted(sas.isakmp.values(), key=lambda sa: sa.path.remote_port)
    (child,) = sas.children_of(other)
    assert deletes.addresses(sas, one) == ["203.0.113.1"]
    (protocol,) = child.protocols
    named = protocol.chosen.protocol, protocol.spi_out
    assert deletes.received_with(sas, other, *named) is child
    assert deletes.received_with(sas, one, *named) is None
    world.server.daemon.keeper.delete_sa(other, tell=False)
    assert deletes.received_with(sas, one, *named) is child


@pytest.mark.parametrize("unique", ["replace", "no"])
def test_all_that_is_at_a_place_moves_together(unique: str) -> None:
    """Two ISAKMP SAs, one of which takes the place of the other, and the older one is asked under
    that has moved."""
    world = road("main", unique, "0")
    (old,) = world.west.daemon.sas.isakmp.values()
    world.west.daemon.rekey("east", "main")
    world.net.run(1)
    assert len(world.east.rows(1)) == 2
    world.move("port")
    world.west.daemon.keeper.liveness.question(old)
    world.net.pump()
    assert {sa.path.remote_port for sa in world.east.daemon.sas.isakmp.values()} == {world.is_at[1]}
    assert world.gone_to == {world.is_at}
    world.net.run(100)
    assert len(world.east.rows(1)) == len(world.east.rows(2)) == 1


@pytest.mark.parametrize("unique", ["no", "never"])
def test_two_isakmp_sas_that_meet_at_one_place_both_stay(unique: str) -> None:
    """The old one follows the packets of its child SA to where the new one is: of one device, or of
    two that share a place, nobody can tell."""
    world = road("main", unique, "0")
    world.west.daemon.connections.settings.active = False
    world.move("port")
    path = next(iter(world.west.daemon.sas.isakmp.values())).path
    world.net.lose = lambda packet: packet.message[18:19] == bytes([isakmp.Exchange.INFO])
    remote = world.west.daemon.catalog.remote("east")
    world.west.daemon.connections.begin_sa(remote, path)
    world.net.run(40)
    assert [row["state"] for row in world.east.rows(1)] == ["established"] * 2
    world.net.lose = lambda packet: False
    world.stream.run(100)
    assert world.stream.passes and world.gone_to == {world.is_at}
    assert [row["state"] for row in world.east.rows(1)] == ["established"] * 2


@UNIQUE
@pytest.mark.parametrize("kind", ["main", "aggressive"])
@pytest.mark.parametrize("second", ["is alive", "phase 1"])
def test_what_has_followed_once_follows_again(second: str, kind: str, unique: str) -> None:
    """Another phase 1 tells of the first new place; of the second IKE does, as the other sends."""
    world = road(kind, unique, "10")
    world.move("port")
    world.west.daemon.rekey("east", "main")
    world.net.run(2)
    world.stream.run(300)
    world.move("port")
    if second == "phase 1":
        world.west.daemon.rekey("east", "main")
        world.net.run(2)
    world.stream.senders = {world.east.address}
    world.stream.run(120)
    assert world.stream.passes and world.gone_to == {world.is_at}


@pytest.mark.parametrize("unique", ["no", "never"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["swapped", "taken", "one sends as the other"])
def test_two_devices_that_had_one_place_part_again(how: str, kind: str, unique: str) -> None:
    """The NAT hands out its ports anew, and one has what the other had; or a packet of each comes
    from one place."""
    world = yard(unique, kind)
    streams = world.streams()
    for stream in streams:
        stream.run(3)
    _mix_up(world, how, streams[0])
    world.settles(streams, 3, 4)


def _mix_up(world: Yard, how: str, stream: Stream) -> None:
    """stream: of the first device."""
    first, second = world.nats
    if how == "swapped":
        first._ports, second._ports = second._ports, first._ports
    elif how == "taken":
        first._ports, second._ports, second._next = dict(second._ports), {}, 40000
    else:
        own, first._ports = first._ports, dict(second._ports)
        stream.run(1)
        first._ports = own


@pytest.mark.parametrize("unique", ["no", "never"])
@pytest.mark.parametrize("kind", ["main", "aggressive"])
@pytest.mark.parametrize("how", ["swapped", "taken", "one sends as the other"])
@pytest.mark.parametrize("alone", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("renewed", [False, True])
def test_those_part_too_that_have_no_isakmp_sa(
    renewed: bool, alone: tuple[int, ...], how: str, kind: str, unique: str
) -> None:
    """A child SA that comes to where another device is seems to be that one's until they part.
    renewed: that device has another ISAKMP SA since its child SA was made."""
    world = yard(unique, kind)
    streams = world.streams()
    for stream in streams:
        stream.run(3)
    if renewed:
        for device in world.devices:
            world.begin_sa(device)
        world.net.run(100)
    for number in alone:
        world.end_isakmp_sas(world.devices[number])
    _mix_up(world, how, streams[0])
    world.settles(streams, 3, 4)


@pytest.mark.parametrize("unique", ["no", "never"])
@pytest.mark.parametrize(
    ("kind", "alone"), [(k, a) for k in KINDS for a in (False, True) if k != "ikev2" or not a]
)
@pytest.mark.parametrize("wakes", ["packet", "is alive", "phase 1", "quick mode", "not first"])
@pytest.mark.parametrize("then", ["", "phase 1", "quick mode"])
def test_who_comes_to_where_another_one_sleeps_takes_nothing_of_it(
    then: str, wakes: str, kind: str, alone: bool, unique: str
) -> None:
    """The NAT has given its port away, and it has another one when it wakes."""
    world = yard(unique, kind, second=False)
    sleeper, comer = world.devices
    streams, (one, other) = world.streams(), world.nats
    streams[0].run(3)
    if alone:
        world.end_isakmp_sas(sleeper)
    del world.net.hosts[sleeper.address]
    world.net.run(60)
    one._ports, one._next, other._ports = {}, 40000, dict(one._ports)
    comer.daemon.start()
    world.net.run(5)
    streams[1].run(3)
    world.net.hosts[sleeper.address] = sleeper
    if wakes == "is alive":
        for sa in sleeper.daemon.sas.isakmp.values():
            sleeper.daemon.keeper.liveness.question(sa)
    elif wakes == "phase 1":
        world.begin_sa(sleeper)
    elif wakes == "quick mode":
        sleeper.daemon.rekey("west-east", "quick")
    elif wakes == "not first":
        other.rebind()
        streams[1].run(1)
    world.settles(streams, 30, 6)
    for device in world.devices:
        if then == "phase 1":
            world.begin_sa(device)
        elif then == "quick mode":
            device.daemon.rekey("west-east", "quick")
    world.net.run(100)
    for nat in world.nats:
        nat.rebind()
    world.settles(streams, 30, 6)
    assert len(world.server.rows(2)) == 2


@pytest.mark.parametrize("unique", ["no", "never"])
def test_what_moves_along_has_no_traffic_of_what_is_newer(unique: str) -> None:
    """One device, at two places: its older child SA, of which the Delete got lost, is where it is
    by a guess."""
    world = road("main", unique, "0")
    (old,) = world.east.daemon.sas.all_children()
    world.net.lose = lambda packet: packet.message[18:19] == bytes([isakmp.Exchange.INFO])
    world.move("address")
    connections, remote = world.west.daemon.connections, world.west.daemon.catalog.remote("east")
    (child,) = world.west.daemon.sas.all_children()
    connections.begin_sa(remote, child.path)
    world.net.run(0.5)
    connections.rekey(child)
    world.net.run(2)
    world.east.daemon.keeper.children.moved(old, old.path._replace(remote_port=555))
    (out,) = [p for p in world.east.app.policies if p.direction is Direction.OUT]
    assert (out.dst, len(world.east.rows(2))) == (NOWHERE, 2)
    # Nor has it when all policies are looked at again.
    world.east.daemon.connections.settle("east-west", ())
    (out,) = [p for p in world.east.app.policies if p.direction is Direction.OUT]
    assert out.dst == NOWHERE


def twice_started(unique: str) -> tuple[Road, ChildSa, ChildSa]:
    """West was started twice at once, then its NAT gave it another port, and what was first has
    ended: the child SA of the start between, where west was, and the newest one, where it is."""
    world = road("ikev2", unique, "")
    for seed in 5, 6:
        world.restart(seed)
        world.net.run(0.3)
    world.stream.until_it_passes(3)
    first, middle, newest = world.east.daemon.sas.all_children()
    world.move("port")
    world.stream.until_it_passes(3)
    assert first.parent is not None
    world.east.daemon.keeper.delete_sa(first.parent, tell=False)
    assert (middle.state, newest.state) == (State.ESTABLISHED, State.ESTABLISHED)
    return world, middle, newest


@pytest.mark.parametrize("unique", ["no", "never"])
def test_what_sends_late_has_no_traffic_of_what_is_newer(unique: str) -> None:
    """A stack sends with what was installed last."""
    world, middle, _ = twice_started(unique)
    assert all(world.stream.run(10)) and middle.receives_only


def test_what_has_waited_for_the_end_of_a_newer_one_sends() -> None:
    world, middle, newest = twice_started("no")
    world.east.daemon.keeper.children.delete_child(newest, tell=False)
    spi = middle.protocols[0].spi_out
    assert [sa.spi for sa in world.east.app.sas.values() if not sa.inbound] == [spi]


@pytest.mark.parametrize("then", ["none", "moved along", "successor"])
def test_a_device_deletes_what_another_one_seems_to_have(then: str) -> None:
    """What it names nobody else knows, but two devices may have chosen the same SPI."""
    world = yard("never")
    sas = world.server.daemon.sas
    one, other = sorted(sas.isakmp.values(), key=lambda sa: sa.path.remote_port)
    (child,) = sas.children_of(other)
    (mine,) = sas.children_of(one)
    if then == "moved along":
        child.kin.proven = (NOWHERE, 4500)
    elif then == "successor":
        sas.remove_child(mine)
        mine.selector = child.selector
        sas.add_child(mine)
    (protocol,) = child.protocols
    named = protocol.chosen.protocol, protocol.spi_out
    found = deletes.received_with(sas, one, *named)
    assert found is (None if then == "none" else child)


@UNIQUE
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lost", ["west", "east"])
def test_who_has_lost_everything_is_noticed_by_a_phase_1(kind: str, unique: str, lost: str) -> None:
    """RFC 2407 4.6.3.3: an identity that may be at several places does not say INITIAL_CONTACT."""
    exchange, version = KINDS[kind]
    general = f"{LIVES}DPD-check-interval= 0\nUnique-ids= {unique}"
    ends = both(general=general, exchange=exchange, peer_tags=f"Key-exchange= {version}")
    idle = replace(ends[0], passive=True), ends[1]
    net, west, east = up(*idle)
    west.daemon.connect("west-east")
    net.run(5)
    assert flows(west, east)
    net.kill(west if lost == "west" else east)
    again = net.host(idle[lost == "east"], seed=9)
    again.daemon.start()
    west, east = (again, east) if lost == "west" else (west, again)
    connections = west.daemon.connections
    remote = west.daemon.catalog.remote("east")
    path = connections.beginnings.path_to(remote)
    assert path is not None
    connections.begin_sa(remote, path)
    net.run(150)
    agree(west, east)


def test_what_is_not_in_udp_stays_at_its_address() -> None:
    """RFC 3947 3.2: nothing protects NAT-D of main mode; who shows a NAT could move the peer."""
    net, west, east = up()
    (sa,), (child,) = east.daemon.sas.isakmp.values(), east.daemon.sas.all_children()
    sa.nat.remote = True
    east.daemon.keeper.moved(sa, sa.path._replace(remote=NOWHERE))
    assert (sa.path.remote, child.path.remote) == (NOWHERE, west.address)
    west.daemon.rekey("east", "main")
    net.run(200)
    assert {row["remote"].partition(":")[0] for row in east.rows(1)} == {str(west.address)}
    agree(west, east)
    assert flows(west, east)


def test_what_was_made_elsewhere_is_made_anew_where_the_peer_is() -> None:
    """As before, with a child SA that was made while the peer seemed to be elsewhere."""
    net, west, east = up()
    (sa,), (child,) = east.daemon.sas.isakmp.values(), east.daemon.sas.all_children()
    home = sa.path
    sa.nat.remote = True
    away = sa.path._replace(remote=NOWHERE)
    east.daemon.sas.moved(sa, away)
    east.daemon.sas.moved_child(child, away, sa.peer)
    east.daemon.keeper.moved(sa, home)
    net.run(60)
    assert [c.path.remote for c in east.daemon.sas.all_children()] == [west.address]
    assert flows(west, east)


def test_a_peer_known_by_its_address_hears_what_ends_elsewhere() -> None:
    """Elsewhere it counts as another identity (RFC 3947 6), but its section is the same."""
    general = f"{LIVES}DPD-check-interval= 10"
    ends = [replace(end, general=general, peer_tags="") for end in (INSIDE, OUTSIDE)]
    net, west, east, _ = through_nat(*ends)
    (sa,) = east.daemon.sas.isakmp.values()
    east.daemon.keeper.moved(sa, sa.path._replace(remote=NOWHERE))
    west.daemon.rekey("east", "main")
    net.run(100)
    agree(west, east)
    assert flows(west, east)


def alone(world: Road) -> None:
    """Each end has its child SA and no ISAKMP SA."""
    for host in (world.west, world.east):
        (sa,) = host.daemon.sas.isakmp.values()
        host.daemon.keeper.delete_sa(sa, tell=False)


@UNIQUE
@pytest.mark.parametrize("moves", [False, True])
def test_what_ended_out_of_reach_is_over_also_at_a_new_place(unique: str, moves: bool) -> None:
    """Neither does who begins a phase 1 make it anew before it has heard that."""
    world = road("main", unique, "0", passive=True)
    alone(world)
    world.net.lose = lambda packet: True
    world.east.daemon.teardown("east-west", 2)
    world.net.run(1)
    world.net.lose = lambda packet: False
    (child,) = world.west.daemon.sas.all_children()
    if moves:
        world.move("port")
    remote = world.west.daemon.catalog.remote("east")
    world.west.daemon.connections.begin_sa(remote, child.path)
    world.net.run(60)
    assert len(world.west.rows(1)) == len(world.east.rows(1)) == 1
    assert not world.west.rows(2) + world.east.rows(2)


@pytest.mark.parametrize("unique", ["no", "never"])
@pytest.mark.parametrize("begins", ["west", "east"])
def test_who_still_has_the_isakmp_sa_before_has_lost_nothing(unique: str, begins: str) -> None:
    """Its child SAs are not made anew: with thousands that would wear out the new one, and so on
    without end. The third one vouches for what is older than the second, too."""
    general = f"{LIVES}DPD-check-interval= 0\nUnique-ids= {unique}"
    net, west, east = up(*both(general=general))
    children = west.daemon.sas.all_children(), east.daemon.sas.all_children()
    host, peer = (west, "east") if begins == "west" else (east, "west")
    for _ in range(3):
        host.daemon.rekey(peer, "main")
        net.run(200)
        assert len(west.rows(1)) == len(east.rows(1)) == 1
        assert (west.daemon.sas.all_children(), east.daemon.sas.all_children()) == children
    assert flows(west, east)


@pytest.mark.parametrize("unique", ["no", "never"])
def test_who_does_not_answer_under_the_isakmp_sa_before_may_have_lost_all(unique: str) -> None:
    general = f"{LIVES}DPD-check-interval= 0\nUnique-ids= {unique}"
    net, west, east = up(*both(general=general))
    (before,) = west.daemon.sas.all_children()
    (old,) = west.daemon.sas.isakmp.values()
    net.lose = lambda packet: packet.message[:16] == old.cookies
    west.daemon.rekey("east", "main")
    net.run(200)
    assert before not in west.daemon.sas.all_children()
    agree(west, east)
    assert flows(west, east)
