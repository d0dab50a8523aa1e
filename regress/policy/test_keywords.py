"""Keyword proposals: what they name, and what is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.conf.values import BadValue
from isakmp.constants import ikev2
from isakmp.policy.algorithms import is_forbidden, is_legacy
from isakmp.policy.keywords import KEYWORDS, parse_esp, parse_ike, words_of
from isakmp.policy.proposal import describe
from isakmp.policy.proposal_reader import (
    default_esp,
    default_ike,
)
from isakmp.policy.spd import Proposal, Transform

T = ikev2.Transform


def text(proposal: Proposal) -> str:
    return describe(proposal.transforms)


MANUAL = Path(__file__).parents[2] / "docs" / "isakmpd.conf.5.md"


def documented() -> set[str]:
    """The keywords of the manual's table, those that it says go together put together."""
    table = MANUAL.read_text(encoding="utf-8").partition("| kind | keywords |")[2].partition("\n\n")
    words = set(re.findall(r"\b[a-z]\w*\b|\b3des\b", table[0]))
    words |= {f"aes{n}{mode}" for n in (128, 192, 256) for mode in words if mode[-1:].isdigit()
              or mode in ("ctr", "gmac")}  # fmt: skip
    words |= {f"blowfish{n}" for n in (192, 256)} | {f"ecp{n}bp" for n in (224, 384, 512)}
    return words | {f"ke{n}_{word}" for n in range(1, 8) for word in words}


