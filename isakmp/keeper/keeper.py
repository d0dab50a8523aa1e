"""What becomes of ISAKMP and IKE SAs once exchanges have made them: lifetimes, rekeying, deletion.

RFC 2408 4.3, RFC 2409 5.5 and 9, RFC 7296 2.8. The engine's scripts tell the keeper what they
established and what the peer says. It has three parts: the child SAs (children.py), whether
peers are alive (liveness.py), and identities that come again from another place (places.py).
Which of two SAs gives way is told in rivals.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from isakmp.app.base import Application, Mapping, SaSpec
from isakmp.constants import isakmp
from isakmp.errors import Reason, Refused
from isakmp.event.job import Job
from isakmp.event.timer import Timers
from isakmp.keeper.children import Children
from isakmp.keeper.doubles import Doubles
from isakmp.keeper.liveness import Liveness
from isakmp.keeper.orphans import Orphans
from isakmp.keeper.places import Places
from isakmp.keeper.rivals import FALLBACK_S, GRACE_S, gives_way, wait_s
from isakmp.keeper.shared import Shared
from isakmp.log.keylog import KeyLog
from isakmp.log.log import SECRET_LEVEL, Log, LogClass
from isakmp.path import Path
from isakmp.policy.catalog import Catalog
from isakmp.policy.meanings import OF_ANOTHER
from isakmp.policy.spd import Connection
from isakmp.sa import ChildSa, IsakmpSa, State, place_of, soft_limit
from isakmp.sa_database import SaDatabase

# How long a new IKE SA is given to take over the child SAs of the one before.
RENEW_S = 60.0
# A peer that has not spoken under its new SA is asked so often before the one before it ends.
ASKED_MAX = 3
# Where it is silent under both, neither ends for that, for so long: the network may be back.
SILENT_S = 120.0
_KEPT = (State.ESTABLISHED, State.SUPERSEDED)
_TITLES = {"soft": "SA soft", "hard": "SA hard", "reauthentication": "reauthentication"}


class Keeper(Shared):
    """The owner of one daemon's SAs."""

    def __init__(
        self, *, sas: SaDatabase, app: Application, catalog: Catalog, timers: Timers, log: Log,
        nat_traversal: bool = True, nat_t_port: int = 4500,
    ) -> None:  # fmt: skip
        super().__init__(sas, app, catalog, timers, log)
        self.nat_traversal, self.nat_t_port = nat_traversal, nat_t_port
        self.key_log: KeyLog | None = None
        self.keepalive_s = 20
        self.keepalive: Callable[[Path], object] = lambda path: None
        self.children = Children(self, self.delete_sa)
        self.liveness = Liveness(self, self.children, self.delete_sa, self.moved)
        self.orphans = Orphans(self, self.children, self.liveness)
        self.places = Places(self, self.children, self.liveness, self.delete_sa)
        self.doubles = Doubles(self, self.delete_sa)

    def keyed(self, spec: SaSpec) -> None:
        """Keys of an IPsec SA were derived."""
        if self.log.on(LogClass.CRYPTO, SECRET_LEVEL):
            self.log.secret(f"SA {spec.spi:08x} encryption key", spec.enc_key)
            self.log.secret(f"SA {spec.spi:08x} authentication key", spec.auth_key)
        if self.key_log and spec.protocol is isakmp.Protocol.IPSEC_ESP:
            self.key_log.esp(spec)

    # --- ISAKMP SAs --------------------------------------------------------------------------

    def established(self, sa: IsakmpSa, brings: Connection | None = None) -> None:
        """Phase 1, or the initial exchanges, made ``sa``; a child SA for ``brings`` follows."""
        self._begin_life(sa)
        for old in self.sas.of_peer(sa.peer):
            if old is not sa and old.state is State.ESTABLISHED:
                self.places.changed(old, sa)
                self._supersede_sa(old, sa)
                if (old.place, old.dialect) == (sa.place, sa.dialect):
                    sa.kin.lineage = old.kin.lineage
        self._inherit(sa)
        self._make_room(sa)
        self.doubles.look(sa)
        self.connections.sa_up(sa, brings)

    def _inherit(self, sa: IsakmpSa) -> None:
        """What is where ``sa`` is, and of no other ISAKMP SA there, is of the same device."""
        if self.engine.dialects[sa.dialect].owns_children:
            return
        there = [x for x in self.sas.of_peer(sa.peer) if x is not sa and x.place == sa.place]
        others = {x.kin.lineage for x in there}
        for child in self.sas.children_of_peer(sa.peer):
            if child.parent is None and child.place == sa.place and child.kin.lineage not in others:
                child.kin.lineage = sa.kin.lineage

    def sa_rekeyed(self, old: IsakmpSa, new: IsakmpSa) -> None:
        """``new`` was made under ``old``, to take its place (RFC 7296 2.18)."""
        self._begin_life(new)
        old.heirs = (*old.heirs, new)
        self._make_room(new)

    def _make_room(self, new: IsakmpSa) -> None:
        """Of too many with one identity the oldest that are replaced end before their time."""
        every, _ = self.sas.everywhere(new)
        surplus = len(every) - self.engine.bounds.limits.sas_of_one
        gone = [sa for sa in every if sa.state is not State.ESTABLISHED and sa is not new]
        for sa in gone[: max(surplus, 0)]:
            self.log.proto_warn("replaced IKE SAs of %s end early: it has Max-SAs-per-identity",
                                sa.remote.name)  # fmt: skip
            self.delete_sa(sa, tell=False)

    def _begin_life(self, sa: IsakmpSa) -> None:
        self.sas.add(sa)
        self.connections.made(sa, sa)
        if self.key_log:
            sa.keys.record(self.key_log, sa)
        self._limit(sa, sa.chosen.life_s)
        self._reauthenticate_at(sa, sa.reauth_at)
        self.liveness.watch(sa)
        if sa.nat.local and self.keepalive_s:
            self._arm_keepalive(sa)
        more = f", NAT {sa.nat}" if sa.nat.found else ""
        more += f", {sa.ppk}" if sa.ppk else ""
        self.log.info("%s with %s up: %s%s", sa, sa.path.remote, sa.chosen, more)

    def shorten(self, sa: IsakmpSa, seconds: int) -> None:
        """The peer keeps ``sa`` no longer than that (RFC 2407 4.6.3.1); 0 says nothing."""
        if seconds < (sa.hard_s or math.inf) and sa.state is State.ESTABLISHED:
            self._limit(sa, seconds)

    def _limit(self, sa: IsakmpSa, hard: int) -> None:
        """When it is rekeyed and when it ends, counted from its beginning; 0: never."""
        if not hard:
            return
        draw, margin = self.engine.random(1)[0] / 256, self.engine.settings.rekey_margin_percent
        soft = soft_limit(hard, draw, sa.initiator, margin)
        sa.soft_s, sa.hard_s = float(soft), float(hard)
        self._end_at(sa, "soft", soft, self.rekey_sa)
        self._end_at(sa, "hard", hard, self.delete_sa)

    def _end_at(
        self, sa: IsakmpSa, name: str, limit: float, what: Callable[[IsakmpSa], object]
    ) -> None:
        if event := sa.events.pop(name, None):
            event.cancel()
        left = sa.established + limit - self.timers.now()
        sa.events[name] = self.timers.add(_TITLES[name], max(left, 1.0), what, sa)

    def _arm_keepalive(self, sa: IsakmpSa) -> None:
        """The NAT before us forgets those who are silent (RFC 3948 4)."""

        def send() -> None:
            self.keepalive(sa.path)
            self._arm_keepalive(sa)

        sa.events["keepalive"] = self.timers.add("NAT keepalive", self.keepalive_s, send)

    def _supersede_sa(self, old: IsakmpSa, new: IsakmpSa) -> None:
        """One ISAKMP SA with a peer is enough; exchanges under the old one may still finish."""
        gone, stays = (new, old) if gives_way(new, old) else (old, new)
        gone.state, gone.superseded_by = State.SUPERSEDED, stays
        wait, unheard = wait_s(gone, stays), self._unheard(stays, gone)
        if unheard:
            wait = max(wait, (ASKED_MAX + 1) * GRACE_S)
        gone.events["delete"] = self.timers.add(
            "SA delete", wait, self._end_superseded_sa, gone, stays, set()
        )
        if unheard:
            first = wait - ASKED_MAX * GRACE_S
            gone.events["new"] = self.timers.add("new SA asked", first, self._ask_new, gone, stays)

    def _ask_new(self, gone: IsakmpSa, stays: IsakmpSa) -> None:
        """The end of ``gone`` is near, and under which its peer is is not known."""
        if gone.state is State.SUPERSEDED and (unheard := self._unheard(stays, gone)):
            # What owns child SAs ends with them where a question has no answer: it has time before.
            owns = self.engine.dialects[gone.dialect].owns_children
            late = self.timers.now() >= stays.established + FALLBACK_S
            for sa in [*unheard, gone] if late or not owns else unheard:
                if not sa.running:
                    self.liveness.question(sa)
            gone.events["new"] = self.timers.add(
                "new SA asked", GRACE_S, self._ask_new, gone, stays
            )

    def _end_superseded_sa(self, sa: IsakmpSa, stays: IsakmpSa, made: set[ChildSa]) -> None:
        """made: child SAs of which there is what was to take their place, as far as the peer of
        the new one has taken it."""
        if sa.peer == stays.peer and not self._unheard(stays, sa):
            # No counter decides.
            self._end_or_restore(sa, stays, made)
            return
        counted = self.liveness.count_under([*self.sas.of_peer(sa.peer), stays])
        counted.then(lambda _: self._end_or_restore(sa, stays, made))

    def _end_or_restore(self, sa: IsakmpSa, stays: IsakmpSa, made: set[ChildSa]) -> None:
        """The counters of who may have been heard are here."""
        if sa.state is not State.SUPERSEDED or sa.events["delete"].pending:
            return
        unheard = self._unheard(stays, sa)
        asked_at = self.timers.now() - ASKED_MAX * GRACE_S
        silent = bool(unheard) and self.liveness.heard_at(sa) < asked_at
        newest = unheard[-1].established if unheard else -math.inf
        waits = asked_at < newest + (SILENT_S if silent else 0)
        if self._is_of_another(sa, stays):
            self._restore_sa(sa)
        elif unheard and not silent and not waits:
            for new in unheard:
                self.log.proto_warn("%s ends: its peer has never spoken under it, and keeps %s, "
                                    "which it was to replace", new, sa)  # fmt: skip
                self.delete_sa(new, tell=False)
            if sa.state is State.SUPERSEDED:
                self._restore_sa(sa)
        elif waits or self._renewing(sa, made) or sa.running:
            sa.events["delete"] = self.timers.add(
                "SA delete", GRACE_S, self._end_superseded_sa, sa, stays, made
            )
        else:
            self.places.left(sa)
            self.delete_sa(sa)

    def _is_of_another(self, sa: IsakmpSa, stays: IsakmpSa) -> bool:
        """Whether what has superseded an SA turned out to be of another device: it has moved alone,
        and whose this is has been heard since, later than whoever else is there."""
        heard_at, there = self.liveness.heard_at, self.sas.current(sa.peer)
        if sa.peer == stays.peer or heard_at(sa) <= stays.established:
            return False
        return there is None or heard_at(there) < heard_at(sa)

    def _unheard(self, stays: IsakmpSa, before: IsakmpSa) -> list[IsakmpSa]:
        """``stays`` and what has superseded it in turn, oldest first, where the peer may have none
        of them, and has the one before: our last message made each, and may have got lost. Else
        nothing. A peer that did not take an attempt of ours before either has neither."""
        found: list[IsakmpSa] = []
        new: IsakmpSa | None = stays if "unheard" not in before.events else None
        while new is not None:
            if new.state is not State.DEAD:
                asks = new.state in _KEPT and new.dpd and new.unheard
                if not asks or self.liveness.heard_at(new) > new.established:
                    return []
                found.append(new)
            new = new.superseded_by
        return found

    def _renewing(self, sa: IsakmpSa, made: set[ChildSa]) -> bool:
        """Whether child SAs that would end with ``sa`` still need successors under the new one.
        What has one that does not take its place may be another device's: it is waited for."""
        now, new = self.timers.now(), self.sas.current(sa.peer)
        if new is None or new.place != sa.place or now - new.established > RENEW_S:
            return False
        own = self.sas.own_children(sa)
        left = [child for child in own if child.state is State.ESTABLISHED]
        for child in left:
            if child not in made:
                self.connections.renew(child, new).then(partial(_note_made, made, child))
        return bool(left) or any(map(self.children.sends_alone, own))

    def _reauthenticate_at(self, sa: IsakmpSa, when: float) -> None:
        """Whoever began the initial exchanges begins them anew (RFC 7296 2.8.3), where it does."""
        if sa.reauth_at:
            self._end_at(sa, "reauthentication", when - sa.established, self.reauthenticate)

    def reauthenticate(self, sa: IsakmpSa) -> None:
        """Prove everything anew: by a new IKE SA before this one goes, or after. Once more in a
        while, where it is there then."""
        if sa.state is not State.ESTABLISHED:
            return
        settings = self.connections.settings
        self._reauthenticate_at(sa, self.timers.now() + settings.check_interval_s)
        if not settings.active:
            return
        children = self.sas.children_of(sa)
        connection = children[0].connection if children else None
        if sa.remote.ikev2.make_before_break:
            self.connections.begin_sa(sa.remote, sa.path, connection, sa.nat)
        else:
            self.delete_sa(sa)
            self.connections.bring_up_with(sa.remote)

    def _restore_sa(self, sa: IsakmpSa) -> None:
        """The one that superseded ``sa`` is gone before it, or never was of its device."""
        sa.state, sa.superseded_by = State.ESTABLISHED, None
        if event := sa.events.pop("delete", None):
            event.cancel()
        self.liveness.watch(sa)
        age = self.timers.now() - sa.established
        if sa.soft_s and age > sa.soft_s:
            sa.events["soft"] = self.timers.add("SA soft", 1.0, self.rekey_sa, sa)
        self._reauthenticate_at(sa, sa.reauth_at)

    def rekey_sa(self, sa: IsakmpSa) -> None:
        """A new phase 1 before this one ends, where it still protects something."""
        needed = self.sas.children_of(sa) or self.connections.wants(sa.remote.name)
        if sa.state is State.ESTABLISHED and needed and self.connections.settings.active:
            self.engine.dialects[sa.dialect].rekey_sa(self.engine, sa)

    def delete_sa(self, sa: IsakmpSa, tell: bool = True) -> None:
        """End an ISAKMP SA, with the child SAs that are its own."""
        if sa.state is State.DEAD or (tell and sa.state is State.DELETING):
            return
        if tell:
            self._conclude(sa)
        if tell and self.delete_sas:
            sa.state = State.DELETING
            sa.cancel()
            # All at once: what one leaves room for must not begin. The Delete waits for nothing.
            sa.waiting = []
            for exchange in [x for x in sa.running.values() if x.initiator and not x.last_out]:
                self.engine.fail(exchange, Reason("sa-gone", f"its {sa.kind} is being deleted"))
            told = self.engine.dialects[sa.dialect].tell_deleted(self.engine, sa, None)
            told.then(lambda job: self._sa_gone(sa))
        else:
            self._sa_gone(sa)

    def _conclude(self, sa: IsakmpSa) -> None:
        """What only lacks its confirmation has it no more, and the peer has what was negotiated."""
        for exchange in list(sa.running.values()):
            self.engine.conclude(exchange)

    def _sa_gone(self, sa: IsakmpSa) -> None:
        if sa.state is State.DEAD:
            return
        self.sas.remove(sa)
        left = [
            other for other in self.sas.of_peer(sa.peer)
            if other.state is State.SUPERSEDED and not other.heirs and not other.dpd_waiting
        ]  # fmt: skip
        if left and self.sas.current(sa.peer) is None:
            self._restore_sa(left[-1])
        if (stays := self.sas.current(sa.peer)) is not None:
            self._inherit(stays)
        self.places.left(sa)
        for exchange in [x for x in sa.running.values() if len(x.steps) > 1]:
            if not exchange.over:
                gone = sa.end or Reason("sa-gone", f"its {sa.kind} was deleted")
                self.engine.fail(exchange, gone)
        sa.waiting = []  # they know the SA: a circle would stay until the next search for garbage
        # What ended just now may have had a successor of the peer's wait, which inherits them.
        for child in self.sas.own_children(sa):
            child.end = child.end or sa.end
            self.children.child_gone(child)
        self.engine.dialects[sa.dialect].sa_gone(self.engine, sa)
        sa.keys = None
        self.orphans.look_after(sa.peer)
        self.log.debug(LogClass.SA, 10, "%s deleted", sa)

    def moved(self, sa: IsakmpSa, path: Path) -> None:
        """The peer of ``sa`` is there for certain: a NAT may have given it another address or
        port."""
        self._came(sa, path)

    def _came(self, one: IsakmpSa | ChildSa, path: Path) -> None:
        """Something new and authentic of ``one`` came that way."""
        if path == one.path:
            one.kin.proven = one.place
        else:
            self._move(one, path)

    def _move(self, one: IsakmpSa | ChildSa, path: Path) -> None:
        """All that is of the same device there follows it, which who moves with each message could
        ask for without end."""
        remote = one.remote.name if isinstance(one, IsakmpSa) else one.connection.remote
        if reason := self.engine.bounds.often(one.who):
            self.engine.met(remote, reason)
            return
        self.log.info("%s: peer moved from %s to %s", one, one.path.far, path.far)
        left, (sas, children) = one.peer, self._with(one, path)
        for sa in sas:
            self.sas.moved(sa, path)
            for exchange in sa.running.values():
                # What is asked already is repeated to where the peer is now, and answered there.
                exchange.path, exchange.back = path, None
        for child in children:
            if child.encap:
                self.children.moved(child, path)
                self.orphans.look_after(child.peer)
                if not sas and (there := self.sas.current(child.peer)) is not None:
                    self._inherit(there)
        self.orphans.look_after(left)
        for sa in sas:
            self._renew_beside(sa, [c for c in children if not c.encap and c.parent is None])

    def _with(
        self, one: IsakmpSa | ChildSa, path: Path
    ) -> tuple[list[IsakmpSa], list[ChildSa]]:  # fmt: skip
        """What moves together: an SA and all that it owns, or in IKEv1 one lineage at a place.

        Where an identity may be at several places, what has only moved along with others, and now
        comes from where it was before, is of another device than those. All that they took from
        there goes back, and is a lineage of its own.
        """
        children = self.sas.children_of_peer(one.peer)
        if isinstance(one, IsakmpSa) and self.engine.dialects[one.dialect].owns_children:
            return [one], [child for child in children if child.parent is one]
        here, there, own = one.place, place_of(path, one.nat), one.kin.lineage
        its: list[IsakmpSa | ChildSa] = [*self.sas.of_peer(one.peer), *children]
        its = [x for x in its if x.place == here and x.kin.lineage is own]
        if one.peer[1] is not None and here != one.kin.proven == there:
            its = [x for x in its if x.kin.proven == there]
            apart = object()
            for each in its:
                each.kin.lineage = apart
        one.kin.proven = there
        return (
            [sa for sa in its if isinstance(sa, IsakmpSa)],
            [child for child in its if isinstance(child, ChildSa) and child.parent is None],
        )

    def _renew_beside(self, sa: IsakmpSa, children: list[ChildSa]) -> None:
        """What is not in UDP has not passed a NAT: it stays where it is, as somebody may have sent
        on what moved ``sa``, until there is a successor where ``sa`` is."""
        for child in children:
            if sa.state is child.state is State.ESTABLISHED and child.path.remote != sa.path.remote:
                begun = self.connections.renew(child, sa)
                begun.then(partial(self._renewed_beside, child))

    def _renewed_beside(self, child: ChildSa, job: Job[Any]) -> None:
        if job.error is None:
            self.children.delete_child(child)

    # --- what the peer says ------------------------------------------------------------------

    def peer_deleted(self, sa: IsakmpSa, cookies: list[bytes]) -> list[bytes]:
        """The peer has deleted ISAKMP SAs; only its own ones count, and others are returned."""
        named = dict.fromkeys(cookies)
        every, _ = self.sas.everywhere(sa)
        its = [other for other in every if other.cookies in named]
        for other in its:
            self.log.info("%s deleted by the peer", other)
            self._conclude(other)
            self.delete_sa(other, tell=False)
        for other in its:
            del named[other.cookies]
        return list(named)

    def ask_holder(self, child: ChildSa) -> None:
        """Somebody else wants the traffic of ``child``: is its peer still there to have it?"""
        self.liveness.doubt(child)

    # --- what the application says -----------------------------------------------------------

    def mapping(self, event: Mapping) -> None:
        """Authentic ESP comes from another address or port of a peer behind a NAT."""
        child = self.sas.children.get((event.sa.protocol, event.sa.spi))
        if child is None:
            return
        one = child.parent or child
        path = one.path._replace(remote=event.address, remote_port=event.port)
        if one.nat.peer_moves:
            self._came(one, path)


def _note_made(made: set[ChildSa], child: ChildSa, job: Job[Any]) -> None:
    """What the peer refuses as traffic that is none of its is not asked for again either."""
    refused = job.error.reason if isinstance(job.error, Refused) else None
    if job.error is None or (refused and refused.came == OF_ANOTHER):
        made.add(child)
