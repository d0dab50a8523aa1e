"""What negotiations have agreed on: algorithms and lifetimes of ISAKMP, IKE and IPsec SAs.

RFC 2409 appendix A, RFC 7296 3.3, RFC 9370 2.2.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from isakmp.constants import ikev2, ipsec, isakmp, name_of
from isakmp.constants.key_exchange import Method, method_name
from isakmp.policy.spd import Transform


class ChosenIke(NamedTuple):
    """What phase 1 agreed on; lifetimes 0 where none was negotiated."""

    encryption: isakmp.Encryption
    key_bits: int
    hash: isakmp.Hash
    group: isakmp.Group
    auth: isakmp.Authentication
    life_s: int = 0
    life_kb: int = 0
    name: str = ""

    def __str__(self) -> str:
        cipher = name_of(isakmp.Encryption, self.encryption)
        bits = f"-{self.key_bits}" if self.key_bits else ""
        hash_name, group = name_of(isakmp.Hash, self.hash), name_of(isakmp.Group, self.group)
        # An offer of a stranger may hold any number.
        return f"{cipher}{bits} {hash_name} {group} {name_of(isakmp.Authentication, self.auth)}"

    def row(self) -> dict[str, Any]:
        """As status() shows it."""
        return {
            "encryption": name_of(isakmp.Encryption, self.encryption), "key_bits": self.key_bits,
            "hash": self.hash.name, "group": self.group.name, "auth": self.auth.name,
        }  # fmt: skip


class ChosenIkev2(NamedTuple):
    """What IKE_SA_INIT agreed on. integ None: combined mode; lifetimes are ours alone; additional:
    the key exchanges after the first one, in their order (RFC 9370)."""

    encryption: ikev2.Encr
    key_bits: int
    prf: ikev2.Prf
    integ: ikev2.Integ | None
    group: Method
    life_s: int = 0
    life_kb: int = 0
    name: str = ""
    additional: tuple[Transform, ...] = ()

    def __str__(self) -> str:
        return _text(self)

    @property
    def methods(self) -> tuple[int, ...]:
        """Those of the additional key exchanges."""
        return tuple(each.id for each in self.additional)

    def row(self) -> dict[str, Any]:
        """As status() shows it."""
        return {
            "encryption": name_of(ikev2.Encr, self.encryption), "key_bits": self.key_bits,
            "hash": name_of(ikev2.Integ, self.integ) if self.integ else "",
            "prf": name_of(ikev2.Prf, self.prf), "group": method_name(self.group),
            "additional": list(map(method_name, self.methods)),
        }  # fmt: skip


@lru_cache(64)
def _text(ike: ChosenIkev2) -> str:
    """One line for people. Peers that are configured alike agree on the same."""
    bits = f"-{ike.key_bits}" if ike.key_bits else ""
    integ = f" {name_of(ikev2.Integ, ike.integ)}" if ike.integ else ""
    prf = name_of(ikev2.Prf, ike.prf)
    methods = " ".join(method_name(number) for number in (ike.group, *ike.methods))
    return f"{name_of(ikev2.Encr, ike.encryption)}{bits}{integ} PRF_{prf} {methods}"


class ChosenIpsec(NamedTuple):
    """What phase 2 agreed on for one protocol of the bundle."""

    protocol: isakmp.Protocol
    transform_id: int
    key_bits: int
    auth: ipsec.Auth | None
    encapsulation: ipsec.Encapsulation
    group: Method | None
    life_s: int = 0
    life_kb: int = 0
    name: str = ""
    replay_window: int = 64
    esn: bool = False
    additional: tuple[int, ...] = ()
