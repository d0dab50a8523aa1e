"""ESP algorithms bound to an SA's keys: one interface for AEAD and for encrypt-then-MAC.

AES-CBC RFC 3602, AES-CTR RFC 3686, AES-GCM RFC 4106, AES-CCM RFC 4309, GMAC RFC 4543,
ChaCha20-Poly1305 RFC 7634, 3DES and others RFC 2451, NULL RFC 2410; HMAC RFC 2403, 2404, 4868;
AES-XCBC RFC 3566, AES-CMAC RFC 4494.

IVs of counter modes are the sequence number: unique as long as a key has one sender.
"""

from __future__ import annotations

import hmac
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from struct import Struct

from isakmp.app.base import SaSpec
from isakmp.app.engine.drop import Drop, Dropped
from isakmp.constants import ipsec, isakmp
from isakmp.crypto.aead import IV_SIZE, Aead, Ctr, ccm, chacha20poly1305, ctr, gcm
from isakmp.crypto.cipher import Cbc, phase_1_cipher
from isakmp.crypto.mac import KEY_SIZE, cmac, xcbc
from isakmp.errors import ApplicationError, CryptoError

Random = Callable[[int], bytes]

_QUAD = Struct(">Q")
_HEADER = 8  # SPI and sequence number


class Transform(ABC):
    """An SA's algorithms. ``block``: what plaintext with its trailer is a multiple of, octets;
    ``overhead``: octets of a packet that are not plaintext: header, IV and ICV;
    ``authentic``: there is an ICV."""

    block = 4
    overhead = _HEADER
    authentic = True

    @abstractmethod
    def seal(self, sequence: int, plaintext: bytes) -> bytes:
        """A whole ESP packet of a padded plaintext with its trailer."""

    @abstractmethod
    def open(self, packet: bytes, sequence: int) -> bytes:
        """The plaintext with its trailer. Dropped: ICV or MALFORMED."""


