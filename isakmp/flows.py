"""The policies of all connections. Several may claim the same traffic; the strongest one stands.

A claim that goes uncovers the one below it: a connection whose child SA is gone drops its traffic,
or asks for a new one, and there is no moment without a policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from functools import partial
from itertools import count

from isakmp.app.base import Action, Application, Direction, PolicySpec
from isakmp.job import Job
from isakmp.log import Log
from isakmp.policy.catalog import Catalog
from isakmp.policy.spd import Connection, Selector
from isakmp.policy.traffic import selectors_of

Place = tuple[Direction, Selector]


class Strength(IntEnum):
    """What stands before what; of claims alike the latest."""

    STANDING = 0
    CHILD = 1


Owner = tuple[str, Selector | None]
"""A connection's name, and the selector of its child SA; None: the connection itself."""


_ACTIONS = Action.DISCARD, Action.IPSEC, Action.BYPASS


class Claim:
    """What an owner wants of one place."""

    __slots__ = ("rank", "spec")

    def __init__(self, spec: PolicySpec, strength: Strength, serial: int) -> None:
        self.spec = spec
        self.rank = _ACTIONS.index(spec.action), strength, serial


class Flows:
    """Who claims which traffic, and what the application has been told."""

    def __init__(self, app: Application, log: Log) -> None:
        self._app, self._log = app, log
        self._claims: dict[Place, dict[Owner, Claim]] = {}
        self._owned: dict[Owner, list[PolicySpec]] = {}
        self._standing: dict[Place, tuple[str, PolicySpec]] = {}
        self._serial = count()
        self._changed: dict[Place, None] = {}
        self._depth = 0

    def put(self, owner: Owner, specs: Sequence[PolicySpec]) -> None:
        """All that an owner claims; the same again costs nothing, no specs end its claims."""
        before = self._owned.pop(owner, [])
        if specs:
            self._owned[owner] = list(specs)
        if before == list(specs):
            return
        for spec in before:
            del self._claims[_place(spec)][owner]
        strength = Strength.STANDING if owner[1] is None else Strength.CHILD
        for spec in specs:
            claim = Claim(spec, strength, next(self._serial))
            self._claims.setdefault(_place(spec), {})[owner] = claim
        with self.together():
            self._changed |= dict.fromkeys(map(_place, (*specs, *before)))

    def has(self, owner: Owner) -> bool:
        """Whether it claims anything."""
        return owner in self._owned

    def drop(self, name: str) -> None:
        """End every claim of a connection."""
        with self.together():
            for owner in [owner for owner in self._owned if owner[0] == name]:
                self.put(owner, [])

    @contextmanager
    def together(self) -> Iterator[None]:
        """What changes within is told at its end, what comes before what goes."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                changed, self._changed = self._changed, {}
                self._settle(changed)

    def _settle(self, places: Iterable[Place]) -> None:
        gone = []
        for place in places:
            found = self._strongest(place)
            if found is None:
                gone.append(place)
            elif self._standing.get(place, ("", None))[1] != found[1]:
                self._standing[place] = found
                self._add(*found)
        for place in gone:
            if standing := self._standing.pop(place, None):
                self._app.delete_policy(standing[1])

    def _strongest(self, place: Place) -> tuple[str, PolicySpec] | None:
        """Who has a place, and with what."""
        claims = self._claims.get(place)
        if not claims:
            self._claims.pop(place, None)
            return None
        owner, claim = max(claims.items(), key=lambda item: item[1].rank)
        return owner[0], claim.spec

    def _add(self, name: str, spec: PolicySpec) -> None:
        self._app.add_policy(spec).then(partial(self._answered, name))

    def _answered(self, name: str, job: Job[int]) -> None:
        if job.error is not None:
            self._log.internal_err(
                "connection %s: application refused its policy: %s", name, job.error
            )

    def reinstall(self) -> None:
        """Every policy again, for a stack that has forgotten them."""
        for standing in self._standing.values():
            self._add(*standing)

    def block(self) -> None:
        """Everything that is protected is dropped from now on, whatever ends after this."""
        for name, spec in self._standing.values():
            if spec.action is Action.IPSEC:
                self._add(name, PolicySpec(spec.direction, spec.selector, Action.DISCARD))
        self._standing.clear()
        self._claims.clear()
        self._owned.clear()


def _place(spec: PolicySpec) -> Place:
    return spec.direction, spec.selector


def fixed(selectors: Iterable[Selector], action: Action = Action.DISCARD) -> list[PolicySpec]:
    """Policies that drop traffic or let it pass, both ways."""
    return [
        PolicySpec(direction, way, action)
        for selector in selectors
        for direction, way in (
            (Direction.OUT, selector), (Direction.IN, selector.reversed())
        )
    ]  # fmt: skip


def unnegotiated(catalog: Catalog) -> dict[str, list[PolicySpec]]:
    """What cannot be negotiated, for an error in its configuration, is dropped; what is to go in
    clear is let pass. By name."""
    specs = {name: fixed(traffic) for name, traffic in catalog.closed.items()}
    for name, traffic in catalog.bypass.items():
        specs[f"Bypass {name}"] = fixed(traffic, Action.BYPASS)
    return specs


def kept_back(connection: Connection) -> list[Selector]:
    """The traffic of a connection that never goes in clear, while nothing protects it either.

    Of a passive connection with everybody there is none: it would cut this host off.
    """
    every = selectors_of(connection)
    return [s for s in every if not (connection.passive and whole_family(s))]


def whole_family(selector: Selector) -> bool:
    """Whether the far side is everybody: to drop that would cut this host off."""
    return selector.dst.prefixlen == 0
