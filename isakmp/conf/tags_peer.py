"""The tags of phase 1: peers, identities, their configurations, transforms and lifetimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from isakmp.conf.kinds import Kind, Tag, section, sections
from isakmp.conf.values import (
    ADDRESS,
    PLACE,
    PORT,
    PPK_NAME,
    PROTOCOL,
    SECONDS,
    SECRET,
    TEXT,
    UDP_PORT,
    WHOLE_PATH,
    YES_NO,
    lifetime,
    member_of,
    number,
    number_or_zero,
    offer_range,
    or_any,
    parsed,
    word,
    words,
)
from isakmp.constants import IKEV1, IKEV2, ikev2, ipsec, isakmp
from isakmp.policy.keywords import one_of, parse_ike
from isakmp.policy.spd import Unique, Wish

KEY_BITS = or_any(offer_range("bits", most=0xFFFF))
UNIQUE = words({**{kind.value: kind for kind in Unique}, "yes": Unique.REPLACE})
KEY_OF_IDENTITY = Tag(SECRET, "the pre-shared key of who says this identity")
DOI = Tag(word("IPSEC"), "the domain of interpretation", "IPSEC", harmless=True)

_KEYWORDS = replace(
    parsed("keywords", lru_cache(256)(parse_ike)), split=lambda items: one_of(items, parse_ike)
)

PEER: Mapping[str, Tag] = MappingProxyType(
    {
        "Address": Tag(ADDRESS, "the peer's; needed where we start", otherwise="any"),
        "Authentication": Tag(SECRET, "the pre-shared key"),
        "Childless": Tag(
            words({wish.value: wish for wish in Wish}),
            "IKEv2: an IKE SA without a child SA (RFC 6023); `force`: begin so with every peer "
            "that can",
            "yes",
            harmless=True,
        ),
        "Configuration": section(
            Kind.ISAKMP_CONFIGURATION,
            "an ISAKMP configuration",
            otherwise="Default-phase-1-configuration",
        ),
        "Encapsulation": Tag(
            words({"auto": False, "force": True}),
            "IKEv2: `force`: ESP in UDP even where there is no NAT",
            "auto",
            harmless=True,
        ),
        "Flags": Tag(word("ikecfg"), "`ikecfg`: mode-config", every=True, idle=True, loose=True),
        "Fragment-size": Tag(
            # The least IPv4 packet that everybody takes, and the largest there is.
            number_or_zero(576, 0xFFFF, "octets"),
            "IKEv2: of an IP packet with a fragment; 0: what the path takes",
            "0",
            harmless=True,
        ),
        "Fragmentation": Tag(
            YES_NO,
            "IKEv2: cut large messages into pieces that no router has to cut (RFC 7383)",
            "yes",
            harmless=True,
        ),
        "ID": section(Kind.ID, "who we say we are", otherwise="the address", harmless=True),
        "IKE-proposals": Tag(
            _KEYWORDS,
            "algorithms by keywords, see below; instead of **Configuration**'s transforms",
            every=True,
        ),
        "Key-exchange": Tag(
            words({name: name for name in (IKEV2, IKEV1)}),
            "the versions, `ikev2, ikev1`: we start with the one that the peer has shown to have,"
            " or the first, and answer any",
            "ikev1",
            every=True,
        ),
        "Life": sections(
            Kind.LIFETIME, "lifetimes of what IKE-proposals names", otherwise="LIFE_MAIN_MODE"
        ),
        "Local-address": Tag(PLACE, "our end", otherwise="by the route"),
        "Make-before-break": Tag(
            YES_NO, "IKEv2: authenticate anew before the old IKE SA goes", "yes", harmless=True
        ),
        "PPK": Tag(SECRET, "IKEv2: the post-quantum pre-shared key (RFC 8784), see below"),
        "PPK-file": Tag(
            WHOLE_PATH, "IKEv2: a file with that key, instead, which nobody else can read"
        ),
        "PPK-ID": Tag(PPK_NAME, "IKEv2: what both ends call it"),
        "PPK-ID-type": Tag(
            words({kind.name.lower(): kind for kind in ikev2.PpkId}),
            "IKEv2: the type of that name",
            "fixed",
        ),
        "PPK-required": Tag(YES_NO, "IKEv2: no IKE SA without it", "no"),
        "Phase": Tag(word("1"), "that this is a peer", "1", harmless=True),
        "Port": Tag(UDP_PORT, "the peer's UDP port", "500"),
        "Proposal-preference": Tag(
            words({"local": True, "peer": False}),
            "IKEv2: whose order of algorithms counts where we answer",
            "local",
            harmless=True,
        ),
        "Reauthenticate": Tag(
            lifetime(SECONDS, "seconds"),
            "IKEv2: after which both authenticate anew, and every Check-interval where that fails; "
            "0: never",
            "0",
        ),
        "Remote-ID": section(Kind.ID, "who the peer must say it is", otherwise="any"),
        "Send-IDr": Tag(YES_NO, "IKEv2: tell the peer whom we expect", "yes", harmless=True),
        "Transport": Tag(word("udp"), "what carries messages", "udp", harmless=True),
        "Unique-ids": Tag(
            UNIQUE,
            "what becomes of a second IKE SA of one identity, from another place, see below",
            otherwise="that of [General]",
        ),
        "Window-size": Tag(
            number(1, 64), "IKEv2: requests of the peer that we take at once", "1", harmless=True
        ),
    }
)

ID: Mapping[str, Tag] = MappingProxyType(
    {
        "Address": Tag(
            PLACE, "of IPV4_ADDR and IPV6_ADDR; `default`: that of the default route"
        ),
        "Authentication": KEY_OF_IDENTITY,
        "ID-type": Tag(
            member_of(
                ipsec.Id,
                only=(
                    "IPV4_ADDR", "IPV4_ADDR_SUBNET", "IPV6_ADDR", "IPV6_ADDR_SUBNET", "FQDN",
                    "USER_FQDN", "KEY_ID", "DER_ASN1_DN",
                ),
            ),
            "what identifies",
        ),
        "Name": Tag(
            TEXT,
            "of FQDN, USER_FQDN, KEY_ID (after `0x` in hexadecimal) and DER_ASN1_DN (`C=DE, "
            "O=Example, CN=gw`, in the order of the certificate)",
        ),
        "Netmask": Tag(TEXT, "of subnets: as an address, a number of bits, or an interface's"),
        "Network": Tag(
            PLACE, "of subnets: any address in it; an interface: the network it is in"
        ),
        "Port": Tag(PORT, "in phase 2: which traffic; of ICMP a type; 0: any", "0"),
        "Protocol": Tag(PROTOCOL, "in phase 2: which traffic; 0: any", "0"),
    }
)  # fmt: skip

ISAKMP_CONFIGURATION: Mapping[str, Tag] = MappingProxyType(
    {
        "DOI": DOI,
        "EXCHANGE_TYPE": Tag(
            words(
                {
                    "ID_PROT": isakmp.Exchange.ID_PROT,
                    "AGGRESSIVE": isakmp.Exchange.AGGRESSIVE,
                }
            ),
            "main mode or aggressive mode",
            "ID_PROT",
            harmless=True,
        ),
        "Transforms": sections(
            Kind.ISAKMP_TRANSFORM,
            "preferred first, at most 255. Default-phase-1-configuration has 3DES-SHA-RSA_SIG, "
            "which this version does not negotiate",
        ),
    }
)

ISAKMP_TRANSFORM: Mapping[str, Tag] = MappingProxyType(
    {
        "AUTHENTICATION_METHOD": Tag(
            or_any(member_of(isakmp.Authentication, only=("PRE_SHARED", "RSA_SIG", "DSS"))),
            "all but PRE_SHARED are understood and not negotiated",
            "PRE_SHARED",
        ),
        "ENCRYPTION_ALGORITHM": Tag(or_any(member_of(isakmp.Encryption)), "the cipher"),
        "GROUP_DESCRIPTION": Tag(or_any(member_of(isakmp.Group)), "see below"),
        "HASH_ALGORITHM": Tag(or_any(member_of(isakmp.Hash)), "the hash, and the prf with it"),
        "KEY_LENGTH": Tag(
            KEY_BITS,
            "of the cipher. Generated: AES `128,128:256`, AES-n only n, BLF `128,96:192`",
            otherwise="ANY",
        ),
        "Life": sections(Kind.LIFETIME, "one of each type", otherwise="LIFE_MAIN_MODE"),
        "PRF": Tag(word("ANY"), "for isakmpd's files", "ANY", harmless=True),
    }
)

LIFETIME: Mapping[str, Tag] = MappingProxyType(
    {
        "LIFE_DURATION": Tag(or_any(offer_range(least=1)), "of seconds at most 2147483648"),
        "LIFE_TYPE": Tag(member_of(isakmp.LifeType), "what is counted"),
    }
)

MODE_CONFIG: Mapping[str, Tag] = MappingProxyType(
    {
        "Address": Tag(PLACE, "the peer's inside", idle=True),
        "Attributes": Tag(TEXT, "what is sent", idle=True),
        "Lifetime": Tag(SECONDS, "of the address", idle=True),
        "Mode": Tag(word("SET", "REQUEST"), "we push, or the peer asks", idle=True),
        "Nameserver": Tag(ADDRESS, "for the peer", every=True, idle=True),
        "Netmask": Tag(TEXT, "of the address", idle=True),
        "Prefix": Tag(TEXT, "of the address, IPv6", idle=True),
        "WINS-server": Tag(ADDRESS, "for the peer", every=True, idle=True),
    }
)

INITIATOR: Mapping[str, Tag] = MappingProxyType({"Authentication": KEY_OF_IDENTITY})
