"""Rekeying by hand, in both versions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isakmp.app.base import Expire
from isakmp.errors import IsakmpError
from isakmp.sa import ChildSa, IsakmpSa, State
from regress.pair import WEST, Host, Network, agree, both, connected, up
from regress.scripts.ikev2.pairs import pair

VERSIONS = pytest.mark.parametrize("version", [1, 2])
WHAT = pytest.mark.parametrize("what", ["quick", "main", "auth"])


def of_version(version: int) -> tuple[Network, Host, Host]:
    return up(*both()) if version == 1 else pair()


def sas_of(host: Host) -> tuple[IsakmpSa, ChildSa]:
    """Its only SAs."""
    (sa,), (child,) = host.daemon.sas.isakmp.values(), host.daemon.sas.all_children()
    return sa, child


def settled(net: Network, west: Host, east: Host) -> None:
    net.run(80)
    assert connected(west)
    assert connected(east)
    agree(west, east)
    assert not west.reasons() + east.reasons()


@VERSIONS
@pytest.mark.parametrize("who", ["west", "east"])
def test_child_sas_are_replaced_by_the_name_of_their_connection(version: int, who: str) -> None:
    net, west, east = of_version(version)
    host, name = (west, "west-east") if who == "west" else (east, "east-west")
    sa, child = sas_of(host)
    host.daemon.rekey(name, "quick")
    settled(net, west, east)
    after = sas_of(host)
    assert after[0] is sa
    assert after[1] is not child and after[1].initiator
    assert child.state is State.DEAD


@VERSIONS
@pytest.mark.parametrize("name", ["east", "192.0.2.2", "west-east"])
def test_the_ike_sa_is_replaced_by_the_name_of_peer_or_connection(version: int, name: str) -> None:
    net, west, east = of_version(version)
    sa, child = sas_of(west)
    west.daemon.rekey(name, "main")
    settled(net, west, east)
    assert sa.state is State.DEAD
    assert sas_of(west)[1] is child, "the child SA stays, or moves to the new one"


@VERSIONS
def test_both_ends_prove_again_who_they_are(version: int) -> None:
    net, west, east = of_version(version)
    sa, child = sas_of(west)
    west.daemon.rekey("east", "auth")
    settled(net, west, east)
    assert sa.state is State.DEAD
    first = 2 if version == 1 else 34
    assert sum(p.header.exchange_type == first and not any(p.header.cky_r)
               for p in net.history) == 2  # fmt: skip
    assert (sas_of(west)[1] is child) is (version == 1)


@VERSIONS
def test_an_ike_sa_that_nobody_needs_is_replaced_too(version: int) -> None:
    net, west, _ = of_version(version)
    west.daemon.teardown("west-east", 2)
    net.run(5)
    (sa,) = west.daemon.sas.isakmp.values()
    west.daemon.rekey("east", "main")
    net.run(80)
    assert sa.state is State.DEAD
    assert len(west.rows(1)) == 1


@VERSIONS
@WHAT
def test_twice_at_once_is_once(version: int, what: str) -> None:
    net, west, east = of_version(version)
    for _ in range(3):
        west.daemon.rekey("west-east", what)
    settled(net, west, east)
    assert len(west.rows(1)) == len(west.rows(2)) == 1


@VERSIONS
@WHAT
def test_what_is_not_there_is_said(version: int, what: str) -> None:
    net, west, _ = of_version(version)
    with pytest.raises(IsakmpError, match="no connection nobody"):
        west.daemon.rekey("nobody", what)
    west.daemon.teardown("east", 1)
    net.run(10)
    with pytest.raises(IsakmpError, match="no SA of west-east"):
        west.daemon.rekey("west-east", what)


@WHAT
def test_what_is_being_deleted_is_left_alone(what: str) -> None:
    net, west, _ = of_version(2)
    west.daemon.teardown("east", 1)
    before = len(net.history)
    with pytest.raises(
        IsakmpError, match="the SA of west-east is being replaced or deleted already"
    ):
        west.daemon.rekey("west-east", what)
    net.run(10)
    assert not west.rows(1) + west.rows(2)
    assert {p.header.exchange_type for p in net.history[before:]} == {37}, "deletes only"


@VERSIONS
@WHAT
def test_who_is_passive_begins_nothing(version: int, what: str) -> None:
    net, west, _ = of_version(version)
    west.daemon.set_active(False)
    before = len(net.history)
    with pytest.raises(IsakmpError, match="is passive"):
        west.daemon.rekey("west-east", what)
    assert len(net.history) == before


@VERSIONS
def test_by_hand_is_tried_once(version: int) -> None:
    net, west, east = of_version(version)
    east.app.refused.add("get_spi")
    west.daemon.rekey("west-east", "quick")
    net.run(120)
    assert len(west.reasons()) == 1
    assert connected(west) and connected(east)


def test_a_rekeying_that_takes_longer_than_its_wait_is_begun_again() -> None:
    """A successor is asked for every 20 s, and an answer waited for three times as long."""
    net, west, _ = up(replace(WEST, general="Retransmits= 5"), both()[1])
    _, child = sas_of(west)
    net.lose = lambda packet: packet.src == west.address
    west.daemon.expire(Expire(child.inbound()[0], False))
    net.until(lambda: west.reasons(), 120)
    net.lose = lambda packet: False
    net.until(lambda: child.state is not State.ESTABLISHED, 30)
