"""Deletes of child SAs that got lost: said again under the next ISAKMP SA."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest

from isakmp.errors import Reason, Refused
from isakmp.event.job import Job
from isakmp.sa import Peer
from isakmp.scripts.ikev1.farewells import (
    ELSEWHERE_MAX,
    OF_ONE_MAX,
    PEERS_MAX,
    Farewells,
    Stage,
)
from regress.keeper.test_places import meet
from regress.pair import Gateway, Host, Network, both, network_id

ESP = 3


def _unheard() -> tuple[Network, Host, Host]:
    """East takes its child SA down, and no word of that arrives."""
    net = Network()
    west, east = (net.host(gateway) for gateway in both())
    net.start()
    net.run(3)
    assert len(west.rows(2)) == len(east.rows(2)) == 1
    net.lose = lambda packet: True
    east.daemon.teardown("east-west", 2)
    net.run(3)
    net.lose = lambda packet: False
    assert (len(west.rows(2)), len(east.rows(2))) == (1, 0)
    return net, west, east


@pytest.mark.parametrize("asks", [0, 1])
def test_who_has_missed_a_delete_hears_it_under_the_next_isakmp_sa(asks: int) -> None:
    """Whoever begins that. Until then it sends into nothing."""
    net, west, east = _unheard()
    host = (west, east)[asks]
    net.run(30)
    assert len(west.rows(2)) == 1, "nothing else has told it"
    host.daemon.rekey(("east", "west")[asks], "main")
    net.run(1)
    assert not west.rows(2)
    assert "deleted by the peer" in west.said
    assert "deletes what nobody has" not in west.said


def test_it_is_said_for_some_minutes_and_no_more() -> None:
    """Also under what takes the place of that ISAKMP SA, as nobody says that it was heard."""
    net, west, _ = _unheard()
    for seconds in (60, 600):
        west.daemon.rekey("east", "main")
        net.run(seconds)
    west.log.set_level(None, 99)
    west.lines.clear()
    west.daemon.rekey("east", "main")
    net.run(60)
    assert "deletes what nobody has" not in west.said


def test_one_identity_at_two_places_is_two_peers() -> None:
    """What is said to the one is none of the other's."""
    net, server, first, second = meet("main", "never")
    child = next(
        child for child in server.daemon.sas.all_children() if child.path.remote == first.address
    )
    net.lose = lambda packet: packet.dst == first.address
    server.daemon.keeper.children.delete_child(child)
    net.run(3)
    net.lose = lambda packet: False
    for host, left in ((second, 1), (first, 0)):
        host.daemon.rekey("east", "main")
        net.run(3)
        assert len(first.rows(2)) == left
    assert len(second.rows(2)) == 1


def text_of_many(gateway: Gateway, near: int, far: int, count: int) -> str:
    """Its configuration, with so many connections more."""
    names = [f"c{number}" for number in range(count)]
    listed = f"onnections= {gateway.connection}\n"
    more = "".join(
        f"[{name}]\nPhase= 2\nISAKMP-peer= {gateway.peer}\nConfiguration= phase-2\n"
        f"Local-ID= near-{name}\nRemote-ID= far-{name}\n"
        + network_id(f"near-{name}", f"10.{near}.{number}.0/24")
        + network_id(f"far-{name}", f"10.{far}.{number}.0/24")
        for number, name in enumerate(names)
    )
    text = replace(gateway, more=more).text()
    return text.replace(listed, f"onnections= {','.join([gateway.connection, *names])}\n")


def _many(count: int) -> tuple[Network, Host, Host]:
    """West and east with so many connections more than one, all of them up."""
    net, (one, other) = Network(), both()
    west = net.add(one.address, text_of_many(one, 11, 12, count))
    east = net.add(other.address, text_of_many(other, 12, 11, count))
    net.start()
    net.run(10)
    assert len(west.rows(2)) == len(east.rows(2)) == count + 1
    return net, west, east


def test_dozens_that_were_taken_down_at_once_are_all_said_again() -> None:
    net, west, east = _many(40)
    net.lose = lambda packet: True
    east.daemon.teardown_all()
    net.run(3)
    net.lose = lambda packet: False
    assert (len(west.rows(2)), len(east.rows(2))) == (41, 0)
    east.daemon.rekey("west", "main")
    net.run(1)
    assert not west.rows(2)


def test_what_no_isakmp_sa_was_there_to_be_said_under_is_said_under_the_next() -> None:
    """The other child SA tells that we have not restarted, so that no INITIAL_CONTACT does it."""
    net, west, east = _many(1)
    (sa,) = east.daemon.sas.isakmp.values()
    east.daemon.delete_sa(sa.cookies, None)
    net.run(2)
    east.daemon.teardown("c0", 2)
    net.run(2)
    assert (len(west.rows(1)), len(west.rows(2)), len(east.rows(2))) == (0, 2, 1)
    (child,) = east.daemon.sas.all_children()
    east.daemon.connections.begin_sa_of(child)
    net.run(1)
    assert [row["name"] for row in west.rows(2)] == ["west-east"]


