"""Child SAs of IKEv1 that have outlived their ISAKMP SA: what becomes of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isakmp.app.base import Usage
from isakmp.keeper.liveness import IDLE_S, QUIET_S, TRAFFIC_S
from isakmp.sa import State
from isakmp.scripts.ikev2.dialect import Ikev2
from regress.keeper.test_another_peer import another_id
from regress.pair import EAST, WEST, Host, Network, both, connected, stranger, up
from regress.scripts.ikev1.test_notices import NOTIFY, notice, told
from regress.scripts.ikev2.pairs import child_of, sa_of
from regress.traffic import Stream, flows

BRIEF = replace(WEST, general="Default-phase-1-lifetime= 60,10:86400")
# A peer is asked, and repeated to, for so long; the new connection comes a moment later.
ANSWER_S, AGAIN_S = 30, 10


def orphaned(west: Host, net: Network) -> None:
    """Wait until its ISAKMP SA has ended under a child SA."""
    net.until(lambda: not west.rows(1), 90)
    assert len(west.rows(2)) == 1


@pytest.mark.parametrize("sends", [True, False], ids=["it sends", "it waits"])
def test_a_peer_that_lost_everything_is_found_without_an_isakmp_sa(sends: bool) -> None:
    """RFC 3706 5.5: The one that is back is passive: it cannot begin, whatever it has to send."""
    net, west, east = up(BRIEF)
    net.kill(east)
    orphaned(west, net)
    spi = child_of(west).protocols[0].spi_out
    back = net.host(EAST, seed=2)
    back.daemon.start()
    for count in range(1, 200):
        west.app.carried[spi] = Usage(count if sends else 0, 100, 1.0, 0.0)
        net.run(1)
        if flows(west, back):
            break
    assert count <= (2 * TRAFFIC_S if sends else IDLE_S + QUIET_S) + AGAIN_S


def test_a_peer_that_does_not_answer_is_dead() -> None:
    net, west, east = up(BRIEF)
    net.kill(east)
    orphaned(west, net)
    spi = child_of(west).protocols[0].spi_out
    for count in range(1, 2 * TRAFFIC_S + ANSWER_S):
        west.app.carried[spi] = Usage(count, 100, 1.0, 0.0)
        net.run(1)
    assert not west.app.sas
    assert "is given up: no answer to message 1" in west.said
    (row,) = west.daemon.status()["connections"]
    assert row["reason"]["detail"].startswith("no answer to message 1 of main mode")


def test_counters_that_begin_anew_are_no_sign_of_life() -> None:
    net, west, east = up(BRIEF)
    net.kill(east)
    (protocol,) = child_of(west).protocols
    west.app.carried[protocol.spi_in] = Usage(9, 100, 1.0, 0.0)
    orphaned(west, net)
    net.run(TRAFFIC_S + 1)  # its Delete is sent twice, and what has come is seen
    mark = len(net.history)
    west.app.carried[protocol.spi_in] = Usage(1, 100, 1.0, 0.0)
    for count in range(1, TRAFFIC_S + 2):
        west.app.carried[protocol.spi_out] = Usage(count, 100, 1.0, 0.0)
        net.run(1)
    assert len(net.history) > mark


def test_one_that_answers_traffic_is_not_asked() -> None:
    net, west, east = up(BRIEF)
    net.kill(east)
    orphaned(west, net)
    net.run(2)  # its Delete is sent twice
    (protocol,), mark = child_of(west).protocols, len(net.history)
    for count in range(1, 100):
        west.app.carried[protocol.spi_out] = Usage(count, 100, 1.0, 0.0)
        west.app.carried[protocol.spi_in] = Usage(count, 100, 1.0, 0.0)
        net.run(1)
    assert len(net.history) == mark
    assert connected(west, parents=0)


def test_what_is_deleted_under_ikev2_may_be_of_ikev1() -> None:
    """Peers that speak both may have begun with either."""
    spoken = "Key-exchange= ikev1, ikev2"
    net, west, east = up(replace(WEST, peer_tags=spoken), replace(EAST, peer_tags=spoken))
    engine, sa = west.daemon.engine, sa_of(west)
    dialect = engine.dialects["ikev2"]
    assert isinstance(dialect, Ikev2)
    dialect.begin_sa(engine, sa.remote, sa.path, None)
    net.until(lambda: [row["version"] for row in east.rows(1)] == [2])
    assert connected(east)
    west.daemon.teardown("west-east", 2)
    net.run(1)
    assert not east.app.sas


def test_a_peer_that_ends_its_isakmp_sas_at_once_is_not_asked_all_the_time() -> None:
    """Some keep none; traffic may have no answer by its nature."""
    net, west, east = up(BRIEF)
    spi, mark = child_of(west).protocols[0].spi_out, len(net.history)
    for count in range(1, 3 * IDLE_S):
        west.app.carried[spi] = Usage(count, 100, 1.0, 0.0)
        for sa in list(east.daemon.sas.isakmp.values()):
            east.daemon.keeper.delete_sa(sa)
        net.run(1)
    begun = [p for p in net.history[mark:] if p.src == west.address and not any(p.header.cky_r)]
    assert 1 <= len(begun) <= 4
    assert connected(west, parents=0)


def ended(net: Network, host: Host) -> None:
    """It ends its ISAKMP SA, and both know."""
    for sa in list(host.daemon.sas.isakmp.values()):
        host.daemon.keeper.delete_sa(sa)
    net.run(2)
    assert connected(host, parents=0)


@pytest.mark.parametrize("gap_s", [0, 60])
@pytest.mark.parametrize("general", ["", "DPD-check-interval= 10\n"])
def test_who_has_lost_everything_again_is_found_as_soon_as_the_first_time(
    general: str, gap_s: int
) -> None:
    """Nobody says a word: the traffic tells."""
    net, west, east = up(replace(WEST, general=general), replace(EAST, general=general))
    net.lose = lambda packet: bool(packet.data) and told(packet) > 0
    child = child_of(west)
    stream = Stream(net, west.address, east.address, child.selector)
    stream.run(10)
    for number in (2, 3, 4):
        ended(net, west)
        net.kill(east)
        east = net.host(replace(EAST, general=general), seed=number)
        east.daemon.start()
        assert stream.until_it_passes(60) <= 2 * TRAFFIC_S
        stream.run(5 + gap_s)


def unheeded(net: Network, west: Host, seconds: int) -> None:
    """West sends, and nothing comes back, until it has an ISAKMP SA again."""
    for _ in range(seconds):
        west.app.carry(child_of(west).protocols[0].spi_out)
        net.run(1)
        if west.rows(1):
            return
    raise AssertionError("nobody is asked")


def looks(host: Host) -> int:
    """How often it is going to look after what has no ISAKMP SA."""
    return sum(event.name == "orphans" for event in host.daemon.timers.pending())


@pytest.mark.parametrize("by_traffic", [True, False])
def test_an_isakmp_sa_that_comes_otherwise_ends_the_watch(by_traffic: bool) -> None:
    """The next one that ends has another."""
    net, west, _ = up()
    for _ in range(3):
        ended(net, west)
        assert looks(west) == 1
        if by_traffic:
            net.run(TRAFFIC_S / 2)
        west.daemon.connections.begin_sa_of(child_of(west))
        net.run(3 * TRAFFIC_S)
        assert west.rows(1) and not looks(west)
    ended(net, west)
    unheeded(net, west, 2 * TRAFFIC_S)


def test_a_pause_is_over_where_the_answer_did_not_end_again_at_once() -> None:
    """The child SA is the same, and what is asked next is of another day. One look is enough."""
    net, west, _ = up()
    for _ in range(3):
        ended(net, west)
        assert looks(west) == 1
        child = child_of(west)
        unheeded(net, west, 2 * TRAFFIC_S)
        net.run(3 * TRAFFIC_S)
        assert child_of(west) is child


def test_a_peer_that_is_another_one_since_has_what_is_left_made_anew() -> None:
    """It answers the phase 1 by which it is asked, and has another identity by then."""
    net, west, east = up(*both(peer_tags="Key-exchange= ikev1"))
    ended(net, west)
    first = child_of(west)
    another_id(east)
    unheeded(net, west, 2 * TRAFFIC_S)
    net.run(5)
    assert first.state is State.DEAD and child_of(west).who != first.who
    assert flows(west, east)


def says_it_has_lost(net: Network, west: Host, east: Host) -> None:
    """Somebody says in clear, in the peer's name, that it has no such SA."""
    for child in west.daemon.sas.all_children():
        spi = child.protocols[0].spi_out.to_bytes(4, "big")
        west.receive(stranger(notice(NOTIFY.INVALID_SPI, spi), west, str(east.address)))
    net.pump()


