"""Daemon: everything one running isakmpd owns, and what signals and the FIFO make it do.

All that is not determined comes in through the constructor: time, randomness, the transport, the
application, addresses. Two daemons live in one process, and a simulation runs whole ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, TypeVar

from isakmp.app.base import Acquire, Application, Expire, Mapping, UnknownSpi
from isakmp.asked import Asked
from isakmp.conf.alike import nearest
from isakmp.conf.change import Weighed, weigh
from isakmp.conf.check import Judgement, judging
from isakmp.conf.parse import fold
from isakmp.conf.spelling import refuse_lost, refusing_lost, safest
from isakmp.conf.store import Conf, Transaction, at_run_time
from isakmp.conf.told import Told
from isakmp.conf.user import owners, refuse_start
from isakmp.constants import ISAKMP_PORT
from isakmp.errors import ConfError, IsakmpError, Reason, Refused
from isakmp.event.job import Job
from isakmp.event.steps import Steps, at_once
from isakmp.event.timer import Event, Timers
from isakmp.event.worker import HERE, Work
from isakmp.exchange.bounds import Limits
from isakmp.exchange.engine import Engine
from isakmp.exchange.front import Front, Ike
from isakmp.keeper.changes import Changes
from isakmp.keeper.connection import Connections
from isakmp.keeper.counters import count
from isakmp.keeper.keeper import Keeper
from isakmp.log.keylog import KeyLog
from isakmp.log.log import Log
from isakmp.path import Path
from isakmp.policy import remembered
from isakmp.policy.ahead import REINITIALISE_S, Ahead
from isakmp.policy.catalog import Catalog
from isakmp.policy.identity import Resolve
from isakmp.policy.reader import connection_names
from isakmp.policy.readings import Readings
from isakmp.policy.spd import Address
from isakmp.policy.supported import Stack
from isakmp.policy.vanished import Said, in_clear, refuse_incomplete, refuse_without_sides
from isakmp.reload import Reload
from isakmp.sa import ChildSa, IsakmpSa, State
from isakmp.sa_database import SaDatabase
from isakmp.scripts.ikev1.dialect import Ikev1
from isakmp.scripts.ikev2.dialect import Ikev2
from isakmp.status import kept_open, status
from isakmp.transport.base import KEEPALIVE, Transport

if TYPE_CHECKING:
    from isakmp.capture.writer import CaptureWriter

SPI_OCTETS = 4
AnySa = TypeVar("AnySa", IsakmpSa, ChildSa)


class Daemon:
    """One isakmpd. Its loop, sockets and signals belong to whoever runs it (start.py)."""

    def __init__(
        self, conf: Conf, *, timers: Timers, random: Callable[[int], bytes], wall:
        Callable[[], float], transport: Transport, app: Application, log: Log,
        source: Callable[[Address], Address | None], resolve: Resolve, run_directory: FilePath,
        work: Work = HERE, nat_traversal: bool = True, flows: bool = True, active: bool = True,
        families: tuple[int, ...] = (4, 6), port: int = 500, nat_t_port: int = 4500,
        report_path: FilePath | None = None, esp_in: Callable[..., object] | None = None,
        on_quit: Callable[[], object] = lambda: None,
        reloading: Callable[[], AbstractContextManager[None]] = nullcontext,
        calm: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:  # fmt: skip
        self.conf, self.log, self.timers, self.app = conf, log, timers, app
        self.transport, self.run_directory, self._wall = transport, run_directory, wall
        self.report_path = report_path or run_directory / "isakmpd.report"
        self._esp_in, self._on_quit = esp_in, on_quit
        self._reloading, self._calm = reloading, calm
        self.renew: Callable[[], object] = lambda: None
        self.changes, self.sas = Reload(timers), SaDatabase()
        self.catalog = Catalog(conf, resolve, supports=app.supports)
        self._ahead = Ahead(self.catalog)
        self._stack = Stack(app.supports, app.name == "none", families)
        versions = Ikev1(), Ikev2(random, timers.now)
        self.keeper = Keeper(
            sas=self.sas, app=app, catalog=self.catalog, timers=timers, log=log,
            nat_traversal=nat_traversal, nat_t_port=nat_t_port,
        )  # fmt: skip
        self.engine = Engine(
            transmit=transport.send, unsent=transport.unsent, random=random, timers=timers,
            conf=conf, app=app, log=log, sas=self.sas,
            dialects={each.name: each for each in versions}, owner=self.keeper, work=work,
        )  # fmt: skip
        self.front = Front(self.engine, Ike(versions).receive)
        self.connections = Connections(
            engine=self.engine, sas=self.sas, app=app, catalog=self.catalog, timers=timers,
            log=log, source=source, port=port,
        )  # fmt: skip
        self.keeper.engine, self.keeper.connections = self.engine, self.connections
        self.connections.settings.flows = flows
        self.connections.settings.active = active
        self.keeper.delete_sas = active
        self._tell_at_exit = active
        self._writer: CaptureWriter | None = None
        self._drops: dict[str, int] = {}
        self._gone: Reason | None = None
        self._told, self._said = Told(), Said()
        self._reinitialising = Event(timers, "", 0.0, None)

    # --- life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Bring everything up, each after what it depends on. IsakmpError where it cannot be."""
        refuse_lost(self.conf)
        self._told.started(self.conf)
        # The application before the catalog, which asks what it can carry, and before the sockets:
        # what comes in may need an SA at once.
        self.app.start(self)
        judged, catalog = at_once(self._read(self.conf))
        self.catalog.become(catalog)
        self._say(judged)
        self._configure()
        self.transport.start(self.front.receive, self._esp)
        # Connections last: they send.
        with self.connections.flows.together():
            at_once(Changes(self.connections).steps())
        self.app.sweep()
        self._tick()

    def _read(self, conf: Conf) -> Steps[tuple[Judgement, Catalog]]:
        """What a configuration has wrong, and says: what the checker refuses is not used."""
        resolve = self.catalog.resolve
        readings = Readings(conf, resolve)
        judged = yield from judging(conf, resolve, readings, self._stack)
        catalog = Catalog(conf, resolve, faults=judged.faults, supports=self.catalog.supports)
        yield from catalog.loading(self.catalog, readings)
        return judged, catalog

    def _say(self, judged: Judgement) -> None:
        """What is wrong, and what has to be left out."""
        left_out = [*self.catalog.left_out, *kept_open(self.connections)]
        for severity, text in self._told.news(self.conf, judged, left_out):
            self.log.write(severity, "%s", text)

    def stop(self, in_order: bool = True) -> list[str]:
        """Tell the peers, unless told not to, and give everything back; the connections whose
        traffic is dropped from now on.

        What is closed stays so where isakmpd does not end in order: its start failed.
        """
        self.changes.end()
        if self._tell_at_exit and self.keeper.delete_sas:
            # IKEv2's takes its children along, and only one request goes out before its answer.
            owners = {name for name, one in self.engine.dialects.items() if one.owns_children}
            for sa in [sa for sa in self.sas.isakmp.values() if sa.dialect in owners]:
                self.keeper.delete_sa(sa)
            self.teardown_all()
            for sa in list(self.sas.isakmp.values()):
                self.keeper.delete_sa(sa)
        block = safest(self.conf, "Block-when-stopped") or not in_order
        blocked = self.connections.flows.block() if block else []
        self.connections.end()
        self.capture(None)
        self.transport.close()
        self.app.close(block)
        self.log.flush()
        return blocked

    def quit(self) -> None:
        """Leave the loop; stop() follows."""
        self._on_quit()

    def _configure(self) -> None:
        """Take what [General] says into the parts that need it."""
        said, engine = self._general, self.engine.settings
        engine.retransmits = said("Retransmits")
        engine.retransmit_s = float(said("Retransmit-interval"))
        engine.retransmit_max_s = float(said("Retransmit-max-interval"))
        engine.sa_retransmits = said("SA-retransmits")
        engine.exchange_max_s = float(said("Exchange-max-time"))
        engine.half_open_max = said("Max-half-open")
        engine.half_open_peer_max = said("Max-half-open-per-peer")
        engine.cookie_threshold = said("Cookie-threshold")
        engine.rekey_margin_percent = said("Rekey-margin")
        self.engine.bounds.set(
            Limits(
                said("Max-SAs"), said("Max-SAs-per-identity"), said("Max-identities"),
                said("Max-children-in-all"), said("Max-children"), said("Max-selectors"),
                said("Max-negotiations"), said("Max-exchanges"), said("Max-selectors-per-side"),
            )
        )  # fmt: skip
        self.keeper.liveness.ask_after(said("DPD-check-interval"), said("DPD-timeout"))
        self.keeper.keepalive_s = said("NAT-T-Keepalive")
        self.keeper.keepalive = self._keepalive
        self.keeper.delete_sas = self._tell_at_exit and said("Delete-SAs")
        settings = self.connections.settings
        settings.check_interval_s = float(said("Check-interval"))
        settings.acquire_only = said("Acquire-Only")
        directory = said("Key-log")
        self.keeper.key_log = (
            KeyLog(FilePath(directory), self.log, owners(self.conf)) if directory else None
        )

    def _general(self, tag: str) -> Any:
        """What [General] says; the default where that is refused."""
        return self.conf.general(tag)[0]

    def _tick(self) -> None:
        """Now and then: say how often held-back errors came again."""
        self.log.flush(ended_only=True)
        self.timers.add("log flush", 10.0, self._tick)

    # --- upcalls -----------------------------------------------------------------------------

    def acquire(self, event: Acquire) -> None:
        """Traffic waits for an SA."""
        self.connections.acquire(event)

    def expire(self, event: Expire) -> None:
        """An SA reached a limit."""
        self.keeper.children.expire(event)

    def mapping(self, event: Mapping) -> None:
        """A peer's NAT has moved it."""
        self.keeper.mapping(event)

    def unknown_spi(self, event: UnknownSpi) -> None:
        """A packet for no SA of ours: whose peer it is may want to know."""
        ports = event.encap or (ISAKMP_PORT, self.connections.beginnings.port)
        path = Path(event.dst, ports[1], event.src, ports[0], event.encap is not None)
        self.connections.heard_from(event.src)
        for dialect in self.engine.dialects.values():
            dialect.unknown_spi(self.engine, path, event.spi)

    def gone(self, reason: Reason) -> None:
        """The IPsec stack is gone: nothing passes, whatever SAs there are."""
        self._gone = reason
        self.log.internal_err("%s; mend: %s", reason.detail, reason.mend)

    def restarted(self) -> None:
        """The IPsec stack has forgotten everything: policies again, SAs anew."""
        self._gone = None
        self.log.internal_warn("the IPsec stack has started again: its SAs are negotiated anew")
        self.connections.reinstall()
        self.app.sweep()
        self.keeper.children.restarted()

    def _esp(self, path: Path, packet: bytes) -> None:
        if self._esp_in is not None:
            ports = path.remote_port, path.local_port
            self._esp_in(packet, path.remote, path.local, encap=ports)

    def _keepalive(self, path: Path) -> None:
        self.transport.send_raw(path, KEEPALIVE)

    # --- commands ----------------------------------------------------------------------------

    def connect(self, name: str, /) -> None:
        """Start a connection, or those with a peer, by its name or address. IsakmpError where there
        is none such, or no IPsec stack for it."""
        written = self.conf.get(name, "ISAKMP-peer") is not None
        names = [name] if written else self._asked.names(name)
        if not names:
            raise self._no_connection(name)
        if self._gone:
            raise Refused(self._gone)
        for each in names:
            try:
                self.connections.connect(each)
            except ConfError:
                if each in dict(self.catalog.left_out):
                    raise self._no_connection(each) from None
                raise

    def _no_connection(self, name: str, also: Iterable[str] = ()) -> IsakmpError:
        """That there is none, or the error that one is left out for. also: what else could have
        been meant."""
        if errors := [error for other, error in self.catalog.left_out if other == name]:
            told = "; ".join(dict.fromkeys(map(str, errors)))
            reason = errors[0].as_reason(self.conf.mend)
            return Refused(replace(reason, detail=f"{name} is left out: {told}"))
        if name in self.catalog.remotes:
            hint = f"{name} is a peer that no connection has"
        else:
            known = *self.connections.entries, *connection_names(self.conf)
            hint = nearest(name, (*known, *also))
        return IsakmpError(f"no connection {name}" + (f" ({hint})" if hint else ""))

    def teardown(self, name: str, phase: int, /) -> None:
        """Take down a connection (phase 2), or all that there is with a peer (phase 1), by what
        asked.py understands.

        Child SAs go with phase 1: many peers drop theirs without a word when it is deleted.
        """
        found = self._asked.isakmp(name) if phase == 1 else []
        names = {c.connection.name for sa in found for c in self.sas.children_of(sa)}
        names |= (
            {name} & set(self.connections.entries) if phase == 1 else {*self._asked.names(name)}
        )
        if not (found if phase == 1 else names):
            self._expect_known(name)
            raise IsakmpError(f"no {'ISAKMP SA with' if phase == 1 else 'SA of'} {name}")
        for each in names:
            self.connections.down(each)
        for sa in found:
            self.keeper.delete_sa(sa)

    def rekey(self, name: str, what: str, /) -> None:
        """Replace child SAs (``quick``), or the ISAKMP SAs with their peer, by rekeying (``main``)
        or from the beginning (``auth``), by what asked.py understands."""
        if not self.connections.settings.active:
            raise IsakmpError("isakmpd is passive: it begins nothing")
        self._expect_known(name)
        if what == "quick":
            for child in _live(self._asked.children(name), name):
                self.connections.replace(child)
            return
        for sa in _live(self._asked.isakmp(name), name):
            dialect = self.engine.dialects[sa.dialect]
            (dialect.rekey_sa if what == "main" else dialect.reauthenticate)(self.engine, sa)

    @property
    def _asked(self) -> Asked:
        return Asked(self.connections, self.catalog, self.sas)

    def _expect_known(self, name: str) -> None:
        if not self._asked.is_known(name):
            raise self._no_connection(name, self.catalog.remotes)

    def teardown_all(self) -> None:
        """Take down every connection."""
        for name in {c.connection.name for c in self.sas.all_children()} | set(
            self.connections.entries
        ):
            self.connections.down(name)

    def delete_sa(self, named: bytes, message_id: int | None, /) -> None:
        """Delete one SA: an ISAKMP SA by its cookies, 16 octets, a child SA by its message ID under
        them, or by one of its SPIs alone, 4 octets."""
        if len(named) == SPI_OCTETS:
            for child in self._asked.by_spi(int.from_bytes(named, "big")):
                self.keeper.children.delete_child(child)
                return
        for own in (named[:8], named[8:]):
            sa = self.sas.isakmp.get(own)
            if sa is None or sa.cookies != named:
                continue
            if message_id is None:
                self.keeper.delete_sa(sa)
                return
            for child in self.sas.children_of(sa):
                if (child.cookies, child.message_id) == (own, message_id):
                    self.keeper.children.delete_child(child)
                    return
        raise IsakmpError("no such SA")

    def set_active(self, active: bool, /) -> None:
        """Whether anything is initiated (fail-over)."""
        self.connections.settings.active = active
        if active:
            for entry in list(self.connections.entries.values()):
                if entry.wanted or not entry.connection.passive:
                    self.connections.bring_up(entry)

    def capture(self, path: FilePath | None, /) -> None:
        """Begin to write messages, in clear, to a pcap file; None: stop.

        IsakmpError where the file cannot be written.
        """
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self.engine.capture = None
        if path is not None:
            from isakmp.capture.writer import CaptureWriter  # for those who capture

            try:
                self._writer = CaptureWriter(path)
            except OSError as error:
                raise IsakmpError(f"{path}: {error.strerror or error}") from None
            self.engine.capture = self._captured

    def _captured(self, path: Path, out: bool, message: bytes) -> None:
        if self._writer is None:
            return
        local = str(path.local), path.local_port
        remote = str(path.remote), path.remote_port
        sender, receiver = (local, remote) if out else (remote, local)
        try:
            if self._writer.write(self._wall(), sender, receiver, message):
                return
            why = f"it has {self._writer.size_bytes} octets, the most it may have"
        except OSError as error:
            why = error.strerror or str(error)
        self.log.internal_err(
            "the capture %s is off: %s; make room, then: capture on", self._writer.path, why
        )
        self.capture(None)

    def reload(self) -> Job[list[str]]:
        """Read the configuration again and apply what differs; what is wrong, and what was done,
        a line each. In steps; for who asks again meanwhile it is read from its beginning.

        A section with an error is left out alone, as at the start. ConfError where the file is
        broken, and would keep isakmpd from starting: nothing has changed then. What may have been
        taken away or renamed, FIFO and log files, is made anew before.
        """
        self.renew()
        return self.changes.again(self._read_again)

    def _read_again(self) -> Steps[list[str]]:
        with self._reloading(), self._calm():
            with _unchanged(of_file=True):
                fresh = yield from self.conf.again()
                yield from refusing_lost(fresh)
                refuse_start(fresh, self._stack.families)
                yield from refuse_incomplete(self.conf, fresh, self._said)
            differ = yield from self.conf.differing(fresh)
            what = "configuration reloaded"
            done = yield from self._take(fresh, what)
            for child in self.sas.all_children() if self._general("Renegotiate-on-HUP") else ():
                self.connections.rekey(child)
                yield
            if self._general("Renegotiate-on-HUP"):
                done.append("every connection is negotiated again")
                self.log.info("%s: %s", what, done[-1])
        if not done:
            self.log.info("%s: %s", what, "no connection changed" if differ else "nothing changed")
        return self._told.wrong + done

    def _take(self, fresh: Conf, what: str) -> Steps[list[str]]:
        """Have ``fresh`` count; what was done, a line each, which the log has behind ``what``.
        Until it is read, what did still does, and it can be left."""
        judged, catalog = yield from self._read(fresh)
        self.changes.counts()
        remembered.forget()
        self.conf.become(fresh)
        self.catalog.become(catalog)
        self._ahead.touched = frozenset()
        changes = Changes(self.connections)
        self._say(judged)
        self._settle()
        done = self._told.later(self.conf) + (yield from changes.steps())
        bare = []
        if self.connections.settings.flows:
            bare = yield from in_clear(catalog, self.catalog)
        for line in done:
            self.log.info("%s: %s", what, line)
            yield
        for line in bare:
            self.log.internal_warn("%s: %s", what, line)
            yield
        yield from fresh.dropped()
        yield from catalog.dropped()
        return done + bare

    def _settle(self) -> None:
        """Take what [General] says now."""
        try:
            self._configure()
        except ConfError as error:
            # What was read is in force already; its connections must not wait for a directory.
            self.log.internal_err("%s", self.conf.place(error))

    def alter(self, transaction: Transaction, together: bool, /) -> Job[list[str]]:
        """Change the configuration; what is to be told of it, a line each. It waits for the end of
        a change that is under way.

        together: the changes are a whole, and are applied now as a reload is; else there may be
        more to come, and connections are taken up in 5 s. ConfError where they cannot be made, or
        bring what the checker calls an error: nothing has changed then.
        """
        return self.changes.do(partial(self._alter, transaction, together))

    def _alter(self, transaction: Transaction, together: bool) -> Steps[list[str]]:
        with _unchanged():
            draft = transaction.draft()
            known = self.catalog.connections.values()
            weighed = weigh(self.conf, draft, self.catalog.resolve, known, self._stack)
            told = weighed.refuse(together)
            try:
                yield from refuse_without_sides(self.conf, draft)
            except ConfError as error:
                error.file = at_run_time(error.file)
                raise
        if together:
            with self._calm():
                done = yield from self._take(draft, "configuration changed")
            return told + done
        return told + (yield from self._note(draft, weighed))

    def _note(self, draft: Conf, weighed: Weighed) -> Steps[list[str]]:
        """Have a change count that may be one of many; what there is to be told of it."""
        changed = {fold(name) for name in at_once(self.conf.differing(draft))}
        again, lists = self._reinitialising, "phase 2" in changed
        if lists and not again.pending:
            again = self._reinitialising = self.timers.add(
                "reinitialise connections", REINITIALISE_S, self.changes.do, self._reinitialise
            )
        self.conf.become(draft)
        remembered.forget()
        self.catalog.faults = weighed.beside(self.catalog.faults)
        ahead, told = self._ahead, list[str]()
        ahead.touched |= weighed.part
        if "general" in changed:
            self._settle()
            told += self._told.later(self.conf)
        if not again.pending:
            return told + ahead.go_on(weighed.part)
        left_s = max(1, round(again.when - self.timers.now()))
        told += ahead.unlisted(left_s) if lists else []
        told += ahead.go_on(weighed.part, left_s)
        if self.connections.settings.flows:
            told += yield from ahead.in_clear(left_s, lists)
        return told

    def _reinitialise(self) -> Steps[list[str]]:
        """Look at the lists of connections again."""
        with self._calm():
            return (yield from self._take(self.conf.begin().draft(), "connections"))

    def settled(self) -> Job[list[str]]:
        """Done when every change of the configuration that has been asked for is over."""
        return self.changes.settled()

    def count(self) -> Job[Any]:
        """Ask the application for the counters that status() then shows."""

        def answered(job: Job[dict[str, int]]) -> None:
            self._drops = job.result or {}

        dropped = self.app.drops()
        dropped.then(answered)
        used: Job[Any] = count(self.keeper, self.sas.all_children())
        return Job.gather([dropped, used])

    def status(self) -> dict[str, Any]:
        """Everything there is to know, JSON-ready."""
        described = self.transport.describe()
        return status(
            self.engine, self.connections, described, self._drops, self._gone, self._wall()
        )  # fmt: skip


def _live(sas: list[AnySa], name: str) -> list[AnySa]:
    """Those that are neither replaced nor on their way out. IsakmpError where there are none."""
    live = [sa for sa in sas if sa.state is State.ESTABLISHED]
    if not live:
        if not sas:
            raise IsakmpError(f"no SA of {name}")
        raise IsakmpError(f"the SA of {name} is being replaced or deleted already")
    return live


@contextmanager
def _unchanged(*, of_file: bool = False) -> Iterator[None]:
    """What is refused here says what holds instead. of_file: it is what isakmpd would start with
    next."""
    try:
        yield
    except ConfError as error:
        error.host_at_fault = of_file
        error.holds = "nothing has changed: what was read before holds"
        raise
