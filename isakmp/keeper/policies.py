"""The policies of connections and their child SAs, and the reqids that tie both together.

A child SA that takes the place of another has its reqid, be it for more traffic or for less: what
both carry is taken with either of them, as long as there are both.
"""

from __future__ import annotations

from isakmp.app.base import Application, Direction, PolicySpec, bundle_order
from isakmp.exchange.host import User
from isakmp.keeper.entry import Entry
from isakmp.keeper.flows import Flows, fixed, kept_back, protecting
from isakmp.keeper.reqids import Key, Reqids
from isakmp.log.log import Log
from isakmp.path import Path
from isakmp.policy.spd import Selector
from isakmp.policy.traffic import selectors_of
from isakmp.sa import ChildSa, State
from isakmp.sa_database import SaDatabase


class Policies:
    """entries: what is kept up, by name; fixed: what cannot be negotiated, or goes in clear."""

    def __init__(
        self, app: Application, log: Log, sas: SaDatabase, entries: dict[str, Entry]
    ) -> None:
        self.flows, self.fixed = Flows(app, log), dict[str, list[PolicySpec]]()
        self.reqids = Reqids(lambda number: bool(sas.of_reqid(number)), self._stands)
        self._sas, self._entries = sas, entries

    # --- reqids ------------------------------------------------------------------------------

    def hold(
        self, name: str, selectors: tuple[Selector, ...], old: ChildSa | None, user: User
    ) -> int:
        """The number of what a child SA is to carry, which ``user`` keeps until it is over."""
        alike = self._sas.of_flow(name, selectors[0])
        before = alike or [old for old in (old,) if old is not None and old.state is not State.DEAD]
        number = before[0].reqid if before else self._number(self._key(name, selectors))
        return self.reqids.hold(number, user.finished)

    def _key(self, name: str, selectors: tuple[Selector, ...]) -> Key:
        """By what a number is known. A part of a connection may begin as all of it does."""
        entry = self._entries.get(name)
        if entry is None or selectors[0] != entry.connection.selector:
            return name, selectors[0]
        whole = set(selectors_of(entry.connection)) <= set(selectors)
        return (name, selectors[0]) if whole else (name, selectors)

    def _number(self, key: Key) -> int:
        """Another one than before where a child SA of other traffic has come to have that."""
        for child in self._sas.of_reqid(self.reqids.of(key)):
            if self._key(child.connection.name, child.selectors) != key:
                return self.reqids.anew(key)
        return self.reqids.of(key)

    def _stands(self, key: Key) -> bool:
        """Whether the policies of a connection itself have that number."""
        entry = self._entries.get(key[0])
        return entry is not None and entry.connection.selector == key[1]

    def crowded(self, entry: Entry, child: ChildSa) -> bool:
        """Whether a child SA for a part of a connection has the number of all of it."""
        key = entry.name, entry.connection.selector
        return child.reqid == self.reqids.of(key) and self._key(entry.name, child.selectors) != key

    # --- policies ----------------------------------------------------------------------------

    def stand(self, entry: Entry, path: Path | None) -> None:
        """What its traffic meets while no child SA has it: a policy that asks for one, or one that
        drops, where nobody is to be asked. What stands beside it stays."""
        connection = entry.connection
        beside = *entry.beside, *self.fixed.get(entry.name, ())
        standing = kept_back(selectors_of(connection), passive=connection.passive)
        if path is None:
            self.flows.put((entry.name, None), [*beside, *fixed(standing)])
            return
        suite = connection.suites[0].protocols
        mode = suite[0].transforms[0].encapsulation
        protocols = bundle_order(p.protocol for p in suite)
        reqid = self._number((entry.name, connection.selector))
        specs = [s for each in standing for s in protecting(reqid, each, path, mode, protocols)]
        self.flows.put((entry.name, None), [*beside, *specs])

    def install(self, child: ChildSa) -> None:
        """Those of a child SA. What does not send yet leaves to others what is sent."""
        owner, mode = (
            (child.connection.name, child.selector),
            child.protocols[0].chosen.encapsulation,
        )
        protocols = bundle_order(p.chosen.protocol for p in child.protocols)
        specs = [
            spec for each in child.selectors
            for spec in protecting(child.reqid, each, child.path, mode, protocols)
        ]  # fmt: skip
        if child.receives_only:
            sent = {s.selector for s in self.flows.of(owner) if s.direction is Direction.OUT}
            specs = [s for s in specs if s.direction is Direction.IN or s.selector in sent]
        self.flows.put(owner, specs)

    def give_back(self, key: Key) -> None:
        """That traffic is nobody's any more."""
        self.reqids.give_back(self.reqids.of(key))

    def remove(self, child: ChildSa) -> None:
        """What stands below takes their place."""
        self.flows.put((child.connection.name, child.selector), [])
        self.reqids.give_back(child.reqid)
