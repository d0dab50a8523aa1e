"""A child SA for each pair of addresses: RFC 7296 2.9, SINGLE_PAIR_REQUIRED."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.app.base import Acquire, Direction
from isakmp.policy.spd import Selector
from regress.pair import Host, Network, agree, connected
from regress.scripts.ikev2.narrow import asking
from regress.scripts.ikev2.pairs import child_of, pair, sa_of

PAIRS = {"connection_tags": "Single-pair= yes"}
HOSTS = [("10.1.0.1/32", "10.2.0.1/32"), ("10.1.0.2/32", "10.2.0.1/32"),
         ("10.1.0.2/32", "10.2.0.9/32")]  # fmt: skip


def wants(host: Host, src: str, dst: str) -> None:
    """A packet meets the connection's policy, as xfrm tells: with its ports."""
    selector = Selector.of(src, dst, 6, 40000, 80)
    policy = next(p for p in host.app.policies
                  if p.direction is Direction.OUT and p.selector.src.prefixlen in (16, 48)
                  and p.selector.overlaps(selector))  # fmt: skip
    assert policy.src is not None
    assert policy.dst is not None
    host.daemon.acquire(Acquire(policy.reqid, selector, policy.src, policy.dst))


def carried(host: Host) -> list[tuple[str, str]]:
    """The pairs that there are child SAs for, as west sees them."""
    found = [c.selector for c in host.daemon.sas.all_children()]
    assert all(s.protocol == 0 and not s.has_ports for s in found)
    ends = [(str(s.src), str(s.dst)) for s in found]
    near = str(host.address) == "192.0.2.1"
    return sorted(end if near else end[::-1] for end in ends)


def settled(net: Network, west: Host, east: Host, pairs: list[tuple[str, str]]) -> None:
    net.run(10)
    assert carried(west) == carried(east) == sorted(pairs)
    assert connected(west, len(pairs))
    agree(west, east)


def up(**ends: Any) -> tuple[Network, Host, Host]:
    return pair(**ends, seconds=30)


def test_without_a_packet_it_is_refused_once_and_the_reason_says_why() -> None:
    """RFC 7296 2.9."""
    net, west, east = up(east=PAIRS)
    assert not west.rows(2)
    assert connected(west, children=0)
    (reason,) = [o["reason"] for o in east.outcomes if not o["ok"]]
    assert reason["cause"] == "single-pair-required"
    assert reason["came"] == "10.2.0.0/16 === 10.1.0.0/16"
    assert "Single-pair" in reason["mend"]
    (told,) = [o["reason"] for o in west.outcomes if not o["ok"]]
    assert told["came"] == "SINGLE_PAIR_REQUIRED"
    wants(west, *HOSTS[0])
    settled(net, west, east, HOSTS[:1])


@pytest.mark.parametrize("who", ["east", "west", "both"])
def test_pairs_side_by_side(who: str) -> None:
    """Whoever wants it so: the other end asks for what waits, or narrows to it."""
    net, west, east = up(**{end: PAIRS for end in ("west", "east") if who in (end, "both")})
    for number, hosts in enumerate(HOSTS, 1):
        wants(west, *hosts)
        settled(net, west, east, HOSTS[:number])
    for end, host in (("west", west), ("east", east)):
        (row,) = host.daemon.status()["connections"]
        assert row["agreed"] == [] or who not in (end, "both"), "the others come when needed"
    for child in west.daemon.sas.all_children():
        west.daemon.connections.rekey(child)
    settled(net, west, east, HOSTS)
    west.daemon.keeper.rekey_sa(sa_of(west))
    settled(net, west, east, HOSTS)


def test_who_wants_it_so_begins_nothing_without_a_packet() -> None:
    _, west, east = up(west=PAIRS)
    assert not west.rows(1) + east.rows(1)
    assert west.app.policies


def test_what_is_taken_up_anew_waits_for_a_packet_of_its_own() -> None:
    net, west, _ = up(west=PAIRS)
    net.lose = lambda packet: True
    wants(west, *HOSTS[0])
    connections = west.daemon.connections
    connection = connections.entries["west-east"].connection
    assert not connections.packets.lacking(connection)
    connections.take_up(connection)
    assert connections.packets.lacking(connection)


