"""Pseudo-random functions: published figures, and the keys that they take."""

from __future__ import annotations

from pathlib import Path

import pytest

from isakmp.constants import ikev2
from isakmp.constants.isakmp import Hash
from isakmp.crypto.prf import get_prf, get_prf_v2
from isakmp.errors import CryptoError
from regress.crypto.vectors import label, published, upstream

PRFS = {
    "PRF_HMAC_MD5": Hash.MD5,
    "PRF_HMAC_SHA1": Hash.SHA,
    "PRF_HMAC_SHA2_256": Hash.SHA2_256,
    "PRF_HMAC_SHA2_384": Hash.SHA2_384,
    "PRF_HMAC_SHA2_512": Hash.SHA2_512,
}


@pytest.mark.parametrize("block", published("hmac.txt"), ids=label)
def test_published_hmacs(block: dict[str, str]) -> None:
    """RFC 2403, 2404 and 4868."""
    key, data = bytes.fromhex(block["key"]), bytes.fromhex(block["data"])
    prf = get_prf(Hash(int(block["hash"])))
    assert prf(key, data).hex() == prf(key, data[:3], data[3:]).hex() == block["digest"]


def test_collected_hmacs(shared: Path) -> None:
    vectors = upstream(shared)
    cases = [v for kind in ("md5_hmac", "sha1_hmac", "sha2_hmac") for v in vectors[kind]]
    prfs = [v for v in cases if v["alg"] in PRFS]
    assert len(prfs) > 10
    for vector in prfs:
        key, seed = bytes.fromhex(vector["key"]), bytes.fromhex(vector["seed"])
        assert get_prf(PRFS[vector["alg"]])(key, seed).hex() == vector["out"], vector["name"]


@pytest.mark.parametrize("number", [ikev2.Prf.AES128_XCBC, ikev2.Prf.AES128_CMAC])
def test_a_prf_of_aes_takes_keys_of_any_length_and_likes_sixteen_octets(number: int) -> None:
    """RFC 4434 2 and RFC 4615 3."""
    prf = get_prf_v2(number)
    assert (prf.size, prf.key_size, prf.fixed_key, prf.legacy) == (16, 16, True, False)
    values = {prf(bytes(range(size)), b"data") for size in (1, 15, 16, 17, 40)}
    assert len(values) == 5 and {len(value) for value in values} == {16}
    assert prf(bytes(16), b"da", b"ta") == prf(bytes(16), b"data")


@pytest.mark.parametrize(
    ("key", "output"),
    [
        ("000102030405060708090a0b0c0d0e0f", "47f51b4564966215b8985c63055ed308"),
        ("00010203040506070809", "0fa087af7d866e7653434e602fdde835"),
        ("000102030405060708090a0b0c0d0e0fedcb", "8cd3c93ae598a9803006ffb67c40e9e4"),
    ],
)
def test_figures_of_rfc_4434(key: str, output: str) -> None:
    prf = get_prf_v2(ikev2.Prf.AES128_XCBC)
    assert prf(bytes.fromhex(key), bytes(range(20))).hex() == output


@pytest.mark.parametrize(
    ("key", "output"),
    [
        ("000102030405060708090a0b0c0d0e0fedcb", "84a348a4a45d235babfffc0d2b4da09a"),
        ("000102030405060708090a0b0c0d0e0f", "980ae87b5f4c9c5214f5b6a8455e4c2d"),
        ("00010203040506070809", "290d9e112edb09ee141fcf64c0b72f3d"),
    ],
)
def test_figures_of_rfc_4615(key: str, output: str) -> None:
    prf = get_prf_v2(ikev2.Prf.AES128_CMAC)
    assert prf(bytes.fromhex(key), bytes(range(20))).hex() == output


@pytest.mark.parametrize(("ikev2_prf", "hash_"), [(5, 4), (6, 5), (7, 6), (2, 2), (1, 1)])
def test_both_versions_have_the_same_hmacs(ikev2_prf: int, hash_: int) -> None:
    v1, v2 = get_prf(Hash(hash_)), get_prf_v2(ikev2_prf)
    assert v1(b"key", b"data") == v2(b"key", b"data") and not v2.fixed_key
    assert v2.legacy is (hash_ == Hash.MD5), "RFC 8247 2.2"


@pytest.mark.parametrize("number", [3, 99])
def test_an_unknown_prf_is_named(number: int) -> None:
    with pytest.raises(CryptoError, match=rf"no prf .*\({number}\)"):
        get_prf_v2(number)
