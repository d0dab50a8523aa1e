"""The tags of the sections with fixed names, [General] first."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from isakmp.conf.kinds import Kind, Tag, section, sections
from isakmp.conf.tags_peer import UNIQUE
from isakmp.conf.values import (
    MAX_SECONDS,
    PATH,
    PLACE,
    SECONDS,
    WHOLE_PATH,
    YES_NO,
    lifetime,
    number,
    offer_range,
    parsed,
    pattern,
    word,
)
from isakmp.log.log import parse_route

_LIFETIME = lifetime(offer_range("seconds", 1, MAX_SECONDS), "seconds")
_MANY = number(1, 1 << 20)
_NAME = pattern(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,31}", "a name")
_LEVEL = pattern(r"(a|10|[0-9])=[0-9]{1,2}", "class=level")

# What isakmpd needs to start, and then keeps.
AT_START = (
    "Application",
    "Engine-socket",
    "Group",
    "Listen-on",
    "Logfile",
    "Loglevel",
    "Logverbose",
    "Run-directory",
    "User",
    "Workers",
)
# Those without which isakmpd does not start where they are in error, as their default could be more
# than was meant: root, all addresses, a directory that others write in.
NEEDED_AT_START = ("Application", "Group", "Listen-on", "Run-directory", "User")

GENERAL: Mapping[str, Tag] = MappingProxyType(
    {
        "Acquire-Only": Tag(
            YES_NO,
            "start no connection by itself; negotiate what traffic asks for",
            "no",
            harmless=True,
        ),
        "Application": Tag(
            word("engine", "xfrm", "pf_key", "none"),
            "the IPsec stack: `engine` (isakmpd's own, in user space), `xfrm` (Linux's, over "
            "NETLINK_XFRM; see isakmpd(8)), `pf_key` (a kernel's, where it has PF_KEY), `none` "
            "(negotiate only)",
            "engine",
        ),
        "Check-interval": Tag(
            number(1, MAX_SECONDS, "seconds"),
            "between looks at whether all connections are up",
            "60",
            harmless=True,
        ),
        "Cookie-threshold": Tag(
            number(0, 1 << 20),
            "IKEv2: from so many unfinished exchanges and refused offers of the last seconds on, "
            "strangers must prove their address with a cookie; 0: always",
            "100",
        ),
        "Default-phase-1-ID": section(Kind.ID, "for peers that have no **ID**", harmless=True),
        "Default-phase-1-lifetime": Tag(
            _LIFETIME,
            "for LIFE_MAIN_MODE; an ISAKMP SA of IKEv1 with 12,288 message IDs used is renewed "
            "within a minute, whatever its lifetime",
            "3600,60:86400",
        ),
        "Default-phase-2-lifetime": Tag(_LIFETIME, "for LIFE_QUICK_MODE", "1200,60:86400"),
        "Default-phase-2-suites": sections(
            Kind.SUITE,
            "for connections whose configuration names none",
            "QM-ESP-3DES-SHA-PFS-SUITE",
        )._replace(lent=True),
        "Block-when-stopped": Tag(
            YES_NO,
            "drop the traffic of connections when isakmpd has ended in order, too",
            "no",
            safe="yes",
        ),
        "Delete-SAs": Tag(
            YES_NO, "tell the peers on shutdown that the SAs are gone", "yes", harmless=True
        ),
        "DPD-check-interval": Tag(
            SECONDS,
            "of silence after which a peer is probed (RFC 3706); 0: only where somebody says that "
            "it has lost its SAs. Unset: a peer is probed where traffic has gone out to it and "
            "nothing has come for 10 s, or up to 30 s where there was no traffic before (10 s more "
            "where the IPsec stack does not tell when a packet last came: PF_KEY, older kernels); "
            "without traffic every 2 minutes, where a connection with it is to be up",
            harmless=True,
        ),
        "DPD-timeout": Tag(
            number(1, 86400, "seconds"),
            "from the first probe on after which a peer that stays silent is dead",
            "30",
            harmless=True,
        ),
        "Engine-socket": Tag(
            WHOLE_PATH,
            "where a key engine in a process of its own listens (`isakmpd-engine --socket PATH`); "
            "without it the engine is in this process",
            harmless=True,
        ),
        "Exchange-max-time": Tag(
            number(1, 86400, "seconds"), "an exchange may take", "120", harmless=True
        ),
        "Group": Tag(_NAME, "with `User`: the group", otherwise="the user's own"),
        "Key-log": Tag(
            WHOLE_PATH,
            "a directory for session keys, in the tables that Wireshark reads; for debugging only",
            harmless=True,
        ),
        "Listen-on": Tag(PLACE, "where to listen", otherwise="all", every=True),
        "Logfile": Tag(
            parsed("path, or class=path", parse_route, "Negotiation=/var/log/negotiation.log"),
            "files that lines of the log go to instead: class=path has those of a debug class or a "
            "severity, a path all others; HUP and `isakmpctl reload` open them anew",
            every=True,
            harmless=True,
        ),
        "Loglevel": Tag(_LEVEL, "e.g. `7=50, 8=30`; class `A` is all", every=True, harmless=True),
        "Logverbose": Tag(YES_NO, "one line for each completed exchange", "no", harmless=True),
        "Max-children": Tag(
            _MANY,
            "child SAs that one identity may have; twice as many while they are replaced",
            "256",
        ),
        "Max-children-in-all": Tag(
            _MANY,
            "child SAs in all; above, only peers with a section of their own get one",
            "50000",
        ),
        "Max-exchanges": Tag(
            _MANY,
            "exchanges that one identity may have under way under its ISAKMP or IKE SAs",
            "256",
        ),
        "Max-half-open": Tag(
            _MANY,
            "unfinished exchanges that strangers may hold open, in all; a quarter of the places is "
            "for addresses that **[Phase 1]** names",
            "1000",
        ),
        "Max-half-open-per-peer": Tag(_MANY, "the same for one address", "100"),
        "Max-identities": Tag(
            _MANY,
            "identities that may have SAs at a time under a section that several peers share; "
            "under one with an Address and a secret of its own as many as Max-SAs-per-identity",
            "10000",
        ),
        "Max-negotiations": Tag(
            _MANY,
            "that one identity may ask for in a minute: ISAKMP and IKE SAs, child SAs, rekeyings, "
            "and its SAs to follow it to another address or port. Of child SAs every 1024 "
            "comparisons of its selectors with those here beyond the first 4096 of a request count "
            "as one more, where it asks for something else than what is configured; what is owed "
            "for that is a minute's worth at most, and keeps it from child SAs alone",
            "600",
        ),
        "Max-SAs": Tag(
            _MANY,
            "ISAKMP and IKE SAs in all; above, only peers with a section of their own get one",
            "20000",
        ),
        "Max-SAs-per-identity": Tag(
            _MANY,
            "ISAKMP or IKE SAs that one identity may have; of those that are replaced the oldest "
            "go before there are more",
            "64",
        ),
        "Max-selectors": Tag(
            _MANY,
            "pairs of networks that the child SAs of one identity may carry together",
            "4096",
        ),
        "Max-selectors-per-child": Tag(
            number(1, 512),
            "pairs of networks that one child SA may carry, of peers and of this file; of more the "
            "first are agreed on",
            "256",
        ),
        "Max-selectors-per-side": Tag(
            number(1, 255),
            "selectors of either side that are looked at in a peer's proposal, or an answer; of "
            "more the first count. A connection whose selectors are those that a peer asks for, in "
            "any order, is found whatever there is beside it. All others of the peer's share so "
            "many comparisons as six times the square of this, and as for 64 where it is less, so "
            "that of 64 with 64 all are compared; those with no address in common cost next to "
            "nothing. What is found by then counts, and connections further down in the file are "
            "not looked at",
            "64",
        ),
        "NAT-T-Keepalive": Tag(
            SECONDS, "between keepalives through a NAT; 0: none", "20", harmless=True
        ),
        "Policy-file": Tag(PATH, "the KeyNote policy", "/etc/isakmpd/isakmpd.policy", idle=True),
        "Pubkey-directory": Tag(PATH, "trusted public keys", "/etc/isakmpd/pubkeys", idle=True),
        "Rekey-margin": Tag(
            number(1, 50, "per cent"),
            "of an SA's lifetime: the initiator replaces it when that much is left, or up to two "
            "fifths less, at random; the responder when half of it is left, or up to a quarter "
            "less",
            "20",
            harmless=True,
        ),
        "Renegotiate-on-HUP": Tag(YES_NO, "replace all SAs on HUP", "no", harmless=True),
        "Retransmit-interval": Tag(
            number(1, 60, "seconds"),
            "until a message is sent again; twice as long each time",
            "1",
            harmless=True,
        ),
        "Retransmit-max-interval": Tag(
            number(1, 3600, "seconds"), "but never longer", "30", harmless=True
        ),
        "Retransmits": Tag(
            number(0, 100),
            "how often a message is sent again before its exchange fails",
            "3",
            harmless=True,
        ),
        "Run-directory": Tag(
            WHOLE_PATH,
            "where the FIFO, results, reports and captures are; unset, see isakmpd(8)",
            "/var/run",
        ),
        "SA-retransmits": Tag(
            number(0, 100),
            "IKEv2: the same for requests under an IKE SA, which ends with them, and its child SAs "
            "too. With the defaults that takes four and a half minutes, unless probes find the "
            "peer dead before",
            "12",
            harmless=True,
        ),
        "Shared-SADB": Tag(YES_NO, "the kernel's SAs are not ours alone", "no", idle=True),
        "Unique-ids": Tag(
            UNIQUE, "the same for peers whose section does not say", "replace", lent=True
        ),
        "User": Tag(
            _NAME,
            "whom isakmpd becomes once it has its sockets, and whose the run directory is",
            otherwise="stays who it is",
        ),
        "Use-Keynote": Tag(YES_NO, "ask the KeyNote policy about proposals", "yes", idle=True),
        "Workers": Tag(
            number(0, 64),
            "processes that compute what takes long (key exchange in MODP groups), so that "
            "isakmpd can go on meanwhile; 0: it computes all by itself",
            "1",
            harmless=True,
        ),
    }
)

PHASE_1: Mapping[str, Tag] = MappingProxyType(
    {
        "Default": section(
            Kind.PEER, "who calls from any other address", otherwise="refused", harmless=True
        )
    }
)

PHASE_2: Mapping[str, Tag] = MappingProxyType(
    {
        "Bypass": sections(
            Kind.BYPASS, "what goes in clear on purpose, before all connections", harmless=True
        ),
        "Connections": sections(Kind.CONNECTION, "IPsec connections to bring up and to keep up"),
        "Passive-connections": sections(
            Kind.CONNECTION, "IPsec connections to answer; never started by us"
        ),
    }
)

KEYNOTE: Mapping[str, Tag] = MappingProxyType(
    {"Credential-directory": Tag(PATH, "credentials", "/etc/isakmpd/keynote/", idle=True)}
)

X509: Mapping[str, Tag] = MappingProxyType(
    {
        "Accept-self-signed": Tag(YES_NO, "take certificates that nobody signed", "no", idle=True),
        "CA-directory": Tag(PATH, "certificates of authorities", "/etc/isakmpd/ca/", idle=True),
        "Cert-directory": Tag(PATH, "certificates of peers", "/etc/isakmpd/certs/", idle=True),
        "CRL-directory": Tag(PATH, "what has been revoked", "/etc/isakmpd/crls/", idle=True),
        "Private-key": Tag(PATH, "our key", "/etc/isakmpd/private/local.key", idle=True),
        "Private-key-directory": Tag(PATH, "keys by identity", "/etc/isakmpd/private/", idle=True),
    }
)
