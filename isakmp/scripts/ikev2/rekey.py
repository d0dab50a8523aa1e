"""Rekeying and its collisions, decided from what both ends know: RFC 7296 2.8, 2.8.1, 2.8.2, 2.25.

Whoever asks for a successor deletes what it replaces. Where both have asked at once there are two
successors; the one made with the lowest of the four nonces is deleted by who asked for it, and the
other one's maker deletes the old SA. As long as our own request is not answered, nothing is
decided. What the answer to a request is while something else goes on:

    request of the peer    we are                                  answer
    rekey a child SA       closing it, or it has a successor       TEMPORARY_FAILURE
                           rekeying it                             as usual; then as above
                           undecided which successor of its IKE
                           SA has it                               TEMPORARY_FAILURE
                           without such a child SA                 CHILD_SA_NOT_FOUND
    delete a child SA      closing it, or without it               without a Delete
    create or rekey one    rekeying or closing the IKE SA          TEMPORARY_FAILURE
    rekey the IKE SA       rekeying it                             as usual; then as above
                           closing it, or creating, rekeying or
                           closing a child SA of it                TEMPORARY_FAILURE
    delete the IKE SA      anything                                as usual
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from isakmp.constants import ikev2, isakmp
from isakmp.errors import Reason, Refused
from isakmp.exchange.exchange import Exchange, Host
from isakmp.sa import ChildSa, IsakmpSa, State
from isakmp.scripts.ikev2.child import Creating, child_of
from isakmp.scripts.ikev2.common import FATAL, end_sa, sa_of

Notify = ikev2.Notify
Sa = TypeVar("Sa", ChildSa, IsakmpSa)

# At most, and at least, so long until the IKE SA is rekeyed again, or half of that: never at once
# at both ends.
RETRY_S, RETRY_LEAST_S = 5.0, 2.0
# What a peer that is slow to delete leaves behind is deleted by us after a while.
LEFT_BEHIND_S = 60.0
# SPIs of deleted child SAs that are remembered as long as a request of ours has no answer.
GONE_MAX = 64

_PROTOCOLS = {int(ikev2.Protocol.ESP): isakmp.Protocol.IPSEC_ESP,
              int(ikev2.Protocol.AH): isakmp.Protocol.IPSEC_AH}  # fmt: skip


def busy(why: str) -> Refused:
    """TEMPORARY_FAILURE."""
    return Refused(Reason("temporary-failure", why), Notify.TEMPORARY_FAILURE)


# --- requests of the peer --------------------------------------------------------------------


def check_child_request(x: Exchange) -> None:
    """A child SA may be created or rekeyed now. Refused otherwise."""
    sa = sa_of(x)
    _check_often(x)
    # Of two that were made apart, the peer may believe that the other one stays.
    serves = sa.state in (State.ESTABLISHED, State.SUPERSEDED) and not sa.heirs
    if not serves:
        raise busy("the IKE SA is being replaced or deleted")
    if any(ours is not x and rekeys_ike(ours) for ours in _own(sa)):
        raise busy("the IKE SA is being rekeyed by us")


def _check_often(x: Exchange) -> None:
    if reason := x.host.bounds.often(sa_of(x).who):
        raise Refused(reason, Notify.TEMPORARY_FAILURE)


def find_old(x: Exchange, rekey_sa: Any) -> ChildSa:
    """The child SA that a REKEY_SA names by the SPI that the peer receives with."""
    sa, protocol = sa_of(x), _PROTOCOLS.get(rekey_sa.protocol_id)
    spi = int.from_bytes(rekey_sa.spi, "big") if len(rekey_sa.spi) == 4 else 0
    child = x.host.sas.child_by_spi(protocol or 0, spi, str(sa.path.remote))
    if child is None and any(child_of(ours) is not None for ours in _own(sa)):
        raise busy("the child SA may be the one that we wait for")
    if child is not None and child.parent is not None and sa in child.parent.heirs:
        raise busy("which successor of its IKE SA has the child SA is not decided yet")
    if child is None or child.parent is not sa:
        raise Refused(Reason("child-sa-not-found", f"no child SA has the SPI {spi:08x}"),
                      Notify.CHILD_SA_NOT_FOUND, b"", rekey_sa.protocol_id,
                      rekey_sa.spi)  # fmt: skip
    if child.state is State.DELETING or any(not heir.initiator for heir in child.heirs):
        raise busy("the child SA is being deleted, or has a successor of the peer's")
    if child.heirs and not _asked(child, _own(sa)):
        raise busy("the child SA has a successor")
    _check_once(x, lambda other: _asked(child, [other]))
    return child


def check_ike_request(x: Exchange) -> None:
    """The IKE SA may be rekeyed now. Refused otherwise."""
    sa = sa_of(x)
    _check_often(x)
    if sa.state is not State.ESTABLISHED or sa.heirs:
        raise busy("the IKE SA is being deleted, or has a successor")
    children = x.host.sas.children_of(sa)
    if any(child.state is State.DELETING for child in children):
        raise busy("a child SA is being deleted")
    if any(child_of(ours) is not None for ours in _own(sa)):
        raise busy("a child SA is being created or rekeyed by us")
    _check_once(x, rekeys_ike)


def _own(sa: IsakmpSa) -> list[Exchange]:
    """Our requests under ``sa`` that have no answer yet, or not their last; those that wait for
    their turn ask for nothing so far."""
    return [x for x in sa.running.values() if x.initiator and (x.last_out or _goes_on(x))]


def _goes_on(x: Exchange) -> bool:
    """Whether it has begun to make something, and more key exchanges follow (RFC 9370 2.2.4)."""
    follows = x.script.exchange_type == ikev2.Exchange.IKE_FOLLOWUP_KE
    return follows and isinstance(x.state, Creating) and bool(x.state.choice)


def _open(sa: IsakmpSa) -> list[Exchange]:
    """What may still make something: our own, and what the peer has to go on with."""
    theirs = [x for x in sa.running.values() if not x.initiator and _goes_on(x)]
    return _own(sa) + theirs


def rekeys_ike(x: Exchange) -> bool:
    """Whether an exchange makes a successor of its IKE SA."""
    kinds = ikev2.Exchange.CREATE_CHILD_SA, ikev2.Exchange.IKE_FOLLOWUP_KE
    return x.script.exchange_type in kinds and child_of(x) is None


def _asked(old: ChildSa, of: list[Exchange]) -> bool:
    """Whether one of these asks for a successor of ``old``."""
    return any(child is not None and child.old is old for child in map(child_of, of))


def _check_once(x: Exchange, what: Callable[[Exchange], bool]) -> None:
    """The peer has not begun the same already."""
    if any(other is not x and _goes_on(other) and what(other)
           for other in sa_of(x).running.values() if not other.initiator):  # fmt: skip
        raise busy("the peer has begun that already, and not gone on with it")


def deleted_early(sa: IsakmpSa, spis: list[int]) -> None:
    """The peer has made what we have asked for and has deleted it again; its answer is late."""
    for child in map(child_of, _own(sa)):
        if child is not None and len(child.gone) < GONE_MAX:
            child.gone.update(spis[:GONE_MAX])


# --- decisions -------------------------------------------------------------------------------


def settle_child(host: Host, old: ChildSa) -> None:
    """Once nothing is open any more: one successor stays, the other and the old one go."""
    if not old.heirs or old.parent is None or _asked(old, _open(old.parent)):
        return
    owner = host.owner
    winner, loser = _decide(old.heirs)
    if loser is not None:
        if loser.state is State.ESTABLISHED:
            loser.state = State.SUPERSEDED
        _part(host, loser, loser.initiator, owner.children.delete_child)
    if winner.initiator:
        owner.children.take_over(winner)
    _part(host, old, winner.initiator, owner.children.delete_child)


def settle_sa(host: Host, old: IsakmpSa) -> None:
    """The same for IKE SAs; the successor that stays inherits the child SAs."""
    if not old.heirs or any(rekeys_ike(x) for x in _open(old)):
        return
    owner = host.owner
    winner, loser = _decide(old.heirs)
    for child in host.sas.own_children(old):
        host.sas.adopt(child, winner)
    if old.state not in (State.DELETING, State.DEAD):  # its Delete may be waiting its turn
        old.state = State.SUPERSEDED
    if loser is not None:
        # The peer may never have learnt of it: it must not take the winner's place.
        loser.state, loser.heirs = State.SUPERSEDED, (winner,)
        _part(host, loser, loser.initiator, owner.delete_sa)
    _part(host, old, winner.initiator, owner.delete_sa)


def home(sa: IsakmpSa) -> IsakmpSa:
    """Where a child SA belongs that was made under ``sa``: what took its place meanwhile, and maybe
    that one's, has it."""
    heirs = [heir for heir in map(home, sa.heirs) if heir.state is State.ESTABLISHED]
    return heirs[0] if heirs and sa.state is not State.ESTABLISHED else sa


