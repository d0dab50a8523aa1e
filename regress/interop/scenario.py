"""What isakmpd and a foreign daemon do with each other: one row of a table, one scenario.

The initiator is always end ``a`` and the responder end ``b``; which of them is isakmpd is the
role a row is played in. A row says nothing of the IPsec stack: it is played with ESP in user space
on the machine itself, and with a kernel's in the guest (regress/kernel).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

# Of SAs that are rekeyed by lifetime: short to wait for, long enough to be up and used before.
SHORT_LIFE_S = 10


class Role(Enum):
    """Which end isakmpd is."""

    INITIATOR = "initiator"
    RESPONDER = "responder"


class Stack(Enum):
    """Where ESP is done."""

    USER = "user space"
    KERNEL = "kernel"


class Act(Enum):
    """What happens after the tunnel has carried its first traffic; acquire: what makes it."""

    TRAFFIC = "traffic"
    REKEY_CHILD = "rekey-child"
    REKEY_IKE = "rekey-ike"
    DELETE_CHILD = "delete-child"
    DELETE_IKE = "delete-ike"
    DEAD_PEER = "dead-peer"
    RESTARTED = "restarted-peer"
    KILLED = "killed-peer"
    ACQUIRE = "acquire"
    REKEY_CHILD_BUSY = "rekey-child-busy"
    REKEY_IKE_BUSY = "rekey-ike-busy"
    RELOAD_BUSY = "reload-busy"
    BYTES_SOFT = "bytes-soft"
    BYTES_HARD = "bytes-hard"
    REAUTH = "reauth"
    REFUSED = "refused"

    @property
    def watches(self) -> bool:
        """Whether who acts has to notice that its peer is silent."""
        return self in (Act.DEAD_PEER, Act.RESTARTED, Act.KILLED)

    @property
    def rekeys(self) -> str:
        """Which SA is rekeyed, for those whose daemon does so by lifetime."""
        words = self.value.split("-")
        return words[1] if words[0] == "rekey" else ""


@dataclass(frozen=True)
class Suite:
    """Algorithms by isakmpd's names; group None: no new Diffie-Hellman exchange (ESP only)."""

    cipher: str = "AES-128"
    hash: str = "SHA2-256"
    group: int | None = 14


@dataclass(frozen=True)
class Side:
    """What one end has of its own in IKEv2; what is empty is as the row and the site say.

    ike, esp: proposals by keywords, which all know. local, remote: traffic selectors, likewise.
    expects: whom, where that is not who the other says it is.
    anyone: takes every peer, and knows its secret by its identity. cookies: asks for them always.
    fragment: octets of a message's pieces. childless: ``yes``, ``no``, ``force``. encap: ESP in
    UDP always. ppk: a post-quantum pre-shared key, by its identity and key, without which it uses
    PPKs and lacks that one; ppk_required: nothing goes without it.
    """

    ike: str = ""
    esp: str = ""
    local: str = ""
    remote: str = ""
    identity: str = ""
    expects: str = ""
    secret: str = ""
    anyone: bool = False
    cookies: bool = False
    fragment: int = 0
    window: int = 1
    childless: str = "yes"
    encap: bool = False
    ppk: tuple[str, str] = ("", "")
    ppk_required: bool = False


PLAIN = Side()


@dataclass(frozen=True)
class Probe:
    """A datagram from a's host of a network, ``10.11`` say, to b's, and whether it arrives."""

    network: str
    port: int
    arrives: bool


@dataclass(frozen=True)
class Scenario:
    """One row. ``by``: the end that acts; of a dead peer, the one that notices.

    mode: of IKEv1's phase 1. transport: the traffic is the two ends' own. sides: what a and b have
    of their own. probes: what goes through the tunnel beside pings. inits: messages of IKE_SA_INIT
    until they agree, 0: that is not looked at. pieces: ends whose messages go in pieces. refusal:
    what isakmpd says where the peers cannot agree, as initiator and as responder.
    """

    name: str
    version: int = 1
    mode: str = "main"
    ike: Suite = field(default_factory=Suite)
    esp: Suite = field(default_factory=Suite)
    outer: int = 4
    inner: int = 4
    nat: bool = False
    transport: bool = False
    ipcomp: bool = False
    act: Act = Act.TRAFFIC
    by: Role = Role.INITIATOR
    sides: tuple[Side, Side] = (PLAIN, PLAIN)
    probes: tuple[Probe, ...] = ()
    inits: int = 0
    pieces: tuple[Role, ...] = ()
    refusal: tuple[str, str] = ("", "")

    def side(self, role: Role) -> Side:
        return self.sides[0 if role is Role.INITIATOR else 1]

    @property
    def plain(self) -> bool:
        """Any daemon can play it that knows its act."""
        return self.sides == (PLAIN, PLAIN) and self.act not in (Act.REAUTH, Act.REFUSED)

    @property
    def named(self) -> bool:
        """The ends go by names, as their addresses are hidden (NAT, aggressive mode)."""
        return self.nat or self.mode == "aggressive"
