"""Pseudo-random functions: of IKEv1 the HMAC of the negotiated hash, RFC 2409 4; of IKEv2 what is
negotiated, RFC 7296 2.13, RFC 4868, RFC 4434 (AES-XCBC), RFC 4615 (AES-CMAC)."""

from __future__ import annotations

import functools
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from isakmp.constants import ikev2, isakmp, name_of
from isakmp.crypto.hash import get_hash
from isakmp.crypto.mac import Mac, cmac, cmac_key, xcbc, xcbc_key
from isakmp.errors import CryptoError

_HASHES = {
    ikev2.Prf.HMAC_MD5: isakmp.Hash.MD5,
    ikev2.Prf.HMAC_SHA1: isakmp.Hash.SHA,
    ikev2.Prf.HMAC_SHA2_256: isakmp.Hash.SHA2_256,
    ikev2.Prf.HMAC_SHA2_384: isakmp.Hash.SHA2_384,
    ikev2.Prf.HMAC_SHA2_512: isakmp.Hash.SHA2_512,
}

_LIBRARY: dict[str, hashes.HashAlgorithm] = {
    "md5": hashes.MD5(),
    "sha1": hashes.SHA1(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class Prf:
    """prf(key, parts). name: of the hash in hashlib; size: of the output, and of the key it likes
    best, in octets; fixed_key: it takes that many octets of nonces (RFC 7296 2.14); legacy: MUST
    NOT be used any more (RFC 8247 2.2)."""

    name: str
    size: int
    fixed_key: bool = False
    legacy: bool = False

    @property
    def key_size(self) -> int:
        """The preferred key's octets: those of the output (RFC 7296 2.13)."""
        return self.size

    def __call__(self, key: bytes, *parts: bytes) -> bytes:
        """``size`` octets from a key of any length over the concatenation of ``parts``."""
        return hmac.digest(key, b"".join(parts), self.name)

    def plus(self, key: bytes, seed: bytes, size: int) -> bytes:
        """``size`` octets of prf+ (RFC 7296 2.13), 255 blocks at most: of an HMAC it is what RFC
        5869 calls HKDF-Expand."""
        return HKDFExpand(_LIBRARY[self.name], size, seed).derive(key)


@dataclass(frozen=True, slots=True)
class AesPrf(Prf):
    """A prf made of AES. bind: the MAC under 16 octets; key_of: those for a key of any length."""

    bind: Callable[[bytes], Mac] = cmac
    key_of: Callable[[bytes], bytes] = cmac_key

    def __call__(self, key: bytes, *parts: bytes) -> bytes:
        """16 octets."""
        return self.bind(self.key_of(key))(b"".join(parts))

    def plus(self, key: bytes, seed: bytes, size: int) -> bytes:
        """The same of this prf."""
        stream, block = b"", b""
        for number in range(1, -(-size // self.size) + 1):
            block = self(key, block, seed, bytes([number]))
            stream += block
        return stream[:size]


_AES = {
    ikev2.Prf.AES128_XCBC: AesPrf("xcbc", 16, fixed_key=True, bind=xcbc, key_of=xcbc_key),
    ikev2.Prf.AES128_CMAC: AesPrf("cmac", 16, fixed_key=True, bind=cmac, key_of=cmac_key),
}


@functools.cache
def get_prf(number: isakmp.Hash) -> Prf:
    """The HMAC of that hash. CryptoError where the library lacks the hash."""
    spec = get_hash(number)
    return Prf(spec.name, spec.size)


@functools.cache
def get_prf_v2(number: int) -> Prf:
    """IKEv2's prf of that number. CryptoError where it is not known, or the library lacks it."""
    for aes, prf in _AES.items():
        if aes == number:
            return prf
    hash_number = next((h for prf, h in _HASHES.items() if prf == number), None)
    if hash_number is None:
        raise CryptoError(f"no prf {name_of(ikev2.Prf, number)} ({int(number)})")
    spec = get_hash(hash_number)
    return Prf(spec.name, spec.size, legacy=spec.legacy)
