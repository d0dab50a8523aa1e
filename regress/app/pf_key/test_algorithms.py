"""RFC 2407 algorithm numbers as PF_KEYv2 has them."""

from __future__ import annotations

import pytest

from isakmp.app.pf_key import algorithms
from isakmp.app.pf_key.constants import Aalg, Ealg
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ApplicationError

ESP = isakmp.Protocol.IPSEC_ESP


@pytest.mark.parametrize(
    ("number", "bits", "expected"),
    [
        (ipsec.Esp.AES, 192, Ealg.X_AES_CBC),
        (ipsec.Esp.AES_GCM_16, 160, 20),
        (ipsec.Esp.AES_CTR, 288, 13),
        (ipsec.Esp.CHACHA20_POLY1305, 288, 31),
        (ipsec.Esp.NULL, 0, 11),
    ],
)
def test_encryption_numbers(number: ipsec.Esp, bits: int, expected: int) -> None:
    """RFC 2367 3.2 to 3.9."""
    assert algorithms.to_encrypt(ESP, number, bits) == expected
    assert algorithms.from_encrypt(ESP, expected, bits) is number


def test_authentication_numbers() -> None:
    """RFC 2857."""
    assert algorithms.to_auth(ipsec.Auth.HMAC_MD5, 128) == Aalg.MD5_HMAC == 2  # type: ignore[comparison-overlap]
    assert algorithms.to_auth(ipsec.Auth.HMAC_SHA, 160) == Aalg.SHA1_HMAC == 3  # type: ignore[comparison-overlap]
    assert algorithms.to_auth(None, 0) == algorithms.to_auth(ipsec.Auth.NONE, 0) == 0
    for auth, algorithm in algorithms.AUTHENTICATION.items():
        assert algorithms.from_auth(algorithm.number, algorithm.min_bits) is auth


def test_ah_and_ipcomp() -> None:
    """RFC 4302 and 3173."""
    ah, ipcomp = isakmp.Protocol.IPSEC_AH, isakmp.Protocol.IPCOMP
    assert algorithms.to_encrypt(ah, ipsec.Esp.NULL, 0) == 0
    assert algorithms.from_encrypt(ah, 0, 0) == ipsec.Esp.NULL
    assert algorithms.from_encrypt(ipcomp, 2, 0) == ipsec.Ipcomp.DEFLATE
    assert algorithms.to_encrypt(ipcomp, ipsec.Ipcomp.LZS, 0) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: algorithms.to_encrypt(ESP, ipsec.Esp.AES_GCM_16, 128),
        lambda: algorithms.to_encrypt(ESP, ipsec.Esp.RC4, 128),
        lambda: algorithms.to_encrypt(isakmp.Protocol.IPCOMP, 99, 0),
        lambda: algorithms.from_encrypt(ESP, 0, 0),
        lambda: algorithms.from_encrypt(ESP, 12, 100),
        lambda: algorithms.to_auth(ipsec.Auth.KPDK, 128),
        lambda: algorithms.to_auth(ipsec.Auth.HMAC_SHA, 128),
        lambda: algorithms.from_auth(99, 128),
        lambda: algorithms.sa_type(isakmp.Protocol.ISAKMP),
    ],
)
def test_algorithms_that_do_not_fit(wrong) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ApplicationError):
        wrong()
