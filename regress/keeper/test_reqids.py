from __future__ import annotations

from ipaddress import ip_network

import pytest

from isakmp.event.job import Job
from isakmp.keeper.reqids import Flow, Key, Reqids
from isakmp.policy.spd import Selector
from regress.pair import EAST, WEST, Network
from regress.scripts.ikev2.pairs import child_of, gateways
from regress.traffic import flows

FLOW: Flow = "west-east", Selector(ip_network("10.1.0.0/16"), ip_network("10.2.0.0/16"))


def test_a_number_is_kept_while_anybody_uses_it_and_given_back_after() -> None:
    used: set[int] = set()
    stands: set[Key] = {FLOW}
    reqids = Reqids(used.__contains__, stands.__contains__)
    negotiation: Job[None] = Job()
    number = reqids.hold(reqids.of(FLOW), negotiation)
    reqids.give_back(number)
    stands.clear()
    reqids.give_back(number)
    assert (reqids.of(FLOW), reqids.name(number)) == (number, "west-east")
    negotiation.finish(None)
    assert reqids.name(number) is None
    assert reqids.of(FLOW) != number


def test_a_number_that_others_have_come_to_have_is_theirs() -> None:
    used: set[int] = set()
    stands: set[Key] = {FLOW}
    reqids = Reqids(used.__contains__, stands.__contains__)
    number = reqids.of(FLOW)
    used.add(number)
    another = reqids.anew(FLOW)
    assert reqids.of(FLOW) == another != number
    assert reqids.name(number) == reqids.name(another) == "west-east"
    used.clear()
    reqids.give_back(number)
    reqids.give_back(another)
    assert (reqids.name(number), reqids.name(another)) == (None, "west-east")


@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
def test_the_policies_of_a_peer_that_was_killed_and_is_back_are_those_of_its_new_sa(
    version: str,
) -> None:
    one, other = gateways() if version == "ikev2" else (WEST, EAST)
    network = Network()
    network.host(one), network.host(other)
    network.start()
    network.run(3)
    west, east = network.hosts.values()
    assert flows(west, east)
    back = network.host(one, seed=2)
    back.daemon.start()
    network.run(5)
    assert {p.reqid for p in east.app.policies} == {child_of(east).reqid}
    assert flows(back, east)
    assert len(east.daemon.connections.policies.reqids._entries) == 1
