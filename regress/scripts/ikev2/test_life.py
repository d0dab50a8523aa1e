"""What becomes of IKEv2's SAs: rekeying by either side or both, deletes, the dead, proving anew."""

from __future__ import annotations

from itertools import pairwise

import pytest

from isakmp.app.base import Expire, SaId, Usage
from isakmp.event.job import Job
from isakmp.sa import State
from regress.pair import Host, Packet, agree, connected
from regress.scripts.ikev2.pairs import child_of, kinds, pair, sa_of, settled, wear_out


@pytest.mark.parametrize("who", ["west", "east", "both"])
def test_there_is_no_moment_without_an_sa_to_send_with(who: str) -> None:
    net, west, east = pair()
    hosts = {"west": west, "east": east}
    gaps = []

    def watch(host: Host) -> None:
        delete = host.app.delete_sa

        def watched(name: SaId) -> Job[None]:
            job = delete(name)
            if all(spec.inbound for spec in host.app.sas.values()):
                gaps.append(name)
            return job

        host.app.delete_sa = watched  # type: ignore[method-assign, assignment]

    for host in hosts.values():
        watch(host)
    for host in hosts.values() if who == "both" else [hosts[who]]:
        wear_out(host)
    settled(net, west, east)
    assert gaps == []


def sends_with(host: Host) -> list[int]:
    return [spec.spi for spec in host.app.sas.values() if not spec.inbound]


@pytest.mark.parametrize("what", ["child", "ike"])
def test_a_peer_that_has_our_answer_may_cease_to_receive(what: str) -> None:
    net, west, east = pair()
    parent, old, answers = sa_of(west), child_of(west).protocols[0].spi_in, []

    def watch(packet: Packet) -> bool:
        if kinds([packet]) == ["INFORMATIONAL'"]:
            answers.append(sends_with(east))
        return False

    net.lose = watch
    if what == "child":
        wear_out(west)
    else:
        west.daemon.keeper.reauthenticate(parent)
        net.run(0.01)
        assert len(west.daemon.sas.isakmp) == 2
        west.daemon.keeper.delete_sa(parent)
    net.run(10)
    assert child_of(west).protocols[0].spi_in != old
    assert answers
    assert all(answer != [old] for answer in answers), "the successor is there when we answer"


def test_what_comes_with_a_new_child_sa_shows_that_the_peer_has_it() -> None:
    net, west, east = pair()
    # The peer's word of the old one's end is lost on its way.
    net.lose = lambda packet: kinds([packet]) == ["INFORMATIONAL"]
    wear_out(west)
    net.run(0.35)
    (new,) = [c for c in east.daemon.sas.children.values() if c.receives_only]
    assert new.protocols[0].spi_out not in sends_with(east), "nothing has come with it"
    east.app.carried[new.protocols[0].spi_in] = Usage(84, 1, 0.0, 0.0)
    net.run(0.4)
    assert new.protocols[0].spi_out in sends_with(east)
    net.lose = lambda packet: False
    net.run(20)
    settled(net, west, east)


def test_what_was_taken_down_is_gone_at_both_ends_and_may_come_again() -> None:
    """RFC 7296 1.4 and 1.4.1."""
    net, west, east = pair()
    west.daemon.teardown("west-east", 2)
    net.run(1)
    assert not west.app.sas
    assert not east.app.sas
    assert connected(west, children=0)
    west.daemon.connect("west-east")
    settled(net, west, east)
    assert kinds(net.history).count("IKE_AUTH") == 1


def test_an_ike_sa_takes_its_child_sas_with_it() -> None:
    net, west, east = pair()
    east.daemon.teardown("west", 1)
    west.daemon.set_active(False)
    net.run(1)
    assert not west.rows(1) + west.rows(2) + east.rows(1) + east.rows(2)
    assert not west.app.sas
    assert not east.app.sas


def test_silence_is_asked_about_and_the_dead_are_buried() -> None:
    """RFC 7296 2.4."""
    net, west, east = pair(general="DPD-check-interval= 5")
    before = len(net.history)
    net.run(30)
    assert set(kinds(net.history[before:])) == {"INFORMATIONAL", "INFORMATIONAL'"}
    net.lose = lambda packet: True
    net.run(60)
    assert not west.rows(1) + east.rows(1)
    assert not west.app.sas
    net.lose = lambda packet: False
    net.run(70)
    assert connected(west)
    agree(west, east)


def test_an_outage_of_a_minute_ends_nothing() -> None:
    """2.4: at least a dozen times, for several minutes."""
    net, west, east = pair()
    ours, old = sa_of(west), child_of(west)
    net.lose = lambda packet: True
    wear_out(west)
    net.run(60)
    net.lose = lambda packet: False
    net.run(31)
    assert sa_of(west) is ours
    assert child_of(west) is not old
    settled(net, west, east)


def test_who_never_answers_is_dead_after_minutes_and_a_dozen_messages() -> None:
    """Unless dead peer detection is sooner."""
    net, west, _ = pair(general="DPD-check-interval= 0")
    sent: list[float] = []

    def lose(packet: Packet) -> bool:
        if packet.src == west.address:
            sent.append(net.now)
        return True

    net.lose, began = lose, net.now
    wear_out(west)
    west.daemon.set_active(False)
    net.until(lambda: not west.rows(1), 600)
    assert len(sent) == 13
    assert 180 < net.now - began < 330
    waits = [later - sooner for sooner, later in pairwise(sent)]
    assert all(1.6 * one < two for one, two in pairwise(waits[:5])), "each about twice as long"
    assert max(waits) < 30 * 1.13
    assert not west.app.sas


