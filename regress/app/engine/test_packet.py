"""Headers, checksums, and errors for packets that are too big."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.app.engine.packet import (
    FRAGMENT,
    HOP_BY_HOP,
    ICMP,
    NO_PORT,
    TCP,
    UDP,
    build,
    checksum,
    fix_checksum,
    flow_key,
    parse,
    pseudo_header,
    set_ce,
    traffic_class,
)

V4 = ip_address("10.1.0.1"), ip_address("10.2.0.1")
V6 = ip_address("fd01::1"), ip_address("fd02::1")
ENDS = [V4, V6]


def slow_checksum(data: bytes) -> int:
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=64), st.sampled_from([b"", b"\0" * 9, b"\xff" * 8])))
def test_checksum_is_the_plain_one(data: bytes) -> None:
    assert checksum(data) == slow_checksum(data)


@pytest.mark.parametrize("ends", ENDS, ids=["v4", "v6"])
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 255), st.binary(max_size=40))
def test_what_is_built_is_parsed(ends, src_port, dst_port, tos, rest) -> None:  # type: ignore[no-untyped-def]
    payload = src_port.to_bytes(2, "big") + dst_port.to_bytes(2, "big") + rest
    packet = build(*ends, UDP, payload, tos=tos)
    headers = parse(packet)
    assert headers is not None
    assert (headers.src, headers.dst, headers.protocol) == (*ends, UDP)
    assert (headers.src_port, headers.dst_port) == (src_port, dst_port)
    assert headers.length == len(packet)
    assert packet[headers.payload :] == payload
    assert traffic_class(packet) == tos
    if ends is V4:
        assert checksum(packet[:20]) == 0


def test_icmp_type_and_code_stand_for_ports() -> None:
    headers = parse(build(*V4, ICMP, b"\x08\x01" + bytes(6)))
    assert headers is not None
    assert (headers.src_port, headers.dst_port) == (8, 1)


def test_later_fragments_have_no_ports() -> None:
    packet = bytearray(build(*V4, UDP, bytes(range(16))))
    packet[6:8] = b"\x20\x10"
    headers = parse(bytes(packet))
    assert headers is not None
    assert headers.fragment
    assert headers.later_fragment
    assert (headers.src_port, headers.dst_port) == (NO_PORT, NO_PORT)
    assert flow_key(bytes(packet)) == b""


def test_first_fragments_have_ports() -> None:
    packet = bytearray(build(*V4, UDP, bytes(range(16))))
    packet[6:8] = b"\x20\x00"
    headers = parse(bytes(packet))
    assert headers is not None
    assert headers.fragment
    assert not headers.later_fragment
    assert headers.dst_port == 0x0203


@pytest.mark.parametrize(("offset", "later"), [(0x0001, False), (0x0011, True)])
def test_extension_headers_are_passed(offset: int, later: bool) -> None:
    hop = bytes([FRAGMENT, 0]) + bytes(6)
    fragment = bytes([UDP, 0]) + offset.to_bytes(2, "big") + bytes(4)
    headers = parse(build(*V6, HOP_BY_HOP, hop + fragment + b"\1\2\3\4\0\0\0\0"))
    assert headers is not None
    assert headers.protocol == UDP
    assert headers.fragment
    assert headers.later_fragment is later
    assert headers.dst_port == (NO_PORT if later else 0x0304)


def test_endless_extension_headers_are_refused() -> None:
    chain = (bytes([HOP_BY_HOP, 0]) + bytes(6)) * 40
    assert parse(build(*V6, HOP_BY_HOP, chain)) is None


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([None, 0x45, 0x4F, 0x60, 0x44]))
def test_nothing_breaks_the_parser(data: bytes, first: int | None) -> None:
    if first is not None:
        data = bytes([first]) + data
    headers = parse(data)
    if headers is not None:
        assert headers.payload <= headers.length <= len(data)
    flow_key(data)


@pytest.mark.parametrize("ends", ENDS, ids=["v4", "v6"])
@pytest.mark.parametrize(("protocol", "at"), [(TCP, 16), (UDP, 6)])
def test_transport_checksums_are_made_right(ends, protocol: int, at: int) -> None:  # type: ignore[no-untyped-def]
    payload = bytes(range(1, 42))
    fixed = fix_checksum(*ends, protocol, payload)
    assert fixed[:at] == payload[:at]
    assert fixed[at + 2 :] == payload[at + 2 :]
    assert slow_checksum(pseudo_header(*ends, protocol, len(fixed)) + fixed) == 0


def test_no_udp_checksum_stays_none() -> None:
    payload = bytes(20)
    assert fix_checksum(*V4, UDP, payload) == payload
    assert fix_checksum(*V6, UDP, payload)[6:8] != b"\0\0"


def test_other_protocols_and_stubs_are_left_alone() -> None:
    assert fix_checksum(*V4, ICMP, b"x" * 20) == b"x" * 20
    assert fix_checksum(*V4, TCP, b"x" * 17) == b"x" * 17


@pytest.mark.parametrize("ends", ENDS, ids=["v4", "v6"])
def test_congestion_is_marked_only_where_it_may_be(ends) -> None:  # type: ignore[no-untyped-def]
    deaf = build(*ends, UDP, bytes(8), tos=0xB8)
    assert set_ce(deaf) == deaf
    marked = set_ce(build(*ends, UDP, bytes(8), tos=0xBA))
    assert marked == build(*ends, UDP, bytes(8), tos=0xBB)
