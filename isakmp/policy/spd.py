"""The policy model: selector, policy, ipsec, sa and remote, for every key-exchange protocol.

One model in the manner of racoon2 (selector -> policy -> ipsec -> sa, policy -> remote).
isakmpd's phase 2 connections and phase 1 peers are read into it (reader.py). All values are
immutable; ``line`` fields name the configuration line a value came from, for Reason.line.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property, lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from isakmp.constants import IKEV1, ikev2, ipsec, isakmp
from isakmp.constants.ip import protocol_name
from isakmp.constants.key_exchange import ADDITIONAL, KEY_EXCHANGES
from isakmp.policy import dn
from isakmp.policy.hashed import (
    HashedIPv4Address,
    HashedIPv4Network,
    HashedIPv6Address,
    HashedIPv6Network,
)
from isakmp.policy.ppk import Ppk

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# One octet numbers proposals and transforms (RFC 2408 3.5, 3.6).
MAX_PROPOSALS = 255
MAX_TRANSFORMS = 255
# Their "ports" are type and code, which do not change sides in the other direction.
ICMP = (1, 58)


@lru_cache(4096)
def make_network(packed: bytes, prefix: int, strict: bool = True) -> Network:
    """The network of that address; one object for whoever asks for it again soon.

    A handshake names its two networks ten times, and making one takes 4 us. ValueError where the
    octets are no address, and where it has bits behind the prefix and that is looked at.
    """
    if not strict:
        with suppress(ValueError):
            return make_network(packed, prefix)
    if len(packed) == 4:
        return HashedIPv4Network((packed, prefix), strict)
    return HashedIPv6Network((packed, prefix), strict)


@lru_cache(4096)
def make_address(packed: bytes) -> Address:
    """The address of 4 or 16 octets; one object, as make_network's."""
    return HashedIPv4Address(packed) if len(packed) == 4 else HashedIPv6Address(packed)


def last_address(network: Network) -> Address:
    """The last address of a network: ipaddress's broadcast_address takes 4 us."""
    first, free = network.network_address, network.max_prefixlen - network.prefixlen
    if not free:
        return first
    return make_address((int(first) | (1 << free) - 1).to_bytes(len(first.packed), "big"))


class Range(NamedTuple):
    """``offer,min:max`` of isakmpd.conf(5): what is proposed, and what is accepted (inclusive)."""

    offer: int
    min: int
    max: int

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.min <= value <= self.max

    def __str__(self) -> str:
        return f"{self.offer},{self.min}:{self.max}"


ANY_PORTS = (0, 0xFFFF)
# The ports of what has none to be seen, a later fragment for one (RFC 7296 3.13.1).
OPAQUE_PORTS = (0xFFFF, 0)


class Selector(NamedTuple):
    """Which packets: protocol 0 and port 0 stand for any. Directed from ``src`` to ``dst``.

    src_last, dst_last: the last port of a range that begins at the port, inclusive; None: that
    port alone, or any. Of ICMP the type is a port of the source, the code of the destination.
    """

    src: Network
    dst: Network
    protocol: int = 0
    src_port: int = 0
    dst_port: int = 0
    src_last: int | None = None
    dst_last: int | None = None

    @classmethod
    def of(
        cls, src: str, dst: str, protocol: int = 0, src_port: int = 0, dst_port: int = 0
    ) -> Selector:
        """From texts such as ``10.1.0.0/16``. ValueError where one is not an address or network."""
        return cls(ip_network(src), ip_network(dst), protocol, src_port, dst_port)

    def reversed(self) -> Selector:
        """The same traffic in the other direction."""
        src, dst, protocol, src_port, dst_port, src_last, dst_last = self
        if protocol in ICMP:
            return Selector(dst, src, protocol, src_port, dst_port, src_last, dst_last)
        return Selector(dst, src, protocol, dst_port, src_port, dst_last, src_last)

    @property
    def src_ports(self) -> tuple[int, int]:
        """First and last port of the source."""
        return _bounds(self.src_port, self.src_last)

    @property
    def dst_ports(self) -> tuple[int, int]:
        """First and last port of the destination."""
        return _bounds(self.dst_port, self.dst_last)

    def overlaps(self, other: Selector) -> bool:
        """Whether a packet may be of both."""
        return (
            _share(self.src, other.src)
            and _share(self.dst, other.dst)
            and (not self.protocol or not other.protocol or self.protocol == other.protocol)
            and _meet(self.src_ports, other.src_ports)
            and _meet(self.dst_ports, other.dst_ports)
        )

    def covers(self, other: Selector) -> bool:
        """Whether every packet of another is of this one."""
        return (
            lies_in(other.src, self.src)
            and lies_in(other.dst, self.dst)
            and self.protocol in (0, other.protocol)
            and _lie_in(other.src_ports, self.src_ports)
            and _lie_in(other.dst_ports, self.dst_ports)
        )

    @property
    def has_ports(self) -> bool:
        """Whether it is not for every port."""
        return bool(self.src_port or self.dst_port) or (self.src_last, self.dst_last) != (
            None,
            None,
        )

    def without_ports(self) -> Selector:
        """The same for every port."""
        return self._replace(src_port=0, dst_port=0, src_last=None, dst_last=None)

    def matches(
        self, src: Address, dst: Address, protocol: int, src_port: int, dst_port: int
    ) -> bool:
        """Whether a packet is of this selector."""
        return (
            src in self.src
            and dst in self.dst
            and self.protocol in (0, protocol)
            and _fits(src_port, self.src_port, self.src_last)
            and _fits(dst_port, self.dst_port, self.dst_last)
        )

    def __str__(self) -> str:
        def end(network: Network, port: int, last: int | None) -> str:
            if last is None:
                return f"{network}[{port}]" if port else str(network)
            return f"{network}[{ports_text(port, last)}]"

        tail = f" proto {protocol_name(self.protocol)}" if self.protocol else ""
        src = end(self.src, self.src_port, self.src_last)
        return f"{src} -> {end(self.dst, self.dst_port, self.dst_last)}{tail}"


