"""Pre-shared keys found by identity: sections that are named as one and hold Authentication.

A section serves whom its name means: an address is the host that it is in every notation, a
distinguished name is in any spelling, a KEY_ID is written in hexadecimal.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address

from isakmp.conf import Conf
from isakmp.conf_kinds import Kind
from isakmp.conf_parse import fold
from isakmp.constants import ipsec
from isakmp.policy import dn
from isakmp.policy.sameness import meaning_of
from isakmp.policy.spd import Identity, make_network

_PEER_TAGS = frozenset(
    ("phase", "configuration", "local-address", "remote-id", "key-exchange", "ike-proposals")
)


class IdentityKeys:
    """The keys by identity of one configuration, as it reads now."""

    def __init__(self, conf: Conf) -> None:
        self._conf = conf
        self._generation = -1
        self._by_meaning: dict[Hashable, str] = {}
        self._twice: dict[str, str] = {}

    def section(self, identity: Identity) -> str:
        """The section with the key of that identity, whose text goes first; "" for none.

        Not a peer's section: who has one peer's key would be another by naming its section.
        """
        text = str(identity)
        if self._conf.has_written_section(text) and not _is_peer(self._conf, text):
            return text
        self._refresh()
        return self._by_meaning.get(meaning_of(identity), "")

    def twice(self) -> Mapping[str, str]:
        """Sections that mean an identity of one before them, and that one."""
        self._refresh()
        return self._twice

    def _refresh(self) -> None:
        if self._generation == self._conf.generation:
            return
        self._by_meaning, self._twice = {}, {}
        for section in self._conf.sections():
            if self._conf.is_written(section, "Authentication") and not _is_peer(
                self._conf, section
            ):
                for identity in _identities(section):
                    first = self._by_meaning.setdefault(meaning_of(identity), section)
                    if first != section:
                        self._twice[section] = first
        self._generation = self._conf.generation


def read_secret(conf: Conf, section: str) -> bytes:
    """The pre-shared key of a peer's or an initiator's section; hex after 0x; b"" for none."""
    return conf.value(Kind.PEER, section, "Authentication") or b""


def _is_peer(conf: Conf, section: str) -> bool:
    """Whether a section describes an ISAKMP peer, and no identity."""
    tags = {fold(tag) for tag in conf.tags(section)}
    return bool(tags & _PEER_TAGS) if "id-type" in tags else tags != {"authentication"}


def _identities(text: str) -> Iterator[Identity]:
    """All that a section's name can mean."""
    kind = ipsec.Id
    for read in (_of_network, _of_range):
        with suppress(ValueError):
            yield read(text)
    with suppress(ValueError):
        yield Identity(kind.DER_ASN1_DN, dn.encode(text))
    with suppress(ValueError):
        yield Identity(kind.KEY_ID, bytes.fromhex(text.removeprefix("0x")))
    with suppress(ValueError):
        yield Identity(kind.USER_FQDN if "@" in text else kind.FQDN, text.encode("ascii"))


def _of_network(text: str) -> Identity:
    """An address, or a network with the length of its prefix or with its mask."""
    where, slash, mask = text.partition("/")
    address = ip_address(where)
    kind = ipsec.Id
    if not slash:
        single = kind.IPV4_ADDR if address.version == 4 else kind.IPV6_ADDR
        return Identity(single, address.packed)
    if mask.isascii() and mask.isdigit():
        ends = make_network(address.packed, int(mask), strict=False).netmask.packed
    else:
        ends = ip_address(mask).packed
    subnet = kind.IPV4_ADDR_SUBNET if address.version == 4 else kind.IPV6_ADDR_SUBNET
    return Identity(subnet, address.packed + ends)


def _of_range(text: str) -> Identity:
    first, last = (ip_address(end) for end in text.split("-"))
    kind = ipsec.Id.IPV4_RANGE if first.version == 4 else ipsec.Id.IPV6_RANGE
    return Identity(kind, first.packed + last.packed)
