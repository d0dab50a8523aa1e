"""When two identities are the same one: by what they mean, whatever octets say it.

RFC 2407 4.6.2, RFC 4945 3.1, RFC 5280 7.1; both versions number their types alike.
"""

from __future__ import annotations

from contextlib import suppress

from isakmp.constants import ipsec
from isakmp.policy import dn
from isakmp.policy.spd import Identity, Network, last_address, make_network

VERSION = {
    ipsec.Id.IPV4_ADDR: 4,
    ipsec.Id.IPV4_ADDR_SUBNET: 4,
    ipsec.Id.IPV6_ADDR: 6,
    ipsec.Id.IPV6_ADDR_SUBNET: 6,
}
SUBNETS = (ipsec.Id.IPV4_ADDR_SUBNET, ipsec.Id.IPV6_ADDR_SUBNET)
_HOSTS = {ipsec.Id.IPV4_ADDR: 4, ipsec.Id.IPV6_ADDR: 16}
_RANGES = {ipsec.Id.IPV4_RANGE: 4, ipsec.Id.IPV6_RANGE: 16}


def network_of(identity: Identity) -> Network | None:
    """The network a phase 2 identity selects; None where it is no address, subnet or range that is
    a subnet, or not of its type's size. Bits below a mask are any (RFC 2407 4.6.2.3)."""
    data, kind = identity.data, identity.type
    try:
        if kind in _RANGES:
            return _network_of_range(data[: _RANGES[kind]], data[_RANGES[kind] :])
        if kind not in VERSION:
            return None
        size = 4 if VERSION[kind] == 4 else 16
        if len(data) != (2 * size if kind in SUBNETS else size):
            return None
        prefix = prefix_of(data[size:]) if kind in SUBNETS else 8 * size
        return make_network(data[:size], prefix, strict=False)
    except ValueError:
        return None


def block_of(identity: Identity) -> tuple[bytes, int] | None:
    """The same as its first address and its length in bits, which is quick to look up by."""
    if _HOSTS.get(identity.type) == len(identity.data):
        return identity.data, 8 * len(identity.data)
    network = network_of(identity)
    return (network.network_address.packed, network.prefixlen) if network else None


def _network_of_range(first: bytes, last: bytes) -> Network | None:
    """The subnet that is exactly that range. ValueError where these are no two addresses."""
    if len(first) != len(last):
        raise ValueError("ends of two sizes")
    differ = int.from_bytes(first, "big") ^ int.from_bytes(last, "big")
    network = make_network(first, 8 * len(first) - differ.bit_length(), strict=False)
    ends = network.network_address.packed, last_address(network).packed
    return network if ends == (first, last) else None


def same_identity(one: Identity, other: Identity) -> bool:
    """Whether two identities mean the same one, whatever octets say it, in either version."""
    return one == other or meaning_of(one) == meaning_of(other)


def same_traffic(one: Identity, other: Identity) -> bool:
    """Whether two phase 2 identities select the same traffic."""
    ports = (one.protocol, one.port) == (other.protocol, other.port)
    return ports and same_identity(one, other)


def meaning_of(identity: Identity) -> tuple[object, ...]:
    """What identities that are the same have in common; protocol and port are no part of it.

    Domains in any case, the user before one as it is (RFC 4945 3.1.2 and 3.1.3); names in any
    string type, case and spacing (RFC 5280 7.1); subnets without the bits below their masks, which
    hosts and ranges may be, too.
    """
    kind, data = identity.type, identity.data
    if block := block_of(identity):
        return block
    if kind is ipsec.Id.FQDN:
        data = data.lower()
    elif kind is ipsec.Id.USER_FQDN:
        user, at, domain = data.rpartition(b"@")
        data = user + at + domain.lower()
    elif kind is ipsec.Id.DER_ASN1_DN:
        with suppress(ValueError):
            return kind, dn.folded(data)
    return kind, data


def bearer_of(identity: Identity) -> tuple[object, ...]:
    """The same of identities that one key may prove: names of sections, where keys by identity
    are, are in any case, and so is then the user before a domain."""
    if identity.type is ipsec.Id.USER_FQDN:
        return identity.type, identity.data.lower()
    return meaning_of(identity)


def prefix_of(mask: bytes) -> int:
    """The length of a contiguous mask. ValueError where there are holes in it."""
    bits = len(mask) * 8
    prefix = int.from_bytes(mask, "big").bit_count()
    if int.from_bytes(mask, "big") != (1 << bits) - (1 << (bits - prefix)):
        raise ValueError("mask with holes")
    return prefix
