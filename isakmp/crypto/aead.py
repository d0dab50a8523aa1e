"""Combined-mode and counter ciphers of ESP and IKEv2, bound to a key.

AES-GCM RFC 4106 and 5282, AES-CCM RFC 4309 and 5282, ChaCha20-Poly1305 RFC 7634, AES-CTR RFC
3686 and 5930. A nonce is the salt of the key material followed by the packet's 8-octet IV: 12
octets, 11 for CCM.
"""

from __future__ import annotations

from typing import Protocol

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, GCM

from isakmp.errors import CryptoError

IV_SIZE = 8
NONCE_SIZE = 12
CCM_NONCE_SIZE = 11
ICV_SIZES = (8, 12, 16)
_COUNTER_START = b"\0\0\0\1"


class Aead(Protocol):
    """nonce_size, salt_size (octets of key material after the key) and icv_size in octets."""

    nonce_size: int
    salt_size: int
    icv_size: int

    def seal(self, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """Ciphertext with the ICV behind it. CryptoError for a nonce of a wrong size."""

    def open(self, nonce: bytes, data: bytes, aad: bytes) -> bytes:
        """The plaintext. CryptoError where the ICV does not fit: drop the packet."""


class _Sealed:
    """The library's AEAD objects behind one interface."""

    __slots__ = ("_cipher", "icv_size", "nonce_size", "salt_size")

    def __init__(
        self, cipher: AESGCM | AESCCM | ChaCha20Poly1305, nonce_size: int, icv_size: int
    ) -> None:
        self._cipher, self.nonce_size, self.icv_size = cipher, nonce_size, icv_size
        self.salt_size = nonce_size - IV_SIZE

    def seal(self, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        if len(nonce) != self.nonce_size:
            raise _wrong_nonce(nonce, self.nonce_size)
        return self._cipher.encrypt(nonce, plaintext, aad)

    def open(self, nonce: bytes, data: bytes, aad: bytes) -> bytes:
        if len(nonce) != self.nonce_size:
            raise _wrong_nonce(nonce, self.nonce_size)
        try:
            return self._cipher.decrypt(nonce, data, aad)
        except InvalidTag as error:
            raise _wrong_icv() from error


class _ShortGcm:
    """GCM with an ICV of 8 or 12 octets: the first ones of the whole tag."""

    __slots__ = ("_key", "_whole", "icv_size")
    nonce_size = NONCE_SIZE
    salt_size = NONCE_SIZE - IV_SIZE

    def __init__(self, key: bytes, icv_size: int) -> None:
        self._whole, self._key, self.icv_size = AESGCM(key), AES(key), icv_size

    def seal(self, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        if len(nonce) != NONCE_SIZE:
            raise _wrong_nonce(nonce, NONCE_SIZE)
        return self._whole.encrypt(nonce, plaintext, aad)[: len(plaintext) + self.icv_size]

    def open(self, nonce: bytes, data: bytes, aad: bytes) -> bytes:
        if len(nonce) != NONCE_SIZE:
            raise _wrong_nonce(nonce, NONCE_SIZE)
        end = len(data) - self.icv_size
        if end < 0:
            raise _wrong_icv()
        mode = GCM(nonce, data[end:], min_tag_length=self.icv_size)
        context = Cipher(self._key, mode).decryptor()
        context.authenticate_additional_data(aad)
        try:
            return context.update(data[:end]) + context.finalize()
        except InvalidTag as error:
            raise _wrong_icv() from error


class Ctr:
    """AES in counter mode, RFC 3686: no integrity of its own. iv: the 12-octet nonce.

    One context serves all packets: setting one up costs more than a packet does.
    """

    __slots__ = ("_context",)
    nonce_size = NONCE_SIZE
    salt_size = NONCE_SIZE - IV_SIZE

    def __init__(self, key: bytes) -> None:
        self._context = Cipher(AES(key), CTR(bytes(16))).encryptor()

    def encrypt(self, iv: bytes, data: bytes) -> bytes:
        """As many octets as ``data`` has. CryptoError for a nonce of a wrong size."""
        if len(iv) != NONCE_SIZE:
            raise _wrong_nonce(iv, NONCE_SIZE)
        self._context.reset_nonce(iv + _COUNTER_START)
        return self._context.update(data)

    decrypt = encrypt


def gcm(key: bytes, icv_size: int = 16) -> Aead:
    """AES-GCM. key: 16, 24 or 32 octets without the salt; icv_size: 8, 12 or 16."""
    _check("AES-GCM", key, icv_size)
    return _Sealed(AESGCM(key), NONCE_SIZE, 16) if icv_size == 16 else _ShortGcm(key, icv_size)


def ccm(key: bytes, icv_size: int = 16) -> Aead:
    """AES-CCM. key: 16, 24 or 32 octets without the 3-octet salt; icv_size: 8, 12 or 16."""
    _check("AES-CCM", key, icv_size)
    return _Sealed(AESCCM(key, tag_length=icv_size), CCM_NONCE_SIZE, icv_size)


def chacha20poly1305(key: bytes) -> Aead:
    """ChaCha20-Poly1305. key: 32 octets without the salt. CryptoError where lacking."""
    _check("ChaCha20-Poly1305", key, 16, sizes=(32,))
    try:
        return _Sealed(ChaCha20Poly1305(key), NONCE_SIZE, 16)
    except UnsupportedAlgorithm as error:
        raise CryptoError("the library lacks cipher ChaCha20-Poly1305") from error


def ctr(key: bytes) -> Ctr:
    """AES-CTR. key: 16, 24 or 32 octets without the 4-octet nonce of RFC 3686 4."""
    _check("AES-CTR", key, 16)
    return Ctr(key)


def _check(name: str, key: bytes, icv_size: int, sizes: tuple[int, ...] = (16, 24, 32)) -> None:
    if len(key) not in sizes:
        raise CryptoError(f"{name} takes no key of {len(key)} octets")
    if icv_size not in ICV_SIZES:
        raise CryptoError(f"{name} takes no ICV of {icv_size} octets")


def _wrong_nonce(nonce: bytes, size: int) -> CryptoError:
    return CryptoError(f"a nonce of {len(nonce)} octets where {size} are needed")


def _wrong_icv() -> CryptoError:
    return CryptoError("the integrity check value does not fit")
