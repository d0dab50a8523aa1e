"""What both ends of an IKE_SA_INIT say of themselves: NAT detection, childless IKE SAs."""

from __future__ import annotations

from regress.pair import Host, Nat, Network
from regress.scripts.ikev2.pairs import AUTH, INIT, gateways, kinds, pair, sa_of, up

CREATE = ["CREATE_CHILD_SA", "CREATE_CHILD_SA'"]


def test_a_child_sa_of_its_own_exchange() -> None:
    """RFC 6023."""
    net, west, east = pair("Childless= force")
    up(west, east)
    assert kinds(net.history) == INIT + AUTH + CREATE


def behind_nat(tags: str = "") -> tuple[Network, Host, Host, Nat]:
    one, other = gateways(tags)
    net, nat = Network(), Nat("10.0.0.9", "192.0.2.1")
    west = net.add("10.0.0.9", one.text().replace("192.0.2.1", "10.0.0.9"))
    east = net.host(other)
    net.nats.append(nat)
    net.start()
    net.run(3)
    return net, west, east, nat


def test_a_nat_moves_both_to_port_4500() -> None:
    """RFC 7296 2.23."""
    net, west, east, _ = behind_nat()
    up(west, east)
    assert (west.rows(1)[0]["nat_t"], east.rows(1)[0]["nat_t"]) == ("local", "remote")
    assert west.rows(2)[0]["encap"] is east.rows(2)[0]["encap"] is True
    assert [p.dport for p in net.history[:3]] == [500, 20001, 4500]


def test_a_peer_is_followed_when_its_nat_has_forgotten_it() -> None:
    net, west, east, nat = behind_nat()
    before = east.rows(1)[0]["remote"]
    nat.rebind()
    sa = sa_of(west)
    west.daemon.engine.dialects["ikev2"].probe(west.daemon.engine, sa, 1)
    net.run(1)
    assert east.rows(1)[0]["remote"] != before
    assert {s.encap for s in east.app.sas.values()} == {(20003, 4500), (4500, 20003)}


def test_encapsulation_can_be_forced() -> None:
    net, west, east = pair("Encapsulation= force")
    up(west, east)
    assert {p.dport for p in net.history[2:]} == {4500}
    assert west.rows(2)[0]["encap"]
