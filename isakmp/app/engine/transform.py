"""ESP algorithms bound to an SA's keys: one interface for AEAD and for encrypt-then-MAC.

AES-CBC RFC 3602, AES-CTR RFC 3686, AES-GCM RFC 4106, AES-CCM RFC 4309, GMAC RFC 4543,
ChaCha20-Poly1305 RFC 7634, 3DES and others RFC 2451, NULL RFC 2410; HMAC RFC 2403, 2404, 4868.

IVs of counter modes are the sequence number: unique as long as a key has one sender. Those of
CBC are unpredictable: one long encryption runs over all packets and each begins with a random
block, whose ciphertext is the IV.
"""

from __future__ import annotations

import hmac
from abc import ABC, abstractmethod
from collections.abc import Callable
from struct import Struct
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.algorithms import CAST5, Blowfish, Camellia, TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR, GCM

from isakmp.app.base import SaSpec
from isakmp.app.engine.drop import Drop, Dropped
from isakmp.constants import ipsec
from isakmp.errors import ApplicationError

Random = Callable[[int], bytes]

_QUAD = Struct(">Q")
_HEADER = 8  # SPI and sequence number
_COUNTER_IV = 8


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


class AeadCipher(Protocol):
    """What cryptography's AEAD classes have."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...


class ShortGcm:
    """AES-GCM with an ICV of 8 or 12 octets (RFC 4106 6)."""

    def __init__(self, key: bytes, icv_size: int) -> None:
        self._algorithm, self._size = AES(key), icv_size

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        context = Cipher(self._algorithm, GCM(nonce)).encryptor()
        context.authenticate_additional_data(associated_data or b"")
        ciphertext = context.update(data) + context.finalize()
        return ciphertext + context.tag[: self._size]

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        if len(data) < self._size:
            raise InvalidTag
        tag = data[-self._size :]
        context = Cipher(self._algorithm, GCM(nonce, tag, min_tag_length=self._size)).decryptor()
        context.authenticate_additional_data(associated_data or b"")
        return context.update(data[: -self._size]) + context.finalize()


class Gmac:
    """Authentication without encryption (RFC 4543): all the packet is associated data."""

    def __init__(self, key: bytes) -> None:
        self._gcm = AESGCM(key)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        covered = (associated_data or b"") + nonce[-_COUNTER_IV:] + data
        return data + self._gcm.encrypt(nonce, b"", covered)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        data, icv = data[:-16], data[-16:]
        covered = (associated_data or b"") + nonce[-_COUNTER_IV:] + data
        self._gcm.decrypt(nonce, icv, covered)
        return data


class Aead(Transform):
    """Combined mode: nonce = salt | IV, the header is associated data (RFC 4106 4 and 5)."""

    def __init__(self, cipher: AeadCipher, salt: bytes, icv_size: int, spi: int, esn: bool) -> None:
        self._encrypt, self._decrypt = cipher.encrypt, cipher.decrypt
        self._salt, self._spi, self._esn = salt, spi.to_bytes(4, "big"), esn
        self.overhead = _HEADER + _COUNTER_IV + icv_size
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
        except InvalidTag:
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


class Cbc(Confidentiality):
    """Any block cipher in CBC mode with an explicit IV (RFC 2451, RFC 3602)."""

    def __init__(self, algorithm: BlockCipherAlgorithm, random: Random) -> None:
        self.block = self.iv_size = algorithm.block_size // 8
        self._random = random
        self._encryptor = Cipher(algorithm, CBC(random(self.block))).encryptor()
        self._decryptor = Cipher(algorithm, CBC(bytes(self.block))).decryptor()

    def encrypt(self, sequence: int, plaintext: bytes) -> bytes:
        return self._encryptor.update(self._random(self.iv_size) + plaintext)

    def decrypt(self, body: bytes) -> bytes:
        # A block depends on the one before it alone: what the IV itself decrypts to is ignored.
        return self._decryptor.update(body)[self.iv_size :]


class Ctr(Confidentiality):
    """AES-CTR (RFC 3686): counter block = nonce | IV | 1."""

    iv_size = _COUNTER_IV

    def __init__(self, key: bytes, nonce: bytes) -> None:
        self._nonce = nonce
        self._context = Cipher(AES(key), CTR(bytes(16))).encryptor()

    def encrypt(self, sequence: int, plaintext: bytes) -> bytes:
        iv = _QUAD.pack(sequence)
        return iv + self._apply(iv, plaintext)

    def decrypt(self, body: bytes) -> bytes:
        return self._apply(body[:_COUNTER_IV], body[_COUNTER_IV:])

    def _apply(self, iv: bytes, data: bytes) -> bytes:
        self._context.reset_nonce(self._nonce + iv + b"\0\0\0\1")
        return self._context.update(data)


class Mac:
    """A truncated HMAC; of size 0, nothing."""

    def __init__(self, key: bytes, digest: str, size: int) -> None:
        self._key, self._digest, self.size = key, digest, size

    def __call__(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, self._digest)[: self.size]


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
_BLOCK_CIPHERS: dict[int, tuple[Callable[[bytes], BlockCipherAlgorithm], tuple[int, ...]]] = {
    ipsec.Esp.AES: (AES, (16, 24, 32)),
    ipsec.Esp._3DES: (TripleDES, (24,)),
    ipsec.Esp.CAMELLIA: (Camellia, (16, 24, 32)),
    ipsec.Esp.CAST: (CAST5, (16,)),
    ipsec.Esp.BLOWFISH: (Blowfish, tuple(range(5, 57))),
}
_AES = (16, 24, 32)
# Constructor, octets of salt, octets of ICV, sizes of the key without the salt.
_AEADS: dict[int, tuple[Callable[[bytes], AeadCipher], int, int, tuple[int, ...]]] = {
    ipsec.Esp.AES_GCM_16: (AESGCM, 4, 16, _AES),
    ipsec.Esp.AES_GCM_12: (lambda key: ShortGcm(key, 12), 4, 12, _AES),
    ipsec.Esp.AES_GCM_8: (lambda key: ShortGcm(key, 8), 4, 8, _AES),
    ipsec.Esp.AES_CCM_16: (lambda key: AESCCM(key, 16), 3, 16, _AES),
    ipsec.Esp.AES_CCM_12: (lambda key: AESCCM(key, 12), 3, 12, _AES),
    ipsec.Esp.AES_CCM_8: (lambda key: AESCCM(key, 8), 3, 8, _AES),
    ipsec.Esp.NULL_AES_GMAC: (Gmac, 4, 16, _AES),
    ipsec.Esp.CHACHA20_POLY1305: (ChaCha20Poly1305, 4, 16, (32,)),
}


def supported() -> tuple[frozenset[int], frozenset[int]]:
    """The ESP transforms and the authentication algorithms that bind() knows."""
    return (
        frozenset({*_AEADS, *_BLOCK_CIPHERS, ipsec.Esp.NULL, ipsec.Esp.AES_CTR}),
        frozenset(_MACS),
    )


def bind(spec: SaSpec, random: Random) -> Transform:
    """The transform of an SA. ApplicationError where an algorithm or a key does not fit."""
    if row := _AEADS.get(spec.encryption):
        make, salt_size, icv_size, sizes = row
        if spec.auth:
            raise ApplicationError(f"{_name(spec)} takes no authentication algorithm")
        key, salt = spec.enc_key[:-salt_size], spec.enc_key[-salt_size:]
        _check_key(spec, len(key), sizes)
        return Aead(make(key), salt, icv_size, spec.spi, spec.esn)
    return EncryptThenMac(_cipher(spec, random), _mac(spec), spec.spi, spec.esn)


def _cipher(spec: SaSpec, random: Random) -> Confidentiality:
    """The cipher of a transform that is not an AEAD."""
    if spec.encryption == ipsec.Esp.NULL:
        if not spec.auth:
            raise ApplicationError("ESP without encryption and without authentication")
        _check_key(spec, len(spec.enc_key), (0,))
        return Null()
    if spec.encryption == ipsec.Esp.AES_CTR:
        if not spec.auth:  # RFC 3686 7
            raise ApplicationError("AES-CTR must not be used without authentication")
        _check_key(spec, len(spec.enc_key) - 4, _AES)
        return Ctr(spec.enc_key[:-4], spec.enc_key[-4:])
    if spec.encryption not in _BLOCK_CIPHERS:
        raise ApplicationError(f"the key engine has no ESP transform {spec.encryption}")
    make, sizes = _BLOCK_CIPHERS[spec.encryption]
    _check_key(spec, len(spec.enc_key), sizes)
    return Cbc(make(spec.enc_key), random)


def _mac(spec: SaSpec) -> Mac | None:
    """The MAC of an SA, if it has one."""
    if not spec.auth:
        return None
    if spec.auth not in _MACS:
        raise ApplicationError(f"the key engine has no authentication algorithm {spec.auth}")
    digest, key_size, size = _MACS[spec.auth]
    if len(spec.auth_key) != key_size:
        raise ApplicationError(
            f"{spec.auth.name} takes a key of {key_size} octets, not {len(spec.auth_key)}"
        )
    return Mac(spec.auth_key, digest, size)


def _check_key(spec: SaSpec, size: int, sizes: tuple[int, ...]) -> None:
    if size not in sizes:
        raise ApplicationError(f"{_name(spec)} takes no key of {size} octets")


def _name(spec: SaSpec) -> str:
    """The transform for people."""
    return ipsec.Esp(spec.encryption).name.lstrip("_")
