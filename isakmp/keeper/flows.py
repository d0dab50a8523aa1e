"""The policies of all connections. Several may claim the same traffic; the strongest one stands.

A claim that goes uncovers the one below it: a connection whose child SA is gone drops its traffic,
or asks for a new one, and there is no moment without a policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from itertools import count
from operator import attrgetter

from isakmp.app.base import Action, Application, Direction, PolicySpec
from isakmp.constants import ipsec, isakmp
from isakmp.log.log import Log
from isakmp.path import Path
from isakmp.policy.catalog import Catalog
from isakmp.policy.reader import passive_names
from isakmp.policy.spd import Selector

Place = tuple[Direction, Selector]


class Strength(IntEnum):
    """What stands before what; of claims alike the latest."""

    STANDING = 0
    CHILD = 1


Owner = tuple[str, Selector | None]
"""A connection's name, and the selector of its child SA; None: the connection itself."""


_ACTIONS = Action.DISCARD, Action.IPSEC, Action.BYPASS
_rank = attrgetter("rank")


class Claim:
    """What an owner wants of one place."""

    __slots__ = ("owner", "rank", "spec")

    def __init__(self, owner: Owner, spec: PolicySpec, strength: Strength, serial: int) -> None:
        self.owner, self.spec = owner, spec
        self.rank = _ACTIONS.index(spec.action), int(strength), serial


class Seat:
    """One place: who claims it, and what stands there by the word of the application."""

    __slots__ = ("claims", "place", "standing")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.claims: list[Claim] = []
        self.standing: Claim | None = None


class Flows:
    """Who claims which traffic, and what the application has been told."""

    def __init__(self, app: Application, log: Log) -> None:
        self._app, self._log = app, log
        self._seats: dict[Place, Seat] = {}
        self._owned: dict[str, dict[Owner, list[PolicySpec]]] = {}
        self._serial = count()
        self._changed: dict[Seat, None] = {}
        self._depth = 0

    def put(self, owner: Owner, specs: Sequence[PolicySpec]) -> None:
        """All that an owner claims; the same again costs nothing, no specs end its claims."""
        its = self._owned.setdefault(owner[0], {})
        before, its[owner] = its.get(owner, []), list(specs)
        if not specs:
            self._disown(owner)
        if before == list(specs):
            return
        left = [self._seat(spec) for spec in before]
        for seat in left:
            seat.claims = [claim for claim in seat.claims if claim.owner != owner]
        taken = [self._seat(spec) for spec in specs]
        strength = Strength.STANDING if owner[1] is None else Strength.CHILD
        for seat, spec in zip(taken, specs, strict=True):
            seat.claims.append(Claim(owner, spec, strength, next(self._serial)))
        self._changed |= dict.fromkeys((*taken, *left))
        if not self._depth:
            self._settle()

    def _disown(self, owner: Owner) -> None:
        """It claims nothing any more."""
        its = self._owned[owner[0]]
        del its[owner]
        if not its:
            del self._owned[owner[0]]

    def _seat(self, spec: PolicySpec) -> Seat:
        place = spec.direction, spec.selector
        return self._seats.setdefault(place, Seat(place))

    def of(self, owner: Owner) -> Sequence[PolicySpec]:
        """What it claims."""
        return self._owned.get(owner[0], {}).get(owner, ())

    def has(self, owner: Owner) -> bool:
        """Whether it claims anything."""
        return owner in self._owned.get(owner[0], ())

    def drop(self, name: str) -> None:
        """End every claim of a connection."""
        with self.together():
            for owner in list(self._owned.get(name, ())):
                self.put(owner, [])

    def end(self) -> None:
        """End every claim."""
        for name in list(self._owned):
            self.drop(name)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What changes within is told at its end, what comes before what goes."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._settle()

    def _settle(self) -> None:
        changed, self._changed = self._changed, {}
        for seat in changed:
            if not seat.claims:
                continue
            before, seat.standing = seat.standing, max(seat.claims, key=_rank)
            if before is None or before.spec != seat.standing.spec:
                self._add(seat.standing)
        for seat in changed:
            if not seat.claims:
                del self._seats[seat.place]
                if seat.standing is not None:
                    self._app.delete_policy(seat.standing.spec)

    def _add(self, claim: Claim) -> None:
        self._app.add_policy(claim.spec).otherwise(self._refused, claim.owner[0])

    def _refused(self, name: str, error: Exception) -> None:
        self._log.internal_err("connection %s: application refused its policy: %s", name, error)

    def reinstall(self) -> None:
        """Every policy again, for a stack that has forgotten them."""
        for claim in self._standing():
            self._add(claim)

    def block(self) -> list[str]:
        """Everything that is protected is dropped from now on, whatever ends after this; the
        connections of which something is."""
        standing = self._standing()
        for claim in standing:
            spec = claim.spec
            if spec.action is Action.IPSEC:
                closed = PolicySpec(spec.direction, spec.selector, Action.DISCARD)
                self._app.add_policy(closed).otherwise(self._refused, claim.owner[0])
        self._seats.clear()
        self._owned.clear()
        dropped = (claim for claim in standing if claim.spec.action is not Action.BYPASS)
        return list(dict.fromkeys(claim.owner[0] for claim in dropped))

    def _standing(self) -> list[Claim]:
        return [seat.standing for seat in self._seats.values() if seat.standing is not None]


def fixed(selectors: Iterable[Selector], action: Action = Action.DISCARD) -> list[PolicySpec]:
    """Policies that drop traffic or let it pass, both ways."""
    return [
        PolicySpec(direction, way, action)
        for selector in selectors
        for direction, way in (
            (Direction.OUT, selector), (Direction.IN, selector.reversed())
        )
    ]  # fmt: skip


def protecting(
    reqid: int, selector: Selector, path: Path, mode: ipsec.Encapsulation,
    protocols: tuple[isakmp.Protocol, ...],
) -> list[PolicySpec]:  # fmt: skip
    """Policies of what a child SA carries, both ways."""
    protocol, *more = protocols
    return [
        PolicySpec(Direction.OUT, selector, Action.IPSEC, protocol, mode, path.local, path.remote,
                   reqid, tuple(more)),
        PolicySpec(Direction.IN, selector.reversed(), Action.IPSEC, protocol, mode, path.remote,
                   path.local, reqid, tuple(more)),
    ]  # fmt: skip


def unnegotiated(catalog: Catalog) -> Iterator[tuple[str, list[PolicySpec]]]:
    """What cannot be negotiated, for an error in its configuration, is dropped; what is to go in
    clear is let pass. With the name it has here."""
    passive = passive_names(catalog.conf)
    for name, traffic in list(catalog.closed.items()):
        yield name, fixed(kept_back(traffic, passive=name in passive))
    for name, traffic in list(catalog.bypass.items()):
        yield f"Bypass {name}", fixed(traffic, Action.BYPASS)


def kept_back(selectors: Iterable[Selector], *, passive: bool) -> list[Selector]:
    """What of a connection's traffic never goes in clear, while nothing protects it either.

    Of a passive connection with everybody there is none: it would cut this host off.
    """
    return [s for s in selectors if not (passive and whole_family(s))]


def whole_family(selector: Selector) -> bool:
    """Whether the far side is everybody: to drop that would cut this host off."""
    return selector.dst.prefixlen == 0
