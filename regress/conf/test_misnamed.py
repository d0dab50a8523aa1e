"""Names that look like ours and are none say which part is wrong, and what there could be."""

from __future__ import annotations

import pytest

from isakmp.conf.check import check
from isakmp.conf.misnamed import misnamed
from isakmp.conf.store import Conf
from regress.pair import WEST

HASHES = "MD5, SHA, SHA2-256, SHA2-384, SHA2-512"


@pytest.mark.parametrize(
    ("name", "part", "possible"),
    [
        (
            "QM-ESP-AES-136-SHA2-256-SUITE",
            "136",
            f"behind AES: 128, 192, 256, {HASHES}, RIPEMD, PFS",
        ),
        ("QM-ESP-AES-256-SHA3-256-SUITE", "SHA3", f"behind AES-256: {HASHES}, RIPEMD, PFS"),
        ("qm-esp-aes-sha2-136-suite", "SHA2-136", "behind AES: 128, 192, 256"),
        ("QM-ESP-TWOFISH-SHA-SUITE", "TWOFISH", "behind ESP: TRP, DES, 3DES, BLF, CAST, AES"),
        ("QM-ESP-AESGCM-64-SUITE", "AESGCM-64", "behind ESP: TRP, DES"),
        ("QM-ESP-AESGCM-128-PFS-GRP3-SUITE", "GRP3", "behind PFS: GRP1, GRP2, GRP5"),
        ("QM-ESP-AES-SHA-PFS-GRP14-SUIT", "SUIT", "behind GRP14: SUITE, XF"),
        ("QM-IPCOMP-DEFLATE-SUITE", "IPCOMP", "possible: ESP, AH"),
        ("AES-136-SHA", "136", f"behind AES: 128, 192, 256, {HASHES}"),
        ("AES-SHA-GRP99", "GRP99", "behind SHA: GRP1, GRP2"),
        ("3DES-GRP2", "GRP2", f"behind 3DES: {HASHES}"),
        ("AES-SHA2", "SHA2", "behind AES: 128, 192, 256, MD5"),
    ],
)
def test_the_part_that_is_none(name: str, part: str, possible: str) -> None:
    said = misnamed(name)
    assert said.startswith(f"{part} is no part of such a name; ")
    assert possible in said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("QM-ESP-AESGCM-128-SHA-SUITE", "AESGCM-128 brings its own integrity check"),
        ("QM-ESP-NULL-SUITE", "it needs a hash: MD5"),
        ("QM-AH-SUITE", "it needs a hash: MD5"),
        ("QM-AH-AESGCM-128-SHA-SUITE", "AH takes no cipher with an integrity check"),
    ],
)
def test_parts_that_do_not_fit(name: str, said: str) -> None:
    assert said in misnamed(name)


@pytest.mark.parametrize(
    "name", ["QM-ESP-AES-SHA2-256-SUITE", "AES-256-SHA2-256-GRP14", "AES-office", "east", "QM-own"]
)
def test_names_that_are_ours_or_do_not_look_so(name: str) -> None:
    assert misnamed(name) == ""


def test_check_says_it() -> None:
    text = WEST.text().replace("QM-ESP-AES-128-SHA2-256-SUITE", "QM-ESP-AES-136-SHA2-256-SUITE")
    said = "\n".join(map(str, check(Conf.from_text(text))))
    assert "there is no section [QM-ESP-AES-136-SHA2-256-SUITE] (136 is no part of such" in said
