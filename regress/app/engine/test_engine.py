"""The key engine as its users see it: two of them, joined in memory."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest

from isakmp.app.base import (
    Action,
    Direction,
    Limits,
    PolicySpec,
    SaId,
    SpiRequest,
    UnknownSpi,
)
from isakmp.app.engine import outbound, sad
from isakmp.app.engine.drop import Drop
from isakmp.app.engine.inbound import UNKNOWN_PER_S
from isakmp.app.engine.packet import (
    HOP_BY_HOP,
    ICMP,
    TCP,
    UDP,
    build,
    checksum,
    fix_checksum,
    parse,
)
from isakmp.app.engine.sad import InboundSa, OutboundSa, sa_id
from isakmp.constants import ipsec
from isakmp.constants.isakmp import Protocol
from isakmp.errors import ApplicationError
from isakmp.event.loop import Loop
from isakmp.policy.spd import Selector
from regress.app.engine.pair import (
    ALGORITHMS,
    AUTH,
    ESP,
    MODE,
    OUTER,
    Host,
    Pair,
    make_policy,
    make_spec,
)

INSIDE = {
    4: (ip_address("10.1.0.1"), ip_address("10.2.0.1")),
    6: (ip_address("fd01::1"), ip_address("fd02::1")),
}
ENDS = {v: (ip_address(OUTER[v][0]), ip_address(OUTER[v][1])) for v in (4, 6)}
PORTS = b"\x04\x00\x00\x35"  # 1024 to 53


def datagram(version: int = 4, size: int = 100, tos: int = 0) -> bytes:
    src, dst = INSIDE[version]
    return build(src, dst, UDP, PORTS + bytes(size), tos=tos)


def fragmentable(packet: bytes) -> bytes:
    """An IPv4 packet without DF; its header's checksum does not matter here."""
    return packet[:6] + b"\0\0" + packet[8:]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: f"{a[0]}-{a[1]}")
@pytest.mark.parametrize("outer", [4, 6])
def test_every_algorithm_mode_and_family(
    algorithm: tuple[int, int, ipsec.Auth | None, int], outer: int
) -> None:
    for inner in (4, 6):
        pair = Pair(outer=outer, inner=inner, algorithm=algorithm)
        for size in (0, 1, 7, 1200):
            packet = datagram(inner, size)
            assert pair.through(packet) == [packet]
    pair = Pair(outer=outer, mode=MODE.TRANSPORT, algorithm=algorithm)
    packet = build(*ENDS[outer], UDP, PORTS + bytes(50), tos=0x10)
    assert pair.through(packet) == [packet]


def test_usage_counts_both_ways() -> None:
    pair = Pair()
    packet = datagram()
    for _ in range(3):
        pair.through(packet)
    pair.near.clock.time += 5
    usage = pair.near.engine.usage(sa_id(pair.out_spec))
    assert (usage.packets, usage.octets) == (3, 3 * len(packet))
    assert (usage.age_s, usage.idle_s) == (5, 5)
    usage = pair.far.engine.usage(sa_id(pair.in_spec))
    assert (usage.packets, usage.octets) == (3, 3 * len(packet))


def test_replays_and_forgeries_are_counted() -> None:
    pair = Pair()
    pair.near.engine.packet_out(datagram())
    esp, src, dst, *_ = pair.near.wire.sent[0]
    forged = esp[:-1] + bytes([esp[-1] ^ 1])
    for packet in (forged, esp, esp, esp):
        pair.far.engine.esp_in(packet, src, dst)
    usage = pair.far.engine.usage(sa_id(pair.in_spec))
    assert (usage.packets, usage.replays, usage.auth_failures) == (1, 2, 1)
    assert len(pair.far.netif.delivered) == 1


def test_esn_passes_the_32_bit_border() -> None:
    pair = Pair(esn=True, window=4096)
    pair.begun().seal.sequence = 2**32 - 3
    pair.opener().replay.accept(2**32 - 100)
    packet = datagram()
    for _ in range(6):
        pair.near.engine.packet_out(packet)
    pair.near.wire.sent.reverse()
    pair.carry()
    assert pair.far.netif.delivered == [packet] * 6


def test_numbers_that_run_low_ask_for_a_rekey() -> None:
    """RFC 4303 3.3.3."""
    pair = Pair()
    sa = pair.begun()
    sa.seal.sequence, sa.packets = 2**32 - 2**20, 0xFFFF
    for _ in range(2):
        assert pair.through(datagram()) == [datagram()]
        sa.packets = 0x1FFFF
    assert [event.hard for event in pair.near.events.expires] == [False]