def test_how_patient_we_are_can_be_said() -> None:
    net, west, _ = pair(general="SA-retransmits= 3\nRetransmit-max-interval= 2")
    net.lose = lambda packet: True
    wear_out(west)
    west.daemon.set_active(False)
    began = net.now
    net.until(lambda: not west.rows(1))
    assert 1 + 2 + 2 + 2 - 1 < net.now - began < 1 + 2 + 2 + 2 + 1.5


def test_what_begins_is_given_up_sooner() -> None:
    """Another attempt follows anyway."""
    net, west, _ = pair(lose=lambda packet: True, seconds=18)
    assert "timeout" in west.reasons()


@pytest.mark.parametrize("busy", [False, True])
def test_dead_peers_are_found_in_the_time_that_is_given(busy: bool) -> None:
    """Whatever else waits for them."""
    net, west, _ = pair(general="DPD-check-interval= 5\nDPD-timeout= 12")
    net.lose = lambda packet: True
    if busy:
        wear_out(west)
    west.daemon.set_active(False)
    began = net.now
    net.until(lambda: not west.rows(1))
    assert net.now - began <= 5 + 12 + 5
    assert "is dead" in west.said


def test_the_suspected_are_dead_soon_though_nobody_asks_otherwise() -> None:
    net, west, east = pair()
    for spec in west.app.sas.values():
        west.app.carried[spec.spi] = Usage(100, 1000, 1.0, 0.0)
    net.lose = lambda packet: packet.src == west.address
    west.daemon.keeper.liveness.suspect(sa_of(west))
    net.run(29)
    assert connected(west)
    net.run(7)
    assert "is dead" in west.said
    net.lose = lambda packet: False
    net.run(70)
    assert connected(west)
    agree(west, east)


def test_packets_of_the_suspected_show_that_they_live() -> None:
    net, west, _ = pair()
    ours = sa_of(west)
    net.lose = lambda packet: packet.src == west.address
    west.daemon.keeper.liveness.suspect(ours)
    west.app.carried[child_of(west).protocols[0].spi_in] = Usage(1, 100, 1.0, 0.0)
    net.run(60)
    assert sa_of(west) is ours
    assert not ours.dpd_waiting
    assert ours.dpd_sequence == 1, "it is asked once"


def test_an_answer_of_the_suspected_ends_the_matter() -> None:
    net, west, _ = pair()
    ours, before = sa_of(west), len(net.history)
    west.daemon.keeper.liveness.suspect(ours)
    net.run(100)
    assert len(net.history) == before + 2
    assert ours.dpd_sequence == 1, "it is asked once"


def test_a_stack_that_never_answers_says_nothing_of_the_peer() -> None:
    net, west, _ = pair()
    ours, west.app.held = sa_of(west), []
    wear_out(west)
    net.run(1000)
    assert sa_of(west) is ours
    assert "is dead" not in west.said


@pytest.mark.parametrize("gap", [False, True])
def test_everything_is_proved_anew(gap: bool) -> None:
    """RFC 7296 2.8.3."""
    order = f"Make-before-break= {'no' if gap else 'yes'}"
    net, west, east = pair(f"Reauthenticate= 30\n{order}")
    first, least = sa_of(west), 1
    for _ in range(90):
        net.run(0.5)
        least = min(least, len([r for r in west.rows(2) if r["state"] == "established"]))
    settled(net, west, east)
    assert sa_of(west) is not first
    assert least == (0 if gap else 1)
    assert kinds(net.history).count("IKE_AUTH") == 2


def test_limits_in_packets_are_the_applications_to_watch() -> None:
    _, west, _ = pair(connection_tags="Packets= 1000")
    for spec in west.app.sas.values():
        assert 0 < spec.limits.soft_packets < spec.limits.hard_packets == 1000


def test_what_ends_at_its_hard_limit_is_succeeded_at_once() -> None:
    net, west, east = pair()
    old = child_of(east)
    net.lose = lambda packet: kinds([packet]) == ["INFORMATIONAL"]
    wear_out(west)
    net.pump()
    (new,) = [c for c in east.daemon.sas.all_children() if c is not old]
    assert new.receives_only, "the peer has not deleted the old one yet"
    east.daemon.expire(Expire(old.inbound()[0], True))
    assert not new.receives_only
    assert old.inbound()[0] not in east.app.sas


def test_a_rekeying_that_is_always_refused_is_asked_for_seldom_to_the_end() -> None:
    net, west, east = pair(general="Default-phase-1-lifetime= 60,10:86400")
    east.daemon.connections.settings.active = False
    child_of(east).state = State.DELETING  # for ever
    asked: list[float] = []

    def watch(packet: Packet) -> bool:
        if kinds([packet]) == ["CREATE_CHILD_SA"]:
            asked.append(net.now)
        return False

    net.lose, end = watch, sa_of(west).established + 60
    net.run(end - net.now)
    assert len(asked) > 3
    assert min(later - sooner for sooner, later in pairwise(asked)) >= 1
    assert asked[-1] < end


def test_an_answer_to_rekeying_does_not_disturb_the_end_of_the_ike_sa() -> None:
    net, west, east = pair()
    old = sa_of(west)
    net.lose = lambda packet: packet.src == east.address
    west.daemon.keeper.rekey_sa(old)
    net.run(0.5)
    west.daemon.keeper.delete_sa(old)
    assert old.state.value == "deleting", "its Delete waits until the other request has its answer"
    net.lose = lambda packet: False
    net.run(10)
    assert old.state.value == "dead"
    assert sa_of(west).cookies == sa_of(east).cookies != old.cookies
    assert child_of(west).parent is sa_of(west)
