"""What the daemon wants of a transport: IKE messages and, on the NAT-T port, ESP both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from isakmp.errors import Reason
from isakmp.path import Path

Deliver = Callable[[Path, bytes], object]
NON_ESP_MARKER = bytes(4)
KEEPALIVE = b"\xff"


class Transport(Protocol):
    """A way for datagrams. Sending never raises: what is lost is repeated by those who care, and
    whether it has left this host at all can be asked."""

    def start(self, ike: Deliver, esp: Deliver) -> None:
        """Begin to receive: IKE messages without their marker, ESP packets as they are."""

    def send(self, path: Path, message: bytes) -> None:
        """Send an IKE message, behind the non-ESP marker where the path says so."""

    def send_raw(self, path: Path, data: bytes) -> None:
        """Send what is no IKE message: ESP in UDP, or a keepalive."""

    def unsent(self, path: Path) -> Reason | None:
        """Why the last datagram of that way has not left this host; None where it has."""

    def describe(self) -> list[dict[str, object]]:
        """What the report says."""

    def close(self) -> None:
        """Give the sockets back."""


def sort(path: Path, data: bytes, ike: Deliver, esp: Deliver) -> None:
    """Hand on what came to the NAT-traversal port (RFC 3948 2.1 to 2.3)."""
    if data[:4] == NON_ESP_MARKER:
        ike(path, data[4:])
    elif len(data) > 8:
        esp(path, data)
