"""A child SA whose peer may not have it: the last message of ours, which made it, may be lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isakmp.app.base import SaId, Usage
from isakmp.constants import ikev2, isakmp
from isakmp.event.job import Job
from isakmp.keeper.children import TAKE_OVER_S, USED_S
from isakmp.keeper.rivals import FALLBACK_S, GRACE_S
from isakmp.sa import State
from regress.keeper.test_roaming import FLOW
from regress.pair import Host, Network, Packet, agree, connected, up
from regress.scripts.ikev2.pairs import child_of, gateways, sa_of
from regress.scripts.ikev2.pairs import pair as ikev2_up
from regress.traffic import Stream

BEFORE_S = 290
ANEW_S = 300
ANSWERED_S = 10
WHO = pytest.mark.parametrize("who", ["west", "east"])
LOST = pytest.mark.parametrize("lost_s", [2, 5, 20, 45])


def stream_of(net: Network, west: Host, east: Host, senders: str = "both") -> Stream:
    stream = Stream(net, west.address, east.address, FLOW)
    if senders != "both":
        stream.senders = {(west if senders == "west" else east).address}
    return stream


def lose_answers(net: Network, east: Host, kind: int, seconds: float) -> None:
    """Those of that exchange type, for so long after the first."""
    first: list[float] = []

    def lost(packet: Packet) -> bool:
        if not packet.data or (packet.src, packet.header.exchange_type) != (east.address, kind):
            return False
        first.append(net.now)
        return net.now < first[0] + seconds

    net.lose = lost


def proves_anew(seed: int) -> tuple[Network, Host, Host]:
    """West's reauthentication is near."""
    one, other = gateways()
    net = Network()
    tags = f"{one.peer_tags}\nReauthenticate= {ANEW_S}"
    west = net.host(replace(one, peer_tags=tags), seed=seed)
    east = net.host(other, seed=seed)
    net.start()
    net.run(BEFORE_S)
    return net, west, east


def settled(net: Network, west: Host, east: Host) -> None:
    net.run(2 * FALLBACK_S + 2 * GRACE_S)
    assert connected(west) and connected(east)
    agree(west, east)


# --- IKEv2 ----------------------------------------------------------------------------------------


@LOST
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("senders", ["both", "east"])
def test_traffic_goes_on_where_the_answer_of_ike_auth_is_lost(
    senders: str, seed: int, lost_s: int
) -> None:
    net, west, east = proves_anew(seed)
    lose_answers(net, east, ikev2.Exchange.IKE_AUTH, lost_s)
    stream = stream_of(net, west, east, senders)
    assert all(stream.run(100))
    settled(net, west, east)


@pytest.mark.parametrize("lost_s", [2, 5, 20])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("senders", ["both", "east"])
def test_so_it_does_under_an_ike_sa_that_is_there_already(
    senders: str, seed: int, lost_s: int
) -> None:
    net, west, east = proves_anew(seed)
    old, child = sa_of(west), child_of(west)
    engine = west.daemon.engine
    engine.dialects[old.dialect].begin_sa(engine, old.remote, old.path, None)
    lose_answers(net, east, ikev2.Exchange.CREATE_CHILD_SA, lost_s)
    net.pump()
    new = west.daemon.sas.current(old.peer)
    assert new is not None and new is not old
    west.daemon.connections.renew(child, new)
    stream = stream_of(net, west, east, senders)
    assert all(stream.run(100))
    settled(net, west, east)


@pytest.mark.parametrize("senders", ["both", "east", "west"])
def test_who_comes_anew_without_a_word_of_the_past_has_traffic_at_once(senders: str) -> None:
    """Nothing is heard under the old one then."""
    one, other = gateways("Unique-ids= no")
    net = Network()
    west, east = net.host(one), net.host(other)
    net.start()
    net.run(10)
    net.kill(west)
    net.run(5)
    west = net.host(one, seed=5)
    west.daemon.start()
    net.pump()
    assert len(east.daemon.sas.isakmp) == 2
    stream = stream_of(net, west, east, senders)
    passed = stream.run(60)
    assert passed.count(False) <= TAKE_OVER_S + 0.5 and passed[0] is (senders == "west")


