"""Which of IKEv1's algorithms IKEv2 has not got: each is named, and no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isakmp.conf.store import Conf
from isakmp.policy.outside_ikev2 import ike_outside, ipsec_outside
from isakmp.policy.transforms import read_ike_transform, read_suite

CONF = Conf.from_text("", "f")


@pytest.mark.parametrize(
    ("names", "outside"),
    [
        (("AES-256-SHA2-256-GRP14",), ""),
        (("3DES-MD5", "CAST-SHA"), "CAST_CBC"),
        (("BLF-SHA-GRP14", "BLF-MD5", "CAST-SHA"), "BLOWFISH_CBC, CAST_CBC"),
        ((), ""),
    ],
)
def test_of_phase_1(names: tuple[str, ...], outside: str) -> None:
    assert ike_outside(read_ike_transform(CONF, name, "f:1") for name in names) == outside


@pytest.mark.parametrize(
    ("names", "outside"),
    [
        (("QM-ESP-AES-SHA2-256-SUITE", "QM-AH-SHA-SUITE"), ""),
        (("QM-ESP-AES-RIPEMD-SUITE",), "HMAC_RIPEMD"),
        (("QM-ESP-AES-RIPEMD-SUITE", "QM-ESP-3DES-RIPEMD-SUITE"), "HMAC_RIPEMD"),
    ],
)
def test_of_phase_2(names: tuple[str, ...], outside: str) -> None:
    assert ipsec_outside([read_suite(CONF, name, "f:1") for name in names]) == outside


def test_of_a_bundle_nothing_is_said() -> None:
    """It is the bundle itself that IKEv2 has not."""
    suite = read_suite(CONF, "QM-ESP-AES-RIPEMD-SUITE", "f:1")
    bundle = replace(suite, protocols=2 * suite.protocols)
    assert ipsec_outside([bundle]) == ""
    assert ipsec_outside([bundle, suite]) == "HMAC_RIPEMD"
