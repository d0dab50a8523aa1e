"""An ISAKMP or IKE SA that counts as replaced by another device's, which has come to its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from isakmp.constants import ikev2, isakmp
from isakmp.errors import Reason
from isakmp.event.job import Job
from isakmp.keeper.keeper import ASKED_MAX, RENEW_S, SILENT_S
from isakmp.keeper.rivals import FALLBACK_S, GRACE_S, wait_s
from isakmp.sa import IsakmpSa, State
from regress.keeper.test_places import client
from regress.keeper.test_roaming import FLOW, LIVES, Yard, yard
from regress.pair import Host, Network, Packet, agree, both, connected, up
from regress.scripts.ikev2.pairs import pair as ikev2_up
from regress.scripts.ikev2.pairs import sa_of
from regress.traffic import Stream

UNIQUE = pytest.mark.parametrize("unique", ["no", "never"])


def taken_for_another(unique: str, kind: str) -> tuple[Yard, IsakmpSa]:
    """The NAT swaps the ports of two devices, and the second is started anew: it comes to where the
    server believes the first to be. The server's SA with that one."""
    world = yard(unique, kind)
    for stream in world.streams():
        stream.run(2)
    (first, second), (one, other) = world.devices, world.nats
    old = at_port(world.server, one._ports[4500])
    one._ports, other._ports = other._ports, one._ports
    world.net.kill(second)
    again = client(kind, str(second.address), "10.2.0.0/16", "Address= 192.0.2.2\nUnique-ids= no",
                   general=LIVES)  # fmt: skip
    anew = world.net.host(replace(again, remote="172.16.0.0/16"), seed=9)
    anew.daemon.start()
    world.net.run(1)
    assert old.state is State.SUPERSEDED
    return world._replace(devices=(first, anew)), old


def ask_under_all(host: Host) -> None:
    for sa in host.daemon.sas.isakmp.values():
        host.daemon.keeper.liveness.question(sa)


def at_port(server: Host, port: int) -> IsakmpSa:
    (found,) = [x for x in server.daemon.sas.isakmp.values() if x.path.remote_port == port]
    return found


@UNIQUE
@pytest.mark.parametrize("kind", ["main", "ikev2"])
@pytest.mark.parametrize("says", ["is alive", "packets"])
def test_it_follows_its_own_device_and_stays(says: str, kind: str, unique: str) -> None:
    world, old = taken_for_another(unique, kind)
    stream, other = world.streams()
    if says == "is alive":
        ask_under_all(world.devices[0])
        world.net.run(1)
        stream.senders = {world.server.address}
        stream.run(2)
        assert stream.passes
    other.run(2)
    for seconds in range(int(RENEW_S / 2) + 1):
        if says == "packets":
            stream.run(1)
            other.run(1)
            assert (stream.passes and other.passes) or not seconds
        else:
            world.net.run(2)
    assert old.state is State.ESTABLISHED
    world.settles(world.streams(), 3, 0)


def test_what_another_device_does_not_take_is_asked_of_it_once() -> None:
    world, old = taken_for_another("no", "ikev2")
    del world.net.hosts[world.devices[0].address]
    mark = len(world.net.history)
    world.net.run(RENEW_S / 2 + 10)
    begun = [
        packet for packet in world.net.history[mark:] if packet.message
        and (packet.src, packet.header.exchange_type)
        == (world.server.address, ikev2.Exchange.CREATE_CHILD_SA)
    ]  # fmt: skip
    assert len(begun) == 1
    assert old.state is State.SUPERSEDED, "it may be another device's, and has time to say so"


def test_what_nobody_has_is_not_restored_though_who_took_its_place_moves() -> None:
    """A device that is started anew, and whose NAT moves it then, has one IKE SA."""
    world, old = taken_for_another("no", "ikev2")
    anew, (_, nat) = world.devices[1], world.nats
    del world.net.hosts[world.devices[0].address]
    nat.rebind()
    ask_under_all(anew)
    world.net.run(2 * RENEW_S + 10)
    assert old.state is State.DEAD


