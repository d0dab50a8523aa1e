"""What is noted about a running daemon, for invariants that its tables alone do not show."""

from __future__ import annotations

from collections import Counter
from typing import Any

from isakmp.daemon import Daemon
from isakmp.errors import Refused
from isakmp.exchange.exchange import Exchange, ExchangeOf
from regress.sim.stack import Stack

LARVAL_MAX, HELD_MAX = 128, 32

Key = tuple[bytes, int]


class Watch:
    """An eye on one daemon from its start to its end.

    wrong: what should not have happened, empty where nothing has; fresh: whether SAs have been
    installed since it was last set to False.
    """

    def __init__(self, daemon: Daemon, stack: Stack, counts: Counter[str]) -> None:
        self.wrong = ""
        self.fresh = False
        self._stack, self._counts = stack, counts
        self._begun: dict[Key, int] = {}
        self._done: set[Key] = set()
        self._watch_exchanges(daemon)
        self._watch_installing(daemon)

    def _watch_exchanges(self, daemon: Daemon) -> None:
        engine = daemon.engine
        initiate, answer, number = engine.initiate, engine.answer, engine.number

        def initiated(*args: Any, **options: Any) -> ExchangeOf[Any]:
            exchange = initiate(*args, **options)
            exchange.finished.then(lambda job: self._count(exchange, job.error))
            return exchange

        def numbered(exchange: Exchange) -> None:
            number(exchange)
            if exchange.sa is not None and exchange.dialect.name == "ikev1":
                self._begins(exchange)

        def answered(*args: Any, **options: Any) -> ExchangeOf[Any]:
            exchange = answer(*args, **options)
            if exchange.sa is not None:
                exchange.finished.then(lambda job: self._ends(exchange, job.error is None))
            return exchange

        engine.initiate = initiated  # type: ignore[method-assign]
        engine.answer = answered  # type: ignore[method-assign]
        engine.number = numbered  # type: ignore[method-assign]

    def _count(self, exchange: Exchange, error: Exception | None) -> None:
        if len(exchange.steps) == 1:
            return
        how = "failed" if error else "done"
        if isinstance(error, Refused) and error.reason.cause in ("sa-gone", "peer-dead"):
            how = "ended with its SA"
        elif isinstance(error, Refused) and error.reason.came == "TEMPORARY_FAILURE":
            how = "put off"  # and asked again (RFC 7296 2.25)
        self._counts[f"{exchange.script.name} {how}"] += 1

    def _begins(self, exchange: Exchange) -> None:
        """A message ID of ours is for one exchange (RFC 2408 3.1)."""
        key = key_of(exchange)
        if self._begun.setdefault(key, exchange.number) != exchange.number:
            self.wrong = f"message ID {exchange.message_id:08x} used again"

    def _ends(self, exchange: Exchange, ok: bool) -> None:
        """What the peer sent once must not be carried out twice, whoever sends it again."""
        key = key_of(exchange)
        if not ok:
            return
        if key in self._done:
            self.wrong = f"{exchange}, message ID {exchange.message_id:08x}, is carried out twice"
        self._done.add(key)

    def _watch_installing(self, daemon: Daemon) -> None:
        app: Any = daemon.app
        add, update = app.add_sa, app.update_sa

        def added(spec: Any) -> Any:
            self.fresh = True
            return add(spec)

        def updated(spec: Any) -> Any:
            self.fresh = True
            return update(spec)

        app.add_sa, app.update_sa = added, updated

    @property
    def larval(self) -> int:
        """How many SPIs wait for their SAs."""
        return len(self._stack.engine._sad._larval) if self._stack.engine else 0

    @property
    def held(self) -> int:
        """How many packets wait for an SA."""
        return self._stack.engine._out._held if self._stack.engine else 0


def key_of(exchange: Exchange) -> Key:
    """What must be unique: the cookies of the ISAKMP SA, and the message ID under it."""
    assert exchange.sa is not None
    return exchange.sa.cookies, exchange.message_id
