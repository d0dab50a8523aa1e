"""Traffic selectors as the configuration writes them.

``10.1.0.0/16``, ``10.9.0.1-10.9.0.20``, each followed by ``[PROTOCOL]`` or ``[PROTOCOL/PORTS]``:
``[tcp/80-90]``, ``[udp/opaque]``; of ICMP a type or ``type.code``: ``[icmp/8]``, ``[icmp/3.1]``.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

from isakmp.conf.values import port_number, protocol_number
from isakmp.policy.spd import (
    ANY_PORTS,
    ICMP,
    OPAQUE_PORTS,
    Address,
    TrafficSelector,
    last_address,
)  # fmt: skip

_SHAPE = re.compile(r"([0-9A-Fa-f.:/]+)(?:\s*-\s*([0-9A-Fa-f.:]+))?(?:\s*\[([^\]]*)\])?", re.ASCII)
_ICMP_PORT = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,3}))?", re.ASCII)


def parse_selector(text: str) -> TrafficSelector:
    """One selector. ValueError says what is wrong with it."""
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        raise ValueError("is no selector")
    start, end = _addresses(match[1], match[2])
    protocol_text, slash, ports_text = (match[3] or "any").strip().partition("/")
    protocol = protocol_number(protocol_text.strip())
    ports = _ports(protocol, ports_text.strip().lower()) if slash else ANY_PORTS
    return TrafficSelector(start, end, protocol, *ports)


def _addresses(first: str, last: str | None) -> tuple[Address, Address]:
    if last is None:
        network = ip_network(first, strict=False)
        return network.network_address, last_address(network)
    start, end = ip_address(first), ip_address(last)
    if start.version != end.version or int(start) > int(end):
        raise ValueError("the range ends before it starts")
    return start, end


def host_bits(text: str) -> str:
    """What is to be said of a network that is written as an address in it; else empty."""
    match = _SHAPE.fullmatch(text.strip())
    address, slash, _ = match[1].partition("/") if match else ("", "", "")
    if match is None or not slash:
        return ""
    network = ip_network(match[1], strict=False)
    if network.network_address == ip_address(address):
        return ""
    return f"{match[1]} is taken for the network {network}; the address alone is {address}"


def _ports(protocol: int, text: str) -> tuple[int, int]:
    if text == "opaque":
        return OPAQUE_PORTS
    if text == "any":
        return ANY_PORTS
    if not protocol:
        raise ValueError("ports need a protocol")
    first, dash, last = (part.strip() for part in text.partition("-"))
    bounds = _icmp if protocol in ICMP else _exactly
    low, high = bounds(first)[0], bounds(last if dash else first)[1]
    if low > high:
        raise ValueError(f"ports {text!r} end before they start")
    return low, high


def _exactly(text: str) -> tuple[int, int]:
    port = port_number(text)
    return port, port


def _icmp(text: str) -> tuple[int, int]:
    """A type stands for all its codes."""
    match = _ICMP_PORT.fullmatch(text)
    if match is None or int(match[1]) > 0xFF or int(match[2] or 0) > 0xFF:
        raise ValueError(f"{text!r} is no ICMP type, nor type.code")
    kind = int(match[1]) << 8
    return (kind | int(match[2]),) * 2 if match[2] else (kind, kind | 0xFF)
