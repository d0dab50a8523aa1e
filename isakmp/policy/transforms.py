"""Transforms, suites and lifetimes out of their sections, isakmpd.conf(5)."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, TypeVar

from isakmp.conf.defaults import BORROWED
from isakmp.conf.kinds import Kind
from isakmp.conf.parse import MEND_NO_VALUE, NO_VALUE, fold
from isakmp.conf.spelling import refuse_misspelt
from isakmp.conf.store import Conf
from isakmp.conf.tags import TAGS
from isakmp.conf.values import MAX_SECONDS, member
from isakmp.constants import ipsec, isakmp, names
from isakmp.policy.spd import (
    MAX_TRANSFORMS,
    UNSAID,
    IkeTransform,
    IpsecTransform,
    Lifetime,
    Range,
    Said,
    SaPolicy,
    Suite,
)

E = TypeVar("E", bound=IntEnum)

# AH, ESP and IPComp in a bundle.
MAX_PROTOCOLS = 3


def read_names(conf: Conf, section: str, tag: str, limit: int) -> list[str]:
    """A list that has 1 to ``limit`` values. ConfError where it has not."""
    if conf.is_empty(section, tag):
        raise conf.error(NO_VALUE, section, tag, MEND_NO_VALUE)
    found = conf.get_list(section, tag)
    if not found:
        raise conf.error(f"has no {tag}", section, missing=True)
    if len(found) > limit:
        raise conf.error(f"{len(found)} values, {limit} are possible", section, tag)
    return found


def read_ike_transform(conf: Conf, section: str, line: str) -> IkeTransform:
    """One phase 1 transform; ``line`` is what a refusal cites. ANY reads as None."""

    refuse_misspelt(conf, Kind.ISAKMP_TRANSFORM, section)

    def said(tag: str) -> Any:
        return _required(conf, Kind.ISAKMP_TRANSFORM, section, tag)

    return IkeTransform(
        name=section,
        encryption=said("ENCRYPTION_ALGORITHM"),
        hash=said("HASH_ALGORITHM"),
        group=said("GROUP_DESCRIPTION"),
        auth=said("AUTHENTICATION_METHOD"),
        key_bits=conf.value(Kind.ISAKMP_TRANSFORM, section, "KEY_LENGTH"),
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
    said: dict[isakmp.LifeType, Said] = {}
    listed = conf.get_list(section, "Life") or [default]
    for name in listed:
        if name.upper() == "ANY":
            continue
        conf.follow(section, "Life", name)
        kind, duration = read_life_section(conf, name)
        limits.setdefault(kind, duration)
        said.setdefault(kind, _said(conf, name))
    seconds, kilobytes = isakmp.LifeType.SECONDS, isakmp.LifeType.KILOBYTES
    return Lifetime(limits.get(seconds), limits.get(kilobytes),
                    said.get(seconds, UNSAID), said.get(kilobytes, UNSAID))  # fmt: skip


def _said(conf: Conf, section: str) -> Said:
    """Where a lifetime is; of one that is built in, where it would be."""
    tag = "LIFE_DURATION"
    if not conf.is_written(section, tag):
        section, tag = BORROWED.get((fold(section), fold(tag)), (section, tag))
    return Said(section, tag, conf.where(section, tag))


def read_life_section(conf: Conf, section: str) -> tuple[isakmp.LifeType, Range | None]:
    """One lifetime and its unit; None: ANY."""
    refuse_misspelt(conf, Kind.LIFETIME, section)
    kind = _required(conf, Kind.LIFETIME, section, "LIFE_TYPE")
    duration = _required(conf, Kind.LIFETIME, section, "LIFE_DURATION")
    if kind is isakmp.LifeType.SECONDS and duration and duration.max > MAX_SECONDS:
        raise conf.error(f"more than {MAX_SECONDS} seconds", section, "LIFE_DURATION")
    return kind, duration


def _required(conf: Conf, kind: Kind, section: str, tag: str) -> Any:
    if conf.get(section, tag) is None and not TAGS[kind][tag].default:
        hint = f"one of {', '.join(words)}" if (words := TAGS[kind][tag].type.words) else ""
        raise conf.error(f"has no {tag}", section, hint=hint, missing=True)
    return conf.value(kind, section, tag)


def _cited(conf: Conf, section: str, line: str) -> str:
    """The section's own header where it is written, else ``line``."""
    return conf.where(section) if conf.has_written_section(section) else line


def _read_protocol(conf: Conf, section: str, line: str) -> SaPolicy:
    protocol = _required(conf, Kind.PROTOCOL, section, "PROTOCOL_ID")
    transforms = []
    for name in read_names(conf, section, "Transforms", MAX_TRANSFORMS):
        conf.follow(section, "Transforms", name)
        transforms.append(_read_ipsec_transform(conf, name, protocol, _cited(conf, name, line)))
    window = conf.value(Kind.PROTOCOL, section, "ReplayWindow")
    return SaPolicy(protocol, tuple(transforms), window, line)


def _read_ipsec_transform(
    conf: Conf, section: str, protocol: isakmp.Protocol, line: str
) -> IpsecTransform:
    refuse_misspelt(conf, Kind.IPSEC_TRANSFORM, section)

    def said(tag: str) -> Any:
        return conf.value(Kind.IPSEC_TRANSFORM, section, tag)

    is_ah = protocol is isakmp.Protocol.IPSEC_AH
    auth = said("AUTHENTICATION_ALGORITHM")
    if is_ah and not auth:
        raise conf.error("AH without AUTHENTICATION_ALGORITHM", section, missing=True)
    return IpsecTransform(
        name=section,
        transform_id=_transform_id(conf, section, ipsec.Ah if is_ah else ipsec.Esp),
        encapsulation=said("ENCAPSULATION_MODE"),
        auth=auth or None,
        group=said("GROUP_DESCRIPTION"),
        key_bits=said("KEY_LENGTH"),
        life=read_life(conf, section, "LIFE_QUICK_MODE"),
        line=line,
    )


def _transform_id(conf: Conf, section: str, registry: type[E]) -> E:
    """A member of the protocol's own registry: the table knows both."""
    text = conf.get(section, "TRANSFORM_ID")
    if text is None:
        raise conf.error("has no TRANSFORM_ID", section, missing=True)
    try:
        return member(registry, text)
    except KeyError:
        hint = "one of " + ", ".join(names(registry))
        raise conf.error(f"{text!r} is not known", section, "TRANSFORM_ID", hint=hint) from None
