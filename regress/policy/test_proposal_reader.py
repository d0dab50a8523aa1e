"""Keywords and isakmpd's sections read into proposals, and keywords into IKEv1's values."""

from __future__ import annotations

import pytest

from isakmp.constants import ikev2, ipsec, isakmp
from isakmp.errors import ConfError
from isakmp.policy.algorithms import in_ikev1, is_legacy
from isakmp.policy.keywords import parse_esp, parse_ike
from isakmp.policy.proposal import describe
from isakmp.policy.proposal_reader import (
    ike_transforms,
    suites_of,
)
from isakmp.policy.spd import Lifetime, Proposal, Range
from regress.policy.sections import connection, peer

T = ikev2.Transform


def text(proposal: Proposal) -> str:
    return describe(proposal.transforms)


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
            ("IKE-proposals= ,", "f:4 .*no value"),
            ("IKE-proposals= aes128gcm16-prfsha256-x25519", "none of these can be said in IKEv1"),
            ("Key-exchange= ikev3", "f:4 .*not one of ikev2, ikev1"),
            ("Key-exchange= ,", "f:4 .*no value"),
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
