"""Places: an identity that has proved itself from one place, and comes again from another.

RFC 7296 2.4, RFC 2407 4.6.3.3; Unique-ids says what is to be. Whoever comes from the same address
(behind a NAT: and port) is the same, who authenticates anew or has restarted, and is never kept
out: its new IKE SA takes the place of the old one as rivals.py has it, also where both ends begin
at once.
"""

from __future__ import annotations

from isakmp.constants import isakmp
from isakmp.errors import Reason, Refused
from isakmp.keeper.children import Children
from isakmp.keeper.liveness import EndSa, Liveness
from isakmp.keeper.rivals import FALLBACK_S
from isakmp.keeper.shared import Shared
from isakmp.path import Path
from isakmp.policy.spd import Identity, Remote, Unique
from isakmp.sa import ChildSa, IsakmpSa, Nat, State, peer_of, place_of

# A peer that has a new ISAKMP SA is asked under the one before, so many seconds later and once
# more, before that ends (rivals.GRACE_S), and its answer waited for. Who has lost all has none.
# Meanwhile we hear what we have missed.
ASK_S, ANSWER_S = 1.0, 3.0
_LIVE = (State.ESTABLISHED, State.SUPERSEDED)


class Places:
    """From where each identity is connected, of one daemon's keeper."""

    def __init__(
        self, shared: Shared, children: Children, liveness: Liveness, end_sa: EndSa
    ) -> None:
        self.shared, self.sas, self.log = shared, shared.sas, shared.log
        self._children, self._liveness, self._end_sa = children, liveness, end_sa

    def admit(self, remote: Remote, identity: Identity, path: Path, nat: Nat) -> None:
        """Refused where the first one of an identity is kept and this is a second one.

        The first one is asked whether it lives: a dead one must not keep its owner out. For the
        same reason one that cannot be asked gives way.
        """
        if remote.unique is not Unique.KEEP:
            return
        place = place_of(path, nat)
        for first in self.sas.of_peer(peer_of(remote, identity, path, nat)):
            if first.state is State.ESTABLISHED and first.place != place and first.dpd:
                self._liveness.suspect(first)
                raise Refused(
                    Reason("identity-in-use", f"{identity} is connected from another place",
                           came=path.far, acceptable=f"{first.path.far}, as long as it lives",
                           line=self._line(remote)),
                    isakmp.Notify.AUTHENTICATION_FAILED,
                )  # fmt: skip

    def _line(self, remote: Remote) -> str:
        conf = self.shared.engine.conf
        own = conf.get(remote.name, "Unique-ids") is not None
        return conf.where(remote.name if own else "General", "Unique-ids")

    def changed(self, old: IsakmpSa, new: IsakmpSa) -> None:
        """``new`` takes the place of ``old``: say so where that may be another device's."""
        if new.place != old.place:
            self.log.proto_warn("%s", Reason(
                "identity-moved", f"{new} takes the place of {old}, of the same identity",
                came=new.path.far, acceptable=old.path.far, line=self._line(new.remote),
            ))  # fmt: skip

    def left(self, sa: IsakmpSa) -> None:
        """``sa`` ends, and its identity is elsewhere: what is of no IKE SA goes with it. Both
        places are told, as one device may have come from there, or two have met."""
        new = self.sas.current(sa.peer)
        if new is None or new.place == sa.place:
            return
        for child in self.sas.children_of(sa):
            if child.parent is None and child.place == sa.place:
                self._children.delete_child(child)

    def returned(self, sa: IsakmpSa) -> None:
        """The peer of ``sa`` has not said that it has forgotten what was before: what of that may
        serve no more is made anew under this one, by who began, or soon where we keep it up.

        Who may be at several places never says so: it is asked under what was here before.
        """
        if not self._doubtful(sa):
            return
        if sa.remote.unique.alone:
            self._renew(sa)
            return
        olds = [old for old in self.sas.of_peer(sa.peer) if old is not sa]
        sa.events["ask"] = self.shared.timers.add("old SA asked", ASK_S, self._ask, sa, olds)

    def _ask(self, sa: IsakmpSa, olds: list[IsakmpSa]) -> None:
        timers, since = self.shared.timers, self.shared.timers.now()
        wait_s = ANSWER_S if sa.initiator else FALLBACK_S
        sa.events["ask"] = timers.add("old SA asked", ASK_S, self._question, olds, since)
        sa.events["renew"] = timers.add("child SA renewal", wait_s, self._answered, sa, olds, since)
        self._question(olds, since)

    def _question(self, olds: list[IsakmpSa], since: float) -> None:
        for old in olds:
            if old.dpd and old.state in _LIVE and old.last_heard < since:
                self._liveness.question(old)

    def _answered(self, sa: IsakmpSa, olds: list[IsakmpSa], since: float) -> None:
        """Who still has an ISAKMP SA has lost nothing that is younger."""
        known = (old.known_since for old in olds if old.last_heard >= since)
        sa.known_since = min((sa.known_since, *known))
        self._renew(sa)

    def _doubtful(self, sa: IsakmpSa) -> list[ChildSa]:
        """Child SAs of no IKE SA that the peer of ``sa`` may have lost. Where its identity is at
        one place, those that send to another: on its word alone they are not moved, as another
        device of it may have them. Where it may be at several, all that are at this one."""
        alone = sa.remote.unique.alone
        return [
            child for child in self.sas.children_of(sa)
            if child.parent is None and child.created < sa.known_since
            and child.state is State.ESTABLISHED and not (alone and child.place == sa.place)
        ]  # fmt: skip

    def _renew(self, sa: IsakmpSa) -> None:
        connections = self.shared.connections
        if sa.state is State.ESTABLISHED and connections.settings.active:
            for child in self._doubtful(sa):
                connections.renew(child, sa)

    def initial_contact(self, sa: IsakmpSa) -> None:
        """The peer knows of no other SA with us: it has restarted, or is another device.

        Where several places never mind each other, that is said of this one alone. What ends for
        that is made anew only by who has begun another SA for it: the peer may have ended it.
        """
        olds, children = self.sas.everywhere(sa)
        if sa.remote.unique is Unique.NEVER:
            olds, children = self.sas.of_peer(sa.peer), self.sas.children_of_peer(sa.peer)
        gone = [old for old in olds if old is not sa and old.established < sa.created]
        free = [c for c in children if c.parent in (None, sa) and c.established < sa.created]
        every = *free, *(child for child in children if child.parent in gone)
        for child in [each for each in every if each.state is State.ESTABLISHED]:
            child.forgotten = True
            self.log.info("connection %s: child SA %s ends, as its peer knows of nothing before %s",
                           child.connection.name, child, sa)  # fmt: skip
        for child in free:
            elsewhere = any(old.place == child.place != sa.place for old in gone)
            self._children.delete_child(child, elsewhere)
        for old in gone:
            if old.state is State.ESTABLISHED:
                self.changed(old, sa)
            # Who was at this place has forgotten; who is elsewhere may be there still.
            self._end_sa(old, tell=old.place != sa.place)
