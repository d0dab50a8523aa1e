"""What an answer leaves out of the traffic is told: RFC 7296 2.9."""

from __future__ import annotations

from dataclasses import replace

from fifo_ui import explain, render
from isakmp.app.base import Acquire, Direction
from isakmp.policy.spd import Selector
from regress.pair import Network
from regress.scripts.ikev2.narrow import (
    met,
    narrowed,
    row_of,
)
from regress.scripts.ikev2.pairs import gateways, pair, wear_out


def test_what_the_peer_leaves_out_is_told_and_the_connection_is_up() -> None:
    _, west, _ = narrowed()
    row = row_of(west)
    assert (row["state"], row["reason"], row["not_replaced"]) == ("up", None, None)
    why = row["less"]
    assert (why["cause"], why["came"], why["offered"]) == (
        "narrowed", "10.1.0.0/16 === 10.2.0.0/16", "10.1.0.0/16 === 10.2.0.0/15",
    )  # fmt: skip
    assert why["line"].endswith("[west-east]")
    assert "[west-east]" in why["mend"]
    assert [o["reason"] for o in west.outcomes if not o["ok"]] == [why]
    assert "narrowed: the peer takes less" in west.said
    assert "narrowed: the peer takes less" in " ".join(render.connections([row]).split())
    status = west.daemon.status()
    rows = explain.failures(status["outcomes"], "west-east", status["connections"])
    assert [row["topic"] for row in rows] == ["selectors"]


def test_it_is_told_once_however_often_it_is_replaced() -> None:
    net, west, _ = narrowed()
    for _ in range(3):
        wear_out(west)
        net.run(5)
    assert west.said.count(" rekeyed: ") == 3
    assert west.reasons() == ["narrowed"]
    assert row_of(west)["less"]["cause"] == "narrowed"


def test_who_leaves_some_of_it_out_tells_it_too_and_once() -> None:
    """What came, what is agreed on and the line; the connection itself has all that it is for."""
    net, west, east = narrowed()
    (why,) = [o["reason"] for o in east.outcomes if not o["ok"]]
    assert (why["cause"], why["came"], why["acceptable"]) == (
        "narrowed", "10.2.0.0/15 === 10.1.0.0/16", "10.2.0.0/16 === 10.1.0.0/16",
    )  # fmt: skip
    assert why["line"].endswith("[east-west]")
    assert "PROTO_WARN     #1 IKE_AUTH responder east-west: narrowed: the peer asked" in east.said
    status = east.daemon.status()
    (told,) = explain.failures(status["outcomes"], "east-west", status["connections"])
    assert (told["topic"], told["initiator"], told["reason"]) == ("selectors", False, why)
    assert (row_of(east)["agreed"], row_of(east)["less"]) == ([], None)
    wear_out(west)
    net.run(5)
    east.daemon.rekey("east-west", "main")
    net.run(5)
    assert east.reasons() == ["narrowed"]


def test_of_several_that_ask_for_too_much_the_first_is_told() -> None:
    """Each client of a gateway may ask for everything."""
    one, other = gateways()
    net = Network()
    text = other.text().replace("192.0.2.1= west", "Default= west")
    east = net.add(other.address, text.replace("\nAddress= 192.0.2.1\n", "\n"))
    for number in (1, 3):
        one = replace(one, address=f"192.0.2.{number}", local=f"10.1.{number}.0/24")
        net.host(replace(one, remote="0.0.0.0/0"))
    net.start()
    net.run(3)
    assert len(east.rows(2)) == 2
    (why,) = [o["reason"] for o in east.outcomes if not o["ok"]]
    assert why["came"].startswith("0.0.0.0/0 === 10.1.")


def test_where_all_is_agreed_on_nothing_is_told() -> None:
    _, west, east = pair(east={"remote": "10.0.0.0/8"})
    assert row_of(west)["less"] is row_of(east)["less"] is None
    assert not west.reasons() + east.reasons()


def test_of_what_is_passive_it_is_told_each_time() -> None:
    """Each client has a part of that."""
    one, other = gateways()
    net = Network()
    west = net.host(replace(one, remote="10.2.0.0/15", passive=True))
    net.host(other)
    net.start()
    for _ in range(2):
        west.daemon.connect("west-east")
        net.run(3)
        row = row_of(west)
        assert (row["state"], row["less"]) == ("up", None)
        west.daemon.teardown("west-east", 2)
        net.run(3)
    assert west.reasons().count("narrowed") == 2


CROSS = ("Local-selectors= 10.1.0.0/16, 10.4.0.0/16\n"
         "Remote-selectors= 10.2.0.0/16, 10.3.0.0/16")  # fmt: skip
DIAGONAL = ("[other]\nPhase= 2\nISAKMP-peer= west\nConfiguration= phase-2\n"
            "Local-selectors= 10.3.0.0/16\nRemote-selectors= 10.4.0.0/16\n")  # fmt: skip


def test_a_pair_of_networks_that_no_child_sa_has_is_told_though_each_is_in_one() -> None:
    """RFC 7296 2.9: each local with each remote selector is asked for."""
    one, other = gateways()
    net = Network()
    west = net.host(replace(one, connection_tags=CROSS))
    text = replace(other, more=DIAGONAL).text()
    net.add(other.address, text.replace("connections= east-west", "connections= east-west, other"))
    net.start()
    net.run(3)

    def wants(near: str, far: str) -> None:
        packet = Selector.of(f"{near}/32", f"{far}/32", 6, 40000, 80)
        reqid = met(west, Direction.OUT, packet)
        west.daemon.acquire(Acquire(reqid, packet, west.address, west.address))
        net.run(20)

    wants("10.4.0.9", "10.3.0.9")
    row, both = row_of(west), ["10.1.0.0/16 === 10.2.0.0/16", "10.4.0.0/16 === 10.3.0.0/16"]
    assert (row["state"], row["agreed"], row["less"]["cause"]) == ("up", both, "narrowed")
    wants("10.1.0.9", "10.3.0.9")
    row = row_of(west)
    assert (row["agreed"], row["less"]["cause"]) == (both, "peer-refused")
    assert row["less"]["offered"] == "10.1.0.0/16 === 10.3.0.0/16"


def test_who_gives_what_is_there_already_has_narrowed_nothing() -> None:
    """A gateway renews a client's child SA under another IKE SA, and asks for more behind it."""
    one, other = gateways()
    net = Network()
    west = net.host(replace(one, local="10.1.1.0/24"))
    east = net.host(replace(other, remote="10.1.0.0/16"))
    net.start()
    net.run(4)
    (child,), (sa,) = east.daemon.sas.all_children(), east.daemon.sas.isakmp.values()
    east.daemon.connections.begin_sa(sa.remote, sa.path, None, sa.nat)
    net.run(2)
    new = east.daemon.sas.current_of_remote("west")
    assert new is not None and new is not sa
    east.daemon.connections.renew(child, new)
    net.run(5)
    assert not west.reasons() + east.reasons()
