"""IKEv1 messages opened with the phase 1 encryption key: RFC 2409 5 and appendix B.

The key alone does not do: the IV of phase 1 is a hash of both public values, by the hash that was
negotiated, and every later message takes the last block of ciphertext of the one before.

    phase 1   IV = hash(g^xi | g^xr), then chained
    later     IV = hash(last block of phase 1 | message ID), then chained for each message ID

A retransmission is opened with the IV of the original and advances nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from isakmp import payloads as codecs
from isakmp.constants import isakmp
from isakmp.crypto.cipher import CipherSpec, phase_1_cipher
from isakmp.crypto.hash import HashSpec, get_hash
from isakmp.crypto.keymat import phase_1_iv, phase_2_iv
from isakmp.decode.bounded import Bounded
from isakmp.errors import CryptoError
from isakmp.message import Header, Payload
from isakmp.payloads.sa import SaValue

MAX_SAS = 1024
MAX_EXCHANGES = 256
MAX_SEEN = 512
_PHASE_1 = (isakmp.Exchange.BASE, isakmp.Exchange.ID_PROT, isakmp.Exchange.AGGRESSIVE)


@dataclass(slots=True)
class _Sa:
    """What is known of an ISAKMP SA. publics: g^xi, then g^xr; last_block: of phase 1.

    exchanges: last blocks by message ID; seen: IVs by digests of the messages they opened.
    """

    cky_r: bytes = bytes(8)
    cipher: CipherSpec | None = None
    hash: HashSpec | None = None
    unsupported: str = ""
    publics: list[bytes] = field(default_factory=list)
    last_block: bytes = b""
    exchanges: Bounded[int, bytes] = field(default_factory=lambda: Bounded(MAX_EXCHANGES))
    seen: Bounded[bytes, bytes] = field(default_factory=lambda: Bounded(MAX_SEEN))

    def learn_public(self, public: bytes) -> None:
        """Take g^xi, then g^xr; a retransmission is neither."""
        if len(self.publics) < 2 and public not in self.publics:
            self.publics.append(public)


class Ikev1Opener:
    """Follows the SAs of a capture. keys: encryption keys by initiator cookie."""

    def __init__(self, keys: dict[bytes, bytes]) -> None:
        self._keys = keys
        self._sas: Bounded[bytes, _Sa] = Bounded(MAX_SAS)

    def observe(self, header: Header, payloads: list[Payload]) -> None:
        """Learn from a phase 1 message in clear: what was chosen, and the public values."""
        if header.cky_i not in self._keys or header.exchange_type not in _PHASE_1:
            return
        sa = self._sa(header)
        for payload in payloads:
            if payload.value is None:
                continue
            if payload.type == isakmp.Payload.SA:
                _learn_choice(sa, payload.of(codecs.SA))
            elif payload.type == isakmp.Payload.KE:
                sa.learn_public(payload.of(codecs.KE).data)

    def _sa(self, header: Header) -> _Sa:
        """The SA of these cookies; another responder's cookie than before begins a new one."""
        sa = self._sas.get(header.cky_i)
        if sa is None or (any(sa.cky_r) and any(header.cky_r) and sa.cky_r != header.cky_r):
            sa = self._sas.put(header.cky_i, _Sa())
        if any(header.cky_r):
            sa.cky_r = header.cky_r
        return sa

    def open(self, header: Header, ciphertext: bytes) -> bytes:
        """The payload chain with its padding. CryptoError says what is missing for it."""
        key = self._keys.get(header.cky_i)
        if key is None:
            raise CryptoError("no key for this initiator cookie")
        sa = self._sa(header)
        if sa.unsupported:
            raise CryptoError(sa.unsupported)
        if sa.cipher is None or sa.hash is None:
            raise CryptoError("the capture does not show what phase 1 agreed on")
        block_size = sa.cipher.block_size
        if not ciphertext or len(ciphertext) % block_size:
            raise CryptoError(f"{len(ciphertext)} octets are not whole blocks of {block_size}")
        cipher = sa.cipher.bind(key)
        digest = hashlib.sha256(header.message_id.to_bytes(4, "big") + ciphertext).digest()
        iv = sa.seen.get(digest)
        if iv is None:
            iv = sa.seen.put(digest, _advance(sa, sa.cipher, sa.hash, header, ciphertext))
        return cipher.decrypt(iv, ciphertext)


def _advance(
    sa: _Sa, cipher: CipherSpec, hash: HashSpec, header: Header, ciphertext: bytes
) -> bytes:
    """The IV of a message seen for the first time; the next one follows its last block."""
    size, message_id = cipher.block_size, header.message_id
    if not sa.last_block:
        if len(sa.publics) < 2:
            raise CryptoError("the capture does not show both public values of phase 1")
        sa.last_block = phase_1_iv(hash, sa.publics[0], sa.publics[1], size)
    if header.exchange_type in _PHASE_1:
        iv, sa.last_block = sa.last_block, ciphertext[-size:]
        return iv
    iv = sa.exchanges.get(message_id) or phase_2_iv(hash, sa.last_block, message_id, size)
    sa.exchanges.put(message_id, ciphertext[-size:])
    return iv


def _learn_choice(sa: _Sa, value: SaValue) -> None:
    """Take the transform of an SA payload that leaves no choice: the responder's, as a rule."""
    proposals = value.proposals
    if len(proposals) != 1 or len(proposals[0].transforms) != 1:
        return
    attributes = {
        attribute.type: attribute.value
        if isinstance(attribute.value, int)
        else int.from_bytes(attribute.value, "big")
        for attribute in proposals[0].transforms[0].attributes
    }
    encryption = attributes.get(isakmp.Attribute.ENCRYPTION_ALGORITHM, 0)
    hash = attributes.get(isakmp.Attribute.HASH_ALGORITHM, 0)
    key_bits = attributes.get(isakmp.Attribute.KEY_LENGTH)
    try:
        sa.cipher = phase_1_cipher(isakmp.Encryption(encryption), key_bits)
        sa.hash = get_hash(isakmp.Hash(hash))
        sa.unsupported = ""
    except ValueError as error:
        sa.unsupported = f"phase 1 agreed on what has no name: {error}"
    except CryptoError as error:
        sa.unsupported = str(error)
