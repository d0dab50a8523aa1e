"""Warnings of post-quantum pre-shared keys: RFC 8784 5.2.2 and 6."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from isakmp.conf.parse import fold
from isakmp.conf.secrets import ppk_weakness
from isakmp.conf.store import Conf
from isakmp.constants import IKEV1, IKEV2, ikev2, name_of
from isakmp.event.steps import pauses
from isakmp.policy.ppk import Ppk
from isakmp.policy.spd import Connection, Proposal, Remote, Transform

MEND = "make one: openssl rand -base64 32"
_ENOUGH_BITS = 256
_ENCR, _PRF = ikev2.Transform.ENCR, ikev2.Transform.PRF
_SHORT_PRFS = frozenset((ikev2.Prf.AES128_XCBC, ikev2.Prf.AES128_CMAC))


def ppk_warnings(
    conf: Conf, remotes: Iterable[Remote], connections: Iterable[Connection]
) -> Iterator[str]:
    """With the lines they are about, and an empty one at each step."""
    peers = {fold(remote.name): remote for remote in remotes if remote.ikev2.ppk}
    first: dict[bytes, Remote] = {}
    for remote, pause in pauses(peers.values()):
        if pause:
            yield ""
        if ppk := remote.ikev2.ppk:
            yield from _weak(conf, remote, ppk)
            other = first.setdefault(ppk.secret, remote)
            if other is not remote:
                what = f"[{other.name}] has the same PPK, which protects neither from the other"
                yield f"{_key_line(conf, remote)}: {what}: {MEND}"
            if ppk.required and IKEV2 in remote.key_exchange and IKEV1 in remote.key_exchange:
                line = conf.where(remote.name, "PPK-required")
                yield f"{line}: IKEv1 goes without it: take ikev1 out of Key-exchange"
            yield from _small(remote.line, remote.name, remote.proposals)
    yield from _small_children(peers, connections)


def _weak(conf: Conf, remote: Remote, ppk: Ppk) -> Iterator[str]:
    if why := ppk_weakness(ppk.secret):
        yield f"{_key_line(conf, remote)}: {why}: {MEND}"
    if ppk.secret == remote.secret:
        yield f"{_key_line(conf, remote)}: it is the Authentication, too: {MEND}"


def _key_line(conf: Conf, remote: Remote) -> str:
    tag = "PPK" if conf.get(remote.name, "PPK") is not None else "PPK-file"
    return conf.where(remote.name, tag)


def _small_children(
    peers: Mapping[str, Remote], connections: Iterable[Connection]
) -> Iterator[str]:
    for connection, pause in pauses(connections):
        if pause:
            yield ""
        if fold(connection.remote) in peers:
            yield from _small(connection.line, connection.name, connection.proposals)


def _small(line: str, name: str, proposals: Iterable[Proposal]) -> Iterator[str]:
    """Algorithms whose keys a quantum computer has to search the square root of."""
    every = (transform for proposal in proposals for transform in proposal.transforms)
    found = dict.fromkeys(_told(transform) for transform in every if _is_small(transform))
    if found:
        yield (f"{line}: [{name}] has a PPK and {', '.join(found)}: against quantum computers "
               f"take keys of {_ENOUGH_BITS} bits")  # fmt: skip


def _is_small(transform: Transform) -> bool:
    if transform.type == _ENCR:
        return transform.id != ikev2.Encr.CHACHA20_POLY1305 and transform.key_bits < _ENOUGH_BITS
    return transform.type == _PRF and transform.id in _SHORT_PRFS


def _told(transform: Transform) -> str:
    if transform.type == _PRF:
        return f"PRF_{name_of(ikev2.Prf, transform.id)}"
    bits = f"-{transform.key_bits}" if transform.key_bits else ""
    return name_of(ikev2.Encr, transform.id) + bits
