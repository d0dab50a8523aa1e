"""IKEv1's keys, IVs and authenticating hashes: RFC 2409 5, 5.5 and appendix B.

The arguments bear the RFC's names in lower case: ni_b and nr_b are nonce bodies, g_xy the shared
secret, g_xi and g_xr public values, sai_b, idii_b and idir_b payload bodies without their
generic headers, cky_i and cky_r the cookies (8 octets).

    SKEYID   = prf(psk, Ni_b | Nr_b)  or  prf(Ni_b | Nr_b, g^xy)
    SKEYID_d = prf(SKEYID, g^xy | CKY-I | CKY-R | 0)
    SKEYID_a = prf(SKEYID, SKEYID_d | g^xy | CKY-I | CKY-R | 1)
    SKEYID_e = prf(SKEYID, SKEYID_a | g^xy | CKY-I | CKY-R | 2)
"""

from __future__ import annotations

from dataclasses import dataclass, field

from isakmp.crypto.hash import HashSpec
from isakmp.crypto.prf import Prf


@dataclass(frozen=True, slots=True)
class Skeyids:
    """SKEYID_d (for further keys), SKEYID_a (authenticates), SKEYID_e (encrypts); RFC 2409 5."""

    d: bytes = field(repr=False)
    a: bytes = field(repr=False)
    e: bytes = field(repr=False)


def skeyid_psk(prf: Prf, psk: bytes, ni_b: bytes, nr_b: bytes) -> bytes:
    """SKEYID for a pre-shared key, RFC 2409 5."""
    return prf(psk, ni_b, nr_b)


def skeyid_sig(prf: Prf, ni_b: bytes, nr_b: bytes, g_xy: bytes) -> bytes:
    """SKEYID for signatures, RFC 2409 5."""
    return prf(ni_b + nr_b, g_xy)


def derive(prf: Prf, skeyid: bytes, g_xy: bytes, cky_i: bytes, cky_r: bytes) -> Skeyids:
    """The three keys of an ISAKMP SA, each as long as the prf's output, RFC 2409 5."""
    seed = g_xy + cky_i + cky_r
    skeyid_d = prf(skeyid, seed, b"\0")
    skeyid_a = prf(skeyid, skeyid_d, seed, b"\1")
    return Skeyids(skeyid_d, skeyid_a, prf(skeyid, skeyid_a, seed, b"\2"))


def cipher_key(prf: Prf, skeyid_e: bytes, size: int) -> bytes:
    """Ka, the first ``size`` octets of SKEYID_e, stretched where it is too short; appendix B."""
    if size <= len(skeyid_e):
        return skeyid_e[:size]
    return _chain(prf, skeyid_e, b"\0", b"", size)


def phase_1_iv(hash: HashSpec, g_xi: bytes, g_xr: bytes, size: int) -> bytes:
    """The IV of the first encrypted message of phase 1, ``size`` octets; appendix B."""
    return hash.digest(g_xi, g_xr)[:size]


def phase_2_iv(hash: HashSpec, last_block: bytes, message_id: int, size: int) -> bytes:
    """The first IV of a later exchange. last_block: of phase 1's ciphertext; appendix B."""
    return hash.digest(last_block, _m_id(message_id))[:size]


def hash_i(
    prf: Prf,
    skeyid: bytes,
    g_xi: bytes,
    g_xr: bytes,
    cky_i: bytes,
    cky_r: bytes,
    sai_b: bytes,
    idii_b: bytes,
) -> bytes:
    """HASH_I, by which the initiator proves itself, RFC 2409 5."""
    return prf(skeyid, g_xi, g_xr, cky_i, cky_r, sai_b, idii_b)


def hash_r(
    prf: Prf,
    skeyid: bytes,
    g_xr: bytes,
    g_xi: bytes,
    cky_r: bytes,
    cky_i: bytes,
    sai_b: bytes,
    idir_b: bytes,
) -> bytes:
    """HASH_R, by which the responder proves itself, RFC 2409 5. sai_b: the initiator's offer."""
    return prf(skeyid, g_xr, g_xi, cky_r, cky_i, sai_b, idir_b)


def quick_hash_1(prf: Prf, skeyid_a: bytes, message_id: int, rest: bytes) -> bytes:
    """HASH(1) of quick mode, RFC 2409 5.5, and of an informational, 5.7.

    rest: all that follows the HASH payload, generic headers included, padding not.
    """
    return prf(skeyid_a, _m_id(message_id), rest)


def quick_hash_2(prf: Prf, skeyid_a: bytes, message_id: int, ni_b: bytes, rest: bytes) -> bytes:
    """HASH(2) of quick mode, RFC 2409 5.5. rest: as in quick_hash_1."""
    return prf(skeyid_a, _m_id(message_id), ni_b, rest)


def quick_hash_3(prf: Prf, skeyid_a: bytes, message_id: int, ni_b: bytes, nr_b: bytes) -> bytes:
    """HASH(3) of quick mode, RFC 2409 5.5."""
    return prf(skeyid_a, b"\0", _m_id(message_id), ni_b, nr_b)


def keymat(
    prf: Prf,
    skeyid_d: bytes,
    protocol: int,
    spi: bytes,
    ni_b: bytes,
    nr_b: bytes,
    size: int,
    g_qm_xy: bytes = b"",
) -> bytes:
    """KEYMAT of one direction's SA, ``size`` octets, RFC 2409 5.5.

    protocol: the DOI's protocol identifier; spi: of the SA's receiver, as sent;
    g_qm_xy: quick mode's own shared secret where PFS was asked for.
    """
    seed = g_qm_xy + bytes((protocol,)) + spi + ni_b + nr_b
    return _chain(prf, skeyid_d, seed, seed, size)


def _chain(prf: Prf, key: bytes, first: bytes, later: bytes, size: int) -> bytes:
    """K1 | K2 | ... with K1 = prf(key, first), Kn = prf(key, Kn-1 | later)."""
    block = prf(key, first)
    out = block
    while len(out) < size:
        block = prf(key, block, later)
        out += block
    return out[:size]


def _m_id(message_id: int) -> bytes:
    return message_id.to_bytes(4, "big")
