"""The table of isakmpd.conf(5): each tag of each kind of section, its type, range and default.

A tag that names other sections leads to their kind; so the kind of every section follows from
where it is named. Conf.value(), the checker, the FIFO and the manual's tables go by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from isakmp.conf import tags_connection as connection
from isakmp.conf import tags_general as general
from isakmp.conf import tags_peer as peer
from isakmp.conf.kinds import Kind, Tag, section
from isakmp.conf.values import is_address

FIXED: Mapping[str, Kind] = MappingProxyType(
    {kind.value.strip("[]"): kind for kind in Kind if kind.value.startswith("[")}
)
MODE_CONFIG_PREFIXES = ("ipv4/", "ipv6/", "fqdn/", "ufqdn/", "asn1_dn/")

TAGS: Mapping[Kind, Mapping[str, Tag]] = MappingProxyType(
    {
        Kind.GENERAL: general.GENERAL,
        Kind.PHASE_1: general.PHASE_1,
        Kind.PHASE_2: general.PHASE_2,
        Kind.KEYNOTE: general.KEYNOTE,
        Kind.X509: general.X509,
        Kind.PEER: peer.PEER,
        Kind.ID: peer.ID,
        Kind.ISAKMP_CONFIGURATION: peer.ISAKMP_CONFIGURATION,
        Kind.ISAKMP_TRANSFORM: peer.ISAKMP_TRANSFORM,
        Kind.LIFETIME: peer.LIFETIME,
        Kind.CONNECTION: connection.CONNECTION,
        Kind.IPSEC_CONFIGURATION: connection.IPSEC_CONFIGURATION,
        Kind.SUITE: connection.SUITE,
        Kind.PROTOCOL: connection.PROTOCOL,
        Kind.IPSEC_TRANSFORM: connection.IPSEC_TRANSFORM,
        Kind.BYPASS: connection.BYPASS,
        Kind.MODE_CONFIG: peer.MODE_CONFIG,
        Kind.INITIATOR: peer.INITIATOR,
    }
)
FOLDED: Mapping[Kind, Mapping[str, Tag]] = MappingProxyType(
    {kind: {name.lower(): tag for name, tag in tags.items()} for kind, tags in TAGS.items()}
)
"""The same by the folded names of the tags."""


_ROWS = [(name, tag) for tags in FOLDED.values() for name, tag in tags.items()]
# As long as its section's kind is not known, of a name counts what holds in any kind.
MAY_BE_EMPTY = frozenset(name for name, tag in _ROWS if tag.may_be_empty) - frozenset(
    name for name, tag in _ROWS if not tag.may_be_empty
)
"""The folded names of tags that are ignored without a value."""
MUST_SPEAK = frozenset(name for name, _ in _ROWS) - MAY_BE_EMPTY
"""Those of all others: without a value they are in error."""
REFUSED_EMPTY = frozenset(
    name.lower()
    for name in (
        *general.NEEDED_AT_START,
        *("Connections", "Passive-connections"),
        *("ISAKMP-peer", "Local-ID", "Remote-ID", "Local-selectors", "Remote-selectors"),
        *("Address", "Network", "Netmask", "ID-type"),
    )
)
"""Those of them without which nothing can be started, or closed: the whole file is in error."""
LENT = tuple(name for name, tag in general.GENERAL.items() if tag.lent)
"""The tags of [General] that other sections have from there."""
SPELLED: Mapping[str, str] = MappingProxyType(
    {name.lower(): name for tags in TAGS.values() for name in tags}
)
"""Every tag by its folded name, as people write it."""
# A # in them is no comment, and who may read them counts.
SECRET_TAGS = ("authentication", "ppk")
"""The tags that are secrets, folded."""
LISTS = frozenset(name for name, tag in _ROWS if tag.every)
"""Those of lists, which have no value without an item."""


def tag_of(kind: Kind, name: str) -> Tag | None:
    """What is known of a tag in a section of ``kind``; its name in any case."""
    if kind is Kind.PHASE_1 and is_address(name):
        return section(Kind.PEER, "who calls from there")
    return FOLDED[kind].get(name.lower())
