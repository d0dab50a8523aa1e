"""The same algorithms by their IKEv1 and IKEv2 numbers, and what is forbidden."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants import ikev2, isakmp
from isakmp.policy import algorithms
from isakmp.policy.algorithms import is_forbidden, is_legacy
from isakmp.policy.keywords import KEYWORDS
from isakmp.policy.proposal import describe
from isakmp.policy.spd import Range, Transform

T = ikev2.Transform


def test_texts_of_what_has_no_name() -> None:
    odd = (Transform(T.KWA, 36), Transform(T.KE, 0), Transform(T.ENCR, 999, 128))
    assert describe(odd) == "KWA 36 NONE UNKNOWN(999)-128"


def test_each_number_has_its_way_back() -> None:
    pairs: list[tuple[Any, Any]] = [
        (algorithms.ENCR_OF_IKE, algorithms.IKE_OF_ENCR),
        (algorithms.PRF_OF_HASH, algorithms.HASH_OF_PRF),
        (algorithms.INTEG_OF_PRF, algorithms.PRF_OF_INTEG),
        (algorithms.ESP_OF_ENCR, algorithms.ENCR_OF_ESP),
        (algorithms.AUTH_OF_INTEG, algorithms.INTEG_OF_AUTH),
    ]
    for there, back in pairs:
        assert len(there) == len(back), "no two are the same"
        assert all(back[there[number]] is number for number in there)


@pytest.mark.parametrize(
    ("word", "forbidden", "legacy"),
    [
        ("des", True, True), ("cast128", True, True), ("prfmd5", True, True), ("md5", True, True),
        ("modp768", True, True), ("ke2_modp768", True, True), ("modp1024", False, True),
        ("ke1_modp1024", False, True), ("3des", False, False), ("aes128", False, False),
        ("sha1", False, False), ("modp2048", False, False), ("null", False, False),
    ],
)  # fmt: skip
def test_what_rfc_8247_and_rfc_8221_forbid(word: str, forbidden: bool, legacy: bool) -> None:
    transform = KEYWORDS[word]
    assert (is_forbidden(transform), is_legacy(transform)) == (forbidden, legacy)


def test_nothing_forbidden_stands_for_any() -> None:
    for kind, found in (
        (T.ENCR, algorithms.encr_of_ike(None)),
        (T.PRF, algorithms.prfs_of_hash(None)),
        (T.KE, algorithms.groups_of(None)),
    ):
        assert found and not any(is_legacy(Transform(kind, number)) for number in found)


def test_what_ikev2_has_not_for_its_ike_sa_is_none() -> None:
    assert algorithms.encr_of_ike(isakmp.Encryption.BLOWFISH_CBC) == ()
    assert algorithms.encr_of_ike(isakmp.Encryption.AES_CBC) == (ikev2.Encr.AES_CBC,)
    assert algorithms.prfs_of_hash(isakmp.Hash.TIGER) == ()
    assert algorithms.prfs_of_hash(isakmp.Hash.SHA) == (ikev2.Prf.HMAC_SHA1,)
    assert algorithms.groups_of(isakmp.Group.ECP_256) == (isakmp.Group.ECP_256,)


@pytest.mark.parametrize(
    ("encr", "wanted", "lengths"),
    [
        (ikev2.Encr.CHACHA20_POLY1305, Range(256, 128, 256), (0,)),
        (ikev2.Encr._3DES, None, (0,)),
        (ikev2.Encr.AES_CBC, None, (128,)),
        (ikev2.Encr.AES_CBC, Range(192, 128, 256), (192, 128, 256)),
        (ikev2.Encr.AES_CBC, Range(256, 256, 256), (256,)),
        (ikev2.Encr.AES_CBC, Range(128, 128, 200), (128, 192)),
    ],
)
def test_key_lengths_that_fit_the_offered_one_first(
    encr: int, wanted: Range | None, lengths: tuple[int, ...]
) -> None:
    assert tuple(algorithms.key_lengths(encr, wanted)) == lengths
    found = algorithms.encr_transforms(encr, wanted)
    assert found == tuple(Transform(T.ENCR, encr, bits) for bits in lengths)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("aes128gcm16", "AES_GCM_16-128"), ("prfsha256", "PRF_HMAC_SHA2_256"),
        ("modp2048", "MODP_2048"), ("ke1_mlkem768", "KE1_ML_KEM_768"), ("ke7_none", "KE7_NONE"),
        ("esn", "SEQUENTIAL_64"), ("sha256", "HMAC_SHA2_256_128"), ("3des", "3DES"),
    ],
)  # fmt: skip
def test_what_people_read(word: str, text: str) -> None:
    assert algorithms.transform_text(KEYWORDS[word]) == text


def lists(*words: str) -> list[list[Transform]]:
    return [[KEYWORDS[word] for word in each.split()] for each in words]


@pytest.mark.parametrize(
    ("ranked", "found"),
    [
        ((), ()),
        (("x25519 ecp256", "ke1_ecp256 ke1_x25519"), ("x25519", "ke1_ecp256")),
        (("x25519 ecp256", "ke1_x25519"), ("ecp256", "ke1_x25519")),
        (("x25519", "ke1_x25519 ke1_none"), ("x25519", "ke1_none")),
        (("x25519", "ke1_none", "ke2_none"), ("x25519", "ke1_none", "ke2_none")),
        (("x25519", "ke1_x25519"), None),
        (("x25519 ecp256", "ke1_ecp256 ke1_ecp384", "ke2_ecp384"),
         ("x25519", "ke1_ecp256", "ke2_ecp384")),
        (("x25519", "ke1_ecp384 ke1_ecp256", "ke2_ecp384"), ("x25519", "ke1_ecp256", "ke2_ecp384")),
    ],
)  # fmt: skip
def test_no_method_serves_twice(ranked: tuple[str, ...], found: tuple[str, ...] | None) -> None:
    """RFC 9370 2.2.2; NONE may."""
    expected = None if found is None else tuple(KEYWORDS[word] for word in found)
    assert algorithms.distinct(lists(*ranked)) == expected