class Gmac:
    """Authentication without encryption (RFC 4543): all the packet is associated data."""

    def __init__(self, key: bytes) -> None:
        self._gcm = gcm(key)
        self.nonce_size, self.salt_size = self._gcm.nonce_size, self._gcm.salt_size
        self.icv_size = self._gcm.icv_size

    def seal(self, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        return plaintext + self._gcm.seal(nonce, b"", aad + nonce[-IV_SIZE:] + plaintext)

    def open(self, nonce: bytes, data: bytes, aad: bytes) -> bytes:
        end = len(data) - self.icv_size
        self._gcm.open(nonce, data[end:], aad + nonce[-IV_SIZE:] + data[:end])
        return data[:end]


class Combined(Transform):
    """Combined mode: nonce = salt | IV, the header is associated data (RFC 4106 4 and 5)."""

    def __init__(self, cipher: Aead, salt: bytes, spi: int, esn: bool) -> None:
        self._encrypt, self._decrypt = cipher.seal, cipher.open
        self._salt, self._spi, self._esn = salt, spi.to_bytes(4, "big"), esn
        self.overhead = _HEADER + IV_SIZE + cipher.icv_size
        self._shortest = self.overhead + self.block

    def seal(self, sequence: int, plaintext: bytes) -> bytes:
        iv = _QUAD.pack(sequence)
        header = self._spi + iv[4:]
        associated = self._spi + iv if self._esn else header
        return header + iv + self._encrypt(self._salt + iv, plaintext, associated)

    def open(self, packet: bytes, sequence: int) -> bytes:
        if len(packet) < self._shortest:
            raise Dropped(Drop.MALFORMED)
        associated = self._spi + _QUAD.pack(sequence) if self._esn else packet[:8]
        try:
            return self._decrypt(self._salt + packet[8:16], packet[16:], associated)
        except CryptoError:
            raise Dropped(Drop.ICV) from None


class Confidentiality(ABC):
    """A cipher with its IV for encrypt-then-MAC. ``block`` and ``iv_size`` in octets."""

    block = 4
    iv_size = 0

    @abstractmethod
    def encrypt(self, sequence: int, plaintext: bytes) -> bytes:
        """IV and ciphertext."""

    @abstractmethod
    def decrypt(self, body: bytes) -> bytes:
        """The plaintext of IV and ciphertext; whole blocks, checked before."""


class Null(Confidentiality):
    """RFC 2410."""

    def encrypt(self, sequence: int, plaintext: bytes) -> bytes:
        return plaintext

    def decrypt(self, body: bytes) -> bytes:
        return body


class BlockCipher(Confidentiality):
    """Any block cipher in CBC mode; its IV is random, so that none can be told beforehand."""

    def __init__(self, cipher: Cbc, block: int, random: Random) -> None:
        self.block = self.iv_size = block
        self._cipher, self._random = cipher, random

    def encrypt(self, sequence: int, plaintext: bytes) -> bytes:
        iv = self._random(self.iv_size)
        return iv + self._cipher.encrypt(iv, plaintext)

    def decrypt(self, body: bytes) -> bytes:
        return self._cipher.decrypt(body[: self.iv_size], body[self.iv_size :])


class Counter(Confidentiality):
    """AES-CTR (RFC 3686)."""

    iv_size = IV_SIZE

    def __init__(self, cipher: Ctr, nonce: bytes) -> None:
        self._cipher, self._nonce = cipher, nonce

    def encrypt(self, sequence: int, plaintext: bytes) -> bytes:
        iv = _QUAD.pack(sequence)
        return iv + self._cipher.encrypt(self._nonce + iv, plaintext)

    def decrypt(self, body: bytes) -> bytes:
        return self._cipher.decrypt(self._nonce + body[:IV_SIZE], body[IV_SIZE:])


class Mac(ABC):
    """A MAC bound to its key. size: of its ICV in octets."""

    size: int

    @abstractmethod
    def __call__(self, data: bytes) -> bytes:
        """The ICV, ``size`` octets."""


class Hmac(Mac):
    """A truncated HMAC (RFC 2404, 4868)."""

    def __init__(self, key: bytes, digest: str, size: int) -> None:
        self._key, self._digest, self.size = key, digest, size

    def __call__(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, self._digest)[: self.size]


class AesMac(Mac):
    """AES-XCBC-MAC-96 (RFC 3566) or AES-CMAC-96 (RFC 4494)."""

    size = 12

    def __init__(self, mac: Callable[[bytes], bytes]) -> None:
        self._mac = mac

    def __call__(self, data: bytes) -> bytes:
        return self._mac(data)[: self.size]


class EncryptThenMac(Transform):
    """A cipher, and a MAC over the whole packet (RFC 4303 3.2, 3.3.2.1)."""

    def __init__(self, cipher: Confidentiality, mac: Mac | None, spi: int, esn: bool) -> None:
        self._cipher, self._mac, self._spi, self._esn = cipher, mac, spi.to_bytes(4, "big"), esn
        self.authentic = mac is not None
        self._icv_size = mac.size if mac else 0
        self.block = max(4, cipher.block)
        self.overhead = _HEADER + cipher.iv_size + self._icv_size
        self._shortest = self.overhead + self.block

    def seal(self, sequence: int, plaintext: bytes) -> bytes:
        whole = _QUAD.pack(sequence)
        packet = self._spi + whole[4:] + self._cipher.encrypt(sequence, plaintext)
        if self._mac is None:
            return packet
        return packet + self._mac(packet + whole[:4] if self._esn else packet)

    def open(self, packet: bytes, sequence: int) -> bytes:
        size = len(packet)
        if size < self._shortest or (size - self.overhead) % self.block:
            raise Dropped(Drop.MALFORMED)
        if self._mac is None:
            return self._cipher.decrypt(packet[_HEADER:])
        end = size - self._icv_size
        covered = packet[:end]
        if self._esn:
            covered += _QUAD.pack(sequence)[:4]
        if not hmac.compare_digest(self._mac(covered), packet[end:]):
            raise Dropped(Drop.ICV)
        return self._cipher.decrypt(packet[_HEADER:end])


_MACS = {
    ipsec.Auth.HMAC_MD5: ("md5", 16, 12),
    ipsec.Auth.HMAC_SHA: ("sha1", 20, 12),
    ipsec.Auth.HMAC_SHA2_256: ("sha256", 32, 16),
    ipsec.Auth.HMAC_SHA2_384: ("sha384", 48, 24),
    ipsec.Auth.HMAC_SHA2_512: ("sha512", 64, 32),
}
_AES_MACS = {ipsec.Auth.AES_XCBC_MAC: xcbc, ipsec.Auth.AES_CMAC: cmac}
_BLOCK_CIPHERS = {
    ipsec.Esp.AES: isakmp.Encryption.AES_CBC,
    ipsec.Esp._3DES: isakmp.Encryption._3DES_CBC,
    ipsec.Esp.CAMELLIA: isakmp.Encryption.CAMELLIA_CBC,
    ipsec.Esp.CAST: isakmp.Encryption.CAST_CBC,
    ipsec.Esp.BLOWFISH: isakmp.Encryption.BLOWFISH_CBC,
    ipsec.Esp.DES: isakmp.Encryption.DES_CBC,
}
# Constructor, octets of salt behind the key.
_AEADS: dict[int, tuple[Callable[[bytes], Aead], int]] = {
    ipsec.Esp.AES_GCM_16: (partial(gcm, icv_size=16), 4),
    ipsec.Esp.AES_GCM_12: (partial(gcm, icv_size=12), 4),
    ipsec.Esp.AES_GCM_8: (partial(gcm, icv_size=8), 4),
    ipsec.Esp.AES_CCM_16: (partial(ccm, icv_size=16), 3),
    ipsec.Esp.AES_CCM_12: (partial(ccm, icv_size=12), 3),
    ipsec.Esp.AES_CCM_8: (partial(ccm, icv_size=8), 3),
    ipsec.Esp.NULL_AES_GMAC: (Gmac, 4),
    ipsec.Esp.CHACHA20_POLY1305: (chacha20poly1305, 4),
}


def supported() -> tuple[frozenset[int], frozenset[int]]:
    """The ESP transforms and the authentication algorithms that bind() knows."""
    return (
        frozenset({*_AEADS, *_BLOCK_CIPHERS, ipsec.Esp.NULL, ipsec.Esp.AES_CTR}),
        frozenset({*_MACS, *_AES_MACS}),
    )


def bind(spec: SaSpec, random: Random) -> Transform:
    """The transform of an SA. ApplicationError where an algorithm or a key does not fit."""
    try:
        if row := _AEADS.get(spec.encryption):
            make, salt_size = row
            if spec.auth:
                raise ApplicationError("a combined-mode algorithm takes no other authentication")
            key, salt = spec.enc_key[:-salt_size], spec.enc_key[-salt_size:]
            return Combined(make(key), salt, spec.spi, spec.esn)
        return EncryptThenMac(_cipher(spec, random), _mac(spec), spec.spi, spec.esn)
    except CryptoError as error:
        raise ApplicationError(str(error)) from error


def _cipher(spec: SaSpec, random: Random) -> Confidentiality:
    """The cipher of a transform that is not an AEAD."""
    key = spec.enc_key
    if spec.encryption == ipsec.Esp.NULL:
        if not spec.auth or key:
            raise ApplicationError("ESP with NULL takes authentication, and no encryption key")
        return Null()
    if spec.encryption == ipsec.Esp.AES_CTR:
        if not spec.auth:  # RFC 3686 7
            raise ApplicationError("AES-CTR must not be used without authentication")
        return Counter(ctr(key[:-4]), key[-4:])
    if spec.encryption not in _BLOCK_CIPHERS:
        raise ApplicationError(f"the key engine has no ESP transform {spec.encryption}")
    found = phase_1_cipher(_BLOCK_CIPHERS[ipsec.Esp(spec.encryption)], 8 * len(key))
    return BlockCipher(found.bind(key), found.block_size, random)


def _mac(spec: SaSpec) -> Mac | None:
    """The MAC of an SA, if it has one."""
    if not spec.auth:
        return None
    if spec.auth in _AES_MACS:
        _check_key(spec.auth.name, spec, KEY_SIZE)
        return AesMac(_AES_MACS[spec.auth](spec.auth_key))
    if spec.auth not in _MACS:
        raise ApplicationError(f"the key engine has no authentication algorithm {spec.auth}")
    digest, key_size, size = _MACS[spec.auth]
    _check_key(f"HMAC-{digest.upper()}", spec, key_size)
    return Hmac(spec.auth_key, digest, size)


def _check_key(name: str, spec: SaSpec, size: int) -> None:
    if len(spec.auth_key) != size:
        came = len(spec.auth_key)
        raise ApplicationError(f"{name} takes a key of {size}, not {came} octets")
