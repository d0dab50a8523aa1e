"""What should be up stays up: starting, retrying, acquires, commands, peers that forget."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from isakmp.app.base import Acquire, Action, Direction
from isakmp.errors import IsakmpError, Reason
from isakmp.exchange.exchange import Exchange
from isakmp.policy.spd import Selector
from isakmp.sa import IsakmpSa, State
from isakmp.sa_database import SaDatabase
from regress.pair import EAST, WEST, Gateway, Host, Network, agree, both, connected, up
from regress.traffic import flows


def entry(host: Host) -> dict[str, object]:
    (row,) = host.daemon.status()["connections"]
    return dict(row)


def test_a_connection_that_fails_is_tried_again_at_growing_jittered_times() -> None:
    net = Network()
    west = net.host(WEST)
    net.start()
    net.run(600)
    begun = [o["when"] for o in west.outcomes]
    gaps = [b - a for a, b in zip(begun, begun[1:], strict=False)]
    assert len(gaps) > 5
    assert gaps[0] < gaps[-1]
    assert max(gaps) < 60 * 1.25 + 20, "Check-interval is the longest wait"
    assert entry(west)["tries"] == len(begun)
    assert entry(west)["state"] == "wanted"
    east = net.host(EAST)
    east.daemon.start()
    net.until(lambda: connected(west) and connected(east), 100)
    assert entry(west)["tries"] == 0
    assert entry(west)["reason"] is None


def test_a_connection_to_nowhere_is_told_once() -> None:
    net = Network()
    text = WEST.text().replace("\nAddress= 192.0.2.2\n", "\n", 1)
    west = net.add(WEST.address, text)
    net.start()
    net.run(200)
    lines = [line for line in west.said.splitlines() if "connection west-east" in line]
    assert len(lines) == 1
    assert "INTERNAL_ERR" in lines[0] and "no-address" in lines[0] and "set Address" in lines[0]
    assert int(str(entry(west)["tries"])) > 2


@pytest.mark.parametrize("exchange", ["ID_PROT", "AGGRESSIVE"])
def test_a_peer_that_has_lost_the_isakmp_sa_is_reached_by_a_new_one(exchange: str) -> None:
    """Where the peer says nothing of it, and without dead peer detection, nothing else tells."""
    net, west, east = up(*both(exchange=exchange))
    net.lose = lambda packet: packet.header.exchange_type == 5 and not packet.header.flags
    (sa,) = east.daemon.sas.isakmp.values()
    east.daemon.sas.remove(sa)
    west.daemon.teardown("west-east", 2)
    west.daemon.connect("west-east")
    net.run(10)
    assert west.rows(1)
    net.until(lambda: connected(west) and connected(east), 120)
    assert "is given up: no answer to message 1" in west.said


def second(gateway: Gateway, local: str, remote: str) -> str:
    """The same with another connection, of two addresses."""
    text = gateway.text().replace("Connections= ", "Connections= second, ")
    text = text.replace("Passive-connections= ", "Passive-connections= second, ")
    return text + (
        f"[second]\nPhase= 2\nISAKMP-peer= {gateway.peer}\nConfiguration= phase-2\n"
        f"Local-ID= l2\nRemote-ID= r2\n[l2]\nID-type= IPV4_ADDR\nAddress= {local}\n"
        f"[r2]\nID-type= IPV4_ADDR\nAddress= {remote}\n"
    )


def test_two_connections_with_one_peer_share_the_isakmp_sa() -> None:
    net = Network()
    west = net.add("192.0.2.1", second(WEST, "10.9.0.1", "10.9.0.2"))
    east_text = EAST.text().replace("Passive-connections= ", "Passive-connections= second, ")
    east_text += (
        second(EAST, "10.9.0.2", "10.9.0.1").partition("[second]")[2].join(["[second]", ""])
    )
    east = net.add("192.0.2.2", east_text)
    net.start()
    net.run(5)
    assert connected(west, children=2)
    agree(west, east)
    assert len({row["cookies"] for row in west.rows(2)}) == 1


def test_acquire_only_waits_for_traffic() -> None:
    west, east = replace(WEST, general="Acquire-Only= yes"), EAST
    net, w, e = up(west, east)
    assert not w.rows(1)
    assert entry(w)["state"] == "idle"
    (out,) = [p for p in w.app.policies if p.direction is Direction.OUT]
    event = Acquire(out.reqid, Selector.of("10.1.0.1/32", "10.2.0.1/32"), w.address, e.address)
    w.daemon.acquire(event)
    net.run(3)
    assert connected(w)
    begun = len(net.history)
    w.daemon.acquire(event)
    net.run(1)
    assert len(net.history) == begun, "it is up"
    w.daemon.acquire(replace(event, reqid=999))


def test_what_was_taken_down_stays_down_until_it_is_started() -> None:
    net, west, east = up()
    west.daemon.teardown("west-east", 2)
    net.run(120)
    assert not west.rows(2)
    assert not east.rows(2)
    assert entry(west)["state"] == "held down"
    out = next(p for p in west.app.policies if p.direction is Direction.OUT)
    west.daemon.acquire(Acquire(out.reqid, out.selector, west.address, east.address))
    net.run(5)
    assert not west.rows(2)
    west.daemon.connect("west-east")
    net.run(5)
    assert connected(west)
    agree(west, east)


def test_a_connection_that_is_not_listed_is_started_by_name() -> None:
    text = WEST.text().replace("Connections= west-east", "")
    net = Network()
    west, east = net.add("192.0.2.1", text), net.host(EAST)
    net.start()
    net.run(1)
    assert not west.daemon.status()["connections"]
    west.daemon.connect("west-east")
    net.run(5)
    assert connected(west)
    agree(west, east)
    with pytest.raises(IsakmpError, match="^no connection nowhere$"):
        west.daemon.connect("nowhere")


def test_when_the_peer_takes_it_down_an_active_end_starts_it_again() -> None:
    net, west, east = up()
    east.daemon.teardown("east-west", 2)
    net.run(1)
    assert not west.rows(2)
    assert entry(west)["reason"]
    net.run(10)
    assert connected(west)
    agree(west, east)


def test_both_ends_active_settle_on_one_pair() -> None:
    net, west, east = up(WEST, replace(EAST, passive=False), 60)
    assert connected(west)
    assert connected(east)
    net.run(60)
    agree(west, east)
    assert len(west.app.sas) == 2


def test_policies_of_active_connections_are_there_from_the_start() -> None:
    net = Network()
    west, east = net.host(WEST), net.host(EAST)
    net.lose = lambda packet: True
    net.start()
    net.run(1)
    assert [p.direction for p in west.app.policies] == [Direction.OUT, Direction.IN]
    assert len(east.app.policies) == 2, "of a passive one, too"
    assert all(p.action is Action.IPSEC for p in east.app.policies)
    net.lose = lambda packet: False
    net.until(lambda: connected(west), 60)
    west.daemon.teardown("west-east", 2)
    net.run(3)
    assert len(east.app.policies) == len(west.app.policies) == 2, "they outlive the last SA"


def roaming(text: str) -> str:
    """The peer may be anywhere."""
    return text.replace("192.0.2.1= west", "Default= west").replace("Address= 192.0.2.1\n", "")


def actions(host: Host) -> set[Action]:
    return {policy.action for policy in host.app.policies}


def test_a_passive_connection_drops_its_traffic_until_the_peer_comes_and_after() -> None:
    net = Network()
    east, west = net.add(EAST.address, roaming(EAST.text())), net.host(WEST)
    east.daemon.start()
    assert actions(east) == {Action.DISCARD}
    west.daemon.start()
    net.until(lambda: connected(west), 60)
    assert actions(east) == {Action.IPSEC}
    west.daemon.teardown_all()
    net.run(3)
    assert actions(east) == {Action.DISCARD}


def test_a_passive_connection_with_everybody_does_not_cut_the_host_off() -> None:
    text = roaming(EAST.text()).replace("Remote-ID= ", "Remote-selectors= 0.0.0.0/0\n#")
    east = Network().add(EAST.address, text)
    east.daemon.start()
    assert east.daemon.connections.entries
    assert not east.app.policies


def test_an_acquire_of_a_passive_connection_begins_nothing() -> None:
    net = Network()
    east = net.host(EAST)
    east.daemon.start()
    (out,) = [p for p in east.app.policies if p.direction is Direction.OUT]
    ends = ip_address("192.0.2.2"), ip_address("192.0.2.1")
    east.daemon.acquire(Acquire(out.reqid, out.selector, *ends))
    net.run(5)
    assert not net.history


def test_what_is_left_out_for_an_error_is_dropped() -> None:
    host = Network().add(WEST.address, WEST.text().replace("Suites= ", "Suites= no-such-"))
    host.daemon.start()
    assert not host.daemon.connections.entries
    assert actions(host) == {Action.DISCARD}
    assert len(host.app.policies) == 2


def test_policies_stay_for_the_other_peer_with_the_same_traffic() -> None:
    """A client that came back under another identity or address, before it was missed."""
    net = Network()
    shared = replace(EAST, connection_tags="Share-traffic= yes")
    text = shared.text().replace("192.0.2.1= west", "Default= west")
    east = net.add(EAST.address, text.replace("Address= 192.0.2.1\n", ""))
    west, again = net.host(WEST), net.host(replace(WEST, address="192.0.2.3"))
    east.daemon.start()
    for host in (west, again):
        host.daemon.start()
        net.run(3)
    assert connected(east, children=2, parents=2)
    assert {str(p.dst) for p in east.app.policies} == {"192.0.2.2", "192.0.2.3"}
    again.daemon.teardown_all()
    net.run(3)
    assert {str(p.dst) for p in east.app.policies} == {"192.0.2.2", "192.0.2.1"}
    west.daemon.teardown_all()
    net.run(3)
    assert actions(east) == {Action.DISCARD}


def test_no_policies_where_none_are_wanted() -> None:
    _, west, east = up(flows=False)
    assert connected(west)
    assert not west.app.policies
    assert not east.app.policies


def test_a_passive_daemon_begins_nothing() -> None:
    net, west, _ = up(active=False)
    net.run(60)
    assert not net.history
    west.daemon.set_active(True)
    net.run(5)
    assert connected(west)


def test_what_is_bypassed_comes_before_a_connection_with_the_same_traffic() -> None:
    text = WEST.text().replace("[Phase 2]\n", "[Phase 2]\nBypass= lan\n")
    text += "[lan]\nLocal-selectors= 10.1.0.0/16\nRemote-selectors= 10.2.0.0/16, 10.2.7.0/24\n"
    host = Network().add(WEST.address, text)
    host.daemon.start()
    assert not host.daemon.catalog.left_out
    assert actions(host) == {Action.BYPASS}
    assert len(host.app.policies) == 2


def test_a_bypass_without_a_far_side_is_an_error() -> None:
    text = WEST.text().replace("[Phase 2]\n", "[Phase 2]\nBypass= lan\n") + "[lan]\nPhase= 2\n"
    host = Network().add(WEST.address, text)
    host.daemon.start()
    assert "no Remote-selectors" in host.said
    assert actions(host) == {Action.IPSEC}


def test_a_bypass_that_the_checker_refuses_opens_nothing() -> None:
    """What a misspelt tag was to keep out would go in clear."""
    text = WEST.text().replace("[Phase 2]\n", "[Phase 2]\nBypass= lan\n")
    text += "[lan]\nLocal-selector= 10.1.7.0/24\nRemote-selectors= 10.2.0.0/16\n"
    host = Network().add(WEST.address, text)
    host.daemon.start()
    assert "did you mean Local-selectors?" in host.said
    assert actions(host) == {Action.IPSEC}


@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
@pytest.mark.parametrize("seed", range(3))
def test_who_is_reached_again_has_all_its_connections_at_once(version: str, seed: int) -> None:
    """Each waits for a time of its own while nobody answers, and all for the same."""
    one, other = both(peer_tags=f"Key-exchange= {version}")
    net = Network()
    west = net.add(one.address, second(one, "10.9.0.1", "10.9.0.2"), seed=seed)
    net.start()
    net.run(400)
    east = net.add(other.address, second(other, "10.9.0.2", "10.9.0.1"))
    east.daemon.start()
    net.until(lambda: west.rows(2), 100)
    net.run(1)
    assert connected(west, children=2)
    agree(west, east)


@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
@pytest.mark.parametrize("seconds", [3, 20, 60])
def test_a_peer_that_is_mended_and_started_again_is_up_soon(version: str, seconds: int) -> None:
    """It refused all that was asked for. For what is asked next it has no IKE SA, and says so."""
    one, other = both(peer_tags=f"Key-exchange= {version}")
    net, west, east = up(one, replace(other, remote="10.99.0.0/16"), seconds=seconds)
    assert connected(west, children=0)
    net.kill(east)
    back = net.host(other, seed=2)
    back.daemon.start()
    mark = len(net.history)
    net.until(lambda: len(net.history) > mark, 75)
    net.run(6)
    assert flows(west, back)
    net.run(60)
    assert "is dead" not in west.said
    assert connected(west)
    agree(west, back)


# --- what is asked for under an SA that ends or is lost -------------------------------------------

KIND = pytest.mark.parametrize("version", ["ikev1", "ikev2"])
SECOND = "10.9.0.1", "10.9.0.2"


def unheard(version: str) -> tuple[Network, Host, Exchange, IsakmpSa]:
    """What is asked for under an SA has no answer, and another SA has come meanwhile."""
    one, other = both(peer_tags=f"Key-exchange= {version}", exchange="AGGRESSIVE")
    net = Network()
    text = second(one, *SECOND).replace(
        "Connections= second, ", "Passive-connections= second\nConnections= ", 1
    )
    west, east = net.add(one.address, text), net.host(other)
    net.start()
    net.run(5)
    (lost,) = west.daemon.sas.isakmp.values()
    net.kill(east)
    # Nothing ends the lost one: INITIAL_CONTACT of IKEv1's responder does not arrive.
    net.lose = lambda packet: version == "ikev1" and packet.header.exchange_type == 5
    west.daemon.connect("second")
    (asked,) = west.daemon.connections.busy.values()
    east = net.add(other.address, second(other, *SECOND[::-1]), seed=2)
    east.daemon.start()
    net.flying.clear()
    west.daemon.connections.begin_sa(lost.remote, lost.path)
    net.pump()
    new = west.daemon.sas.current(lost.peer)
    assert new is not None and new is not lost and asked.sa is lost
    return net, west, asked, new


def neighbour(sas: SaDatabase, sa: IsakmpSa) -> IsakmpSa:
    """The newest of the section, with another identity at another address."""
    identity = replace(sa.remote_id, data=ip_address("192.0.2.77").packed)
    path = sa.path._replace(remote=ip_address("192.0.2.77"))
    other = replace(sa, cky_i=b"another!", cky_r=b"another?", remote_id=identity, path=path)
    other.established += 1
    sas.add(other)
    assert sas.current_of_remote(sa.remote.name) is other
    return other


@KIND
@pytest.mark.parametrize("change", ["none", "not wanted", "other traffic", "forgotten"])
def test_what_is_asked_for_under_a_lost_sa_is_begun_under_the_next_where_it_is_wanted(
    version: str, change: str
) -> None:
    _, west, asked, new = unheard(version)
    connections = west.daemon.connections
    (flow,) = (flow for flow, exchange in connections.busy.items() if exchange is asked)
    kept = connections.entries["second"]
    if change == "not wanted":
        kept.wanted = False
    elif change == "other traffic":
        other = Selector.of("10.9.0.3/32", "10.9.0.4/32")
        kept.connection = replace(kept.connection, selector=other)
    elif change == "forgotten":
        del connections.entries["second"]
    assert asked.sa is not None
    neighbour(west.daemon.sas, new)
    connections.ask_again(asked.sa, new)
    if change == "none":
        assert connections.busy[flow].sa is new
    else:
        assert connections.busy == {flow: asked}


@KIND
def test_the_end_of_a_question_that_is_replaced_changes_nothing(version: str) -> None:
    _, west, asked, new = unheard(version)
    connections, kept = west.daemon.connections, west.daemon.connections.entries["second"]
    assert asked.sa is not None
    connections.ask_again(asked.sa, new)
    before = dict(connections.busy)
    west.daemon.engine.fail(asked, Reason("test", "refused"))
    assert asked.over and connections.busy == before
    assert (kept.failure, kept.retry, kept.tries) == (None, None, 0)


@KIND
@pytest.mark.parametrize("whose", ["its own", "a neighbour's"])
def test_what_ended_with_its_sa_is_begun_under_a_successor_alone(version: str, whose: str) -> None:
    """An SA that is with somebody else is no reason to go on without a pause."""
    _, west, asked, new = unheard(version)
    connections, kept = west.daemon.connections, west.daemon.connections.entries["second"]
    neighbour(west.daemon.sas, new)
    if whose != "its own":
        west.daemon.sas.remove(new)
    assert asked.sa is not None
    west.daemon.keeper.delete_sa(asked.sa, tell=False)
    begun = connections.under_way(("second", kept.connection.selector))
    if whose == "its own":
        assert begun is not None and begun.sa is new
    else:
        assert begun is None and kept.retry is not None and kept.tries == 1


@pytest.mark.parametrize("takes_s", [None, 1.5])
def test_who_answers_phase_1_alone_is_asked_again_after_a_pause(takes_s: float | None) -> None:
    """An ISAKMP SA that the try itself has made is not lost, however long its keys have taken."""
    net = Network()
    west, _ = net.host(WEST, elsewhere_s=takes_s), net.host(EAST)
    net.lose = lambda packet: bool(packet.data) and packet.header.exchange_type == 32
    net.start()
    (kept,) = west.daemon.connections.entries.values()
    net.until(lambda: kept.failure is not None, 60)
    assert kept.tries == 1 and kept.retry is not None and kept.waiting is None


@KIND
def test_what_is_asked_for_under_an_sa_in_doubt_goes_on_when_another_is_there(version: str) -> None:
    """Nothing ends the one in doubt, and its question waits for long."""
    tags = f"Key-exchange= {version}\nUnique-ids= never"
    one, other = both(peer_tags=tags, exchange="AGGRESSIVE")
    net = Network()
    west = net.add(one.address, second(one, *SECOND))
    east = net.add(other.address, second(other, *SECOND[::-1]))
    net.start()
    net.run(5)
    connections, (lost,) = west.daemon.connections, west.daemon.sas.isakmp.values()
    west.daemon.teardown("second", 2)
    net.run(1)
    net.kill(east)
    net.lose = lambda packet: packet.header.exchange_type == 5
    west.daemon.connect("second")
    east = net.add(other.address, second(other, *SECOND[::-1]), seed=2)
    east.daemon.start()
    net.flying.clear()
    west.daemon.keeper.liveness.suspect(lost)
    net.run(6)
    assert connections.entries["second"].up_since is not None


def test_who_has_no_address_is_asked_for_all_as_soon_as_it_has_come() -> None:
    """However long the pauses between the tries have grown."""
    net = Network()
    text = second(WEST, *SECOND).replace(f"\nAddress= {EAST.address}\n", "\n", 1)
    west = net.add(WEST.address, text.replace(f"{EAST.address}= east", "Default= east"))
    net.start()
    net.run(400)
    active = replace(EAST, passive=False)
    text = second(active, *SECOND[::-1]).replace("Connections= second, ", "Connections= ", 1)
    east = net.add(
        EAST.address, text.replace("[Phase 2]\n", "[Phase 2]\nPassive-connections= second\n")
    )
    east.daemon.start()
    net.run(2)
    assert connected(west, children=2)


def later_routed(**west_has: Any) -> tuple[Network, Host, list[bool]]:
    """West, and whether it has a route to east."""
    net, routed, source = Network(), [False], ip_address(WEST.address)
    text = replace(WEST, **west_has).text().replace(f"Local-address= {WEST.address}\n", "")
    west = net.add(WEST.address, text, source=lambda _: source if routed[0] else None)
    return net, west, routed


def standing(host: Host) -> set[Action]:
    """What is done with its connection's traffic, where nothing narrower is."""
    every = Selector.of(WEST.local, WEST.remote)
    return {p.action for p in host.app.policies if every in (p.selector, p.selector.reversed())}


