"""Spoken: what IKEv1 or IKEv2 cannot say of a connection whose peer may be spoken to in it."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import suppress

from isakmp.conf.kinds import Kind
from isakmp.conf.store import Conf
from isakmp.constants import IKEV1, IKEV2
from isakmp.errors import ConfError
from isakmp.policy.algorithms import in_ikev1
from isakmp.policy.identity import read_id_type
from isakmp.policy.outside_ikev1 import ipsec_hint
from isakmp.policy.outside_ikev2 import ipsec_outside, meant_for, no_network
from isakmp.policy.sameness import SUBNETS
from isakmp.policy.spd import Connection, Remote
from isakmp.policy.traffic import selectors_of

_KEYWORDS = "ESP-proposals"
_GENERAL = "General", "Default-phase-1-ID"


def unspoken(
    conf: Conf, connection: Connection, versions: Container[str], place: tuple[str, str]
) -> Iterator[ConfError]:
    """An error for each version that can say nothing of what it should, or not whose traffic it
    is. versions: those of the peer; place: section and tag of the connection."""
    if IKEV1 in versions and not _any_in_ikev1(connection):
        yield _nothing_in_ikev1(conf, connection, place)
    if IKEV2 in versions and not connection.proposals:
        yield _nothing_in_ikev2(conf, connection, place)
    lasts = connection.selector.src_last, connection.selector.dst_last
    if IKEV1 in versions and lasts != (None, None):
        yield conf.error("IKEv1 has no ranges of ports", *place, "Key-exchange= ikev2 has")


def unheard(connection: Connection, versions: Container[str]) -> Iterator[str]:
    """A warning of traffic that quick mode has no place for."""
    first, *rest = selectors_of(connection)
    if rest and IKEV1 in versions:
        yield (
            f"{connection.line}: with IKEv1 [{connection.name}] negotiates {first} alone; all "
            "else of it is dropped: make a connection of each pair of networks"
        )


def networks(conf: Conf, remote: Remote) -> Iterator[str]:
    """A warning of each identity of a peer that is a network: IKEv1 can say it, and IKEv2, for
    which it is refused, says our address for that of [General]."""
    name, ours, theirs = remote.name, remote.local_id, remote.remote_id
    places = (name, "ID", ours), (name, "Remote-ID", theirs), (*_GENERAL, ours)
    for section, tag, found in places:
        name = conf.get(section, tag) or ""
        if not name or (section == "General" and conf.is_written(remote.name, "ID")):
            continue
        with suppress(ConfError):  # which is told elsewhere
            kind = read_id_type(conf, name)
            instead = "; IKEv2 says our address" * (section == "General")
            if kind in SUBNETS and (found is None or found.type in SUBNETS):
                place = conf.where(section, tag)
                yield f"{place}: {no_network(kind)}{instead}: {meant_for(tag)}"


def _any_in_ikev1(connection: Connection) -> bool:
    return any(all(map(in_ikev1, suite.transforms)) for suite in connection.suites)


def _nothing_in_ikev1(conf: Conf, connection: Connection, place: tuple[str, str]) -> ConfError:
    name = connection.suites[0].name
    reason = f"IKEv1 can say none of its suites, such as {name}"
    if conf.get(connection.name, _KEYWORDS) is None:
        return conf.error(reason, *place, ipsec_hint(connection.suites, ()))
    proposals = conf.value(Kind.CONNECTION, connection.name, _KEYWORDS)
    hint = ipsec_hint(connection.suites, proposals)
    return conf.error(reason, connection.name, _KEYWORDS, hint)


def _nothing_in_ikev2(conf: Conf, connection: Connection, place: tuple[str, str]) -> ConfError:
    """It says what keeps IKEv2 from each of the suites."""
    reason, hint = "IKEv2 can negotiate none of its suites", "set ESP-proposals"
    if lacking := ipsec_outside(connection.suites):
        reason += f": it has no {lacking}"
    if any(len(suite.protocols) > 1 for suite in connection.suites):
        hint = f"IKEv2 has no bundles; {hint}"
    return conf.error(reason, *place, hint)