@pytest.mark.parametrize("interval_s", [0, 10, 3600])
def test_a_word_that_a_child_sa_is_lost_is_heeded_without_an_isakmp_sa(interval_s: int) -> None:
    """ADR 0014: who has lost all has its traffic back at once."""
    general = f"DPD-check-interval= {interval_s}\n"
    net, west, east = up(replace(WEST, general=general), EAST)
    ended(net, west)
    net.kill(east)
    back = net.host(EAST, seed=2)
    back.daemon.start()
    says_it_has_lost(net, west, back)
    net.run(5)
    assert flows(west, back)


def test_who_lies_about_a_child_sa_without_an_isakmp_sa_gets_little_done() -> None:
    net, west, east = up()
    mark = len(west.outcomes)
    for _ in range(300):
        for sa in list(west.daemon.sas.isakmp.values()):
            west.daemon.keeper.delete_sa(sa)
        net.run(2)
        says_it_has_lost(net, west, east)
        assert flows(west, east)
    begun = [o for o in west.outcomes[mark:] if o["exchange"] == "main mode"]
    assert 1 <= len(begun) <= 2 + 600 / 60 + 600 / IDLE_S, "a word, and its own silence"


def test_what_does_not_answer_keeps_what_it_has_though_somebody_calls_it_lost() -> None:
    net, west, east = up(replace(WEST, general="DPD-check-interval= 0"))
    ended(net, west)
    child = child_of(west)
    net.kill(east)
    says_it_has_lost(net, west, east)
    net.run(100)
    assert child_of(west) is child
    assert west.reasons() == ["timeout"]
