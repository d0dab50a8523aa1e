"""IKEv2's encrypted payloads opened with the keys of an IKE SA: RFC 7296 3.14, RFC 5282 (AEAD),
RFC 5930 (counter mode), RFC 7383 (fragments).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType

from isakmp.constants import isakmp
from isakmp.constants.ikev2 import Encr, Flag, Integ
from isakmp.crypto import aead
from isakmp.crypto.cipher import phase_1_cipher
from isakmp.crypto.prf import get_prf
from isakmp.decode.bounded import Bounded
from isakmp.errors import CryptoError
from isakmp.keytable import Cipher, Ikev2Keys, Integrity
from isakmp.message import Header, Payload
from isakmp.payloads import ikev2 as codecs

MAX_INCOMPLETE = 64
MAX_FRAGMENTS = 128
MAX_SIZE = 65_536
_GENERIC, _FRAGMENT_FIELDS = 4, 4
_CBC = MappingProxyType(
    {Encr._3DES: isakmp.Encryption._3DES_CBC, Encr.AES_CBC: isakmp.Encryption.AES_CBC}
)
_CCM = (Encr.AES_CCM_8, Encr.AES_CCM_12, Encr.AES_CCM_16)
_MACS = MappingProxyType(
    {
        Integ.HMAC_MD5_96: isakmp.Hash.MD5,
        Integ.HMAC_MD5_128: isakmp.Hash.MD5,
        Integ.HMAC_SHA1_96: isakmp.Hash.SHA,
        Integ.HMAC_SHA1_160: isakmp.Hash.SHA,
        Integ.HMAC_SHA2_256_128: isakmp.Hash.SHA2_256,
        Integ.HMAC_SHA2_384_192: isakmp.Hash.SHA2_384,
        Integ.HMAC_SHA2_512_256: isakmp.Hash.SHA2_512,
    }
)


@dataclass(frozen=True, slots=True)
class Opened:
    """What an encrypted payload held. at: where in the message the plaintext lies.

    icv: "good", "wrong" or "unchecked"; data None: nothing, or not all of its fragments yet.
    """

    data: bytes | None = field(repr=False)
    at: int
    first_type: int
    icv: str
    note: str = ""


@dataclass(slots=True)
class _Pieces:
    """Fragments of one message, by their numbers."""

    total: int
    first_type: int = 0
    pieces: dict[int, bytes] = field(default_factory=dict, repr=False)


class Ikev2Opener:
    """Opens SK and SKF payloads. keys: by initiator's and responder's SPI, the last ones first."""

    def __init__(self, keys: dict[tuple[bytes, bytes], tuple[Ikev2Keys, ...]]) -> None:
        self._keys = keys
        self._incomplete: Bounded[tuple[bytes, bytes, int, int], _Pieces] = Bounded(MAX_INCOMPLETE)

    def open(self, header: Header, message: bytes, payload: Payload) -> Opened:
        """Open ``payload``, the last of ``message``. CryptoError says why it cannot be."""
        generations = self._keys.get((header.cky_i, header.cky_r), ())
        if not generations:
            raise CryptoError("no keys for these SPIs")
        fragment = payload.type == codecs.SKF.type and payload.value is not None
        start = payload.offset + _GENERIC + (_FRAGMENT_FIELDS if fragment else 0)
        end = payload.offset + _GENERIC + len(payload.body)
        if payload.value is None:
            raise CryptoError("the payload is malformed")
        initiator = bool(header.flags & Flag.INITIATOR)
        sealed = initiator, message[:start], message[start:end]
        keys, plain, icv = _unseal_by_one(generations, *sealed)
        at = start + keys.cipher.iv_size
        if plain is None:
            return Opened(None, at, 0, icv, "the ICV is wrong: not decrypted")
        if fragment:
            return self._join(header, payload, plain, at, icv)
        return Opened(plain, at, payload.next_type, icv, "the ICV is wrong" * (icv == "wrong"))

    def _join(self, header: Header, payload: Payload, plain: bytes, at: int, icv: str) -> Opened:
        """Keep a fragment; the last one that was missing gives the whole (RFC 7383 2.6)."""
        number, total, _ = payload.of(codecs.SKF)
        if total > MAX_FRAGMENTS:
            raise CryptoError(f"{total} fragments; the most is {MAX_FRAGMENTS}")
        if icv == "wrong":
            return Opened(None, at, 0, icv, f"fragment {number} of {total}: the ICV is wrong")
        key = (header.cky_i, header.cky_r, header.message_id, header.flags)
        pieces = self._incomplete.get(key)
        if pieces is not None and total < pieces.total:
            return Opened(None, at, 0, icv, f"fragment {number} of {total}, of an earlier cut")
        if pieces is None or total > pieces.total:
            pieces = self._incomplete.put(key, _Pieces(total))
        pieces.pieces.setdefault(number, plain)
        if number == 1:
            pieces.first_type = payload.next_type
        if sum(map(len, pieces.pieces.values())) > MAX_SIZE:
            self._incomplete.drop(key)
            raise CryptoError(f"fragments of more than {MAX_SIZE} octets")
        if len(pieces.pieces) < total:
            return Opened(None, at, 0, icv, f"fragment {number} of {total}")
        self._incomplete.drop(key)
        whole = b"".join(pieces.pieces[nth] for nth in sorted(pieces.pieces))
        return Opened(whole, at, pieces.first_type, icv, f"joined from {total} fragments")


def _unseal_by_one(
    generations: Sequence[Ikev2Keys], initiator: bool, before: bytes, sealed: bytes
) -> tuple[Ikev2Keys, bytes | None, str]:
    """As _unseal() with the keys that fit, which are said, too; with the last where none do."""
    for keys in generations:
        with suppress(CryptoError):
            plain, icv = _unseal(keys, initiator, before, sealed)
            if icv != "wrong":
                return keys, plain, icv
    return generations[0], *_unseal(generations[0], initiator, before, sealed)


def _unseal(
    keys: Ikev2Keys, initiator: bool, before: bytes, sealed: bytes
) -> tuple[bytes | None, str]:
    """Plaintext without padding, and how its ICV is. before: the message up to the IV."""
    cipher, integrity = keys.cipher, keys.integrity
    sk_e, sk_a = (keys.sk_ei, keys.sk_ai) if initiator else (keys.sk_er, keys.sk_ar)
    icv_size = cipher.icv_size or integrity.icv_size
    if len(sealed) < cipher.iv_size + icv_size:
        raise CryptoError(f"{len(sealed)} octets have no room for an IV and an ICV")
    iv, rest = sealed[: cipher.iv_size], sealed[cipher.iv_size :]
    if cipher.icv_size:
        try:
            plain = _aead(cipher, sk_e).open(sk_e[cipher.key_size :] + iv, rest, before)
        except CryptoError:
            return None, "wrong"
        return _unpadded(plain), "good"
    text, sent = rest[: len(rest) - icv_size], rest[len(rest) - icv_size :]
    icv = _verdict(integrity, sk_a, before + iv + text, sent)
    try:
        return _unpadded(_decrypter(cipher, sk_e)(iv, text)), icv
    except CryptoError as error:
        if icv == "wrong":  # then it is no wonder
            return None, icv
        raise CryptoError(f"the ICV is {icv}, but {error}") from error


def _aead(cipher: Cipher, key: bytes) -> aead.Aead:
    make = aead.ccm if cipher.transform in _CCM else aead.gcm
    return make(key[: cipher.key_size], cipher.icv_size)


def _decrypter(cipher: Cipher, sk_e: bytes) -> Callable[[bytes, bytes], bytes]:
    """decrypt(iv, ciphertext) of a cipher without an ICV of its own."""
    key, salt = sk_e[: cipher.key_size], sk_e[cipher.key_size :]
    if cipher.transform == Encr.AES_CTR:
        counter = aead.ctr(key)
        return lambda iv, text: counter.decrypt(salt + iv, text)
    if cipher.transform == Encr.NULL:
        return lambda _iv, text: text
    return phase_1_cipher(_CBC[cipher.transform], cipher.key_size * 8).bind(key).decrypt


def _verdict(integrity: Integrity, sk_a: bytes, covered: bytes, sent: bytes) -> str:
    if integrity.transform is None or integrity.transform == Integ.NONE:
        return "unchecked"
    expected = get_prf(_MACS[integrity.transform])(sk_a, covered)[: integrity.icv_size]
    return "good" if hmac.compare_digest(expected, sent) else "wrong"


def _unpadded(plain: bytes) -> bytes:
    """Without the padding that the last octet counts (RFC 7296 3.14)."""
    if not plain or plain[-1] >= len(plain):
        raise CryptoError("its padding is longer than the plaintext")
    return plain[: len(plain) - 1 - plain[-1]]
