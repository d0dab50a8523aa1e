"""Peers of a configuration that can be taken for others, told before anyone connects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from ipaddress import ip_address

from isakmp.conf.parse import fold
from isakmp.conf.store import Conf
from isakmp.conf.values import is_address
from isakmp.constants import IKEV2, isakmp
from isakmp.event.steps import pauses
from isakmp.policy.keys import IdentityKeys
from isakmp.policy.sameness import meaning_of
from isakmp.policy.spd import Remote


def confusable(
    conf: Conf, remotes: Iterable[Remote], by_identity: list[str], keys: IdentityKeys
) -> Iterator[str]:
    """Warnings, with the lines they are about, and an empty one at each step. by_identity: the
    sections with an identity's key."""
    peers = list(remotes)
    yield from _elsewhere(conf, peers)
    for section, first in keys.twice().items():
        where, there = (conf.where(name, "Authentication") for name in (section, first))
        yield (f"{where}: [{section}] means the identity of [{first}], {there}: one key serves it, "
               "of the section that is written as the peer says it, else the first")  # fmt: skip
    for section in keys.unmarked():
        where = conf.where(section, "Authentication")
        yield f"{where}: serves the FQDN {section}; for the KEY_ID name the section [0x{section}]"
    yield from _same_secret(conf, [remote for remote in peers if remote.secret])
    yield from _same_identity(conf, [remote for remote in peers if remote.remote_id])
    open_to = [remote for remote in peers if not remote.secret and not remote.remote_id]
    for remote in open_to:
        if remote.address is not None and by_identity and _says_identity(remote):
            yield (
                f"{remote.line}: [{remote.name}] has neither Authentication nor Remote-ID: "
                f"whoever has a key of an identity is taken for it at {remote.address}"
            )
    wanted = (remote.remote_id for remote in peers if not remote.secret)
    expected = {keys.section(identity).lower() for identity in wanted if identity}
    for section in by_identity if not any(map(_says_identity, open_to)) else ():
        if section.lower() not in expected:
            yield (f"{conf.where(section, 'Authentication')}: serves nobody, as every peer has a "
                   "key of its own, or expects another identity")  # fmt: skip


def _elsewhere(conf: Conf, remotes: Iterable[Remote]) -> Iterator[str]:
    """Peers that [Phase 1] has at another address than they are called at, and not at that, or at
    any."""
    listed: defaultdict[str, list[str]] = defaultdict(list)
    for tag, pause in pauses(conf.tags("Phase 1")):
        if is_address(tag):
            listed[fold(conf.get("Phase 1", tag) or "")].append(tag)
        if pause:
            yield ""
    default = fold(conf.get("Phase 1", "Default") or "")
    for remote, pause in pauses(remotes):
        if pause:
            yield ""
        tags = listed[fold(remote.name)]
        if remote.address is None:
            continue
        said = f"[{remote.name}] has Address= {remote.address}: it is called there, and"
        if fold(remote.name) == default:
            place = conf.where("Phase 1", "Default")
            yield f"{place}: {said} taken for it is who calls from any address that [Phase 1] lacks"
        if tags and remote.address not in map(ip_address, tags):
            place = conf.where("Phase 1", tags[0])
            yield f"{place}: {said} taken for it is who calls from {tags[0]}"


def _says_identity(remote: Remote) -> bool:
    """Whether who asks says who it is before there are keys."""
    return IKEV2 in remote.key_exchange or remote.exchange is isakmp.Exchange.AGGRESSIVE


def _same_secret(conf: Conf, peers: list[Remote]) -> Iterator[str]:
    """An identity is only said where the key is another's too; an address has to be had."""
    for one, other in _not_apart(peers, lambda remote: remote.secret):
        if other is None:
            yield ""
            continue
        where = conf.where(one.name, "Authentication")
        yield (f"{where}: [{one.name}] can be taken for [{other.name}], or the other way round: "
               f"{conf.where(other.name, 'Authentication')} has the same key")  # fmt: skip


def _same_identity(conf: Conf, peers: list[Remote]) -> Iterator[str]:
    def said(remote: Remote) -> Hashable:
        assert remote.remote_id is not None
        return meaning_of(remote.remote_id)

    for one, other in _not_apart(peers, said):
        if other is None:
            yield ""
            continue
        where, there = (conf.where(remote.name, "Remote-ID") for remote in (one, other))
        yield f"{where}: [{one.name}] has the Remote-ID of [{other.name}], {there}"


def _not_apart(
    peers: list[Remote], key: Callable[[Remote], Hashable]
) -> Iterator[tuple[Remote, Remote | None]]:
    """Those with the same ``key`` as one before them that addresses do not keep apart; with None,
    where there is nobody, at each step."""
    alike: defaultdict[Hashable, list[Remote]] = defaultdict(list)
    for remote, pause in pauses(peers):
        alike[key(remote)].append(remote)
        if pause:
            yield remote, None
    for group, pause in pauses(alike.values()):
        if pause:
            yield group[0], None
        first: dict[object, Remote] = {}
        roaming = next((remote for remote in group if remote.address is None), None)
        for remote in group:
            other = first.setdefault(remote.address, remote)
            if other is not remote:
                yield remote, other
            elif roaming is not None and remote is not roaming:
                yield remote, roaming
