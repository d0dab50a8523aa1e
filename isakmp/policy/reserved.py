"""Reserved: traffic that the configuration has for one peer alone, whether that is up or not.

Who shares a section with others asks for any part of a connection's networks. Where these take in
what another connection has for a peer of its own, that is not for them. Where it is the other way
round, and the narrower ones were cut out of the wider on purpose, the more specific ones count.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import NamedTuple

from isakmp.conf.parse import fold
from isakmp.held import Held
from isakmp.policy.spd import Connection, Network, Selector


class Share(NamedTuple):
    """What one connection has.

    who: its peer's section; shared: several may be that, so that it is for none of them alone.
    """

    name: str
    who: str
    selectors: Sequence[Selector]
    shared: bool = False

    def without(self, far: Container[Network]) -> Share:
        """All but what is with one of these networks."""
        return self._replace(selectors=[one for one in self.selectors if one.dst not in far])


class Reserved:
    """That of one configuration."""

    def __init__(self) -> None:
        self._held: Held[Share] = Held()
        self._shares: dict[str, Share] = {}

    def add(self, share: Share) -> None:
        """A connection, once."""
        self._shares[fold(share.name)] = share
        if not share.shared:
            self._held.add(share)

    def of(self, name: str) -> Share | None:
        """What a connection has."""
        return self._shares.get(fold(name))

    def add_left_out(self, name: str, own: Share | None, former: Sequence[Share]) -> None:
        """A connection that is left out: what is dropped of it is no more for others than before.

        own: what it has now; former: what it had, or those that it may be meant for.
        """
        alone = [share for share in former if not share.shared]
        if own is None and not alone:
            return
        if own is not None and not (own.shared and alone):
            alone.insert(0, own)
        who = {share.who for share in alone}
        selectors = dict.fromkeys(selector for share in alone for selector in share.selectors)
        self.add(Share(
            name, alone[0].who if own or len(who) == 1 else "", tuple(selectors),
            all(share.shared for share in alone),
        ))  # fmt: skip

    def of_another(self, connection: Connection, asked: Sequence[Selector]) -> Share | None:
        """Whose some of the traffic is that somebody asks a connection for."""
        found = self._held.of_others(connection.remote, asked)
        return next((share for share in found if not self.cut_out(connection, share.name)), None)

    def cut_out(self, connection: Connection, wider: str) -> bool:
        """Whether each far network of a connection is a part of one of the connection ``wider``."""
        share, own = self.of(wider), self.of(connection.name)
        if share is None or own is None:
            return False
        return all(any(_inside(one, other) for other in share.selectors) for one in own.selectors)


def _inside(one: Selector, other: Selector) -> bool:
    inner, outer = one.dst, other.dst
    return (
        inner.version == outer.version
        and inner.prefixlen > outer.prefixlen
        and inner.network_address in outer
    )