@pytest.mark.parametrize("version", [1, 2])
def test_one_way_traffic_takes_the_new_one(version: int) -> None:
    """Its peer, which has both, says nothing with either."""
    net, west, east = up() if version == 1 else ikev2_up()
    (old,) = west.daemon.sas.isakmp.values()
    before = child_of(east)
    west.daemon.connections.begin_sa(old.remote, old.path, before.connection, old.nat)
    if version == 1:
        east.daemon.connections.rekey(before)
    stream = stream_of(net, west, east, "east")
    assert all(stream.run(10))
    assert child_of(east) is not before
    settled(net, west, east)


# --- IKEv1 ----------------------------------------------------------------------------------------


def lose_last(net: Network, host: Host, seconds: float) -> None:
    """The last message of the quick mode that the host begins now, for so long."""
    sent, until = [0], net.now + seconds

    def lost(packet: Packet) -> bool:
        kind = isakmp.Exchange.QUICK_MODE
        if not packet.data or (packet.src, packet.header.exchange_type) != (host.address, kind):
            return False
        sent[0] += 1
        return sent[0] > 1 and net.now < until

    net.lose = lost


@WHO
@LOST
@pytest.mark.parametrize("senders", ["both", "west", "east"])
def test_a_quick_mode_whose_last_message_is_lost_stops_no_traffic(
    senders: str, lost_s: int, who: str
) -> None:
    """RFC 2409 5.5: who began it has the new one, and ended the old one for that. Where nothing
    comes from the peer, we cannot know that, and it has given up after a while."""
    if senders == who and lost_s > ANSWERED_S:
        return
    net, west, east = up()
    host = west if who == "west" else east
    lose_last(net, host, lost_s)
    host.daemon.connections.rekey(child_of(host))
    assert all(stream_of(net, west, east, senders).run(100))
    settled(net, west, east)


def test_it_sends_no_more_once_the_old_one_is_heard_after_all() -> None:
    """The peer was quiet until then."""
    net, west, east = up()
    old = child_of(west)
    lose_last(net, west, 5)
    west.daemon.connections.rekey(old)
    net.run(TAKE_OVER_S + 0.1)
    (new,) = (child for child in west.daemon.sas.all_children() if child is not old)
    assert not new.receives_only and new.specs
    stream = stream_of(net, west, east)
    assert stream.run(2)
    assert new.receives_only and old.state is State.SUPERSEDED
    assert all(stream.run(60))
    assert child_of(west) is new and not new.specs, "its keys are the stack's alone"
    settled(net, west, east)


def prefers_the_old(host: Host) -> list[int]:
    """The peer sends with what it has had for longer, whatever else it has: nothing comes with
    what is younger. The SPIs of the others."""
    first = [spec.spi for spec in host.app.sas.values()]
    asked = host.app.usage

    def usage(sa: SaId) -> Job[Usage]:
        return asked(sa) if sa.spi in first else Job.of(Usage(0, 0, 0.0, None))

    host.app.usage = usage  # type: ignore[method-assign]
    return first


def test_a_peer_that_prefers_the_old_one_keeps_it_once() -> None:
    """Then it ends all the same: what is asked for again and again would come to nothing."""
    net, west, east = up()
    old = child_of(west)
    prefers_the_old(west)
    spi = old.protocols[0].spi_in

    def goes_on(seconds: float) -> None:
        for _ in range(int(seconds)):
            west.app.carry(spi)
            net.run(1)

    west.daemon.connections.rekey(old)
    goes_on(USED_S - GRACE_S)
    assert [old.state, len(west.daemon.sas.all_children())] == [State.SUPERSEDED, 2]
    goes_on(3 * GRACE_S)
    assert child_of(west) is old and old.state is State.ESTABLISHED
    assert "its peer has never used it" in west.said
    west.daemon.connections.rekey(old)
    goes_on(USED_S + 2 * GRACE_S)
    assert child_of(west) is not old
    assert connected(west)
