"""Phase 1s of ours that are under way: one to each peer, whoever needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isakmp.causes import EXPECTED
from isakmp.errors import reason_of
from isakmp.event.job import Job
from isakmp.exchange.engine import Engine
from isakmp.exchange.exchange import Exchange
from isakmp.path import Path
from isakmp.policy.spd import Address, Connection, Remote
from isakmp.sa import IsakmpSa, Nat, Place, called

MOST_SPOKEN = 4096


class Beginnings:
    """What of a daemon's connections begins phase 1. port: ours; source: our address towards
    another."""

    def __init__(
        self, engine: Engine, source: Callable[[Address], Address | None], port: int
    ) -> None:
        self.engine, self.source, self.port = engine, source, port
        self._running: dict[tuple[str, Place], Exchange] = {}
        # In which version each was proven last, as its section had the versions in that order; by
        # section alone, where somebody else is called.
        self._spoken: dict[tuple[str, Place | None, tuple[str, ...]], str] = {}
        self._in_vain: set[tuple[str, Place]] = set()  # those whom that has not reached since

    def spoke(self, sa: IsakmpSa) -> None:
        """The peer of ``sa`` is proven: it has that version."""
        name, order = sa.remote.name, sa.remote.key_exchange
        if len(order) == 1:
            return
        key = name, called(sa.remote, sa.path, sa.nat)
        if len(self._spoken) >= MOST_SPOKEN:
            self._spoken.clear()
        self._spoken[(*key, order)] = self._spoken[name, None, order] = sa.dialect
        self._in_vain.discard(key)

    def path_to(self, remote: Remote) -> Path | None:
        """From us to a peer with an address; None without one or without a route."""
        if remote.address is None:
            return None
        local = remote.local_address or self.source(remote.address)
        if local is None:
            return None
        return Path(local, self.port, remote.address, remote.port)

    def running(self, remote: Remote, path: Path, nat: Nat) -> Exchange | None:
        """The phase 1 that is under way with who is called there, if it is to come up."""
        running = self._running.get((remote.name, called(remote, path, nat)))
        return running if running is not None and running.unwanted is None else None

    def doubtful(self, remote: Remote, running: Exchange | None) -> Exchange | None:
        """Of what is under way for a connection, or else of phase 1 with its peer: what was begun
        with another configuration of that, or was refused or not answered so far. It may be older
        than what has mended that."""
        path = self.path_to(remote)
        if running is None and path is not None:
            running = self.running(remote, path, Nat())
        if running is None or (running.remote == remote and not self.engine.so_far(running)):
            return None
        # Under an SA another request would wait for the answer to this one, or that SA is lost.
        stays = running.phase > 1 and (running.unheard or running.dialect.awaited(running))
        return None if stays else running

    def begin(
        self, remote: Remote, path: Path, nat: Nat, brings: Callable[[], Connection | None]
    ) -> Exchange:
        """Start phase 1 with a peer, or join the one that is under way with who is called there: of
        several at one address each has a port. nat: what is known of one; brings: what may be
        negotiated along with it."""
        if running := self.running(remote, path, nat):
            return running
        key = remote.name, called(remote, path, nat)
        dialect = self.engine.dialects[self._version(remote, key)]
        self._running[key] = exchange = dialect.begin_sa(self.engine, remote, path, brings())
        exchange.finished.then(lambda job: self._over(key, exchange, job))
        return exchange

    def _version(self, remote: Remote, key: tuple[str, Place]) -> str:
        """The one that the peer has shown to have; the first of its Key-exchange where it has shown
        none, as that was written anew, and every other time where it does not answer to that."""
        order = remote.key_exchange
        if key in self._in_vain:
            return order[0]
        spoken = self._spoken.get((*key, order))
        return spoken or self._spoken.get((remote.name, None, order), order[0])

    def _over(self, key: tuple[str, Place], exchange: Exchange, job: Job[Any]) -> None:
        if self._running.get(key) is exchange:
            del self._running[key]
        if job.error is not None and reason_of(job.error).cause not in EXPECTED:
            if len(self._in_vain) >= MOST_SPOKEN:
                self._in_vain.clear()
            self._in_vain ^= {key}
