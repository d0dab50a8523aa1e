"""Keywords and isakmpd's sections read into proposals, and keywords into IKEv1's values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.conf.values import BadValue
from isakmp.constants import ikev2, ipsec, isakmp
from isakmp.errors import ConfError
from isakmp.policy.algorithms import in_ikev1, is_forbidden, is_legacy
from isakmp.policy.keywords import KEYWORDS, parse_esp, parse_ike
from isakmp.policy.proposal import describe
from isakmp.policy.proposal_reader import (
    default_esp,
    default_ike,
    ike_transforms,
    suites_of,
)
from isakmp.policy.spd import Lifetime, Proposal, Range, Transform
from regress.policy.sections import connection, peer

T = ikev2.Transform


def text(proposal: Proposal) -> str:
    return describe(proposal.transforms)


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


class TestPeer:
    def test_ikev1_is_what_there_was(self) -> None:
        remote = peer("Configuration= main-mode", MAIN_MODE)
        assert remote.key_exchange == ("ikev1",)
        assert remote.proposals == ()
        assert [transform.name for transform in remote.transforms] == ["AES-SHA2-256-GRP14", "BLF"]

    def test_keywords_for_both_versions(self) -> None:
        remote = peer(
            "Key-exchange= ikev2, ikev1; Life= an-hour;"
            "IKE-proposals= aes128gcm16-prfsha256-x25519, aes256-aes128-sha384-modp2048-ecp256",
            "[an-hour]\nLIFE_TYPE= SECONDS\nLIFE_DURATION= 3600",
        )
        assert remote.key_exchange == ("ikev2", "ikev1")
        assert len(remote.proposals) == 2
        assert remote.life.seconds == Range(3600, 3600, 3600)
        # Combined mode has no number in IKEv1.
        assert [(t.group, t.key_bits, t.hash) for t in remote.transforms] == [
            (14, Range(256, 256, 256), isakmp.Hash.SHA2_384),
            (14, Range(128, 128, 128), isakmp.Hash.SHA2_384),
            (19, Range(256, 256, 256), isakmp.Hash.SHA2_384),
            (19, Range(128, 128, 128), isakmp.Hash.SHA2_384),
        ]
        assert {t.line for t in remote.transforms} == {"f:6 [west]:IKE-proposals"}

    def test_keywords_for_one_version(self) -> None:
        tags = "IKE-proposals= aes256-sha256-modp2048; Key-exchange= "
        assert peer(tags + "ikev2").transforms == ()
        assert peer(tags + "ikev2").life.seconds == Range(3600, 60, 86400)
        assert peer(tags + "ikev1").proposals == ()

    def test_ikev2_from_isakmpds_transforms(self) -> None:
        remote = peer("Configuration= main-mode; Key-exchange= ikev2", MAIN_MODE)
        # Blowfish protects no IKE SA, so its transform is left out.
        (found,) = remote.proposals
        assert found.name == "AES-SHA2-256-GRP14"
        assert text(found) == (
            "AES_CBC-128/AES_CBC-192/AES_CBC-256 PRF_HMAC_SHA2_256 HMAC_SHA2_256_128 MODP_2048"
        )

    def test_any_is_what_should_be_used(self) -> None:
        more = MAIN_MODE + (
            "\n[AES-SHA2-256-GRP14]\nENCRYPTION_ALGORITHM= ANY\nHASH_ALGORITHM= ANY"
            "\nGROUP_DESCRIPTION= ANY\nKEY_LENGTH= 256"
        )
        (found,) = peer("Configuration= main-mode; Key-exchange= ikev2", more).proposals
        assert text(found).startswith("AES_CBC-256/CAMELLIA_CBC-256 PRF_HMAC_SHA2_256/")
        assert not any(map(is_legacy, found.transforms))

    def test_what_is_proposed_where_nothing_is_written(self) -> None:
        remote = peer("Key-exchange= ikev2")
        assert remote.transforms == ()
        assert [proposal.line for proposal in remote.proposals] == ["f:1 [west]"] * 2

    @pytest.mark.parametrize(
        ("tags", "error"),
        [
            ("IKE-proposals= aes128-sha256-x2519", "f:4 .*did you mean x25519"),
            ("IKE-proposals= ,", "has no IKE-proposals"),
            ("IKE-proposals= aes128gcm16-prfsha256-x25519", "none of these can be said in IKEv1"),
            ("Key-exchange= ikev3", "f:4 .*not one of ikev2, ikev1"),
            ("Key-exchange= ,", "names no version"),
            ("Key-exchange= ikev2; Configuration= legacy", "algorithms of none of its"),
        ],
    )
    def test_errors_have_their_line(self, tags: str, error: str) -> None:
        with pytest.raises(ConfError, match=error):
            peer(tags, MAIN_MODE)


MAIN_MODE = """
[main-mode]
EXCHANGE_TYPE= ID_PROT
Transforms= AES-SHA2-256-GRP14, BLF
[BLF]
ENCRYPTION_ALGORITHM= BLOWFISH_CBC
HASH_ALGORITHM= SHA
GROUP_DESCRIPTION= MODP_2048
[legacy]
EXCHANGE_TYPE= ID_PROT
Transforms= BLF"""

QUICK_MODE = """
[quick-mode]
EXCHANGE_TYPE= QUICK_MODE
Suites= QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE, bundle, QM-AH-SHA2-256-SUITE, \\
 QM-ESP-TRP-NULL-MD5-SUITE
