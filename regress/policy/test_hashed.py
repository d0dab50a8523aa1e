"""Addresses and networks that know their hash are what the library's are."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from isakmp.policy.hashed import HashedIPv4Address, HashedIPv6Network
from isakmp.policy.spd import last_address, make_address, make_network


@pytest.mark.parametrize("text", ["192.0.2.1", "0.0.0.0", "2001:db8::1"])
def test_an_address_is_found_by_the_librarys_and_finds_it(text: str) -> None:
    plain = ip_address(text)
    made = make_address(plain.packed)
    assert {made: 1}[plain] == {plain: 1}[made] == 1
    assert (str(made), made.packed, hash(made)) == (text, plain.packed, hash(plain))


@pytest.mark.parametrize("text", ["10.1.0.0/16", "0.0.0.0/0", "2001:db8::/32", "::1/128"])
def test_a_network_is_found_by_the_librarys_and_finds_it(text: str) -> None:
    plain = ip_network(text)
    made = make_network(plain.network_address.packed, plain.prefixlen)
    assert {made: 1}[plain] == {plain: 1}[made] == 1
    assert (str(made), hash(made)) == (text, hash(plain))


@pytest.mark.parametrize("text", ["192.0.2.1", "2001:db8::1"])
def test_the_text_of_an_address_is_kept(text: str) -> None:
    made = make_address(ip_address(text).packed)
    assert str(made) is str(made)
    assert f"{made} {made!r}" == f"{text} {type(made).__name__}({text!r})"


@pytest.mark.parametrize("text", ["10.1.0.0/16", "2001:db8::/32"])
def test_the_octets_are_kept(text: str) -> None:
    plain = ip_network(text)
    made = make_network(plain.network_address.packed, plain.prefixlen).network_address
    assert made == plain.network_address and made.packed == plain.network_address.packed
    assert made.packed is made.packed


def test_the_hash_is_kept() -> None:
    address, network = make_address(b"\x0a\0\0\1"), make_network(bytes(16), 0)
    assert isinstance(address, HashedIPv4Address)
    assert isinstance(network, HashedIPv6Network)


@pytest.mark.parametrize(("packed", "prefix"), [(b"", 0), (bytes(5), 8), (bytes(4), 33)])
def test_what_is_no_network_is_a_value_error(packed: bytes, prefix: int) -> None:
    with pytest.raises(ValueError, match=".+"):
        make_network(packed, prefix)


def test_bits_behind_the_prefix_are_looked_at_or_not() -> None:
    with pytest.raises(ValueError, match="host bits"):
        make_network(b"\x0a\1\2\3", 16)
    assert str(make_network(b"\x0a\1\2\3", 16, strict=False)) == "10.1.0.0/16"


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0/0", "10.99.0.0/16", "10.1.2.3/32", "10.1.2.2/31", "::/0", "2001:db8::/61", "::1/128"],
)
def test_the_last_address_is_the_librarys(text: str) -> None:
    plain = ip_network(text)
    network = make_network(plain.network_address.packed, plain.prefixlen)
    assert last_address(network) == last_address(plain) == plain.broadcast_address
