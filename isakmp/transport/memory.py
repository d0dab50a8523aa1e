"""A transport in memory: two or more daemons in one process, on a network that is a function."""

from __future__ import annotations

from collections.abc import Callable

from isakmp.errors import Reason
from isakmp.path import Path
from isakmp.transport.base import NON_ESP_MARKER, Deliver, sort
from isakmp.transport.unsent import Unsent

Carry = Callable[[Path, bytes], Reason | None]


class Memory:
    """One host's end. ``carry`` takes what is sent: the path from the sender, and the datagram; a
    reason that it returns is why it does not."""

    def __init__(self, carry: Carry) -> None:
        self._carry, self._unsent = carry, Unsent()
        self._ike: Deliver | None = None
        self._esp: Deliver | None = None

    def start(self, ike: Deliver, esp: Deliver) -> None:
        """Begin to receive."""
        self._ike, self._esp = ike, esp

    def receive(self, path: Path, data: bytes) -> None:
        """A datagram has come; ``path`` is the receiver's."""
        if self._ike is None or self._esp is None or not data:
            return
        if path.encap:
            sort(path, data, self._ike, self._esp)
        else:
            self._ike(path, data)

    def send(self, path: Path, message: bytes) -> None:
        """Send an IKE message."""
        self.send_raw(path, NON_ESP_MARKER + message if path.encap else message)

    def send_raw(self, path: Path, data: bytes) -> None:
        """Send as it is."""
        self._unsent.note(path, self._carry(path, data))

    def unsent(self, path: Path) -> Reason | None:
        """Why the last datagram of that way was not sent."""
        return self._unsent.get(path)

    def describe(self) -> list[dict[str, object]]:
        """One row."""
        return [{"transport": "memory"}]

    def close(self) -> None:
        """Receive no more."""
        self._ike = self._esp = None