def test_used_up_numbers_end_an_sa() -> None:
    """RFC 4303 3.3.3."""
    pair = Pair()
    pair.begun().seal.sequence = 2**32 - 1
    pair.near.engine.packet_out(datagram())
    assert pair.near.engine.drops[Drop.SEQUENCE] == 1
    assert [event.hard for event in pair.near.events.expires] == [True]
    assert not list(pair.near.engine.sas())


# SPIs and larval SAs


def spi_request(protocol: Protocol = Protocol.IPSEC_ESP) -> SpiRequest:
    return SpiRequest(protocol, *ENDS[4], MODE.TUNNEL, 7)


def test_spis_are_fresh_and_larval_sas_end() -> None:
    host = Host()
    spis = [host.engine.get_spi(spi_request()) for _ in range(200)]
    assert len(set(spis)) == 200
    assert min(spis) >= 256
    host.engine.esp_in(spis[0].to_bytes(4, "big") + bytes(40), *ENDS[4])
    assert host.engine.drops[Drop.LARVAL] == 1
    host.pass_time(31)
    assert not host.timers.pending()
    with pytest.raises(ApplicationError):
        host.engine.update(make_spec(inbound=True, spi=spis[0]))


def test_a_spi_in_use_is_not_given_again() -> None:
    host = Host()
    draws = iter([bytes(8), bytes(8), (1).to_bytes(8, "big")])
    host.engine._sad._random = lambda size: next(draws)
    assert [host.engine.get_spi(spi_request()) for _ in range(2)] == [256, 257]


def test_every_spi_of_a_small_range_is_given_once() -> None:
    """RFC 2367 3.1.1: where one of the range is free, it is found."""
    host = Host()
    spis = range(0x1000, 0x1000 + 40)
    host.engine.add(make_spec(inbound=True, spi=0x1007))
    given = [host.engine.get_spi(spi_request(), spis) for _ in spis[1:]]
    assert sorted([*given, 0x1007]) == list(spis)
    for none in (spis, range(256, 256)):
        with pytest.raises(ApplicationError):
            host.engine.get_spi(spi_request(), none)


def test_update_completes_a_larval_sa() -> None:
    pair, host = Pair(), Host()
    spi = host.engine.get_spi(spi_request())
    spec = make_spec(inbound=True, spi=spi)
    with pytest.raises(ApplicationError):
        host.engine.add(spec)
    host.engine.update(spec)
    host.pass_time(60)
    assert list(host.engine.sas()) == [spec]
    with pytest.raises(ApplicationError):
        pair.far.engine.update(pair.in_spec._replace(enc_key=bytes(20)))


def test_larval_sas_are_bounded_and_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    monkeypatch.setattr(sad, "MOST_LARVAL", 1)
    spi = host.engine.get_spi(spi_request())
    with pytest.raises(ApplicationError):
        host.engine.get_spi(spi_request())
    host.engine.delete(SaId(Protocol.IPSEC_ESP, spi, *ENDS[4]))
    assert not host.timers.pending()
    with pytest.raises(ApplicationError):
        host.engine.delete(SaId(Protocol.IPSEC_ESP, spi, *ENDS[4]))


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": Protocol.IPSEC_AH},
        {"spi": 255},
        {"spi": 2**32},
        {"dst": ip_address("::1")},
        {"enc_key": b"short"},
    ],
)
def test_sas_that_cannot_be_are_refused(change: dict[str, object]) -> None:
    for inbound in (True, False):
        host = Host()
        with pytest.raises(ApplicationError):
            host.engine.add(make_spec(inbound=inbound)._replace(**change))  # type: ignore[arg-type]
        assert not list(host.engine.sas())


def test_the_same_sa_is_refused_twice() -> None:
    """RFC 4301 4.1."""
    pair = Pair()
    for engine, spec in ((pair.near.engine, pair.out_spec), (pair.far.engine, pair.in_spec)):
        with pytest.raises(ApplicationError):
            engine.add(spec)
        engine.delete(sa_id(spec))
        with pytest.raises(ApplicationError):
            engine.usage(sa_id(spec))
        engine.add(spec)


# Lifetimes


def test_soft_then_hard_by_time() -> None:
    """RFC 4301 4.4.2."""
    pair = Pair(limits=Limits(soft_s=50, hard_s=60))
    for host in (pair.near, pair.far):
        host.pass_time(49)
        assert not host.events.expires
        host.pass_time(2)
        assert [event.hard for event in host.events.expires] == [False]
        assert list(host.engine.sas())
        host.pass_time(10)
        assert [event.hard for event in host.events.expires] == [False, True]
        assert not list(host.engine.sas())