@KIND
def test_a_route_is_looked_for_whatever_the_peer_brings_up_meanwhile(version: str) -> None:
    """Once nothing is up any more, a packet asks for it."""
    tags = f"Key-exchange= {version}\n"
    net, west, routed = later_routed(peer_tags=tags, general="Acquire-Only= yes")
    east = net.host(replace(EAST, peer_tags=tags, passive=False))
    west.daemon.start()
    assert standing(west) == {Action.DISCARD}
    routed[0] = True
    east.daemon.start()
    net.run(10)
    assert connected(west)
    east.daemon.teardown("east-west", 2)
    net.run(60)
    assert not west.daemon.sas.all_children()
    assert standing(west) == {Action.IPSEC}
    (kept,) = west.daemon.connections.entries.values()
    assert kept.route is None


def test_a_route_is_looked_for_whatever_is_rekeyed_meanwhile() -> None:
    tags = "Key-exchange= ikev2\n"
    net, west, routed = later_routed(peer_tags=tags)
    routed[0] = True
    net.host(replace(EAST, peer_tags=tags, local="10.2.0.0/17"))
    net.start()
    net.run(5)
    routed[0] = False
    west.daemon.connect("west-east")
    assert standing(west) == {Action.DISCARD}
    routed[0] = True
    (child,) = west.daemon.sas.all_children()
    west.daemon.connections.rekey(child)
    net.run(60)
    assert child.state is State.DEAD
    assert standing(west) == {Action.IPSEC}


def test_nobody_looks_for_a_route_for_what_is_gone() -> None:
    _, west, _ = later_routed(general="Acquire-Only= yes")
    west.daemon.start()
    (kept,) = west.daemon.connections.entries.values()
    looks = kept.route
    assert looks is not None and looks.pending
    west.daemon.connections.end()
    assert not looks.pending


@KIND
def test_what_is_configured_is_asked_for_whatever_a_peer_may_have(version: str) -> None:
    net, tags = Network(), f"Key-exchange= {version}\n"
    one = replace(WEST, peer_tags=tags, general="Max-children= 1")
    west = net.add(one.address, second(one, *SECOND))
    net.add(EAST.address, second(replace(EAST, peer_tags=tags), *SECOND[::-1]))
    net.start()
    net.run(5)
    assert connected(west, children=2)
    assert "bound met" not in west.said