def test_it_stays_where_nobody_else_is() -> None:
    """Its own device has another port meanwhile."""
    world, old = taken_for_another("no", "ikev2")
    world.nats[0].rebind()
    stream, _ = world.streams()
    stream.until_it_passes(3)
    assert world.server.daemon.sas.of_peer(old.peer) == [old]
    world.net.run(RENEW_S)
    assert old.state is State.ESTABLISHED
    world.settles(world.streams(), 3, 0)


def test_what_its_own_device_has_replaced_ends_though_it_is_not_deleted() -> None:
    world, old = taken_for_another("no", "ikev2")
    first, (stream, _) = world.devices[0], world.streams()
    stream.until_it_passes(3)
    (its,) = first.daemon.sas.isakmp.values()
    world.net.lose = lambda packet: (
        packet.src == first.address
        and packet.message[:16] == its.cookies
        and packet.header.exchange_type == ikev2.Exchange.INFORMATIONAL
    )
    world.begin_sa(first)
    stream.run(int(RENEW_S) + 20)
    assert old.state is State.DEAD
    (new,) = first.daemon.sas.isakmp.values()
    assert new.own_cookie != its.own_cookie
    world.settles(world.streams(), 3, 0)


@UNIQUE
@pytest.mark.parametrize(
    ("kind", "comes_by"), [("ikev2", "is alive"), ("ikev2", "packets"), ("main", "is alive")]
)
@pytest.mark.parametrize("interval_s", [0, 300])
def test_a_device_that_came_to_the_place_of_a_dead_one_is_not_given_up_with_it(
    interval_s: int, kind: str, comes_by: str, unique: str
) -> None:
    """Of IKEv1 its packets would be taken for those of the dead one."""
    world = yard(unique, kind, server_s=interval_s)
    (first, second), (one, other) = world.devices, world.nats
    _, stream = world.streams()
    stream.run(2)
    dead = at_port(world.server, one._ports[4500])
    (lives,) = [x for x in world.server.daemon.sas.isakmp.values() if x is not dead]
    ask_under_all(first)
    world.net.run(1)
    world.net.kill(first)
    one._ports, other._ports = other._ports, one._ports
    if comes_by == "is alive":
        ask_under_all(second)
        world.net.run(1)
        stream.senders = {world.server.address}
    else:
        stream.run(5)
    assert dead.peer == lives.peer
    for seconds in range(60):
        stream.run(1)
        if dead.state is not State.DEAD:
            world.server.daemon.keeper.liveness.suspect(dead)
        assert stream.passes, seconds
    assert dead.state is State.DEAD
    assert lives.state is State.ESTABLISHED
    assert len(world.server.rows(2)) == 1, "that of the dead one is gone with it"


FORMS: dict[str, tuple[Callable[[], tuple[Network, Host, Host]], int]] = {
    "main mode": (lambda: up(), isakmp.Exchange.ID_PROT),
    "aggressive mode": (lambda: up(*both(exchange="AGGRESSIVE")), isakmp.Exchange.AGGRESSIVE),
    "IKEv2": (lambda: ikev2_up(), ikev2.Exchange.IKE_AUTH),
}


def never_got(form: str) -> tuple[Network, Host, Host, IsakmpSa]:
    """The last message of the exchange that made a new one is lost, however often it is said again.
    West's only one, from before."""
    begin, last = FORMS[form]
    net, west, east = begin()
    speaker, other = (west, east) if form == "aggressive mode" else (east, west)
    (old,) = west.daemon.sas.isakmp.values()
    (child,) = west.daemon.sas.all_children()

    def lost(packet: Packet) -> bool:
        header = packet.header
        encrypted = form == "IKEv2" or header.flags & isakmp.Flag.ENCRYPTION
        return packet.src == speaker.address and header.exchange_type == last and bool(encrypted)

    net.lose = lost
    west.daemon.connections.begin_sa(old.remote, old.path, child.connection, old.nat)
    net.run(1)
    assert len(speaker.daemon.sas.isakmp) == 2
    return net, speaker, other, old


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("found", ["in the end", "by a question"])
def test_a_new_one_that_its_peer_has_never_got_gives_way_to_the_one_before(
    found: str, form: str
) -> None:
    net, speaker, other, old = never_got(form)
    if found == "by a question":
        net.run(1)
        ask_under_all(other)
        net.run(1)
        (new,) = [x for x in speaker.daemon.sas.isakmp.values() if x.cookies != old.cookies]
        speaker.daemon.keeper.liveness.dead(new, "though it was asked")
        assert connected(speaker)
    net.run(2 * FALLBACK_S + (ASKED_MAX + 2) * GRACE_S)
    if found == "in the end":
        assert "its peer has never spoken under it" in speaker.said
    for host in (speaker, other):
        assert [sa.cookies for sa in host.daemon.sas.isakmp.values()] == [old.cookies]
        assert connected(host)
    agree(speaker, other)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("again_s", [25, 28, 58])
