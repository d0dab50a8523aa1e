"""ESP packets to clear packets: who is believed what. RFC 4301 5.2."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from isakmp.app.base import (
    Action,
    Direction,
    SpiRequest,
    UnknownSpi,
)
from isakmp.app.engine.drop import Drop
from isakmp.app.engine.inbound import UNKNOWN_PER_S
from isakmp.app.engine.packet import (
    TCP,
    UDP,
    build,
    checksum,
    fix_checksum,
    parse,
)
from isakmp.app.engine.sad import sa_id
from isakmp.constants.isakmp import Protocol
from isakmp.policy.spd import Selector
from regress.app.engine.pair import (
    ENCAP,
    ENDS,
    INSIDE,
    MODE,
    OUTER,
    PORTS,
    Host,
    Pair,
    datagram,
    make_policy,
)


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
