"""KeyExchange: what the daemon asks of a protocol that makes SAs and keeps them."""

from __future__ import annotations

from typing import Any, Protocol

from isakmp.event.job import Job
from isakmp.exchange.dialect import Dialect
from isakmp.exchange.exchange import Exchange, Host
from isakmp.path import Path
from isakmp.policy.spd import Connection, Remote, Traffic
from isakmp.sa import ChildSa, IsakmpSa


class KeyExchange(Dialect[Exchange], Protocol):
    """A Dialect of IKE, or of what does the same."""

    owns_children: bool
    """Whether child SAs end with the SA they were made under, and move to its successor."""

    def begin_sa(
        self, host: Host, remote: Remote, path: Path, connection: Connection | None
    ) -> Exchange:
        """Start what makes the SA that protects others; ``connection`` may come with it."""

    def begin_child(
        self, host: Host, sa: IsakmpSa, connection: Connection, old: ChildSa | None,
        part: Traffic | None = None,
    ) -> Exchange:  # fmt: skip
        """Start the exchange that makes a child SA, in the place of ``old``, which may be of
        another SA. part: of a connection that much, where its selector does not say that."""

    def connection(self, exchange: Exchange) -> Connection | None:
        """That of the child SA which an exchange makes, once it is known."""

    def rekey_sa(self, host: Host, sa: IsakmpSa) -> None:
        """A successor for ``sa``."""

    def reauthenticate(self, host: Host, sa: IsakmpSa) -> None:
        """The same by proving everything anew."""

    def tell_deleted(self, host: Host, sa: IsakmpSa, child: ChildSa | None) -> Job[Any]:
        """Tell the peer that a child SA, or ``sa`` itself, is gone; done once it is."""

    def tell_later(self, child: ChildSa) -> None:
        """There is no SA under which the peer could be told that ``child`` is gone."""

    def probe(self, host: Host, sa: IsakmpSa, sequence: int) -> None:
        """Ask whether the peer is alive."""

    def has(self, child: ChildSa) -> bool | None:
        """Whether its peer has had the last message of ours, which made it: True where what has
        come since shows it, False where it has asked for that once more, None: neither."""

    def unknown_spi(self, host: Host, path: Path, spi: int) -> None:
        """ESP or AH came from there for no SA of ours: tell whose IKE SA it is."""

    def sa_gone(self, host: Host, sa: IsakmpSa) -> None:
        """An SA has ended; what its peer may still ask for again is kept for a while."""
