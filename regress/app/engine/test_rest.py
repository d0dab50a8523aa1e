"""SAs that have carried nothing for a while, and what stays of them."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from isakmp.app.engine.drop import Drop
from isakmp.app.engine.packet import UDP, build
from isakmp.app.engine.rest import IDLE_S, Rest
from isakmp.app.engine.sad import InboundSa, OutboundSa
from isakmp.event.timer import Timers
from regress.app.engine.pair import ALGORITHMS, OUTER, Pair, make_spec

CLEAR = build(ip_address("10.1.0.1"), ip_address("10.2.0.1"), UDP, bytes(100))


class Sa:
    """Something that rests."""

    def __init__(self) -> None:
        self.used, self.rests = 0.0, 0

    def rest(self) -> None:
        self.rests += 1


class Idle:
    """A Rest on a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers = Timers(lambda: self.now)
        self.rest = Rest(self.timers)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.timers.run()


def test_who_is_idle_rests_and_who_is_not_does_not() -> None:
    world, busy, idle = Idle(), Sa(), Sa()
    world.rest.woken(busy)
    world.rest.woken(idle)
    for _ in range(5):
        busy.used = world.now + IDLE_S - 1
        world.pass_time(IDLE_S)
    assert (busy.rests, idle.rests, len(world.rest)) == (0, 1, 1)
    world.pass_time(2 * IDLE_S)
    assert (busy.rests, len(world.rest)) == (1, 0)
    assert not world.timers.pending()


def test_who_has_ended_does_not_rest_and_leaves_no_timer() -> None:
    world, sa = Idle(), Sa()
    world.rest.woken(sa)
    world.rest.gone(sa)
    world.rest.gone(sa)
    assert not world.timers.pending()
    world.pass_time(2 * IDLE_S)
    assert not sa.rests


def both_ends(pair: Pair) -> tuple[OutboundSa, InboundSa]:
    """What the sender sends with, and what the receiver takes it with."""
    (out,), (in_,) = list(pair.near.engine._sad), list(pair.far.engine._sad)
    assert isinstance(out, OutboundSa) and isinstance(in_, InboundSa)
    return out, in_


def carry(pair: Pair) -> bytes:
    """Send one packet, and have it received; the ESP packet."""
    pair.near.engine.packet_out(CLEAR)
    esp, src, dst, encap, _, tos = pair.near.wire.sent[-1]
    pair.far.engine.esp_in(esp, src, dst, encap, tos)
    return esp


@pytest.mark.parametrize("esn", [False, True])
@pytest.mark.parametrize("algorithm", [ALGORITHMS[0], ALGORITHMS[9], ALGORITHMS[13]])
def test_numbers_go_on_and_none_is_taken_twice(esn: bool, algorithm: tuple) -> None:  # type: ignore[type-arg]
    """RFC 4303 3.3.3, 3.4.3: not even after a rest."""
    pair = Pair(algorithm=algorithm, esn=esn)
    sent = [carry(pair) for _ in range(3)]
    out, in_ = both_ends(pair)
    for host in (pair.near, pair.far):
        host.pass_time(IDLE_S)
        host.pass_time(IDLE_S)
        assert not len(host.engine._sad.rest)
    assert not out.begun and in_.open is None and not in_.accepted
    before = dict(pair.far.engine.drops.to_dict())
    src, dst = (ip_address(address) for address in OUTER[4])
    pair.far.engine.esp_in(sent[-1], src, dst)
    assert (
        pair.far.engine.drops.to_dict().get(Drop.REPLAY.value, 0)
        == before.get(Drop.REPLAY.value, 0) + 1
    )
    sent += [carry(pair) for _ in range(3)]
    assert [int.from_bytes(esp[4:8], "big") for esp in sent] == [1, 2, 3, 4, 5, 6]
    assert len(pair.far.netif.delivered) == 6
    assert (out.packets, in_.packets) == (6, 6)


def test_what_rests_can_be_moved_and_ends() -> None:
    pair = Pair()
    carry(pair)
    for host in (pair.near, pair.far):
        host.pass_time(IDLE_S)
        host.pass_time(IDLE_S)
    moved = make_spec(inbound=False, encap=(4500, 4500))
    pair.near.engine.update(moved)
    carry(pair)
    assert pair.near.wire.sent[-1][3] == (4500, 4500)
    assert int.from_bytes(pair.near.wire.sent[-1][0][4:8], "big") == 2
    pair.near.engine.flush()
    pair.far.engine.flush()
    assert not pair.near.timers.pending() and not pair.far.timers.pending()
