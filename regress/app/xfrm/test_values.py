"""The application's values as the kernel has them, and the kernel's events back."""

from __future__ import annotations

import struct
import sys
from contextlib import suppress
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.app.base import Action, Direction, Limits, PolicySpec, SaId, SaSpec, bundle_order
from isakmp.app.xfrm import messages as m
from isakmp.app.xfrm import values
from isakmp.app.xfrm.constants import Attr, Dir, Mode
from isakmp.app.xfrm.policies import places
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ApplicationError, MalformedPayload
from isakmp.policy.spd import Selector
from regress.app.xfrm import vectors

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the vectors are little-endian")

ESP, AH, IPCOMP = (
    isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPSEC_AH, isakmp.Protocol.IPCOMP,
)  # fmt: skip
TUNNEL, TRANSPORT = ipsec.Encapsulation.TUNNEL, ipsec.Encapsulation.TRANSPORT
A, B = ip_address("10.1.0.1"), ip_address("10.1.0.2")
TRAFFIC = Selector.of("10.2.0.0/16", "10.3.0.0/24")
GCM = SaSpec(ESP, 0x1000, A, B, TUNNEL, True, (TRAFFIC,), 7, ipsec.Esp.AES_GCM_16, bytes(range(20)))
ANY = ((0, 0), (0, 0))


def attributes(spec: SaSpec) -> dict[int, bytes]:
    return m.read(m.SA_INFO, values.sa(spec))[1]


def info(spec: SaSpec) -> dict[str, object]:
    return m.SA_INFO.unpack(values.sa(spec))


@pytest.mark.parametrize("spec", [
    GCM._replace(encryption=ipsec.Esp.IDEA),
    GCM._replace(encryption=ipsec.Esp.AES, auth=ipsec.Auth.KPDK),
    GCM._replace(protocol=IPCOMP, encryption=ipsec.Ipcomp.LZS),
    GCM._replace(reqid=1 << 24),
])  # fmt: skip
def test_what_cannot_be_said_is_an_error(spec: SaSpec) -> None:
    with pytest.raises(ApplicationError):
        values.sa(spec)


@pytest.mark.parametrize(("window", "words"), [(33, 2), (64, 2), (128, 4), (100000, 128)])
def test_wide_windows_have_a_bitmap(window: int, words: int) -> None:
    state = attributes(GCM._replace(replay_window=window))[Attr.REPLAY_ESN_VAL]
    head = m.REPLAY_ESN.unpack(state)
    assert (head["bmp_len"], head["replay_window"]) == (words, min(window, 4096))
    assert len(state) == m.REPLAY_ESN.size + 4 * words


def test_extended_sequence_numbers_need_the_state_both_ways() -> None:
    for inbound, window in ((True, 0), (True, 32), (False, 64)):
        spec = GCM._replace(esn=True, inbound=inbound, replay_window=window)
        head = m.REPLAY_ESN.unpack(attributes(spec)[Attr.REPLAY_ESN_VAL])
        assert head["replay_window"] >= 1
        assert int(str(info(spec)["flags"])) & 128
        assert info(spec)["replay_window"] == 0
    assert Attr.REPLAY_ESN_VAL not in attributes(GCM._replace(inbound=False))


def test_limits_and_ports_of_udp() -> None:
    limits = Limits(1, 2, 3, 4, 5, 6)
    found = m.SA_INFO.unpack(values.sa(GCM._replace(limits=limits, encap=(4500, 1024))))["lft"]
    assert list(found.values()) == [3, 4, 5, 6, 1, 2, 0, 0]
    encap = attributes(GCM._replace(encap=(4500, 1024)))[Attr.ENCAP]
    assert encap == bytes.fromhex("0200 1194 0400 0000") + bytes(16)


def test_an_sa_goes_on_where_it_was() -> None:
    spec = GCM._replace(encryption=ipsec.Esp.AES, enc_key=bytes(16), esn=True, dst=A,
                   auth=ipsec.Auth.HMAC_SHA2_256, auth_key=bytes(32))  # fmt: skip
    said, found = m.read(m.SA_INFO, values.moved_sa(spec, vectors.NEWSA))
    state = found[Attr.REPLAY_ESN_VAL]
    assert m.REPLAY_ESN.unpack(state)["seq"] == 2
    assert state[m.REPLAY_ESN.size :] == bytes([3, 0, 0, 0, 0, 0, 0, 0])
    lifetime = m.LIFETIME_CUR.unpack(found[Attr.LTIME_VAL])
    assert (lifetime["packets"], lifetime["bytes"]) == (2, 0xB8)
    assert said["id"]["daddr"][:4] == A.packed


# --- policies --------------------------------------------------------------------------------

POLICY = PolicySpec(Direction.OUT, TRAFFIC, Action.IPSEC, ESP, TUNNEL, A, B, 7)


def test_bundles_are_in_order_whatever_the_order_they_are_named_in() -> None:
    assert bundle_order([AH, IPCOMP, ESP]) == (IPCOMP, ESP, AH)
    spec = POLICY._replace(protocol=AH, more=(ESP,))
    assert values.bundle(spec) == [(ESP, Mode.TUNNEL), (AH, Mode.TRANSPORT)]


