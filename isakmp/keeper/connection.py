"""What should be up: policies, starting, restarting, acquires. For a reload: changes.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from isakmp.app.base import Acquire, Application
from isakmp.causes import UNANSWERED
from isakmp.constants import ISAKMP_PORT
from isakmp.errors import ConfError, Reason, Refused, reason_of
from isakmp.event.job import Job
from isakmp.event.timer import Timers
from isakmp.exchange.engine import Engine
from isakmp.exchange.exchange import Exchange
from isakmp.exchange.host import User
from isakmp.keeper.beginnings import Beginnings
from isakmp.keeper.entry import AWAITED_S, Entry, Settings
from isakmp.keeper.packets import Packets, Request, once_more
from isakmp.keeper.policies import Policies
from isakmp.keeper.reqids import Flow
from isakmp.log.log import Log, LogClass, severity_of
from isakmp.path import Path
from isakmp.policy.catalog import Catalog
from isakmp.policy.spd import Address, Connection, Remote, Selector, Traffic
from isakmp.policy.traffic import carries_all, configured
from isakmp.sa import ChildSa, IsakmpSa, Nat, State
from isakmp.sa_database import SaDatabase

REKEY_RETRY_S, HEIR_S = 20.0, 0.1

Made = tuple[IsakmpSa | ChildSa, Remote | None]
"""An SA, and the peer as it was known to what made it; None where that is gone."""


class Connections:
    """Every connection of the configuration, and the policies of those and of passive peers."""

    def __init__(
        self, *, engine: Engine, sas: SaDatabase, app: Application, catalog: Catalog,
        timers: Timers, log: Log, source: Callable[[Address], Address | None],
        port: int = ISAKMP_PORT,
    ) -> None:  # fmt: skip
        self.engine, self.sas, self.app, self.catalog = engine, sas, app, catalog
        self.timers, self.log = timers, log
        self.settings = Settings()
        self.entries: dict[str, Entry] = {}
        self._with: dict[str, dict[str, Entry]] = {}
        self.busy: dict[Flow, Exchange] = {}
        self.beginnings = Beginnings(engine, source, port)
        self.policies = Policies(app, log, sas, self.entries)
        self.flows = self.policies.flows
        self.packets = Packets(sas, self.entries)
        self.meanwhile: list[Made] | None = None

    # --- configuration -----------------------------------------------------------------------

    def take_up(self, connection: Connection) -> Entry:
        """Keep a connection, in the place of what it was before. What had its traffic until now
        stands beside it until drop() or settle()."""
        remote = self.catalog.remote(connection.remote)
        self._let_go(connection.name)
        entry = self.entries[connection.name] = Entry(connection, remote)
        entry.beside = tuple(self.flows.of((connection.name, None)))
        self._with.setdefault(remote.name, {})[connection.name] = entry
        self._stand(entry)
        return entry

    def begin(self, entry: Entry) -> None:
        """Bring up what has been taken up, where it is for us to do, and nobody has said no."""
        idle = entry.connection.passive or entry.held_down or self.settings.acquire_only
        if self.entries.get(entry.name) is entry and self.settings.active and not idle:
            self.bring_up(entry)

    def drop(self, entry: Entry, children: Iterable[ChildSa]) -> None:
        """Forget a connection, or what it was before: its timers, those child SAs, its policies."""
        name = entry.name
        if self.entries.get(name) is entry:
            self._let_go(name)
        self.settle(name, children)
        self.policies.give_back((name, entry.connection.selector))

    def settle(self, name: str, children: Iterable[ChildSa]) -> None:
        """Delete those child SAs; no policies stay but those of what is known of the name now."""
        with self.flows.together():
            for child in children:
                self.engine.owner.children.delete_child(child)
            self.flows.drop(name)
            if name in self.policies.fixed:
                self.flows.put((name, None), self.policies.fixed[name])
            if entry := self.entries.get(name):
                entry.beside = ()
                self._stand(entry)
            for child in self.sas.of_connection(name):
                if child not in children and child.state is State.ESTABLISHED:
                    self.child_moved(child)

    def _let_go(self, name: str) -> None:
        """Neither a timer nor a command finds it any more."""
        self.packets.forget(name)
        entry = self.entries.pop(name, None)
        if entry is not None:
            del self._with[entry.remote.name][name]
            entry.wanted, entry.held_down = False, True
            self._rest(entry)
            if entry.route is not None:
                entry.route.cancel()
                entry.route = None

    def _remote_now(self, name: str) -> Remote | None:
        try:
            return self.catalog.remote(name)
        except ConfError:
            return None

    def cancel(self, exchange: Exchange, reason: Reason) -> None:
        """What an exchange negotiates must not come up."""
        if not exchange.script.tells:
            self.engine.cancel(exchange, replace(reason, line=exchange.remote.line))

    def end(self) -> None:
        """Forget all connections, those that are left out with them."""
        self.policies.fixed = {}
        for entry in list(self.entries.values()):
            self.drop(entry, self.sas.of_connection(entry.name))
        self.flows.end()

    def _entries_with(self, remote: Remote) -> list[Entry]:
        """Every connection with a peer."""
        return list(self._with.get(remote.name, {}).values())

    # --- up and down -------------------------------------------------------------------------

    def connect(self, name: str) -> Job[Any]:
        """Start a connection by command, listed or not. ConfError where there is none."""
        entry = self.entries.get(name)
        if entry is None:
            entry = self.take_up(self.catalog.connection(name))
            self.settle(name, ())
        self._give_up_doubtful(entry)
        entry.held_down, entry.tries, entry.failure = False, 0, None
        return self.bring_up(entry)

    def _give_up_doubtful(self, entry: Entry) -> None:
        """What can tell nothing of how things are now is begun anew, for all that wait for it."""
        remote = self._remote_now(entry.connection.remote) or entry.remote
        doubtful = self.beginnings.doubtful(remote, self._running_for(entry))
        if doubtful is None or not self.packets.lacks(entry):
            return
        waiting = [each for each in self._entries_with(remote) if each.waiting is doubtful]
        for each in waiting:
            each.waiting = None
        self.cancel(doubtful, Reason("superseded", "it is begun anew by command"))
        for each in waiting:
            self.bring_up(each)

    def bring_up(self, entry: Entry, under: IsakmpSa | None = None) -> Job[Any]:
        """Negotiate until it is up; the job tells of this attempt's exchange, if one began. under:
        what is known to be the one to ask under."""
        entry.wanted, entry.unreached = True, False
        entry.remote = self._remote_now(entry.connection.remote) or entry.remote
        self._rest(entry)
        self._stand(entry)
        name = entry.connection.name
        if self.packets.lacking(entry.connection):
            self.log.debug(LogClass.SA, 20, "connection %s: waits for a packet", name)
            return Job.of(None)
        part = self._asked_for(entry)
        if part is None:
            return Job.of(None)
        wanted = self.packets.ask(entry.connection, part)
        if running := self.under_way(wanted.flow):
            return running.finished
        if not entry.waiting:
            entry.began = self.timers.now()
        sa = under or self.sas.current_of_remote(entry.remote.name)
        if sa is not None:
            return self._begin_child(sa, wanted)
        return self._begin_phase_1(entry)  # with a new IKE SA comes all of it

    def _asked_for(self, entry: Entry) -> Traffic | None:
        """What of a connection is to be asked for now; None where it is up, be it in part."""
        if self.packets.by_pairs(entry.connection):
            return configured(entry.connection)
        if self._is_up(entry) and self.timers.now() >= entry.awaited_until:
            self.packets.served(entry.name)  # nobody waits for that packet any more
        part = self.packets.left(entry)
        if part is None:
            self.packets.served(entry.name)
            if entry.less is not None:
                self.log.info("connection %s is up in part: %s", entry.name, entry.less.brief())
        return part

    def _begin_phase_1(self, entry: Entry) -> Job[Any]:
        path = self.beginnings.path_to(entry.remote)
        if path is None:
            entry.waiting, entry.unreached = None, True
            reason = _nowhere(entry.remote)
            if not entry.failed_for(reason.cause):  # no exchange tells it
                self.log.write(severity_of(reason), "connection %s: %s", entry.name, reason)
            self._failed(entry, reason)
            return Job.failed(Refused(reason))
        entry.waiting = exchange = self.begin_sa(entry.remote, path, entry.connection)
        exchange.finished.then(lambda job: self._phase_1_over(entry, exchange, job))
        return exchange.finished

    def begin_sa(
        self, remote: Remote, path: Path, connection: Connection | None = None,
        nat: Nat | None = None,
    ) -> Exchange:  # fmt: skip
        """Start phase 1 with a peer, or join the one that is under way.

        connection: what may be negotiated along with it, where the protocol does that; nat: what
        was found on the way to it before.
        """
        wanted = partial(self._wanted_of, remote)
        brings = wanted if connection is None else lambda: connection
        return self.beginnings.begin(remote, path, nat or Nat(), brings)

    def _wanted_of(self, remote: Remote) -> Connection | None:
        """Some connection that should be up: not every peer takes an IKE SA without child SA."""
        wanted = (e for e in self._entries_with(remote)
                  if e.wanted and not self.packets.lacking(e.connection))  # fmt: skip
        entry = next(wanted, None)
        return entry.connection if entry else None

    def _phase_1_over(self, entry: Entry, exchange: Exchange, job: Job[Any]) -> None:
        if job.error is not None and entry.waiting is exchange:
            entry.waiting, entry.unreached = None, True
            self._failed(entry, reason_of(job.error))

    def sa_up(self, sa: IsakmpSa, brings: Connection | None = None) -> None:
        """Phase 1 is done, whoever began it: what waits for it goes on.

        brings: the connection whose child SA is being made along with it.
        """
        self.beginnings.spoke(sa)
        for entry in self._entries_with(sa.remote):
            if entry.waiting or (entry.unreached and entry.retry is not None):
                entry.waiting, entry.unreached = None, False
                self._rest(entry)
                coming = brings is not None and brings.name == entry.connection.name
                part = self.packets.left(entry)
                if not coming and part is not None and not entry.held_down:
                    self._begin_child(sa, self.packets.ask(entry.connection, part))

    def child_refused(self, connection: Connection, reason: Reason) -> None:
        """The peer took the SA that came first, but not the child SA along with it."""
        if entry := self.entries.get(connection.name):
            self._failed(entry, reason)

    def _begin_child(self, sa: IsakmpSa, request: Request) -> Job[Any]:
        running = self.under_way(request.flow)
        # What is asked for under another one ends with that, which its peer may have lost.
        if running is not None and running.sa is sa:
            return running.finished
        if reason := self._no_room(sa, request):
            return Job.failed(Refused(reason))
        dialect = self.engine.dialects[sa.dialect]
        exchange = dialect.begin_child(
            self.engine, sa, request.connection, request.before, request.part
        )
        if not exchange.over:
            self.busy[request.flow] = exchange
        exchange.finished.then(lambda job: self._child_over(request, exchange, job))
        return exchange.finished

    def _no_room(self, sa: IsakmpSa, request: Request) -> Reason | None:
        """Why no more is asked for of a connection that is up: what a peer makes of one is bounded,
        whoever begins it."""
        name, selector = request.flow
        entry = self.entries.get(name)
        if entry is None or request.before or not self._is_up(entry):
            return None
        reason = self.engine.bounds.child(sa, (selector,), replacing=False)
        if reason is not None:
            if not entry.failed_for(reason.cause):
                self.engine.met(entry.remote.name, reason)
            self._failed(entry, reason)
        return reason

    def under_way(self, flow: Flow) -> Exchange | None:
        """The exchange that makes a child SA for that traffic; one that was cancelled and waits for
        its answer makes none."""
        running = self.busy.get(flow)
        return running if running is not None and running.unwanted is None else None

    def so_far(self, entry: Entry) -> Reason | None:
        """What is in the way of the try that is under way, if anything is."""
        exchange = self._running_for(entry)
        return self.engine.so_far(exchange) if exchange is not None else None

    def _running_for(self, entry: Entry) -> Exchange | None:
        """What is under way to bring it up: its own, or the phase 1 that it waits for."""
        return self.under_way((entry.name, entry.connection.selector)) or entry.waiting

    def _child_over(self, request: Request, exchange: Exchange, job: Job[Any]) -> None:
        name, selector = flow = request.flow
        replaced = self.busy.get(flow) not in (None, exchange)
        if not replaced:
            self.busy.pop(flow, None)
        if job.error is None:
            return
        reason, entry = reason_of(job.error), self.entries.get(name)
        lost = self._has_lost(exchange, reason)
        if entry is None or replaced:
            return
        if request.part is None and entry.connection.selector != selector:
            return
        # One that this very try has made is no reason to go on without a pause.
        lost = lost and exchange.sa is not None and exchange.sa.established < entry.began
        new = self._another(exchange)
        again = (lost or new is not None) and entry.wanted and self.settings.active
        if again and self.packets.lacks(entry):
            self.bring_up(entry, new)
        else:
            self._failed(entry, reason)

    def _has_lost(self, exchange: Exchange, reason: Reason) -> bool:
        """A peer that has lost our ISAKMP SA is silent for ever; a new phase 1 reaches it, or tells
        why it does not, and belongs to the same try."""
        sa = exchange.sa
        lost = exchange.unheard and reason.cause in UNANSWERED
        if sa is None or not lost or sa.state is State.DEAD:
            return False
        self.log.write(severity_of(reason), "%s is given up: %s", sa, reason.detail)
        self.engine.owner.delete_sa(sa)
        return True

    def _another(self, exchange: Exchange) -> IsakmpSa | None:
        """What is to be asked under instead, where the SA of an exchange has ended beneath it."""
        sa = exchange.sa
        return self.sas.successor(sa) if sa is not None and sa.state is State.DEAD else None

    def _failed(self, entry: Entry, reason: Reason) -> None:
        """Try again after a growing, jittered while."""
        entry.failure, entry.failed = reason, self.timers.now()
        if not self.packets.lacks(entry):
            # A successor was refused: that is no attempt to bring it up.
            return
        if self._is_up(entry):
            entry.less = reason
        entry.tries += 1
        if not entry.wanted or not self.settings.active:
            return
        self._rest(entry)
        self._try_again(entry)

    def _try_again(self, entry: Entry) -> None:
        """After a pause; one that has begun is at most cut short."""
        now, draw = self.timers.now(), self.engine.random(1)[0] / 256
        wait = entry.pause_s(now, self.settings.check_interval_s, draw)
        if entry.retry is None or entry.retry.when > now + wait:
            self._rest(entry)
            entry.retry = self.timers.add("connection retry", wait, self.bring_up, entry)

    def _await(self, entry: Entry) -> None:
        """Packets wait for it, there or here."""
        entry.awaited_until = self.timers.now() + AWAITED_S
        if entry.retry is not None and entry.wanted and self.settings.active:
            self._try_again(entry)

    def heard_from(self, address: Address) -> None:
        """Packets for SAs that we have lost come from there: who sends them can be reached."""
        for entry in self._with.get(self.catalog.named_at(address) or "", {}).values():
            self._await(entry)

    def down(self, name: str) -> None:
        """Take a connection down by command; it stays down until it is started again."""
        entry = self.entries.get(name)
        if entry is not None:
            entry.wanted, entry.held_down, entry.waiting = False, True, None
            self._rest(entry)
        for child in self.sas.of_connection(name):
            self.engine.owner.children.delete_child(child)
        reason = Reason("taken-down", "its connection was taken down while it ran")
        for exchange in self.engine.under_way():
            now = self._remote_now(exchange.remote.name)
            if exchange.name == name or now != exchange.remote:
                self.cancel(exchange, reason)

    @staticmethod
    def _rest(entry: Entry) -> None:
        if entry.retry is not None:
            entry.retry.cancel()
            entry.retry = None

    def _up(self, entry: Entry) -> list[ChildSa]:
        return [c for c in self.sas.of_connection(entry.name) if c.state is State.ESTABLISHED]

    def _is_up(self, entry: Entry) -> bool:
        return self.sas.is_up(entry.name)

    def wants(self, remote: str) -> bool:
        """Whether a connection with that peer should be up."""
        return any(entry.wanted for entry in self._with.get(remote, {}).values())

    def made(self, new: IsakmpSa | ChildSa, under: IsakmpSa | None) -> None:
        """There is another SA, made under that one: a change that is under way looks at it."""
        if self.meanwhile is not None:
            self.meanwhile.append((new, under.remote if under else None))

    # --- what happens to child SAs -----------------------------------------------------------

    def child_up(self, child: ChildSa) -> None:
        """A child SA is there, whoever began it: its traffic has policies, and its entry rests, but
        where a packet of something else waits."""
        entry = self.entries.get(child.connection.name)
        if entry is not None:
            if self._serves(entry, child):
                self.packets.served(entry.name)
                entry.tries, entry.failure = 0, None
                self._rest(entry)
            entry.waiting = None
            entry.up_since = self.timers.now() if entry.up_since is None else entry.up_since
        self._install_flow(child)

    def _serves(self, entry: Entry, child: ChildSa) -> bool:
        """Whether what has come carries the packet that was waited for. Why it is up in part is
        forgotten once it is not."""
        if entry.less is not None and carries_all(entry.connection, self._up(entry)):
            entry.less = None
        return self.packets.serves(entry, child)

    def narrowed(self, connection: Connection, reason: Reason) -> bool:
        """The peer has agreed on less than was asked for; whether that is news. A packet of the
        rest waits for the next try."""
        entry = self.entries.get(connection.name)
        if entry is None or entry.connection.passive:
            return True  # each client has a part of what is passive
        news, entry.less = entry.less != reason, reason
        if self.packets.lacks(entry):
            self._failed(entry, reason)
        return news

    def child_moved(self, child: ChildSa) -> None:
        """A child SA has another end, or what had its traffic is gone: the newest has the policies,
        as an older one may be where it is by a guess."""
        newest = self.sas.newest_of_flow(child.connection.name, child.selector)
        self._install_flow(newest or child)

    def child_down(self, child: ChildSa) -> None:
        """The last child SA of this traffic with its peer is gone."""
        entry = self.entries.get(child.connection.name)
        if left := self.sas.of_flow(child.connection.name, child.selector):
            # A client has come back under another identity or address before it was missed.
            self.child_moved(left[-1])
            return
        self.policies.remove(child)
        if entry is None or any(heir.state is State.ESTABLISHED for heir in child.heirs):
            return
        if not self._is_up(entry):
            entry.up_since = entry.less = None
        if not entry.connection.passive and entry.wanted and not entry.held_down:
            self._failed(entry, child.end or Reason("sa-gone", "its last child SA is gone"))
        elif child.end is not None and not self._is_up(entry):
            entry.failure, entry.failed = child.end, self.timers.now()

    def rekey(self, child: ChildSa) -> None:
        """A successor for a child SA that soon expires; begun again until it is there."""
        if child.state is not State.ESTABLISHED or not self.settings.active:
            return
        again = child.events.pop("rekey", None)
        if again is not None:
            again.cancel()
        wait = min(REKEY_RETRY_S, max(1.0, (child.limits.hard_s - child.limits.soft_s) / 3))
        child.events["rekey"] = self.timers.add("child SA rekey", wait, self.rekey, child)
        self.replace(child)

    def _owns_children(self, sa: IsakmpSa) -> bool:
        return self.engine.dialects[sa.dialect].owns_children

    def replace(self, child: ChildSa) -> None:
        """A successor for a child SA, unless one is under way."""
        if self.under_way((child.connection.name, child.selector)):
            return
        sa = child.parent or self.sas.current(child.peer)
        # One of IKEv1 can only be made once more under an IKE SA.
        other = sa is not None and child.parent is None and self._owns_children(sa)
        if sa is not None and sa.state is State.ESTABLISHED and not other:
            asked = self._begin_child(sa, once_more(child))
            asked.then(lambda job: self._ask_heir(child, sa, job))
        elif new := self.sas.serving(child):
            self.renew(child, new)
        elif exchange := self.begin_sa_of(child):
            exchange.finished.then(lambda job: self._rekey_under(child, job))

    def _ask_heir(self, child: ChildSa, sa: IsakmpSa, job: Job[Any]) -> None:
        """What ended with ``sa`` is asked for under its successor, once that has ``child``."""
        again = child.events.get("rekey")
        if job.error is not None and sa.state is not State.ESTABLISHED and again is not None:
            again.cancel()
            child.events["rekey"] = self.timers.add("child SA rekey", HEIR_S, self.rekey, child)

    def begin_sa_of(self, child: ChildSa) -> Exchange | None:
        """Start phase 1 with the peer of a child SA; None where it is known no more, or not to."""
        remote = self._remote_now(child.connection.remote)
        if remote is None or not self.settings.active:
            return None
        return self.begin_sa(remote, child.path, child.connection, child.nat)

    def _rekey_under(self, child: ChildSa, job: Job[Any]) -> None:
        """The phase 1 that the rekeying needed is over. What it has made may be of no use."""
        if job.error is not None or child.state is not State.ESTABLISHED:
            return
        if self.sas.serving(child) is None:
            self.log.proto_warn("%s: rekeying waits: phase 1 has brought none with its peer", child)
        elif self.settings.active:
            self.replace(child)

    def renew(self, child: ChildSa, sa: IsakmpSa) -> Job[Any]:
        """The same child SA under another IKE SA. With who is the same peer to us it is succeeded;
        else it ends when that is there."""
        made = self._begin_child(sa, once_more(child))
        if sa.peer != child.peer:
            made.then(lambda job: self._succeeded(child, job))
        return made

    def _succeeded(self, child: ChildSa, job: Job[Any]) -> None:
        if job.error is None:
            self.engine.owner.children.delete_child(child)

    def ask_again(self, lost: IsakmpSa, new: IsakmpSa) -> None:
        """What is asked for under an SA that its peer seems to have lost is asked for under the one
        that has come meanwhile, whatever becomes of the first question."""
        for flow in [flow for flow, exchange in self.busy.items() if exchange.sa is lost]:
            entry = self.entries.get(flow[0])
            if entry is not None and entry.wanted and entry.connection.selector == flow[1]:
                del self.busy[flow]
                self.bring_up(entry, new)

    def bring_up_with(self, remote: Remote) -> None:
        """Everything that should be up with a peer, now."""
        for entry in self._entries_with(remote):
            if entry.wanted:
                self.bring_up(entry)

    def acquire(self, event: Acquire) -> None:
        """Traffic waits for an SA."""
        entry = self.entries.get(self.policies.reqids.name(event.reqid) or "")
        ours = entry is not None and (entry.wanted or not entry.connection.passive)
        if entry is None or not ours or entry.held_down or not self.settings.active:
            self.log.debug(LogClass.SA, 20, "acquire for %s: nothing is started", event.selector)
            return
        self.log.debug(LogClass.SA, 10, "acquire for %s: %s", event.selector, entry.name)
        self.packets.came(entry.name, event.selector)
        self._await(entry)
        if entry.retry is None:
            self.bring_up(entry)

    # --- policies ----------------------------------------------------------------------------

    def reqid(
        self, name: str, selectors: tuple[Selector, ...], user: User, old: ChildSa | None = None
    ) -> int:
        """The number of that traffic, which ``user`` keeps until it is over; that of the child SA
        which is to be replaced."""
        return self.policies.hold(name, selectors, old, user)

    def _stand(self, entry: Entry) -> None:
        """What its traffic meets while no child SA has it."""
        if not self.settings.flows:
            return
        path = self.beginnings.path_to(entry.remote)
        self.policies.stand(entry, path)
        if path is None and entry.remote.address is not None and entry.route is None:
            wait = self.settings.check_interval_s
            entry.route = self.timers.add("route to a peer", wait, self._look_again, entry)

    def _look_again(self, entry: Entry) -> None:
        entry.route = None
        self._stand(entry)

    def _install_flow(self, child: ChildSa) -> None:
        """The policies of a child SA, unless that is ending."""
        if not self.settings.flows or child.state is State.DELETING:
            return
        self.policies.install(child)
        entry = self.entries.get(child.connection.name)
        if entry is not None and self.policies.crowded(entry, child):
            self._stand(entry)

    def child_sends(self, child: ChildSa) -> None:
        """What is sent takes it from now on."""
        self._install_flow(child)

    def reinstall(self) -> None:
        """Every policy again, for a stack that has forgotten them."""
        self.flows.reinstall()


def _nowhere(remote: Remote) -> Reason:
    """Why there is no way to a peer."""
    why = f"peer {remote.name} has no Address, and has not called"
    mend = "set Address, or wait for the peer"
    if remote.address is not None:
        why, mend = f"there is no route to {remote.address}", f"add a route to {remote.address}"
    return Reason("no-address", why, line=remote.line, mend=mend)
