"""Block ciphers in CBC mode, RFC 2409 appendices A and B; AES RFC 3602, Camellia RFC 4312.

Phase 1 negotiates them; ESP uses the same objects. What the library keeps in its decrepit corner
is loaded only when such a cipher is asked for.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import CBC

from isakmp.constants import isakmp, name_of
from isakmp.errors import CryptoError

_CURRENT = "cryptography.hazmat.primitives.ciphers.algorithms"
_DECREPIT = "cryptography.hazmat.decrepit.ciphers.algorithms"


@dataclass(frozen=True, slots=True)
class _Row:
    """algorithm: its class in the library; bits: the key lengths; default: bits where the peer
    names none; legacy: MUST NOT be used any more (RFC 8221 5, RFC 8247 2.1)."""

    algorithm: str
    bits: Iterable[int]
    default: int
    legacy: bool = False


# Blowfish's default is RFC 2409 appendix B's. DES is 3DES with one key three times over.
_ROWS = {
    isakmp.Encryption.DES_CBC: _Row("TripleDES", (64,), 64, legacy=True),
    isakmp.Encryption.IDEA_CBC: _Row("IDEA", (128,), 128, legacy=True),
    isakmp.Encryption.BLOWFISH_CBC: _Row("Blowfish", range(40, 449, 8), 448, legacy=True),
    isakmp.Encryption._3DES_CBC: _Row("TripleDES", (192,), 192),
    isakmp.Encryption.CAST_CBC: _Row("CAST5", range(40, 129, 8), 128, legacy=True),
    isakmp.Encryption.AES_CBC: _Row("AES", (128, 192, 256), 128),
    isakmp.Encryption.CAMELLIA_CBC: _Row("Camellia", (128, 192, 256), 128),
}


class Cbc:
    """A cipher bound to its key. Whole blocks in, as many out: padding is the caller's.

    Setting a context up costs the library several times what a packet's blocks do, so each
    direction that is used keeps one, and an IV is brought in by way of the chain it is in the
    middle of.
    """

    __slots__ = ("_cipher", "_decryptor", "_encryptor", "_last", "_size")

    def __init__(self, algorithm: Any, block_size: int) -> None:
        self._cipher = Cipher(algorithm, CBC(bytes(block_size)))
        self._encryptor: Any = None
        self._decryptor: Any = None
        self._last, self._size = bytes(block_size), block_size

    def encrypt(self, iv: bytes, data: bytes) -> bytes:
        """CryptoError where ``iv`` is not one block, or ``data`` not whole blocks."""
        self._check(iv, data)
        if not data:
            return b""
        # The chain adds its last block to the first of the data: it is taken out beforehand.
        size, number = self._size, int.from_bytes
        if self._encryptor is None:
            self._encryptor = self._cipher.encryptor()
        first = number(data[:size], "big") ^ number(iv, "big") ^ number(self._last, "big")
        sealed: bytes = self._encryptor.update(first.to_bytes(size, "big") + data[size:])
        self._last = sealed[-size:]
        return sealed

    def decrypt(self, iv: bytes, data: bytes) -> bytes:
        """CryptoError where ``iv`` is not one block, or ``data`` not whole blocks."""
        self._check(iv, data)
        if self._decryptor is None:
            self._decryptor = self._cipher.decryptor()
        # As the block before the data; what it decrypts to itself means nothing.
        clear: bytes = self._decryptor.update(iv + data)
        return clear[self._size :]

    def _check(self, iv: bytes, data: bytes) -> None:
        if len(iv) != self._size or len(data) % self._size:
            sizes = f"{len(data)} octets under an IV of {len(iv)}"
            raise CryptoError(f"a cipher with blocks of {self._size} octets cannot take {sizes}")


@dataclass(frozen=True, slots=True)
class CipherSpec:
    """A cipher with its key length. key_size and block_size in octets; legacy: the
    configuration warns of it."""

    name: str
    key_size: int
    block_size: int
    legacy: bool
    _make: Callable[[bytes], Any] = field(repr=False, compare=False)

    def bind(self, key: bytes) -> Cbc:
        """The cipher under ``key``. CryptoError for a wrong size or a weak DES key: the SA that
        the key was made for is to be negotiated anew (RFC 2409 appendix A)."""
        if len(key) != self.key_size:
            raise CryptoError(f"{self.name} takes a key of {self.key_size} octets, not {len(key)}")
        return Cbc(self._make(key), self.block_size)


@functools.cache
def phase_1_cipher(encryption: isakmp.Encryption, key_bits: int | None = None) -> CipherSpec:
    """The cipher of that number. key_bits: of KEY_LENGTH, None where the proposal has none.

    CryptoError where the library lacks the cipher, or the cipher that key length.
    """
    name, row = name_of(isakmp.Encryption, encryption), _ROWS.get(encryption)
    if row is None:
        raise CryptoError(f"the library lacks cipher {name} ({int(encryption)})")
    bits = row.default if key_bits is None else key_bits
    if bits not in row.bits:
        raise CryptoError(f"{name} takes no key of {bits} bits")
    algorithm = _load(row.algorithm, name)
    make = functools.partial(_single_des, algorithm) if bits == 64 else algorithm
    _probe(make, bits // 8, algorithm.block_size // 8, name)
    return CipherSpec(name, bits // 8, algorithm.block_size // 8, row.legacy, make)


def _load(algorithm: str, name: str) -> Any:
    """The library's class; ciphers move to the decrepit module from one release to the next."""
    places = (_CURRENT,) if algorithm == "AES" else (_DECREPIT, _CURRENT)
    for place in places:
        found = getattr(importlib.import_module(place), algorithm, None)
        if found is not None:
            return found
    raise CryptoError(f"the library lacks cipher {name}")


def _probe(make: Callable[[bytes], Any], key_size: int, block_size: int, name: str) -> None:
    """CryptoError where the class is there but the library was built without the cipher."""
    try:
        Cipher(make(bytes(range(key_size))), CBC(bytes(block_size))).encryptor()
    except UnsupportedAlgorithm as error:
        raise CryptoError(f"the library lacks cipher {name}") from error


def _single_des(triple: Callable[[bytes], Any], key: bytes) -> Any:
    if bytes(octet & 0xFE for octet in key) in _weak_des_keys():
        raise CryptoError("a weak or semi-weak DES key")
    return triple(key * 3)


@functools.cache
def _weak_des_keys() -> frozenset[bytes]:
    """The 4 weak and 12 semi-weak keys of RFC 2409 appendix A, parity bits cleared.

    Octets alternate between two of four values; the second half has these a bit rotated.
    """
    halves = ((0x00, 0x00), (0x1E, 0x0E), (0xE0, 0xF0), (0xFE, 0xFE))
    return frozenset(
        bytes((a, b, a, b, later_a, later_b, later_a, later_b))
        for a, later_a in halves
        for b, later_b in halves
    )
