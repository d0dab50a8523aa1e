"""Phase 1s of ours that are under way: one to each peer, whoever needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isakmp.exchange.engine import Engine
from isakmp.exchange.exchange import Exchange
from isakmp.path import Path
from isakmp.policy.spd import Address, Connection, Remote
from isakmp.sa import Nat, Place, called


class Beginnings:
    """What of a daemon's connections begins phase 1. port: ours; source: our address towards
    another."""

    def __init__(
        self, engine: Engine, source: Callable[[Address], Address | None], port: int
    ) -> None:
        self.engine, self.source, self.port = engine, source, port
        self._running: dict[tuple[str, Place], Exchange[Any]] = {}

    def path_to(self, remote: Remote) -> Path | None:
        """From us to a peer with an address; None without one or without a route."""
        if remote.address is None:
            return None
        local = remote.local_address or self.source(remote.address)
        if local is None:
            return None
        return Path(local, self.port, remote.address, remote.port)

    def begin(
        self, remote: Remote, path: Path, nat: Nat, brings: Callable[[], Connection | None]
    ) -> Exchange[Any]:
        """Start phase 1 with a peer in the first of its Key-exchange, or join the one that is under
        way with who is called there: of several at one address each has a port. nat: what is known
        of one; brings: what may be negotiated along with it."""
        key = remote.name, called(remote, path, nat)
        running = self._running.get(key)
        if running is not None and running.unwanted is None:
            return running
        dialect = self.engine.dialects[remote.key_exchange[0]]
        self._running[key] = exchange = dialect.begin_sa(self.engine, remote, path, brings())
        exchange.finished.then(lambda _: self._over(key, exchange))
        return exchange

    def _over(self, key: tuple[str, Place], exchange: Exchange[Any]) -> None:
        if self._running.get(key) is exchange:
            del self._running[key]
