"""The table of what isakmpd and a foreign daemon do with each other: one row, one scenario.

The initiator is always end ``a`` and the responder end ``b``; which of them is isakmpd is the
role a row is played in. A row says nothing of the IPsec stack: it is played with ESP in user space
on the machine itself, and with a kernel's in the guest (regress/kernel).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from itertools import product

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
    ACQUIRE = "acquire"
    REKEY_CHILD_BUSY = "rekey-child-busy"
    REKEY_IKE_BUSY = "rekey-ike-busy"
    RELOAD_BUSY = "reload-busy"
    BYTES_SOFT = "bytes-soft"
    BYTES_HARD = "bytes-hard"

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
class Scenario:
    """One row. ``by``: the end that acts; of a dead peer, the one that notices.

    mode: of IKEv1's phase 1. transport: the traffic is the two ends' own.
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

    @property
    def named(self) -> bool:
        """The ends go by names, as their addresses are hidden (NAT, aggressive mode)."""
        return self.nat or self.mode == "aggressive"


_HOST_ACTS = (Act.REKEY_CHILD, Act.REKEY_IKE, Act.DELETE_CHILD, Act.DELETE_IKE, Act.DEAD_PEER)
GROUPS = (2, 5, 14, 19, 31)
SHA1, SHA2 = ("AES-128", "SHA"), ("AES-256", "SHA2-256")


def _grid() -> list[Scenario]:
    """Both modes with every pair of hash and group, with PFS in that group and without."""
    rows = []
    for mode, algorithms, group, pfs in product(
        ("main", "aggressive"), (SHA1, SHA2), GROUPS, (True, False)
    ):
        cipher, hash_ = algorithms
        name = f"{mode}-{cipher}-{hash_}-group{group}-{'pfs' if pfs else 'no-pfs'}".lower()
        esp = Suite(cipher, hash_, group if pfs else None)
        ike = Suite(cipher, hash_, group)
        rows.append(Scenario(name, mode=mode, ike=ike, esp=esp))
    return rows


def _acts() -> list[Scenario]:
    """Rekeying, deletion and a peer that vanishes, from either side."""
    rows = []
    for act, by in product(_HOST_ACTS, Role):
        rows.append(Scenario(f"{act.value}-by-{by.value}", act=act, by=by))
    return rows


_ALGORITHMS = [
    Scenario("main-aes-192-sha2-384", ike=Suite("AES-192", "SHA2-384", 20)),
    Scenario("main-aes-256-sha2-512", ike=Suite("AES-256", "SHA2-512", 21)),
    Scenario("main-3des-sha", ike=Suite("3DES", "SHA", 2), esp=Suite("3DES", "SHA", 2)),
    Scenario("main-3des-md5", ike=Suite("3DES", "MD5", 2), esp=Suite("3DES", "MD5", 2)),
    Scenario("esp-aes-192-sha2-384", esp=Suite("AES-192", "SHA2-384", 14)),
    Scenario("esp-aes-256-sha2-512", esp=Suite("AES-256", "SHA2-512", 14)),
    Scenario("esp-aesgcm-128", esp=Suite("AESGCM-128", "", 14)),
    Scenario("esp-aesgcm-256", esp=Suite("AESGCM-256", "", None)),
    Scenario("group15", ike=Suite(group=15)),
    Scenario("group16", ike=Suite(group=16)),
]

_PATHS = [
    Scenario("ipv6", outer=6, inner=6),
    Scenario("ipv6-aggressive", mode="aggressive", outer=6, inner=6),
    Scenario("ipv4-in-ipv6", outer=6),
    Scenario("ipv6-in-ipv4", inner=6),
    Scenario("nat-main", nat=True),
    Scenario("nat-aggressive", mode="aggressive", nat=True),
    Scenario("nat-rekey-child", nat=True, act=Act.REKEY_CHILD),
    Scenario("nat-rekey-ike", nat=True, act=Act.REKEY_IKE),
]

SCENARIOS = [*_grid(), *_ALGORITHMS, *_PATHS, *_acts()]