def test_soft_then_hard_by_octets() -> None:
    """RFC 4301 4.4.2."""
    pair = Pair(limits=Limits(soft_bytes=300, hard_bytes=500))
    packet = datagram(size=76)
    assert len(packet) == 100
    for count in range(1, 7):
        pair.through(packet)
        expected = [False] * (count >= 3) + [True] * (count >= 5)
        assert [event.hard for event in pair.near.events.expires] == expected
        assert [event.hard for event in pair.far.events.expires] == expected
    assert pair.near.events.expires[0].sa == sa_id(pair.out_spec)


def test_soft_then_hard_by_packets() -> None:
    pair = Pair(limits=Limits(soft_packets=3, hard_packets=5))
    for count in range(1, 7):
        pair.through(datagram(size=76))
        expected = [False] * (count >= 3) + [True] * (count >= 5)
        assert [event.hard for event in pair.near.events.expires] == expected
        assert [event.hard for event in pair.far.events.expires] == expected


def test_a_deleted_sa_expires_no_more() -> None:
    pair = Pair(limits=Limits(soft_s=5, hard_s=9))
    pair.near.engine.delete(sa_id(pair.out_spec))
    pair.far.engine.flush()
    for host in (pair.near, pair.far):
        host.pass_time(100)
        assert not host.events.expires


# Acquire


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


def test_packets_for_no_sa_are_reported_a_few_a_second() -> None:
    host = Host()
    for spi in range(0x1000, 0x1100):
        host.engine.esp_in(spi.to_bytes(4, "big") + bytes(40), *ENDS[4], (4501, 4500))
    assert host.events.unknown[0] == UnknownSpi(0x1000, *ENDS[4], (4501, 4500))
    assert len(host.events.unknown) == UNKNOWN_PER_S
    host.clock.time += 1
    host.engine.esp_in(b"\1\2\3\4" + bytes(40), *ENDS[4])
    assert host.events.unknown[-1] == UnknownSpi(0x01020304, *ENDS[4], None)
    assert host.engine.drops[Drop.NO_SA] == 0x101


def test_an_sa_that_is_not_complete_is_not_unknown() -> None:
    host = Host()
    request = SpiRequest(Protocol.IPSEC_ESP, *ENDS[4], MODE.TUNNEL, 1)
    spi = host.engine.get_spi(request)
    host.engine.esp_in(spi.to_bytes(4, "big") + bytes(40), *ENDS[4])
    assert host.engine.drops[Drop.LARVAL] == 1
    assert not host.events.unknown


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


# Rekeying


def test_no_packet_is_lost_when_keys_change() -> None:
    pair = Pair()
    new_out = make_spec(inbound=False, spi=0x2000, key=9)
    new_in = make_spec(inbound=True, spi=0x2000, key=9)
    packets = [datagram(size=size) for size in range(6)]
    near, far = pair.near.engine, pair.far.engine
    near.packet_out(packets[0])
    far.add(new_in)
    near.packet_out(packets[1])
    near.add(new_out)
    near.packet_out(packets[2])
    near.delete(sa_id(pair.out_spec))
    near.packet_out(packets[3])
    assert [esp[0][:4].hex() for esp in pair.near.wire.sent] == ["00001000"] * 2 + ["00002000"] * 2
    pair.carry()
    far.delete(sa_id(pair.in_spec))
    assert pair.through(packets[4])[-1] == packets[4]
    assert pair.far.engine.drops.to_dict() == {}


def test_without_the_newest_the_one_before_serves() -> None:
    pair = Pair()
    new = make_spec(inbound=False, spi=0x2000, key=9)
    pair.near.engine.add(new)
    pair.near.engine.delete(sa_id(new))
    assert pair.through(datagram()) == [datagram()]


# Selectors and policies


def test_without_a_reqid_the_ends_tie_an_sa_to_its_policy() -> None:
    elsewhere = ip_address("198.51.100.7")
    spec = make_spec(inbound=False, reqid=0)
    host = Host()
    host.engine.add_policy(make_policy(spec))
    host.engine.add(spec._replace(dst=elsewhere))
    host.engine.add(spec._replace(spi=0x2000, mode=MODE.TRANSPORT))
    host.engine.packet_out(datagram())
    assert len(host.events.acquires) == 1
    host.engine.add(spec)
    assert [sent[2] for sent in host.wire.sent] == [ENDS[4][1]]


def test_the_narrowest_sa_of_a_policy_is_not_used_beyond_its_selector() -> None:
    pair = Pair()
    narrow = make_spec(
        inbound=False, spi=0x3000, selector=Selector.of("10.1.0.9/32", "10.2.0.0/16"), key=3
    )
    pair.near.engine.add(narrow)
    pair.near.engine.packet_out(datagram())
    pair.near.engine.packet_out(build(ip_address("10.1.0.9"), INSIDE[4][1], UDP, PORTS + bytes(9)))
    assert [esp[0][:4].hex() for esp in pair.near.wire.sent] == ["00001000", "00003000"]


