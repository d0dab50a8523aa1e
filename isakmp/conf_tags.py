"""The sections and tags of isakmpd.conf(5), by kind of section: what the checker knows.

A tag that names other sections leads to their kind; so the kind of every section follows from
where it is named. A test of a value answers with what is wrong, or with an empty text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum, IntEnum
from ipaddress import ip_address
from types import MappingProxyType
from typing import NamedTuple

from isakmp.constants import ipsec, isakmp, names
from isakmp.policy.ikev2_reader import ENCAPSULATIONS, MAX_WINDOW, PREFERENCES, VERSIONS, WISHES
from isakmp.policy.proposal_reader import KeywordError, parse_esp, parse_ike
from isakmp.policy.selector_reader import parse_selector
from isakmp.policy.spd import Proposal
from isakmp.policy.transforms import member

Test = Callable[[str], str]


class Kind(Enum):
    """A kind of section; the value is what people call it."""

    GENERAL = "[General]"
    PHASE_1 = "[Phase 1]"
    PHASE_2 = "[Phase 2]"
    KEYNOTE = "[KeyNote]"
    X509 = "[X509-certificates]"
    PEER = "an ISAKMP peer"
    ID = "an identity"
    ISAKMP_CONFIGURATION = "an ISAKMP configuration"
    ISAKMP_TRANSFORM = "an ISAKMP transform"
    LIFETIME = "a lifetime"
    CONNECTION = "an IPsec connection"
    IPSEC_CONFIGURATION = "an IPsec configuration"
    SUITE = "a suite"
    PROTOCOL = "a protocol"
    IPSEC_TRANSFORM = "an IPsec transform"
    MODE_CONFIG = "a mode-config identity"
    INITIATOR = "an initiator's identity"


class Tag(NamedTuple):
    """What is known of a tag. leads: the kind of the sections it names; every: test each item;
    idle: understood, for the sake of existing files, and without effect."""

    test: Test | None = None
    leads: Kind | None = None
    every: bool = False
    idle: bool = False


FIXED: Mapping[str, Kind] = MappingProxyType(
    {kind.value.strip("[]"): kind for kind in Kind if kind.value.startswith("[")}
)
MODE_CONFIG_PREFIXES = ("ipv4/", "ipv6/", "fqdn/", "ufqdn/", "asn1_dn/")


def _number(low: int, high: int) -> Test:
    def test(text: str) -> str:
        fits = re.fullmatch("[0-9]{1,10}", text) and low <= int(text) <= high
        return "" if fits else f"{text!r} is not a number from {low} to {high}"

    return test


def _range(text: str) -> str:
    match = re.fullmatch(r"([0-9]{1,10})\s*(?:,\s*([0-9]{1,10})\s*:\s*([0-9]{1,10}))?", text)
    if match is None:
        return f"{text!r} is not offer,min:max"
    if match[2] and int(match[2]) > int(match[3]):
        return f"{text!r} accepts nothing: {match[2]} > {match[3]}"
    return ""


def _pattern(pattern: str, what: str) -> Test:
    compiled = re.compile(pattern, re.ASCII | re.IGNORECASE)
    return lambda text: "" if compiled.fullmatch(text) else f"{text!r} is not {what}"


def _one_of(*words: str) -> Test:
    known = frozenset(word.lower() for word in words)
    listed = ", ".join(words)
    return lambda text: "" if text.lower() in known else f"{text!r} is not one of {listed}"


def _member(*registries: type[IntEnum]) -> Test:
    def test(text: str) -> str:
        for registry in registries:
            try:
                member(registry, text)
                return ""
            except KeyError:
                continue
        known = dict.fromkeys(name for registry in registries for name in names(registry))
        return f"{text!r} is not one of {', '.join(known)}"

    return test


def _or_any(test: Test) -> Test:
    return lambda text: "" if text.upper() == "ANY" else test(text)


def _address(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        return f"{text!r} is not an address"
    return ""


def _place(text: str) -> str:
    """An address, an interface or ``default``."""
    known = re.fullmatch(r"[A-Za-z][A-Za-z0-9_.:@-]{0,31}", text) is not None
    return "" if known or not _address(text) else f"{text!r} is not an address or an interface"


def _keywords(parse: Callable[[str], Proposal]) -> Test:
    def test(text: str) -> str:
        try:
            parse(text)
        except KeywordError as error:
            return f"{error} ({error.hint})" if error.hint else str(error)
        return ""

    return test


def _selector(text: str) -> str:
    try:
        parse_selector(text)
    except ValueError as error:
        return f"{text!r}: {error}"
    return ""


_BOOLEAN = _one_of("yes", "no", "true", "false", "on", "off", "1", "0", "Defined")
_PATH = _pattern(r".{1,1023}", "a path")
_SECONDS = _number(0, 1 << 31)
_DOI = Tag(_one_of("IPSEC"))
_KEY_LENGTH = Tag(_or_any(_range))
_GROUP = Tag(_or_any(_member(isakmp.Group)))
_LIFE = Tag(leads=Kind.LIFETIME)
_ANY_TEXT = Tag()


def _table(tags: dict[str, Tag]) -> Mapping[str, Tag]:
    return MappingProxyType(tags)


TAGS: Mapping[Kind, Mapping[str, Tag]] = MappingProxyType(
    {
        Kind.GENERAL: _table(
            {
                "Acquire-Only": Tag(_BOOLEAN),
                "Application": Tag(_one_of("engine", "xfrm", "pf_key", "none")),
                "Check-interval": Tag(_SECONDS),
                "Default-phase-1-ID": Tag(leads=Kind.ID),
                "Cookie-threshold": Tag(_number(0, 1 << 20)),
                "Default-phase-1-lifetime": Tag(_range),
                "Default-phase-2-lifetime": Tag(_range),
                "Default-phase-2-suites": Tag(leads=Kind.SUITE),
                "Delete-SAs": Tag(_BOOLEAN),
                "DPD-check-interval": Tag(_SECONDS),
                "DPD-timeout": Tag(_number(1, 86400)),
                "Engine-socket": Tag(_PATH),
                "Exchange-max-time": Tag(_number(1, 86400)),
                "Key-log": Tag(_PATH),
                "Listen-on": Tag(_place, every=True),
                "Loglevel": Tag(_pattern(r"(a|10|[0-9])=[0-9]{1,2}", "class=level"), every=True),
                "Logverbose": Tag(_BOOLEAN),
                "Max-children": Tag(_number(1, 1 << 20)),
                "Max-half-open": Tag(_number(1, 1 << 20)),
                "Max-half-open-per-peer": Tag(_number(1, 1 << 20)),
                "NAT-T-Keepalive": Tag(_SECONDS),
                "Policy-file": Tag(_PATH, idle=True),
                "Pubkey-directory": Tag(_PATH, idle=True),
                "Rekey-margin": Tag(_number(1, 50)),
                "Renegotiate-on-HUP": Tag(_BOOLEAN),
                "Retransmit-interval": Tag(_number(1, 60)),
                "Retransmit-max-interval": Tag(_number(1, 3600)),
                "Retransmits": Tag(_number(0, 100)),
                "Run-directory": Tag(_PATH),
                "SA-retransmits": Tag(_number(0, 100)),
                "Shared-SADB": Tag(_BOOLEAN, idle=True),
                "Use-Keynote": Tag(_BOOLEAN, idle=True),
            }
        ),
        Kind.PHASE_1: _table({"Default": Tag(leads=Kind.PEER)}),
        Kind.PHASE_2: _table(
            {
                "Connections": Tag(leads=Kind.CONNECTION),
                "Passive-connections": Tag(leads=Kind.CONNECTION),
            }
        ),
        Kind.KEYNOTE: _table({"Credential-directory": Tag(_PATH, idle=True)}),
        Kind.X509: _table(
            {
                "Accept-self-signed": Tag(_BOOLEAN, idle=True),
                "CA-directory": Tag(_PATH, idle=True),
                "Cert-directory": Tag(_PATH, idle=True),
                "CRL-directory": Tag(_PATH, idle=True),
                "Private-key": Tag(_PATH, idle=True),
                "Private-key-directory": Tag(_PATH, idle=True),
            }
        ),
        Kind.PEER: _table(
            {
                "Address": Tag(_address),
                "Authentication": _ANY_TEXT,
                "Childless": Tag(_one_of(*WISHES)),
                "Configuration": Tag(leads=Kind.ISAKMP_CONFIGURATION),
                "Encapsulation": Tag(_one_of(*ENCAPSULATIONS)),
                "Flags": Tag(_one_of("ikecfg"), every=True, idle=True),
                "Fragment-size": Tag(_number(0, 0xFFFF)),
                "Fragmentation": Tag(_BOOLEAN),
                "ID": Tag(leads=Kind.ID),
                "IKE-proposals": Tag(_keywords(parse_ike), every=True),
                "Key-exchange": Tag(_one_of(*VERSIONS), every=True),
                "Life": _LIFE,
                "Local-address": Tag(_place),
                "Make-before-break": Tag(_BOOLEAN),
                "Phase": Tag(_one_of("1")),
                "Port": Tag(_number(1, 0xFFFF)),
                "Proposal-preference": Tag(_one_of(*PREFERENCES)),
                "Reauthenticate": Tag(_SECONDS),
                "Remote-ID": Tag(leads=Kind.ID),
                "Send-IDr": Tag(_BOOLEAN),
                "Transport": Tag(_one_of("udp")),
                "Window-size": Tag(_number(1, MAX_WINDOW)),
            }
        ),
        Kind.ID: _table(
            {
                "Address": Tag(_place),
                "ID-type": Tag(_member(ipsec.Id)),
                "Name": _ANY_TEXT,
                "Netmask": _ANY_TEXT,
                "Network": Tag(_place),
                "Port": _ANY_TEXT,
                "Protocol": _ANY_TEXT,
            }
        ),
        Kind.ISAKMP_CONFIGURATION: _table(
            {
                "DOI": _DOI,
                "EXCHANGE_TYPE": Tag(_one_of("ID_PROT", "AGGRESSIVE")),
                "Transforms": Tag(leads=Kind.ISAKMP_TRANSFORM),
            }
        ),
        Kind.ISAKMP_TRANSFORM: _table(
            {
                "AUTHENTICATION_METHOD": Tag(_or_any(_member(isakmp.Authentication))),
                "ENCRYPTION_ALGORITHM": Tag(_or_any(_member(isakmp.Encryption))),
                "GROUP_DESCRIPTION": _GROUP,
                "HASH_ALGORITHM": Tag(_or_any(_member(isakmp.Hash))),
                "KEY_LENGTH": _KEY_LENGTH,
                "Life": _LIFE,
                "PRF": Tag(_one_of("ANY")),
            }
        ),
        Kind.LIFETIME: _table(
            {
                "LIFE_DURATION": Tag(_or_any(_range)),
                "LIFE_TYPE": Tag(_member(isakmp.LifeType)),
            }
        ),
        Kind.CONNECTION: _table(
            {
                "Configuration": Tag(leads=Kind.IPSEC_CONFIGURATION),
                "ESP-proposals": Tag(_keywords(parse_esp), every=True),
                "Flags": Tag(_one_of("Active-only"), every=True),
                "IPComp": Tag(_BOOLEAN),
                "Packets": Tag(_number(0, (1 << 32) - 1)),
                "ISAKMP-peer": Tag(leads=Kind.PEER),
                "Life": _LIFE,
                "Local-ID": Tag(leads=Kind.ID),
                "Local-selectors": Tag(_selector, every=True),
                "Mode": Tag(_one_of("tunnel", "transport")),
                "NAT-ID": Tag(leads=Kind.ID, idle=True),
                "Non-first-fragments": Tag(_BOOLEAN),
                "PF-Tag": Tag(idle=True),
                "Phase": Tag(_one_of("2")),
                "Remote-ID": Tag(leads=Kind.ID),
                "Remote-selectors": Tag(_selector, every=True),
                "ReplayWindow": Tag(_number(0, 4096)),
                "Single-pair": Tag(_BOOLEAN),
                "TFC-padding": Tag(_BOOLEAN),
            }
        ),
        Kind.IPSEC_CONFIGURATION: _table(
            {
                "DOI": _DOI,
                "EXCHANGE_TYPE": Tag(_one_of("QUICK_MODE")),
                "Suites": Tag(leads=Kind.SUITE),
            }
        ),
        Kind.SUITE: _table({"Protocols": Tag(leads=Kind.PROTOCOL)}),
        Kind.PROTOCOL: _table(
            {
                "PROTOCOL_ID": Tag(_one_of("IPSEC_AH", "IPSEC_ESP")),
                "ReplayWindow": Tag(_number(0, 4096)),
                "Transforms": Tag(leads=Kind.IPSEC_TRANSFORM),
            }
        ),
        Kind.IPSEC_TRANSFORM: _table(
            {
                "AUTHENTICATION_ALGORITHM": Tag(_member(ipsec.Auth)),
                "ENCAPSULATION_MODE": Tag(_member(ipsec.Encapsulation)),
                "GROUP_DESCRIPTION": Tag(_member(isakmp.Group)),
                "KEY_LENGTH": _KEY_LENGTH,
                "Life": _LIFE,
                "TRANSFORM_ID": Tag(_member(ipsec.Esp, ipsec.Ah)),
            }
        ),
        Kind.MODE_CONFIG: _table(
            {
                "Address": Tag(_place, idle=True),
                "Attributes": Tag(idle=True),
                "Lifetime": Tag(_SECONDS, idle=True),
                "Mode": Tag(_one_of("SET", "REQUEST"), idle=True),
                "Nameserver": Tag(_address, every=True, idle=True),
                "Netmask": Tag(idle=True),
                "Prefix": Tag(idle=True),
                "WINS-server": Tag(_address, every=True, idle=True),
            }
        ),
        Kind.INITIATOR: _table({"Authentication": _ANY_TEXT}),
    }
)


def tag_of(kind: Kind, name: str) -> Tag | None:
    """What is known of a tag in a section of ``kind``; its name in any case."""
    folded = name.lower()
    for known, tag in TAGS[kind].items():
        if known.lower() == folded:
            return tag
    if kind is Kind.PHASE_1 and not _address(name):
        return Tag(leads=Kind.PEER)
    return None
