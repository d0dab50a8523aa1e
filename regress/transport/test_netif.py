"""Which addresses this host has."""

from __future__ import annotations

from ipaddress import IPv4Interface, ip_address

import pytest

from isakmp.transport.netif import interface, lacks_address, source

LOOPBACK, NOBODYS = ip_address("127.0.0.1"), ip_address("192.0.2.77")


def test_to_oneself_one_sends_from_loopback() -> None:
    assert source(LOOPBACK) == LOOPBACK


def test_an_address_is_one_of_this_hosts_or_not() -> None:
    assert not lacks_address(LOOPBACK)
    assert lacks_address(NOBODYS), "192.0.2.0/24 is for documentation (RFC 5737)"


@pytest.mark.parametrize(("text", "there"), [("127.0.0.1", True), ("192.0.2.77", False)])
def test_an_address_is_itself_where_an_interface_has_it(text: str, there: bool) -> None:
    assert interface(text, 4) == (IPv4Interface(f"{text}/32") if there else None)


def test_an_interface_has_its_first_address_with_its_prefix() -> None:
    assert interface("lo", 4) == IPv4Interface("127.0.0.1/8")
    assert interface("nosuch0", 4) is None
