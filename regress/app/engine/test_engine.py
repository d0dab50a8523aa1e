"""The key engine as its users see it: two of them, joined in memory."""

from __future__ import annotations

import errno
import socket
from ipaddress import ip_address

import pytest

from isakmp.app.base import (
    Action,
    Direction,
    Limits,
    PolicySpec,
)
from isakmp.app.engine.drop import Drop
from isakmp.app.engine.packet import (
    ICMP,
    TCP,
    UDP,
    build,
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
    ENCAP,
    ENDS,
    ESP,
    INSIDE,
    MODE,
    PORTS,
    Host,
    Pair,
    both_versions,
    datagram,
    make_policy,
    make_spec,
    spi_request,
)


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


# Lifetimes


# Acquire


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


# Selectors and policies


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


# Sizes


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


# Several selectors of one SA


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