def test_policies_without_ipsec_have_no_templates() -> None:
    for action in (Action.BYPASS, Action.DISCARD):
        assert values.templates(POLICY._replace(action=action, src=None, dst=None)) == b""
    with pytest.raises(ApplicationError):
        values.templates(POLICY._replace(src=None))
    assert values.templates(POLICY._replace(mode=TRANSPORT, src=None, dst=None))


@pytest.mark.parametrize(("spec", "dirs"), [
    (POLICY, [Dir.OUT]),
    (POLICY._replace(direction=Direction.IN), [Dir.IN, Dir.FWD]),
    (POLICY._replace(direction=Direction.IN, mode=TRANSPORT), [Dir.IN]),
    (POLICY._replace(direction=Direction.IN, mode=TRANSPORT, action=Action.DISCARD),
     [Dir.IN, Dir.FWD]),
])  # fmt: skip
def test_directions(spec: PolicySpec, dirs: list[Dir]) -> None:
    assert [dir for dir, _ in places(spec)] == dirs


def test_ports_of_later_fragments_are_the_kernels_zero() -> None:
    opaque = TRAFFIC._replace(protocol=17, dst_port=0xFFFF, dst_last=0)
    assert list(places(POLICY._replace(selector=opaque))) == [(Dir.OUT, ((0, 0), (0, 0xFFFF)))]


_networks = st.integers(0, 32).map(lambda bits: ip_network((0, bits)))
_ports = st.sampled_from([(0, 0), (80, 0xFFFF), (80, 0xFFF0)])


@given(_networks, _networks, st.sampled_from([0, 17]), _ports, st.booleans())
def test_what_says_more_goes_first(src, dst, protocol, port, longer) -> None:  # type: ignore[no-untyped-def]
    general = Selector(src, dst, protocol)
    if longer and src.prefixlen < 32:
        specific = general._replace(src=ip_network((0, src.prefixlen + 1)), protocol=0)
        assert values.priority(specific, ANY) < values.priority(
            general._replace(protocol=17), (port, port)
        )
    if port[1]:
        assert values.priority(general, (port, (0, 0))) < values.priority(general, ANY)
    assert 0 < values.priority(general, ANY) <= 1 << 19


def test_indices_and_reqids_tell_what_is_ours() -> None:
    for number in (1, values.INDICES - 1):
        for dir in Dir:
            index = values.OURS.index(number, dir)
            assert index & 7 == dir
            assert values.OURS.has(index)
            assert values.OURS.number(index) == number
    assert not values.OURS.has(8)
    assert not values.OURS.has(values.INDEX_BASE + (values.INDICES << 3))
    assert values.is_ours(values.kernel_reqid(0))
    assert not values.is_ours(7)


# --- events ----------------------------------------------------------------------------------


def test_what_the_kernel_said_is_understood() -> None:
    event = values.read_acquire(vectors.ACQUIRE)
    assert event is not None
    assert (event.reqid, event.src, event.dst) == (7, A, B)
    wanted = Selector(ip_network("10.10.1.1"), ip_network("10.10.2.1"), 17, 4321, 5000)
    assert event.selector == wanted
    expire = values.read_expire(vectors.EXPIRE)
    assert expire.hard
    assert expire.sa == SaId(ESP, 0xD3BF9A21, A, B)
    mapping = values.read_mapping(vectors.MAPPING)
    assert mapping.sa == SaId(ESP, 0x7BA432CB, A, B)
    assert (mapping.address, mapping.port) == (A, 4777)
    usage = values.read_usage(vectors.NEWSA, wall=0x6B0148FC + 10)
    # This kernel kept the time of the first packet alone.
    assert (usage.packets, usage.octets, usage.age_s, usage.idle_s) == (2, 0xB8, 10, None)


def test_when_the_last_packet_was_is_known_where_the_kernel_keeps_it() -> None:
    last = 0x6B0148FC + 4
    attribute = struct.pack("=HHQ", 12, Attr.LASTUSED, last)
    assert values.read_usage(vectors.NEWSA + attribute, wall=last + 6).idle_s == 6


def test_acquires_for_others_policies_are_not_ours() -> None:
    theirs = vectors.ACQUIRE.replace(bytes.fromhex("07000069"), bytes.fromhex("07000000"))
    assert values.read_acquire(theirs) is None


@given(st.binary(max_size=400))
def test_whatever_comes_is_understood_or_malformed(body: bytes) -> None:
    for read in (values.read_acquire, values.read_expire, values.read_mapping, values.read_spi):
        try:
            read(body)
        except MalformedPayload:
            continue


@given(st.integers(0, len(vectors.ACQUIRE) - 1), st.integers(0, 255))
def test_mutated_events(at: int, octet: int) -> None:
    body = vectors.ACQUIRE[:at] + bytes([octet]) + vectors.ACQUIRE[at + 1 :]
    with suppress(MalformedPayload):
        values.read_acquire(body)
