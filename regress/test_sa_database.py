"""Where SAs are found, and that nothing stays behind."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from isakmp.sa import State
from isakmp.sa_database import SaDatabase
from regress.pair import both, up


def test_an_sa_is_found_by_everything_it_is_known_by() -> None:
    _, west, _ = up()
    sas = west.daemon.sas
    (sa,) = sas.isakmp.values()
    (child,) = sas.all_children()
    (protocol,) = child.protocols
    assert sas.current(sa.peer) is sas.current_of_remote("east") is sa
    assert sas.of_peer(sa.peer) == [sa]
    assert sas.children_of(sa) == sas.of_connection("west-east") == [child]
    assert sas.in_slot(child.slot) == sas.of_flow("west-east", child.selector) == [child]
    assert sas.knows("east")
    assert not sas.knows("west")
    assert sas.child_by_spi(3, protocol.spi_out, "192.0.2.2") is child
    assert sas.child_by_spi(3, protocol.spi_out, "192.0.2.3") is None
    assert sas.child_by_spi(2, protocol.spi_out, "192.0.2.2") is None
    assert [n.spi for n in child.inbound() + child.outbound()] == [
        protocol.spi_in, protocol.spi_out
    ]  # fmt: skip
    assert str(sa).startswith("ISAKMP SA east ")
    assert f"in 0x{protocol.spi_in:08x}" in str(child)


def test_nothing_stays_behind() -> None:
    net, west, east = up(*both(suites="QM-ESP-AES-SHA-SUITE"))
    for host in (west, east):
        sas = host.daemon.sas
        (child,), (sa,) = sas.all_children(), sas.isakmp.values()
        sas.remove_child(child)
        sas.remove_child(child)
        sas.remove(sa)
        sas.remove(sa)
        assert (sa.state, child.state) == (State.DEAD, State.DEAD)
        assert not sa.events
        assert not child.events
        empty = vars(SaDatabase())
        assert {name: value for name, value in vars(sas).items() if value} == {
            name: value for name, value in empty.items() if value
        }
    assert net.now


def test_an_spi_that_two_peers_behind_one_address_have_stays_with_its_last() -> None:
    _, west, _ = up()
    (child,) = west.daemon.sas.all_children()
    sas = SaDatabase()
    other = replace(child, peer=(("another", b"", ""), None), protocols=tuple(
        p._replace(spi_in=p.spi_in ^ 1) for p in child.protocols
    ))  # fmt: skip
    sas.add_child(child)
    sas.add_child(other)
    sas.remove_child(child)
    assert sas.child_by_spi(3, other.protocols[0].spi_out, "192.0.2.2") is other


def test_the_newest_that_is_not_superseded_is_the_current_one() -> None:
    _, west, _ = up()
    sas = SaDatabase()
    (old,) = west.daemon.sas.isakmp.values()
    new = replace(old, cky_i=b"another!", established=old.established + 5)
    sas.add(old)
    sas.add(new)
    assert sas.current(old.peer) is new
    new.state = State.SUPERSEDED
    assert sas.current(old.peer) is old
    sas.remove(old)
    assert sas.current(old.peer) is sas.current_of_remote("east") is None
    assert sas.current((("nobody", b"", ""), None)) is None


def test_a_successor_is_later() -> None:
    """What is older may be as lost."""
    _, west, _ = up()
    sas = SaDatabase()
    (old,) = west.daemon.sas.isakmp.values()
    (child,) = west.daemon.sas.all_children()
    middle, new = (
        replace(old, cky_i=name, established=old.established + later)
        for name, later in ((b"another!", 5), (b"the last", 9))
    )
    for sa in (new, old, middle):
        sas.add(sa)
    assert sas.successor(old) is sas.successor(middle) is sas.successor(child) is new
    assert sas.successor(new) is None
    new.state = State.SUPERSEDED
    assert sas.successor(old) is middle and sas.successor(middle) is None


def test_a_peer_that_moves_is_found_again() -> None:
    _, west, _ = up()
    sas = west.daemon.sas
    (sa,) = sas.isakmp.values()
    before = sa.peer
    sas.moved(sa, sa.path._replace(remote=ip_address("192.0.2.99")))
    assert sas.of_peer(before) == []
    assert sas.of_peer(sa.peer) == [sa]
    sas.remove(sa)
    assert sas.of_peer(sa.peer) == []


def test_the_sa_of_an_address_is_found_without_a_look_at_all_others() -> None:
    """It is looked for whenever ESP comes that nobody has an SA for."""
    _, west, _ = up()
    sas = west.daemon.sas
    (sa,) = sas.isakmp.values()
    old, new = sa.path, sa.path._replace(remote=ip_address("192.0.2.77"))

    class Closed(dict[Any, Any]):
        def values(self) -> Any:
            raise AssertionError("all of them are looked at")

    sas.isakmp = Closed(sas.isakmp)
    assert sas.at(old) is sa and sas.at(new) is None
    assert sas.at(old._replace(encap=True, remote_port=4500)) is None, "that is its neighbour"
    sas.moved(sa, new)
    assert sas.at(old) is None and sas.at(new) is sa
    sas.remove(sa)
    assert sas.at(new) is None
