"""Algorithms a configuration names, held against what the cryptographic library can do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isakmp.conf.judge import Verdict, judge_exchanges, judge_ike, judge_ipsec, judge_proposal
from isakmp.constants import ipsec, isakmp
from isakmp.errors import CryptoError
from isakmp.policy.keywords import parse_esp, parse_ike
from isakmp.policy.spd import IkeTransform, IpsecTransform, Lifetime, Range

ESP, AH = isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPSEC_AH
PHASE_1 = IkeTransform(
    "t", isakmp.Encryption.AES_CBC, isakmp.Hash.SHA2_256, isakmp.Group.MODP_2048,
    isakmp.Authentication.PRE_SHARED, Range(128, 128, 128), Lifetime(), "f:1",
)  # fmt: skip
PHASE_2 = IpsecTransform(
    "x", ipsec.Esp.AES, ipsec.Encapsulation.TUNNEL, ipsec.Auth.HMAC_SHA2_256, None,
    Range(128, 128, 128), Lifetime(), "f:2",
)  # fmt: skip


def test_what_is_missing_is_an_error_and_what_is_of_the_past_a_warning() -> None:
    def lacks() -> bool:
        raise CryptoError("the library lacks it")

    verdict = Verdict()
    for legacy in (lacks, lambda: True, lambda: False):
        verdict.ask(legacy, "X")
    assert verdict == Verdict(["the library lacks it"], ["X is no longer considered secure"])


def test_what_is_good_deserves_no_word() -> None:
    assert judge_ike(PHASE_1) == judge_ipsec(ESP, PHASE_2) == Verdict()
    assert judge_proposal(parse_ike("aes128gcm16-prfsha256-x25519")) == Verdict()
    assert judge_ike(replace(PHASE_1, encryption=None, hash=None, group=None)) == Verdict()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"encryption": isakmp.Encryption.DES_CBC, "key_bits": None}, "DES_CBC"),
        ({"hash": isakmp.Hash.MD5}, "MD5"), ({"group": isakmp.Group.MODP_1024}, "MODP_1024"),
    ],
)  # fmt: skip
def test_phase_1_of_the_past(change: dict[str, object], name: str) -> None:
    verdict = judge_ike(replace(PHASE_1, **change))  # type: ignore[arg-type]
    assert verdict.warnings == [f"{name} is no longer considered secure"] and not verdict.errors


def test_what_the_library_has_not_is_an_error() -> None:
    verdict = judge_ike(replace(PHASE_1, encryption=isakmp.Encryption.RC5_R16_B64_CBC))
    assert len(verdict.errors) == 1 and not verdict.warnings
    assert judge_ike(replace(PHASE_1, hash=isakmp.Hash.TIGER)).errors


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"transform_id": ipsec.Esp.AES_GCM_16}, "AES_GCM_16 takes no AUTHENTICATION_ALGORITHM"),
        ({"transform_id": ipsec.Esp.NULL, "auth": None}, "protects nothing"),
        ({"transform_id": ipsec.Esp.RC5}, "the library lacks cipher RC5"),
        ({"transform_id": ipsec.Esp.AES_CTR, "key_bits": Range(64, 64, 64)}, "no key of 64 bits"),
    ],
)
def test_what_esp_cannot_be(change: dict[str, object], error: str) -> None:
    (said,) = judge_ipsec(ESP, replace(PHASE_2, **change)).errors  # type: ignore[arg-type]
    assert error in said


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"auth": None}, "AES without a hash: packets can be forged"),
        ({"auth": ipsec.Auth.HMAC_MD5}, "HMAC_MD5 is no longer considered secure"),
        ({"group": isakmp.Group.MODP_768}, "MODP_768 is no longer considered secure"),
    ],
)
def test_what_esp_should_not_be(change: dict[str, object], warning: str) -> None:
    verdict = judge_ipsec(ESP, replace(PHASE_2, **change))  # type: ignore[arg-type]
    assert verdict == Verdict([], [warning])


def test_a_cipher_is_not_looked_at_where_nothing_is_encrypted() -> None:
    assert judge_ipsec(AH, replace(PHASE_2, transform_id=ipsec.Ah.SHA2_256)) == Verdict()


def test_ikev2_of_the_past() -> None:
    warnings = judge_proposal(parse_ike("3des-md5-modp768")).warnings
    assert [line.partition(" ")[0] for line in warnings] == [
        "PRF_HMAC_MD5",
        "HMAC_MD5_96",
        "MODP_768",
    ]


def test_of_ipsec_only_newer_key_exchanges_are_judged_here() -> None:
    """The IPsec stack judges the rest, and suites have the groups of IKEv1."""
    assert judge_exchanges(parse_esp("cast128-md5-modp768")) == Verdict()
    (warning,) = judge_exchanges(parse_esp("aes128gcm16-x25519-ke1_modp768")).warnings
    assert warning.startswith("KE1_MODP_768 is no longer")
