"""A peer that is the same but for its messages, which somebody changes before they are sealed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isakmp.exchange.exchange import Exchange
from isakmp.exchange.script import Outgoing
from regress.pair import Host

Change = Callable[[Exchange, Outgoing], object]


def change_sent(host: Host, change: Change, version: int = 1) -> None:
    """What ``host`` sends goes through ``change`` first; what it makes is sealed as ever."""
    dialect: Any = host.daemon.engine.dialects[f"ikev{version}"]
    seal = dialect.seal

    def changed(exchange: Exchange, message: Outgoing) -> tuple[bytes, ...]:
        change(exchange, message)
        sealed: tuple[bytes, ...] = seal(exchange, message)
        return sealed

    dialect.seal = changed
