"""The tags of phase 2: connections, their configurations, suites, protocols and transforms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from isakmp.conf.kinds import Kind, Tag, section, sections
from isakmp.conf.tags_peer import DOI, KEY_BITS
from isakmp.conf.values import (
    TEXT,
    YES_NO,
    BadValue,
    Type,
    lifetime,
    member_of,
    number,
    parsed,
    word,
    words,
)
from isakmp.constants import ipsec, isakmp
from isakmp.policy.keywords import one_of, parse_esp
from isakmp.policy.likely_network import is_mask
from isakmp.policy.likely_selectors import instead_of
from isakmp.policy.selector_text import host_bits, parse_selector
from isakmp.policy.spd import TrafficSelector

_SELECTOR = parsed(
    "selectors",
    parse_selector,
    "such as 10.1.0.0/16, 10.2.0.1-10.2.0.9[tcp/80-90] or 2001:db8::/32[udp]",
    host_bits,
)
_BROADCAST = "255.255.255.255"


def _selector(text: str) -> TrafficSelector:
    """One, with what to write instead of a network that is written otherwise. BadValue."""
    if is_mask(text) and text != _BROADCAST:
        raise BadValue(f"{text!r} is a netmask", "write it with its network, such as 10.2.0.0/16")
    try:
        found: TrafficSelector = _SELECTOR.parse(text)
    except BadValue as error:
        raise BadValue(str(error), instead_of(text) or error.hint) from None
    return found


_SELECTORS = replace(_SELECTOR, parse=_selector)
_MAX_WINDOW = 4096


def _window(text: str) -> int:
    """isakmpd's samples have -1 for none. BadValue."""
    return 0 if text.startswith("-") and text[1:].isdigit() else _WINDOW.parse(text)


_WINDOW = number(0, _MAX_WINDOW, "packets")
_REPLAY = Tag(
    Type(_WINDOW.what, _window), "within which they may come late; 0: none", "64", harmless=True
)

_KEYWORDS = replace(
    parsed("keywords", lru_cache(256)(parse_esp)), split=lambda items: one_of(items, parse_esp)
)

CONNECTION: Mapping[str, Tag] = MappingProxyType(
    {
        "Configuration": section(
            Kind.IPSEC_CONFIGURATION,
            "an IPsec configuration",
            otherwise="Default-phase-2-suites",
        ),
        "ESP-proposals": Tag(
            _KEYWORDS,
            "algorithms by keywords; instead of suites",
            every=True,
        ),
        "Flags": Tag(
            word("Active-only"),
            "`Active-only`: started, never answered",
            every=True,
            loose=True,
        ),
        "IPComp": Tag(YES_NO, "IKEv2: compress, where the peer does too", "no", harmless=True),
        "ISAKMP-peer": section(Kind.PEER, "with whom"),
        "Life": sections(
            Kind.LIFETIME, "lifetimes of what ESP-proposals names", otherwise="LIFE_QUICK_MODE"
        ),
        "Local-ID": section(
            Kind.ID,
            "our side of the traffic",
            otherwise="the peer's Local-address; without one, the address of the default route",
        ),
        "Local-selectors": Tag(
            _SELECTORS,
            "our side of the traffic as a list, see below; IKEv1 takes the first alone",
            otherwise="Local-ID",
            every=True,
        ),
        "Mode": Tag(
            words(
                {
                    "tunnel": ipsec.Encapsulation.TUNNEL,
                    "transport": ipsec.Encapsulation.TRANSPORT,
                }
            ),
            "packets whole, or what they carry",
            otherwise="as the transforms say",
        ),
        "NAT-ID": section(Kind.ID, "what the peer sees instead of Local-ID")._replace(idle=True),
        "Non-first-fragments": Tag(
            YES_NO,
            "IKEv2: fragments without ports go with the others (NON_FIRST_FRAGMENTS_ALSO)",
            "no",
            harmless=True,
        ),
        "Packets": Tag(
            lifetime(number(0, (1 << 32) - 1), "packets"),
            "child SAs are replaced before they have carried so many packets; 0: no such limit",
            "0",
        ),
        "PF-Tag": Tag(TEXT, "a packet filter tag; `$id` and `$domain` are replaced", idle=True),
        "Phase": Tag(word("2"), "that this is a connection", "2", harmless=True),
        "Remote-ID": section(Kind.ID, "their side of the traffic", otherwise="the peer's address"),
        "Remote-selectors": Tag(
            _SELECTORS,
            "their side, in the same form; IKEv1 takes the first alone",
            otherwise="Remote-ID",
            every=True,
        ),
        "ReplayWindow": _REPLAY._replace(meaning="of what ESP-proposals names; 0: none"),
        "Share-traffic": Tag(
            YES_NO,
            "with a peer section that several identities use: one of them may have traffic that "
            "another one's child SA has, and what is sent goes to who came last",
            "no",
            harmless=True,
        ),
        "Single-pair": Tag(
            YES_NO,
            "IKEv2: a child SA for each pair of addresses, begun by a packet; who asks for more "
            "without one is told so (SINGLE_PAIR_REQUIRED)",
            "no",
        ),
        "TFC-padding": Tag(
            YES_NO, "IKEv2: we take padding that hides the length of packets", "yes", harmless=True
        ),
    }
)

