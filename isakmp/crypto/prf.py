"""The pseudo-random function of phase 1: the HMAC of the negotiated hash, RFC 2409 4."""

from __future__ import annotations

import functools
import hmac
from dataclasses import dataclass

from isakmp.constants import isakmp
from isakmp.crypto.hash import get_hash


@dataclass(frozen=True, slots=True)
class Prf:
    """prf(key, parts). name: of the hash in hashlib; size: of the output in octets."""

    name: str
    size: int

    def __call__(self, key: bytes, *parts: bytes) -> bytes:
        """``size`` octets from a key of any length over the concatenation of ``parts``."""
        return hmac.digest(key, b"".join(parts), self.name)


@functools.cache
def get_prf(number: isakmp.Hash) -> Prf:
    """The HMAC of that hash. CryptoError where the library lacks the hash."""
    spec = get_hash(number)
    return Prf(spec.name, spec.size)
