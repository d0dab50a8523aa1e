"""PF_KEYv2 messages: layouts as Linux takes them, round trips, and hostile input."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.app.pf_key import codec, values
from isakmp.app.pf_key.algorithms import Algorithm
from isakmp.app.pf_key.codec import (
    Lifetime,
    Message,
    Policy,
    Request,
    Sa,
    Sa2,
    SockAddress,
    Statistics,
)
from isakmp.app.pf_key.constants import Dir, Ext, Mode, PolicyType, Type
from isakmp.errors import ApplicationError, MalformedPayload
from isakmp.policy.spd import Selector
from regress.app.pf_key import strategies as some

quick = settings(max_examples=100, deadline=None)

READERS = [
    lambda m: codec.read_sa(m.exts),
    lambda m: codec.read_lifetime(m.exts, Ext.LIFETIME_CURRENT),
    lambda m: codec.read_addresses(m.exts),
    lambda m: codec.read_traffic(m.exts),
    lambda m: codec.read_key(m.exts, Ext.KEY_ENCRYPT),
    lambda m: codec.read_supported(m.exts, Ext.SUPPORTED_AUTH),
    lambda m: codec.read_spi_range(m.exts),
    lambda m: codec.read_sa2(m.exts),
    lambda m: codec.read_policy(m.exts),
    lambda m: codec.read_selectors(m.exts),
    lambda m: codec.read_statistics(m.exts),
    lambda m: codec.read_reason(m.exts),
    values.read_sa,
    values.read_sa_id,
    values.read_policy,
]


def exts_of(body: bytes) -> codec.Exts:
    return codec.parse(codec.message(Type.GET, 3, 1, 2, body)).exts


def read_everything(data: bytes) -> None:
    """Every reader on ``data``: whatever comes out, it is a value or one of our errors."""
    try:
        message = codec.parse(data)
    except MalformedPayload:
        return
    for read in READERS:
        try:
            read(message)
        except (MalformedPayload, ApplicationError):
            continue


def test_header_layout() -> None:
    """RFC 2367 2.

    RFC 2367 2.1: version, type, errno, SA type, length in words of 8, reserved, seq, pid."""
    data = codec.message(Type.ADD, 3, 7, 9, bytes(8), errno=22)
    assert data[:16] == struct.pack("=BBBBHHII", 2, 3, 22, 3, 3, 0, 7, 9)


def test_extension_layouts() -> None:
    """The octets that a Linux kernel is known to take."""
    assert codec.sa(Sa(0x6001, 32, 1, 5, 12)) == struct.pack("=HH", 2, 1) + struct.pack(
        ">I", 0x6001
    ) + struct.pack("=BBBBI", 32, 1, 5, 12, 0)
    assert codec.sa2(Sa2(1, 77)) == struct.pack("=HHBBHII", 2, 19, 1, 0, 0, 0, 77)
    assert codec.address(Ext.ADDRESS_SRC, ip_address("10.9.0.1"), 0, 32) == struct.pack(
        "=HHBBHHH", 3, 5, 0, 32, 0, 2, 0
    ) + bytes((10, 9, 0, 1)) + bytes(8)
    key = codec.key(Ext.KEY_AUTH, bytes(20))
    assert key == struct.pack("=HHHH", 4, 8, 160, 0) + bytes(24)
    assert codec.spi_range(0x4000, 0x5000) == struct.pack("=HHIII", 2, 16, 0x4000, 0x5000, 0)
    assert codec.nat_t_port(Ext.X_NAT_T_SPORT, 4500) == struct.pack("=HH", 1, 21) + struct.pack(
        ">HH", 4500, 0
    )
    request = Request(50, Mode.TRANSPORT, 2, 77)
    assert codec.policy(Policy(PolicyType.IPSEC, Dir.OUTBOUND, requests=(request,))) == struct.pack(
        "=HHHBBII", 4, 18, 2, 2, 0, 0, 0
    ) + struct.pack("=HHBBHII", 16, 50, 1, 2, 0, 77, 0)


def test_tunnel_request_has_two_sockaddrs() -> None:
    ends = ip_address("192.0.2.1"), ip_address("192.0.2.2")
    data = codec.policy(Policy(2, 2, 0, 0, (Request(50, Mode.TUNNEL, 3, 5, *ends),)))
    assert len(data) == 16 + 48 and struct.unpack_from("=H", data, 16) == (48,)
    assert data[32:40] == struct.pack("=HH", 2, 0) + ends[0].packed
    six = ip_address("2001:db8::1"), ip_address("2001:db8::2")
    assert len(codec.policy(Policy(2, 2, 0, 0, (Request(50, 2, 3, 5, *six),)))) == 16 + 72


@quick
@given(st.tuples(some.spis, some.u8, some.u8, some.u8, some.u8, some.u32))
def test_sa_round_trip(fields: tuple[int, ...]) -> None:
    assert codec.read_sa(exts_of(codec.sa(Sa(*fields)))) == Sa(*fields)


@quick
@given(st.tuples(some.u32, some.u64, some.u64, some.u64))
def test_lifetime_round_trip(fields: tuple[int, ...]) -> None:
    exts = exts_of(codec.lifetime(Ext.LIFETIME_HARD, Lifetime(*fields)))
    assert codec.read_lifetime(exts, Ext.LIFETIME_HARD) == Lifetime(*fields)
    assert codec.read_lifetime(exts, Ext.LIFETIME_SOFT) == Lifetime()


@quick
@given(some.v4 | some.v6, st.integers(0, 254), st.integers(0, 32), some.u16)
def test_address_round_trip(where, protocol, prefixlen, port) -> None:  # type: ignore[no-untyped-def]
    exts = exts_of(codec.address(Ext.ADDRESS_DST, where, protocol, prefixlen, port))
    found = codec.read_address(exts, Ext.ADDRESS_DST)
    assert found == SockAddress(where, protocol, prefixlen, port)


@quick
@given(st.lists(some.selectors, min_size=1, max_size=5))
def test_traffic_round_trip(selectors: list[Selector]) -> None:
    for selector in selectors:
        assert codec.read_traffic(exts_of(codec.traffic(selector))) == selector
    exts = exts_of(codec.selectors(Dir.INBOUND, selectors))
    assert codec.read_selectors(exts) == (Dir.INBOUND, tuple(selectors))


@quick
@given(st.binary(min_size=1, max_size=100))
def test_key_round_trip(key: bytes) -> None:
    assert codec.read_key(exts_of(codec.key(Ext.KEY_AUTH, key)), Ext.KEY_AUTH) == key


@quick
@given(st.tuples(*[some.u64] * 6))
def test_statistics_round_trip(fields: tuple[int, ...]) -> None:
    assert codec.read_statistics(exts_of(codec.statistics(Statistics(*fields)))) == fields


@quick
@given(st.lists(st.tuples(some.u8, some.u8, some.u16, some.u16), max_size=30))
def test_supported_round_trip(rows: list[tuple[int, int, int, int]]) -> None:
    algorithms = [Algorithm(*row) for row in rows]
    exts = exts_of(codec.supported(Ext.SUPPORTED_ENCRYPT, algorithms))
    assert codec.read_supported(exts, Ext.SUPPORTED_ENCRYPT) == algorithms


@quick
@given(some.u16, some.u8, some.u32, some.u32, st.lists(st.integers(0, 2), max_size=4), st.data())
def test_policy_round_trip(kind, way, number, priority, forms, data) -> None:  # type: ignore[no-untyped-def]
    def request(form: int) -> Request:
        ends = (None, None) if not form else data.draw(some.address_pairs)
        return Request(50 + form, form, 3, data.draw(some.u32), *ends)

    value = Policy(kind, way, number, priority, tuple(request(form) for form in forms))
    assert codec.read_policy(exts_of(codec.policy(value))) == value


@quick
@given(st.text(max_size=300))
def test_reason_is_printable_and_bounded(text: str) -> None:
    found = codec.read_reason(exts_of(codec.reason(text)))
    assert found.isprintable() and len(found) <= codec.MAX_TEXT


def test_replay_and_nat_t() -> None:
    exts = exts_of(codec.replay(4096) + codec.nat_t_type(2) + codec.spi_range(5, 9))
    assert codec.read_replay(exts) == 4096 and codec.read_replay({}) is None
    assert codec.read_nat_t_type(exts) == 2 and codec.read_nat_t_type({}) == 0
    assert codec.read_spi_range(exts) == (5, 9)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no header"),
        (struct.pack("=BBBBHHII", 3, 1, 0, 0, 2, 0, 0, 0), "version"),
        (struct.pack("=BBBBHHII", 2, 1, 0, 0, 3, 0, 0, 0), "length"),
        (codec.message(1, 0, 0, 0, codec.replay(1) * 2), "twice"),
        (codec.message(1, 0, 0, 0, bytes(8)), "length 0"),
        (codec.message(1, 0, 0, 0, struct.pack("=HHI", 2, 26, 0)), "length 16"),
        (codec.message(1, 0, 0, 0, struct.pack("=HHI", 1, 0, 0)), "reserved"),
    ],
)
def test_malformed_messages(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedPayload, match=reason):
        codec.parse(data)


def test_mixed_families_are_refused() -> None:
    body = codec.address(Ext.ADDRESS_SRC, ip_address("::1"))
    body += codec.address(Ext.ADDRESS_DST, ip_address("127.0.0.1"))
    with pytest.raises(MalformedPayload, match="family"):
        codec.read_addresses(exts_of(body))


def test_key_without_bits_is_refused() -> None:
    """RFC 2367 2.3.4."""
    with pytest.raises(MalformedPayload, match="0 bits"):
        codec.read_key(exts_of(struct.pack("=HHHH", 1, 8, 0, 0)), Ext.KEY_AUTH)


@quick
@given(some.sas(), some.policies())
def test_truncation_at_every_octet(sa, policy) -> None:  # type: ignore[no-untyped-def]
    bodies = values.sa_exts(sa, True), values.policy_exts(policy)
    for body in bodies:
        whole = codec.message(Type.ADD, 3, 1, 1, body)
        for size in range(len(whole)):
            with pytest.raises(MalformedPayload):
                codec.parse(whole[:size])


@quick
@given(some.sas(), st.data())
def test_truncated_extensions_with_right_lengths(sa, data) -> None:  # type: ignore[no-untyped-def]
    exts = exts_of(values.sa_exts(sa, True))
    name = data.draw(st.sampled_from(sorted(exts)))
    words = data.draw(st.integers(1, len(exts[name]) // 8))
    exts[name] = struct.pack("=HH", words, name) + exts[name][4 : words * 8]
    read_everything(codec.message(Type.ADD, 3, 1, 1, b"".join(exts.values())))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_random_octets(data: bytes) -> None:
    read_everything(data)
    read_everything(codec.message(Type.ADD, 3, 1, 1, data[: len(data) // 8 * 8]))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_random_extensions(data: st.DataObject) -> None:
    body = b""
    for name in data.draw(st.sets(st.sampled_from(Ext), max_size=8)):
        words = data.draw(st.integers(1, 10))
        body += struct.pack("=HH", words, name)
        body += data.draw(st.binary(min_size=words * 8 - 4, max_size=words * 8 - 4))
    read_everything(codec.message(Type.ADD, 3, 1, 1, body))


def test_unknown_extensions_are_ignored() -> None:
    """RFC 2367 2.3."""
    message = codec.parse(codec.message(1, 3, 1, 1, struct.pack("=HHI", 1, 999, 0)))
    assert message == Message(1, 0, 3, 1, 1, {999: struct.pack("=HHI", 1, 999, 0)})
