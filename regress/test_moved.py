"""A peer that a NAT has moved while we ask it something hears us where it is now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from regress.scripts.ikev1.test_nat import INSIDE, OUTSIDE, through_nat


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
