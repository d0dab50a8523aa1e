"""Events of nftables: somebody takes away what is ours, as ``nft flush ruleset`` does."""

from __future__ import annotations

import socket
from collections.abc import Callable

from isakmp.app.nft import messages
from isakmp.errors import ApplicationError, MalformedPayload
from isakmp.event.loop import Loop

_GROUP = 1 << 6  # NFNLGRP_NFTABLES
_ROOM = 1 << 16
_READS_PER_TURN = 64


class News:
    """Hears of each table that something was taken from. ApplicationError where it may not."""

    def __init__(self, loop: Loop, gone: Callable[[str], object]) -> None:
        """gone: called with the name of a table, empty where some news were lost."""
        self._loop, self._gone = loop, gone
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._sock = socket.socket(socket.AF_NETLINK, kind, messages.NETLINK_NETFILTER)
        try:
            self._sock.bind((0, _GROUP))
        except OSError as error:
            self._sock.close()
            raise ApplicationError(f"events of nftables: {error.strerror}") from None
        loop.reader(self._sock.fileno(), self._read)

    def _read(self) -> None:
        names = set()
        for _ in range(_READS_PER_TURN):
            try:
                names.update(messages.taken_from(self._sock.recv(_ROOM)))
            except (BlockingIOError, InterruptedError):
                break
            except (OSError, MalformedPayload):  # ENOBUFS: more news than room
                names.add("")
        for name in names:
            self._gone(name)

    def close(self) -> None:
        """Hear no more."""
        self._loop.reader(self._sock.fileno(), None)
        self._sock.close()
