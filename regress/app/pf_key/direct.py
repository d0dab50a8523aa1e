"""PF_KEYv2 to a server of the same process: send() returns when the answer has been received."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from isakmp.app.pf_key.link import Receiver
from isakmp.errors import ApplicationError

Send = Callable[[bytes], object]
Stream = Callable[[Iterator[bytes]], object]


class Peer(Protocol):
    """One client's place at a server."""

    def receive(self, data: bytes) -> None: ...

    def detach(self) -> None: ...


class DirectLink:
    """A link of isakmp.app.pf_key.link to the server whose attach() is given."""

    def __init__(self, attach: Callable[[Send, Stream], Peer]) -> None:
        self._attach = attach
        self._peer: Peer | None = None

    def open(self, receiver: Receiver) -> None:
        """Take a place at the server."""

        def stream(messages: Iterator[bytes]) -> None:
            for data in messages:
                receiver.receive(data)

        self._peer = self._attach(receiver.receive, stream)

    def send(self, data: bytes) -> None:
        """Have the server answer ``data``."""
        if self._peer is None:
            raise ApplicationError("the link to the key engine is closed")
        self._peer.receive(data)

    def wait(self, done: Callable[[], bool]) -> None:
        """Everything is answered at once."""

    def close(self) -> None:
        """Leave the server."""
        if self._peer is not None:
            self._peer.detach()
            self._peer = None
