"""What the steps of an exchange have learned, for a test that knows what that is."""

from __future__ import annotations

from isakmp.exchange.exchange import Exchange
from isakmp.exchange.script import S


def state_of(exchange: Exchange, kind: type[S]) -> S:
    """The state of an exchange, which is of that kind."""
    assert isinstance(exchange.state, kind)
    return exchange.state