def _bounds(port: int, last: int | None) -> tuple[int, int]:
    if last is None:
        return (port, port) if port else ANY_PORTS
    return port, last


def _fits(number: int, port: int, last: int | None) -> bool:
    """Whether a packet's port is one of them; below 0: it has none."""
    if last is None:
        return port in (0, number)
    return port <= number <= last or (port, last) == OPAQUE_PORTS and number < 0


def lies_in(part: Network, whole: Network) -> bool:
    """Whether every address of ``part`` is one of ``whole``."""
    return part.prefixlen >= whole.prefixlen and _share(part, whole)


def _share(one: Network, other: Network) -> bool:
    """Whether they have an address in common: then one lies inside the other."""
    if one.version != other.version:
        return False
    shift = one.max_prefixlen - min(one.prefixlen, other.prefixlen)
    return int(one.network_address) >> shift == int(other.network_address) >> shift


def _lie_in(part: tuple[int, int], whole: tuple[int, int]) -> bool:
    """Whether all ports of one are the other's; any takes in those that cannot be seen."""
    if OPAQUE_PORTS in (part, whole):
        return whole in (part, ANY_PORTS)
    return whole[0] <= part[0] and part[1] <= whole[1]


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether ports have one in common; one that cannot be seen is of any."""
    if OPAQUE_PORTS in (one, other):
        return {one, other} <= {OPAQUE_PORTS, ANY_PORTS}
    return max(one[0], other[0]) <= min(one[1], other[1])


def ports_text(first: int, last: int) -> str:
    """``80``, ``80-90`` or ``opaque``."""
    if (first, last) == OPAQUE_PORTS:
        return "opaque"
    return str(first) if first == last else f"{first}-{last}"


class TrafficSelector(NamedTuple):
    """One IKEv2 traffic selector, RFC 7296 3.13.1: a range of addresses and of ports, inclusive.

    protocol 0: any. For ICMP a port is type and code, an octet each. Any port is 0 to 65535;
    OPAQUE, a port that cannot be seen, is 65535 to 0.
    """

    start: Address
    end: Address
    protocol: int = 0
    start_port: int = 0
    end_port: int = 0xFFFF


class Traffic(NamedTuple):
    """What an IKEv2 child SA carries: any of ``local`` to and from any of ``remote``."""

    local: tuple[TrafficSelector, ...]
    remote: tuple[TrafficSelector, ...]


class Said(NamedTuple):
    """The tag that says something, and its line."""

    section: str
    tag: str
    line: str

    @property
    def place(self) -> str:
        """The section, for people."""
        return f"[{self.section}]" if self.section else "its section"


UNSAID = Said("", "LIFE_DURATION", "")


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long an SA lives; None: that limit is not negotiated. Seconds and kilobytes. said: where
    each of them is."""

    seconds: Range | None = None
    kilobytes: Range | None = None
    seconds_said: Said = field(default=UNSAID, compare=False)
    kilobytes_said: Said = field(default=UNSAID, compare=False)


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
        if self.type is kind.DER_ASN1_DN:
            return _name_text(self.data)
        return f"0x{self.data.hex()}"


class Caller(NamedTuple):
    """Who asks: as whom, for whom (None: it does not say), from where."""

    came: Identity
    wanted: Identity | None
    address: Address


def _name_text(data: bytes) -> str:
    try:
        text = dn.text(data)
    except ValueError:
        return f"0x{data.hex()}"
    return text.encode("unicode_escape").decode() if not text.isprintable() else text


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
    """One transform of a phase 2 protocol. group: PFS; None: without. esn: 64-bit sequence
    numbers or not, the preferred one first (IKEv2); ikev2_alone: key exchange that IKEv1 has not
    got comes with it."""

    name: str
    transform_id: int
    encapsulation: ipsec.Encapsulation
    auth: ipsec.Auth | None = None
    group: isakmp.Group | None = None
    key_bits: Range | None = None
    life: Lifetime = field(default_factory=Lifetime)
    line: str = field(default="", compare=False)
    esn: tuple[bool, ...] = (False,)
    ikev2_alone: bool = False


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

    @property
    def transforms(self) -> tuple[IpsecTransform, ...]:
        """Those of all its protocols."""
        return tuple(transform for each in self.protocols for transform in each.transforms)


