"""The negotiated hash, RFC 2409 4 and appendix A: NAT-D payloads, IVs and plain digests."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from isakmp.constants import isakmp, name_of
from isakmp.errors import CryptoError

_ALGORITHMS = {
    isakmp.Hash.MD5: "md5",
    isakmp.Hash.SHA: "sha1",
    isakmp.Hash.SHA2_256: "sha256",
    isakmp.Hash.SHA2_384: "sha384",
    isakmp.Hash.SHA2_512: "sha512",
}


class _Digest(Protocol):
    def digest(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class HashSpec:
    """A hash algorithm. name: hashlib's; size: of a digest in octets; legacy: MUST NOT be used
    any more (RFC 8247 2.3), so the configuration warns of it."""

    name: str
    size: int
    legacy: bool
    _make: Callable[[bytes], _Digest] = field(repr=False, compare=False)

    def digest(self, *parts: bytes) -> bytes:
        """The digest of the concatenation of ``parts``, ``size`` octets."""
        return self._make(b"".join(parts)).digest()


@functools.cache
def get_hash(number: isakmp.Hash) -> HashSpec:
    """The hash of that number. CryptoError where the library lacks it (Tiger; MD5 under FIPS)."""
    algorithm = _ALGORITHMS.get(number)
    try:
        size = hashlib.new(algorithm or "").digest_size
    except ValueError as error:
        name = name_of(isakmp.Hash, number)
        raise CryptoError(f"the library lacks hash {name} ({int(number)})") from error
    # hashlib.new() finds the same by way of Python at each call.
    make = getattr(hashlib, algorithm or "")
    return HashSpec(algorithm or "", size, number == isakmp.Hash.MD5, make)
