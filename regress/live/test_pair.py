"""What the live tests count as lost."""

from __future__ import annotations

from regress.live.pair import answered, lost_of

LINE = "64 bytes from 10.10.2.1: icmp_seq=%d ttl=64 time=0.5 ms\n"


def test_answers_are_read() -> None:
    output = LINE % 1 + "From 10.10.1.1 icmp_seq=2 Destination Host Unreachable\n" + LINE % 3
    assert answered(output) == {1, 3}


def test_gaps_are_losses_and_what_is_on_its_way_is_none() -> None:
    assert lost_of(100, set(range(1, 101)), 0.02) == 0
    assert lost_of(100, set(range(1, 100)), 0.02) == 0
    assert lost_of(100, set(range(1, 101)) - {50}, 0.02) == 1
    assert lost_of(101, set(range(1, 101)) - {50, 51}, 0.02) == 2


def test_a_tunnel_that_is_dead_at_the_end_has_lost_all_since() -> None:
    assert lost_of(200, set(range(1, 101)), 0.02) == 100
    assert lost_of(200, set(), 0.02) == 200