def test_policies_are_met_narrowest_first() -> None:
    """RFC 4301 4.4.1."""
    pair = Pair()
    near = pair.near.engine
    selector = Selector.of("10.1.0.0/16", "10.2.0.0/16", UDP, 0, 53)
    near.add_policy(PolicySpec(Direction.OUT, selector, Action.DISCARD))
    clear = Selector.of("10.1.0.0/16", "10.2.0.1/32", UDP, 0, 123)
    near.add_policy(PolicySpec(Direction.OUT, clear, Action.BYPASS))
    near.packet_out(datagram())
    assert near.drops[Drop.DISCARD] == 1
    ntp = build(*INSIDE[4], UDP, b"\0\1\0\x7b" + bytes(40))
    near.packet_out(ntp)
    assert pair.near.wire.forwarded == [ntp]
    other = build(*INSIDE[4], UDP, b"\0\1\0\x54" + bytes(40))
    assert pair.through(other) == [other]
    near.delete_policy(PolicySpec(Direction.OUT, selector, Action.DISCARD))
    assert pair.through(datagram()) == [datagram()]


def test_packets_without_a_policy_pass_in_clear_but_groups_do_not() -> None:
    host = Host()
    packet = datagram()
    host.engine.packet_out(packet)
    assert host.wire.forwarded == [packet]
    for group in ("ff02::16", "ff02::2"):
        host.engine.packet_out(build(ip_address("fe80::1"), ip_address(group), 58, bytes(16)))
    assert host.wire.forwarded == [packet]
    assert host.engine.drops[Drop.NO_POLICY] == 2


def later_fragment(version: int = 4) -> bytes:
    packet = datagram(version)
    return packet[:6] + b"\x00\x10" + packet[8:]


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


def test_inner_packets_must_be_of_the_sas_selector() -> None:
    """RFC 3948 3.1.1, RFC 4301 5.2."""
    pair = Pair()
    stranger = pair.out_spec._replace(selectors=(Selector.of("0.0.0.0/0", "0.0.0.0/0"),), reqid=8)
    near = Host()
    near.engine.add_policy(make_policy(stranger))
    near.engine.add(stranger)
    pair.near = near
    assert pair.through(datagram()) == [datagram()]
    outside = build(ip_address("10.9.0.1"), INSIDE[4][1], UDP, PORTS + bytes(9))
    assert pair.through(outside) == []
    assert pair.far.engine.drops[Drop.SELECTOR] == 1


def test_inner_packets_must_meet_their_own_policy() -> None:
    """RFC 4301 5.2."""
    pair = Pair()
    far = pair.far.engine
    mine = make_policy(pair.in_spec, Direction.IN)
    far.add_policy(mine)
    assert pair.through(datagram()) == [datagram()]
    narrow = Selector.of("10.1.0.1/32", "10.2.0.1/32")
    far.add_policy(mine._replace(selector=narrow, reqid=99))
    assert pair.through(datagram()) == []
    far.add_policy(mine._replace(selector=narrow, action=Action.DISCARD))
    assert pair.through(datagram()) == []
    assert far.drops[Drop.POLICY] == 2
    far.delete_policy(mine._replace(selector=narrow))
    assert pair.through(datagram()) == [datagram()]


def test_the_next_header_must_be_what_is_inside() -> None:
    pair = Pair()
    seal = pair.begun().seal
    cases = [
        (datagram(), 41, Drop.MALFORMED),
        (datagram(), 6, Drop.NEXT_HEADER),
        (bytes(20), 59, Drop.DUMMY),
        (datagram()[:30], 4, Drop.MALFORMED),
        (b"", 4, Drop.MALFORMED),
    ]
    for payload, next_header, kind in cases:
        before = pair.far.engine.drops[kind]
        pair.far.engine.esp_in(seal(payload, next_header), *ENDS[4])
        assert pair.far.engine.drops[kind] == before + 1
    assert not pair.far.netif.delivered


@pytest.mark.parametrize("version", [4, 6])
def test_traffic_flow_padding_is_cut_off(version: int) -> None:
    """RFC 4303 2.6 and 2.7."""
    pair = Pair(inner=version)
    seal = pair.begun().seal
    for _ in range(2):
        padded = datagram(version) + bytes(333)
        pair.far.engine.esp_in(seal(padded, 4 if version == 4 else 41), *ENDS[4])
    assert pair.far.netif.delivered == [datagram(version)] * 2


# Sizes


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


def esp_of(pair: Pair, packet: bytes) -> bytes:
    pair.near.engine.packet_out(packet)
    esp = pair.near.wire.sent[-1][0]
    pair.near.wire.sent.clear()
    return esp


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


