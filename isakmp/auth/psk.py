"""Shared keys: RFC 7296 2.15.

AUTH = prf(prf(Shared Secret, "Key Pad for IKEv2"), octets)
"""

from __future__ import annotations

from hmac import compare_digest

from isakmp.constants import ikev2
from isakmp.crypto.prf import Prf
from isakmp.crypto.skeyseed import psk_auth


class Psk:
    """A secret that both ends know."""

    number = ikev2.Auth.SHARED_KEY_MIC

    def prove(self, prf: Prf, secret: bytes, octets: bytes) -> bytes:
        """The MIC over ``octets``."""
        return psk_auth(prf, secret, octets)

    def check(self, prf: Prf, secret: bytes, octets: bytes, data: bytes) -> bool:
        """Whether the peer's MIC is ours."""
        return compare_digest(psk_auth(prf, secret, octets), data)


PSK = Psk()