@pytest.mark.parametrize("quiet", [False, True], ids=["traffic", "quiet"])
def test_nor_is_it_replaced_by_several_that_the_peer_has_never_got(
    quiet: bool, again_s: int, form: str
) -> None:
    """The attempt is given up and begun again, and its last message is lost, too."""
    net, speaker, other, old = never_got(form)
    lost, west = net.lose, speaker if form == "aggressive mode" else other
    net.lose = lambda packet: bool(packet.data) and lost(packet)
    before = next(sa for sa in speaker.daemon.sas.isakmp.values() if sa.cookies == old.cookies)
    stream = Stream(net, west.address, (other if west is speaker else speaker).address, FLOW)
    passed = [] if quiet else stream.run(again_s)
    net.run(again_s if quiet else 0)
    for exchange in [x for x in west.daemon.engine.under_way() if x.script.establishes]:
        west.daemon.engine.fail(exchange, Reason("test", "it is begun again"))
    west.daemon.connections.begin_sa(old.remote, old.path, None, old.nat)
    passed += [] if quiet else stream.run(45)
    net.run(45 if quiet else 0)
    assert before.state is not State.DEAD and old.state is State.ESTABLISHED
    net.lose = lambda packet: False
    passed += stream.run(int(2 * FALLBACK_S) + 10)
    assert all(passed)
    for host in (speaker, other):
        assert connected(host)
    agree(speaker, other)


@pytest.mark.parametrize("version", [1, 2])
def test_a_new_one_that_its_peer_has_stays_though_it_has_not_spoken_under_it(version: int) -> None:
    """Who has begun it does not end the one before, and asks nothing."""
    net, west, east = up() if version == 1 else ikev2_up()
    (old,) = west.daemon.sas.isakmp.values()
    west.daemon.connections.begin_sa(old.remote, old.path, None, old.nat)
    net.run(0.5)
    for sa in west.daemon.sas.isakmp.values():
        sa.cancel()
    net.run(2 * FALLBACK_S + 2 * GRACE_S)
    assert "never spoken" not in east.said
    (new,) = east.daemon.sas.isakmp.values()
    assert new.cookies != old.cookies


def test_packets_under_a_new_one_show_that_its_peer_has_it() -> None:
    """Though neither a question nor an answer of IKE comes through for a while."""
    net, west, east = ikev2_up()
    (old,) = west.daemon.sas.isakmp.values()
    (child,) = west.daemon.sas.all_children()
    west.daemon.connections.begin_sa(old.remote, old.path, child.connection, old.nat)
    net.run(0.5)
    net.lose = lambda packet: bool(packet.data)
    (new,) = [x for x in east.daemon.sas.isakmp.values() if x.cookies != old.cookies]
    stream = Stream(net, west.address, east.address, FLOW)
    (before,) = [x for x in east.daemon.sas.isakmp.values() if x.cookies == old.cookies]
    while before.state is State.SUPERSEDED:
        assert all(stream.run(1))
    assert new.state is State.ESTABLISHED
    assert "never spoken" not in east.said


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize("seconds", [20, 35, 45])
def test_where_nobody_is_heard_under_either_neither_is_given_up_for_it(
    version: int, quiet: bool, seconds: int
) -> None:
    """The network is away for a while, just when both ends have both."""
    net, west, east = up() if version == 1 else ikev2_up()
    (old,) = west.daemon.sas.isakmp.values()
    (child,) = west.daemon.sas.all_children()
    west.daemon.connections.begin_sa(old.remote, old.path, child.connection, old.nat)
    net.pump()
    net.lose = lambda packet: True
    stream = Stream(net, west.address, east.address, FLOW)
    net.run(seconds) if quiet else stream.run(seconds)
    net.lose = lambda packet: False
    assert all(stream.run(200))
    assert [connected(host) for host in (west, east)] == [True, True]


