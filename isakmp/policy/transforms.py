"""Transforms, suites and lifetimes out of their sections, isakmpd.conf(5)."""

from __future__ import annotations

from enum import IntEnum
from typing import TypeVar

from isakmp.conf import Conf
from isakmp.constants import ipsec, isakmp, names, value_of
from isakmp.policy.spd import IkeTransform, IpsecTransform, Lifetime, Range, SaPolicy, Suite

E = TypeVar("E", bound=IntEnum)

# One octet numbers proposals and transforms (RFC 2408 3.5, 3.6); AH, ESP and IPComp in a bundle.
MAX_PROPOSALS = 255
MAX_TRANSFORMS = 255
MAX_PROTOCOLS = 3
DEFAULT_REPLAY_WINDOW = 64
MAX_REPLAY_WINDOW = 4096

_ALIASES = {
    "AES_GMAC": "NULL_AES_GMAC",
    "AES_GCM": "AES_GCM_16",
    "BP_224": "BRAINPOOL_224",
    "BP_256": "BRAINPOOL_256",
    "BP_384": "BRAINPOOL_384",
    "BP_512": "BRAINPOOL_512",
}


def read_names(conf: Conf, section: str, tag: str, limit: int) -> list[str]:
    """A list that has 1 to ``limit`` values. ConfError where it has not."""
    found = conf.get_list(section, tag)
    if not found:
        raise conf.error(f"has no {tag}", section)
    if len(found) > limit:
        raise conf.error(f"{len(found)} values, {limit} are possible", section, tag)
    return found


def read_ike_transform(conf: Conf, section: str, line: str) -> IkeTransform:
    """One phase 1 transform; ``line`` is what a refusal cites. ANY reads as None."""
    return IkeTransform(
        name=section,
        encryption=_any(conf, section, "ENCRYPTION_ALGORITHM", isakmp.Encryption),
        hash=_any(conf, section, "HASH_ALGORITHM", isakmp.Hash),
        group=_any(conf, section, "GROUP_DESCRIPTION", isakmp.Group),
        auth=_any(conf, section, "AUTHENTICATION_METHOD", isakmp.Authentication, "PRE_SHARED"),
        key_bits=_key_bits(conf, section),
        life=read_life(conf, section, "LIFE_MAIN_MODE"),
        line=line,
    )


def read_suite(conf: Conf, section: str, line: str) -> Suite:
    """One phase 2 proposal with its protocols and their transforms; ``line`` as above.

    What is generated cites the line that led to it.
    """
    protocols = []
    for name in read_names(conf, section, "Protocols", MAX_PROTOCOLS):
        conf.follow(section, "Protocols", name)
        protocols.append(_read_protocol(conf, name, _cited(conf, name, line)))
    return Suite(section, tuple(protocols), line)


def read_life(conf: Conf, section: str, default: str) -> Lifetime:
    """The lifetimes a transform's Life lists; ``default`` where it lists none, ANY: no limit.

    Of two sections with the same LIFE_TYPE the first counts.
    """
    limits: dict[isakmp.LifeType, Range | None] = {}
    listed = conf.get_list(section, "Life") or [default]
    for name in listed:
        if name.upper() == "ANY":
            continue
        conf.follow(section, "Life", name)
        limits.setdefault(*read_life_section(conf, name))
    types = isakmp.LifeType
    line = conf.where(listed[0])
    return Lifetime(limits.get(types.SECONDS), limits.get(types.KILOBYTES), line)


def read_member(
    conf: Conf, section: str, tag: str, registry: type[E], default: str | None = None
) -> E:
    """A member of ``registry`` by name or number. ConfError lists the names."""
    text = conf.get(section, tag, default)
    if text is None:
        raise conf.error(f"has no {tag}", section)
    try:
        return member(registry, text)
    except KeyError as error:
        hint = "one of " + ", ".join(names(registry))
        raise conf.error(f"{tag} {text!r} is not known", section, tag, hint=hint) from error


