"""What rules consist of: each test loads what it looks at, then compares."""

from __future__ import annotations

import sys
from ipaddress import ip_network

import pytest

from isakmp.app.nft import expressions as nft
from regress.app.nft.tlv import expressions, number, one, verdict

# Of <linux/netfilter/nf_tables.h>.
EQ, NEQ, LTE, GTE = 0, 1, 3, 5
MARK, IIFNAME, OIFNAME, L4PROTO = 3, 6, 7, 16
NETWORK, TRANSPORT = 1, 2


def compared(found: tuple[str, dict[int, bytes]]) -> tuple[int, bytes]:
    """How a register is compared with what."""
    kind, values = found
    assert kind == "cmp" and number(values[1]) == 1
    return number(values[2]), one(values[3], 1)


def loaded(found: tuple[str, dict[int, bytes]]) -> tuple[int, int, int]:
    """Base, offset and octets of what a payload expression loads."""
    kind, values = found
    assert kind == "payload" and number(values[1]) == 1
    return number(values[2]), number(values[3]), number(values[4])


@pytest.mark.parametrize(
    ("data", "key", "value"),
    [
        (nft.comes_by("ipsec0"), IIFNAME, b"ipsec0" + bytes(10)),
        (nft.goes_by("lo"), OIFNAME, b"lo" + bytes(14)),
        (nft.marked(0xDEADBEEF), MARK, (0xDEADBEEF).to_bytes(4, sys.byteorder)),
        (nft.protocol(50), L4PROTO, b"\x32"),
    ],
)
def test_what_the_kernel_knows_of_a_packet(data: bytes, key: int, value: bytes) -> None:
    meta, is_ = expressions(data)
    assert meta[0] == "meta" and number(meta[1][2]) == key
    assert compared(is_) == (EQ, value)


def test_one_value_of_a_field_and_a_range() -> None:
    load, is_ = expressions(nft.field(2, 2, 500, 500))
    assert loaded(load) == (TRANSPORT, 2, 2) and compared(is_) == (EQ, b"\x01\xf4")
    load, low, high = expressions(nft.field(0, 1, 133, 137))
    assert loaded(load) == (TRANSPORT, 0, 1)
    assert (compared(low), compared(high)) == ((GTE, b"\x85"), (LTE, b"\x89"))


@pytest.mark.parametrize(("test", "offset"), [(nft.source, 8), (nft.destination, 24)])
def test_a_network_of_whole_octets_is_compared_as_far_as_it_says_something(test, offset) -> None:  # type: ignore[no-untyped-def]
    load, is_ = expressions(test(ip_network("2001:db8::/32")))
    assert loaded(load) == (NETWORK, offset, 4)
    assert compared(is_) == (EQ, b"\x20\x01\x0d\xb8")


def test_of_other_networks_the_last_octet_is_masked() -> None:
    load, mask, is_ = expressions(nft.source(ip_network("2001:db8:8000::/33")))
    assert loaded(load) == (NETWORK, 8, 5)
    assert mask[0] == "bitwise"
    assert one(mask[1][4], 1) == b"\xff\xff\xff\xff\x80" and one(mask[1][5], 1) == bytes(5)
    assert compared(is_) == (EQ, b"\x20\x01\x0d\xb8\x80")


def test_everybody_is_not_looked_at() -> None:
    assert nft.source(ip_network("::/0")) == nft.destination(ip_network("::/0")) == b""


def test_fragments() -> None:
    load, mask, is_ = expressions(nft.later_fragment())
    assert load[0] == "exthdr" and load[1][2] == b"\x2c"
    assert (number(load[1][3]), number(load[1][4])) == (2, 2)
    assert one(mask[1][4], 1) == b"\xff\xf8", "the offset, without reserved bits and M"
    assert compared(is_) == (NEQ, bytes(2))
    load, is_ = expressions(nft.fragment_of(43))
    assert (number(load[1][3]), number(load[1][4])) == (0, 1) and compared(is_) == (EQ, b"\x2b")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (nft.verdict(nft.Verdict.DROP), (0, "")),
        (nft.verdict(nft.Verdict.ACCEPT), (1, "")),
        (nft.verdict(nft.Verdict.JUMP, "inbound"), (-3, "inbound")),
    ],
)
def test_what_becomes_of_a_packet(data: bytes, said: tuple[int, str]) -> None:
    (found,) = expressions(data)
    assert verdict(found) == said