def test_a_wire_or_device_that_fails_is_counted() -> None:
    pair = Pair()
    pair.near.engine.packet_out(datagram())
    pair.near.wire.error = OSError(errno.ENETUNREACH, "Network is unreachable")
    pair.near.engine.packet_out(datagram())
    assert pair.near.engine.drops[Drop.SEND] == 1
    pair.far.netif.error = OSError(errno.EIO, "Input/output error")
    pair.carry()
    assert pair.far.engine.drops[Drop.DELIVER] == 1


# DSCP and ECN


def test_tos_goes_out_and_only_congestion_comes_in() -> None:
    """RFC 4301 5.1.2, RFC 7296 2.24."""
    for version in (4, 6):
        pair = Pair(inner=version)
        packet = datagram(version, tos=0xBA)
        pair.near.engine.packet_out(packet)
        assert pair.near.wire.sent[0][5] == 0xBA
        pair.carry(tos=0x03)
        assert pair.far.netif.delivered == [datagram(version, tos=0xBB)]
        pair.near.engine.packet_out(datagram(version, tos=0xB8))
        pair.carry(tos=0x03)
        assert pair.far.netif.delivered[1] == datagram(version, tos=0xB8)


# UDP encapsulation


ENCAP = (4500, 4500)


def test_mapping_follows_the_newest_authentic_packet() -> None:
    pair = Pair(encap=ENCAP)
    far = pair.far
    for _ in range(6):
        pair.near.engine.packet_out(datagram())
    esps = [sent[0] for sent in pair.near.wire.sent]
    src, dst = ENDS[4]
    elsewhere = ip_address("198.51.100.7")
    far.engine.esp_in(esps[0], src, dst, ENCAP)
    far.engine.esp_in(esps[2], src, dst, ENCAP)
    far.engine.esp_in(esps[3][:-1] + b"!", elsewhere, dst, (1, 4500))
    far.engine.esp_in(esps[2], elsewhere, dst, (1, 4500))
    far.engine.esp_in(esps[1], elsewhere, dst, (1, 4500))
    assert not far.events.mappings
    far.engine.esp_in(esps[3], elsewhere, dst, (31337, 4500))
    far.engine.esp_in(esps[4], elsewhere, dst, (31337, 4500))
    (event,) = far.events.mappings
    assert (event.sa, event.address, event.port) == (sa_id(pair.in_spec), elsewhere, 31337)
    moved = pair.in_spec._replace(src=elsewhere, encap=(31337, 4500))
    far.engine.update(moved)
    far.engine.esp_in(esps[5], elsewhere, dst, (31337, 4500))
    assert len(far.events.mappings) == 1
    assert far.engine.usage(sa_id(moved)).packets == 6
    far.engine.esp_in(esps[5], elsewhere, dst, (31337, 4500))
    assert far.engine.usage(sa_id(moved)).replays == 2


def test_an_outbound_sa_moves_only_by_update_and_counts_on() -> None:
    pair = Pair(encap=ENCAP)
    near = pair.near
    near.engine.packet_out(datagram())
    elsewhere = ip_address("198.51.100.7")
    moved = pair.out_spec._replace(dst=elsewhere, encap=(4500, 31337))
    near.engine.update(moved)
    near.engine.packet_out(datagram())
    first, second = near.wire.sent
    assert first[2:4] == (ENDS[4][1], ENCAP)
    assert second[2:4] == (elsewhere, (4500, 31337))
    assert second[0][4:8].hex() == "00000002"
    assert near.engine.usage(sa_id(moved)).packets == 2
    near.engine.delete(sa_id(moved))
    with pytest.raises(ApplicationError):
        near.engine.update(moved)


def test_an_sa_does_not_move_onto_another() -> None:
    pair = Pair(encap=ENCAP)
    elsewhere = ip_address("198.51.100.7")
    other = make_spec(inbound=False, key=5)._replace(dst=elsewhere)
    pair.near.engine.add(other)
    before = list(pair.near.engine.sas())
    with pytest.raises(ApplicationError):
        pair.near.engine.update(pair.out_spec._replace(dst=elsewhere))
    with pytest.raises(ApplicationError):
        pair.near.engine.update(pair.out_spec._replace(mode=MODE.TRANSPORT))
    assert list(pair.near.engine.sas()) == before


def test_a_moved_sa_does_not_tell_its_soft_limit_again() -> None:
    pair = Pair(limits=Limits(soft_s=50, hard_s=60, soft_bytes=10))
    pair.through(datagram())
    pair.far.engine.update(pair.in_spec._replace(src=ip_address("198.51.100.7")))
    pair.through(datagram())
    pair.far.pass_time(55)
    assert [event.hard for event in pair.far.events.expires] == [False]
    pair.far.pass_time(6)
    assert [event.hard for event in pair.far.events.expires] == [False, True]


