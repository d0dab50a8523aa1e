"""What phase 1 leaves behind to protect phase 2 with: RFC 2409 5 and appendix B."""

from __future__ import annotations

from dataclasses import dataclass, field

from isakmp.chosen import ChosenIke
from isakmp.constants import isakmp
from isakmp.crypto import keymat
from isakmp.crypto.cipher import Cbc, phase_1_cipher
from isakmp.crypto.hash import HashSpec, get_hash
from isakmp.crypto.prf import Prf, get_prf
from isakmp.log.keylog import KeyLog
from isakmp.sa import IsakmpSa


@dataclass(slots=True)
class Keys:
    """The keys of one ISAKMP SA. iv: the last ciphertext block of phase 1."""

    prf: Prf
    hash: HashSpec
    cipher: Cbc = field(repr=False)
    cipher_key: bytes = field(repr=False)
    block_size: int
    skeyid: bytes = field(repr=False)
    skeyid_d: bytes = field(repr=False)
    skeyid_a: bytes = field(repr=False)
    skeyid_e: bytes = field(repr=False)
    iv: bytes

    def record(self, key_log: KeyLog, sa: IsakmpSa) -> None:
        """Write what Wireshark needs."""
        key_log.phase_1(sa.cky_i, self.cipher_key)

    def phase_2_iv(self, message_id: int) -> bytes:
        """The first IV of the phase 2 exchange of that message ID (RFC 2409 appendix B)."""
        return keymat.phase_2_iv(self.hash, self.iv, message_id, self.block_size)

    def encrypt(self, iv: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
        """The ciphertext, zero-padded to whole blocks, and the next IV."""
        ciphertext = self.cipher.encrypt(iv, plaintext + bytes(-len(plaintext) % self.block_size))
        return ciphertext, ciphertext[-self.block_size :]

    def decrypt(self, iv: bytes, ciphertext: bytes) -> tuple[bytes, bytes] | None:
        """The plaintext with its padding, and the next IV; None where blocks are not whole."""
        if not ciphertext or len(ciphertext) % self.block_size:
            return None
        return self.cipher.decrypt(iv, ciphertext), ciphertext[-self.block_size :]


def derive(
    chosen: ChosenIke, skeyid: bytes, g_xy: bytes, g_xi: bytes, g_xr: bytes,
    cky_i: bytes, cky_r: bytes,
) -> Keys:  # fmt: skip
    """SKEYID_d, _a, _e, the cipher key and the first IV. CryptoError for an unknown algorithm."""
    prf, hash_spec = get_prf(chosen.hash), get_hash(chosen.hash)
    cipher = phase_1_cipher(chosen.encryption, chosen.key_bits or None)
    skeyids = keymat.derive(prf, skeyid, g_xy, cky_i, cky_r)
    key = keymat.cipher_key(prf, skeyids.e, cipher.key_size)
    return Keys(
        prf, hash_spec, cipher.bind(key), key, cipher.block_size, skeyid, skeyids.d, skeyids.a,
        skeyids.e, keymat.phase_1_iv(hash_spec, g_xi, g_xr, cipher.block_size),
    )  # fmt: skip


def authenticator(method: int) -> int:
    """The payload that authenticates phase 1 with this method (RFC 2409 5)."""
    signatures = isakmp.Authentication.RSA_SIG, isakmp.Authentication.DSS
    return isakmp.Payload.SIG if method in signatures else isakmp.Payload.HASH
