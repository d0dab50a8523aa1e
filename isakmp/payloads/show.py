"""How fields read in a symbolic dump: names from the registries, addresses, octets."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from ipaddress import ip_address
from typing import Any

from isakmp.constants import DOI_IPSEC, DOI_ISAKMP, name_of
from isakmp.payloads.base import Line

Shower = Callable[[Any], str]

MAX_SHOWN = 32
"""Octets of a field that a dump line shows."""


def octets(data: bytes) -> str:
    """Hexadecimal, with the size where it is cut short."""
    if len(data) <= MAX_SHOWN:
        return data.hex() or "-"
    return f"{data[:MAX_SHOWN].hex()}... ({len(data)} octets)"


def text(data: bytes) -> str:
    """Readable octets in quotes, anything else as hexadecimal."""
    if data and all(0x20 <= octet < 0x7F for octet in data):
        return f'"{data.decode("ascii")}"'
    return octets(data)


def address(data: bytes) -> str:
    """An IPv4 or IPv6 address; octets where the size is neither's."""
    return str(ip_address(data)) if len(data) in (4, 16) else octets(data)


def addresses(data: bytes, joint: str) -> str:
    """Two addresses of the same family, e.g. network and mask."""
    half = len(data) // 2
    return f"{address(data[:half])}{joint}{address(data[half:])}"


def doi(number: int) -> str:
    """The name of a domain of interpretation."""
    return {DOI_ISAKMP: "ISAKMP", DOI_IPSEC: "IPSEC"}.get(number, f"UNKNOWN({number})")


def registry(numbers: type[IntEnum]) -> Shower:
    """Shows numbers of an IANA registry by name."""
    return lambda number: name_of(numbers, number)


def fields(**showers: Shower) -> Callable[[object], list[Line]]:
    """One line of ``name value`` pairs, in the order given."""

    def describe(value: object) -> list[Line]:
        parts = (f"{name} {shower(getattr(value, name))}" for name, shower in showers.items())
        return [("", " ".join(parts))]

    return describe
