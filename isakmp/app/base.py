"""What an application (an IPsec stack) does for us, and what it tells us.

Every request answers with a Job: a kernel or another process answers later, the embedded key
engine at once. Errors arrive as ApplicationError in the Job. SPIs are integers of the wire's
32 bits; addresses are ipaddress objects; times seconds; sizes octets unless the name says bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from socket import socket
from typing import NamedTuple, Protocol

from isakmp.constants import ipsec, isakmp
from isakmp.errors import Reason
from isakmp.event.job import Job
from isakmp.policy.spd import Address, Selector


class Direction(Enum):
    """Which way a policy looks."""

    IN = "in"
    OUT = "out"

    # By identity: the library hashes a member's name, in Python.
    __hash__ = object.__hash__


class Action(Enum):
    """What a policy does with a packet."""

    IPSEC = "ipsec"
    DISCARD = "discard"
    BYPASS = "none"


class Limits(NamedTuple):
    """When an SA ends; 0: no such limit. soft asks for a rekey, hard ends it."""

    soft_s: int = 0
    hard_s: int = 0
    soft_bytes: int = 0
    hard_bytes: int = 0
    soft_packets: int = 0
    hard_packets: int = 0


class SpiRequest(NamedTuple):
    """Wanted: an SPI for an inbound SA, 256 to 2**32 - 1, unique for (protocol, dst)."""

    protocol: isakmp.Protocol
    src: Address
    dst: Address
    mode: ipsec.Encapsulation
    reqid: int


_SECRET = ("enc_key", "auth_key")


class SaSpec(NamedTuple):
    """One unidirectional SA. Algorithms are RFC 2407's; AEADs have auth None and no auth_key.

    enc_key: for AES-GCM, AES-CTR and ChaCha20 the key with its 4-octet salt or nonce last;
    encap: UDP source and destination port of ESP in UDP (RFC 3948), as this SA's packets have
    them on the wire; selectors: run in the SA's own direction, of both IP versions in a tunnel that
    carries both; esn: 64-bit sequence numbers (RFC 4304). Keys stay out of repr.
    """

    protocol: isakmp.Protocol
    spi: int
    src: Address
    dst: Address
    mode: ipsec.Encapsulation
    inbound: bool
    selectors: tuple[Selector, ...]
    reqid: int
    encryption: int = ipsec.Esp.NULL
    enc_key: bytes = b""
    auth: ipsec.Auth | None = None
    auth_key: bytes = b""
    replay_window: int = 64
    limits: Limits = Limits()
    encap: tuple[int, int] | None = None
    esn: bool = False

    def __repr__(self) -> str:
        fields = zip(self._fields, self, strict=True)
        shown = (f"{name}={value!r}" for name, value in fields if name not in _SECRET)
        return f"SaSpec({', '.join(shown)})"


class SaId(NamedTuple):
    """What names an SA to the stack."""

    protocol: isakmp.Protocol
    spi: int
    src: Address
    dst: Address


def larval(request: SpiRequest, spi: int) -> SaId:
    """What a larval SA is called, that was given for ``request``."""
    return SaId(request.protocol, spi, request.src, request.dst)


# In a packet, from the inside: compressed before it is encrypted before it is authenticated.
_ORDER = (isakmp.Protocol.IPCOMP, isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPSEC_AH)


def bundle_order(protocols: Iterable[isakmp.Protocol]) -> tuple[isakmp.Protocol, ...]:
    """The protocols of a bundle, innermost first (RFC 4301 4.3, RFC 3173 2).

    The innermost one's mode is the bundle's; around it the others are in transport mode.
    """
    return tuple(sorted(protocols, key=_ORDER.index))


class PolicySpec(NamedTuple):
    """One security policy; src and dst are the SA's end points, reqid ties SAs to it.

    more: protocols that are applied besides ``protocol``, one within the other (bundle_order).
    """

    direction: Direction
    selector: Selector
    action: Action = Action.IPSEC
    protocol: isakmp.Protocol = isakmp.Protocol.IPSEC_ESP
    mode: ipsec.Encapsulation = ipsec.Encapsulation.TUNNEL
    src: Address | None = None
    dst: Address | None = None
    reqid: int = 0
    more: tuple[isakmp.Protocol, ...] = ()

    def covers(self, other: PolicySpec) -> bool:
        """Whether the stack takes ``other`` for the same policy, which it then replaces."""
        return (self.direction, self.selector) == (other.direction, other.selector)


@dataclass(frozen=True, slots=True)
class Usage:
    """What an SA has carried. packets and octets of payload; idle_s: since the last one, None where
    the stack does not tell; errors by kind."""

    packets: int
    octets: int
    age_s: float
    idle_s: float | None
    replays: int = 0
    auth_failures: int = 0


@dataclass(frozen=True, slots=True)
class Acquire:
    """A packet met a policy without an SA: negotiate one."""

    reqid: int
    selector: Selector
    src: Address
    dst: Address


@dataclass(frozen=True, slots=True)
class Expire:
    """An SA reached its soft (hard False) or hard limit; at hard the stack has removed it."""

    sa: SaId
    hard: bool


@dataclass(frozen=True, slots=True)
class Mapping:
    """Authentic packets of an SA now come from another address or UDP port."""

    sa: SaId
    address: Address
    port: int


@dataclass(frozen=True, slots=True)
class UnknownSpi:
    """A packet came for an SA that nobody here knows. encap: the UDP ports it came with."""

    spi: int
    src: Address
    dst: Address
    encap: tuple[int, int] | None


class Upcalls(Protocol):
    """What the daemon hears from an application."""

    def acquire(self, event: Acquire) -> None: ...

    def expire(self, event: Expire) -> None: ...

    def mapping(self, event: Mapping) -> None: ...

    def unknown_spi(self, event: UnknownSpi) -> None:
        """Not told of every packet: of so many a second, by the stacks that see them."""


class Owner(Upcalls, Protocol):
    """Whom an application belongs to."""

    def gone(self, reason: Reason) -> None:
        """The stack cannot be reached any more, until restarted(); only some can be lost so."""

    def restarted(self) -> None:
        """The stack was gone and is back: it knows no SA and no policy any more."""


class Application(Protocol):
    """An IPsec stack, as the daemon sees it."""

    name: str

    def start(self, upcalls: Owner) -> None:
        """Begin to report. ApplicationError where the stack cannot be reached."""

    def sweep(self) -> int:
        """All policies are there: what an earlier isakmpd left beside them goes; how much that was,
        as far as it is known here."""

    def close(self, block: bool = False) -> None:
        """Give everything back: sockets, devices, routes. block: policies that drop stay."""

    def own_socket(self, sock: socket, encap: bool) -> None:
        """A UDP socket of the daemon: the stack's policies let it pass.

        encap: its port is that of ESP in UDP, which the stack may take out of it (RFC 3948).
        """

    def get_spi(self, request: SpiRequest) -> Job[int]:
        """An SPI for an inbound SA; cancelled, it takes back what it gives late."""

    def add_sa(self, sa: SaSpec) -> Job[None]:
        """Install a complete SA (outbound: its SPI is the peer's)."""

    def update_sa(self, sa: SaSpec) -> Job[None]:
        """Complete the larval SA that get_spi made."""

    def delete_sa(self, sa: SaId) -> Job[None]: ...

    def group(self, sas: list[SaId]) -> Job[None]:
        """Bundle SAs that are applied one after the other."""

    def add_policy(self, policy: PolicySpec) -> Job[int]:
        """Install or replace; the result is the stack's policy id."""

    def delete_policy(self, policy: PolicySpec) -> Job[None]: ...

    def migrate(self, policy: PolicySpec, src: Address, dst: Address) -> Job[None]:
        """Move a policy's and its SAs' end points (MOBIKE, NAT rebinding)."""

    def move_sa(self, old: SaSpec, new: SaSpec) -> Job[None]:
        """Give an SA other end points or UDP ports; it goes on counting where it was.

        ``old`` and ``new`` differ in src, dst and encap alone.
        """

    def supports(
        self, protocol: isakmp.Protocol, mode: ipsec.Encapsulation, transform_id: int,
        key_bits: int, auth: ipsec.Auth | None, esn: bool,
    ) -> str:  # fmt: skip
        """Why the stack cannot have such an SA; empty where it can. Asked after start()."""

    def usage(self, sa: SaId) -> Job[Usage]: ...

    def drops(self) -> Job[dict[str, int]]:
        """Packets that the stack has thrown away, by cause, as far as there were any.

        ApplicationError where it does not say.
        """
