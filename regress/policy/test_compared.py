"""What is compared of two proposals of IKEv1, and what to set where."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants import ipsec, isakmp
from isakmp.errors import Part
from isakmp.policy.compared import Row, made_alike, unlike, weigh
from isakmp.policy.spd import Range

Enc, Hash, Group = isakmp.Encryption, isakmp.Hash, isakmp.Group


def row(label: str, registry: Any, came: int, wanted: int | Range | None) -> Row:
    fits = came in wanted if isinstance(wanted, Range) else came == wanted
    return Row(label, registry, came, wanted, fits)


def phase_1(
    came: tuple[int, int, int, int], wanted: tuple[int, Range | int, int, int]
) -> list[Row]:
    labels = ("ENCRYPTION_ALGORITHM", "KEY_LENGTH", "HASH_ALGORITHM", "GROUP_DESCRIPTION")
    registries = (Enc, None, Hash, Group)
    return list(map(row, labels, registries, came, wanted))


def phase_2(
    came: tuple[int, int, int, int], wanted: tuple[int, Range | int, int, int], names: Any
) -> list[Row]:
    labels = ("TRANSFORM_ID", "KEY_LENGTH", "AUTHENTICATION_ALGORITHM", "GROUP_DESCRIPTION")
    rows = list(map(row, labels, (names, None, ipsec.Auth, Group), came, wanted))
    tunnel = ipsec.Encapsulation.TUNNEL
    return [row for row in rows if row.came or row.wanted] + [
        row_of_mode(tunnel),
    ]  # fmt: skip


def row_of_mode(mode: int) -> Row:
    return row("ENCAPSULATION_MODE", ipsec.Encapsulation, mode, mode)


LONG = Range(256, 256, 256)


@pytest.mark.parametrize(
    ("came", "wanted", "mend"),
    [
        ((Enc.AES_CBC, 256, Hash.SHA2_256, Group.CURVE25519),
         (Enc.AES_CBC, LONG, Hash.SHA2_384, Group.MODP_2048),
         "at the peer set HASH_ALGORITHM SHA2_384 instead of SHA2_256; here set GROUP_DESCRIPTION "
         "CURVE25519 instead of MODP_2048: here that is AES-256-SHA2-384-GRP31 of Transforms"),
        ((Enc._3DES_CBC, 0, Hash.SHA, Group.MODP_2048),
         (Enc.AES_CBC, LONG, Hash.SHA, Group.MODP_2048),
         "at the peer set ENCRYPTION_ALGORITHM AES_CBC-256 instead of 3DES_CBC"),
        ((Enc.AES_CBC, 256, Hash.SHA, Group.MODP_2048),
         (Enc._3DES_CBC, 0, Hash.SHA, Group.MODP_2048),
         "here set ENCRYPTION_ALGORITHM AES_CBC-256 instead of 3DES_CBC: "
         "here that is AES-256-SHA-GRP14 of Transforms"),
    ],
)  # fmt: skip
def test_what_to_set_in_phase_1(came: Any, wanted: Any, mend: str) -> None:
    told, about = weigh(phase_1(came, wanted))
    assert told == mend
    assert about <= {"ENCRYPTION_ALGORITHM", "KEY_LENGTH", "HASH_ALGORITHM", "GROUP_DESCRIPTION"}


@pytest.mark.parametrize(
    ("came", "wanted", "mend"),
    [
        ((ipsec.Esp.AES_GCM_16, 256, 0, 0), (ipsec.Esp.AES, LONG, ipsec.Auth.HMAC_SHA2_256, 0),
         "set TRANSFORM_ID AES-256 with HMAC_SHA2_256 at the peer, or AES_GCM_16-256 here, which "
         "is as strong: here that is QM-ESP-AESGCM-256-SUITE of Suites"),
        ((ipsec.Esp.AES, 256, ipsec.Auth.HMAC_SHA, 14), (ipsec.Esp.AES_GCM_16, LONG, 0, 0),
         "at the peer set TRANSFORM_ID AES_GCM_16-256 instead of AES-256 with HMAC_SHA; here set "
         "GROUP_DESCRIPTION MODP_2048 instead of none: "
         "here that is QM-ESP-AESGCM-256-PFS-GRP14-SUITE of Suites"),
        ((ipsec.Esp._3DES, 0, ipsec.Auth.HMAC_SHA2_256, 0), (ipsec.Esp._3DES, 0,
         ipsec.Auth.HMAC_SHA, 0),
         "here set AUTHENTICATION_ALGORITHM HMAC_SHA2_256 instead of HMAC_SHA: "
         "here that is QM-ESP-3DES-SHA2-256-SUITE of Suites"),
    ],
)  # fmt: skip
def test_what_to_set_in_phase_2(came: Any, wanted: Any, mend: str) -> None:
    told, about = weigh(phase_2(came, wanted, ipsec.Esp))
    assert told == mend
    assert "ENCAPSULATION_MODE" not in about


def test_the_hash_of_ah_has_two_names_and_is_one_thing() -> None:
    came = (ipsec.Ah.SHA, 0, ipsec.Auth.HMAC_SHA, 0)
    wanted = (ipsec.Ah.SHA2_256, 0, ipsec.Auth.HMAC_SHA2_256, 0)
    told, about = weigh(phase_2(came, wanted, ipsec.Ah))
    assert told == "at the peer set TRANSFORM_ID SHA2_256 with HMAC_SHA2_256 instead of " + (
        "SHA with HMAC_SHA"
    )
    assert about == {"TRANSFORM_ID", "AUTHENTICATION_ALGORITHM"}


def test_what_any_would_take_and_is_not_known_is_not_weighed() -> None:
    rows = phase_1((Enc.AES_CBC, 256, 99, 14), (Enc.AES_CBC, LONG, 1, 14))
    rows[2] = rows[2]._replace(wanted=None)
    assert weigh(rows) == ("", frozenset())
    assert str(rows[2]) == "HASH_ALGORITHM UNKNOWN(99), not a known one"


def test_a_row_tells_both_sides() -> None:
    one = row("GROUP_DESCRIPTION", Group, 14, 31)
    assert one.told(placed=True) == unlike(
        "GROUP_DESCRIPTION", "MODP_2048", "CURVE25519", placed=True
    )
    assert one.part() == Part("GROUP_DESCRIPTION", "MODP_2048", "CURVE25519", False)
    assert row("KEY_LENGTH", None, 64, Range(128, 128, 256)).ours() == "128 to 256"


def test_what_has_no_stronger() -> None:
    assert made_alike([]) == ""
    assert made_alike(["A b", "C d"]) == "make both ends the same: A b; C d"
