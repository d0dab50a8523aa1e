"""RFC 2407 algorithm numbers to those of PF_KEYv2 and back, with the key sizes each takes.

Keys of counter modes carry their salt or nonce last (RFC 3686, 4106, 4309, 7634): the bits
given here, as SADB_REGISTER answers them, count it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from isakmp.app.pf_key.constants import Aalg, Calg, Ealg, SaType
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ApplicationError


class Algorithm(NamedTuple):
    """One algorithm of PF_KEYv2: its number, octets of IV, and key bits (both inclusive)."""

    number: int
    iv_size: int
    min_bits: int
    max_bits: int

    def takes(self, key_bits: int) -> bool:
        """Whether a key may have this size."""
        return self.min_bits <= key_bits <= self.max_bits and key_bits % 8 == 0


_GCM = (8, 160, 288)
_CCM = (8, 152, 280)

ENCRYPTION = MappingProxyType(
    {
        ipsec.Esp.DES: Algorithm(Ealg.DES_CBC, 8, 64, 64),
        ipsec.Esp._3DES: Algorithm(Ealg._3DES_CBC, 8, 192, 192),
        ipsec.Esp.CAST: Algorithm(Ealg.X_CAST_CBC, 8, 40, 128),
        ipsec.Esp.BLOWFISH: Algorithm(Ealg.X_BLOWFISH_CBC, 8, 40, 448),
        ipsec.Esp.NULL: Algorithm(Ealg.NULL, 0, 0, 0),
        ipsec.Esp.AES: Algorithm(Ealg.X_AES_CBC, 16, 128, 256),
        ipsec.Esp.AES_CTR: Algorithm(Ealg.X_AES_CTR, *_GCM),
        ipsec.Esp.AES_CCM_8: Algorithm(Ealg.X_AES_CCM_8, *_CCM),
        ipsec.Esp.AES_CCM_12: Algorithm(Ealg.X_AES_CCM_12, *_CCM),
        ipsec.Esp.AES_CCM_16: Algorithm(Ealg.X_AES_CCM_16, *_CCM),
        ipsec.Esp.AES_GCM_8: Algorithm(Ealg.X_AES_GCM_8, *_GCM),
        ipsec.Esp.AES_GCM_12: Algorithm(Ealg.X_AES_GCM_12, *_GCM),
        ipsec.Esp.AES_GCM_16: Algorithm(Ealg.X_AES_GCM_16, *_GCM),
        ipsec.Esp.CAMELLIA: Algorithm(Ealg.X_CAMELLIA_CBC, 16, 128, 256),
        ipsec.Esp.NULL_AES_GMAC: Algorithm(Ealg.X_NULL_AES_GMAC, *_GCM),
        ipsec.Esp.CHACHA20_POLY1305: Algorithm(Ealg.X_CHACHA20_POLY1305, 8, 288, 288),
    }
)

AUTHENTICATION = MappingProxyType(
    {
        ipsec.Auth.HMAC_MD5: Algorithm(Aalg.MD5_HMAC, 0, 128, 128),
        ipsec.Auth.HMAC_SHA: Algorithm(Aalg.SHA1_HMAC, 0, 160, 160),
        ipsec.Auth.HMAC_SHA2_256: Algorithm(Aalg.X_SHA2_256_HMAC, 0, 256, 256),
        ipsec.Auth.HMAC_SHA2_384: Algorithm(Aalg.X_SHA2_384_HMAC, 0, 384, 384),
        ipsec.Auth.HMAC_SHA2_512: Algorithm(Aalg.X_SHA2_512_HMAC, 0, 512, 512),
        ipsec.Auth.HMAC_RIPEMD: Algorithm(Aalg.X_RIPEMD160_HMAC, 0, 160, 160),
        ipsec.Auth.AES_XCBC_MAC: Algorithm(Aalg.X_AES_XCBC_MAC, 0, 128, 128),
        ipsec.Auth.AES_CMAC: Algorithm(Aalg.X_AES_CMAC, 0, 128, 128),
        ipsec.Auth.AES_128_GMAC: Algorithm(Aalg.X_AES_128_GMAC, 8, 160, 160),
        ipsec.Auth.AES_192_GMAC: Algorithm(Aalg.X_AES_192_GMAC, 8, 224, 224),
        ipsec.Auth.AES_256_GMAC: Algorithm(Aalg.X_AES_256_GMAC, 8, 288, 288),
    }
)

COMPRESSION = MappingProxyType({ipsec.Ipcomp(c): c for c in Calg if c is not Calg.NONE})

_ENCRYPTION_BACK = MappingProxyType({a.number: number for number, a in ENCRYPTION.items()})
_AUTHENTICATION_BACK = MappingProxyType({a.number: n for n, a in AUTHENTICATION.items()})

SA_TYPES = MappingProxyType(
    {
        isakmp.Protocol.IPSEC_AH: SaType.AH,
        isakmp.Protocol.IPSEC_ESP: SaType.ESP,
        isakmp.Protocol.IPCOMP: SaType.IPCOMP,
    }
)
PROTOCOLS = MappingProxyType({satype: protocol for protocol, satype in SA_TYPES.items()})

IP_PROTOCOLS = MappingProxyType(
    {
        isakmp.Protocol.IPSEC_AH: 51,
        isakmp.Protocol.IPSEC_ESP: 50,
        isakmp.Protocol.IPCOMP: 108,
    }
)
FROM_IP_PROTOCOL = MappingProxyType({number: protocol for protocol, number in IP_PROTOCOLS.items()})


def sa_type(protocol: isakmp.Protocol) -> SaType:
    """PF_KEY's type of SAs of ``protocol``. ApplicationError where it has none (ISAKMP)."""
    try:
        return SA_TYPES[protocol]
    except KeyError:
        raise ApplicationError(f"PF_KEY has no SAs of protocol {int(protocol)}") from None


