"""Which of two algorithms is the stronger, and what to set where."""

from __future__ import annotations

from itertools import product

import pytest

from isakmp.constants import ikev2, ipsec, isakmp, names
from isakmp.policy.keywords import KEYWORDS
from isakmp.policy.stronger import (
    Gap,
    Side,
    cipher,
    is_combined,
    made_stronger,
    other,
    strength,
    strongest,
    with_integrity,
)

T = ikev2.Transform


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ("MODP_1024", "MODP_2048"), ("MODP_2048", "CURVE25519"), ("CURVE25519", "ECP_384"),
        ("none", "MODP_768"), ("KE1_NONE", "KE1_ML_KEM_512"), ("ML_KEM_768", "ML_KEM_1024"),
        ("HMAC_MD5", "HMAC_SHA"), ("SHA", "SHA2_256"), ("HMAC_SHA2_256_128", "HMAC_SHA2_384_192"),
        ("PRF_HMAC_SHA1", "PRF_AES128_CMAC"), ("BRAINPOOL_256", "BRAINPOOL_384"),
    ],
)  # fmt: skip
def test_the_stronger_is_set_where_the_weaker_is(weaker: str, stronger: str) -> None:
    here, there = Gap("X", other(stronger), other(weaker)), Gap("X", other(weaker), other(stronger))
    assert str(here) == f"here set X {stronger} instead of {weaker}"
    assert str(there) == f"at the peer set X {stronger} instead of {weaker}"
    assert (here.here, here.there, there.here, there.there) == (True, False, False, True)


@pytest.mark.parametrize(
    ("theirs", "ours", "order"),
    [
        (("AES_GCM_16", 256, "NONE"), ("AES_CBC", 256, "HMAC_SHA2_256_128"), 0),
        (("AES_GCM_16", 256, "NONE"), ("AES_CBC", 256, "HMAC_SHA2_512_256"), 0),
        (("AES_GCM_16", 256, "NONE"), ("AES_CBC", 256, "HMAC_SHA1_96"), 1),
        (("AES_GCM_8", 128, "NONE"), ("AES_CBC", 128, "HMAC_SHA2_256_128"), -1),
        (("AES_GCM_16", 128, "NONE"), ("AES_CBC", 256, "HMAC_SHA2_256_128"), -1),
        (("CHACHA20_POLY1305", 0, "NONE"), ("AES_GCM_16", 128, "NONE"), 1),
        (("NULL_AES_GMAC", 256, "none"), ("3DES", 0, "HMAC_MD5"), -1),
    ],
)
def test_a_combined_cipher_is_held_against_cipher_and_integrity(
    theirs: tuple[str, int, str], ours: tuple[str, int, str], order: int
) -> None:
    gap = Gap("ENCR", with_integrity(*theirs), with_integrity(*ours))
    assert (gap.here, gap.there) == (order >= 0, order <= 0)
    assert "NONE" not in str(gap) and "none" not in str(gap)


def test_as_strong_is_set_at_either_end_and_what_is_not_known_at_the_peer() -> None:
    same = Gap("KE", other("ECP_256"), other("CURVE25519"))
    told = "set KE CURVE25519 at the peer, or ECP_256 here, which is as strong"
    assert made_stronger([same], "") == told
    assert made_stronger([same], "a-b of X") == f"{told}: here that is a-b of X"
    strange = Gap("KE", other("UNKNOWN(999)"), other("CURVE25519"))
    told = "at the peer set KE CURVE25519 instead of UNKNOWN(999)"
    assert made_stronger([strange], "a-b of X") == told


def test_the_strongest_of_several() -> None:
    found = strongest(map(other, ("MODP_2048", "ECP_256", "CURVE25519", "UNKNOWN(7)")))
    assert found == Side("ECP_256", (128,))
    assert strongest([]) is None


def test_key_lengths_that_a_cipher_has_not() -> None:
    assert cipher("AES_CBC", 512).strength is None
    assert cipher("3DES_CBC", 64) == Side("3DES_CBC-64", None)
    assert cipher("BLOWFISH_CBC", 448).strength == (448,)
    assert cipher("AES", 0).strength is None


def test_what_can_be_configured_has_a_strength() -> None:
    """Of every keyword there is one, and of every group and hash of IKEv1 that both ends have."""
    for word, (kind, number, bits) in KEYWORDS.items():
        if kind is T.ENCR:
            name = ikev2.Encr(number).name.removeprefix("_")
            assert with_integrity(name, bits, "NONE").strength is not None, word
        elif kind in (T.PRF, T.INTEG):
            registry = ikev2.Prf if kind is T.PRF else ikev2.Integ
            assert strength(registry(number).name) is not None, word
    groups = [name for name in names(isakmp.Group) if "EC2N" not in name]
    assert all(strength(name) for name in (*groups, "MD5", "SHA", "SHA2_256", "SHA2_512"))


def test_nothing_can_be_set_here_that_is_not_there() -> None:
    for name, bits in product((*names(ikev2.Encr), *names(ipsec.Esp)), (0, 128)):
        if any(part in name for part in ("IIV", "MGM", "IDEA", "RC", "SEED", "DES_IV")):
            assert cipher(name, bits).strength is None, name
    assert strength("TIGER") is None and strength("KPDK_MD5") is None


def test_combined() -> None:
    assert all(map(is_combined, ("AES_GCM_16", "AES_CCM_8", "CHACHA20_POLY1305", "NULL_AES_GMAC")))
    assert not any(map(is_combined, ("AES_CBC", "AES", "3DES", "NULL", "AES_CTR")))