def test_an_sa_takes_packets_in_udp_and_without() -> None:
    pair = Pair(encap=ENCAP)
    for _ in range(2):
        pair.near.engine.packet_out(datagram())
    (first, *_), (second, *_) = pair.near.wire.sent
    pair.far.engine.esp_in(first, *ENDS[4])
    pair.far.engine.esp_in(second, *ENDS[4], ENCAP)
    assert len(pair.far.netif.delivered) == 2
    assert not pair.far.events.mappings


def test_transport_mode_behind_a_nat() -> None:
    """RFC 3948 3.1.2.

    The sender's checksum is of its private address; the receiver sees the NAT's."""
    private, public = ip_address("10.0.0.5"), ip_address("198.51.100.7")
    server = ENDS[4][1]
    out_selector = Selector.of("10.0.0.5/32", str(server), TCP, 0, 80)
    pair = Pair(mode=MODE.TRANSPORT, encap=ENCAP, selector=out_selector)
    segment = b"\x04\x00\x00\x50" + bytes(12) + b"\x12\x34\x00\x00" + b"data"
    pair.near.engine.packet_out(build(private, server, TCP, segment))
    esp = pair.near.wire.sent[0][0]
    pair.far.engine.esp_in(esp, public, server, (31337, 4500))
    (clear,) = pair.far.netif.delivered
    headers = parse(clear)
    assert headers is not None
    assert (headers.src, headers.dst) == (public, server)
    pseudo = public.packed + server.packed + b"\0\x06" + len(segment).to_bytes(2, "big")
    assert checksum(pseudo + clear[20:]) == 0


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("encap", [None, ENCAP])
@pytest.mark.parametrize("padding", [0, 1, 7, 700])
def test_transport_mode_cuts_off_what_hides_a_datagrams_size(
    version: int, encap: Any, padding: int
) -> None:
    """RFC 4303 2.7 and 2.6: UDP says how long it is, and its checksum covers no more."""
    pair = Pair(outer=version, mode=MODE.TRANSPORT, encap=encap)
    src, dst = ENDS[version]
    for data in (b"", b"data", b"data of an odd size"):
        size = 8 + len(data)
        segment = PORTS + size.to_bytes(2, "big") + b"\0\0" + data
        segment = fix_checksum(src, dst, UDP, segment)
        pair.far.engine.esp_in(pair.begun().seal(segment + bytes(padding), UDP), src, dst, encap)
        assert pair.far.netif.delivered[-1] == build(src, dst, UDP, segment)


@pytest.mark.parametrize("said", [0, 7, 200])
def test_a_datagram_that_says_another_size_stays_as_it_is(said: int) -> None:
    """RFC 4303 2.7: what is not known is not cut."""
    pair = Pair(mode=MODE.TRANSPORT)
    segment = PORTS + said.to_bytes(2, "big") + b"\0\0" + bytes(40)
    assert pair.through(build(*ENDS[4], UDP, segment)) == [build(*ENDS[4], UDP, segment)]


def test_transport_mode_takes_no_dummies_and_no_mixed_families() -> None:
    pair = Pair(mode=MODE.TRANSPORT)
    seal = pair.begun().seal
    pair.far.engine.esp_in(seal(bytes(9), 59), *ENDS[4])
    pair.far.engine.esp_in(seal(bytes(9), 17), ENDS[4][0], ENDS[6][1])
    assert pair.far.engine.drops[Drop.DUMMY] == 1
    assert pair.far.engine.drops[Drop.MALFORMED] == 1


def test_udp_alone_makes_nobody_of_the_peers_address() -> None:
    """RFC 7296 2.23: ESP in UDP is taken where no NAT was found, too; the selector counts as it is,
    as no ICV covers the outer addresses (RFC 4301 5.2)."""
    pair = Pair(mode=MODE.TRANSPORT)
    (src, dst), seal = ENDS[4], pair.begun().seal
    segment = fix_checksum(src, dst, UDP, PORTS + b"\0\x0c\0\0data")
    pair.far.engine.esp_in(seal(segment, UDP), src, dst, ENCAP)
    assert pair.far.netif.delivered == [build(src, dst, UDP, segment)]
    pair.far.engine.esp_in(seal(segment, UDP), ip_address("203.0.113.9"), dst, ENCAP)
    assert len(pair.far.netif.delivered) == 1
    assert pair.far.engine.drops[Drop.SELECTOR] == 1


