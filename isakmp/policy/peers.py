"""Which peer's section somebody is who says an identity: RFC 7296 2.15, 3.5, RFC 2409 5.4.

In IKE_AUTH it is said under keys, in aggressive mode's first message in clear; it proves nothing
in either, the section's key does.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple, Protocol

from isakmp.constants import IKEV1, IKEV2, ikev2, isakmp
from isakmp.errors import Reason, Refused
from isakmp.policy.match import MISSES_MAX
from isakmp.policy.sameness import same_identity
from isakmp.policy.spd import Caller, Identity, Remote


class Opening(NamedTuple):
    """How a caller begins. speaks: what of Key-exchange; exchange: the EXCHANGE_TYPE that it takes,
    None: any; by_identity: it says who it is before anybody has to prove anything; nobody: the
    notify where it is none of those that it may be."""

    speaks: str
    exchange: isakmp.Exchange | None
    by_identity: bool
    nobody: int

    def misfit(self, remote: Remote) -> str:
        """Why a peer is not answered so; empty where it is."""
        if self.speaks not in remote.key_exchange:
            return f"Key-exchange has no {self.speaks}"
        fits = self.exchange in (None, remote.exchange)
        return "" if fits else f"EXCHANGE_TYPE is {remote.exchange.name}"


_UNKNOWN = int(isakmp.Notify.INVALID_ID_INFORMATION)
MAIN_MODE = Opening(IKEV1, isakmp.Exchange.ID_PROT, False, _UNKNOWN)
AGGRESSIVE_MODE = Opening(IKEV1, isakmp.Exchange.AGGRESSIVE, True, _UNKNOWN)
IKE_SA_INIT = Opening(IKEV2, None, True, int(ikev2.Notify.AUTHENTICATION_FAILED))


class Candidates(Protocol):
    """Whoever else may call."""

    def __iter__(self) -> Iterator[Remote]:
        """All of them."""

    def expecting(self, identity: Identity) -> Iterator[Remote]:
        """Those that may expect that identity, all that do among them, in the same order."""


def identify(begun: Remote, others: Candidates, caller: Caller, opening: Opening) -> Remote:
    """The section whose Remote-ID the caller has; else ``begun``, where it expects nobody else.

    begun: found by the address. Refused with what kept each section from being taken.
    """
    if begun.remote_id is not None and not _miss(begun, caller, opening, is_begun=True):
        return begun

    def miss(remote: Remote) -> str:
        return _miss(remote, caller, opening, is_begun=remote is begun)

    found = [one for one in chain([begun], others.expecting(caller.came)) if not miss(one)]
    if found:
        return min(found, key=lambda one: _rank(one, begun))
    every = islice(chain([begun], others), MISSES_MAX)
    misses = tuple(f"{remote.name}: {miss(remote)}" for remote in every)
    raise Refused(_nobody(begun, caller, misses), opening.nobody)


def _nobody(begun: Remote, caller: Caller, misses: tuple[str, ...]) -> Reason:
    """None is the caller; or the one who is goes here by another identity than it asks for."""
    theirs, ours = begun.remote_id, begun.local_id
    decided = theirs
    detail = f"no peer that may come from {caller.address} has this identity"
    mend = "make the peer's ID and a Remote-ID here the same"
    known = theirs is None or same_identity(theirs, caller.came)
    if known and caller.wanted and ours and not same_identity(ours, caller.wanted):
        decided, detail = ours, f"peer {begun.name} asks for another identity than ours"
        mend = "make the ID here and the peer's Remote-ID the same"
    line = (decided.line if decided else "") or begun.line
    return Reason("wrong-identity", detail, _both(caller), line=line, misses=misses, mend=mend)


def _rank(remote: Remote, begun: Remote) -> int:
    """An identity that is written says more than an address, and that more than neither."""
    if remote.remote_id is None:
        return 3
    if remote == begun:
        return 0
    return 1 if remote.address is not None else 2


def _miss(remote: Remote, caller: Caller, opening: Opening, *, is_begun: bool) -> str:
    came, wanted, address = caller
    if text := opening.misfit(remote):
        return text
    if remote.address not in (None, address) and not is_begun:
        return f"Address is {remote.address}"
    if remote.remote_id is None and not is_begun:
        return f"has no Remote-ID, and is not who [Phase 1] names for {address}"
    if remote.remote_id is not None and not same_identity(remote.remote_id, came):
        return f"Remote-ID is {_typed(remote.remote_id)}"
    if wanted and remote.local_id and not same_identity(remote.local_id, wanted):
        return f"ID is {_typed(remote.local_id)}, the peer asks for {_typed(wanted)}"
    return ""


def _both(caller: Caller) -> str:
    came = _typed(caller.came)
    return f"{came} for {_typed(caller.wanted)}" if caller.wanted else came


def _typed(identity: Identity) -> str:
    return f"{identity.type.name} {identity}"