def member(registry: type[E], text: str) -> E:
    """What isakmpd.conf(5) calls ``text``, in any case. KeyError where nothing is called so."""
    name = text.upper().replace("-", "_")
    return value_of(registry, _ALIASES.get(name, name))


def _any(
    conf: Conf, section: str, tag: str, registry: type[E], default: str | None = None
) -> E | None:
    if (conf.get(section, tag) or "").upper() == "ANY":
        return None
    return read_member(conf, section, tag, registry, default)


def _key_bits(conf: Conf, section: str) -> Range | None:
    if (conf.get(section, "KEY_LENGTH") or "ANY").upper() == "ANY":
        return None
    return conf.get_range(section, "KEY_LENGTH")


def read_life_section(conf: Conf, section: str) -> tuple[isakmp.LifeType, Range | None]:
    """One lifetime and its unit; None: ANY."""
    kind = read_member(conf, section, "LIFE_TYPE", isakmp.LifeType)
    if (conf.get(section, "LIFE_DURATION") or "").upper() == "ANY":
        return kind, None
    duration = conf.get_range(section, "LIFE_DURATION")
    if duration is None:
        raise conf.error("has no LIFE_DURATION", section)
    if duration.offer == 0:
        raise conf.error("a lifetime of 0", section, "LIFE_DURATION")
    return kind, duration


def _cited(conf: Conf, section: str, line: str) -> str:
    """The section's own header where it is written, else ``line``."""
    return conf.where(section) if conf.has_written_section(section) else line


def _read_protocol(conf: Conf, section: str, line: str) -> SaPolicy:
    protocol = read_member(conf, section, "PROTOCOL_ID", isakmp.Protocol)
    if protocol not in (isakmp.Protocol.IPSEC_AH, isakmp.Protocol.IPSEC_ESP):
        hint = "IPSEC_ESP or IPSEC_AH"
        raise conf.error(f"{protocol.name} is not negotiated", section, "PROTOCOL_ID", hint=hint)
    transforms = []
    for name in read_names(conf, section, "Transforms", MAX_TRANSFORMS):
        conf.follow(section, "Transforms", name)
        transforms.append(_read_ipsec_transform(conf, name, protocol, _cited(conf, name, line)))
    return SaPolicy(protocol, tuple(transforms), read_replay_window(conf, section), line)


def read_replay_window(conf: Conf, section: str) -> int:
    """ReplayWindow in packets."""
    window = conf.get_int(section, "ReplayWindow", DEFAULT_REPLAY_WINDOW)
    if window is None or not 0 <= window <= MAX_REPLAY_WINDOW:
        raise conf.error(f"not 0 to {MAX_REPLAY_WINDOW} packets", section, "ReplayWindow")
    return window


def _read_ipsec_transform(
    conf: Conf, section: str, protocol: isakmp.Protocol, line: str
) -> IpsecTransform:
    is_ah = protocol is isakmp.Protocol.IPSEC_AH
    registry: type[IntEnum] = ipsec.Ah if is_ah else ipsec.Esp
    transform_id = read_member(conf, section, "TRANSFORM_ID", registry)
    auth = _optional(conf, section, "AUTHENTICATION_ALGORITHM", ipsec.Auth)
    if is_ah and not auth:
        raise conf.error("AH without AUTHENTICATION_ALGORITHM", section)
    return IpsecTransform(
        name=section,
        transform_id=transform_id,
        encapsulation=read_member(
            conf, section, "ENCAPSULATION_MODE", ipsec.Encapsulation, "TUNNEL"
        ),
        auth=auth or None,
        group=_optional(conf, section, "GROUP_DESCRIPTION", isakmp.Group),
        key_bits=_key_bits(conf, section),
        life=read_life(conf, section, "LIFE_QUICK_MODE"),
        line=line,
    )


def _optional(conf: Conf, section: str, tag: str, registry: type[E]) -> E | None:
    if conf.get(section, tag) is None:
        return None
    return read_member(conf, section, tag, registry)
