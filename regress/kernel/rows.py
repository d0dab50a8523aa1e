"""The table of the kernel's rows: scenarios as those of regress/interop, each with its pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from regress.interop.play import PAIRS
from regress.interop.rows import SCENARIOS
from regress.interop.scenario import Act, Role, Scenario, Side, Suite

PEERS = ("charon", "pluto", "iked")
_BOTH = (
    Act.REKEY_CHILD_BUSY,
    Act.REKEY_IKE_BUSY,
    Act.DELETE_CHILD,
    Act.DELETE_IKE,
    Act.DEAD_PEER,
)
_OURS = (Act.RELOAD_BUSY, Act.BYTES_SOFT, Act.BYTES_HARD, Act.KILLED)
# What every peer has, iked's kernel interface too.
_ESP = Suite("AES-128", "SHA2-512", 14)
Row = tuple[Scenario, str]


def _everybody(version: int) -> Iterator[Row]:
    """What is played with each peer: traffic, acquires, rekeying, deleting, vanishing."""
    base = Scenario(f"ikev{version}-traffic", version=version, esp=_ESP)
    for peer, ours in product(PEERS, Role):
        pair = pair_of(peer, ours)
        yield base, pair
        yield replace(base, name=f"ikev{version}-acquire", act=Act.ACQUIRE), pair
        for act, by in product(_BOTH, Role):
            name = f"ikev{version}-{act.value}-by-{by.value}"
            yield replace(base, name=name, act=act, by=by), pair


def _ours(version: int) -> Iterator[Row]:
    """What isakmpd does by itself, with one peer."""
    for act, ours in product(_OURS, Role):
        name = f"ikev{version}-{act.value}"
        row = Scenario(name, version=version, esp=_ESP, act=act, by=ours)
        yield row, pair_of("charon", ours)


def _paths(version: int) -> Iterator[Row]:
    """Modes, IP versions and NAT: with everybody, and more of it with one peer."""
    base = Scenario("", version=version, esp=_ESP)
    everybody: tuple[Scenario, ...] = (
        replace(base, name="transport", transport=True),
        replace(base, name="ipv6", outer=6, inner=6),
        replace(base, name="nat", nat=True),
    )
    more = (
        replace(base, name="ipv4-in-ipv6", outer=6),
        replace(base, name="ipv6-in-ipv4", inner=6),
        replace(base, name="nat-rekey-child", nat=True, act=Act.REKEY_CHILD_BUSY),
        replace(base, name="nat-rekey-ike", nat=True, act=Act.REKEY_IKE_BUSY),
    )
    if version == 2:
        everybody += (replace(base, name="ipcomp", ipcomp=True),)
    for peer, ours in product(PEERS, Role):
        for row in (*everybody, *(more if peer == "charon" else ())):
            yield replace(row, name=f"ikev{version}-{row.name}"), pair_of(peer, ours)


def _algorithms(version: int) -> Iterator[Row]:
    for name, suite in (
        ("aes-256-sha2-256", Suite("AES-256", "SHA2-256", 14)),
        ("aes-192-sha2-384", Suite("AES-192", "SHA2-384", 14)),
        ("aes-128-sha", Suite("AES-128", "SHA", None)),
        ("aesgcm-128", Suite("AESGCM-128", "", 19)),
        ("aesgcm-256", Suite("AESGCM-256", "", None)),
        ("3des-sha", Suite("3DES", "SHA", None)),
    ):
        row = Scenario(f"ikev{version}-esp-{name}", version=version, esp=suite)
        for peer in PEERS:
            yield row, pair_of(peer, Role.INITIATOR)


def _long_numbers() -> Iterator[Row]:
    """Extended sequence numbers, which charon has with a kernel alone."""
    for name, esp in (("esn", "aes128gcm16-esn"), ("esn-or-not", "aes128-sha256-esn-noesn")):
        row = Scenario(f"ikev2-{name}", version=2, sides=(Side(esp=esp), Side(esp=esp)))
        for ours in Role:
            yield row, pair_of("charon", ours)


def pair_of(peer: str, ours: Role) -> str:
    """The name of isakmpd and a peer, the initiator first."""
    return f"isakmpd-{peer}" if ours is Role.INITIATOR else f"{peer}-isakmpd"


def can(row: Scenario, pair: str) -> bool:
    """Whether both daemons of a pair can play a row at all."""
    return not any(
        kind.lacks(row, acts=row.by is role) for kind, role in zip(PAIRS[pair], Role, strict=True)
    )


def _all() -> Iterator[Row]:
    for version in (1, 2):
        yield from _everybody(version)
        yield from _ours(version)
        yield from _paths(version)
        yield from _algorithms(version)
    yield from _long_numbers()


ROWS = [(row, pair) for row, pair in _all() if can(row, pair)]
# Peers with each other: whether the rows themselves are right.
FOREIGN = [
    (row, f"{a}-{b}")
    for row, (a, b) in product(
        dict.fromkeys(row for row, _ in ROWS if row.act not in _OURS), product(PEERS, PEERS)
    )
    if "charon" in (a, b) and can(row, f"{a}-{b}")
]
# What make interop plays with ESP in user space.
INTEROP = [
    (row, pair)
    for row, peer, ours in product(SCENARIOS, PEERS, Role)
    if can(row, pair := pair_of(peer, ours))
]
TABLES = {"kernel": ROWS, "foreign": FOREIGN, "interop": INTEROP}


def key(row: Row) -> str:
    """A row's name and pair in one word."""
    return f"{row[0].name}@{row[1]}"
