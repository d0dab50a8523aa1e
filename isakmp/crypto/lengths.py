"""How many octets of key an SA's algorithms take: RFC 2407 4.4.4 and 4.5, RFC 2404, 3602, 3686,
4106, 4543, 4868, 7634."""

from __future__ import annotations

from isakmp.constants import ipsec, isakmp, name_of
from isakmp.errors import CryptoError

# Octets where the transform has one key length only; the salt or nonce is included.
_FIXED: dict[int, int] = {
    ipsec.Esp.DES: 8,
    ipsec.Esp._3DES: 24,
    ipsec.Esp.CAST: 16,
    ipsec.Esp.NULL: 0,
    ipsec.Esp.CHACHA20_POLY1305: 36,
}

# Octets of salt behind a key of the negotiated length.
_SALT: dict[int, int] = {
    ipsec.Esp.AES: 0,
    ipsec.Esp.BLOWFISH: 0,
    ipsec.Esp.CAMELLIA: 0,
    ipsec.Esp.AES_CTR: 4,
    ipsec.Esp.AES_CCM_8: 3,
    ipsec.Esp.AES_CCM_12: 3,
    ipsec.Esp.AES_CCM_16: 3,
    ipsec.Esp.AES_GCM_8: 4,
    ipsec.Esp.AES_GCM_12: 4,
    ipsec.Esp.AES_GCM_16: 4,
    ipsec.Esp.NULL_AES_GMAC: 4,
}

_AUTH = {
    ipsec.Auth.HMAC_MD5: 16,
    ipsec.Auth.HMAC_SHA: 20,
    ipsec.Auth.HMAC_SHA2_256: 32,
    ipsec.Auth.HMAC_SHA2_384: 48,
    ipsec.Auth.HMAC_SHA2_512: 64,
    ipsec.Auth.HMAC_RIPEMD: 20,
    ipsec.Auth.AES_XCBC_MAC: 16,
    ipsec.Auth.AES_CMAC: 16,
}


def key_octets(
    protocol: int, transform_id: int, key_bits: int, auth: ipsec.Auth | None
) -> tuple[int, int]:
    """Octets of the encryption key (with its salt) and of the authentication key.

    CryptoError where an algorithm is unknown or its key length is missing.
    """
    encryption = 0
    if protocol == isakmp.Protocol.IPSEC_ESP:
        encryption = _encryption_octets(transform_id, key_bits)
    if auth is not None and auth not in _AUTH:
        raise CryptoError(f"no key length is known for {name_of(ipsec.Auth, auth)}")
    return encryption, _AUTH[auth] if auth is not None else 0


def _encryption_octets(transform_id: int, key_bits: int) -> int:
    if (octets := _FIXED.get(transform_id)) is not None:
        return octets
    if (salt := _SALT.get(transform_id)) is None:
        raise CryptoError(f"no key length is known for ESP {name_of(ipsec.Esp, transform_id)}")
    bits = key_bits or 128
    if bits % 8:
        name = name_of(ipsec.Esp, transform_id)
        raise CryptoError(f"{name} key of {bits} bits is not whole octets")
    return bits // 8 + salt
