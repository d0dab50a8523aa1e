"""Liveness: peers that are silent are asked, and those that do not answer are dead.

RFC 3706, and RFC 7296 2.4. Messages and traffic are proof enough; only silence is asked about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isakmp.app.base import Usage
from isakmp.job import Job
from isakmp.path import Path
from isakmp.sa import ChildSa, IsakmpSa, State

if TYPE_CHECKING:
    from isakmp.keeper import Keeper

DPD_RETRIES = 5
DPD_RETRY_S = 5.0


class Liveness:
    """Which peers of one daemon's keeper are alive. interval_s: 0 where nobody is asked."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self.sas, self.app, self.timers, self.log = (
            keeper.sas, keeper.app, keeper.timers, keeper.log
        )  # fmt: skip
        self.interval_s = 0

    def ask_after(self, interval_s: int) -> None:
        """Peers are asked after so much silence from now on, those that have SAs too."""
        if interval_s != self.interval_s:
            self.interval_s = interval_s
            for sa in self.sas.isakmp.values():
                self.watch(sa)

    def watch(self, sa: IsakmpSa) -> None:
        """Look after the peer of ``sa`` in a while, where it can be asked and is to be."""
        if sa.dpd and self.interval_s:
            self._arm(sa, self.interval_s)

    def asked_if_alive(self, sa: IsakmpSa, data: bytes, path: Path) -> None:
        """R_U_THERE: a number higher than all before is no replay.

        A peer behind a NAT is where it came from.
        """
        sequence = int.from_bytes(data, "big")
        if sequence > sa.dpd_asked:
            sa.dpd_asked = sequence
            if sa.nat.remote and path != sa.path:
                self.keeper.moved(sa, path)

    def said_alive(self, sa: IsakmpSa, sequence: int) -> None:
        """R_U_THERE_ACK: counts only for the question we asked last."""
        if sa.dpd_waiting and sequence == sa.dpd_sequence:
            sa.dpd_waiting = 0
            self.watch(sa)

    def suspect(self, sa: IsakmpSa) -> None:
        """Somebody says, without proof, that the peer has lost ``sa``: ask it."""
        if sa.state is State.ESTABLISHED and self.keeper.engine.may_notify():
            self._ask(sa)

    def _arm(self, sa: IsakmpSa, wait_s: float) -> None:
        if event := sa.events.get("dpd"):
            event.cancel()
        sa.events["dpd"] = self.timers.add("DPD", wait_s, lambda: self._check_alive(sa))

    def _check_alive(self, sa: IsakmpSa) -> None:
        """Messages and traffic are proof enough; only silence is asked about."""
        if sa.state is not State.ESTABLISHED or not self.interval_s:
            return
        if not sa.dpd_waiting and self.timers.now() - sa.last_heard < self.interval_s:
            self.watch(sa)
            return
        children = self.sas.children_of(sa)
        self.count(children).then(lambda _: self._judge(sa, children))

    def _judge(self, sa: IsakmpSa, children: list[ChildSa]) -> None:
        """The counters are here: new packets, or a question, or the end."""
        if sa.state is not State.ESTABLISHED:
            return
        packets = sum(child.usage[0].packets for child in children if child.usage[0])
        if packets != sa.dpd_packets:
            sa.dpd_packets, sa.dpd_waiting = packets, 0
            if packets > 0:
                self.watch(sa)
                return
        if sa.dpd_waiting > DPD_RETRIES:
            self.dead(sa, f"no answer to {DPD_RETRIES} R_U_THERE")
            return
        sa.dpd_waiting += 1
        sa.dpd_sequence = (sa.dpd_sequence + 1) & 0x7FFFFFFF
        self._arm(sa, DPD_RETRY_S)
        self._ask(sa)

    def _ask(self, sa: IsakmpSa) -> None:
        engine = self.keeper.engine
        engine.dialects[sa.version].probe(engine, sa, sa.dpd_sequence)

    def count(self, children: list[ChildSa]) -> Job[None]:
        """Ask the application what these have carried; done when their ``usage`` is up to date."""
        names = [name for c in children for name in (c.inbound()[0], c.outbound()[0])]
        done: Job[None] = Job()

        def answered(job: Job[list[Usage | None]]) -> None:
            found = iter(job.result or [])
            for child in children:
                child.usage = next(found, None), next(found, None)
            done.finish(None)

        Job.gather([self.app.usage(name) for name in names]).then(answered)
        return done

    def dead(self, sa: IsakmpSa, why: str) -> None:
        """Nothing came for all our questions: every SA with this peer is gone."""
        if sa.state is State.DEAD:
            return
        self.log.print("peer %s is dead: %s", sa, why)
        gone = self.sas.of_peer(sa.peer)
        for each in gone:
            # Whatever its children's end sets off must not begin under it.
            each.state = State.DELETING
        for child in self.sas.children_of(sa):
            self.keeper.children.delete_child(child, tell=False)
        for each in gone:
            self.keeper.delete_sa(each, tell=False)
