"""When two identities are the same one: RFC 2407 4.6.2, RFC 4945 3.1, RFC 5280 7.1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.constants import ipsec
from isakmp.policy import dn
from isakmp.policy.sameness import (
    bearer_of,
    block_of,
    meaning_of,
    network_of,
    prefix_of,
    same_identity,
    same_traffic,
)
from isakmp.policy.spd import Identity


class TestSameIdentity:
    @pytest.mark.parametrize(
        ("kind", "one", "other", "same"),
        [
            ("FQDN", b"GW.Example.net", b"gw.example.NET", True),
            ("USER_FQDN", b"joe@example.net", b"joe@Example.NET", True),
            ("USER_FQDN", b"joe@example.net", b"Joe@example.net", False),
            ("KEY_ID", b"joe", b"Joe", False),
            ("FQDN", b"gw", b"gw2", False),
            ("DER_ASN1_DN", b"\x30\x00", b"\x31\x00", False),
        ],
    )
    def test_of_a_type(self, kind: str, one: bytes, other: bytes, same: bool) -> None:
        type_ = ipsec.Id[kind]
        assert same_identity(Identity(type_, one), Identity(type_, other)) is same

    def test_types_count(self) -> None:
        assert not same_identity(Identity(ipsec.Id.FQDN, b"a"), Identity(ipsec.Id.KEY_ID, b"a"))

    def test_names_in_another_string_type(self) -> None:
        """RFC 5280 4.1.2.4."""
        utf8 = dn.encode("CN=gw")
        printable = utf8.replace(b"\x0c\x02gw", b"\x13\x02gw")
        assert utf8 != printable
        kind = ipsec.Id.DER_ASN1_DN
        assert same_identity(Identity(kind, utf8), Identity(kind, printable))


def of(kind: str, data: str) -> Identity:
    return Identity(ipsec.Id[kind], bytes.fromhex(data))


V6 = "20010db8" + "00" * 12


@pytest.mark.parametrize(
    ("identity", "network"),
    [
        (of("IPV4_ADDR", "0a010203"), "10.1.2.3/32"),
        (of("IPV4_ADDR_SUBNET", "0a010203ffff0000"), "10.1.0.0/16"),
        (of("IPV4_RANGE", "0a0100000a01ffff"), "10.1.0.0/16"),
        (of("IPV4_RANGE", "0a0100010a01ffff"), None),
        (of("IPV4_RANGE", "0a01ffff0a010000"), None),
        (of("IPV6_ADDR", V6), "2001:db8::/128"),
        (of("IPV6_ADDR_SUBNET", V6 + "ffffffff" + "00" * 12), "2001:db8::/32"),
        (of("IPV6_RANGE", V6 + V6[:-2] + "ff"), "2001:db8::/120"),
        (of("FQDN", "6761"), None),
        (of("KEY_ID", "0a010203"), None),
    ],
)
def test_the_network_that_an_identity_selects(identity: Identity, network: str | None) -> None:
    """RFC 2407 4.6.2.1 to 4.6.2.6."""
    found = network_of(identity)
    assert (str(found) if found else None) == network
    block = block_of(identity)
    assert block == (found and (found.network_address.packed, found.prefixlen))


@given(
    st.sampled_from(
        ["IPV4_ADDR", "IPV4_ADDR_SUBNET", "IPV4_RANGE", "IPV6_ADDR", "IPV6_ADDR_SUBNET",
         "IPV6_RANGE", "FQDN", "USER_FQDN", "DER_ASN1_DN", "KEY_ID"]
    ),
    st.binary(max_size=40),
)  # fmt: skip
def test_whatever_octets_a_stranger_says(kind: str, data: bytes) -> None:
    """Of sizes that the type has not, too: a meaning comes out, which can be looked up by."""
    identity = Identity(ipsec.Id[kind], data)
    assert {meaning_of(identity): 1}[meaning_of(identity)] == 1
    assert same_identity(identity, Identity(ipsec.Id[kind], data, 6, 80))
    network = network_of(identity)
    assert network is None or block_of(identity) == (
        network.network_address.packed,
        network.prefixlen,
    )


@pytest.mark.parametrize("size", [0, 1, 3, 5, 15, 17])
@pytest.mark.parametrize("kind", ["IPV4_ADDR", "IPV6_ADDR"])
def test_addresses_of_another_size_are_none(kind: str, size: int) -> None:
    assert network_of(Identity(ipsec.Id[kind], bytes(size))) is None


@pytest.mark.parametrize("mask", ["", "ffff", "ffff000000", "ffffffff00000000"])
def test_masks_of_another_size_are_none(mask: str) -> None:
    """IKEv2 knows no subnets as identities, so its codec leaves their octets as they are."""
    subnet = of("IPV4_ADDR_SUBNET", "0a010203" + mask)
    assert network_of(subnet) is None
    assert not same_identity(subnet, of("IPV4_ADDR_SUBNET", "0a010203ffff0000"))


@given(st.sampled_from([32, 128]), st.data())
def test_the_length_of_a_mask(bits: int, data: st.DataObject) -> None:
    prefix = data.draw(st.integers(0, bits))
    mask = ((1 << bits) - (1 << bits - prefix)).to_bytes(bits // 8, "big")
    assert prefix_of(mask) == prefix


@pytest.mark.parametrize("mask", ["ff00ff00", "00000001", "7fffffff", "ffff" + "00" * 13 + "01"])
def test_a_mask_with_holes_is_none(mask: str) -> None:
    with pytest.raises(ValueError, match="mask with holes"):
        prefix_of(bytes.fromhex(mask))
    if len(mask) == 8:
        assert network_of(of("IPV4_ADDR_SUBNET", "0a010203" + mask)) is None


def test_the_same_traffic_has_the_same_protocol_and_port() -> None:
    host, subnet = of("IPV4_ADDR", "0a010203"), of("IPV4_ADDR_SUBNET", "0a010203ffffffff")
    assert same_traffic(host, subnet)
    web = Identity(host.type, host.data, 6, 80)
    assert same_traffic(web, Identity(subnet.type, subnet.data, 6, 80))
    assert not same_traffic(host, web)
    assert not same_traffic(web, Identity(host.type, host.data, 17, 80))
    assert same_identity(host, web)


def test_who_one_key_may_prove_is_in_any_case() -> None:
    joe, other = (Identity(ipsec.Id.USER_FQDN, n) for n in (b"Joe@Example.net", b"joe@example.net"))
    assert bearer_of(joe) == bearer_of(other)
    assert meaning_of(joe) != meaning_of(other)
    key_id = Identity(ipsec.Id.KEY_ID, b"Joe")
    assert bearer_of(key_id) == meaning_of(key_id) != bearer_of(Identity(key_id.type, b"joe"))
