"""Which addresses this host has."""

from __future__ import annotations

from ipaddress import IPv4Interface, ip_address, ip_interface
from pathlib import Path

import pytest

from isakmp.transport.netif import interface, lacks_address, source

LOOPBACK, NOBODYS = ip_address("127.0.0.1"), ip_address("192.0.2.77")


def test_to_oneself_one_sends_from_loopback() -> None:
    assert source(LOOPBACK) == LOOPBACK


def test_an_address_is_one_of_this_hosts_or_not() -> None:
    assert not lacks_address(LOOPBACK)
    assert lacks_address(NOBODYS), "192.0.2.0/24 is for documentation (RFC 5737)"


def test_a_link_local_address_is_one_of_its_interface() -> None:
    """Of each that the host has; no socket is bound to one without its interface."""
    assert lacks_address(ip_address("fe80::77:1"))
    assert lacks_address(ip_address("fe80::77:1%lo"))
    assert interface("fe80::77:1", 6) is None
    listed = Path("/proc/net/if_inet6")
    rows = [line.split() for line in listed.read_text().splitlines()] if listed.exists() else []
    for octets, index, _, scope, _, name in rows:
        if scope == "20":
            own = ip_address(bytes.fromhex(octets))
            assert interface(str(own), 6) == ip_interface(own)
            for zone, lacks in ((name, False), (str(int(index, 16)), False), ("nosuch0", True)):
                assert lacks_address(ip_address(f"{own}%{zone}")) is lacks


@pytest.mark.parametrize(("text", "there"), [("127.0.0.1", True), ("192.0.2.77", False)])
def test_an_address_is_itself_where_an_interface_has_it(text: str, there: bool) -> None:
    assert interface(text, 4) == (IPv4Interface(f"{text}/32") if there else None)


def test_an_interface_has_its_first_address_with_its_prefix() -> None:
    assert interface("lo", 4) == IPv4Interface("127.0.0.1/8")
    assert interface("nosuch0", 4) is None
