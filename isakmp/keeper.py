"""What becomes of SAs once exchanges have made them: lifetimes, rekeying, deletion, dead peers.

RFC 2408 4.3, RFC 2409 5.5 and 9, RFC 3706. The engine's scripts tell the keeper what they
established and what the peer says; the application tells it what expired.

A new SA supersedes the one that served before. Where two were negotiated at once, that of the
lower nonce gives way; it receives, but never sends. Whoever began the one that stays deletes the
other after a grace. The other end does so later on its own: with a slow network the ends may see
different ones as the later, so that of the lower nonce goes first, and where the peer deletes the
one we would keep, the one we would not takes its place. Both ends never delete both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from isakmp.app.base import Application, Expire, Mapping, SaSpec, Usage
from isakmp.connection import Connections
from isakmp.constants import isakmp, name_of
from isakmp.engine import Engine
from isakmp.errors import Reason
from isakmp.job import Job
from isakmp.keylog import KeyLog
from isakmp.log import Log, LogClass
from isakmp.path import Path
from isakmp.policy.catalog import Catalog
from isakmp.policy.identity import host_network, identity_of
from isakmp.policy.meanings import meaning
from isakmp.policy.spd import Address, Connection, Identity, Remote, Selector, Traffic
from isakmp.policy.traffic import Narrowed
from isakmp.sa import ChildSa, IsakmpSa, SaDatabase, State, soft_limit
from isakmp.timer import Timers

GRACE_S, LINGER_S, TAKE_OVER_S = 3.0, 1.0, 1.5
# How long a new IKE SA is given to take over the child SAs of the one before.
RENEW_S = 60.0
FALLBACK_S = 30.0
DPD_RETRIES = 5
DPD_RETRY_S = 5.0

AnySa = IsakmpSa | ChildSa
_ENDING = (State.DELETING, State.DEAD)


class Keeper:
    """The owner of one daemon's SAs. engine and connections are set once all are made."""

    engine: Engine
    connections: Connections

    def __init__(
        self, *, sas: SaDatabase, app: Application, catalog: Catalog, timers: Timers, log: Log,
        nat_traversal: bool = True, nat_t_port: int = 4500,
    ) -> None:  # fmt: skip
        self.sas, self.app, self.catalog, self.timers, self.log = sas, app, catalog, timers, log
        self.nat_traversal, self.nat_t_port = nat_traversal, nat_t_port
        self.key_log: KeyLog | None = None
        self.dpd_interval_s = 0
        self.keepalive_s = 20
        self.keepalive: Callable[[Path], object] = lambda path: None
        self.delete_sas = True

    # --- what scripts ask --------------------------------------------------------------------

    def find_remote(self, address: Address, exchange_type: int) -> Remote:
        """The peer to answer at ``address``; Refused where there is none."""
        return self.catalog.find_remote(address, exchange_type)

    def find_remote_v2(self, address: Address) -> Remote:
        """The peer that may begin IKEv2 from ``address``; Refused where there is none."""
        return self.catalog.find_remote_v2(address)

    def identify(
        self, remote: Remote, came: Identity, wanted: Identity | None, address: Address
    ) -> Remote:
        """The peer that has proved to be ``came``, or is about to; Refused where there is none."""
        return self.catalog.identify(remote, came, wanted, address)

    def find_child(
        self, sa: IsakmpSa, asked: Traffic, transport: bool, only: Connection | None = None
    ) -> tuple[Connection, Narrowed]:
        """The connection for what a peer asks for, and what is left of it; Refused otherwise.

        only: the one that it has to be.
        """
        return self.catalog.find_child(sa.remote, asked, transport, only)

    def secret(self, remote: Remote, identity: Identity | None, version: int = 1) -> bytes:
        """The pre-shared key for a peer; Refused where there is none."""
        return self.catalog.secret(remote, identity, version)

    def local_id(self, remote: Remote, path: Path) -> Identity:
        """Who we are to that peer: as configured, else our address."""
        return remote.local_id or identity_of(host_network(path.local))

    def find_connection(self, sa: IsakmpSa, selector: Selector) -> tuple[Connection, Selector]:
        """The connection for traffic that a peer asks for; Refused where there is none."""
        return self.catalog.find_connection(sa.remote, selector)

    def waiting_packet(self, connection: Connection) -> Selector | None:
        """The packet that a connection is brought up for, where there is one."""
        return self.connections.waiting_packet(connection)

    def reqid(self, name: str, selector: Selector) -> int:
        """The number that ties a connection's policies and SAs together."""
        return self.connections.reqid(name, selector)

    def keyed(self, spec: SaSpec) -> None:
        """Keys of an IPsec SA were derived."""
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
                self._supersede_sa(old, sa)
        self.connections.sa_up(sa, brings)

    def sa_rekeyed(self, old: IsakmpSa, new: IsakmpSa) -> None:
        """``new`` was made under ``old``, to take its place (RFC 7296 2.18)."""
        self._begin_life(new)
        old.heirs = (*old.heirs, new)

    def _begin_life(self, sa: IsakmpSa) -> None:
        self.sas.add(sa)
        if self.key_log:
            sa.keys.record(self.key_log, sa)
        if hard := sa.chosen.life_s:
            draw, margin = self.engine.random(1)[0] / 256, self.engine.settings.rekey_margin_percent
            soft = soft_limit(hard, draw, sa.initiator, margin)
            sa.soft_s, sa.hard_s = float(soft), float(hard)
            sa.events["soft"] = self.timers.add("SA soft", soft, lambda: self.rekey_sa(sa))
            sa.events["hard"] = self.timers.add("SA hard", hard, lambda: self.delete_sa(sa))
        if sa.dpd and self.dpd_interval_s:
            self._arm_dpd(sa, self.dpd_interval_s)
        if sa.nat.local and self.keepalive_s:
            self._arm_keepalive(sa)
        self.log.print("%s with %s up: %s%s", sa, sa.path.remote, sa.chosen,
                       f", NAT {sa.nat}" if sa.nat.found else "")  # fmt: skip

    def _arm_keepalive(self, sa: IsakmpSa) -> None:
        """The NAT before us forgets those who are silent (RFC 3948 4)."""

        def send() -> None:
            self.keepalive(sa.path)
            self._arm_keepalive(sa)

        sa.events["keepalive"] = self.timers.add("NAT keepalive", self.keepalive_s, send)

    def _supersede_sa(self, old: IsakmpSa, new: IsakmpSa) -> None:
        """One ISAKMP SA with a peer is enough; exchanges under the old one may still finish."""
        gone, stays = (new, old) if gives_way(new, old) else (old, new)
        gone.state = State.SUPERSEDED
        gone.events["delete"] = self.timers.add(
            "SA delete", _wait_s(gone, stays), lambda: self._end_superseded_sa(gone)
        )

    def _end_superseded_sa(self, sa: IsakmpSa) -> None:
        if sa.running or self._renewing(sa):
            sa.events["delete"] = self.timers.add(
                "SA delete", GRACE_S, lambda: self._end_superseded_sa(sa)
            )
        else:
            self.delete_sa(sa)

    def _renewing(self, sa: IsakmpSa) -> bool:
        """Whether child SAs that would end with ``sa`` still need successors under the new one."""
        now, new = self.timers.now(), self.sas.current(sa.peer)
        if new is None or now - new.established > RENEW_S:
            return False
        left = [c for c in self.sas.children_of(sa)
                if c.parent is sa and c.state is State.ESTABLISHED]  # fmt: skip
        for child in left:
            self.connections.renew(child, new)
        return bool(left)

    def reauthenticate(self, sa: IsakmpSa) -> None:
        """Prove everything anew: by a new IKE SA before this one goes, or after."""
        if sa.state is not State.ESTABLISHED or not self.connections.settings.active:
            return
        children = self.sas.children_of(sa)
        connection = children[0].connection if children else None
        if sa.remote.ikev2.make_before_break:
            self.connections.begin_sa(sa.remote, sa.path, connection)
        else:
            self.delete_sa(sa)
            self.connections.bring_up_with(sa.remote)

    def _restore_sa(self, sa: IsakmpSa) -> None:
        """The one that superseded ``sa`` is gone before it."""
        sa.state = State.ESTABLISHED
        if event := sa.events.pop("delete", None):
            event.cancel()
        if sa.dpd and self.dpd_interval_s:
            self._arm_dpd(sa, self.dpd_interval_s)
        age = self.timers.now() - sa.established
        if sa.soft_s and age > sa.soft_s:
            sa.events["soft"] = self.timers.add("SA soft", 1.0, lambda: self.rekey_sa(sa))

    def rekey_sa(self, sa: IsakmpSa) -> None:
        """A new phase 1 before this one ends, where it still protects something."""
        needed = self.sas.children_of(sa) or self.connections.wants(sa.remote.name)
        if sa.state is State.ESTABLISHED and needed and self.connections.settings.active:
            self.engine.dialects[sa.version].rekey_sa(self.engine, sa)

    def delete_sa(self, sa: IsakmpSa, tell: bool = True) -> None:
        """End an ISAKMP SA, with the child SAs that are its own."""
        if sa.state is State.DEAD or (tell and sa.state is State.DELETING):
            return
        if tell and self.delete_sas:
            sa.state = State.DELETING
            sa.cancel()
            for exchange in list(sa.waiting):
                self.engine.fail(exchange, Reason("sa-gone", "its ISAKMP SA is being deleted"))
            told = self.engine.dialects[sa.version].tell_deleted(self.engine, sa, None)
            told.then(lambda job: self._sa_gone(sa))
        else:
            self._sa_gone(sa)

    def _sa_gone(self, sa: IsakmpSa) -> None:
        if sa.state is State.DEAD:
            return
        self.sas.remove(sa)
        left = [other for other in self.sas.of_peer(sa.peer) if other.state is State.SUPERSEDED]
        if left and self.sas.current(sa.peer) is None:
            self._restore_sa(left[-1])
        for exchange in [x for x in (*sa.running.values(), *sa.waiting) if len(x.steps) > 1]:
            if not exchange.over:
                self.engine.fail(exchange, Reason("sa-gone", "its ISAKMP SA was deleted"))
        # What ended just now may have had a successor of the peer's wait, which inherits them.
        for child in [child for child in self.sas.children_of(sa) if child.parent is sa]:
            self._child_gone(child)
        self.engine.dialects[sa.version].sa_gone(self.engine, sa)
        self.log.debug(LogClass.SA, 10, "%s deleted", sa)

    def moved(self, sa: IsakmpSa, path: Path) -> None:
        """A NAT has given the peer of ``sa`` another address or port."""
        self.log.print("%s: peer moved from %s to %s", sa, sa.path, path)
        children = self.sas.children_of(sa)
        self.sas.moved(sa, path)
        for child in children:
            if child.encap:
                self.sas.moved_child(child, path, sa.peer)
                self._move_specs(child, path)
                if child.state is State.ESTABLISHED:
                    self.connections.child_moved(child)

    def _move_specs(self, child: ChildSa, path: Path) -> None:
        specs, child.specs = child.specs, []
        for spec in specs:
            ends = (path.remote, path.local) if spec.inbound else (path.local, path.remote)
            ports = (path.remote_port, path.local_port)
            moved = replace(
                spec, src=ends[0], dst=ends[1], encap=ports if spec.inbound else ports[::-1]
            )
            if spec.inbound or not child.receives_only:
                self._watch(self.app.move_sa(spec, moved), f"moving SA {spec.spi:08x}")
            child.specs.append(moved)

    # --- child SAs ---------------------------------------------------------------------------

    def child_rekeyed(self, old: ChildSa, child: ChildSa, specs: list[SaSpec]) -> None:
        """``child`` was made to take the place of ``old``, which knows it (RFC 7296 2.8).

        Both receive; what is sent takes the old one until it is known that the peer is ready.
        """
        rivals = [c for c in self.sas.in_slot(child.slot) if c is not old and c not in old.heirs]
        self.sas.add_child(child)
        child.specs, child.receives_only = list(specs), True
        for rival in rivals:
            # The ends may have disagreed about which of two was to stay.
            if rival.state is State.ESTABLISHED:
                self._supersede_child(rival, child)
        old.heirs = *old.heirs, child
        if old.state is not State.DEAD:
            old.state = State.SUPERSEDED
        self.connections.child_up(child)
        self.log.print("connection %s rekeyed: %s", child.connection.name, child)

    def take_over(self, child: ChildSa) -> None:
        """The peer is ready to receive with ``child``: from now on we send with it."""
        if child.receives_only and child.state is State.ESTABLISHED:
            self._begin_to_send(child)

    def child_established(self, child: ChildSa, specs: list[SaSpec]) -> None:
        """Quick mode made ``child``; its inbound SAs are in place, here are all of them."""
        olds = [c for c in self.sas.in_slot(child.slot) if c.state is State.ESTABLISHED]
        self.sas.add_child(child)
        child.specs = list(specs)
        child.receives_only = any(gives_way(child, old) for old in olds)
        spoke_last = child.initiator is (child.parent is None)
        if olds and not child.receives_only and spoke_last:
            # The peer may not have read our last message yet; the old one serves until then.
            child.receives_only = True
            child.events["take over"] = self.timers.add(
                "child SA take over", TAKE_OVER_S, lambda: self.take_over(child)
            )
        if not child.receives_only and not self._begin_to_send(child):
            return
        self.connections.child_up(child)
        for old in olds:
            self._supersede_child(old, child)
        self.log.print("connection %s up: %s, %s", child.connection.name, child, child.selector)

    def _begin_to_send(self, child: ChildSa) -> bool:
        """Install the outbound SAs; False where the application refuses at once."""
        child.receives_only = False
        specs = child.specs
        if not child.encap:
            child.specs = []
        outbound = [spec for spec in specs if not spec.inbound]
        for spec in outbound:
            self._watch(self.app.add_sa(spec), f"outbound SA {spec.spi:08x} of {child}", child)
            if child.state is State.DEAD:
                return False
        if len(outbound) > 1:
            self._watch(self.app.group(child.inbound()), "inbound bundle")
            self._watch(self.app.group(child.outbound()), "outbound bundle")
        return True

    def _supersede_child(self, old: ChildSa, new: ChildSa) -> None:
        gone, stays = (new, old) if gives_way(new, old) else (old, new)
        gone.state = State.SUPERSEDED
        self.log.debug(LogClass.SA, 20, "child SA %s is superseded by %s", gone, stays)
        gone.events["delete"] = self.timers.add(
            "child SA delete", _wait_s(gone, stays), lambda: self.delete_child(gone)
        )

    def _restore_child(self, child: ChildSa) -> None:
        """The one that superseded ``child`` is gone before it."""
        child.state = State.ESTABLISHED
        if event := child.events.pop("delete", None):
            event.cancel()
        if child.receives_only and not self._begin_to_send(child):
            return
        age = self.timers.now() - child.established
        if child.limits.soft_s and age > child.limits.soft_s:
            child.events["rekey"] = self.timers.add(
                "child SA rekey", 1.0, lambda: self.connections.rekey(child)
            )

    def delete_child(self, child: ChildSa, tell: bool = True) -> None:
        """End a child SA, here and, where ``tell``, at the peer.

        What the peer still sends with it is taken until it has heard of the end.
        """
        if child.state is State.DEAD or (tell and child.state is State.DELETING):
            return
        sa = child.parent or self.sas.current(child.peer)
        if tell and self.delete_sas and sa is not None and sa.state not in _ENDING:
            child.state = State.DELETING
            child.cancel()
            self._tell_deleted(sa, child)
        else:
            self._child_gone(child)

    def _tell_deleted(self, sa: IsakmpSa, child: ChildSa) -> None:
        """Tell the peer under ``sa``, or where that ends before, under its successor."""

        def told(job: Job[Any]) -> None:
            heirs = [heir for heir in sa.heirs if heir.state is State.ESTABLISHED]
            if job.error is not None and heirs and child.state is State.DELETING:
                self.sas.adopt(child, heirs[0])
                self._tell_deleted(heirs[0], child)
            else:
                self._child_gone(child)

        self.engine.dialects[sa.version].tell_deleted(self.engine, sa, child).then(told)

    def _child_gone(self, child: ChildSa) -> None:
        if child.state is State.DEAD:
            return
        self.sas.remove_child(child)
        left = self.sas.in_slot(child.slot)
        self._hand_over(child, left)
        for name in () if child.receives_only else child.outbound():
            self.app.delete_sa(name)
        self._stop_receiving(child)
        self.log.debug(LogClass.SA, 10, "child SA %s deleted", child)
        if not left:
            self.connections.child_down(child)

    def _hand_over(self, child: ChildSa, left: list[ChildSa]) -> None:
        """Another one sends before ``child`` ceases to: there is no moment without."""
        if live := [heir for heir in child.heirs if heir.state is State.ESTABLISHED]:
            # Where two successors were made at once, the other one's maker may not have it yet.
            self.take_over(max(live, key=lambda heir: heir.tiebreak))
        ready = [other for other in left if other.state is State.ESTABLISHED]
        if ready and all(other.receives_only for other in left):
            self.take_over(ready[-1])
        if left and all(other.state is State.SUPERSEDED for other in left):
            self._restore_child(left[-1])

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

    def _watch(self, job: Job[Any], what: str, child: ChildSa | None = None) -> None:
        """Say what the application refused; a child SA it refused is taken back."""

        def answered(job: Job[Any]) -> None:
            if job.error is not None:
                self.log.error("application refused %s: %s", what, job.error)
                if child is not None:
                    self.delete_child(child)

        job.then(answered)

    # --- what the peer says ------------------------------------------------------------------

    def peer_deleted(self, sa: IsakmpSa, cookies: list[bytes]) -> None:
        """The peer has deleted ISAKMP SAs; only its own ones count."""
        for other in self.sas.of_peer(sa.peer):
            if other.cookies in cookies:
                self.log.print("%s deleted by the peer", other)
                self.delete_sa(other, tell=False)

    def peer_deleted_children(self, sa: IsakmpSa, protocol: int, spis: list[int]) -> None:
        """The peer has deleted the SAs it receives with, or has never known them."""
        for spi in spis:
            child = self.sas.child_by_spi(protocol, spi, str(sa.path.remote))
            if child is not None and child.peer == sa.peer:
                self.log.print("connection %s: child SA %s deleted by the peer",
                               child.connection.name, child)  # fmt: skip
                self.delete_child(child, tell=False)

    def initial_contact(self, sa: IsakmpSa) -> None:
        """The peer knows of no other SA with us: it has restarted (RFC 2407 4.6.3.3)."""
        for old in self.sas.of_peer(sa.peer):
            if old is not sa and old.established < sa.created:
                self.delete_sa(old, tell=False)
        for child in self.sas.children_of(sa):
            if child.established < sa.created:
                self.delete_child(child, tell=False)

    def peer_refused(self, sa: IsakmpSa, notify: int, protocol: int, spi: bytes) -> None:
        """The peer refuses an exchange of ours under ``sa``, with proof that it is the peer."""
        said = name_of(isakmp.Notify, notify)
        ours = [x for x in sa.running.values() if x.initiator and len(x.steps) > 1]
        number = int.from_bytes(spi, "big") if len(spi) == 4 else None
        named = [x for x in ours if number and number in getattr(x.state, "spis", {}).values()]
        for exchange in named or (ours if len(ours) == 1 else []):
            wanted = getattr(exchange.state, "connection", None)
            reason = Reason("peer-refused", f"the peer refused: {said}", came=said,
                            acceptable=_offered(wanted), line=wanted.line if wanted else "",
                            mend="the peer's log names the reason",
                            means=meaning(exchange.script.name, said))  # fmt: skip
            self.engine.fail(exchange, reason)
        self.log.print("%s: peer says %s", sa, said)

    # --- dead peers (RFC 3706) ---------------------------------------------------------------

    def asked_if_alive(self, sa: IsakmpSa, data: bytes, path: Path) -> None:
        """R_U_THERE: a number higher than all before is no replay.

        A peer behind a NAT is where it came from.
        """
        sequence = int.from_bytes(data, "big")
        if sequence > sa.dpd_asked:
            sa.dpd_asked = sequence
            if sa.nat.remote and path != sa.path:
                self.moved(sa, path)

    def said_alive(self, sa: IsakmpSa, sequence: int) -> None:
        """R_U_THERE_ACK: counts only for the question we asked last."""
        if sa.dpd_waiting and sequence == sa.dpd_sequence:
            sa.dpd_waiting = 0
            self._arm_dpd(sa, self.dpd_interval_s)

    def suspect(self, sa: IsakmpSa) -> None:
        """Somebody says, without proof, that the peer has lost ``sa``: ask it."""
        if sa.state is State.ESTABLISHED and self.engine.may_notify():
            self.engine.dialects[sa.version].probe(self.engine, sa, sa.dpd_sequence)

    def _arm_dpd(self, sa: IsakmpSa, wait_s: float) -> None:
        if event := sa.events.get("dpd"):
            event.cancel()
        sa.events["dpd"] = self.timers.add("DPD", wait_s, lambda: self._check_alive(sa))

    def _check_alive(self, sa: IsakmpSa) -> None:
        """Messages and traffic are proof enough; only silence is asked about."""
        if sa.state is not State.ESTABLISHED:
            return
        if not sa.dpd_waiting and self.timers.now() - sa.last_heard < self.dpd_interval_s:
            self._arm_dpd(sa, self.dpd_interval_s)
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
                self._arm_dpd(sa, self.dpd_interval_s)
                return
        if sa.dpd_waiting > DPD_RETRIES:
            self.dead(sa, f"no answer to {DPD_RETRIES} R_U_THERE")
            return
        sa.dpd_waiting += 1
        sa.dpd_sequence = (sa.dpd_sequence + 1) & 0x7FFFFFFF
        self._arm_dpd(sa, DPD_RETRY_S)
        self.engine.dialects[sa.version].probe(self.engine, sa, sa.dpd_sequence)

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
            self.delete_child(child, tell=False)
        for each in gone:
            self.delete_sa(each, tell=False)

    # --- what the application says -----------------------------------------------------------

    def expire(self, event: Expire) -> None:
        """An IPsec SA reached a limit: soft, begin its successor; hard, it is over."""
        child = self.sas.children.get((event.sa.protocol, event.sa.spi))
        if child is None:
            remote = str(event.sa.dst)
            child = self.sas.child_by_spi(event.sa.protocol, event.sa.spi, remote)
        if child is None:
            return
        if event.hard:
            self.log.print("connection %s: child SA %s expired", child.connection.name, child)
            # Its other half carries nothing any more either, however long the peer takes to hear.
            for other in (*child.heirs, *self.sas.in_slot(child.slot)):
                if other is not child:
                    self.take_over(other)
            for name in (*child.inbound(), *child.outbound()):
                self.app.delete_sa(name)
            self.delete_child(child)
        elif child.state is State.ESTABLISHED:
            self.connections.rekey(child)

    def mapping(self, event: Mapping) -> None:
        """Authentic ESP comes from another address or port of a peer behind a NAT."""
        child = self.sas.children.get((event.sa.protocol, event.sa.spi))
        if child is None:
            return
        sa = child.parent or self.sas.current(child.peer)
        if sa is not None and sa.nat.remote:
            path = sa.path._replace(remote=event.address, remote_port=event.port)
            if path != sa.path:
                self.moved(sa, path)


def _offered(connection: Connection | None) -> str:
    """What quick mode had proposed, for people."""
    if connection is None:
        return ""
    suites = ", ".join(suite.name for suite in connection.suites)
    return f"{suites} for {connection.selector}"


def gives_way(new: AnySa, old: AnySa) -> bool:
    """Whether a new SA is not to replace ``old``: they were negotiated at once, and it loses."""
    return old.established >= new.created and new.tiebreak < old.tiebreak


def _wait_s(gone: AnySa, stays: AnySa) -> float:
    """How long a superseded SA waits for its end, in seconds."""
    if stays.initiator:
        return GRACE_S
    return FALLBACK_S if gone.tiebreak < stays.tiebreak else 2 * FALLBACK_S
