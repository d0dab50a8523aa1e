"""IP protocols that people select traffic by."""

from __future__ import annotations

import socket

import pytest

from isakmp.constants.ip import PROTOCOLS, protocol_name


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if name not in ("any", "gre")])
def test_numbers_are_the_systems(name: str) -> None:
    constant = f"IPPROTO_{name.removeprefix('ipv6-').upper() if name != 'ipv6-icmp' else 'ICMPV6'}"
    assert PROTOCOLS[name] == getattr(socket, constant)


def test_names_are_read_as_they_are_written() -> None:
    assert all(protocol_name(number) == name for name, number in PROTOCOLS.items())
    assert (protocol_name(0), protocol_name(50)) == ("any", "50")