def test_nobody_behind_a_nat_speaks_for_an_address_that_another_sa_protects() -> None:
    """RFC 4301 5.2 step 4: no ICV covers the outer addresses, from which a peer's packets of
    transport mode take theirs."""
    pair, other = Pair(mode=MODE.TRANSPORT, encap=ENCAP), ip_address("203.0.113.9")
    (src, dst), seal = ENDS[4], pair.begun().seal
    policy = make_policy(pair.in_spec, Direction.IN)
    theirs = Selector.of(f"{other}/32", str(dst))
    pair.far.engine.add_policy(policy._replace(selector=theirs, reqid=policy.reqid + 1))
    segment = fix_checksum(src, dst, UDP, PORTS + b"\0\x0c\0\0data")
    pair.far.engine.esp_in(seal(segment, UDP), other, dst, ENCAP)
    assert not pair.far.netif.delivered
    assert pair.far.engine.drops[Drop.POLICY] == 1
    pair.far.engine.esp_in(seal(segment, UDP), ip_address("203.0.113.10"), dst, ENCAP)
    pair.far.engine.esp_in(seal(segment, UDP), src, dst, ENCAP)
    assert len(pair.far.netif.delivered) == 2


def test_ports_count_behind_a_nat_too() -> None:
    out = Pair(mode=MODE.TRANSPORT, encap=ENCAP)
    spec = out.in_spec._replace(selectors=(Selector.of(*OUTER[4], UDP, 0, 1701),))
    out.far.engine.flush()
    out.far.engine.add(spec)
    assert out.through(build(*ENDS[4], UDP, PORTS + bytes(9))) == []
    assert out.far.engine.drops[Drop.SELECTOR] == 1
    wanted = build(*ENDS[4], UDP, b"\x06\xa5\x06\xa5" + bytes(9))
    assert len(out.through(wanted)) == 1


# Policies as requests, routes, the end


def test_policies_are_replaced_and_routes_are_shared() -> None:
    host = Host()
    spec = make_policy(make_spec(inbound=False))
    number = host.engine.add_policy(spec)
    assert host.engine.add_policy(spec._replace(reqid=8)) == number
    other = spec._replace(selector=spec.selector._replace(protocol=TCP))
    assert host.engine.add_policy(other) != number
    assert host.engine.add_policy(spec._replace(direction=Direction.IN)) > number
    assert list(host.netif.routes) == [spec.selector.dst]
    host.engine.delete_policy(spec)
    assert list(host.netif.routes) == [spec.selector.dst]
    host.engine.delete_policy(other)
    assert not host.netif.routes
    with pytest.raises(ApplicationError):
        host.engine.delete_policy(other)
    assert [policy.direction for _, policy in host.engine.policies()] == [Direction.IN]


def test_a_policy_that_becomes_a_bypass_loses_its_route() -> None:
    host = Host()
    spec = make_policy(make_spec(inbound=False))
    host.engine.add_policy(spec)
    host.engine.add_policy(spec._replace(action=Action.BYPASS))
    assert not host.netif.routes
    host.engine.add_policy(spec._replace(action=Action.DISCARD))
    assert list(host.netif.routes) == [spec.selector.dst]


def test_ah_policies_are_refused() -> None:
    spec = make_policy(make_spec(inbound=False))._replace(protocol=Protocol.IPSEC_AH)
    host = Host()
    with pytest.raises(ApplicationError):
        host.engine.add_policy(spec)
    with pytest.raises(ApplicationError):
        host.engine.get_spi(spi_request(Protocol.IPSEC_AH))
    assert not host.netif.routes


def test_icmp_selectors_name_type_and_code() -> None:
    """RFC 4301 4.4.1.1."""
    pair = Pair(selector=Selector.of("10.1.0.0/16", "10.2.0.0/16", ICMP, 8, 0))
    echo = build(*INSIDE[4], ICMP, b"\x08\x00" + bytes(20))
    assert pair.through(echo) == [echo]
    reply = build(*INSIDE[4], ICMP, b"\x00\x00" + bytes(20))
    pair.near.engine.packet_out(reply)
    assert pair.near.wire.forwarded == [reply]


def test_a_loop_feeds_it_until_it_is_closed() -> None:
    pair = Pair()
    host, loop = pair.far, Loop(pair.far.timers)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        host.wire.fds = lambda: [ours.fileno()]  # type: ignore[method-assign]
        host.wire.receive = (  # type: ignore[method-assign]
            lambda fd, esp_in: esp_in(ours.recv(2000), *ENDS[4])  # type: ignore[assignment]
        )
        host.engine.attach(loop)
        pair.near.engine.packet_out(datagram())
        theirs.send(pair.near.wire.sent[0][0])
        loop.turn(0)
        assert host.netif.delivered == [datagram()]
        host.engine.close()
        theirs.send(b"late")
        loop.turn(0)


def test_close_gives_everything_back() -> None:
    pair = Pair(limits=Limits(soft_s=50, hard_s=60))
    pair.near.engine.get_spi(spi_request())
    pair.near.engine.close()
    assert not pair.near.netif.routes
    assert not pair.near.timers.pending()


