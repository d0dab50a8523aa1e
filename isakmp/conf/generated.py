"""Transforms and suites that a configuration may name without writing them (isakmpd.conf(5)).

Main mode: ``{DES,3DES,BLF,CAST,AES[-128,-192,-256]}-hash[-GRPn][-DSS or -RSA_SIG]``; ``-RSA``,
which samples of 1999 have, is ``-RSA_SIG``.
Quick mode: ``QM-{ESP,AH}[-TRP][-cipher][-hash][-PFS[-GRPn]]``; with ``-SUITE`` the suite, without
the protocol, with ``-XF`` the transform. AH has no cipher; where one is named it is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from isakmp.constants import isakmp

DEFAULT_GROUP = isakmp.Group.MODP_1024
GROUPS = frozenset(isakmp.Group(n) for n in (1, 2, 5, *range(14, 22), *range(25, 32)))

_AES_BITS = r"(?:-(?:128|192|256))"
_SHA = r"SHA2-(?:256|384|512)|SHA"
_GROUP = r"-GRP(?P<group>\d{1,2})"
_MAIN = re.compile(
    rf"(?P<cipher>DES|3DES|BLF|CAST|AES{_AES_BITS}?)-(?P<hash>MD5|{_SHA})"
    rf"(?:{_GROUP})?(?:-(?P<auth>DSS|RSA(?:_SIG)?))?",
    re.ASCII,
)
_QUICK = re.compile(
    r"QM-(?P<protocol>ESP|AH)(?P<transport>-TRP)?"
    rf"(?:-(?P<cipher>DES|3DES|CAST|BLF|NULL|AES(?:CTR)?{_AES_BITS}?|AESG(?:CM|MAC){_AES_BITS}"
    r"|CHACHA20-POLY1305))?"
    rf"(?:-(?P<hash>MD5|RIPEMD|{_SHA}))?"
    rf"(?P<pfs>-PFS(?:{_GROUP})?)?(?P<part>-SUITE|-XF)?",
    re.ASCII,
)
# Of all such names; most sections are asked for, and have none.
_BEGINNINGS = ("DES", "3DES", "BLF", "CAST", "AES", "QM-")
_PHASE_1_NAMES = MappingProxyType(
    {"DES": "DES_CBC", "3DES": "3DES_CBC", "BLF": "BLOWFISH_CBC", "CAST": "CAST_CBC"}
)
_METHODS = MappingProxyType({None: "PRE_SHARED", "DSS": "DSS"})
_ESP_NAMES = MappingProxyType(
    {
        "BLF": "BLOWFISH",
        "AESCTR": "AES_CTR",
        "AESGCM": "AES_GCM_16",
        "AESGMAC": "NULL_AES_GMAC",
        "CHACHA20-POLY1305": "CHACHA20_POLY1305",
    }
)
_PHASE_1_SHORT = MappingProxyType({long: short for short, long in _PHASE_1_NAMES.items()})
_ESP_SHORT = MappingProxyType({long: short for short, long in _ESP_NAMES.items()})
_COMBINED = ("AESGCM", "AESGMAC", "CHACHA20")


def generated(section: str) -> Mapping[str, str] | None:
    """The tags of the transform, protocol or suite ``section`` names; None: no such name."""
    name = section.upper()
    return _generated(name) if name.startswith(_BEGINNINGS) else None


@lru_cache(4096)
def _generated(name: str) -> Mapping[str, str] | None:
    if match := _MAIN.fullmatch(name):
        return _main_mode(match)
    if match := _QUICK.fullmatch(name):
        return _quick_mode(match, name)
    return None


def main_mode_name(tags: Mapping[str, str]) -> str:
    """The name of a transform with these tags; empty: none has. KEY_LENGTH: a number, 0 without."""
    cipher = tags["ENCRYPTION_ALGORITHM"]
    first = _sized(_PHASE_1_SHORT.get(cipher, cipher.removesuffix("_CBC")), tags)
    name = "-".join((first, _hyphened(tags["HASH_ALGORITHM"]), *_groups(tags)))
    return name if _is(name, tags) else ""


def quick_mode_name(tags: Mapping[str, str]) -> str:
    """The same of a suite, by the tags of its only transform, of ESP."""
    cipher = tags["TRANSFORM_ID"]
    mode = ["TRP"] if tags["ENCAPSULATION_MODE"] == "TRANSPORT" else []
    auth = tags.get("AUTHENTICATION_ALGORITHM", "").removeprefix("HMAC_")
    parts = ["QM-ESP", *mode, _sized(_ESP_SHORT.get(cipher, cipher), tags), _hyphened(auth)]
    if groups := _groups(tags):
        parts += ["PFS", *groups]
    name = "-".join(filter(None, parts))
    return f"{name}-SUITE" if _is(f"{name}-XF", tags) else ""


def _hyphened(name: str) -> str:
    return name.replace("_", "-")


def _sized(cipher: str, tags: Mapping[str, str]) -> str:
    return f"{cipher}-{tags['KEY_LENGTH']}" if cipher.startswith("AES") else cipher


def _groups(tags: Mapping[str, str]) -> list[str]:
    group = isakmp.Group.__members__.get(tags.get("GROUP_DESCRIPTION", ""))
    return [] if group is None else [f"GRP{int(group)}"]


def _is(name: str, tags: Mapping[str, str]) -> bool:
    """Whether what a name stands for has these tags, and none that says more."""
    found = {"KEY_LENGTH": "0", **(generated(name) or {})}
    found["KEY_LENGTH"] = found["KEY_LENGTH"].partition(",")[0]
    more = found.keys() - tags.keys() - {"AUTHENTICATION_METHOD", "Life"}
    return not more and all(found.get(tag) == value for tag, value in tags.items())


def _group(match: re.Match[str]) -> str | None:
    """The group's name; None for a number that is not generated."""
    number = int(match["group"] or DEFAULT_GROUP)
    return isakmp.Group(number).name if number in GROUPS else None


