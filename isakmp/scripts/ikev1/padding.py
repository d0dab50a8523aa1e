"""Padding: a message that is padded by whole blocks waits for the same one without them.

RFC 2409 appendix B. The last block of a message's ciphertext is the IV of the next one, and no HASH
covers padding. So whoever sees a message go by could be first with it and blocks of any octets
behind it: all in it is true, but for what the next one begins with. Most pad to whole blocks, by
less than one; racoon by one where none is needed, and with randomize_length by more. What has a
block of padding or more is taken where no shorter one has come in a while, and of several such the
shortest: who can only add messages does not keep the peer's own away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from isakmp.exchange.dialect import Key
from isakmp.exchange.engine import Engine
from isakmp.exchange.script import Incoming
from isakmp.log.log import LogClass

WAIT_S = 0.5


class _Held(NamedTuple):
    """A message that waits, and what reads it."""

    message: Incoming
    read: Callable[[], object]


def is_padded(message: Incoming, block_size: int) -> bool:
    """Whether there is a block of padding or more. What has no payload at all proves nothing, and
    is refused at once."""
    return len(message.data) - message.end >= block_size and bool(message.payloads)


class Padding:
    """What waits, of one engine's messages: of each SA, or exchange before there is one, as many
    as a peer may have exchanges under way. Further ones are dropped."""

    def __init__(self) -> None:
        self._held: dict[Key, _Held] = {}
        self._of: Counter[bytes] = Counter()

    def hold(
        self, engine: Engine, key: Key, message: Incoming, read: Callable[[], object]
    ) -> None:  # fmt: skip
        """Have a message that is padded by a block wait, or drop it.

        key: what its exchange is found by; read: called after the wait, where no shorter one has
        come that waits, too. It sees to whether one has been taken.
        """
        size, held = len(message.data), self._held.get(key)
        if held is None:
            if self._of[key[1]] >= engine.bounds.limits.exchanges:
                engine.drop(message.path, "too many messages padded by whole blocks")
                return
            self._of[key[1]] += 1
            engine.timers.add("padded message", WAIT_S, self._take, engine, key)
            engine.log.debug(LogClass.MESSAGE, 30, "message %s waits: %d octets of padding",
                             message.path.came, size - message.end)  # fmt: skip
        if held is None or size < len(held.message.data):
            self._held[key] = _Held(message, read)

    def _take(self, engine: Engine, key: Key) -> None:
        held = self._held.pop(key)
        self._of[key[1]] -= 1
        if not self._of[key[1]]:
            del self._of[key[1]]
        engine.take(held.message.path, held.read)
