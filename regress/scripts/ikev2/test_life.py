"""What becomes of IKEv2's SAs: rekeying by either side or both, deletes, the dead, proving anew."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.app.base import Expire, SaId
from isakmp.job import Job
from isakmp.scripts.ikev2 import rekey
from regress.pair import Host, Network, agree, connected
from regress.scripts.ikev2.pairs import child_of, kinds, pair, sa_of

WHO = pytest.mark.parametrize("who", ["west", "east"])


def settled(net: Network, west: Host, east: Host) -> None:
    """After a while both have one pair of each, with the same keys."""
    net.run(5)
    assert connected(west)
    assert connected(east)
    agree(west, east)
    assert len(west.app.sas) == 2
    assert not west.reasons() + east.reasons()


def wear_out(host: Host) -> None:
    host.daemon.expire(Expire(child_of(host).inbound()[0], False))


@WHO
@pytest.mark.parametrize("suites", ["", "-PFS-GRP19"])
def test_either_side_may_rekey_the_child_sa(who: str, suites: str) -> None:
    net, west, east = pair(suites=f"QM-ESP-AES-128-SHA2-256{suites}-SUITE")
    host = west if who == "west" else east
    old = child_of(host)
    wear_out(host)
    settled(net, west, east)
    assert child_of(host).inbound() != old.inbound()
    assert child_of(host).initiator
    assert len(set(sa_of(west).cookies)) > 1
    assert kinds(net.history[4:]) == [
        "CREATE_CHILD_SA", "CREATE_CHILD_SA'", "INFORMATIONAL", "INFORMATIONAL'",
    ]  # fmt: skip


@WHO
def test_either_side_may_rekey_the_ike_sa_and_its_children_move(who: str) -> None:
    net, west, east = pair()
    host = west if who == "west" else east
    old, child = sa_of(host), child_of(host)
    host.daemon.keeper.rekey_sa(old)
    settled(net, west, east)
    assert sa_of(host) is not old
    assert child_of(host) is child
    assert child.parent is sa_of(host)
    wear_out(host)
    settled(net, west, east)


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

        host.app.delete_sa = watched  # type: ignore[method-assign]

    for host in hosts.values():
        watch(host)
    for host in hosts.values() if who == "both" else [hosts[who]]:
        wear_out(host)
    settled(net, west, east)
    assert gaps == []


def test_an_ike_sa_that_was_not_to_be_rekeyed_is_so_before_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusals = 2

    def check(x: Any) -> None:
        nonlocal refusals
        if refusals > 0:
            refusals -= 1
            raise rekey.busy("of the test")

    monkeypatch.setattr(rekey, "check_ike_request", check)
    net, west, east = pair(general="Default-phase-1-lifetime= 20,10:86400")
    first = sa_of(west)
    net.run(22)
    assert refusals == 0
    assert kinds(net.history).count("IKE_AUTH") == 1, "the first one has a successor"
    assert sa_of(west) is not first
    agree(west, east)


def test_both_rekey_the_child_sa_at_once() -> None:
    net, west, east = pair()
    wear_out(west)
    wear_out(east)
    settled(net, west, east)


def test_both_rekey_the_ike_sa_at_once() -> None:
    net, west, east = pair()
    for host in (west, east):
        host.daemon.keeper.rekey_sa(sa_of(host))
    settled(net, west, east)


def test_what_was_taken_down_is_gone_at_both_ends_and_may_come_again() -> None:
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


@pytest.mark.parametrize("gap", [False, True])
def test_everything_is_proved_anew(gap: bool) -> None:
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
