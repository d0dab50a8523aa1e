"""The structures against <linux/xfrm.h>, and against what a kernel said."""

from __future__ import annotations

import struct
import sys
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.app.xfrm import messages as m
from isakmp.app.xfrm.constants import Attr, Msg, NetlinkFlag
from isakmp.errors import MalformedPayload
from regress.app.xfrm import vectors

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the vectors are little-endian")

# sizeof() of each, by a C compiler with the kernel's header.
SIZES = [
    (m.SELECTOR, 56), (m.ID, 24), (m.LIFETIME_CFG, 64), (m.LIFETIME_CUR, 32), (m.STATS, 12),
    (m.REPLAY, 12), (m.REPLAY_ESN, 24), (m.SA_INFO, 224), (m.SA_ID, 24), (m.SPI_INFO, 232),
    (m.TEMPLATE, 64), (m.POLICY_INFO, 168), (m.POLICY_ID, 64), (m.ACQUIRE, 280), (m.EXPIRE, 232),
    (m.MAPPING, 64), (m.ENCAP, 24), (m.USER_MIGRATE, 76), (m.KMADDRESS, 40), (m.ALG, 68),
    (m.ALG_AUTH, 72), (m.ALG_AEAD, 72), (m.ADDRESS_ONLY, 16), (m.QUAD, 8),
]  # fmt: skip
A, B = ip_address("10.9.0.1"), ip_address("10.9.0.2")


def test_attributes_are_padded_and_found_again() -> None:
    data = m.attribute(Attr.TFCPAD, b"12345") + m.attribute(Attr.PROTO, b"\x32")
    assert data == b"\x09\0\x16\0" + b"12345\0\0\0" + b"\x05\0\x19\0" + b"\x32\0\0\0"
    assert m.attributes(data, 0) == {Attr.TFCPAD: b"12345", Attr.PROTO: b"\x32"}


def test_a_datagram_holds_several_messages() -> None:
    one = m.message(Msg.GETSA, NetlinkFlag.REQUEST, 5, b"abcde")
    assert one == struct.pack("=IHHII", 21, 0x12, 1, 5, 0) + b"abcde"
    first, second = m.split(one + bytes(3) + m.message(Msg.DONE, 0, 6, b""))
    assert (first.type, first.seq, first.body) == (Msg.GETSA, 5, b"abcde")
    assert (second.type, second.seq, second.body) == (Msg.DONE, 6, b"")


def test_errors_with_the_kernels_words() -> None:
    head = struct.pack("=IHHII", 16, 0x10, 5, 9, 0)
    assert m.error(struct.pack("=i", -3) + head, 0) == (3, "")
    words = m.attribute(Attr(1), b"Requested type not found\0")
    capped = struct.pack("=i", -93) + head + words
    assert m.error(capped, 0x300) == (93, "Requested type not found")
    whole = struct.pack("=i", -93) + struct.pack("=IHHII", 20, 0x10, 5, 9, 0) + b"body" + words
    assert m.error(whole, 0x200) == (93, "Requested type not found")


@pytest.mark.parametrize(("type", "body"), [
    (Msg.ACQUIRE, vectors.ACQUIRE), (Msg.EXPIRE, vectors.EXPIRE), (Msg.MAPPING, vectors.MAPPING),
    (Msg.NEWSA, vectors.NEWSA),
])  # fmt: skip
def test_what_the_kernel_said_is_read_and_written_alike(type: Msg, body: bytes) -> None:
    layout = m.BODIES[type]
    values, _ = m.read(layout, body)
    assert layout.pack(values) == body[: layout.size]


def test_dumps_are_symbolic_and_hold_no_key() -> None:
    lines = m.describe(Msg.NEWSA, vectors.NEWSA)
    text = "\n".join(lines)
    for part in (
        "NEWSA", "daddr 10.1.0.1", "spi 0x579b413", "proto ESP", "mode TUNNEL", "AF_UNSPEC",
        "ALG_CRYPT alg_name cbc(aes) alg_key_len 128", "hmac(sha256)", "alg_trunc_len 128",
        "REPLAY_ESN_VAL", "infinite",
    ):  # fmt: skip
        assert part in text, part
    for key in ("101112131415", "\\x10\\x11"):
        assert key not in text
    text = "\n".join(m.describe(Msg.ACQUIRE, vectors.ACQUIRE))
    assert "TMPL id(daddr 10.1.0.2 proto ESP) family 2 saddr 10.1.0.1" in text
    assert "dport 5000" in text


@given(st.sampled_from(sorted(m.BODIES)), st.binary(max_size=400))
def test_whatever_comes_is_described_or_malformed(type: Msg, body: bytes) -> None:
    assert m.describe(type, body)
    for take in (lambda: list(m.split(body)), lambda: m.read(m.BODIES[type], body)):
        try:
            take()
        except MalformedPayload:
            continue
