"""Liveness: peers that are silent are asked, and those that do not answer are dead.

RFC 3706, and RFC 7296 2.4. Authentic messages and packets are proof enough. After silence a peer is
asked, again and again, and is dead once it has been silent for so long though it was asked. Unless
the configuration says how much silence is too much, it is that which traffic of ours has met with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from isakmp.errors import Reason
from isakmp.event.job import Job
from isakmp.exchange.budget import Recent
from isakmp.keeper.children import Children
from isakmp.keeper.counters import LEAST_S, carried, count
from isakmp.keeper.shared import Shared
from isakmp.log.log import severity_of
from isakmp.path import Path
from isakmp.policy.catalog import narrowed
from isakmp.sa import ChildSa, IsakmpSa, State, same_peer

RETRY_S = 5.0
# A kind of the budget that no notify has: questions that a stranger's word makes us ask.
SUSPICION = -1
# New SAs, on a stranger's word, with a peer that cannot be asked whether it lives.
ANEW_PER_S, ANEW_BURST = 1 / 60, 2
# Where only traffic decides: how often we look whether it has an answer, and without any traffic.
TRAFFIC_S, QUIET_S = 10, 30
# Who keeps a connection up asks a peer that is silent for so long all the same: one that has lost
# everything may wait for us, with traffic of its own.
IDLE_S = 120


class EndSa(Protocol):
    """Ends an ISAKMP SA or IKE SA; tell: its peer is told."""

    def __call__(self, sa: IsakmpSa, tell: bool = True) -> object: ...


class Liveness:
    """Which peers of one daemon's keeper are alive. Seconds: interval_s of silence until a peer is
    asked, 0: only those who are suspected; timeout_s from the first question until it is dead.
    by_traffic: silence is asked about only where traffic has gone out meanwhile, or after IDLE_S of
    it where a connection is kept up. moved: hears that a peer asks from another address."""

    def __init__(
        self, shared: Shared, children: Children, end_sa: EndSa,
        moved: Callable[[IsakmpSa, Path], object],
    ) -> None:  # fmt: skip
        self.shared, self._children, self._end_sa, self._moved = shared, children, end_sa, moved
        self.sas, self.app, self.timers, self.log = (
            shared.sas,
            shared.app,
            shared.timers,
            shared.log,
        )
        self.interval_s, self.timeout_s, self.by_traffic = 0, 30, False
        self._anew = Recent(self.timers.now, ANEW_PER_S, ANEW_BURST)

    def ask_after(self, interval_s: int | None, timeout_s: int) -> None:
        """Peers are asked after so much silence from now on, those that have SAs too.

        None: only where traffic to them has no answer.
        """
        self.timeout_s, self.by_traffic = timeout_s, interval_s is None
        interval_s = QUIET_S if interval_s is None else interval_s
        if interval_s != self.interval_s:
            self.interval_s = interval_s
            for sa in self.sas.isakmp.values():
                self.watch(sa)

    def watch(self, sa: IsakmpSa) -> None:
        """Look after the peer of ``sa`` in a while, where it can be asked and is to be."""
        if not sa.dpd or not self.interval_s:
            return
        most_s = TRAFFIC_S if sa.dpd_busy else IDLE_S
        left_s = (most_s if self.by_traffic else self.interval_s) - sa.silent_s(self.timers.now())
        self._arm(sa, max(min(left_s, self.interval_s), LEAST_S) if left_s > 0 else self.interval_s)

    def asked_if_alive(self, sa: IsakmpSa, data: bytes, path: Path) -> None:
        """R_U_THERE: a number higher than all before is no replay.

        A peer behind a NAT is where it came from. Who asks can be asked: the vendor ID, which
        nothing protects, may have got lost.
        """
        if not sa.dpd:
            sa.dpd = True
            self.watch(sa)
        sequence = int.from_bytes(data, "big")
        if sequence > sa.dpd_asked:
            sa.dpd_asked = sequence
            self._moved(sa, sa.nat.followed(sa.path, path))

    def said_alive(self, sa: IsakmpSa, sequence: int) -> None:
        """An answer: counts only for the question we asked last."""
        if sa.dpd_waiting and sequence == sa.dpd_sequence:
            self._lives(sa)

    def suspect(self, sa: IsakmpSa) -> None:
        """Somebody says, without proof, that the peer has lost ``sa``: ask it now.

        What comes from now on is proof that the peer lives. Where the first question has no
        answer, we do not wait for its death (RFC 7296 2.4): see _begin_anew(). Who has never heard
        of such questions (RFC 3706) is asked for another SA at once, but not so often.
        """
        if not self.shared.engine.budget.take(SUSPICION, sa.path.remote, proven=True):
            return
        if not sa.dpd:
            if sa is self.sas.current(sa.peer) and self._anew.take(sa.peer):
                self._begin_anew(sa)
            return
        sa.doubted = True
        children = self.sas.children_of(sa)

        def counted(job: Job[None]) -> None:
            if sa.state is State.ESTABLISHED and not sa.dpd_waiting:
                sa.packets_at = max(sa.packets_at, carried(children)[0])
                self._ask(sa)

        count(self.shared, children).then(counted)

    def doubt(self, child: ChildSa) -> None:
        """The same of a child SA. Where nothing is left under which its peer could be asked, a new
        phase 1 is the question; who does not answer that keeps what it has."""
        if sa := child.parent or self.sas.current(child.peer):
            self.suspect(sa)
            return
        budget = self.shared.engine.budget
        if not budget.take(SUSPICION, child.path.remote, proven=True):
            return
        begins = self._anew.take(child.peer)
        if begins and (begun := self.shared.connections.begin_sa_of(child)):
            self.log.proto_warn("%s: the peer seems to have lost it: phase 1 is begun", child)
            left = self.sas.children_of_peer(child.peer)
            begun.finished.then(lambda _: self.renew(left))

    def _lives(self, sa: IsakmpSa) -> None:
        sa.dpd_waiting, sa.doubted = 0, False
        if event := sa.events.pop("dpd", None):
            event.cancel()
        self.watch(sa)

    def _arm(self, sa: IsakmpSa, wait_s: float) -> None:
        if event := sa.events.get("dpd"):
            event.cancel()
        sa.events["dpd"] = self.timers.add("DPD", wait_s, self._look, sa)

    def _look(self, sa: IsakmpSa) -> None:
        """Only silence is asked about."""
        if sa.state is not State.ESTABLISHED or not (sa.dpd_waiting or self.interval_s):
            return
        left_s = (TRAFFIC_S if self.by_traffic else self.interval_s) - sa.silent_s(
            self.timers.now()
        )
        if not sa.dpd_waiting and left_s > 0:
            # Heard since the SA was made, or just after the last look.
            self._arm(sa, max(left_s, LEAST_S))
            return
        children = self.sas.children_of(sa)
        count(self.shared, children).then(lambda _: self._judge(sa, children))

    def due(self, remote: str, silent_s: float, unanswered: bool) -> bool:
        """Whether a peer that nothing has come from for so long is to be asked; unanswered: though
        something has gone out since."""
        if not self.by_traffic:
            return 0 < self.interval_s <= silent_s
        idle = silent_s >= IDLE_S and self.shared.connections.wants(remote)
        return idle or (unanswered and silent_s >= TRAFFIC_S)

    def _judge(self, sa: IsakmpSa, children: list[ChildSa]) -> None:
        """The counters are here: new packets, nothing to ask about, or a question, or the end."""
        if sa.state is not State.ESTABLISHED:
            return
        came, went = carried(children)
        if came > sa.packets_at:
            sa.packets_at = came
            self._lives(sa)
        now = self.timers.now()
        silent_s, sa.dpd_busy, sa.dpd_looked = sa.silent_s(now), went > sa.dpd_looked, now
        unanswered = went > now - silent_s
        if not sa.dpd_waiting and not self.due(sa.remote.name, silent_s, unanswered):
            self.watch(sa)
        elif sa.dpd_waiting * self._retry_s >= self.timeout_s:
            self.dead(sa, "though it was asked", now)
        else:
            self._ask(sa)
            if sa.doubted and sa.dpd_waiting > 1:
                self._begin_anew(sa)

    def _begin_anew(self, sa: IsakmpSa) -> None:
        """Another SA beside ``sa``, and what it protected under that, before it is dead.

        A peer that has lost ``sa`` has traffic at once; where somebody lied, one is replaced.
        """
        sa.doubted, connections = False, self.shared.connections
        if not connections.settings.active or not connections.wants(sa.remote.name):
            return
        left = [child for child in self.sas.children_of(sa) if child.state is State.ESTABLISHED]
        if self.sas.successor(sa) is not None:
            # It is there, and is another peer to us: the one in doubt ends by itself.
            self._replaced(sa, left)
            return
        self.log.proto_warn("%s: the peer seems to have lost it: another one is begun", sa)
        brings = left[0].connection if left else None
        begun = connections.begin_sa(sa.remote, sa.path, brings, sa.nat)
        begun.finished.then(lambda _: self._replaced(sa, left))

    def _replaced(self, sa: IsakmpSa, children: list[ChildSa]) -> None:
        """What an SA that the peer seems to have lost protected, or was to, under the one after
        it."""
        if (new := self.sas.successor(sa)) is not None:
            self.shared.connections.ask_again(sa, new)
            self._renew_under([child for child in children if same_peer(new, child)], new)

    def renew(self, children: list[ChildSa]) -> None:
        """Make those that are left anew, where an SA serves, and those that have ended meanwhile as
        their peer had forgotten them."""
        for child in children:
            if (new := self.sas.serving(child)) is not None:
                self._renew_under([child], new)

    def _renew_under(self, children: list[ChildSa], new: IsakmpSa) -> None:
        for child in children:
            if child.state is State.ESTABLISHED or (child.forgotten and self._lacks(child)):
                self.shared.connections.renew(child, new)

    def _lacks(self, gone: ChildSa) -> bool:
        """Whether nothing has what a child SA that is gone carried, and that is to be as it was."""
        entry = self.shared.connections.entries.get(gone.connection.name)
        if entry is None or entry.held_down:
            return False
        now, before = (narrowed(c, gone.selector) for c in (entry.connection, gone.connection))
        left = self.sas.in_slot(gone.slot)
        return now == before and not any(child.state is State.ESTABLISHED for child in left)

    def _ask(self, sa: IsakmpSa) -> None:
        sa.dpd_waiting += 1
        self._arm(sa, self._retry_s)
        self.question(sa)

    def question(self, sa: IsakmpSa) -> None:
        """Ask once, whatever becomes of it: what comes from the peer of ``sa`` is its answer."""
        sa.dpd_sequence = (sa.dpd_sequence + 1) & 0x7FFFFFFF
        engine = self.shared.engine
        engine.dialects[sa.dialect].probe(engine, sa, sa.dpd_sequence)

    @property
    def _retry_s(self) -> float:
        """Seconds from question to question: there is more than one."""
        return min(RETRY_S, self.timeout_s / 2)

    def count_under(self, sas: list[IsakmpSa]) -> Job[None]:
        """Ask what has come under each of these; done when heard_at() has it."""
        made = dict.fromkeys(child for sa in sas for child in self.sas.children_of(sa))
        return count(self.shared, list(made))

    def heard_at(self, sa: IsakmpSa) -> float:
        """When something last came for certain under ``sa``: a message, or as far as is counted, a
        packet of what was made under it. Other child SAs of its peer may be another device's."""
        made = [c for c in self.sas.children_of(sa) if c.parent is sa or c.kin is sa.kin]
        return max(sa.last_heard, carried(made)[0])

    def dead(self, sa: IsakmpSa, what: str, since: float = math.inf) -> None:
        """Nothing came for all our questions: every SA with this peer is gone, but what it has been
        heard under since, as another device may have come to this one's place. what: was asked;
        since: it lives where something comes under ``sa`` after that."""
        counted = self.count_under(self.sas.of_peer(sa.peer))
        counted.then(lambda _: self._give_up(sa, what, since))

    def _give_up(self, sa: IsakmpSa, what: str, since: float) -> None:
        if sa.state is State.DEAD:
            return
        if sa.last_heard > since:
            self._lives(sa)
            return
        told = f"the peer is dead, silent for {sa.silent_s(self.timers.now()):.0f} s, {what}"
        reason = self.shared.engine.unsent(sa.path) or Reason("peer-dead", told)
        self.log.write(severity_of(reason), "%s is given up: %s", sa, reason.detail)
        lives = self._heard_since(sa)
        gone = [each for each in self.sas.of_peer(sa.peer) if each not in lives]
        for each in gone:
            # Whatever its children's end sets off must not begin under it, nor is that told: who
            # was out of reach only hears of it once it is back.
            each.state, each.end = State.DELETING, reason
        spared = {each.kin.lineage for each in lives}
        for child in self.sas.children_of(sa):
            if child.parent is None and child.kin.lineage not in spared:
                child.end = reason
                self._children.delete_child(child)
        for each in gone:
            self._end_sa(each, tell=False)

    def _heard_since(self, sa: IsakmpSa) -> list[IsakmpSa]:
        """The others with its peer that something has come under since it did under ``sa``: they
        are asked about themselves. One that ``sa`` was to replace may be all that the peer has."""
        since = max(self.heard_at(sa), sa.packets_at)
        heard = [(x, self.heard_at(x)) for x in self.sas.of_peer(sa.peer)]
        # Where the stack does not tell when, what came between two counts came with both at once:
        # that of the newer one is taken for the later.
        return [
            x for x, at in heard
            if at > since or (at == since and at > x.established > sa.established)
        ]  # fmt: skip