class TestKeywords:
    @pytest.mark.parametrize(
        ("keywords", "expected"),
        [
            ("aes128gcm16-prfsha256-x25519", "AES_GCM_16-128 PRF_HMAC_SHA2_256 CURVE25519"),
            (
                "aes256-sha256-modp2048",
                "AES_CBC-256 PRF_HMAC_SHA2_256 HMAC_SHA2_256_128 MODP_2048",
            ),
            (
                "AES256-aes128-sha384-sha1-prfsha512-ecp256-ecp384bp",
                "AES_CBC-256/AES_CBC-128 PRF_HMAC_SHA2_512 HMAC_SHA2_384_192/HMAC_SHA1_96"
                " ECP_256/BRAINPOOL_384",
            ),
            ("aes256gcm128-sha384-ecp384", "AES_GCM_16-256 PRF_HMAC_SHA2_384 ECP_384"),
            ("aes128ccm64-prfaescmac-modp3072", "AES_CCM_8-128 PRF_AES128_CMAC MODP_3072"),
            ("3des-md5-modp768", "3DES PRF_HMAC_MD5 HMAC_MD5_96 MODP_768"),
        ],
    )
    def test_ike(self, keywords: str, expected: str) -> None:
        found = parse_ike(keywords, "f:3")
        assert text(found) == expected
        assert (found.name, found.line, found.protocol) == (keywords, "f:3", ikev2.Protocol.IKE)

    @pytest.mark.parametrize(
        ("keywords", "expected"),
        [
            ("aes128gcm16", "AES_GCM_16-128"),
            ("aes128gcm16-x25519-esn-noesn", "AES_GCM_16-128 CURVE25519 ESN"),
            ("aes256-sha256-aesxcbc", "AES_CBC-256 HMAC_SHA2_256_128/AES_XCBC_96"),
            ("null-sha512", "NULL HMAC_SHA2_512_256"),
            ("blowfish256-cast128-sha1", "BLOWFISH-256/CAST HMAC_SHA1_96"),
        ],
    )
    def test_esp(self, keywords: str, expected: str) -> None:
        assert text(parse_esp(keywords)) == expected

    def test_sequence_numbers_are_named_or_short(self) -> None:
        for keywords, numbers in (("", [0]), ("-esn", [1]), ("-esn-noesn", [1, 0])):
            found = parse_esp("aes128gcm16" + keywords).of_type(T.ESN)
            assert [transform.id for transform in found] == numbers

    @pytest.mark.parametrize(
        ("keywords", "reason"),
        [
            ("aes128gmc16-prfsha256-x25519", "'aes128gmc16' is no algorithm"),
            ("", "'' is no algorithm"),
            ("AES-256-SHA2-256-GRP31", "name of a transform, which belongs in Transforms of a C"),
            ("3des-sha-grp2", "'3des-sha-grp2' is the name of a transform"),
            ("QM-ESP-AES-SHA-SUITE", "name of a suite, which belongs in Suites of a Configura"),
            ("aes128--sha256", "'' is no algorithm"),
            ("aes128-sha256", "names no group"),
            ("sha256-x25519", "names no cipher"),
            ("aes128-x25519", "names no integrity algorithm"),
            ("aes128gcm16-x25519", "names no prf"),
            ("aes128-aes128gcm16-sha256-x25519", "a proposal of their own"),
            ("aes128-sha256-x25519-esn", "esn is for ESP"),
            ("null-sha256-x25519", "null protects no IKE SA"),
            ("aes128gmac-prfsha256-x25519", "aes128gmac protects no IKE SA"),
        ],
    )
    def test_what_is_no_ike_proposal(self, keywords: str, reason: str) -> None:
        with pytest.raises(BadValue, match=reason):
            parse_ike(keywords)

    @pytest.mark.parametrize(
        ("keywords", "reason"),
        [
            ("x25519", "names no cipher"),
            ("aes128-prfsha256-sha256", "a prf is for IKE"),
            ("aes128", "names no integrity algorithm"),
            ("aes128gcm16-sha256", "brings its own integrity"),
        ],
    )
    def test_what_is_no_esp_proposal(self, keywords: str, reason: str) -> None:
        with pytest.raises(BadValue, match=reason):
            parse_esp(keywords)

    def test_a_hint_names_the_nearest(self) -> None:
        with pytest.raises(BadValue) as caught:
            parse_ike("aes128gmc16-prfsha256-x25519")
        assert caught.value.hint == "did you mean aes128gcm16?"

    @pytest.mark.parametrize("wrong", [
        *(f"aes256{mode}{n}" for mode in ("gcm", "ccm") for n in (6, 9, 18, 24, 95, 127)),
        "chacha", "chacha20poly", "curve2551", "curve44", "sha2-56", "sha2_25", "prfsha2_5",
        "mlkem51", "ke1_mlkem51", "ke1_curve2551", "aes1", "camelia", "blowfis",
    ])  # fmt: skip
    def test_a_hint_is_a_keyword_of_the_manual(self, wrong: str) -> None:
        """Other spellings are understood, and nobody finds there what they are."""
        with pytest.raises(BadValue) as caught:
            parse_ike(wrong)
        hint = caught.value.hint.removeprefix("did you mean ").removesuffix("?")
        assert not hint or hint in documented()

    def test_nothing_forbidden_is_proposed_unasked(self) -> None:
        for proposal in (*default_ike("f:1"), *default_esp("f:1")):
            assert not any(map(is_forbidden, proposal.transforms))
            assert not any(map(is_legacy, proposal.transforms))

    @given(st.text(max_size=40) | st.lists(st.sampled_from(sorted(KEYWORDS))).map("-".join))
    def test_only_keyword_errors_come_out(self, keywords: str) -> None:
        for parse in (parse_ike, parse_esp):
            try:
                assert parse(keywords).transforms
            except BadValue:
                continue


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("aes128-sha256-x25519-ke1_x25519", "same method"),
        ("aes128-sha256-x25519-ke1_ecp256-ke2_ecp256", "same method"),
        ("aes128-sha256-x25519-ke8_ecp256", "no algorithm"),
        ("aes128-sha256-ke1_ecp256", "none that"),
    ],
)
def test_key_exchanges_that_cannot_be(text: str, reason: str) -> None:
    """RFC 9370 2.2.1."""
    with pytest.raises(BadValue, match=reason):
        parse_ike(text)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("aes256gcm99", "aes256gcm16"),
        ("aes128ccm9", "aes128ccm16"),
        ("sha2", "sha256"),
        ("DH14", "modp2048"),
        ("group19", "ecp256"),
        ("grp31", "x25519"),
        ("modp14", "modp2048"),
        ("x2551", "x25519"),
    ],
)
def test_what_a_word_may_be_meant_for(word: str, meant: str) -> None:
    with pytest.raises(BadValue) as wrong:
        parse_ike(f"aes256-sha256-{word}")
    assert wrong.value.hint == f"did you mean {meant}?"


@pytest.mark.parametrize(
    "text",
    ["aes256-sha256-x25519", "aes128gcm16-prfsha384-ecp256", "aes256-sha384-prfsha256-modp2048",
     "aes256-sha256-x25519-ke1_mlkem768-ke1_none"],
)  # fmt: skip
def test_a_proposal_is_named_by_its_algorithms(text: str) -> None:
    words = words_of(ikev2.Protocol.IKE, parse_ike(text).transforms)
    assert set(parse_ike(words).transforms) == set(parse_ike(text).transforms)
    assert len(words) <= len(text)


def test_no_keywords_where_there_are_none() -> None:
    ike = parse_ike("aes256-sha256-x25519").transforms
    assert words_of(ikev2.Protocol.ESP, ike) == ""
    assert words_of(ikev2.Protocol.IKE, ike[1:]) == ""
    assert words_of(ikev2.Protocol.IKE, [*ike, Transform(ikev2.Transform.KE, 999)]) == ""
    plain = [Transform(ikev2.Transform.KE, 0), *parse_esp("aes256-sha256-noesn").transforms]
    assert words_of(ikev2.Protocol.ESP, plain) == "aes256-sha256"
