"""Dialect: what one protocol, or one version of it, does its own way.

The engine sees a Dialect, which may be that of any protocol whose exchanges are scripts. The daemon
sees a KeyExchange (key_exchange.py): what makes SAs and keeps them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from isakmp.errors import Reason, Refused
from isakmp.exchange.script import Incoming, Outgoing
from isakmp.message import Payload
from isakmp.payloads.base import Family
from isakmp.sa import IsakmpSa

X = TypeVar("X", contravariant=True)
"""An exchange, which knows its dialect."""

Key = tuple[str, bytes, int]
"""What messages are found by: a dialect, what our end is called in them, a number."""


class Dialect(Protocol[X]):
    """What the engine asks of a protocol."""

    name: str
    """As Key-exchange has it."""
    rules: Family
    """Those of its payloads."""
    failure: int
    """The notify for what fails here by no fault of the peer's."""
    malformed: int
    """The notify for a message of the peer's that breaks a rule; 0: none."""

    def identifiers(self, new_cookie: Callable[[], bytes]) -> tuple[bytes, bytes]:
        """What both ends are called in the messages of a new exchange of ours that is under no SA,
        as far as that is known: the initiator, and the responder."""

    def key(self, exchange: X) -> Key:
        """What the messages of an exchange are found by; no other dialect has the same."""

    def ends_sa(self, exchange: X) -> bool:
        """Whether its SA is no good any more where nobody answers, with all that it protects."""

    def awaited(self, exchange: X) -> bool:
        """Whether an exchange, or one of those that go on from it, cannot end before its answer."""

    def message_id(self, exchange: X) -> int:
        """A message identifier for a new exchange of ours."""

    def may_begin(self, sa: IsakmpSa) -> bool:
        """Whether another exchange of ours may run under ``sa`` now; else it waits its turn."""

    def next_leg(self, exchange: X) -> bool:
        """Another request and its answer follow. Number them where each has a number of its own;
        whether the exchange goes on at once, else it waits its turn."""

    def seal(self, exchange: X, message: Outgoing) -> tuple[bytes, ...]:
        """Build the datagrams, protected where the message asks for it."""

    def heard(self, exchange: X, message: Incoming) -> None:
        """It is the next one of an exchange. What it proves by itself counts, whatever becomes of
        what it says: that its peer lives, and, where it is known to be new, where that is."""

    def inspect(self, exchange: X, message: Incoming) -> None:
        """Look at a message before its step does. Refused or MalformedPayload where it is bad."""

    def accepted(self, exchange: X, message: Incoming) -> None:
        """The message was good: note its IV, or what else only a good one tells."""

    def leftover(self, exchange: X, message: Incoming, payload: Payload) -> None:
        """A payload that no step claimed."""

    def again(self, exchange: X) -> tuple[bytes, ...]:
        """Our last message for another time: mostly as it was."""

    def authenticator(self, exchange: X) -> int:
        """The payload type that the AUTH mark stands for."""

    def notify(self, exchange: X, refused: Refused) -> None:
        """Tell the peer why its exchange is refused."""

    def withdraw(self, exchange: X, reason: Reason) -> None:
        """Tell the peer of an exchange that we give up, where it waits for us, or may have taken
        for done what we have sent."""

    def ended(self, exchange: X, reason: Reason | None) -> None:
        """An exchange is over, without a reason: well. Note what its message ID still means."""
