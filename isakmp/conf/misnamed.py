"""Names that look like generated transforms and suites, and are none: which part is wrong, and what
there could be in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from isakmp.conf.generated import GROUPS, generated

_GROUPS = tuple(f"GRP{int(number)}" for number in sorted(GROUPS))
_HASHES = ("MD5", "SHA", "SHA2-256", "SHA2-384", "SHA2-512")
_BITS = ("128", "192", "256")
_AES = tuple(f"AES-{bits}" for bits in _BITS)
_MAIN_CIPHERS = ("DES", "3DES", "BLF", "CAST", "AES", *_AES)
_COMBINED = (
    *(f"{mode}-{bits}" for mode in ("AESGCM", "AESGMAC") for bits in _BITS), "CHACHA20-POLY1305",
)  # fmt: skip
_QUICK_CIPHERS = (
    *_MAIN_CIPHERS, "NULL", "AESCTR", *(f"AESCTR-{bits}" for bits in _BITS), *_COMBINED,
)  # fmt: skip
# Who names his own sections so does not mean one of ours.
_MAIN = re.compile(r"(?:DES|3DES|BLF|CAST|AES)-.*\b(?:MD5|SHA|SHA2|GRP)\b.*|.*-GRP\d+(?:-.*)?")
_QUICK = re.compile(r"QM-(?:(?:ESP|AH)-.*|.*-(?:SUITE|XF))")
# What is one part though a hyphen is in it.
_PART = re.compile(r"(?:(?:SHA2|AESGCM|AESGMAC|CHACHA20)-)?[^-]*")


class _Place(NamedTuple):
    """Where a part of a name stands. parts: what there can be; needed: one of them must."""

    parts: Sequence[str]
    needed: bool = False


_MAIN_PLACES = (
    _Place(_MAIN_CIPHERS, True), _Place(_HASHES, True), _Place(_GROUPS),
    _Place(("DSS", "RSA_SIG", "RSA")),
)  # fmt: skip
_QUICK_PLACES = (
    _Place(("ESP", "AH"), True), _Place(("TRP",)), _Place(_QUICK_CIPHERS),
    _Place((*_HASHES, "RIPEMD")), _Place(("PFS",)), _Place(_GROUPS), _Place(("SUITE", "XF")),
)  # fmt: skip


def misnamed(section: str) -> str:
    """What is wrong with such a name; empty where it is one, or looks like none."""
    name = section.upper()
    if generated(section) is not None:
        return ""
    if _QUICK.fullmatch(name):
        return _wrong_part(name.removeprefix("QM-"), _QUICK_PLACES) or _do_not_fit(name)
    return _wrong_part(name, _MAIN_PLACES) if _MAIN.fullmatch(name) else ""


def _wrong_part(rest: str, places: Sequence[_Place]) -> str:
    """The first part that can stand at none of the places that are left, and what can."""
    before, possible = "", list[str]()
    for place in places:
        possible += place.parts
        found = [part for part in place.parts if f"{rest}-".startswith(f"{part}-")]
        if found:
            before = max(found, key=len)
            rest = rest[len(before) + 1 :]
            lengths = [part.removeprefix(f"{before}-") for part in place.parts]
            possible = [bits for bits in lengths if before.startswith("AES") and bits in _BITS]
        elif place.needed:
            break
    else:
        if not rest:
            return ""
    wrong = _PART.match(rest)
    after = f" behind {before}" if before else ""
    part = wrong[0] if wrong and rest else "its end"
    return f"{part} is no part of such a name; possible{after}: {', '.join(possible)}"


def _do_not_fit(name: str) -> str:
    """Of a quick mode name whose parts there are, but not together."""
    if "-AH" in name[:5] and any(f"-{each}" in name for each in _COMBINED):
        return "AH takes no cipher with an integrity check of its own"
    combined = [each for each in _COMBINED if f"-{each}" in name]
    if combined:
        return f"{combined[0]} brings its own integrity check: no hash behind it"
    return f"it needs a hash: {', '.join((*_HASHES, 'RIPEMD'))}"
