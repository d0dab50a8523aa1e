"""Clear packets to ESP packets: what waits, what is too big, what may not go. RFC 4301 5.1."""

from __future__ import annotations

import errno
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from isakmp.app.base import (
    Action,
    Direction,
    PolicySpec,
)
from isakmp.app.engine import outbound
from isakmp.app.engine.drop import Drop
from isakmp.app.engine.packet import (
    HOP_BY_HOP,
    UDP,
    build,
)
from isakmp.app.engine.sad import sa_id
from isakmp.policy.spd import Selector
from regress.app.engine.pair import (
    ENDS,
    INSIDE,
    MODE,
    PORTS,
    Host,
    Pair,
    datagram,
    esp_of,
    fragmentable,
    later_fragment,
    make_policy,
    make_spec,
)


def test_a_packet_waits_for_its_sa() -> None:
    """RFC 4301 5.1."""
    pair = Pair()
    near = pair.near
    near.engine.delete(sa_id(pair.out_spec))
    packets = [datagram(size=size) for size in (10, 20, 30)]
    for packet in packets:
        near.engine.packet_out(packet)
    (event,) = near.events.acquires
    assert (event.reqid, event.selector) == (7, Selector.of("10.1.0.1/32", "10.2.0.1/32"))
    assert (event.src, event.dst) == ENDS[4]
    near.engine.add(pair.out_spec)
    pair.carry()
    assert pair.far.netif.delivered == packets


def test_acquires_are_paced_and_what_waits_is_bounded() -> None:
    pair = Pair()
    near = pair.near
    near.engine.delete(sa_id(pair.out_spec))
    for size in range(100):
        near.engine.packet_out(datagram(size=size))
    assert len(near.events.acquires) == 1
    near.clock.time += outbound.ACQUIRE_EVERY_S
    near.engine.packet_out(datagram(size=100))
    assert len(near.events.acquires) == 2
    near.engine.add(pair.out_spec)
    assert len(near.wire.sent) == outbound.HELD_PER_POLICY
    pair.carry()
    assert pair.far.netif.delivered[-1] == datagram(size=100)


def test_what_waits_in_all_is_bounded() -> None:
    host = Host()
    specs = []
    for number in range(40):
        selector = Selector.of("10.1.0.0/16", f"10.2.{number}.0/24")
        specs.append(make_spec(inbound=False, spi=0x1000 + number, selector=selector, reqid=number))
        host.engine.add_policy(make_policy(specs[-1]))
        for size in range(20):
            dst = ip_address(f"10.2.{number}.1")
            host.engine.packet_out(build(INSIDE[4][0], dst, UDP, PORTS + bytes(size)))
    for spec in specs:
        host.engine.add(spec)
    assert len(host.wire.sent) == outbound.HELD_IN_ALL
    assert len(host.events.acquires) == 40


def test_old_packets_do_not_wait_for_ever() -> None:
    pair = Pair()
    pair.near.engine.delete(sa_id(pair.out_spec))
    pair.near.engine.packet_out(datagram())
    pair.near.clock.time += outbound.HELD_S + 1
    pair.near.engine.add(pair.out_spec)
    assert not pair.near.wire.sent
    assert pair.near.engine.drops[Drop.HELD_EXPIRED] == 1


def test_what_waits_follows_a_replaced_policy() -> None:
    pair = Pair()
    near = pair.near
    near.engine.delete(sa_id(pair.out_spec))
    near.engine.packet_out(datagram())
    near.engine.add_policy(make_policy(pair.out_spec)._replace(reqid=8))
    near.engine.add(pair.out_spec)
    assert not near.wire.sent
    near.engine.add(pair.out_spec._replace(spi=0x2000, reqid=8))
    assert [sent[0][:4].hex() for sent in near.wire.sent] == ["00002000"]


def test_what_waits_goes_with_a_replaced_policy_whose_sa_was_there_first() -> None:
    pair = Pair()
    near = pair.near
    near.engine.delete(sa_id(pair.out_spec))
    near.engine.packet_out(datagram())
    near.engine.add(pair.out_spec._replace(spi=0x2000, reqid=8))
    assert not near.wire.sent
    near.engine.add_policy(make_policy(pair.out_spec)._replace(reqid=8))
    assert [sent[0][:4].hex() for sent in near.wire.sent] == ["00002000"]