def test_what_was_told_under_an_sa_that_ended_before_the_peer_heard_is_said_under_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under an IKE SA, which the peer was deleting just then."""
    net, west, east = _many(1)
    ended: Job[None] = Job.failed(Refused(Reason("sa-gone", "its IKE SA was deleted")))
    with monkeypatch.context() as patch:
        patch.setattr(east.daemon.engine.dialects["ikev1"], "tell_deleted", lambda *_: ended)
        east.daemon.teardown("c0", 2)
    net.run(2)
    assert (len(west.rows(2)), len(east.rows(2))) == (2, 1)
    east.daemon.rekey("west", "main")
    net.run(1)
    assert [row["name"] for row in west.rows(2)] == ["west-east"]


def test_who_was_taken_for_dead_and_is_back_hears_what_has_ended() -> None:
    """INITIAL_CONTACT cannot tell it where one section is for many, and others are there."""
    world = meet("main", "no", tags="Unique-ids= no")
    net, server, phone = world.net, world.server, world.first
    net.lose = lambda packet: phone.address in (packet.src, packet.dst)
    (sa,) = [s for s in server.daemon.sas.isakmp.values() if s.path.remote == phone.address]
    server.daemon.keeper.liveness.suspect(sa)
    net.until(lambda: len(server.rows(2)) == 1, 200)
    net.lose = lambda packet: False
    assert len(phone.rows(2)) == 1
    phone.daemon.rekey("east", "main")
    net.run(1)
    assert not phone.rows(2)
    net.run(60)
    assert not phone.rows(2), "what is over is not made anew"


def _peer(number: int, address: str = "") -> Peer:
    """One identity at so many places."""
    return ("west", "phone", address), (ip_address("192.0.2.1"), number)


def _child(peer: Peer, spi: int) -> Any:
    protocol = SimpleNamespace(chosen=SimpleNamespace(protocol=ESP), spi_in=spi)
    return SimpleNamespace(peer=peer, protocols=(protocol,))


def _sas(*there: Peer, children: Any = ()) -> Any:
    return SimpleNamespace(children=children, of_peer=lambda peer: [peer] if peer in there else [])


def _begun(
    farewells: Farewells, peer: Peer, sas: Any, came: bool = False, shared: bool = True
) -> dict[int, list[bytes]]:
    """What is said from now on under a new ISAKMP SA, and was not before."""
    series = farewells.begin(peer, sas, Stage.NEXT_SA, came, shared)
    return farewells.to_say(peer, series, sas) if series else {}


def test_few_are_kept_of_one_peer_and_few_peers() -> None:
    farewells, sas = Farewells(), _sas()
    for number in range(PEERS_MAX + 1):
        for spi in range(0x1000, 0x1000 + OF_ONE_MAX + 1):
            farewells.said(_child(_peer(number), spi))
    last = [spi.to_bytes(4, "big") for spi in range(0x1001, 0x1001 + OF_ONE_MAX)]
    assert _begun(farewells, _peer(PEERS_MAX), sas) == {ESP: last}
    assert _begun(farewells, _peer(PEERS_MAX), sas) == {}
    assert _begun(farewells, _peer(0), sas) == {}, "who was told first gives way"


def test_what_has_that_spi_now_is_not_deleted() -> None:
    farewells = Farewells()
    farewells.said(_child(_peer(0), 0x1000))
    assert _begun(farewells, _peer(0), _sas(children={(ESP, 0x1000)})) == {}


def test_what_is_told_at_several_places_is_kept_once() -> None:
    farewells = Farewells()
    for spi in (0x1000, 0x1001, 0x1000):
        farewells.said(_child(_peer(0), spi))
    assert _begun(farewells, _peer(0), _sas()) == {ESP: [b"\0\0\x10\x01", b"\0\0\x10\0"]}


def test_who_comes_to_a_new_place_hears_what_belongs_to_those_that_are_left() -> None:
    farewells, sas = Farewells(), _sas(_peer(1), _peer(2))
    for number in range(2):
        farewells.said(_child(_peer(number), 0x1000 + number))
    first = {ESP: [b"\0\0\x10\0"]}
    assert _begun(farewells, _peer(2), sas) == {}, "it was there before"
    assert _begun(farewells, _peer(2), sas, came=True) == first, "the other has its own device"
    for _ in range(ELSEWHERE_MAX - 1):
        assert _begun(farewells, _peer(2), sas, came=True) == first
    assert _begun(farewells, _peer(2), sas, came=True) == {}, "so many have heard it"
    assert _begun(farewells, _peer(0), sas) == first


def test_the_same_address_elsewhere_is_somebody_else_where_a_section_is_for_many() -> None:
    farewells = Farewells()
    farewells.said(_child(_peer(0, "203.0.113.1"), 0x1000))
    new = _peer(0, "203.0.113.2")
    assert _begun(farewells, new, _sas(), came=True) == {}
    assert _begun(farewells, new, _sas(), came=True, shared=False) == {ESP: [b"\0\0\x10\0"]}
