"""Changes: what is left to be done of a new configuration once it counts.

In small steps, as there may be thousands of connections; in between, traffic meets what counted
before or what counts now. New policies are there before old ones go, so that nothing that was kept
back passes in clear meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from isakmp.errors import ConfError, Reason
from isakmp.event.steps import AT_ONCE, Steps, emptied
from isakmp.exchange.candidates import family
from isakmp.exchange.exchange import Exchange
from isakmp.keeper.connection import Connections, Made
from isakmp.keeper.entry import Entry
from isakmp.keeper.flows import unnegotiated
from isakmp.policy.catalog import narrowed
from isakmp.policy.spd import Connection, Remote
from isakmp.sa import ChildSa, IsakmpSa, State

_ENDING = State.DELETING, State.DEAD


class _Before(NamedTuple):
    """An entry, and what it was when it counted: it may take its peer as that is now."""

    entry: Entry
    connection: Connection
    remote: Remote


class Changes:
    """Made when the catalog has become another one, and nothing else has happened: whatever there
    is then was made for what counted before, and is compared with what counts now.

    Between the steps more is made of it: a peer, or a timer, has a child SA or an IKE SA replaced
    that has not had its step, a packet brings up a connection. None of that outlives the change.
    All SAs are told of when they are made, and looked at once all that was there is done with; in
    the step in which no more are left what is under way is asked as at the beginning, and then
    there is nothing, be it an entry, an exchange or an SA, of which another one could be made that
    does not count."""

    def __init__(self, connections: Connections) -> None:
        self._connections, self._catalog = connections, connections.catalog
        self._owner = connections.engine.owner
        entries = connections.entries.items()
        self._before = {name: _Before(e, e.connection, e.remote) for name, e in entries}
        self._made: list[Made] = []
        connections.meanwhile = self._made
        # The last first: what is done with is let go of, one by one.
        self._sas = list(connections.sas.isakmp.values())[::-1]
        self._children = connections.sas.all_children()[::-1]
        self._fixed_before = connections.policies.fixed
        self._same: dict[str, bool] = {}
        # With the peers themselves, so that nothing else can be where they were.
        self._current: dict[int, tuple[Remote, bool]] = {}
        self._taken_up: list[Entry] = []
        self._done: list[str] = []
        self._cancel()

    def _cancel(self) -> None:
        """What is negotiated for what has changed must not come up. At once: it could any time."""
        engine = self._connections.engine
        reason = Reason("reloaded", "the configuration it was begun with has changed")
        for exchange in engine.under_way():
            # One of several answers may have said to be another peer.
            if not all(map(self._is_of_now, family(exchange.root))):
                self._connections.cancel(exchange, reason)

    def _is_of_now(self, exchange: Exchange) -> bool:
        dialect = self._connections.engine.dialects[exchange.dialect.name]
        connection = dialect.connection(exchange)
        counts = connection is None or self._counts(connection)
        return counts and self._is_current(exchange.remote)

    def _counts(self, connection: Connection) -> bool:
        """Whether that is a connection of now, or a part of its traffic."""
        now = self._catalog.connections.get(connection.name)
        return now is not None and narrowed(now, connection.selector) == connection

    def _is_same(self, name: str) -> bool:
        """Whether a connection of before counts now, the same but for the lines that reasons
        cite."""
        found = self._same.get(name)
        if found is None:
            before = self._before[name]
            found = self._now(name) == (before.connection, before.remote)
            self._same[name] = found
        return found

    def _now(self, name: str) -> tuple[Connection | None, Remote | None]:
        connection = self._catalog.connections.get(name)
        return connection, self._catalog.remotes.get(connection.remote) if connection else None

    def _is_current(self, remote: Remote) -> bool:
        """Whether a peer of before is one now, and the same."""
        known = self._current.get(id(remote))
        if known is None:
            try:
                same = self._catalog.remote(remote.name) == remote
            except ConfError:
                same = False
            known = self._current[id(remote)] = remote, same
        return known[1]

    def steps(self) -> Steps[list[str]]:
        """Do it, a connection or an SA in a step; what was done, a line each."""
        try:
            yield from self._stand()
            yield from self._drop()
            # Here as well: under SAs that are not deleted yet their peers are told.
            yield from self._look_at_made()
            yield from self._delete_sas()
            yield from self._conclude()
        finally:
            self._connections.meanwhile = None
        yield from self._give_up_reserved()
        for entry in self._taken_up:
            if entry.name not in self._before:
                self._done.append(f"{entry.name}: taken up")
            self._connections.begin(entry)
            yield
        yield from emptied(self._before, self._current, self._same)
        return self._done

    def _stand(self) -> Steps[None]:
        """What takes up traffic comes before what had it goes."""
        connections = self._connections
        for name in list(self._catalog.connections):
            connection, remote = self._now(name)
            before = self._before.get(name)
            if connection is None or remote is None:
                continue
            if before is None or not self._is_same(name):
                self._taken_up.append(connections.take_up(connection))
            else:
                before.entry.connection, before.entry.remote = connection, remote
            yield
        connections.policies.fixed = {}
        for name, specs in unnegotiated(self._catalog) if connections.settings.flows else ():
            connections.policies.fixed[name] = specs
            beside = connections.flows.of((name, None))
            connections.flows.put((name, None), list(dict.fromkeys((*beside, *specs))))
            yield

    def _drop(self) -> Steps[None]:
        left_out = dict(self._catalog.left_out)
        for name in self._fixed_before:
            if self._fixed_before[name] != self._connections.policies.fixed.get(name):
                self._connections.settle(name, ())
            yield
        children: defaultdict[str, list[ChildSa]] = defaultdict(list)
        for child in reversed(self._children):
            children[child.connection.name].append(child)
        for name, before in self._before.items():
            if not self._is_same(name):
                listed = name in self._catalog.connections
                what = "changed" if listed else "left out" if name in left_out else "removed"
                self._connections.drop(before.entry, children[name])
                self._done.append(f"{name}: {what}, its SAs are deleted")
            yield
        yield from emptied(children)

    def _delete_sas(self) -> Steps[None]:
        while self._sas:
            sa = self._sas.pop()
            if sa.state is not State.DEAD and not self._is_current(sa.remote):
                self._delete_sa(sa)
            yield

    def _delete_sa(self, sa: IsakmpSa) -> None:
        self._owner.delete_sa(sa)
        self._done.append(f"{sa}: peer changed or removed")

    def _conclude(self) -> Steps[None]:
        """What was made meanwhile and what is under way is of now, from the end of this on."""
        self._cancel()
        while self._made:
            yield from self._look_at_made()
            self._cancel()

    def _look_at_made(self) -> Steps[None]:
        while self._made:
            for _ in range(min(AT_ONCE, len(self._made))):
                new, remote = self._made.pop()
                if new.state not in _ENDING:
                    self._look_at(new, remote is not None and self._is_current(remote))
            yield

    def _look_at(self, new: IsakmpSa | ChildSa, current: bool) -> None:
        """current: whether it was made with a peer of now."""
        if isinstance(new, IsakmpSa):
            if not current:
                self._delete_sa(new)
        elif current and self._counts(new.connection):
            self._children.append(new)
        else:
            self._connections.settle(new.connection.name, [new])
            self._done.append(f"{new}: deleted, its connection or peer has changed meanwhile")

    def _give_up_reserved(self) -> Steps[None]:
        """What is for one peer alone from now on is taken from whoever else has it."""
        bounds = self._connections.engine.bounds
        while self._children:
            child = self._children.pop()
            remote = self._catalog.remotes.get(child.connection.remote)
            traffic = child.selectors
            reason = bounds.reserved(remote, child.connection, traffic) if remote else None
            if reason is not None and child.state is State.ESTABLISHED:
                self._owner.children.delete_child(child)
                self._done.append(f"{child}: deleted, {reason.detail}")
            yield
