"""What traffic is asked for: of a packet first, in the place of another child SA: RFC 7296 2.9."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isakmp.policy.spd import Selector
from isakmp.policy.traffic import of_selector
from isakmp.scripts.ikev2 import asked
from regress.scripts.ikev2.narrow import asking, narrowed, wants
from regress.scripts.ikev2.pairs import child_of, pair, sa_of, wear_out

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


@pytest.mark.parametrize("under", ["the same IKE SA", "another IKE SA"])
def test_what_takes_the_place_of_another_has_its_traffic_first_and_all_behind(under: str) -> None:
    net, west, _ = narrowed()
    (child,) = west.daemon.sas.all_children()
    seen = asking(west)
    if under == "the same IKE SA":
        wear_out(west)
    else:
        west.daemon.keeper.reauthenticate(sa_of(west))
        net.run(0.01)
        assert seen == [f"{NEAR} === {BOTH}"], "its first child SA is all of a connection"
        seen.clear()
        new = west.daemon.sas.current_of_remote("east")
        assert new is not None and new is not child.parent
        west.daemon.connections.renew(child, new)
    net.run(1)
    assert seen == [f"{NEAR}, {NEAR} === {LOWER}, {BOTH}"]


def test_what_is_no_part_of_its_connection_is_not_asked_for_beside_it() -> None:
    """Its peer sees hosts behind NAT otherwise."""
    _, west, _ = narrowed()
    child = child_of(west)
    seen = of_selector(Selector.of("192.168.7.1/32", "10.2.0.0/16"))
    assert asked._before_all(replace(child, traffic=seen)) == child.connection.traffic
    assert asked._before_all(child) != child.connection.traffic
