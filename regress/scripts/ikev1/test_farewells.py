"""Deletes of child SAs that got lost: said again under the next ISAKMP SA."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from isakmp.scripts.ikev1.farewells import OF_ONE_MAX, PEERS_MAX, Farewells
from regress.pair import Host, Network, both
from regress.test_places import meet

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


def test_it_is_said_under_one_of_them_alone() -> None:
    net, west, _ = _unheard()
    west.daemon.rekey("east", "main")
    net.run(60)
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


def _child(peer: object, spi: int) -> Any:
    protocol = SimpleNamespace(chosen=SimpleNamespace(protocol=ESP), spi_in=spi)
    return SimpleNamespace(peer=peer, protocols=(protocol,))


def test_few_are_kept_of_one_peer_and_few_peers() -> None:
    farewells, sas = Farewells(), SimpleNamespace(children={})
    for peer in range(PEERS_MAX + 1):
        for spi in range(0x1000, 0x1000 + OF_ONE_MAX + 1):
            farewells.said(_child(peer, spi))
    last = [spi.to_bytes(4, "big") for spi in range(0x1001, 0x1001 + OF_ONE_MAX)]
    assert farewells.to_repeat(PEERS_MAX, sas) == {ESP: last}  # type: ignore[arg-type]
    assert farewells.to_repeat(PEERS_MAX, sas) == {}  # type: ignore[arg-type]
    assert farewells.to_repeat(0, sas) == {}, "who was told first gives way"  # type: ignore[arg-type]


def test_what_has_that_spi_now_is_not_deleted() -> None:
    farewells = Farewells()
    farewells.said(_child("peer", 0x1000))
    sas: Any = SimpleNamespace(children={(ESP, 0x1000): object()})
    assert farewells.to_repeat("peer", sas) == {}  # type: ignore[arg-type]