def test_what_waits_for_an_sa_that_never_comes_is_given_up_in_time() -> None:
    pair = Pair()
    near = pair.near
    near.engine.delete(sa_id(pair.out_spec))
    for size, wait in ((1, outbound.HELD_S / 2), (2, outbound.HELD_S / 2), (3, outbound.HELD_S)):
        near.engine.packet_out(datagram(size=size))
        near.clock.time += wait
        near.timers.run()
    assert near.engine.drops[Drop.HELD_EXPIRED] == 3
    assert not [event for event in near.timers.pending() if event.name == "held packets"]


@pytest.mark.parametrize("first", ["sa", "policy"])
def test_what_waits_goes_with_a_narrower_policy(first: str) -> None:
    """A child SA for one pair of addresses has a policy of its own."""
    pair = Pair()
    near = pair.near
    near.engine.delete(sa_id(pair.out_spec))
    near.engine.packet_out(datagram())
    there = ip_address("10.2.0.77")
    near.engine.packet_out(build(INSIDE[4][0], there, UDP, PORTS))
    (here, _), selector = INSIDE[4], Selector.of("10.1.0.1/32", "10.2.0.77/32")
    spec = pair.out_spec._replace(spi=0x2000, reqid=8, selectors=(selector,))
    steps: list[Callable[[], object]] = [
        lambda: near.engine.add(spec),
        lambda: near.engine.add_policy(make_policy(spec)),
    ]
    for step in steps if first == "sa" else reversed(steps):
        step()
    assert [sent[0][:4].hex() for sent in near.wire.sent] == ["00002000"]
    near.engine.add(pair.out_spec)
    assert [sent[0][:4].hex() for sent in near.wire.sent[1:]] == ["00001000"]
    near.engine.packet_out(build(here, there, UDP, PORTS))
    assert near.wire.sent[-1][0][:4].hex() == "00002000"


def test_what_has_waited_too_long_does_not_go_with_a_narrower_policy() -> None:
    pair = Pair()
    near = pair.near
    near.engine.delete(sa_id(pair.out_spec))
    near.engine.packet_out(datagram())
    near.clock.time += outbound.HELD_S + 1
    selector = Selector.of("10.1.0.1/32", "10.2.0.1/32")
    spec = pair.out_spec._replace(spi=0x2000, reqid=8, selectors=(selector,))
    near.engine.add(spec)
    near.engine.add_policy(make_policy(spec))
    assert not near.wire.sent
    assert near.engine.drops[Drop.HELD_EXPIRED] == 1


def test_a_policy_without_ends_cannot_ask() -> None:
    host = Host()
    policy = make_policy(make_spec(inbound=False))._replace(src=None, dst=None)
    host.engine.add_policy(policy)
    host.engine.packet_out(datagram())
    assert not host.events.acquires
    assert host.engine.drops[Drop.NO_SA] == 1
    host.engine.add(make_spec(inbound=False))
    host.engine.packet_out(datagram())
    assert len(host.wire.sent) == 1


def test_fragments_do_not_slip_past_a_policy_with_ports() -> None:
    host = Host()
    selector = Selector.of("10.1.0.0/16", "10.2.0.0/16", UDP, 0, 53)
    host.engine.add_policy(PolicySpec(Direction.OUT, selector, dst=ENDS[4][1]))
    wide = Selector.of("0.0.0.0/0", "0.0.0.0/0")
    host.engine.add_policy(PolicySpec(Direction.OUT, wide, dst=ENDS[4][1], reqid=9))
    host.engine.packet_out(later_fragment())
    assert host.engine.drops[Drop.FRAGMENT] == 1
    assert not host.wire.forwarded


@pytest.mark.parametrize("narrow", [False, True])
def test_fragments_are_not_let_pass_for_ports_they_do_not_show(narrow: bool) -> None:
    pair = Pair()
    where = ("10.1.0.0/16", "10.2.0.0/16") if narrow else ("0.0.0.0/0", "0.0.0.0/0")
    passing = PolicySpec(Direction.OUT, Selector.of(*where, UDP, 0, 53), Action.BYPASS)
    pair.near.engine.add_policy(passing)
    assert pair.through(later_fragment()) == [later_fragment()], "it is protected"
    assert not pair.near.wire.forwarded