IPSEC_CONFIGURATION: Mapping[str, Tag] = MappingProxyType(
    {
        "DOI": DOI,
        "EXCHANGE_TYPE": Tag(
            words({"QUICK_MODE": isakmp.Exchange.QUICK_MODE}),
            "quick mode",
            "QUICK_MODE",
            harmless=True,
        ),
        "Suites": sections(
            Kind.SUITE,
            "proposals, preferred first, at most 255",
            otherwise="Default-phase-2-suites",
        ),
    }
)

SUITE: Mapping[str, Tag] = MappingProxyType(
    {"Protocols": sections(Kind.PROTOCOL, "applied together, innermost first, at most 3")}
)

PROTOCOL: Mapping[str, Tag] = MappingProxyType(
    {
        "PROTOCOL_ID": Tag(
            words(
                {
                    "IPSEC_ESP": isakmp.Protocol.IPSEC_ESP,
                    "IPSEC_AH": isakmp.Protocol.IPSEC_AH,
                }
            ),
            "what protects",
        ),
        "ReplayWindow": _REPLAY,
        "Transforms": sections(Kind.IPSEC_TRANSFORM, "preferred first, at most 255"),
    }
)

IPSEC_TRANSFORM: Mapping[str, Tag] = MappingProxyType(
    {
        "AUTHENTICATION_ALGORITHM": Tag(
            member_of(ipsec.Auth), "none with GCM, CCM, GMAC and ChaCha20", otherwise="none"
        ),
        "ENCAPSULATION_MODE": Tag(member_of(ipsec.Encapsulation), "what is packed", "TUNNEL"),
        "GROUP_DESCRIPTION": Tag(
            member_of(isakmp.Group),
            "perfect forward secrecy with this group",
            otherwise="none",
        ),
        "KEY_LENGTH": Tag(KEY_BITS, "of the cipher", otherwise="ANY"),
        "Life": sections(Kind.LIFETIME, "one of each type", otherwise="LIFE_QUICK_MODE"),
        "TRANSFORM_ID": Tag(member_of(ipsec.Esp, ipsec.Ah), "the cipher; of AH the hash"),
    }
)

BYPASS: Mapping[str, Tag] = MappingProxyType(
    {
        "Local-selectors": Tag(
            _SELECTORS,
            "our side of the traffic, as a connection has it",
            otherwise="every address",
            every=True,
        ),
        "Remote-selectors": Tag(
            _SELECTORS, "the far side of the traffic, as a connection has it", every=True
        ),
    }
)
