"""What traffic is asked for: of a packet first, in the place of another child SA: RFC 7296 2.9."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from isakmp.errors import Reason
from isakmp.policy.spd import Connection, Selector
from isakmp.policy.traffic import of_selector
from isakmp.sa import ChildSa, IsakmpSa
from isakmp.scripts.ikev2 import asked
from regress.pair import Host, Network
from regress.scripts.ikev2.narrow import asking, narrowed, wants
from regress.scripts.ikev2.pairs import child_of, gateways, pair, sa_of

NEAR, LOWER = "10.1.0.0-10.1.255.255", "10.2.0.0-10.2.255.255"
BOTH, UPPER = "10.2.0.0-10.3.255.255", "10.3.0.0-10.3.255.255"


def test_where_nothing_is_up_it_is_all() -> None:
    net, west, _ = pair()
    seen = asking(west)
    west.daemon.teardown("west-east", 2)
    net.run(3)
    west.daemon.connect("west-east")
    net.run(3)
    assert seen == [f"{NEAR} === {LOWER}"]


def test_a_packet_goes_before_what_no_child_sa_has() -> None:
    net, west, _ = narrowed()
    seen = asking(west)
    wants(west, "10.3.0.9")
    net.run(1)
    assert seen == [f"10.1.0.9-10.1.0.9, {NEAR} === 10.3.0.9-10.3.0.9, {UPPER}"]


UNDER = pytest.mark.parametrize("under", ["the same IKE SA", "another IKE SA"])


def asks_anew(net: Network, host: Host, child: ChildSa, under: str, whole: str) -> list[str]:
    """What a host asks for in the place of a child SA."""
    seen = asking(host)
    if under == "the same IKE SA":
        host.daemon.connections.rekey(child)
    else:
        assert child.parent is not None
        host.daemon.keeper.reauthenticate(child.parent)
        net.run(0.01)
        assert seen == [whole], "its first child SA is all of a connection"
        seen.clear()
        (new,) = [sa for sa in host.daemon.sas.isakmp.values() if sa is not child.parent]
        host.daemon.connections.renew(child, new)
    net.run(1)
    return seen


@UNDER
def test_what_takes_the_place_of_another_has_its_traffic_first_and_all_behind(under: str) -> None:
    net, west, _ = narrowed()
    (child,) = west.daemon.sas.all_children()
    seen = asks_anew(net, west, child, under, f"{NEAR} === {BOTH}")
    assert seen == [f"{NEAR}, {NEAR} === {LOWER}, {BOTH}"]


@UNDER
def test_the_traffic_of_another_is_not_asked_for_behind_it(
    under: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peer has to take back again what it makes of that."""
    net, west, _ = narrowed()
    (child,) = west.daemon.sas.all_children()

    def taken(sa: IsakmpSa, connection: Connection, selectors: Sequence[Selector]) -> Any:
        wide = any(selector.dst.prefixlen < 16 for selector in selectors)
        return (Reason("traffic-of-another", "it is another's"), None) if wide else None

    monkeypatch.setattr(west.daemon.engine.bounds, "traffic", taken)
    seen = asks_anew(net, west, child, under, f"{NEAR} === {BOTH}")
    assert seen == [f"{NEAR} === {LOWER}"]


@UNDER
def test_a_passive_connection_is_asked_for_as_it_was_agreed_on(under: str) -> None:
    """A gateway of many clients has more for them together than for each."""
    one, other = gateways()
    net = Network()
    west, east = net.host(one), net.host(replace(other, remote="10.0.0.0/8"))
    net.start()
    net.run(3)
    (child,) = east.daemon.sas.all_children()
    if under == "another IKE SA":
        # It is the client that proves itself anew.
        west.daemon.keeper.reauthenticate(sa_of(west))
        net.run(0.01)
        (new,) = [sa for sa in east.daemon.sas.isakmp.values() if sa is not child.parent]
        seen = asking(east)
        east.daemon.connections.renew(child, new)
        net.run(1)
    else:
        seen = asks_anew(net, east, child, under, "")
    assert seen == [f"{LOWER} === {NEAR}"]


def test_what_is_no_part_of_its_connection_is_not_asked_for_beside_it() -> None:
    """Its peer sees hosts behind NAT otherwise."""
    _, west, _ = narrowed()
    child = child_of(west)
    seen = of_selector(Selector.of("192.168.7.1/32", "10.2.0.0/16"))
    assert asked._before_all(replace(child, traffic=seen)) == child.connection.traffic
    assert asked._before_all(child) != child.connection.traffic
