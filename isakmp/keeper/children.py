"""What becomes of child SAs once exchanges have made them: who sends, who is replaced, deletion.

RFC 2409 5.5 and 9, RFC 7296 2.8. Which of two gives way is told in rivals.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from isakmp.app.base import Expire, SaSpec
from isakmp.deletes import hearers
from isakmp.errors import Reason
from isakmp.event.job import Job
from isakmp.exchange.exchange import Exchange
from isakmp.keeper.counters import LEAST_S, count
from isakmp.keeper.rivals import GRACE_S, gives_way, wait_s
from isakmp.keeper.shared import Shared
from isakmp.log.log import LogClass
from isakmp.path import Path
from isakmp.policy.traffic import agreed, describe
from isakmp.sa import ChildSa, IsakmpSa, State, peer_at, soft_limit

LINGER_S, TAKE_OVER_S, USE_S = 1.0, 1.5, 0.1
# By then one is used that its peer has; before the other end gives up the old one on its own.
USED_S = 24.0
# For so long what has come with the old one shows that its peer goes on with it.
HEARD_S = 3 * GRACE_S
# How long a child SA's end waits for the answer that makes its successor.
LATE_S = 4.0

_ENDING = (State.DELETING, State.DEAD)


@dataclass(slots=True)
class _Wait:
    """How long a child SA waits until its peer uses it. timed: no longer than TAKE_OVER_S,
    where the one before is silent; next_s: until we look."""

    timed: bool = False
    next_s: float = USE_S


class Children:
    """The child SAs of one daemon's keeper. end_sa: ends the IKE SA of one that could not be
    rekeyed."""

    def __init__(self, shared: Shared, end_sa: Callable[[IsakmpSa], object]) -> None:
        self.shared, self._end_sa = shared, end_sa
        self.sas, self.app, self.timers, self.log = (
            shared.sas,
            shared.app,
            shared.timers,
            shared.log,
        )

    def restarted(self) -> None:
        """The IPsec stack has forgotten all child SAs, and what it was given for those that are in
        the making."""
        for exchange in self.shared.engine.under_way():
            exchange.finished.then(partial(self._made_in_part, exchange))
        for child in self.sas.all_children():
            self.delete_child(child)

    def _made_in_part(self, exchange: Exchange, job: Job[Any]) -> None:
        """What the stack had before it started again is missing."""
        sa = exchange.sa
        if sa is None or job.error is not None:
            return
        for child in self.sas.children_of_peer(sa.peer):
            if (child.cookies, child.created) == (sa.own_cookie, exchange.created):
                self.log.internal_warn("%s: the IPsec stack has started again meanwhile", child)
                self.delete_child(child)

    def child_established(self, child: ChildSa, specs: list[SaSpec]) -> None:
        """Quick mode made ``child``; its inbound SAs are in place, here are all of them, for where
        the peer was when they were made."""
        olds = [c for c in self.sas.in_slot(child.slot) if c.state is State.ESTABLISHED]
        self._keep(child)
        child.specs = self._placed(child, specs)
        child.receives_only = any(gives_way(child, old) for old in olds)
        spoke_last = child.initiator is (child.parent is None)
        if olds and not child.receives_only and spoke_last:
            # The peer may not have read our last message yet; the old one serves until then.
            child.receives_only = True
            count(self.shared, olds)
            self._await_use(child, _Wait(timed=True))
        if not child.receives_only and not self._begin_to_send(child):
            return
        self.shared.connections.child_up(child)
        for old in olds:
            self._supersede_child(old, child)
        traffic = describe(agreed(child))
        self.log.info("connection %s up: %s, %s", child.connection.name, child, traffic)

    def child_rekeyed(self, old: ChildSa, child: ChildSa, specs: list[SaSpec]) -> None:
        """``child`` was made to take the place of ``old``, which knows it (RFC 7296 2.8).

        Both receive; what is sent takes the old one until it is known that the peer is ready.
        """
        rivals = [c for c in self.sas.in_slot(child.slot) if c is not old and c not in old.heirs]
        self._keep(child)
        child.specs, child.receives_only = self._placed(child, specs), True
        for rival in rivals:
            # The ends may have disagreed about which of two was to stay.
            if rival.state is State.ESTABLISHED:
                self._supersede_child(rival, child)
        old.heirs = *old.heirs, child
        if old.state is not State.DEAD:
            old.state = State.SUPERSEDED
        self._await_use(child, _Wait())
        self.shared.connections.child_up(child)
        self.log.info("connection %s rekeyed: %s", child.connection.name, child)

    def _keep(self, child: ChildSa) -> None:
        made_under = child.parent or self.sas.isakmp.get(child.cookies)
        if made_under is not None:
            child.nat, child.kin = made_under.nat, made_under.kin
        self.sas.add_child(child)
        self.shared.connections.made(child, made_under)

    def take_over(self, child: ChildSa) -> None:
        """The peer is ready to receive with ``child``: from now on we send with it."""
        if child.state is State.ESTABLISHED:
            self._send_with(child)

    def _send_with(self, child: ChildSa, *, for_now: bool = False) -> None:
        if child.receives_only and self._begin_to_send(child, for_now=for_now):
            self.shared.connections.child_sends(child)

    def _await_use(self, child: ChildSa, wait: _Wait) -> None:
        """What comes with ``child`` shows that the peer has it (RFC 7296 2.8).

        Peers may cease to receive with the old one before we can have heard so. We look ever less
        often.
        """

        def look() -> None:
            before = [other for other in self._beside(child) if not other.receives_only]
            counted = count(self.shared, [child, *before])
            counted.then(lambda _: self._judge_use(child, before, wait))

        child.events["use"] = self.timers.add("child SA use", wait.next_s, look)

    def _judge_use(self, child: ChildSa, before: list[ChildSa], wait: _Wait) -> None:
        """The counters are here. before: those that send meanwhile."""
        now = self.timers.now()
        if child.state is not State.ESTABLISHED or not (child.receives_only or child.tried):
            return
        has = self._has(child)
        if has or (child.tried and not before):
            self.take_over(child)
            child.tried = False
            if not (child.receives_only or child.encap):
                child.specs = []
            return
        if has is False or any(_heard_since(old, child.established) for old in before):
            # Who has the old one, and need not have the new one, is not lost for what waits.
            wait.timed = False
            if child.tried:
                child.tried = False
                self._send_no_more(child)
        elif wait.timed and now >= child.established + TAKE_OVER_S:
            # It may be all that the peer has; where that turns out to be wrong, it ceases to send.
            self._send_with(child, for_now=True)
            wait.timed, child.tried = False, not child.receives_only
        wait.next_s = TAKE_OVER_S if child.tried else 2 * wait.next_s
        if wait.timed:
            left_s = child.established + TAKE_OVER_S - now
            wait.next_s = min(wait.next_s, max(left_s, LEAST_S))
        self._await_use(child, wait)

    def _has(self, child: ChildSa) -> bool | None:
        """Whether the peer has shown that it has a child SA, or has it not yet. None: neither."""
        if child.came_at or child.parent is None:
            return bool(child.came_at) or None
        return self.shared.engine.dialects[child.parent.dialect].has(child)

    def _send_no_more(self, child: ChildSa) -> None:
        """The one before sends again, which the stack has beside ``child``."""
        for name in child.outbound():
            self.app.delete_sa(name)
        child.receives_only = True

    def _begin_to_send(self, child: ChildSa, *, for_now: bool = False) -> bool:
        """Install the outbound SAs, unless a younger one sends to another place; False where the
        application refuses at once. for_now: they may be taken back."""
        child.receives_only = self._outdone(child)
        if child.receives_only:
            return True
        specs = child.specs
        if not (child.encap or for_now):
            child.specs = []
        outbound = [spec for spec in specs if not spec.inbound]
        for spec in outbound:
            self._watch(self.app.add_sa(spec), "outbound SA %08x", spec.spi, needs=child)
            if child.state is State.DEAD:
                return False
        if len(outbound) > 1:
            self._watch(self.app.group(child.inbound()), "inbound bundle")
            self._watch(self.app.group(child.outbound()), "outbound bundle")
        return True

    def _outdone(self, child: ChildSa) -> bool:
        """Whether a younger one of the same traffic sends, to another place: the stack would send
        with whichever is installed last. Of one slot it is rivals that decide."""
        return any(
            not other.receives_only and other.established > child.established
            and other.state in (State.ESTABLISHED, State.SUPERSEDED) and other.slot != child.slot
            for other in self.sas.of_flow(child.connection.name, child.selector)
        )  # fmt: skip

    def _supersede_child(self, old: ChildSa, new: ChildSa) -> None:
        gone, stays = (new, old) if gives_way(new, old) else (old, new)
        gone.state = State.SUPERSEDED
        self.log.debug(LogClass.SA, 20, "child SA %s is superseded by %s", gone, stays)
        gone.events["delete"] = self.timers.add(
            "child SA delete", wait_s(gone, stays), self._end_superseded, gone
        )

    def _end_superseded(self, gone: ChildSa) -> None:
        """What is to have taken its place may be what its peer does not have."""
        count(self.shared, [gone, *self._beside(gone)]).then(lambda _: self._end_or_keep(gone))

    def sends_alone(self, gone: ChildSa) -> bool:
        """Whether what has replaced a child SA does not send yet, or tries to."""
        kept, beside = gone.state is State.SUPERSEDED, self._beside(gone)
        kept = kept and not gone.receives_only and bool(beside)
        return kept and all(other.receives_only or other.tried for other in beside)

    def _end_or_keep(self, gone: ChildSa) -> None:
        """The counters are here."""
        if gone.state is not State.SUPERSEDED or gone.events["delete"].pending:
            return
        beside, now = self._beside(gone), self.timers.now()
        alone = self.sends_alone(gone) and not any(map(self._has, beside))
        new = beside[-1] if beside else gone
        begun = alone and new.parent is not None and new.parent.unheard
        heard = alone and gone.came_at > max(new.established + TAKE_OVER_S, now - HEARD_S)
        if begun or (heard and now < new.established + USED_S):
            # With its IKE SA it is told which ends; by itself, once it would be long used.
            gone.events["delete"] = self.timers.add(
                "child SA delete", GRACE_S, self._end_superseded, gone
            )
        elif heard and not gone.kept:
            gone.kept = True
            self.log.proto_warn("child SA %s ends: its peer has never used it, and keeps %s, which "
                                "it was to replace", new, gone)  # fmt: skip
            for other in beside:
                self.delete_child(other)
        else:
            self.delete_child(gone)

    def _restore_child(self, left: list[ChildSa]) -> None:
        """The one that superseded these is gone before them: the newest stays. Where the peer is
        not known to have it, the one before sends until it is."""
        child = left[-1]
        child.state = State.ESTABLISHED
        if event := child.events.pop("delete", None):
            event.cancel()
        if child.receives_only:
            if not all(other.receives_only for other in left):
                self._await_use(child, _Wait())
            elif not self._begin_to_send(child):
                return
        age = self.timers.now() - child.established
        if child.limits.soft_s and age > child.limits.soft_s:
            child.events["rekey"] = self.timers.add(
                "child SA rekey", 1.0, self.shared.connections.rekey, child
            )

    def moved(self, child: ChildSa, path: Path) -> None:
        """A NAT has given the peer of ``child`` another address or port."""
        parent = child.parent
        peer = parent.peer if parent is not None else peer_at(child.peer, path, child.nat)
        self.sas.moved_child(child, path, peer)
        self._move_specs(child, path)
        if child.state is State.ESTABLISHED:
            self.shared.connections.child_moved(child)

    def _placed(self, child: ChildSa, specs: list[SaSpec]) -> list[SaSpec]:
        """The peer may have moved while its exchange went on: SAs for where ``child`` has it."""
        placed = [_at(spec, child.path) for spec in specs]
        for spec, now in zip(specs, placed, strict=True):
            if spec.inbound and now != spec:
                self._move(child, spec, now)
        return placed

    def _move_specs(self, child: ChildSa, path: Path) -> None:
        specs, child.specs = child.specs, []
        for spec in specs:
            moved = _at(spec, path)
            if spec.inbound or not child.receives_only:
                self._move(child, spec, moved)
            child.specs.append(moved)

    def _move(self, child: ChildSa, before: SaSpec, after: SaSpec) -> None:
        moved = self.app.move_sa(before, after)
        self._watch(moved, "moving SA %08x", before.spi)
        moved.otherwise(self._left_behind, child)

    def _left_behind(self, child: ChildSa, _: Exception) -> None:
        """The stack has it where the peer was: its successor is made for where that is."""
        if child.state is State.ESTABLISHED:
            self.shared.connections.rekey(child)

    # --- ends --------------------------------------------------------------------------------

    def expire(self, event: Expire) -> None:
        """An IPsec SA reached a limit: soft, begin its successor; hard, it is over."""
        child = self.sas.children.get((event.sa.protocol, event.sa.spi))
        if child is None:
            remote = str(event.sa.dst)
            child = self.sas.child_by_spi(event.sa.protocol, event.sa.spi, remote)
        if child is None:
            return
        if event.hard:
            self._expired(child)
        elif child.state is State.ESTABLISHED:
            self.shared.connections.rekey(child)

    def shorten(self, child: ChildSa, seconds: int) -> None:
        """The peer keeps it no longer than that, from its beginning on; 0 says nothing.

        The IPsec stack keeps its own limits: what goes before them is ours to see to.
        """
        if not 0 < seconds < (child.limits.hard_s or math.inf) or child.state in _ENDING:
            return
        engine, now = self.shared.engine, self.timers.now()
        draw, margin = engine.random(1)[0] / 256, engine.settings.rekey_margin_percent
        soft = soft_limit(seconds, draw, child.initiator, margin)
        child.limits = child.limits._replace(soft_s=soft, hard_s=seconds)
        name = child.inbound()[0]
        for what, limit, hard in (("soft", soft, False), ("hard", seconds, True)):
            if event := child.events.pop(what, None):
                event.cancel()
            wait = max(child.established + limit - now, 1.0)
            event = self.timers.add(f"child SA {what}", wait, self.expire, Expire(name, hard))
            child.events[what] = event

    def _expired(self, child: ChildSa) -> None:
        """It carries nothing any more, nor does its other half, however late the peer hears."""
        self.log.info("connection %s: child SA %s expired", child.connection.name, child)
        self._send_instead(child)
        for name in (*child.inbound(), *child.outbound()):
            self.app.delete_sa(name)
        flow = child.connection.name, child.selector
        if successor := self.shared.connections.under_way(flow):
            successor.finished.then(lambda job: self._end_expired(child))
            child.events["late"] = self.timers.add(
                "late successor", LATE_S, self._end_expired, child
            )
        else:
            self._end_expired(child)

    def _end_expired(self, child: ChildSa) -> None:
        """No successor is being asked for any more, or none comes."""
        if not self._not_rekeyed(child):
            self.delete_child(child)
            return
        child.end = self._why_not_rekeyed(child)
        self.log.proto_err("%s: child SA %s could not be rekeyed before its end; what should be "
                           "up begins anew; line: %s; mend: %s",
                           child.parent or f"connection {child.connection.name}", child,
                           child.connection.line, child.end.mend)  # fmt: skip
        if child.parent is not None:
            # What the peer refused under this IKE SA it may grant under another (RFC 7296 2.8).
            self._end_sa(child.parent)
            self.child_gone(child)
        else:
            self.delete_child(child)

    def _why_not_rekeyed(self, child: ChildSa) -> Reason:
        """Why our own try failed, where there was one; else neither end has made a successor."""
        entry = self.shared.connections.entries.get(child.connection.name)
        if entry is not None and entry.failure is not None and entry.failed > child.established:
            return entry.failure
        lasted = self.timers.now() - child.established
        return Reason("not-replaced", f"its child SA ended after {lasted:.0f} s, and neither end "
                      "has made another one before", line=child.connection.line)  # fmt: skip

    def _others(self, child: ChildSa) -> list[ChildSa]:
        """Its successors, and whatever else carries the same traffic."""
        return [*child.heirs, *self._beside(child)]

    def _not_rekeyed(self, child: ChildSa) -> bool:
        served = child.state is State.ESTABLISHED and self.shared.connections.settings.active
        return served and not any(o.state is State.ESTABLISHED for o in self._others(child))

    def peer_deleted(self, child: ChildSa) -> None:
        """The peer has deleted it, or has never known it."""
        self.log.info("connection %s: child SA %s deleted by the peer",
                       child.connection.name, child)  # fmt: skip
        self.delete_child(child, tell=False)

    def lost(self, child: ChildSa) -> None:
        """The peer seems to have no such child SA: it is asked for a successor, which proves it.

        What is young may be known there by the time that is sent; and who says so again and again
        is a peer that negotiates too often.
        """
        if self.timers.now() - child.established <= GRACE_S:
            return
        if reason := self.shared.engine.bounds.often(child.who):
            self.shared.engine.met(child.connection.remote, reason)
        else:
            self.shared.connections.rekey(child)

    def delete_child(self, child: ChildSa, tell: bool = True) -> None:
        """End a child SA, here and, where ``tell``, at the peer.

        What the peer still sends with it is taken until it has heard of the end. Where there is
        nothing under which it could, the next SA with it serves.
        """
        if child.state is State.DEAD or (tell and child.state is State.DELETING):
            return
        tell = tell and self.shared.delete_sas
        told = [sa for sa in hearers(self.sas, child) if sa.state not in _ENDING]
        if tell and told:
            child.state = State.DELETING
            child.cancel()
            first, *others = told
            for sa in others:
                self.shared.engine.dialects[sa.dialect].tell_deleted(self.shared.engine, sa, child)
            self._tell_deleted(first, child)
            return
        if tell:
            self._tell_later(child)
        self.child_gone(child)

    def _tell_later(self, child: ChildSa) -> None:
        """Its peer is told under the next SA that serves."""
        for dialect in self.shared.engine.dialects.values():
            dialect.tell_later(child)

    def _tell_deleted(self, sa: IsakmpSa, child: ChildSa) -> None:
        """Tell the peer under ``sa``, or where that ends before, under the next one."""

        def told(job: Job[Any]) -> None:
            if job.error is not None:
                self._tell_later(child)
            self.child_gone(child)

        engine = self.shared.engine
        engine.dialects[sa.dialect].tell_deleted(engine, sa, child).then(told)

    def child_gone(self, child: ChildSa) -> None:
        """Both ends know, or need not: its SAs go, and what is left takes its place."""
        if child.state is State.DEAD:
            return
        self.sas.remove_child(child)
        child.specs = []
        self.hand_over(child)
        self._let_newest_send(child)
        for name in () if child.receives_only else child.outbound():
            self.app.delete_sa(name)
        self._stop_receiving(child)
        self.log.debug(LogClass.SA, 10, "child SA %s deleted", child)
        if left := self.sas.in_slot(child.slot):
            # It may be elsewhere: what is sent goes to who is still there.
            self.shared.connections.child_moved(left[-1])
        else:
            self.shared.connections.child_down(child)

    def hand_over(self, child: ChildSa) -> None:
        """Another one sends from now on, where there is one, before ``child`` ceases to.

        Where the peer ends ``child``, this comes before our answer, upon which it may cease to
        receive with it.
        """
        self._send_instead(child)
        left = self._beside(child)
        if left and all(other.state is State.SUPERSEDED for other in left):
            self._restore_child(left)

    def _send_instead(self, child: ChildSa) -> None:
        """An heir sends in the place of ``child``, else the newest. Who ends ``child`` has its
        heir, and need not have what supersedes that: it takes over once it is known to be there."""
        left = self._beside(child)
        # Where two successors were made at once, the other one's maker may not have it yet.
        heirs = [heir for heir in child.heirs if heir.state not in _ENDING]
        heirs.sort(key=lambda heir: (heir.state is State.ESTABLISHED, heir.tiebreak))
        if heirs:
            self.take_over(heirs[-1])
        ready = [other for other in left if other.state is State.ESTABLISHED]
        ready = [heir for heir in heirs if heir in left] or ready
        if ready and all(other.receives_only for other in left):
            self._send_with(ready[-1])

    def _beside(self, child: ChildSa) -> list[ChildSa]:
        """What else carries the same traffic, oldest first."""
        return [other for other in self.sas.in_slot(child.slot) if other is not child]

    def _let_newest_send(self, gone: ChildSa) -> None:
        """Elsewhere one may have waited for the end of ``gone``, of which it takes the traffic."""
        newest = self.sas.newest_of_flow(gone.connection.name, gone.selector)
        if newest is not None and all(o.receives_only for o in self.sas.in_slot(newest.slot)):
            self.take_over(newest)

    def _stop_receiving(self, child: ChildSa) -> None:
        """What the peer has sent with a child SA that is replaced may still be on its way."""

        def stop() -> None:
            for name in child.inbound():
                self.app.delete_sa(name)

        replaced = any(heir.state is not State.DEAD for heir in child.heirs)
        if replaced or self.sas.in_slot(child.slot):
            self.timers.add("end of an inbound SA", LINGER_S, stop)
        else:
            stop()

    def _watch(
        self, job: Job[Any], what: str, *args: object, needs: ChildSa | None = None
    ) -> None:  # fmt: skip
        """Say what the application refused; a child SA that needs it is taken back."""

        def answered(job: Job[Any]) -> None:
            if job.error is None:
                return
            of = f" of {needs}" if needs else ""
            self.log.internal_err(f"application refused {what}%s: %s", *args, of, job.error)
            if needs is not None:
                self.delete_child(needs)

        job.then(answered)


def _heard_since(old: ChildSa, when: float) -> bool:
    """Whether its peer still has a child SA: something has come with it, or under its IKE SA."""
    return old.came_at > when or (old.parent is not None and old.parent.last_heard > when)


def _at(spec: SaSpec, path: Path) -> SaSpec:
    """The same SA with the peer at another place."""
    way = path.came if spec.inbound else path.out
    ports = (way.src_port, way.dst_port) if spec.encap else None
    if (way.src, way.dst, ports) == (spec.src, spec.dst, spec.encap):
        return spec
    return spec._replace(src=way.src, dst=way.dst, encap=ports)
