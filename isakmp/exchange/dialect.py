"""Dialect: what one protocol, or one version of it, does its own way.

The engine sees a Dialect, which may be that of any protocol whose exchanges are scripts. The daemon
sees a KeyExchange: what makes SAs and keeps them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from isakmp.errors import Reason, Refused
from isakmp.event.job import Job
from isakmp.exchange.exchange import Exchange, Key
from isakmp.exchange.script import Incoming, Outgoing
from isakmp.message import Payload
from isakmp.path import Path
from isakmp.payloads.base import Family
from isakmp.policy.spd import Connection, Remote, Traffic
from isakmp.sa import ChildSa, IsakmpSa

if TYPE_CHECKING:
    from isakmp.exchange.engine import Engine


class Dialect(Protocol):
    """What the engine asks of a protocol."""

    name: str
    """As Key-exchange has it."""
    rules: Family
    """Those of its payloads."""
    failure: int
    """The notify for what fails here by no fault of the peer's."""
    malformed: int
    """The notify for a message of the peer's that breaks a rule; 0: none."""

    def identifiers(self, engine: Engine) -> tuple[bytes, bytes]:
        """What both ends are called in the messages of a new exchange of ours that is under no SA,
        as far as that is known: the initiator, and the responder."""

    def key(self, exchange: Exchange[Any]) -> Key:
        """What the messages of an exchange are found by; no other dialect has the same."""

    def ends_sa(self, exchange: Exchange[Any]) -> bool:
        """Whether its SA is no good any more where nobody answers, with all that it protects."""

    def awaited(self, exchange: Exchange[Any]) -> bool:
        """Whether an exchange, or one of those that go on from it, cannot end before its answer."""

    def message_id(self, exchange: Exchange[Any]) -> int:
        """A message identifier for a new exchange of ours."""

    def may_begin(self, sa: IsakmpSa) -> bool:
        """Whether another exchange of ours may run under ``sa`` now; else it waits its turn."""

    def next_leg(self, exchange: Exchange[Any]) -> bool:
        """Another request and its answer follow. Number them where each has a number of its own;
        whether the exchange goes on at once, else it waits its turn."""

    def seal(self, exchange: Exchange[Any], message: Outgoing) -> tuple[bytes, ...]:
        """Build the datagrams, protected where the message asks for it."""

    def heard(self, exchange: Exchange[Any], message: Incoming) -> None:
        """It is the next one of an exchange. What it proves by itself counts, whatever becomes of
        what it says: that its peer lives, and, where it is known to be new, where that is."""

    def inspect(self, exchange: Exchange[Any], message: Incoming) -> None:
        """Look at a message before its step does. Refused or MalformedPayload where it is bad."""

    def accepted(self, exchange: Exchange[Any], message: Incoming) -> None:
        """The message was good: note its IV, or what else only a good one tells."""

    def leftover(self, exchange: Exchange[Any], message: Incoming, payload: Payload) -> None:
        """A payload that no step claimed."""

    def again(self, exchange: Exchange[Any]) -> tuple[bytes, ...]:
        """Our last message for another time: mostly as it was."""

    def authenticator(self, exchange: Exchange[Any]) -> int:
        """The payload type that the AUTH mark stands for."""

    def notify(self, exchange: Exchange[Any], refused: Refused) -> None:
        """Tell the peer why its exchange is refused."""

    def withdraw(self, exchange: Exchange[Any], reason: Reason) -> None:
        """Tell the peer of an exchange that we give up, where it waits for us, or may have taken
        for done what we have sent."""

    def ended(self, exchange: Exchange[Any], reason: Reason | None) -> None:
        """An exchange is over, without a reason: well. Note what its message ID still means."""


class KeyExchange(Dialect, Protocol):
    """What the daemon asks of a protocol that makes SAs."""

    owns_children: bool
    """Whether child SAs end with the SA they were made under, and move to its successor."""

    def begin_sa(
        self, engine: Engine, remote: Remote, path: Path, connection: Connection | None
    ) -> Exchange[Any]:
        """Start what makes the SA that protects others; ``connection`` may come with it."""

    def begin_child(
        self, engine: Engine, sa: IsakmpSa, connection: Connection, old: ChildSa | None,
        part: Traffic | None = None,
    ) -> Exchange[Any]:  # fmt: skip
        """Start the exchange that makes a child SA, in the place of ``old``, which may be of
        another SA. part: of a connection that much, where its selector does not say that."""

    def connection(self, exchange: Exchange[Any]) -> Connection | None:
        """That of the child SA which an exchange makes, once it is known."""

    def rekey_sa(self, engine: Engine, sa: IsakmpSa) -> None:
        """A successor for ``sa``."""

    def reauthenticate(self, engine: Engine, sa: IsakmpSa) -> None:
        """The same by proving everything anew."""

    def tell_deleted(self, engine: Engine, sa: IsakmpSa, child: ChildSa | None) -> Job[Any]:
        """Tell the peer that a child SA, or ``sa`` itself, is gone; done once it is."""

    def tell_later(self, child: ChildSa) -> None:
        """There is no SA under which the peer could be told that ``child`` is gone."""

    def probe(self, engine: Engine, sa: IsakmpSa, sequence: int) -> None:
        """Ask whether the peer is alive."""

    def has(self, child: ChildSa) -> bool | None:
        """Whether its peer has had the last message of ours, which made it: True where what has
        come since shows it, False where it has asked for that once more, None: neither."""

    def unknown_spi(self, engine: Engine, path: Path, spi: int) -> None:
        """ESP or AH came from there for no SA of ours: tell whose IKE SA it is."""

    def sa_gone(self, engine: Engine, sa: IsakmpSa) -> None:
        """An SA has ended; what its peer may still ask for again is kept for a while."""
