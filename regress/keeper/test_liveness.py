"""Peers that are asked because traffic to them has no answer: what holds where nothing is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fifo_ui import render
from isakmp.app.base import Usage
from isakmp.constants import ikev2
from isakmp.constants.isakmp import Exchange, Payload
from isakmp.event.job import Job
from isakmp.keeper.counters import LEAST_S
from isakmp.keeper.liveness import ANEW_BURST, IDLE_S, QUIET_S, TRAFFIC_S
from isakmp.sa import IsakmpSa, Nat, State
from regress.observer import Observer, edited, numbered
from regress.pair import EAST, WEST, Gateway, Host, Network, both, up
from regress.scripts.ikev2.pairs import child_of, gateways, pair, sa_of
from regress.traffic import flows

PAIRS = {"ikev1": (WEST, EAST), "ikev2": gateways()}
VERSION = pytest.mark.parametrize("version", ["ikev1", "ikev2"])


def begin(version: str, general: str = "") -> tuple[Network, Host, Host]:
    west, east = PAIRS[version]
    return up(_with(west, general), _with(east, general))


def _with(gateway: Gateway, general: str) -> Gateway:
    return replace(gateway, general=general)


def send(net: Network, host: Host, seconds: int, answered: bool) -> None:
    """A packet a second goes out, with or without an answer."""
    (protocol,) = child_of(host).protocols
    for count in range(1, seconds + 1):
        host.app.carried[protocol.spi_out] = Usage(count, 100 * count, 1.0, 0.0)
        if answered:
            host.app.carried[protocol.spi_in] = Usage(count, 100 * count, 1.0, 0.0)
        net.run(1)


@VERSION
@pytest.mark.parametrize("answered", [True, False], ids=["answered", "never answered"])
def test_only_traffic_without_an_answer_has_a_peer_asked(version: str, answered: bool) -> None:
    """RFC 3706 5.4 and 5.5, RFC 7296 2.4."""
    net, west, _ = begin(version)
    mark = len(net.history)
    net.run(IDLE_S - 10)
    assert len(net.history) == mark, "who has nothing to send asks nobody"
    send(net, west, 100, answered)
    asked = [p for p in net.history[mark:] if p.src == west.address]
    assert not asked if answered else 3 <= len(asked) <= 10
    assert len(west.rows(1)) == 1


@VERSION
@pytest.mark.parametrize(("seconds", "asked"), [(6, QUIET_S), (12, QUIET_S), (25, 35), (45, 55)])
def test_a_peer_is_asked_once_it_has_been_silent_for_ten_seconds(
    version: str, seconds: int, asked: int
) -> None:
    """By when the last packet came, not by when somebody looked: isakmpd.conf(5)."""
    net, west, east = begin(version)
    (protocol,), sa = child_of(west).protocols, sa_of(west)
    up_at, last = sa.established, sa.established + seconds
    while not sa.dpd_waiting and net.now < up_at + 100:
        west.app.carry(protocol.spi_out)
        if net.now < last:
            west.app.carry(protocol.spi_in)
        elif east in net.hosts.values():
            net.kill(east)
        net.run(0.5)
    assert net.now - up_at == pytest.approx(asked, abs=1.0)
    assert sa.silent_s(net.now) == pytest.approx(net.now - last, abs=1.0)


@VERSION
@pytest.mark.parametrize(("general", "asked_s"), [("", IDLE_S), ("DPD-check-interval= 60\n", 60)])
@pytest.mark.parametrize("seconds", [6, 15, 29, 44])
def test_silence_is_counted_from_the_last_packet_whenever_somebody_looked(
    version: str, general: str, asked_s: int, seconds: int
) -> None:
    """A peer that a connection is kept up with is asked without traffic of ours, too."""
    net, west, east = begin(version, general)
    (protocol,), sa = child_of(west).protocols, sa_of(west)
    last = sa.established + seconds
    while net.now < last:
        west.app.carry(protocol.spi_out)
        west.app.carry(protocol.spi_in)
        net.run(0.5)
    net.kill(east)
    net.until(lambda: sa.dpd_waiting, 2 * IDLE_S)
    assert net.now - last == pytest.approx(asked_s, abs=1.0)


@VERSION
def test_where_a_stack_does_not_tell_when_the_last_packet_was_looks_are_close(version: str) -> None:
    net, west, east = begin(version)
    (protocol,), sa = child_of(west).protocols, sa_of(west)
    for count in range(1, 60):
        usage = Usage(count, 100 * count, 60.0, None)
        west.app.carried |= {protocol.spi_out: usage, protocol.spi_in: usage}
        net.run(1)
    assert not sa.dpd_sequence
    net.kill(east)
    killed = net.now
    while not sa.dpd_waiting:
        usage = Usage(int(net.now) + 100, 0, 60.0, None)
        west.app.carried[protocol.spi_out] = usage
        net.run(1)
    assert net.now - killed <= 2 * TRAFFIC_S


@VERSION
def test_a_clock_that_is_set_makes_no_silence(version: str) -> None:
    """What has come since the last look came after it, whatever the stack reckons."""
    net, west, _ = begin(version, "DPD-check-interval= 10\n")
    (protocol,), sa = child_of(west).protocols, sa_of(west)
    for count in range(1, 90):
        late = Usage(count, 100 * count, 4000.0, 3600.0 if count > 40 else 0.0)
        west.app.carried |= {protocol.spi_out: late, protocol.spi_in: late}
        net.run(1)
    assert not sa.dpd_sequence, "nobody is asked"


@VERSION
def test_who_is_silent_and_need_not_be_asked_is_looked_at_now_and_then(version: str) -> None:
    """No traffic goes out, and its connection is kept up by the peer."""
    net, _, east = begin(version)
    net.lose = lambda packet: True
    looks = 0

    def looked(job: Job[Usage]) -> Job[Usage]:
        nonlocal looks
        looks += 1
        return job

    usage = east.app.usage
    east.app.usage = lambda sa: looked(usage(sa))  # type: ignore[method-assign]
    net.run(IDLE_S)
    looks = 0
    net.run(10 * QUIET_S)
    assert 2 * 9 <= looks <= 2 * 11


@VERSION
def test_a_peer_that_is_gone_is_found_by_traffic_and_is_up_again_once_it_is_back(
    version: str,
) -> None:
    net, west, east = begin(version)
    net.kill(east)
    back = net.host(PAIRS[version][1], seed=2)
    back.daemon.start()
    sent = child_of(west).protocols[0].spi_out
    for count in range(1, 200):
        west.app.carried[sent] = Usage(count, 100 * count, 1.0, 0.0)
        net.run(1)
        if flows(west, back):
            break
    assert count <= 30 + 10 + 30 + 10
    # Who has lost an IKE SA says so: nobody waits for its death.
    assert "seems to have lost it" in west.said


@VERSION
def test_who_keeps_a_connection_up_asks_now_and_then_though_it_has_nothing_to_send(
    version: str,
) -> None:
    """A passive peer that has lost everything cannot begin."""
    net, west, east = begin(version)
    net.kill(east)
    back = net.host(PAIRS[version][1], seed=2)
    back.daemon.start()
    net.run(IDLE_S + QUIET_S + 30 + 10)
    assert flows(west, back)
    mark = len(net.history)
    net.run(3 * IDLE_S)
    asked = {p.src for p in net.history[mark:] if not p.header.flags & 0x20 or version == "ikev1"}
    assert len(net.history) - mark <= 2 * 3
    assert asked == {west.address} or version == "ikev1"


@VERSION
def test_a_dead_peer_is_the_reason_of_all_that_ends_with_it(version: str) -> None:
    """With how long it was silent in truth, which is more than DPD-timeout."""
    net, west, east = begin(version)
    net.kill(east)

    def row() -> dict[str, Any]:
        (found,) = west.daemon.status()["connections"]
        return dict(found)

    net.run(IDLE_S - 10)
    assert (row()["state"], row()["silent_s"]) == ("up", None)
    net.until(lambda: row()["silent_s"])
    assert row()["silent_s"] == net.now >= IDLE_S
    assert "silent for 2m" in render.connections([row()])
    net.until(lambda: row()["state"] != "up")
    assert row()["silent_s"] is None
    reason = row()["reason"]
    told = f"silent for {IDLE_S + 30} s, though it was asked"
    assert (reason["cause"], reason["detail"]) == ("peer-dead", f"the peer is dead, {told}")
    assert "can be reached" in reason["mend"]
    given_up = f"is given up: the peer is dead, {told}"
    assert west.said.count(given_up) == 1, "the log says so once, not with each exchange"
    assert set(west.reasons()) == ({"peer-dead"} if version == "ikev2" else set())


@VERSION
def test_packets_of_a_peer_end_its_silence(version: str) -> None:
    net, west, east = begin(version)
    send(net, west, 65, answered=True)
    net.kill(east)
    heard, (protocol,) = net.now, child_of(west).protocols
    for count in range(66, 200):
        west.app.carried[protocol.spi_out] = Usage(count, 100 * count, 1.0, 0.0)
        net.run(1)
        (row,) = west.daemon.status()["connections"]
        if row["silent_s"] is not None:
            break
    assert row["silent_s"] == net.now - heard < net.now


@VERSION
@pytest.mark.parametrize("what", ["ends", "is counted anew"])
def test_a_child_sa_that_ends_is_no_sign_of_life(version: str, what: str) -> None:
    """What they have carried together is less then."""
    net, west, east = begin(version, "DPD-check-interval= 10\n")
    send(net, west, 20, answered=True)
    old, sa = child_of(west), sa_of(west)
    net.lose = lambda packet: (
        packet.header.exchange_type in (Exchange.INFO, ikev2.Exchange.INFORMATIONAL)
    )
    east.daemon.connections.rekey(child_of(east))
    net.run(0.5)
    (new,) = (child for child in west.daemon.sas.all_children() if child is not old)
    west.app.carried[new.protocols[0].spi_in] = Usage(2, 100, 1.0, 0.0)
    net.until(lambda: sa.dpd_waiting == 2, 2 * IDLE_S)
    if what == "ends":
        assert old.state is State.SUPERSEDED
        west.daemon.keeper.children.delete_child(old, tell=False)
    else:
        west.app.carried[new.protocols[0].spi_in] = Usage(1, 100, 1.0, 0.0)
    net.run(6)
    assert sa.dpd_waiting > 2


@VERSION
def test_nobody_is_asked_where_the_file_says_so(version: str) -> None:
    net, west, _ = begin(version, "DPD-check-interval= 0")
    mark = len(net.history)
    send(net, west, 100, answered=False)
    assert not [p for p in net.history[mark:] if p.src == west.address]


@VERSION
def test_the_interval_is_of_silence_not_of_looks(version: str) -> None:
    """Who was heard just after a look was asked after nearly twice the interval."""
    net, west, east = begin(version, "DPD-check-interval= 20")
    net.run(7)
    west.daemon.connections.rekey(child_of(west))
    net.run(5)
    net.kill(east)
    (sa,) = west.daemon.sas.isakmp.values()
    mark, heard = len(net.history), sa.last_heard
    assert heard >= 12
    net.run(heard + 19.5 - net.now)
    assert len(net.history) == mark
    net.run(1)
    assert len(net.history) == mark + 1


# --- somebody says that a peer has lost its SAs ---------------------------------------------------


def begun_by(host: Host) -> set[bytes]:
    """The first SPIs of what it has begun without an SA."""
    sent = [p for p in host.network.history if p.data and p.src == host.address]
    return {p.header.cky_i for p in sent if not any(p.header.cky_r)}


@VERSION
def test_where_nothing_is_wanted_nothing_is_begun_in_the_place_of_what_is_in_doubt(
    version: str,
) -> None:
    net, west, east = begin(version)
    net.kill(west)
    (sa,) = east.daemon.sas.isakmp.values()
    east.daemon.keeper.liveness.suspect(sa)
    net.run(20)
    assert sa.dpd_waiting > 1 and not begun_by(east)


@VERSION
def test_a_doubt_ends_with_the_answer(version: str) -> None:
    """Later silence is the ordinary one: another SA is begun when the peer is dead."""
    net, west, east = begin(version, "DPD-check-interval= 10")
    (sa,) = west.daemon.sas.isakmp.values()
    west.daemon.keeper.liveness.suspect(sa)
    net.run(1)
    net.kill(east)
    net.until(lambda: "is dead" in west.said, 90)
    assert "seems to have lost it" not in west.said


@pytest.mark.parametrize("current", [True, False])
def test_who_cannot_be_asked_is_called_for_what_is_current_and_not_so_often(
    current: bool,
) -> None:
    """RFC 3706: the peer knows nothing of it."""
    net, west, _ = begin("ikev1")
    liveness, sas, minutes = west.daemon.keeper.liveness, west.daemon.sas, 3
    (first,) = sas.isakmp.values()
    mark = begun_by(west)
    for _ in range(60 * minutes):
        sa = sas.current(first.peer)
        assert sa is not None
        if not current:
            sa.state = State.SUPERSEDED
        sa.dpd = False
        liveness.suspect(sa)
        sa.state = State.ESTABLISHED
        net.run(1)
    begun = len(begun_by(west) - mark)
    assert ANEW_BURST <= begun <= ANEW_BURST + minutes + 1 if current else not begun


def test_an_answer_to_another_question_is_none() -> None:
    """RFC 3706 5.3: the number is that of the question."""
    net, west, east = begin("ikev1")
    net.kill(east)
    (sa,) = west.daemon.sas.isakmp.values()
    liveness = west.daemon.keeper.liveness
    liveness.suspect(sa)
    liveness.said_alive(sa, sa.dpd_sequence - 1)
    assert (sa.dpd_waiting, sa.doubted) == (1, True)
    liveness.said_alive(sa, sa.dpd_sequence)
    assert (sa.dpd_waiting, sa.doubted) == (0, False)


def test_a_question_that_is_repeated_moves_nobody() -> None:
    """RFC 3706 6: a copy may come from anywhere."""
    _, west, _ = begin("ikev1")
    (sa,) = west.daemon.sas.isakmp.values()
    sa.nat = Nat(spoken=True, remote=True)
    liveness, was = west.daemon.keeper.liveness, sa.path
    there, elsewhere = (was._replace(remote_port=port) for port in (20001, 20002))
    for number, came, found in ((5, there, there), (5, elsewhere, there), (4, elsewhere, there),
                                (6, elsewhere, elsewhere)):  # fmt: skip
        liveness.asked_if_alive(sa, number.to_bytes(4, "big"), came)
        assert sa.path == found


@VERSION
def test_every_sa_with_who_is_dead_ends(version: str) -> None:
    """Those that are replaced, too."""
    net, west, _ = begin(version)
    (old,) = west.daemon.sas.isakmp.values()
    west.daemon.connections.begin_sa(old.remote, old.path)
    net.pump()
    assert len(west.daemon.sas.of_peer(old.peer)) > 1
    new = west.daemon.sas.current(old.peer)
    assert new is not None and new is not old
    west.daemon.keeper.liveness.dead(new, "though it was asked")
    assert not west.daemon.sas.of_peer(old.peer)


def test_who_asks_can_be_asked() -> None:
    """RFC 3706 5.1: somebody has taken the vendor IDs out of main mode's second message, so that
    west does not know that east knows of dead peers."""
    net = Network()
    west, east = (net.host(each) for each in both(general="DPD-check-interval= 20"))
    Observer(
        net, numbered(2),
        lambda packet: [edited(packet, lambda all: [p for p in all if p[0] != Payload.VENDOR])],
    )  # fmt: skip
    net.start()
    net.run(25)
    net.kill(east)
    net.run(60)
    assert "is dead" in west.said


@VERSION
def test_a_rounding_of_the_clock_is_not_waited_for(version: str) -> None:
    """It would be looked for again at the same moment, for ever where the clock stands."""
    net, west, _ = begin(version, "DPD-check-interval= 20")
    (sa,) = west.daemon.sas.isakmp.values()
    now = west.daemon.timers.now()
    sa.events["dpd"].cancel()
    sa.last_heard = now - 20 + 1e-12
    west.daemon.keeper.liveness._look(sa)
    assert sa.events["dpd"].when >= now + LEAST_S
    net.run(30)
    assert len(west.rows(1)) == 1


@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
@pytest.mark.parametrize("dead", ["older", "newer"])
def test_of_two_that_were_heard_at_once_the_newer_stays(dead: str, version: str) -> None:
    """A stack that does not tell when packets came counts those of both at the same time."""
    net, west, _ = up() if version == "ikev1" else pair()
    (older,) = west.daemon.sas.isakmp.values()
    west.daemon.connections.begin_sa(older.remote, older.path, None, older.nat)
    net.run(0.5)
    (newer,) = [sa for sa in west.daemon.sas.isakmp.values() if sa is not older]
    net.run(1)
    for sa in (older, newer):
        sa.last_heard = sa.packets_at = net.now
    west.daemon.keeper.liveness.dead(older if dead == "older" else newer, "though it was asked")
    assert (newer.state is State.DEAD, older.state is State.DEAD) == (dead == "newer", True)


def two_of(net: Network, west: Host) -> tuple[IsakmpSa, IsakmpSa]:
    """West's IKE SA, and one that supersedes it."""
    (older,) = west.daemon.sas.isakmp.values()
    west.daemon.connections.begin_sa(older.remote, older.path, None, older.nat)
    net.run(0.5)
    (newer,) = [sa for sa in west.daemon.sas.isakmp.values() if sa is not older]
    return older, newer


@pytest.mark.parametrize("heard", ["after it", "before it"])
def test_packets_tell_which_of_two_was_heard_last(heard: str) -> None:
    net, west, _ = pair()
    (child,) = west.daemon.sas.all_children()
    older, newer = two_of(net, west)
    net.lose = lambda packet: True
    net.run(1)
    west.app.carry(child.protocols[0].spi_in)
    if heard == "before it":
        net.run(0.5)
        # What came with a child SA that is gone since.
        newer.packets_at = net.now
    net.run(0.2)
    west.daemon.keeper.liveness.dead(newer, "though it was asked")
    assert newer.state is State.DEAD
    assert (older.state is State.DEAD) == (heard == "before it")