def _decide(heirs: tuple[Sa, ...]) -> tuple[Sa, Sa | None]:
    """The one that stays, and the one with the lowest nonce where there are two."""
    live = sorted((heir for heir in heirs if heir.state is not State.DEAD),
                  key=lambda heir: heir.tiebreak)  # fmt: skip
    if not live:
        return heirs[-1], None
    return live[-1], live[0] if len(live) > 1 else None


def _part(host: Host, sa: Any, ours: bool, delete: Any) -> None:
    """Delete what is ours to delete; the rest is the peer's, for a while."""
    if sa.state in (State.DEAD, State.DELETING):
        return
    if ours:
        delete(sa)
    elif "delete" not in sa.events:
        sa.events["delete"] = host.timers.add("left behind", LEFT_BEHIND_S, delete, sa)


def refused(x: Exchange, error: int) -> None:
    """The peer refuses a request of ours: what follows beyond the exchange's end."""
    sa, child = sa_of(x), child_of(x)
    if error in FATAL:
        end_sa(x)
    elif child is not None and child.old is not None and error == Notify.CHILD_SA_NOT_FOUND:
        x.host.owner.children.delete_child(child.old, tell=False)
    elif child is None and sa.state is State.ESTABLISHED:
        left = sa.established + sa.hard_s - x.host.now() if sa.hard_s else math.inf
        wait = max(RETRY_LEAST_S, min(RETRY_S, left / 4)) * (0.5 + x.host.random(1)[0] / 512)
        if again := sa.events.pop("soft", None):
            again.cancel()
        if wait < left:
            sa.events["soft"] = x.host.timers.add("SA soft", wait, x.host.owner.rekey_sa, sa)