@pytest.mark.parametrize("version", [1, 2])
def test_who_is_heard_while_the_counters_are_asked_for_lives(version: int) -> None:
    net, west, east = up() if version == 1 else ikev2_up()
    (there,), (here,) = (host.daemon.sas.isakmp.values() for host in (west, east))
    net.run(1)
    east.app.held = []
    east.daemon.keeper.liveness.dead(here, "though it was asked", net.now)
    net.run(1)
    west.daemon.keeper.liveness.question(there)
    net.run(1)
    east.app.release()
    east.app.held = None
    net.run(1)
    assert here.state is State.ESTABLISHED
    agree(west, east)


@pytest.mark.parametrize("heard", [True, False])
def test_counters_are_asked_for_where_they_decide(heard: bool) -> None:
    """A peer may have many child SAs, and each SA that waits looks again and again."""
    net, west, east = ikev2_up()
    keeper, counted = east.daemon.keeper, list[IsakmpSa]()
    count_under = keeper.liveness.count_under

    def count(sas: list[IsakmpSa]) -> Job[None]:
        counted.extend(sas)
        return count_under(sas)

    keeper.liveness.count_under = count  # type: ignore[method-assign]
    for host in (west, east):
        host.daemon.keeper._renewing = lambda *_: True  # type: ignore[method-assign]
    old = sa_of(east)
    west.daemon.keeper.reauthenticate(sa_of(west))
    net.run(1)
    assert old.state is State.SUPERSEDED
    new, its = (
        host.daemon.sas.current_of_remote(name) for host, name in ((east, "west"), (west, "east"))
    )
    assert new is not None and its is not None
    if heard:
        west.daemon.keeper.liveness.question(its)
    else:
        net.lose = lambda packet: True
    net.run(wait_s(old, new) + 5 * GRACE_S)
    assert not heard or old.state is State.SUPERSEDED, "it has waited"
    assert bool(counted) is not heard


def test_where_nobody_is_heard_for_long_the_older_one_ends() -> None:
    """Of IKEv1, whose questions end nothing where they have no answer."""
    net, speaker, _, old = never_got("main mode")
    speaker.daemon.keeper.liveness.ask_after(0, 30)
    net.lose = lambda packet: True
    (before,) = [x for x in speaker.daemon.sas.isakmp.values() if x.cookies == old.cookies]
    net.run(SILENT_S - GRACE_S)
    assert before in speaker.daemon.sas.isakmp.values()
    net.run((ASKED_MAX + 3) * GRACE_S)
    assert before not in speaker.daemon.sas.isakmp.values()


def test_a_peer_that_cannot_be_asked_is_taken_to_have_what_was_made() -> None:
    """Packets of IKEv1 are as those of the ISAKMP SA that they were made under."""
    net, west, east = up()
    (old,) = west.daemon.sas.isakmp.values()
    west.daemon.connections.begin_sa(old.remote, old.path, None, old.nat)
    net.run(0.2)
    for host in (west, east):
        for sa in host.daemon.sas.isakmp.values():
            sa.dpd = False
    (new,) = [x for x in east.daemon.sas.isakmp.values() if x.cookies != old.cookies]
    new.last_heard = new.established
    net.lose = lambda packet: bool(packet.data)
    stream = Stream(net, west.address, east.address, FLOW)
    assert all(stream.run(int(2 * FALLBACK_S + 2 * GRACE_S)))
    assert list(east.daemon.sas.isakmp.values()) == [new]
    assert "never spoken" not in east.said