def _key_length(cipher: str) -> dict[str, str]:
    """KEY_LENGTH of a cipher as written, e.g. ``AES`` or ``AESGCM-256``; none for fixed sizes."""
    family, _, bits = cipher.partition("-")
    if family == "BLF":
        return {"KEY_LENGTH": "128,96:192"}
    if not family.startswith("AES"):
        return {}
    return {"KEY_LENGTH": f"{bits},{bits}:{bits}" if bits else "128,128:256"}


def _main_mode(match: re.Match[str]) -> Mapping[str, str] | None:
    cipher, group = match["cipher"], _group(match)
    if group is None:
        return None
    return {
        "ENCRYPTION_ALGORITHM": _PHASE_1_NAMES.get(cipher, "AES_CBC"),
        "HASH_ALGORITHM": match["hash"].replace("-", "_"),
        "AUTHENTICATION_METHOD": _METHODS.get(match["auth"], "RSA_SIG"),
        "GROUP_DESCRIPTION": group,
        "Life": "LIFE_MAIN_MODE",
        **_key_length(cipher),
    }


def _quick_mode(match: re.Match[str], name: str) -> Mapping[str, str] | None:
    group = _group(match)
    if group is None or not _sound(match):
        return None
    match match["part"]:
        case "-SUITE":
            return {"Protocols": name.removesuffix("-SUITE")}
        case "-XF":
            return _quick_transform(match, group)
    return {"PROTOCOL_ID": f"IPSEC_{match['protocol']}", "Transforms": name + "-XF"}


def _sound(match: re.Match[str]) -> bool:
    """Whether cipher and hash go together: AH needs a hash, NULL too, combined modes bring one."""
    cipher, has_hash = match["cipher"] or "", match["hash"] is not None
    if match["protocol"] == "AH":
        return has_hash and not cipher.startswith(_COMBINED)
    if cipher.startswith(_COMBINED):
        return not has_hash
    return has_hash or cipher not in ("", "NULL")


def _quick_transform(match: re.Match[str], group: str) -> Mapping[str, str]:
    cipher = match["cipher"] or ""
    hash_name = (match["hash"] or "").replace("-", "_")
    tags = {"ENCAPSULATION_MODE": "TRANSPORT" if match["transport"] else "TUNNEL"}
    if match["protocol"] == "AH":
        tags["TRANSFORM_ID"] = hash_name
    else:
        family = cipher if cipher in _ESP_NAMES else cipher.partition("-")[0]
        tags["TRANSFORM_ID"] = _ESP_NAMES.get(family, family)
        tags |= _key_length(cipher)
    if hash_name:
        tags["AUTHENTICATION_ALGORITHM"] = f"HMAC_{hash_name}"
    if match["pfs"]:
        tags["GROUP_DESCRIPTION"] = group
    tags["Life"] = "LIFE_QUICK_MODE"
    return tags
