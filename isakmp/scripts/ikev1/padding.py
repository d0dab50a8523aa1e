"""Padding: a message that is padded by whole blocks waits for the same one without them.

RFC 2409 appendix B. The last block of a message's ciphertext is the IV of the next one, and no HASH
covers padding. So whoever sees a message go by could be first with it and blocks of any octets
behind it: all in it is true, but for what the next one begins with. Most pad to whole blocks, by
less than one; racoon by one where none is needed, and with randomize_length by more. What has a
block of padding or more is taken where no shorter one has come in a while, and of several such the
shortest: who can only add messages does not keep the peer's own away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from isakmp.exchange.engine import Engine
from isakmp.exchange.exchange import Key
from isakmp.exchange.script import Incoming
from isakmp.log.log import LogClass

WAIT_S = 0.5
# So many messages under one cookie of ours wait at a time; further ones are dropped.
HELD_MAX = 16


class _Held(NamedTuple):
    """A message that waits, and what reads it."""

    message: Incoming
    read: Callable[[], object]


class Padding:
    """What waits, of one engine's messages."""

    def __init__(self) -> None:
        self._held: dict[Key, _Held] = {}

    def holds(
        self, engine: Engine, key: Key, message: Incoming, block_size: int,
        read: Callable[[], object],
    ) -> bool:  # fmt: skip
        """Whether a message that was opened has so much padding that it waits, or is dropped.

        key: what its exchange is found by; read: called after the wait, where no shorter one has
        come that waits, too. It sees to whether one has been taken.
        """
        size = len(message.data)
        # What has no payload at all proves nothing, and is refused at once.
        if size - message.end < block_size or not message.payloads:
            return False
        held = self._held.get(key)
        if held is None:
            if sum(cookie == key[1] for _, cookie, _ in self._held) >= HELD_MAX:
                engine.drop(message.path, "too many messages padded by whole blocks")
                return True
            engine.timers.add("padded message", WAIT_S, self._take, engine, key)
            engine.log.debug(LogClass.MESSAGE, 30, "message %s waits: %d octets of padding",
                             message.path.came, size - message.end)  # fmt: skip
        if held is None or size < len(held.message.data):
            self._held[key] = _Held(message, read)
        return True

    def _take(self, engine: Engine, key: Key) -> None:
        held = self._held.pop(key)
        engine.take(held.message.path, held.read)
