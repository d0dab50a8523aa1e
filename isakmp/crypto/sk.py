"""The protection of IKEv2 messages: RFC 7296 3.14, RFC 5282 (AEAD), RFC 5930 (counter mode).

What an SK payload holds is IV | ciphertext | ICV. All that goes before the IV is authenticated
with it: the head. Padding is as short as the cipher allows, its last octet its length.
"""

from __future__ import annotations

import functools
import hmac
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from isakmp.constants import ikev2, isakmp, name_of
from isakmp.crypto import aead
from isakmp.crypto.cipher import Cbc, phase_1_cipher
from isakmp.crypto.mac import KEY_SIZE, Mac, cmac, xcbc
from isakmp.errors import CryptoError

Random = Callable[[int], bytes]
Encr, Integ = ikev2.Encr, ikev2.Integ


class Sk(ABC):
    """One direction's protection under its keys. iv_size, icv_size, block_size in octets."""

    iv_size: int
    icv_size: int
    block_size: int

    def sealed_size(self, size: int) -> int:
        """Octets of IV, ciphertext and ICV for so many octets of payloads."""
        return self.iv_size + size + 1 + -(size + 1) % self.block_size + self.icv_size

    def _padded(self, inner: bytes) -> bytes:
        pad = -(len(inner) + 1) % self.block_size
        return inner + bytes(pad) + bytes([pad])

    @abstractmethod
    def seal(self, head: bytes, inner: bytes, random: Random) -> bytes:
        """IV, ciphertext and ICV of a chain of payloads."""

    @abstractmethod
    def open(self, message: bytes, start: int) -> bytes:
        """The chain in a message whose IV begins at ``start``. CryptoError where it is not ours."""


def _unpadded(plain: bytes) -> bytes:
    if not plain or plain[-1] >= len(plain):
        raise CryptoError("the padding is longer than the message")
    return plain[: len(plain) - 1 - plain[-1]]


class _Ivs:
    """IVs of eight octets that count, so that each serves once.

    From a random one: where somebody sends a copy of the peer's first answer that differs in what
    no key depends on, both have the same keys, and each is followed (RFC 7296 2.4).
    """

    def __init__(self) -> None:
        self._last: int | None = None

    def next(self, random: Random) -> bytes:
        """The next one."""
        last = int.from_bytes(random(aead.IV_SIZE), "big") if self._last is None else self._last
        self._last = (last + 1) % (1 << 8 * aead.IV_SIZE)
        return self._last.to_bytes(aead.IV_SIZE, "big")


class _Combined(Sk):
    """RFC 5282: the nonce is salt | IV."""

    iv_size = aead.IV_SIZE
    block_size = 1

    def __init__(self, cipher: aead.Aead, salt: bytes) -> None:
        self._seal, self._open, self._salt = cipher.seal, cipher.open, salt
        self.icv_size, self._ivs = cipher.icv_size, _Ivs()

    def seal(self, head: bytes, inner: bytes, random: Random) -> bytes:
        iv = self._ivs.next(random)
        return iv + self._seal(self._salt + iv, inner + b"\0", head)

    def open(self, message: bytes, start: int) -> bytes:
        body = start + 8
        if len(message) < body + 1 + self.icv_size:
            raise CryptoError("an encrypted payload without room for IV and ICV")
        nonce = self._salt + message[start:body]
        return _unpadded(self._open(nonce, message[body:], message[:start]))


class _ThenMac(Sk):
    """Encryption, then a MAC over the whole message up to the ICV."""

    def __init__(self, mac: Callable[[bytes], bytes], icv_size: int) -> None:
        self._mac, self.icv_size = mac, icv_size

    @abstractmethod
    def _encrypt(self, padded: bytes, random: Random) -> bytes:
        """IV and ciphertext."""

    @abstractmethod
    def _decrypt(self, iv: bytes, text: bytes) -> bytes:
        """The padded plaintext."""

    def seal(self, head: bytes, inner: bytes, random: Random) -> bytes:
        body = self._encrypt(self._padded(inner), random)
        return body + self._mac(head + body)[: self.icv_size]

    def open(self, message: bytes, start: int) -> bytes:
        text, end = start + self.iv_size, len(message) - self.icv_size
        if end - text < self.block_size or (end - text) % self.block_size:
            raise CryptoError("an encrypted payload that is not IV, whole blocks and ICV")
        if not hmac.compare_digest(self._mac(message[:end])[: self.icv_size], message[end:]):
            raise CryptoError("the integrity check value does not fit")
        return _unpadded(self._decrypt(message[start:text], message[text:end]))


class _Cbc(_ThenMac):
    """A block cipher in CBC mode: the IV is random."""

    def __init__(
        self, cipher: Cbc, block_size: int, mac: Callable[[bytes], bytes], icv_size: int
    ) -> None:
        super().__init__(mac, icv_size)
        self._cipher, self.iv_size, self.block_size = cipher, block_size, block_size

    def _encrypt(self, padded: bytes, random: Random) -> bytes:
        iv = random(self.iv_size)
        return iv + self._cipher.encrypt(iv, padded)

    def _decrypt(self, iv: bytes, text: bytes) -> bytes:
        return self._cipher.decrypt(iv, text)


class _Ctr(_ThenMac):
    """AES in counter mode, RFC 5930: nonce | IV | counter."""

    iv_size = aead.IV_SIZE
    block_size = 1

    def __init__(
        self, cipher: aead.Ctr, salt: bytes, mac: Callable[[bytes], bytes], icv_size: int
    ) -> None:
        super().__init__(mac, icv_size)
        self._cipher, self._salt, self._ivs = cipher, salt, _Ivs()

    def _encrypt(self, padded: bytes, random: Random) -> bytes:
        iv = self._ivs.next(random)
        return iv + self._cipher.encrypt(self._salt + iv, padded)

    def _decrypt(self, iv: bytes, text: bytes) -> bytes:
        return self._cipher.decrypt(self._salt + iv, text)


