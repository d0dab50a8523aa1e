"""What changes, one by one, have written of connections that does not count yet: what the answer to
a change tells of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from isakmp.conf.parse import fold
from isakmp.errors import ConfError
from isakmp.event.steps import Steps, pauses
from isakmp.policy.catalog import Catalog
from isakmp.policy.reader import connection_names
from isakmp.policy.readings import Readings
from isakmp.policy.vanished import in_clear

REINITIALISE_S = 5.0
_NAMED = 5  # connections that an answer tells of
_WHEN = (
    f"connections count {REINITIALISE_S:g} s after a change of [Phase 2], or at once with "
    "conf apply; a reload loses what was set"
)


@dataclass
class Ahead:
    """catalog: what counts; touched: the sections that changes have to do with that do not yet."""

    catalog: Catalog
    touched: frozenset[str] = frozenset()

    def unlisted(self, left_s: int) -> list[str]:
        """What is to be told of connections that nothing lists any more. left_s: until they end."""
        listed = set(map(fold, connection_names(self.catalog.conf)))
        held = ((name, any(traffic.values())) for name, traffic in self.catalog.held())
        names = [name for name, some in held if some and fold(name) not in listed]
        then = f"in {left_s} s: what no other protects or drops goes in clear then"
        return _few([f"connection {name} ends {then}" for name in names])

    def go_on(self, part: frozenset[str], left_s: int | None = None) -> list[str]:
        """What is to be told of connections and bypasses among these sections that are written
        otherwise by now, and count as they were. left_s: for how long; None where nothing ends
        that yet."""
        when = _WHEN if left_s is None else f"connections count in {left_s} s"
        names = self.catalog.outdated(part)
        return _few([f"{name} goes on as it was: {when}" for name in names])

    def in_clear(self, left_s: int, lists: bool) -> Steps[list[str]]:
        """What goes in clear as soon as connections count as they are written, a line each. lists:
        whether other ones may be listed since this was told last."""
        before = self.catalog
        if not lists and not before.outdated(self.touched):
            return []
        fresh = self._empty()
        if before.left_out or not (yield from fresh.taking(before, self.touched)):
            fresh = self._empty()
            yield from fresh.loading(before)
        lines = yield from in_clear(before, fresh, "then")
        return [f"in {left_s} s: {line}" for line in lines]

    def _empty(self) -> _Written:
        conf, resolve, supports = self.catalog.conf, self.catalog.resolve, self.catalog.supports
        return _Written(conf, resolve, faults=self.catalog.faults, supports=supports)


class _Written(Catalog):
    """The traffic of what is written, without who may have it."""

    def taking(self, before: Catalog, touched: frozenset[str]) -> Steps[bool]:
        """Read what is touched, and take the rest as it was; False where something is wrong, so
        that all has to be read."""
        self._load_bypass()
        readings = Readings(self.conf, self.resolve)
        for name, pause in pauses(connection_names(self.conf)):
            try:
                own = None if fold(name) in touched else before.connections.get(name)
                self.connections[name] = own or self._read(name, readings)
            except ConfError:
                return False
            if pause:
                yield
        return not self.left_out


def _few(lines: list[str]) -> list[str]:
    return lines[:_NAMED] + [f"so do {len(lines) - _NAMED} more"] * (len(lines) > _NAMED)
