"""Names that answer without being written: all of them, and only them."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.conf.generated import GROUPS, generated, main_mode_name, quick_mode_name
from isakmp.conf.store import Conf
from isakmp.constants import ipsec, isakmp
from isakmp.policy.spd import Range
from isakmp.policy.transforms import read_ike_transform, read_suite

EMPTY = Conf.from_text("")
HASHES = ["MD5", "SHA", "SHA2-256", "SHA2-384", "SHA2-512"]
CIPHERS = ["BLF", "3DES", "CAST", "DES", "AES", "AES-128", "AES-192", "AES-256"]
GROUP_SUFFIXES = ["", *(f"-GRP{number}" for number in sorted(GROUPS))]
QUICK_CIPHERS = [*CIPHERS, "AESCTR", "AESCTR-128", "AESCTR-192", "AESCTR-256", "NULL"]
COMBINED = [f"{mode}-{bits}" for mode in ("AESGCM", "AESGMAC") for bits in (128, 192, 256)]


@pytest.mark.parametrize("cipher", CIPHERS)
def test_every_main_mode_transform_reads(cipher: str) -> None:
    for hash_, group, auth in product(HASHES, GROUP_SUFFIXES, ["", "-DSS", "-RSA_SIG"]):
        transform = read_ike_transform(EMPTY, f"{cipher}-{hash_}{group}{auth}", "")
        assert transform.hash is not None
        assert transform.hash.name == hash_.replace("-", "_")
        assert transform.group == int(group[4:] or 2)
        assert transform.auth is not None
        assert transform.auth.name == (auth[1:] or "PRE_SHARED")
        assert transform.life.seconds == Range(3600, 60, 86400)


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("AES", Range(128, 128, 256)),
        ("AES-128", Range(128, 128, 128)),
        ("AES-192", Range(192, 192, 192)),
        ("AES-256", Range(256, 256, 256)),
        ("BLF", Range(128, 96, 192)),
        ("3DES", None),
        ("CAST", None),
    ],
)
def test_key_lengths(name: str, bits: Range | None) -> None:
    assert read_ike_transform(EMPTY, f"{name}-SHA", "").key_bits == bits
    suite = read_suite(EMPTY, f"QM-ESP-{name}-SHA-SUITE", "")
    assert suite.protocols[0].transforms[0].key_bits == bits


@pytest.mark.parametrize("cipher", QUICK_CIPHERS)
def test_every_esp_suite_reads(cipher: str) -> None:
    for mode, hash_, pfs in product(
        ["", "-TRP"], [*HASHES, "RIPEMD"], ["", *(f"-PFS{group}" for group in GROUP_SUFFIXES)]
    ):
        (protocol,) = read_suite(EMPTY, f"QM-ESP{mode}-{cipher}-{hash_}{pfs}-SUITE", "").protocols
        (transform,) = protocol.transforms
        assert protocol.protocol is isakmp.Protocol.IPSEC_ESP
        assert transform.encapsulation.name == ("TRANSPORT" if mode else "TUNNEL")
        assert transform.auth is not None
        assert transform.auth.name == f"HMAC_{hash_.replace('-', '_')}"
        assert transform.group == (int(pfs[8:] or 2) if pfs else None)
        assert transform.life.seconds == Range(1200, 60, 86400)


@pytest.mark.parametrize(
    ("name", "transform_id", "bits"),
    [
        ("QM-ESP-AESGCM-256-PFS-GRP31", ipsec.Esp.AES_GCM_16, 256),
        ("QM-ESP-TRP-AESGMAC-128", ipsec.Esp.NULL_AES_GMAC, 128),
        ("QM-ESP-CHACHA20-POLY1305-PFS-GRP19", ipsec.Esp.CHACHA20_POLY1305, None),
    ],
)
def test_combined_modes_have_no_hash(name: str, transform_id: int, bits: int | None) -> None:
    (protocol,) = read_suite(EMPTY, f"{name}-SUITE", "").protocols
    (transform,) = protocol.transforms
    assert transform.name == f"{name}-XF"
    assert transform.transform_id == transform_id
    assert transform.auth is None
    assert (transform.key_bits.offer if transform.key_bits else None) == bits


@pytest.mark.parametrize("hash_", [*HASHES, "RIPEMD"])
def test_ah_takes_its_transform_from_the_hash(hash_: str) -> None:
    for name in (f"QM-AH-{hash_}-SUITE", f"QM-AH-TRP-3DES-{hash_}-PFS-GRP14-SUITE"):
        (protocol,) = read_suite(EMPTY, name, "").protocols
        assert protocol.protocol is isakmp.Protocol.IPSEC_AH
        assert protocol.transforms[0].transform_id == ipsec.Ah[hash_.replace("-", "_")]


def test_names_are_compared_without_case() -> None:
    assert generated("qm-esp-aes-sha-suite") == generated("QM-ESP-AES-SHA-SUITE") is not None


@pytest.mark.parametrize(
    "name",
    [
        "AES-SHA-GRP3",
        "AES-SHA-GRP99",
        "AES-512-SHA",
        "3DES-SHA2",
        "AES-SHA-PSK",
        "QM-ESP-SUITE",
        "QM-ESP-NULL-SUITE",
        "QM-AH-SUITE",
        "QM-AH-3DES-SUITE",
        "QM-AH-AESGCM-128-SHA-SUITE",
        "QM-ESP-AESGCM-128-SHA-SUITE",
        "QM-ESP-AESGCM-SUITE",
        "QM-ESP-AES-SHA-PFS-GRP4-SUITE",
        "QM-ESP-AES-SHA-GRP5-SUITE",
        "QM-ESP-AES-SHA-SUITE\n",
        "AES-SHA-GRP\u0661",
    ],
)
def test_names_that_mean_nothing(name: str) -> None:
    assert generated(name) is None


@pytest.mark.parametrize("name", ["AES-256-SHA2-384-GRP31", "3DES-MD5-GRP2", "BLF-SHA-GRP14"])
def test_a_transform_is_named_by_its_tags(name: str) -> None:
    tags = dict(generated(name) or {})
    tags["KEY_LENGTH"] = tags.get("KEY_LENGTH", "0").partition(",")[0]
    assert main_mode_name(tags) == name
    assert main_mode_name({**tags, "KEY_LENGTH": "57"}) == ""
    assert main_mode_name({**tags, "ENCRYPTION_ALGORITHM": "CAMELLIA_CBC"}) == ""
    assert main_mode_name({**tags, "HASH_ALGORITHM": "TIGER"}) == ""


@pytest.mark.parametrize(
    "name",
    ["QM-ESP-AES-256-SHA2-256-PFS-GRP31", "QM-ESP-AESGCM-128", "QM-ESP-TRP-3DES-SHA",
     "QM-ESP-CHACHA20-POLY1305-PFS-GRP14", "QM-ESP-BLF-MD5", "QM-ESP-NULL-SHA2-512"],
)  # fmt: skip
def test_a_suite_is_named_by_its_tags(name: str) -> None:
    tags = dict(generated(f"{name}-XF") or {})
    tags["KEY_LENGTH"] = tags.get("KEY_LENGTH", "0").partition(",")[0]
    assert quick_mode_name(tags) == f"{name}-SUITE"
    assert quick_mode_name({**tags, "TRANSFORM_ID": "AES_CCM_16"}) == ""
    assert quick_mode_name({**tags, "AUTHENTICATION_ALGORITHM": "AES_CMAC"}) == ""


WORDS = ["QM", "ESP", "AH", "TRP", "AES", "128", "AESGCM", "NULL", "SHA", "PFS", "GRP5", "SUITE"]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(WORDS),
        max_size=8,
    )
)
def test_a_generated_suite_can_be_read(words: list[str]) -> None:
    name = "-".join(words)
    tags = generated(name)
    if tags and "Protocols" in tags:
        assert read_suite(EMPTY, name, "").protocols
