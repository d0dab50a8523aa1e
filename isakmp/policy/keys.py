"""Pre-shared keys found by identity: sections that are named as one and hold Authentication.

A section serves one identity. With ID-type it is the one described there; else the type is that of
the name: an address, a network or a range; a KEY_ID in hexadecimal after 0x; a distinguished name
with a =; a USER_FQDN with an @; an FQDN. What means the same identity is the same one.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from contextlib import suppress
from ipaddress import ip_address

from isakmp.conf.kinds import Kind
from isakmp.conf.parse import fold
from isakmp.conf.store import Conf
from isakmp.constants import ipsec
from isakmp.errors import ConfError
from isakmp.event.steps import Steps, at_once, pauses
from isakmp.policy import dn
from isakmp.policy.identity import read_identity
from isakmp.policy.sameness import bearer_of
from isakmp.policy.spd import Identity, make_network

_PEER_TAGS = frozenset(
    ("phase", "configuration", "local-address", "remote-id", "key-exchange", "ike-proposals")
)


class IdentityKeys:
    """The keys by identity of one configuration, as it reads now."""

    def __init__(self, conf: Conf) -> None:
        self._conf = conf
        self._generation = -1
        self._by_bearer: dict[Hashable, dict[str, str]] = {}

    def section(self, identity: Identity) -> str:
        """The section with the key of that identity, whose text goes first; "" for none.

        Not a peer's section: who has one peer's key would be another by naming its section.
        """
        self._refresh()
        named = self._by_bearer.get(bearer_of(identity), {})
        return named.get(fold(str(identity))) or next(iter(named.values()), "")

    def twice(self) -> Mapping[str, str]:
        """Sections that mean the identity of one before them, and that one."""
        self._refresh()
        every = (list(named.values()) for named in self._by_bearer.values())
        return {section: first for first, *others in every for section in others}

    def sections(self) -> list[str]:
        """All that serve somebody."""
        self._refresh()
        return [section for named in self._by_bearer.values() for section in named.values()]

    def unmarked(self) -> list[str]:
        """Sections that serve an FQDN and may be meant for a KEY_ID: in hexadecimal, without 0x."""
        return [section for section in self.sections() if _is_unmarked(self._conf, section)]

    def of(self, conf: Conf) -> None:
        """They are that configuration's, which says the same, from now on."""
        self._conf, self._generation = conf, conf.generation

    def _refresh(self) -> None:
        if self._generation != self._conf.generation:
            at_once(self.refreshing())

    def refreshing(self) -> Steps[None]:
        """Read them where the configuration has changed, in steps: it is done when it is asked."""
        if self._generation == self._conf.generation:
            return
        self._by_bearer = {}
        for section, pause in pauses(self._conf.sections()):
            if pause:
                yield
            if self._conf.is_written(section, "Authentication") and not _is_peer(
                self._conf, section
            ):
                with suppress(ConfError, ValueError):  # what means nobody serves nobody
                    bearer = bearer_of(_identity(self._conf, section))
                    self._by_bearer.setdefault(bearer, {})[fold(section)] = section
        self._generation = self._conf.generation


def read_secret(conf: Conf, section: str) -> bytes:
    """The pre-shared key of a peer's or an initiator's section; hex after 0x; b"" for none."""
    return conf.value(Kind.PEER, section, "Authentication") or b""


def _is_peer(conf: Conf, section: str) -> bool:
    """Whether a section describes an ISAKMP peer, and no identity."""
    tags = {fold(tag) for tag in conf.tags(section)}
    return bool(tags & _PEER_TAGS) if "id-type" in tags else tags != {"authentication"}


def _identity(conf: Conf, section: str) -> Identity:
    """Whom a section serves. ConfError or ValueError where that is nobody."""
    if conf.get(section, "ID-type") is not None:
        return read_identity(conf, section)
    for read in (_of_network, _of_range, _of_key_id, _of_distinguished_name):
        with suppress(ValueError):
            return read(section)
    kind = ipsec.Id.USER_FQDN if "@" in section else ipsec.Id.FQDN
    return Identity(kind, section.encode("ascii"))


def _is_unmarked(conf: Conf, section: str) -> bool:
    with suppress(ValueError):
        return bool(bytes.fromhex(section)) and conf.get(section, "ID-type") is None
    return False


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


def _of_key_id(text: str) -> Identity:
    data = bytes.fromhex(text[2:])
    if not data or text[:2].lower() != "0x":
        raise ValueError("not hexadecimal after 0x")
    return Identity(ipsec.Id.KEY_ID, data)


def _of_distinguished_name(text: str) -> Identity:
    return Identity(ipsec.Id.DER_ASN1_DN, dn.encode(text))
