"""Retransmission: our last message again, as long as the peer does not answer it.

RFC 2408 5.1, RFC 7296 2.1 and 2.4. The time between two grows, and is jittered. While an answer is
looked at nothing is repeated, nor given up: it may have to wait for a worker or the IPsec stack.
"""

from __future__ import annotations

from typing import Protocol

from isakmp.event.timer import Timers
from isakmp.exchange.candidates import family
from isakmp.exchange.exchange import Exchange
from isakmp.exchange.settings import Settings
from isakmp.log.log import Log, LogClass
from isakmp.sa import IsakmpSa


class RetransmissionHost(Protocol):
    """What retransmission asks of the engine that it is of."""

    @property
    def log(self) -> Log: ...

    @property
    def timers(self) -> Timers: ...

    @property
    def settings(self) -> Settings: ...

    def random(self, size: int, /) -> bytes: ...

    def repeat(self, exchange: Exchange) -> None:
        """Send its last message once more."""

    def stop_timer(self, exchange: Exchange, name: str) -> None: ...

    def timed_out(self, exchange: Exchange) -> None:
        """No answer has come, and none is waited for any more."""


class Retransmission:
    """That of one engine's exchanges."""

    def __init__(self, host: RetransmissionHost) -> None:
        self._host = host

    def arm(self, exchange: Exchange) -> None:
        """Repeat an exchange's message in a while, unless it rests or has sent nothing."""
        if not exchange.last_out or exchange.resting:
            return
        host = self._host
        wait = self._wait_s(exchange.retries) * (0.875 + host.random(1)[0] / 1024)
        host.stop_timer(exchange, "retransmit")
        exchange.events["retransmit"] = host.timers.add("retransmit", wait, self._again, exchange)

    def longest_s(self) -> float:
        """How long a request is repeated where its SA ends with it, in seconds."""
        return sum(map(self._wait_s, range(self._host.settings.sa_retransmits + 1)))

    def until_heard(self, exchange: Exchange, sa: IsakmpSa) -> None:
        """Repeat a last message that nobody answers, until the peer says something under ``sa``."""

        def again() -> None:
            exchange.retries += 1
            self._host.repeat(exchange)
            self.until_heard(exchange, sa)

        if exchange.retries < self._host.settings.retransmits:
            wait = self._wait_s(exchange.retries)
            sa.events["unheard"] = self._host.timers.add("last message", wait, again)

    def _wait_s(self, retries: int) -> float:
        """How long an answer to the message that went out so often before is waited for."""
        settings = self._host.settings
        return min(settings.retransmit_s * (1 << min(retries, 32)), settings.retransmit_max_s)

    def _most(self, exchange: Exchange) -> int:
        settings, ends_sa = self._host.settings, exchange.dialect.ends_sa(exchange)
        return settings.sa_retransmits if ends_sa else settings.retransmits

    def _again(self, exchange: Exchange) -> None:
        host = self._host
        if any(each.looks for each in family(exchange)):
            self.arm(exchange)
            return
        if exchange.retries >= self._most(exchange):
            host.timed_out(exchange)
            return
        exchange.retries += 1
        host.log.debug(LogClass.EXCHANGE, 30, "%s: repeats its message (%d)", exchange,
                         exchange.retries)  # fmt: skip
        again = exchange.dialect.again(exchange)
        if again is not exchange.last_out:
            # Another size has its own chance (RFC 7383 2.5.2).
            exchange.last_out, exchange.retries = again, 0
        host.repeat(exchange)
        self.arm(exchange)
