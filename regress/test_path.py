"""A datagram's way, and that every text tells from where to where it goes."""

from __future__ import annotations

import re
from ipaddress import ip_address

import pytest

from isakmp.path import Path
from regress.pair import Host, Network
from regress.scripts.ikev1.test_nat import INSIDE, OUTSIDE, through_nat
from regress.test_unsent import PAIRS

FOUR = Path(ip_address("192.0.2.1"), 500, ip_address("192.0.2.2"), 500)
SIX = Path(ip_address("2001:db8::1"), 500, ip_address("2001:db8::2"), 4500)


def test_paths_as_texts() -> None:
    assert str(FOUR.out) == "192.0.2.1:500 > 192.0.2.2:500"
    assert str(FOUR.came) == "192.0.2.2:500 > 192.0.2.1:500"
    assert str(SIX.out) == "[2001:db8::1]:500 > [2001:db8::2]:4500"
    assert (SIX.near, SIX.far) == ("[2001:db8::1]:500", "[2001:db8::2]:4500")


def ways(host: Host, line: str) -> set[tuple[str, ...]]:
    """From where to where it goes by the lines of the log that have this in them."""
    found = (re.search(r"([\d.]+):\d+ > ([\d.]+):\d+", s) for s in host.lines if line in s)
    return {match.groups() for match in found if match}


@pytest.mark.parametrize("kind", ["ikev1", "ikev2"])
def test_the_log_tells_from_where_to_where_a_message_goes(kind: str) -> None:
    """What came from the peer read as if we had sent it."""
    net = Network()
    west, east = (net.host(gateway) for gateway in PAIRS[kind])
    for host in (west, east):
        host.log.set_level(None, 99)
    net.start()
    net.run(5)
    east.receive(net.history[0]._replace(data=net.history[0].data[:20]))
    there, back = ("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.1")
    assert (ways(west, " sending "), ways(west, " received ")) == ({there}, {back})
    assert (ways(east, " sending "), ways(east, " received ")) == ({back}, {there})
    assert ways(east, "dropped message ") == {there}
    assert ways(west, ": begins, ") == ways(east, ": begins, ") == {there}
    assert "Path(" not in west.said + east.said


def test_a_move_is_told_by_the_ends_of_the_peer() -> None:
    net, west, east, nat = through_nat(INSIDE, OUTSIDE)
    nat.rebind()
    (sa,) = west.daemon.sas.isakmp.values()
    engine = west.daemon.engine
    engine.dialects[sa.dialect].probe(engine, sa, 1)
    net.pump()
    assert "peer moved from 203.0.113.1:20002 to 203.0.113.1:20003" in east.said


def test_an_exchange_under_way_tells_who_began_it() -> None:
    net = Network()
    west, east = (net.host(gateway) for gateway in PAIRS["ikev1"])
    net.lose = lambda packet: len(net.history) > 2
    net.start()
    net.run(0.5)
    for host in (west, east):
        (row,) = host.daemon.status()["exchanges"]
        assert row["path"] == "192.0.2.1:500 > 192.0.2.2:500"
