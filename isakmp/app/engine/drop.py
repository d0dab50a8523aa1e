"""Why the key engine throws a packet away; each kind has a counter (RFC 4301 4.4.2.1, auditing)."""

from __future__ import annotations

from enum import Enum

from isakmp.errors import IsakmpError
from isakmp.log.log import Log, LogClass


class Drop(Enum):
    """Kinds of drop, as counters and the log name them."""

    MALFORMED = "malformed"
    NO_SA = "no-sa"
    LARVAL = "larval-sa"
    ICV = "bad-icv"
    REPLAY = "replay"
    PADDING = "bad-padding"
    DUMMY = "dummy"
    NEXT_HEADER = "bad-next-header"
    SELECTOR = "selector-mismatch"
    POLICY = "policy-mismatch"
    NO_POLICY = "no-policy"
    DISCARD = "discarded-by-policy"
    FRAGMENT = "fragment-without-ports"
    UNSUPPORTED = "unsupported-header"
    HELD_FULL = "held-queue-full"
    HELD_EXPIRED = "held-too-long"
    TOO_BIG = "too-big"
    SEQUENCE = "sequence-exhausted"
    SEND = "send-failed"
    DELIVER = "deliver-failed"


class Dropped(IsakmpError):
    """A packet goes no further. Never leaves the engine."""

    def __init__(self, kind: Drop) -> None:
        super().__init__(kind.value)
        self.kind = kind


class Drops:
    """The counters, one for each kind."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._counts: dict[Drop, int] = {}

    def __call__(self, kind: Drop) -> None:
        """Count one packet."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if self._log.on(LogClass.SYSDEP, 70):
            self._log.debug(LogClass.SYSDEP, 70, "engine: packet dropped: %s", kind.value)

    def __getitem__(self, kind: Drop) -> int:
        return self._counts.get(kind, 0)

    def to_dict(self) -> dict[str, int]:
        """Name to count, for the report; kinds that did not happen are left out."""
        return {kind.value: count for kind, count in self._counts.items()}