def test_an_sa_that_carries_nothing_needs_nothing() -> None:
    """Ciphers, window, path and flows are made for the first packet."""
    pair = Pair()
    (sent_with,), (received_with,) = pair.near.engine._sad, pair.far.engine._sad
    assert isinstance(sent_with, OutboundSa) and isinstance(received_with, InboundSa)
    assert not sent_with.begun and received_with.open is None and not received_with.accepted
    assert pair.through(datagram()) == [datagram()]
    assert sent_with.begun and received_with.open is not None and received_with.accepted


def test_an_sa_may_move_before_its_first_packet() -> None:
    pair = Pair(encap=(4500, 4500))
    there = ip_address("192.0.2.77")
    pair.near.engine.update(pair.out_spec._replace(dst=there, encap=(4500, 61000)))
    pair.near.engine.packet_out(datagram())
    ((_, _, dst, encap, _, _),) = pair.near.wire.sent
    assert (dst, encap) == (there, (4500, 61000))


def test_keys_that_do_not_fit_are_refused_before_any_packet() -> None:
    host = Host()
    for auth_size in (20, 19):
        spec = make_spec(inbound=False, algorithm=(ESP.AES, 16, AUTH.HMAC_SHA, auth_size))
        if auth_size == 20:
            host.engine.add(spec)
            continue
        with pytest.raises(ApplicationError, match="takes a key of 20"):
            host.engine.add(spec._replace(spi=0x2000))
    assert [spec.spi for spec in host.engine.sas()] == [0x1000]


@pytest.mark.parametrize("phase", [0.001, 0.5, 0.999])
def test_a_rekey_is_not_asked_for_late_nor_is_an_sa_ended_early(phase: float) -> None:
    host = Host()
    host.clock.time = 1000 + phase
    host.engine.add(make_spec(inbound=True, limits=Limits(soft_s=5, hard_s=6)))
    host.pass_time(5)
    assert [event.hard for event in host.events.expires] == [False]
    host.pass_time(0.999)
    assert len(host.events.expires) == 1
    host.pass_time(1)
    assert [event.hard for event in host.events.expires] == [False, True]


# Several selectors of one SA


def both_versions(mode: ipsec.Encapsulation = MODE.TUNNEL) -> Pair:
    """A pair whose one SA is for two networks of IPv4 and one of IPv6, with all its policies."""
    pair = Pair(mode=mode)
    selectors = (
        Selector.of("10.1.0.0/24", "10.2.0.0/16"),
        Selector.of("10.1.2.0/24", "10.2.0.0/16"),
        Selector.of("fd01::/64", "fd02::/64", UDP, 0, 53),
    )
    for host in (pair.near, pair.far):
        host.engine.flush()
        host.engine.flush_policies()
    out_spec = pair.out_spec._replace(selectors=selectors)
    for selector in selectors:
        policy = make_policy(out_spec)._replace(selector=selector)
        pair.near.engine.add_policy(policy)
        pair.far.engine.add_policy(policy._replace(direction=Direction.IN))
    pair.near.engine.add(out_spec)
    pair.far.engine.add(out_spec._replace(inbound=True))
    return pair


def test_one_sa_carries_both_ip_versions() -> None:
    pair = both_versions()
    for packet in (datagram(4), datagram(6), datagram(4), datagram(6)):
        assert pair.through(packet) == [packet]
    ((out, back),) = zip(pair.near.engine.sas(), pair.far.engine.sas(), strict=True)
    assert pair.near.engine.usage(sa_id(out)).packets == 4
    assert pair.far.engine.usage(sa_id(back)).packets == 4


@pytest.mark.parametrize(
    ("src", "dst", "port"),
    [
        ("10.1.1.1", "10.2.0.1", 53),  # between two that are agreed on
        ("10.1.0.1", "10.3.0.1", 53),
        ("fd01::1", "fd02::1", 54),
        ("fd01::1", "fd03::1", 53),
    ],
)
def test_what_no_selector_of_an_sa_names_is_dropped(src: str, dst: str, port: int) -> None:
    """RFC 4301 5.2 step 4, with or without a policy that such a packet meets."""
    pair = both_versions()
    ends, ports = (ip_address(src), ip_address(dst)), b"\x04\x00" + port.to_bytes(2, "big")
    stray = build(*ends, UDP, ports + bytes(20))
    sealed = pair.begun().seal(stray, 4 if ends[0].version == 4 else 41)
    pair.far.engine.esp_in(sealed, *ENDS[4])
    assert pair.far.engine.drops[Drop.SELECTOR] == 1 and not pair.far.netif.delivered
    pair.near.engine.packet_out(stray)
    assert pair.near.wire.forwarded == [stray]
