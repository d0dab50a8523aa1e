"""How many octets of key an SA's algorithms take."""

from __future__ import annotations

import pytest

from isakmp.constants import ipsec, isakmp
from isakmp.crypto.lengths import key_octets
from isakmp.errors import CryptoError

ESP, AH = isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPSEC_AH
IPCOMP = isakmp.Protocol.IPCOMP
Esp, Auth = ipsec.Esp, ipsec.Auth


@pytest.mark.parametrize(
    ("transform", "bits", "octets"),
    [
        (Esp.AES, 0, 16),  # RFC 3602 2.3: the default
        (Esp.AES, 128, 16), (Esp.AES, 256, 32),
        (Esp.AES_CTR, 128, 20),  # RFC 3686 5.1
        (Esp.AES_CCM_16, 256, 35),  # RFC 4309 7.1
        (Esp.AES_GCM_8, 128, 20), (Esp.AES_GCM_16, 256, 36),  # RFC 4106 8.1
        (Esp.NULL_AES_GMAC, 192, 28),  # RFC 4543 5.1
        (Esp.CHACHA20_POLY1305, 0, 36), (Esp.CHACHA20_POLY1305, 256, 36),  # RFC 7634 2
        (Esp.DES, 0, 8), (Esp._3DES, 0, 24), (Esp.CAST, 128, 16), (Esp.NULL, 0, 0),
    ],
)  # fmt: skip
def test_encryption(transform: int, bits: int, octets: int) -> None:
    assert key_octets(ESP, transform, bits, None) == (octets, 0)


@pytest.mark.parametrize(
    ("auth", "octets"),
    [
        (Auth.HMAC_MD5, 16), (Auth.HMAC_SHA, 20), (Auth.HMAC_SHA2_256, 32),
        (Auth.HMAC_SHA2_384, 48), (Auth.HMAC_SHA2_512, 64), (Auth.AES_XCBC_MAC, 16),
    ],
)  # fmt: skip
def test_authentication(auth: ipsec.Auth, octets: int) -> None:
    """RFC 2403, 2404, 4868, 3566: as many as the hash makes."""
    assert key_octets(ESP, Esp.NULL, 0, auth) == (0, octets)
    assert key_octets(AH, int(auth), 256, auth) == (0, octets), "AH encrypts nothing"


def test_compression_has_no_key() -> None:
    assert key_octets(IPCOMP, ipsec.Ipcomp.DEFLATE, 0, None) == (0, 0)


@pytest.mark.parametrize(
    ("transform", "bits", "auth", "error"),
    [
        (Esp.AES, 130, None, "AES key of 130 bits is not whole octets"),
        (250, 128, None, "no key length is known for ESP"),
        (Esp.AES, 128, Auth.KPDK, "no key length is known for KPDK"),
    ],
)
def test_what_is_not_known(
    transform: int, bits: int, auth: ipsec.Auth | None, error: str
) -> None:  # fmt: skip
    with pytest.raises(CryptoError, match=error):
        key_octets(ESP, transform, bits, auth)
