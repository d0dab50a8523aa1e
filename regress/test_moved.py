"""A peer that a NAT has moved while we ask it something hears us where it is now."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from isakmp.constants import isakmp
from isakmp.errors import ApplicationError, Reason
from isakmp.event.job import Job
from isakmp.sa import State
from regress.pair import Packet, agree
from regress.scripts.ikev1.test_nat import INSIDE, OUTSIDE, through_nat
from regress.traffic import flows


@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
def test_what_is_asked_already_is_repeated_to_where_the_peer_is_now(version: str) -> None:
    tag = f"\nKey-exchange= {version}"
    one, other = (replace(s, peer_tags=s.peer_tags + tag) for s in (INSIDE, OUTSIDE))
    net, west, east, nat = through_nat(one, other)
    before = {row["spi_in"] for row in east.rows(2)}
    nat.rebind()
    east.daemon.rekey("east-west", "quick")
    net.run(0.5)
    assert {row["spi_in"] for row in east.rows(2)} == before, "nobody is there any more"
    (sa,) = west.daemon.sas.isakmp.values()
    engine = west.daemon.engine
    engine.dialects[sa.dialect].probe(engine, sa, 1)
    net.run(8)
    assert {row["spi_in"] for row in east.rows(2)}.isdisjoint(before)
    assert {row["spi_in"] for row in east.rows(2)} == {row["spi_out"] for row in west.rows(2)}


@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
def test_a_peer_that_moves_with_each_message_is_followed_so_often_a_minute(version: str) -> None:
    tag = f"\nKey-exchange= {version}"
    one, other = (replace(s, peer_tags=s.peer_tags + tag) for s in (INSIDE, OUTSIDE))
    net, west, east, nat = through_nat(one, replace(other, general="Max-negotiations= 20"))
    (sa,) = west.daemon.sas.isakmp.values()
    engine = west.daemon.engine
    for number in range(60):
        nat.rebind()
        engine.dialects[sa.dialect].probe(engine, sa, number)
        net.pump()
    assert 10 < east.said.count("peer moved") <= 20
    assert east.said.count("bound met by") == 1
    net.run(60)
    engine.dialects[sa.dialect].probe(engine, sa, 61)
    net.run(1)
    assert next(iter(east.daemon.sas.isakmp.values())).path.remote_port == nat._next


@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
def test_what_the_stack_does_not_move_has_a_successor_where_the_peer_is(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = f"\nKey-exchange= {version}"
    one, other = (replace(s, peer_tags=s.peer_tags + tag) for s in (INSIDE, OUTSIDE))
    net, west, east, nat = through_nat(one, other)
    full: Job[None] = Job.failed(ApplicationError("there is no room"))
    with monkeypatch.context() as patch:
        patch.setattr(east.app, "move_sa", lambda old, new: full)
        nat.rebind()
        (sa,) = west.daemon.sas.isakmp.values()
        engine = west.daemon.engine
        engine.dialects[sa.dialect].probe(engine, sa, 1)
        net.pump()
    assert "refused moving SA" in east.said
    net.run(10)
    (child,) = [c for c in east.daemon.sas.all_children() if c.state is State.ESTABLISHED]
    (spi,) = (p.spi_out for p in child.protocols)
    assert [sa.encap for sa in east.app.sas.values() if sa.spi == spi] == [(4500, nat._next)]
    assert flows(west, east)


@pytest.mark.parametrize("what", ["address", "port"])
@pytest.mark.parametrize("end", ["up", "refused"])
def test_a_peer_that_moves_before_quick_modes_last_message(what: str, end: str) -> None:
    """RFC 3947 5: the SAs are for where it is then, and none of them stays in the stack."""
    net, west, east, nat = through_nat(INSIDE, OUTSIDE)
    before = set(east.app.sas)
    sent: list[Packet] = []

    def lose(packet: Packet) -> bool:
        if packet.src == nat.inside and packet.header.exchange_type == isakmp.Exchange.QUICK_MODE:
            sent.append(packet)
            if len(sent) == 2:
                nat.outside = ip_address("203.0.113.9") if what == "address" else nat.outside
                nat.rebind()
                if end == "refused":
                    east.daemon.engine.bounds.traffic = taken  # type: ignore[method-assign]
        return False

    net.lose = lose
    (sa,), (old,) = west.daemon.sas.isakmp.values(), west.daemon.sas.all_children()
    west.daemon.engine.dialects["ikev1"].begin_child(west.daemon.engine, sa, old.connection, old)
    net.run(5)
    assert len(sent) >= 2
    if end == "refused":
        assert {spec.spi for spec in east.app.sas.values()} <= {name.spi for name in before}
        return
    new = east.daemon.sas.all_children()[-1]
    assert new.path.remote == nat.outside
    agree(west, east)
    for spec in east.app.sas.values():
        there = (spec.src, spec.encap and spec.encap[0])
        here = (spec.dst, spec.encap and spec.encap[1])
        assert (there if spec.inbound else here) == (new.path.remote, new.path.remote_port)
    net.kill(west)
    for child in east.daemon.sas.all_children():
        east.daemon.keeper.children.delete_child(child)
    net.run(300)
    assert not east.app.sas


def taken(*_: Any, **__: Any) -> tuple[Reason, None]:
    return Reason("traffic-of-another", "for a test", line="none"), None


@pytest.mark.parametrize("begins", ["west", "east"])
@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
def test_a_peer_that_moves_while_its_child_sa_waits_for_the_stack(
    version: str, begins: str
) -> None:
    tag = f"\nKey-exchange= {version}"
    one, other = (replace(s, peer_tags=s.peer_tags + tag) for s in (INSIDE, OUTSIDE))
    net, west, east, nat = through_nat(one, other)
    host = {"west": west, "east": east}[begins]
    (sa,), (old,) = host.daemon.sas.isakmp.values(), host.daemon.sas.all_children()
    east.app.held = []
    host.daemon.engine.dialects[version].begin_child(host.daemon.engine, sa, old.connection, None)
    net.run(0.2)
    east.app.release(1)
    net.run(0.2)
    nat.rebind()
    (theirs,) = east.daemon.sas.isakmp.values()
    path = theirs.path._replace(remote=nat.outside, remote_port=20100)
    nat._ports[4500] = 20100
    east.daemon.keeper.moved(theirs, path)
    while east.app.held:
        east.app.release()
        net.run(0.2)
    east.app.held = None
    net.run(10)
    (now,) = {child.path for child in east.daemon.sas.all_children()}
    for spec in east.app.sas.values():
        assert spec.encap is not None
        assert spec.encap[0 if spec.inbound else 1] == now.remote_port
    agree(west, east)
