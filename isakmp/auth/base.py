"""What a way to authenticate is: RFC 7296 2.15."""

from __future__ import annotations

from typing import Protocol

from isakmp.constants import ikev2
from isakmp.crypto.prf import Prf


class Method(Protocol):
    """One authentication method. octets: InitiatorSignedOctets or ResponderSignedOctets."""

    number: ikev2.Auth

    def prove(self, prf: Prf, secret: bytes, octets: bytes) -> bytes:
        """The data of our AUTH payload."""

    def check(self, prf: Prf, secret: bytes, octets: bytes, data: bytes) -> bool:
        """Whether the data of the peer's AUTH payload proves it, in constant time."""