def test_what_is_let_pass_is_so_in_pieces_too() -> None:
    host = Host()
    selector = Selector.of("10.1.0.0/16", "10.2.0.0/16", UDP, 0, 53)
    host.engine.add_policy(PolicySpec(Direction.OUT, selector, dst=ENDS[4][1]))
    wide = Selector.of("0.0.0.0/0", "0.0.0.0/0")
    host.engine.add_policy(PolicySpec(Direction.OUT, wide, Action.BYPASS))
    whole = build(*ENDS[4], UDP, (1000).to_bytes(2) + (53).to_bytes(2) + bytes(20))
    for packet in (whole, later_fragment()):
        host.engine.packet_out(packet)
    assert len(host.wire.forwarded) == 2, "a Bypass stands before connections, whatever their ports"


def test_fragments_pass_a_tunnel_and_no_transport_mode() -> None:
    """RFC 4301 7."""
    pair = Pair()
    assert pair.through(later_fragment()) == [later_fragment()]
    pair = Pair(mode=MODE.TRANSPORT)
    packet = build(*ENDS[4], UDP, PORTS + bytes(20))
    pair.near.engine.packet_out(packet[:6] + b"\x20\x00" + packet[8:])
    assert pair.near.engine.drops[Drop.FRAGMENT] == 1


def test_headers_that_belong_outside_esp_are_refused() -> None:
    pair = Pair(mode=MODE.TRANSPORT, outer=6)
    extended = bytes([UDP, 0]) + bytes(6) + PORTS + bytes(4)
    pair.near.engine.packet_out(build(*ENDS[6], HOP_BY_HOP, extended))
    assert pair.near.engine.drops[Drop.UNSUPPORTED] == 1


@pytest.mark.parametrize("version", [4, 6])
def test_packets_that_are_too_big_are_told_of(version: int) -> None:
    pair = Pair(inner=version)
    pair.near.engine.packet_out(datagram(version, 1450))
    assert not pair.near.wire.sent
    (error,) = pair.near.netif.delivered
    at = 26 if version == 4 else 46
    mtu = int.from_bytes(error[at : at + 2], "big")
    head = len(datagram(version, 0))
    fits = datagram(version, mtu - head)
    assert pair.through(fits) == [fits]
    largest = 1500 - 20
    assert largest - 4 < len(esp_of(pair, fits)) <= largest
    pair.near.engine.packet_out(datagram(version, mtu - head + 1))
    assert len(pair.near.netif.delivered) == 2


def test_dont_fragment_is_copied() -> None:
    """RFC 4301 8."""
    pair = Pair()
    pair.near.engine.packet_out(datagram())
    pair.near.engine.packet_out(fragmentable(datagram()))
    pair.near.engine.packet_out(fragmentable(datagram(size=3000)))
    assert [sent[4] for sent in pair.near.wire.sent] == [True, False, False]


def test_ipv6_packets_of_the_least_mtu_always_go() -> None:
    pair = Pair(inner=6)
    pair.near.wire.mtu = 1280
    pair.near.clock.time += outbound.MTU_AGE_S + 1
    packet = datagram(6, 1280 - 44)
    assert len(packet) == 1280
    pair.near.engine.packet_out(datagram(6, 1440))
    pair.near.engine.packet_out(packet)
    assert [sent[4] for sent in pair.near.wire.sent] == [False]


def test_emsgsize_teaches_the_path() -> None:
    pair = Pair()
    near = pair.near
    near.wire.error = OSError(errno.EMSGSIZE, "Message too long")
    near.wire.mtu = 1400
    near.engine.packet_out(datagram(size=1390))
    near.wire.error = None
    (error,) = near.netif.delivered
    assert 1300 < int.from_bytes(error[26:28], "big") < 1400
    near.engine.packet_out(datagram(size=1390))
    assert len(near.netif.delivered) == 2
    assert not near.wire.sent
    near.wire.mtu = 1500
    near.clock.time += outbound.MTU_AGE_S + 1
    near.engine.packet_out(datagram(size=1390))
    assert len(near.wire.sent) == 1


def test_emsgsize_of_a_path_that_says_nothing() -> None:
    pair = Pair()
    near = pair.near
    near.wire.error = OSError(errno.EMSGSIZE, "Message too long")
    near.engine.packet_out(datagram(size=1390))
    near.wire.error = None
    (error,) = near.netif.delivered
    assert int.from_bytes(error[26:28], "big") < 1280