def to_encrypt(protocol: isakmp.Protocol, number: int, key_bits: int) -> int:
    """sadb_sa_encrypt for an RFC 2407 transform of ESP or IPComp; AH has none.

    key_bits count the salt of counter modes. ApplicationError where PF_KEY knows no such
    algorithm, or a key of it cannot have that size.
    """
    if protocol is isakmp.Protocol.IPSEC_ESP:
        algorithm = ENCRYPTION.get(number)  # type: ignore[call-overload]
        if algorithm is None:
            raise ApplicationError(f"PF_KEY has no number for ESP transform {number}")
        return _sized(algorithm, "encryption", key_bits)
    if protocol is isakmp.Protocol.IPCOMP and number not in COMPRESSION:
        raise ApplicationError(f"PF_KEY has no number for IPComp transform {number}")
    return number if protocol is isakmp.Protocol.IPCOMP else Ealg.NONE


def to_auth(number: ipsec.Auth | None, key_bits: int) -> int:
    """sadb_sa_auth for an RFC 2407 authentication algorithm; None and NONE: 0.

    ApplicationError where PF_KEY knows no such algorithm, or the key has a wrong size.
    """
    if not number:
        return Aalg.NONE
    algorithm = AUTHENTICATION.get(number)
    if algorithm is None:
        raise ApplicationError(f"PF_KEY has no number for authentication algorithm {number}")
    return _sized(algorithm, "authentication", key_bits)


def _sized(algorithm: Algorithm, what: str, key_bits: int) -> int:
    if not algorithm.takes(key_bits):
        raise ApplicationError(
            f"{what} algorithm {algorithm.number} takes {algorithm.min_bits} to"
            f" {algorithm.max_bits} bits of key, not {key_bits}"
        )
    return algorithm.number


def from_encrypt(protocol: isakmp.Protocol, number: int, key_bits: int) -> int:
    """The RFC 2407 transform of sadb_sa_encrypt. ApplicationError as in to_encrypt."""
    if protocol is isakmp.Protocol.IPSEC_ESP:
        transform = _ENCRYPTION_BACK.get(number)
        if transform is None:
            raise ApplicationError(f"unknown encryption algorithm {number}")
        _sized(ENCRYPTION[transform], "encryption", key_bits)
        return transform
    return to_encrypt(protocol, number, key_bits) or ipsec.Esp.NULL


def from_auth(number: int, key_bits: int) -> ipsec.Auth | None:
    """The RFC 2407 algorithm of sadb_sa_auth; 0: None. ApplicationError as in to_auth."""
    if number == Aalg.NONE:
        return None
    auth = _AUTHENTICATION_BACK.get(number)
    if auth is None:
        raise ApplicationError(f"unknown authentication algorithm {number}")
    _sized(AUTHENTICATION[auth], "authentication", key_bits)
    return auth
