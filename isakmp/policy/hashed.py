"""Addresses and networks that know their hash, which the library works out in Python at each look
into a table: a handshake looks a hundred times. Addresses know their text, too, once it was wanted.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network


class HashedIPv4Address(IPv4Address):
    """As IPv4Address."""

    __slots__ = ("_hash", "_text")

    def __init__(self, address: object) -> None:
        super().__init__(address)
        self._hash = super().__hash__()
        self._text = ""

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        self._text = self._text or super().__str__()
        return self._text


class HashedIPv6Address(IPv6Address):
    """As IPv6Address."""

    __slots__ = ("_hash", "_text")

    def __init__(self, address: object) -> None:
        super().__init__(address)
        self._hash = super().__hash__()
        self._text = ""

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        self._text = self._text or super().__str__()
        return self._text


class HashedIPv4Network(IPv4Network):
    """As IPv4Network."""

    def __init__(self, address: object, strict: bool = True) -> None:
        super().__init__(address, strict)
        self._hash = super().__hash__()

    def __hash__(self) -> int:
        return self._hash


class HashedIPv6Network(IPv6Network):
    """As IPv6Network."""

    def __init__(self, address: object, strict: bool = True) -> None:
        super().__init__(address, strict)
        self._hash = super().__hash__()

    def __hash__(self) -> int:
        return self._hash
