"""Structures of the kernel's interface: sizes, places, and what is cut short."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest

from isakmp.app.xfrm import messages as m
from isakmp.app.xfrm.layout import Layout
from isakmp.errors import MalformedPayload
from regress.app.xfrm import vectors

SIZES = [
    (m.SELECTOR, 56), (m.ID, 24), (m.LIFETIME_CFG, 64), (m.LIFETIME_CUR, 32), (m.STATS, 12),
    (m.REPLAY, 12), (m.REPLAY_ESN, 24), (m.SA_INFO, 224), (m.SA_ID, 24), (m.SPI_INFO, 232),
    (m.TEMPLATE, 64), (m.POLICY_INFO, 168), (m.POLICY_ID, 64), (m.ACQUIRE, 280), (m.EXPIRE, 232),
    (m.MAPPING, 64), (m.ENCAP, 24), (m.USER_MIGRATE, 76), (m.KMADDRESS, 40), (m.ALG, 68),
    (m.ALG_AUTH, 72), (m.ALG_AEAD, 72), (m.ADDRESS_ONLY, 16), (m.QUAD, 8),
]  # fmt: skip
A, B = ip_address("10.9.0.1"), ip_address("10.9.0.2")


@pytest.mark.parametrize(("layout", "size"), SIZES, ids=lambda x: getattr(x, "name", x))
def test_sizes(layout: Layout, size: int) -> None:
    assert layout.size == size
    assert len(layout.pack()) == size


def test_an_sa_is_where_the_kernel_looks_for_it() -> None:
    body = m.SA_INFO.pack(
        id={"daddr": B, "spi": 0x1234, "proto": 50}, saddr=A, reqid=7, family=2, mode=1,
        replay_window=32, flags=128, lft={"hard_packet_limit": 9},
    )  # fmt: skip
    infinite = 2**64 - 1
    expected = bytes(56) + B.packed.ljust(16, b"\0") + b"\0\0\x12\x34" + bytes([50, 0, 0, 0])
    expected += A.packed.ljust(16, b"\0") + struct.pack("=8Q", *3 * [infinite], 9, 0, 0, 0, 0)
    expected += bytes(32 + 12) + struct.pack("=IIHBBB7x", 0, 7, 2, 1, 32, 128)
    assert body == expected


def test_a_template_is_where_the_kernel_looks_for_it() -> None:
    body = m.TEMPLATE.pack(id={"daddr": B, "proto": 51}, family=2, saddr=A, reqid=7, mode=1,
                           optional=1, aalgos=1, ealgos=2, calgos=3)  # fmt: skip
    expected = B.packed.ljust(16, b"\0") + bytes(4) + struct.pack("=B3xH2x", 51, 2)
    expected += A.packed.ljust(16, b"\0") + struct.pack("=IBBBxIII", 7, 1, 0, 1, 1, 2, 3)
    assert body == expected


def test_a_policy_and_its_selector_are_where_the_kernel_looks_for_them() -> None:
    selector = {"daddr": B, "saddr": A, "dport": 53, "dport_mask": 0xFFFF, "family": 2,
                "prefixlen_d": 32, "prefixlen_s": 24, "proto": 17}  # fmt: skip
    body = m.POLICY_INFO.pack(sel=selector, priority=3, index=8, dir=1, action=1)
    expected = B.packed.ljust(16, b"\0") + A.packed.ljust(16, b"\0")
    expected += struct.pack(">HHHH", 53, 0xFFFF, 0, 0)
    expected += struct.pack("=HBBB3xiI", 2, 32, 24, 17, 0, 0)
    expected += struct.pack("=8Q", *4 * [2**64 - 1], 0, 0, 0, 0) + bytes(32)
    expected += struct.pack("=IIBBBB4x", 3, 8, 1, 1, 0, 0)
    assert body == expected


@pytest.mark.parametrize(
    ("layout", "body"),
    [
        (m.ACQUIRE, vectors.ACQUIRE),
        (m.EXPIRE, vectors.EXPIRE),
        (m.MAPPING, vectors.MAPPING),
        (m.SA_INFO, vectors.NEWSA),
    ],
)
def test_truncation_at_every_octet(layout: Layout, body: bytes) -> None:
    for end in range(layout.size):
        with pytest.raises(MalformedPayload):
            layout.unpack(body[:end])


def test_unknown_fields_are_bugs() -> None:
    with pytest.raises(KeyError):
        m.SA_ID.pack(saddr=A)
