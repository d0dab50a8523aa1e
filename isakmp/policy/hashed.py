"""Addresses and networks that know their hash and octets, which the library works out in Python at
each look: a handshake looks a hundred times. Addresses know their text, too, once it was wanted.
"""

from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network


class HashedIPv4Address(IPv4Address):
    """As IPv4Address."""

    __slots__ = ("_hash", "_text", "packed")
    _hash: int
    _text: str | None
    packed: bytes

    def __init__(self, address: object) -> None:
        super().__init__(address)
        self.packed = super().packed
        self._hash, self._text = super().__hash__(), None

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        if self._text is None:
            self._text = super().__str__()
        return self._text


class HashedIPv6Address(IPv6Address):
    """As IPv6Address."""

    __slots__ = ("_hash", "_text", "packed")
    _hash: int
    _text: str | None
    packed: bytes

    def __init__(self, address: object) -> None:
        super().__init__(address)
        self.packed = super().packed
        self._hash, self._text = super().__hash__(), None

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        if self._text is None:
            self._text = super().__str__()
        return self._text


class HashedIPv4Network(IPv4Network):
    """As IPv4Network."""

    __slots__ = ("_hash",)  # what is in a dictionary is found more slowly

    def __init__(self, address: object, strict: bool = True) -> None:
        super().__init__(address, strict)
        _drop_hosts(self)
        self.network_address = HashedIPv4Address(int(self.network_address))
        self._hash = super().__hash__()

    def __hash__(self) -> int:
        return self._hash


class HashedIPv6Network(IPv6Network):
    """As IPv6Network."""

    __slots__ = ("_hash",)

    def __init__(self, address: object, strict: bool = True) -> None:
        super().__init__(address, strict)
        _drop_hosts(self)
        self.network_address = HashedIPv6Address(int(self.network_address))
        self._hash = super().__hash__()

    def __hash__(self) -> int:
        return self._hash


def _drop_hosts(network: IPv4Network | IPv6Network) -> None:
    """Nobody asks for them, and where there are one or two they are a function of their own."""
    if network.prefixlen + 1 >= network.max_prefixlen:
        with suppress(AttributeError):
            del network.hosts