class Transform(NamedTuple):
    """One IKEv2 transform, RFC 7296 3.3.2. key_bits 0: without the attribute."""

    type: ikev2.Transform
    id: int
    key_bits: int = 0


@dataclass(frozen=True)
class Proposal:
    """One IKEv2 proposal: the transforms of every type, of each type the preferred one first."""

    protocol: ikev2.Protocol
    transforms: tuple[Transform, ...]
    name: str
    line: str = field(default="", compare=False)

    def of_type(self, type: int) -> tuple[Transform, ...]:
        """Its transforms of one type."""
        return self._by_type.get(type, ())

    @cached_property
    def _by_type(self) -> dict[int, tuple[Transform, ...]]:
        kinds = dict.fromkeys(t.type for t in self.transforms)
        return {kind: tuple(t for t in self.transforms if t.type == kind) for kind in kinds}

    @property
    def additional(self) -> bool:
        """Whether additional key exchanges are part of it, or may be (RFC 9370)."""
        return any(self.of_type(kind) for kind in ADDITIONAL)

    @property
    def demanded(self) -> tuple[int, ...]:
        """Those that it may not do without, by their numbers from 1."""
        groups = (self.of_type(kind) for kind in ADDITIONAL)
        return tuple(n for n, ts in enumerate(groups, 1) if ts and all(t.id for t in ts))

    @cached_property
    def without_groups(self) -> Proposal:
        """The same for where no key exchange comes with it."""
        kept = tuple(t for t in self.transforms if t.type not in KEY_EXCHANGES)
        return replace(self, transforms=kept)


class Wish(Enum):
    """How much something optional is wanted."""

    NO = "no"
    YES = "yes"
    FORCE = "force"


class Unique(Enum):
    """What a peer's identity may do at a second place while it is connected from a first one."""

    REPLACE = "replace"
    NO = "no"
    NEVER = "never"
    KEEP = "keep"

    @property
    def alone(self) -> bool:
        """Whether it is at one place at a time."""
        return self in (Unique.REPLACE, Unique.KEEP)


@dataclass(frozen=True, slots=True)
class Ikev2:
    """What a peer's section says of IKEv2 alone.

    window: requests of the peer that we take at once (SET_WINDOW_SIZE); childless: RFC 6023;
    fragmentation: RFC 7383, fragment_size: of an IP packet in octets, 0: probed; force_encap: ESP
    in UDP without a NAT; send_idr: name the identity we expect; prefer_local: as responder our
    order of transforms counts, not the peer's; reauth_s: authenticate anew, 0: never;
    make_before_break: the new IKE SA first; ppk: what is mixed into its keys (RFC 8784).
    """

    window: int = 1
    childless: Wish = Wish.YES
    fragmentation: bool = True
    fragment_size: int = 0
    force_encap: bool = False
    send_idr: bool = True
    prefer_local: bool = True
    reauth_s: int = 0
    make_before_break: bool = True
    ppk: Ppk | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """racoon2's ``remote``, isakmpd's ISAKMP peer: with whom, how, and as whom.

    name: the configuration section; address None: any (the Default peer); secret: the
    pre-shared key, kept out of repr and so out of logs; shared: whether several identities may
    prove themselves under that section.
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
    key_exchange: tuple[str, ...] = (IKEV1,)
    proposals: tuple[Proposal, ...] = ()
    ikev2: Ikev2 = Ikev2()
    unique: Unique = Unique.REPLACE
    shared: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        shared = self.remote_id is None and (self.address is None or not self.secret)
        object.__setattr__(self, "shared", shared)


@dataclass(frozen=True, slots=True)
class Connection:
    """isakmpd's phase 2 connection: selector, policy and ipsec in one.

    passive: answered, never started (Passive-connections); active_only: started, never answered.
    selector runs from us to them. For IKEv2: traffic and proposals, which say what selector and
    suites do and more; packets: how many a child SA carries, 0: no limit; ipcomp: offer and take
    IPComp; tfc_padding: we can take padding for traffic flow confidentiality; all_fragments:
    NON_FIRST_FRAGMENTS_ALSO; single_pair: a child SA for each pair of addresses;
    share_traffic: several identities may have the same traffic; pairs_max: of networks, that one
    child SA carries at most; sides: the tags that its local and its remote traffic are written in;
    lacks: what the IPsec stack has not, and why; written: what the file says beyond that.
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
    traffic: Traffic = Traffic((), ())
    proposals: tuple[Proposal, ...] = ()
    packets: int = 0
    ipcomp: bool = False
    tfc_padding: bool = True
    all_fragments: bool = False
    single_pair: bool = False
    share_traffic: bool = False
    pairs_max: int = field(default=256, compare=False)
    sides: tuple[str, str] = field(default=("Local-ID", "Remote-ID"), compare=False)
    lacks: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    written: Connection | None = field(default=None, compare=False, repr=False)
