"""The policy model: selector, policy, ipsec, sa and remote, for every key-exchange protocol.

One model in the manner of racoon2 (selector -> policy -> ipsec -> sa, policy -> remote).
isakmpd's phase 2 connections and phase 1 peers are read into it (reader.py). All values are
immutable; ``line`` fields name the configuration line a value came from, for Reason.line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from isakmp.constants import ipsec, isakmp

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@lru_cache(4096)
def make_network(packed: bytes, prefix: int, strict: bool = True) -> Network:
    """The network of that address; one object for whoever asks for it again soon.

    A handshake names its two networks ten times, and making one takes 4 us. ValueError where the
    octets are no address, and where it has bits behind the prefix and that is looked at.
    """
    return ip_network((packed, prefix), strict)


class Range(NamedTuple):
    """``offer,min:max`` of isakmpd.conf(5): what is proposed, and what is accepted (inclusive)."""

    offer: int
    min: int
    max: int

    @classmethod
    def parse(cls, text: str) -> Range:
        """``3600,60:86400`` or ``3600`` (then only that value). ValueError where it is neither."""
        offer_text, comma, bounds = text.partition(",")
        offer = int(offer_text)
        if not comma:
            return cls(offer, offer, offer)
        low, colon, high = bounds.partition(":")
        if not colon:
            raise ValueError(f"expected offer,min:max, got {text!r}")
        return cls(offer, int(low), int(high))

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.min <= value <= self.max

    def __str__(self) -> str:
        return f"{self.offer},{self.min}:{self.max}"


class Selector(NamedTuple):
    """Which packets: protocol 0 and port 0 stand for any. Directed from ``src`` to ``dst``."""

    src: Network
    dst: Network
    protocol: int = 0
    src_port: int = 0
    dst_port: int = 0

    @classmethod
    def of(
        cls, src: str, dst: str, protocol: int = 0, src_port: int = 0, dst_port: int = 0
    ) -> Selector:
        """From texts such as ``10.1.0.0/16``. ValueError where one is not an address or network."""
        return cls(ip_network(src), ip_network(dst), protocol, src_port, dst_port)

    def reversed(self) -> Selector:
        """The same traffic in the other direction."""
        return Selector(self.dst, self.src, self.protocol, self.dst_port, self.src_port)

    def matches(
        self, src: Address, dst: Address, protocol: int, src_port: int, dst_port: int
    ) -> bool:
        """Whether a packet is of this selector."""
        return (
            src in self.src
            and dst in self.dst
            and self.protocol in (0, protocol)
            and self.src_port in (0, src_port)
            and self.dst_port in (0, dst_port)
        )

    def __str__(self) -> str:
        def end(network: Network, port: int) -> str:
            return f"{network}[{port}]" if port else str(network)

        tail = f" proto {self.protocol}" if self.protocol else ""
        return f"{end(self.src, self.src_port)} -> {end(self.dst, self.dst_port)}{tail}"


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long an SA lives; None: that limit is not negotiated. Seconds and kilobytes."""

    seconds: Range | None = None
    kilobytes: Range | None = None
    line: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """An ISAKMP identity: type and its value as the wire has it (RFC 2407 4.6.2)."""

    type: ipsec.Id
    data: bytes
    protocol: int = 0
    port: int = 0
    line: str = field(default="", compare=False)

    def __str__(self) -> str:
        kind = ipsec.Id
        if self.type in (kind.IPV4_ADDR, kind.IPV6_ADDR) and len(self.data) in (4, 16):
            return str(ip_address(self.data))
        if self.type in (
            kind.IPV4_ADDR_SUBNET,
            kind.IPV6_ADDR_SUBNET,
            kind.IPV4_RANGE,
            kind.IPV6_RANGE,
        ):
            half = len(self.data) // 2
            if half in (4, 16) and len(self.data) == 2 * half:
                joint = "-" if "RANGE" in self.type.name else "/"
                return f"{ip_address(self.data[:half])}{joint}{ip_address(self.data[half:])}"
        if self.type in (kind.FQDN, kind.USER_FQDN):
            return self.data.decode("ascii", "backslashreplace")
        return self.data.hex()


@dataclass(frozen=True, slots=True)
class IkeTransform:
    """One phase 1 transform. None in encryption, hash, group or auth: ANY is acceptable."""

    name: str
    encryption: isakmp.Encryption | None
    hash: isakmp.Hash | None
    group: isakmp.Group | None
    auth: isakmp.Authentication | None = isakmp.Authentication.PRE_SHARED
    key_bits: Range | None = None
    life: Lifetime = field(default_factory=Lifetime)
    line: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class IpsecTransform:
    """One transform of a phase 2 protocol. group: PFS; None: without."""

    name: str
    transform_id: int
    encapsulation: ipsec.Encapsulation
    auth: ipsec.Auth | None = None
    group: isakmp.Group | None = None
    key_bits: Range | None = None
    life: Lifetime = field(default_factory=Lifetime)
    line: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class SaPolicy:
    """racoon2's ``sa``: one protocol of a bundle and its transforms, preferred first."""

    protocol: isakmp.Protocol
    transforms: tuple[IpsecTransform, ...]
    replay_window: int = 64
    line: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Suite:
    """One proposal: the protocols that are applied together, innermost transform first."""

    name: str
    protocols: tuple[SaPolicy, ...]
    line: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Remote:
    """racoon2's ``remote``, isakmpd's ISAKMP peer: with whom, how, and as whom.

    name: the configuration section; address None: any (the Default peer); secret: the
    pre-shared key, kept out of repr and so out of logs.
    """

    name: str
    address: Address | None
    port: int
    exchange: isakmp.Exchange
    transforms: tuple[IkeTransform, ...]
    local_address: Address | None = None
    local_id: Identity | None = None
    remote_id: Identity | None = None
    secret: bytes = field(default=b"", repr=False)
    flags: frozenset[str] = frozenset()
    life: Lifetime = field(default_factory=Lifetime)
    line: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """isakmpd's phase 2 connection: selector, policy and ipsec in one.

    passive: answered, never started (Passive-connections); active_only: started, never answered.
    selector runs from us to them.
    """

    name: str
    remote: str
    selector: Selector
    local_id: Identity
    remote_id: Identity
    suites: tuple[Suite, ...]
    passive: bool = False
    active_only: bool = False
    line: str = field(default="", compare=False)
