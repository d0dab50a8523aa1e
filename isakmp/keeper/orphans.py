"""Child SAs of IKEv1 whose ISAKMP SA has ended without a successor (RFC 2409 4).

They go on, but there is nothing under which their peer could be asked whether it lives (RFC 3706
5.5). When it would be asked, a new phase 1 begins; who does not answer that is dead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isakmp.causes import UNANSWERED
from isakmp.errors import Refused
from isakmp.event.job import Job
from isakmp.event.timer import Event
from isakmp.keeper.children import Children
from isakmp.keeper.counters import carried, count
from isakmp.keeper.liveness import IDLE_S, TRAFFIC_S, Liveness
from isakmp.keeper.shared import Shared
from isakmp.log.log import severity_of
from isakmp.sa import ChildSa, Peer


@dataclass(slots=True)
class _Watch:
    """heard: when something came last; pause: while a peer that has answered is not asked again;
    asked: when, and about what, that was."""

    heard: float
    pause: Event | None = None
    asked: tuple[float, list[ChildSa]] = (0.0, [])


class Orphans:
    """The peers of one daemon's keeper that have child SAs and no ISAKMP SA."""

    def __init__(self, shared: Shared, children: Children, liveness: Liveness) -> None:
        self.shared, self._children, self._liveness = shared, children, liveness
        self._watched: dict[Peer, _Watch] = {}

    def look_after(self, peer: Peer) -> None:
        """An ISAKMP SA with ``peer`` has ended."""
        children, watch = self._of(peer), self._watched.get(peer)
        if not children or (watch is not None and not self._is_over(watch, children)):
            return
        if watch is not None and watch.pause is not None:
            watch.pause.cancel()
        self._watched[peer] = _Watch(self.shared.timers.now())
        self._look(peer)

    def _is_over(self, watch: _Watch, children: list[ChildSa]) -> bool:
        """Whether a pause has lost its cause: the answer did not end again at once, or what it was
        asked about has been made anew."""
        when, what = watch.asked
        lasted = self.shared.timers.now() - when > TRAFFIC_S
        return watch.pause is not None and (lasted or not set(what) & set(children))

    def _of(self, peer: Peer) -> list[ChildSa]:
        """What is left of a peer; nothing where it has an ISAKMP SA again."""
        sas = self.shared.sas
        return [] if sas.current(peer) else sas.children_of_peer(peer)

    def _arm(self, peer: Peer, wait_s: float = TRAFFIC_S) -> Event:
        return self.shared.timers.add("orphans", wait_s, self._look, peer)

    def _look(self, peer: Peer) -> None:
        children, self._watched[peer].pause = self._of(peer), None
        if not children:
            del self._watched[peer]
            return
        count(self.shared, children).then(lambda _: self._judge(peer, children))

    def _judge(self, peer: Peer, children: list[ChildSa]) -> None:
        watch, now = self._watched[peer], self.shared.timers.now()
        came, went = carried(children)
        watch.heard = max(watch.heard, came)
        remote = children[-1].connection.remote
        due = self._liveness.due(remote, now - watch.heard, went > watch.heard)
        exchange = self.shared.connections.begin_sa_of(children[-1]) if due else None
        if exchange is None:
            self._arm(peer)
        else:
            exchange.finished.then(lambda job: self._answered(peer, children, job))

    def _answered(self, peer: Peer, children: list[ChildSa], job: Job[Any]) -> None:
        """The new phase 1 is over. A peer that ends it again at once is not asked so soon. One that
        is another peer to us since has what is left made anew."""
        error = job.error
        if isinstance(error, Refused) and (reason := error.reason).cause in UNANSWERED:
            for child in self._of(peer):
                told = severity_of(reason), "%s is given up: %s", child, reason.detail
                self.shared.log.write(*told)
                child.end = reason
                self._children.delete_child(child)
        if error is not None:
            self._arm(peer)
            return
        self._liveness.renew(self._of(peer))
        watch = self._watched[peer]
        watch.pause, watch.asked = self._arm(peer, IDLE_S), (self.shared.timers.now(), children)