@dataclass(frozen=True, slots=True)
class SkCipher:
    """Negotiated encryption and integrity. enc_size: of a key with its salt, integ_size: of the
    integrity key, octets; legacy: MUST NOT be used any more (RFC 8247 2.1, 2.3)."""

    name: str
    enc_size: int
    integ_size: int
    legacy: bool
    _bind: Callable[[bytes, bytes], Sk] = field(repr=False, compare=False)

    def bind(self, enc_key: bytes, integ_key: bytes) -> Sk:
        """One direction under its keys. CryptoError for a key of a wrong size."""
        if (len(enc_key), len(integ_key)) != (self.enc_size, self.integ_size):
            raise CryptoError(f"{self.name} takes keys of {self.enc_size} and {self.integ_size}")
        return self._bind(enc_key, integ_key)


_MACS = {
    Integ.HMAC_MD5_96: ("md5", 16, 12),
    Integ.HMAC_SHA1_96: ("sha1", 20, 12),
    Integ.HMAC_SHA2_256_128: ("sha256", 32, 16),
    Integ.HMAC_SHA2_384_192: ("sha384", 48, 24),
    Integ.HMAC_SHA2_512_256: ("sha512", 64, 32),
}
_AES_MACS: dict[ikev2.Integ, Callable[[bytes], Mac]] = {
    Integ.AES_XCBC_96: xcbc,
    Integ.AES_CMAC_96: cmac,
}
_GCM = {Encr.AES_GCM_8: 8, Encr.AES_GCM_12: 12, Encr.AES_GCM_16: 16}
_CCM = {Encr.AES_CCM_8: 8, Encr.AES_CCM_12: 12, Encr.AES_CCM_16: 16}
_CBC = {
    Encr.DES: isakmp.Encryption.DES_CBC,
    Encr._3DES: isakmp.Encryption._3DES_CBC,
    Encr.AES_CBC: isakmp.Encryption.AES_CBC,
    Encr.CAMELLIA_CBC: isakmp.Encryption.CAMELLIA_CBC,
}


@functools.cache
def sk_cipher(encr: int, key_bits: int, integ: int | None) -> SkCipher:
    """The protection those transforms make. CryptoError where they make none here."""
    encr_name = name_of(Encr, encr)
    name = f"{encr_name}-{key_bits} {name_of(Integ, integ) if integ else ''}".strip()
    if encr in (*_GCM, *_CCM, Encr.CHACHA20_POLY1305):
        if integ:
            raise CryptoError(f"{encr_name} brings its own integrity")
        return _combined(encr, key_bits or 256, name)
    return _then_mac(encr, key_bits, name, _integrity(encr_name, integ))


class _Hmac:
    """An HMAC under its key."""

    __slots__ = ("_digest", "_key")

    def __init__(self, digest: str, key: bytes) -> None:
        self._digest, self._key = digest, key

    def __call__(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, self._digest)


class _Integrity(NamedTuple):
    """bind: the MAC under a key; sizes in octets."""

    bind: Callable[[bytes], Mac]
    key_size: int
    icv_size: int
    legacy: bool = False


def _integrity(encr_name: str, integ: int | None) -> _Integrity:
    for number, (digest, key_size, icv_size) in _MACS.items():
        if number == integ:
            return _Integrity(partial(_Hmac, digest), key_size, icv_size, digest == "md5")
    for aes, bind in _AES_MACS.items():
        if aes == integ:
            return _Integrity(bind, KEY_SIZE, 12)
    raise CryptoError(f"{encr_name} needs an integrity algorithm that is known")


def _combined(encr: int, key_bits: int, name: str) -> SkCipher:
    if key_bits not in (128, 192, 256):
        raise CryptoError(f"{name}: no key of {key_bits} bits")
    size = key_bits // 8
    salt = 3 if encr in _CCM else 4

    def bind(enc_key: bytes, integ_key: bytes) -> Sk:
        key = enc_key[:size]
        if encr in _GCM:
            cipher = aead.gcm(key, _GCM[Encr(encr)])
        elif encr in _CCM:
            cipher = aead.ccm(key, _CCM[Encr(encr)])
        else:
            cipher = aead.chacha20poly1305(key)
        return _Combined(cipher, enc_key[size:])

    return SkCipher(name, size + salt, 0, False, bind)


def _then_mac(encr: int, key_bits: int, name: str, integrity: _Integrity) -> SkCipher:
    mac_of, mac_size, icv_size, legacy = integrity
    if encr == Encr.AES_CTR:
        size = (key_bits or 128) // 8

        def bind_ctr(enc_key: bytes, integ_key: bytes) -> Sk:
            return _Ctr(aead.ctr(enc_key[:size]), enc_key[size:], mac_of(integ_key), icv_size)

        return SkCipher(name, size + 4, mac_size, legacy, bind_ctr)
    number = next((v1 for v2, v1 in _CBC.items() if v2 == encr), None)
    if number is None:
        raise CryptoError(f"cipher {name} is not known for IKE")
    spec = phase_1_cipher(number, key_bits or None)

    def bind(enc_key: bytes, integ_key: bytes) -> Sk:
        return _Cbc(spec.bind(enc_key), spec.block_size, mac_of(integ_key), icv_size)

    return SkCipher(name, spec.key_size, mac_size, spec.legacy or legacy, bind)