def test_pairs_move_to_an_ike_sa_that_is_proved_anew() -> None:
    net, west, east = up(east=PAIRS)
    for hosts in HOSTS:
        wants(west, *hosts)
        net.run(3)
    first = sa_of(west)
    west.daemon.keeper.reauthenticate(first)
    net.run(30)
    settled(net, west, east, HOSTS)
    assert sa_of(west) is not first


def test_a_pair_that_goes_takes_its_policies_along_and_may_come_again() -> None:
    net, west, east = up(east=PAIRS)
    wants(west, *HOSTS[0])
    wants_both = len(west.app.policies)
    settled(net, west, east, HOSTS[:1])
    assert len(west.app.policies) == wants_both + 2
    (child,) = west.daemon.sas.all_children()
    west.daemon.keeper.children.delete_child(child)
    net.run(30)
    assert not west.daemon.sas.all_children()
    assert len(west.app.policies) == wants_both
    wants(west, *HOSTS[0])
    settled(net, west, east, HOSTS[:1])


def test_a_packet_that_goes_first_is_what_is_left() -> None:
    """An initiator that knows nothing of it sends the packet and all the rest."""
    net, west, east = pair(general="Acquire-Only= yes", east=PAIRS)
    wants(west, *HOSTS[1])
    settled(net, west, east, [HOSTS[1]])
    assert not west.reasons() + east.reasons()


def test_two_hosts_are_a_pair_without_a_packet() -> None:
    hosts: dict[str, Any] = {"local": "10.1.0.1", "remote": "10.2.0.1"}
    net, west, east = up(west=hosts, east={
        "local": "10.2.0.1", "remote": "10.1.0.1", **PAIRS})  # fmt: skip
    settled(net, west, east, HOSTS[:1])


# Both IP versions in one connection: the first has the connection's identities.
TWO = {
    "west": "Local-selectors= 10.1.0.0/16, 2001:db8:1::/48\n"
            "Remote-selectors= 10.2.0.0/16, 2001:db8:2::/48",
    "east": "Local-selectors= 10.2.0.0/16, 2001:db8:2::/48\n"
            "Remote-selectors= 10.1.0.0/16, 2001:db8:1::/48",
}  # fmt: skip
SIX = ("2001:db8:1::1/128", "2001:db8:2::1/128")


@pytest.mark.parametrize("who", ["east", "west", "both"])
@pytest.mark.parametrize("first", [HOSTS[0], SIX])
def test_pairs_of_either_ip_version(who: str, first: tuple[str, str]) -> None:
    net, west, east = up(**{
        end: {"connection_tags": TWO[end] + "\nSingle-pair= yes" * (who in (end, "both"))}
        for end in TWO
    })  # fmt: skip
    pairs = [first, SIX if first is HOSTS[0] else HOSTS[0]]
    for number, hosts in enumerate(pairs, 1):
        wants(west, *hosts)
        settled(net, west, east, pairs[:number])
    for child in west.daemon.sas.all_children():
        west.daemon.connections.rekey(child)
    settled(net, west, east, pairs)


def test_a_pair_is_replaced_with_that_pair() -> None:
    """It is not asked for all that its connection is for as well."""
    net, west, east = up(east=PAIRS)
    wants(west, *HOSTS[0])
    settled(net, west, east, HOSTS[:1])
    asked_for = asking(west)
    west.daemon.connections.rekey(child_of(west))
    settled(net, west, east, HOSTS[:1])
    assert asked_for == ["10.1.0.1-10.1.0.1 === 10.2.0.1-10.2.0.1"]


def test_a_pair_that_is_renewed_is_not_that_of_a_packet_that_waits() -> None:
    net, west, east = up(east=PAIRS)
    wants(west, *HOSTS[0])
    settled(net, west, east, HOSTS[:1])
    (child,), sa = west.daemon.sas.all_children(), sa_of(west)
    west.daemon.connections.packets._last["west-east"] = Selector.of(*HOSTS[2], 6, 40000, 80)
    west.daemon.connections.renew(child, sa)
    net.run(3)
    assert set(carried(west)) == {HOSTS[0]}
