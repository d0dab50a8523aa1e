"""Which end has the stronger algorithm, and so what to set where, that both have the same.

Nobody is to weaken the end that asks for more. A cipher that authenticates as well is held against
a cipher along with its integrity algorithm, never one half against the other (RFC 5282 8). Strength
is in bits, as NIST SP 800-57 part 1, 5.6.1, has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from isakmp.policy.algorithms import KEY_LENGTHS

Strength = tuple[int, ...]
"""Bits of the cipher, or of what else it is; of a cipher with its integrity those of that, too."""

_NONE = re.compile(r"none", re.IGNORECASE)
_COMBINED = re.compile(r"_[GC]CM_|GMAC|CHACHA20|_MGM_")
_TAG = re.compile(r"_[GC]CM_(8|12)$")
_LENGTHS = re.compile(r"AES|CAMELLIA")
# Of ciphers without a key length, by how their names begin.
_CIPHERS = {"NULL": 0, "DES": 56, "3DES": 112, "CHACHA20": 256, "CAST": 128, "BLOWFISH": 128}
_MOST_BITS = 448
# Of an integrity algorithm beside a cipher no more than of any cipher of both counts.
_TAG_BITS = 128
_MODP = {"768": 64, "1024": 80, "1536": 96, "2048": 112, "3072": 128, "4096": 152, "6144": 176,
         "8192": 200}  # fmt: skip
_KEMS = {"512": 128, "768": 192, "1024": 256}
# Of a curve and of a hash it is half of their bits.
_HALVED = re.compile(r"(?:ECP|BRAINPOOL|SHA2)_(\d+)")
_OTHERS = {"CURVE25519": 128, "CURVE448": 224, "MD5": 64, "SHA": 80, "RIPEMD": 80, "XCBC": 128,
           "CMAC": 128, "GMAC": 128}  # fmt: skip
# What nothing of ours can be set to.
_NOT_OURS = re.compile(r"DES_IV|DES_MAC|KPDK|CAMELLIA_C(?:TR|CM)|_IIV$|MD5_128|SHA1_160")


class Side(NamedTuple):
    """What an end has. strength: None where there is no telling, or nobody can set it."""

    name: str
    strength: Strength | None


class Gap(NamedTuple):
    """A thing in which both ends differ."""

    label: str
    theirs: Side
    ours: Side

    @property
    def here(self) -> bool:
        """Whether ours can be set to what the peer has: that is known, and not the weaker."""
        they, we = self.theirs.strength, self.ours.strength
        return they is not None and (we is None or they >= we)

    @property
    def there(self) -> bool:
        """Whether the peer's can be set to ours."""
        return not self.here or self.theirs.strength == self.ours.strength

    def __str__(self) -> str:
        theirs, ours = self.theirs.name, self.ours.name
        if self.here and self.there:
            return f"set {self.label} {ours} at the peer, or {theirs} here, which is as strong"
        if self.here:
            return f"here set {self.label} {theirs} instead of {ours}"
        return f"at the peer set {self.label} {ours} instead of {theirs}"


def made_stronger(gaps: Iterable[Gap], written: str) -> str:
    """The mend of what differs. written: how the configuration of ours has it all, or empty."""
    found = list(gaps)
    told = "; ".join(map(str, found))
    return f"{told}: here that is {written}" if written and any(g.here for g in found) else told


def is_combined(cipher: str) -> bool:
    """Whether a cipher of that name authenticates as well."""
    return bool(_COMBINED.search(cipher))


def cipher(name: str, bits: int) -> Side:
    """A cipher with a key length, 0 without one."""
    return Side(f"{name}-{bits}" if bits else name, _of_cipher(name, bits))


def with_integrity(name: str, bits: int, integrity: str) -> Side:
    """A cipher, and what authenticates beside it: none where it does so itself."""
    alone = cipher(name, bits)
    if _NONE.fullmatch(integrity):
        tag: int | None = _TAG_BITS if is_combined(name) else 0
        if short := _TAG.search(name):
            tag = 8 * int(short[1])
    else:
        alone = alone._replace(name=f"{alone.name} with {integrity}")
        tag = strength(integrity)
    if alone.strength is None or tag is None:
        return alone._replace(strength=None)
    return alone._replace(strength=(*alone.strength, min(tag, _TAG_BITS)))


def other(name: str) -> Side:
    """A hash, prf, integrity algorithm, group or other key exchange method."""
    bits = strength(name)
    return Side(name, None if bits is None else (bits,))


def strongest(sides: Iterable[Side]) -> Side | None:
    """The first of those that nothing is stronger than; None where there is none."""
    return max(sides, key=lambda side: side.strength or (-1,), default=None)


def _of_cipher(name: str, bits: int) -> Strength | None:
    if _NOT_OURS.search(name):
        return None
    if _LENGTHS.search(name):
        secret = 0 if name.startswith("NULL") else bits
        return (secret,) if bits in KEY_LENGTHS else None
    found = next((known for begins, known in _CIPHERS.items() if name.startswith(begins)), None)
    variable = name.startswith(("BLOWFISH", "CAST"))
    if found is None or (bits and not variable) or bits > _MOST_BITS:
        return None
    return (bits or found,)


def strength(name: str) -> int | None:
    """In bits, of all but a cipher; none there is 0, None: there is no telling."""
    if _NONE.fullmatch(name):
        return 0
    if _NOT_OURS.search(name):
        return None
    if group := re.search(r"MODP_(\d+)", name):
        return _MODP.get(group[1])
    if kem := re.search(r"ML_KEM_(\d+)", name):
        return _KEMS.get(kem[1])
    if halved := _HALVED.search(name):
        return int(halved[1]) // 2
    return next((bits for part, bits in _OTHERS.items() if part in name), None)