[bundle]
Protocols= QM-ESP-AES-SHA, QM-AH-SHA
[only-bundles]
EXCHANGE_TYPE= QUICK_MODE
Suites= bundle"""


class TestConnection:
    IDS = "Local-selectors= 10.1.0.0/16; Remote-selectors= 10.2.0.0/16; "

    def test_suites_for_both_versions(self) -> None:
        found = connection(
            self.IDS + "ESP-proposals= aes128-sha256"
            "-modp2048-x25519, aes256gcm16-esn-noesn, aes256gcm16-esn;"
            "Mode= transport; ReplayWindow= 128"
        )  # fmt: skip
        assert [text(p) for p in found.proposals] == [
            "AES_CBC-128 HMAC_SHA2_256_128 MODP_2048/CURVE25519",
            "AES_GCM_16-256 ESN",
            "AES_GCM_16-256 ESN",
        ]
        assert [suite.protocols[0].transforms[0].group for suite in found.suites] == [14, 31, None]
        first, last = found.suites[0].protocols[0], found.suites[2].protocols[0]
        assert first.replay_window == 128
        (transform,) = first.transforms
        assert (transform.transform_id, transform.auth) == (12, ipsec.Auth.HMAC_SHA2_256)
        assert transform.encapsulation is ipsec.Encapsulation.TRANSPORT
        assert last.transforms[0].esn == (True, False)

    def test_there_is_always_a_suite(self) -> None:
        (suite,) = connection(self.IDS + "ESP-proposals= aes256gcm16-esn").suites
        assert suite.protocols[0].transforms[0].esn == (True,)

    def test_ikev2_from_suites(self) -> None:
        found = connection(self.IDS + "Configuration= quick-mode", "", QUICK_MODE)
        assert [(p.protocol.name, text(p)) for p in found.proposals] == [
            ("ESP", "AES_CBC-256 HMAC_SHA2_256_128 MODP_2048"),
            ("AH", "HMAC_SHA2_256_128"),
            ("ESP", "NULL HMAC_MD5_96"),
        ]
        assert len(found.suites) == 4
        modes = {s.protocols[0].transforms[0].encapsulation.name for s in found.suites}
        assert modes == {"TUNNEL", "TRANSPORT"}

    def test_the_mode_of_all_suites(self) -> None:
        found = connection(self.IDS + "Configuration= quick-mode; Mode= transport", "", QUICK_MODE)
        transforms = [t for s in found.suites for p in s.protocols for t in p.transforms]
        assert {t.encapsulation for t in transforms} == {ipsec.Encapsulation.TRANSPORT}

    def test_bundles_are_ikev1s(self) -> None:
        found = connection(self.IDS + "Configuration= only-bundles", "", QUICK_MODE)
        assert found.proposals == ()
        assert len(found.suites) == 1

    def test_what_is_proposed_where_nothing_is_written(self) -> None:
        found = connection(self.IDS)
        assert text(found.proposals[0]) == (
            "AES_GCM_16-128/AES_GCM_16-256/CHACHA20_POLY1305"
        )  # fmt: skip
        assert found.suites[0].name == "QM-ESP-3DES-SHA-PFS-SUITE"
        written = "[General]\nDefault-phase-2-suites= QM-ESP-AES-SHA2-256-SUITE"
        assert len(connection(self.IDS, "", written).proposals) == 1

    @pytest.mark.parametrize(
        ("tags", "error"),
        [
            ("ESP-proposals= aes128gmc16", "did you mean aes128gcm16"),
            ("Mode= tonnel", "not one of tunnel, transport"),
            ("ESP-proposals= aes128gcm16; ReplayWindow= 5000", "not a number from 0 to 4096"),
            ("ESP-proposals= aes128gcm16; Life= nowhere", "no section"),
        ],
    )
    def test_errors_have_their_line(self, tags: str, error: str) -> None:
        with pytest.raises(ConfError, match=error) as caught:
            connection(self.IDS + tags)
        assert caught.value.line > 0


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


def test_additional_key_exchanges_are_ikev2s() -> None:
    """What demands one is left out of IKEv1, and not made weaker there."""
    life = Lifetime()
    demanded = parse_ike("aes128-sha256-modp2048-ke1_ecp256")
    optional = parse_ike("aes128-sha256-modp2048-ke1_ecp256-ke1_none")
    assert ike_transforms([demanded, parse_ike("aes128-sha256-mlkem768")], life) == ()
    assert [t.group for t in ike_transforms([optional], life)] == [14]
    mode = ipsec.Encapsulation.TUNNEL
    esp = [parse_esp("aes128gcm16-modp2048-ke1_ecp256"), parse_esp("aes128gcm16-mlkem768")]
    for only in esp:
        (suite,) = suites_of([only], life, mode, 64)
        assert not any(map(in_ikev1, suite.transforms))
    assert [s.transforms[0].group for s in suites_of([*esp, parse_esp("aes128gcm16")], life, mode,
                                                     64)] == [None]  # fmt: skip
    assert parse_esp("aes128gcm16-modp2048-ke1_ecp256").without_groups.additional is False


def test_texts_of_what_has_no_name() -> None:
    odd = (Transform(T.KWA, 36), Transform(T.KE, 0), Transform(T.ENCR, 999, 128))
    assert describe(odd) == "KWA 36 NONE UNKNOWN(999)-128"
