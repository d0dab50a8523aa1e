"""ID sections read into identities."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv6Interface, ip_network

import pytest

from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.policy.identity import Interface, read_identity
from isakmp.policy.sameness import network_of
from isakmp.policy.spd import Identity


def resolve(name: str, version: int) -> Interface | None:
    """One interface, which has the default route."""
    if name not in ("eth0", "default"):
        return None
    if version == 4:
        return IPv4Interface("198.51.100.7/24")
    return IPv6Interface("2001:db8::7/64")


def read(text: str) -> Identity:
    lines = "\n".join(line.strip() for line in text.split(";"))
    return read_identity(Conf.from_text(f"[id]\n{lines}", "f"), "id", resolve)


V6 = "20010db8000000000000000000000000"


@pytest.mark.parametrize(
    ("text", "kind", "data", "shown"),
    [
        ("ID-type= IPV4_ADDR; Address= 192.0.2.1", "IPV4_ADDR", "c0000201", "192.0.2.1"),
        ("ID-type= ipv4_addr; Address= eth0", "IPV4_ADDR", "c6336407", "198.51.100.7"),
        ("ID-type= IPV4_ADDR; Address= default", "IPV4_ADDR", "c6336407", "198.51.100.7"),
        (
            "ID-type= IPV4_ADDR_SUBNET; Network= 10.1.0.0; Netmask= 255.255.0.0",
            "IPV4_ADDR_SUBNET",
            "0a010000ffff0000",
            "10.1.0.0/255.255.0.0",
        ),
        (
            "ID-type= IPV4_ADDR_SUBNET; Network= 0.0.0.0; Netmask= 0",
            "IPV4_ADDR_SUBNET",
            "0000000000000000",
            "0.0.0.0/0.0.0.0",
        ),
        (
            "ID-type= IPV4_ADDR_SUBNET; Network= eth0; Netmask= eth0",
            "IPV4_ADDR_SUBNET",
            "c6336400ffffff00",
            "198.51.100.0/255.255.255.0",
        ),
        ("ID-type= IPV6_ADDR; Address= 2001:db8::", "IPV6_ADDR", V6, "2001:db8::"),
        (
            "ID-type= IPV6_ADDR_SUBNET; Network= 2001:db8::; Netmask= ffff:ffff::",
            "IPV6_ADDR_SUBNET",
            V6 + "ffffffff" + "0" * 24,
            "2001:db8::/ffff:ffff::",
        ),
        ("ID-type= FQDN; Name= a.example", "FQDN", b"a.example".hex(), "a.example"),
        ("ID-type= USER_FQDN; Name= a@b", "USER_FQDN", b"a@b".hex(), "a@b"),
        ("ID-type= KEY_ID; Name= phone", "KEY_ID", b"phone".hex(), "0x" + b"phone".hex()),
        ("ID-type= KEY_ID; Name= 0x00ff", "KEY_ID", "00ff", "0x00ff"),
    ],
)
def test_identities(text: str, kind: str, data: str, shown: str) -> None:
    """RFC 2407 4.6.2."""
    identity = read(text)
    assert (identity.type.name, identity.data.hex(), str(identity)) == (kind, data, shown)
    assert identity.line == "f:1 [id]"


@pytest.mark.parametrize(
    ("text", "protocol", "port"),
    [
        ("Protocol= 17; Port= 1701", 17, 1701),
        ("Protocol= udp", 17, 0),
        ("Protocol= TCP; Port= any", 6, 0),
        ("Protocol= ipv6-icmp", 58, 0),
        ("", 0, 0),
    ],
)
def test_protocol_and_port(text: str, protocol: int, port: int) -> None:
    identity = read(f"ID-type= IPV4_ADDR; Address= 192.0.2.1; {text}")
    assert (identity.protocol, identity.port) == (protocol, port)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Name= a", "no ID-type"),
        ("ID-type= IPV4; Address= 192.0.2.1", "no identity type"),
        ("ID-type= DER_ASN1_GN; Name= a", "no identity type"),
        ("ID-type= IPV4_ADDR", "no Address"),
        ("ID-type= IPV4_ADDR; Address= 192.0.2.256", "not an address"),
        ("ID-type= IPV4_ADDR; Address= ::1", "not an IPv4 address"),
        ("ID-type= IPV4_ADDR; Address= wlan9", "no address for 'wlan9'"),
        ("ID-type= IPV4_ADDR_SUBNET; Network= 10.0.0.0", "no Netmask"),
        ("ID-type= IPV4_ADDR_SUBNET; Network= 10.0.0.0; Netmask= 255.0.255.0", "not a netmask"),
        ("ID-type= IPV4_ADDR_SUBNET; Network= 10.0.0.0; Netmask= 33", "not a netmask"),
        ("ID-type= IPV4_ADDR_SUBNET; Network= 10.0.0.0; Netmask= ffff::", "not a netmask"),
        ("ID-type= FQDN", "no Name"),
        ("ID-type= FQDN; Name= bücher.example", "not ASCII"),
        ("ID-type= KEY_ID; Name= 0xz", "not hexadecimal"),
        (f"ID-type= FQDN; Name= {'a' * 2000}", "longer than"),
        ("ID-type= IPV4_ADDR; Address= 192.0.2.1; Protocol= 256", "no protocol"),
        ("ID-type= IPV4_ADDR; Address= 192.0.2.1; Port= 65536", "no port"),
        ("ID-type= IPV4_ADDR; Address= 192.0.2.1; Port= no-such-service", "no port"),
    ],
)
def test_what_is_no_identity(text: str, reason: str) -> None:
    with pytest.raises(ConfError, match=reason) as caught:
        read(text)
    assert caught.value.file == "f"
    assert caught.value.line > 0


def test_networks_of_identities() -> None:
    subnet = read("ID-type= IPV4_ADDR_SUBNET; Network= 10.1.0.0; Netmask= 16")
    assert network_of(subnet) == ip_network("10.1.0.0/16")
    host = read("ID-type= IPV6_ADDR; Address= 2001:db8::1")
    assert network_of(host) == ip_network("2001:db8::1/128")
    assert network_of(read("ID-type= FQDN; Name= a")) is None


@pytest.mark.parametrize("netmask", ["255.255.0.0", "16"])
def test_bits_below_the_netmask_are_any(netmask: str) -> None:
    text = f"[id]\nID-type= IPV4_ADDR_SUBNET\nNetwork= 10.1.3.7\nNetmask= {netmask}"
    found = read_identity(Conf.from_text(text), "id")
    assert str(network_of(found)) == "10.1.0.0/16"


@pytest.mark.parametrize(
    ("network", "netmask", "hint"),
    [
        ("10.2.0", "255.255.0.0", "an address has four octets: 10.2.0.0?"),
        ("10.2.0.0/16", "255.255.0.0", "write 10.2.0.0 alone; of a network the mask is Netmask's"),
        ("10.2.0.0", "/16", "write 16"),
        ("10.2.0.0", "255.0.255.0", "such as 255.255.0.0, or 16"),
    ],
)
def test_what_to_write_in_place_of_no_network(network: str, netmask: str, hint: str) -> None:
    with pytest.raises(ConfError) as wrong:
        read(f"ID-type= IPV4_ADDR_SUBNET; Network= {network}; Netmask= {netmask}")
    assert wrong.value.hint == hint
