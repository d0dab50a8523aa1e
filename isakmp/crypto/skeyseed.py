"""IKEv2's keys and authenticators: RFC 7296 2.13 to 2.18, RFC 8784 3.

SKEYSEED = prf(Ni | Nr, g^ir)
SKEYSEED = prf(SK_d (old), g^ir | Ni | Nr [| more])      of a rekeyed IKE SA
{SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr)
KEYMAT = prf+(SK_d, [g^ir (new) |] Ni | Nr [| more])

more: what additional key exchanges have made, one after the other (RFC 9370 2.2.4).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from isakmp.crypto.prf import Prf
from isakmp.errors import CryptoError

KEY_PAD = b"Key Pad for IKEv2"
BLOCKS_MAX = 255


@dataclass(frozen=True, slots=True)
class SkKeys:
    """The keys of an IKE SA, RFC 7296 2.14; ei and er with their salts."""

    d: bytes = field(repr=False)
    ai: bytes = field(repr=False)
    ar: bytes = field(repr=False)
    ei: bytes = field(repr=False)
    er: bytes = field(repr=False)
    pi: bytes = field(repr=False)
    pr: bytes = field(repr=False)


def prf_plus(prf: Prf, key: bytes, seed: bytes, size: int) -> bytes:
    """``size`` octets of prf+, RFC 7296 2.13. CryptoError beyond 255 blocks."""
    if size > BLOCKS_MAX * prf.size:
        raise CryptoError(f"prf+ yields no {size} octets")
    return prf.plus(key, seed, size)


def skeyseed(prf: Prf, ni: bytes, nr: bytes, g_ir: bytes) -> bytes:
    """SKEYSEED of the initial exchanges; a prf of a fixed key takes 8 octets of each nonce."""
    half = prf.key_size // 2
    key = ni[:half] + nr[:half] if prf.fixed_key else ni + nr
    return prf(key, g_ir)


def rekeyed_skeyseed(
    prf_old: Prf, sk_d_old: bytes, g_ir: bytes, ni: bytes, nr: bytes, more: bytes = b""
) -> bytes:
    """SKEYSEED of an IKE SA that takes the place of another, by the prf of that one; 2.18. The same
    makes SKEYSEED(n) of the SK_d before it (RFC 9370 2.2.2)."""
    return prf_old(sk_d_old, g_ir, ni, nr, more)


def derive(
    prf: Prf, seed: bytes, ni: bytes, nr: bytes, spi_i: bytes, spi_r: bytes, enc_size: int,
    integ_size: int,
) -> SkKeys:  # fmt: skip
    """Every key of an IKE SA out of SKEYSEED; sizes in octets, that of encryption with its salt."""
    sizes = (prf.key_size, integ_size, integ_size, enc_size, enc_size, prf.key_size, prf.key_size)
    stream, keys, at = prf_plus(prf, seed, ni + nr + spi_i + spi_r, sum(sizes)), [], 0
    for size in sizes:
        keys.append(stream[at : at + size])
        at += size
    return SkKeys(*keys)


def with_ppk(prf: Prf, ppk: bytes, sk: SkKeys) -> SkKeys:
    """The keys with a post-quantum pre-shared key in SK_d, SK_pi and SK_pr; RFC 8784 3."""
    d, pi, pr = (prf_plus(prf, ppk, key, len(key)) for key in (sk.d, sk.pi, sk.pr))
    return replace(sk, d=d, pi=pi, pr=pr)


def child_keymat(
    prf: Prf, sk_d: bytes, ni: bytes, nr: bytes, size: int, g_ir: bytes = b"", more: bytes = b""
) -> bytes:
    """KEYMAT of a child SA, the initiator's outbound keys first; 2.17."""
    return prf_plus(prf, sk_d, g_ir + ni + nr + more, size)


def signed_octets(prf: Prf, message: bytes, nonce: bytes, sk_p: bytes, id_body: bytes) -> bytes:
    """What AUTH covers: our IKE_SA_INIT message, the other end's nonce, our identity; 2.15."""
    return message + nonce + prf(sk_p, id_body)


def psk_auth(prf: Prf, secret: bytes, octets: bytes) -> bytes:
    """AUTH by a shared secret, 2.15."""
    return prf(prf(secret, KEY_PAD), octets)
