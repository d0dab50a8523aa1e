"""Which peer's section somebody is who says an identity in IKE_AUTH: RFC 7296 2.15, 3.5."""

from __future__ import annotations

from collections.abc import Sequence

from isakmp.constants import ikev2
from isakmp.errors import Reason, Refused
from isakmp.policy.identity import same_identity
from isakmp.policy.match import MISSES_MAX
from isakmp.policy.spd import Address, Identity, Remote


def identify(
    begun: Remote,
    others: Sequence[Remote],
    came: Identity,
    wanted: Identity | None,
    address: Address,
) -> Remote:
    """The section whose Remote-ID is ``came``; else ``begun``, where it expects nobody else.

    begun: found by the address in IKE_SA_INIT; wanted: who the peer takes us for, IDr. Refused
    with AUTHENTICATION_FAILED and what kept each section from being taken.
    """
    known = begun.remote_id is not None and 2 in begun.versions
    if known and not _miss(begun, came, wanted, address, is_begun=True):
        return begun
    ranked: list[tuple[int, Remote]] = []
    missed: list[str] = []
    for remote in (begun, *(other for other in others if other.name != begun.name)):
        reason = _miss(remote, came, wanted, address, is_begun=remote is begun)
        if reason:
            missed.append(f"{remote.name}: {reason}")
        else:
            ranked.append((_rank(remote, begun), remote))
    if ranked:
        return min(ranked, key=lambda one: one[0])[1]
    raise Refused(
        Reason("wrong-identity", f"no peer that may come from {address} has this identity",
               came=_both(came, wanted), line=_line(begun), misses=tuple(missed[:MISSES_MAX]),
               mend="make the peer's ID and a Remote-ID here the same"),
        ikev2.Notify.AUTHENTICATION_FAILED,
    )  # fmt: skip


def _line(begun: Remote) -> str:
    """Where the configuration says whom it expects."""
    return (begun.remote_id.line if begun.remote_id else "") or begun.line


def _rank(remote: Remote, begun: Remote) -> int:
    """An identity that is written says more than an address, and that more than neither."""
    if remote.remote_id is None:
        return 3
    if remote == begun:
        return 0
    return 1 if remote.address is not None else 2


def _miss(
    remote: Remote, came: Identity, wanted: Identity | None, address: Address, *, is_begun: bool
) -> str:
    if 2 not in remote.versions:
        return "Key-exchange has no ikev2"
    if remote.address not in (None, address) and not is_begun:
        return f"Address is {remote.address}"
    if remote.remote_id is None and not is_begun:
        return f"has no Remote-ID, and is not who [Phase 1] names for {address}"
    if remote.remote_id is not None and not same_identity(remote.remote_id, came):
        return f"Remote-ID is {_typed(remote.remote_id)}"
    if wanted and remote.local_id and not same_identity(remote.local_id, wanted):
        return f"ID is {_typed(remote.local_id)}, the peer asks for {_typed(wanted)}"
    return ""


def _both(came: Identity, wanted: Identity | None) -> str:
    return f"{_typed(came)} for {_typed(wanted)}" if wanted else _typed(came)


def _typed(identity: Identity) -> str:
    return f"{identity.type.name} {identity}"
