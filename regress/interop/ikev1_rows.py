"""The rows of IKEv1: modes, algorithms, paths, and what happens later."""

from __future__ import annotations

from itertools import product

from regress.interop.scenario import PLAIN, Act, Role, Scenario, Side, Suite

_HOST_ACTS = (
    Act.REKEY_CHILD,
    Act.REKEY_IKE,
    Act.DELETE_CHILD,
    Act.DELETE_IKE,
    Act.DEAD_PEER,
    Act.RESTARTED,
)
_GROUPS = (2, 5, 14, 19, 31)
_SHA1, _SHA2 = ("AES-128", "SHA"), ("AES-256", "SHA2-256")


def _grid() -> list[Scenario]:
    """Both modes with every pair of hash and group, with PFS in that group and without."""
    rows = []
    for mode, algorithms, group, pfs in product(
        ("main", "aggressive"), (_SHA1, _SHA2), _GROUPS, (True, False)
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

# strongSwan says it under the keys, before it would have an ISAKMP SA.
_REFUSALS = [
    Scenario(
        "main-refused-identity", act=Act.REFUSED, sides=(PLAIN, Side(expects="mallory.example")),
        refusal=("AUTHENTICATION_FAILED", "must have another identity"),
    ),
]  # fmt: skip

IKEV1 = [*_grid(), *_ALGORITHMS, *_PATHS, *_acts(), *_REFUSALS]
