"""Retransmission: our last message again, as long as the peer does not answer it.

RFC 2408 5.1, RFC 7296 2.1 and 2.4. The time between two grows, and is jittered. While an answer is
looked at nothing is repeated, nor given up: it may have to wait for a worker or the IPsec stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isakmp.exchange.candidates import family
from isakmp.exchange.exchange import Exchange
from isakmp.log.log import LogClass
from isakmp.sa import IsakmpSa

if TYPE_CHECKING:
    from isakmp.exchange.engine import Engine


class Retransmission:
    """That of one engine's exchanges."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def arm(self, exchange: Exchange[Any]) -> None:
        """Repeat an exchange's message in a while, unless it rests or has sent nothing."""
        if not exchange.last_out or exchange.resting:
            return
        engine = self._engine
        wait = self._wait_s(exchange.retries) * (0.875 + engine.random(1)[0] / 1024)
        engine.stop_timer(exchange, "retransmit")
        exchange.events["retransmit"] = engine.timers.add("retransmit", wait, self._again, exchange)

    def longest_s(self) -> float:
        """How long a request is repeated where its SA ends with it, in seconds."""
        return sum(map(self._wait_s, range(self._engine.settings.sa_retransmits + 1)))

    def until_heard(self, exchange: Exchange[Any], sa: IsakmpSa) -> None:
        """Repeat a last message that nobody answers, until the peer says something under ``sa``."""

        def again() -> None:
            exchange.retries += 1
            self._engine.repeat(exchange)
            self.until_heard(exchange, sa)

        if exchange.retries < self._engine.settings.retransmits:
            wait = self._wait_s(exchange.retries)
            sa.events["unheard"] = self._engine.timers.add("last message", wait, again)

    def _wait_s(self, retries: int) -> float:
        """How long an answer to the message that went out so often before is waited for."""
        settings = self._engine.settings
        return min(settings.retransmit_s * (1 << min(retries, 32)), settings.retransmit_max_s)

    def _most(self, exchange: Exchange[Any]) -> int:
        settings, ends_sa = self._engine.settings, exchange.dialect.ends_sa(exchange)
        return settings.sa_retransmits if ends_sa else settings.retransmits

    def _again(self, exchange: Exchange[Any]) -> None:
        engine = self._engine
        if any(each.looks for each in family(exchange)):
            self.arm(exchange)
            return
        if exchange.retries >= self._most(exchange):
            engine.timed_out(exchange)
            return
        exchange.retries += 1
        engine.log.debug(LogClass.EXCHANGE, 30, "%s: repeats its message (%d)", exchange,
                         exchange.retries)  # fmt: skip
        again = exchange.dialect.again(exchange)
        if again is not exchange.last_out:
            # Another size has its own chance (RFC 7383 2.5.2).
            exchange.last_out, exchange.retries = again, 0
        engine.repeat(exchange)
        self.arm(exchange)
