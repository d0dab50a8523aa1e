"""What rules consist of: a test after the other, then the verdict (nf_tables.h, NFTA_*).

A test that does not hold, or whose field a packet does not have, ends the rule.
"""

from __future__ import annotations

import sys
from enum import IntEnum

from isakmp.app.nft.messages import attribute, nest, number, text
from isakmp.policy.spd import Network

_REGISTER = number(1)
_MARK, _IIFNAME, _OIFNAME, _L4PROTO = 3, 6, 7, 16  # NFT_META_*
_NETWORK, _TRANSPORT = 1, 2  # NFT_PAYLOAD_*
_NAME_SIZE = 16  # IFNAMSIZ
_FRAGMENT = 44


class Compare(IntEnum):
    """NFT_CMP_*."""

    EQ = 0
    NEQ = 1
    LTE = 3
    GTE = 5


class Verdict(IntEnum):
    """NF_* and NFT_*."""

    DROP = 0
    ACCEPT = 1
    JUMP = -3


def _expression(name: str, *data: bytes) -> bytes:
    return nest(1, text(1, name), nest(2, *data))


def _is(value: bytes, how: Compare = Compare.EQ) -> bytes:
    data = nest(3, attribute(1, value))
    return _expression("cmp", attribute(1, _REGISTER), attribute(2, number(how)), data)


def _masked(value: bytes, mask: bytes, how: Compare) -> bytes:
    parts = nest(4, attribute(1, mask)), nest(5, attribute(1, bytes(len(mask))))
    sizes = attribute(1, _REGISTER), attribute(2, _REGISTER), attribute(3, number(len(mask)))
    return _expression("bitwise", *sizes, *parts) + _is(value, how)


def _meta(key: int) -> bytes:
    return _expression("meta", attribute(1, _REGISTER), attribute(2, number(key)))


def _payload(base: int, offset: int, octets: int) -> bytes:
    where = (number(n) for n in (1, base, offset, octets))
    return _expression("payload", *(attribute(i, n) for i, n in enumerate(where, 1)))


def _of_fragment(offset: int, octets: int) -> bytes:
    return _expression(
        "exthdr", attribute(1, _REGISTER), attribute(2, bytes([_FRAGMENT])),
        attribute(3, number(offset)), attribute(4, number(octets)),
    )  # fmt: skip


def comes_by(device: str) -> bytes:
    """The packet comes by the device of that name."""
    return _meta(_IIFNAME) + _is(device.encode().ljust(_NAME_SIZE, b"\0"))


def goes_by(device: str) -> bytes:
    """The packet goes by the device of that name."""
    return _meta(_OIFNAME) + _is(device.encode().ljust(_NAME_SIZE, b"\0"))


def marked(mark: int) -> bytes:
    """The socket that sent the packet has that firewall mark, up to 32 bits."""
    return _meta(_MARK) + _is(mark.to_bytes(4, sys.byteorder))


def protocol(is_: int) -> bytes:
    """What is behind the headers of IPv6 itself, of any fragment."""
    return _meta(_L4PROTO) + _is(bytes([is_]))


def field(offset: int, octets: int, first: int, last: int) -> bytes:
    """A field of the transport header is one of these; later fragments have none."""
    low, high = (n.to_bytes(octets, "big") for n in (first, last))
    loaded = _payload(_TRANSPORT, offset, octets)
    if low == high:
        return loaded + _is(low)
    return loaded + _is(low, Compare.GTE) + _is(high, Compare.LTE)


def _address(offset: int, network: Network) -> bytes:
    octets, bits = divmod(network.prefixlen, 8)
    if not network.prefixlen:
        return b""
    size = octets + bool(bits)
    value = network.network_address.packed[:size]
    loaded = _payload(_NETWORK, offset, size)
    if not bits:
        return loaded + _is(value)
    return loaded + _masked(value, network.netmask.packed[:size], Compare.EQ)


def source(network: Network) -> bytes:
    """The packet is from there."""
    return _address(8, network)


def destination(network: Network) -> bytes:
    """The packet is for there."""
    return _address(24, network)


def later_fragment() -> bytes:
    """A fragment that is not the first."""
    return _of_fragment(2, 2) + _masked(bytes(2), b"\xff\xf8", Compare.NEQ)


def fragment_of(next_header: int) -> bytes:
    """A fragment whose packet goes on with that header behind the one of fragments."""
    return _of_fragment(0, 1) + _is(bytes([next_header]))


def verdict(what: Verdict, chain: str = "") -> bytes:
    """What becomes of the packet; chain: to jump to."""
    inner = attribute(1, number(what)) + (text(2, chain) if chain else b"")
    data = nest(2, nest(2, inner))
    return _expression("immediate", attribute(1, number(0)), data)
