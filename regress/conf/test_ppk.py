"""What is warned of post-quantum pre-shared keys."""

from __future__ import annotations

import base64
from random import Random

import pytest

from isakmp.conf.check import check, warnings
from isakmp.conf.secrets import ppk_weakness
from isakmp.conf.store import Conf

KEY = "vK8/3xQpZ0+LmT5rJd2WcY7uHs9EaB4nGf6iOoPq1Rk="
PSK = "9f2c7be1d04a86b35c7ea1f08d62c394"
TEXT = """\
[Phase 1]
192.0.2.2= west
[Phase 2]
Connections= net
[west]
Key-exchange= ikev2
Address= 192.0.2.2
Local-address= 192.0.2.1
IKE-proposals= aes256-sha256-x25519
Authentication= {psk}
{tags}
[net]
ISAKMP-peer= west
ESP-proposals= aes256gcm16-x25519
"""
OURS = f"PPK-ID= ours-1\nPPK= {KEY}\n"


def said(tags: str = OURS, old: str = "", new: str = "", psk: str = PSK) -> list[str]:
    text = TEXT.format(tags=tags, psk=psk)
    assert old in text
    conf = Conf.from_text(text.replace(old, new), "f")
    assert check(conf) == []
    return warnings(conf)


def test_a_good_one_deserves_no_word() -> None:
    assert said() == []
    assert said("PPK-ID-type= opaque\nPPK-required= yes\n" + OURS) == []


@pytest.mark.parametrize(
    "key",
    [
        b"short", b"x" * 100, b"0123456789" * 10, bytes(32), b"a" * 64,
        b"9f2c7be1d04a86b35c7ea1f08d62c394", bytes(range(200, 231)),
        b"correct horse battery staple", b"walnut-ferry-orbit-cactus-lantern-mosaic-pepper",
        b"The-Quick-Brown-Fox-Jumps-Over-The-Lazy-Dog-And-Then-Sleeps-2026",
        b"put-the-output-of-openssl-rand-hex-32-here",
    ],
)  # fmt: skip
def test_what_is_too_little(key: bytes) -> None:
    """RFC 8784 6: 256 bits, and no words."""
    assert ppk_weakness(key)


@pytest.mark.parametrize("seed", range(50))
def test_what_is_enough(seed: int) -> None:
    """RFC 8784 6: 32 random octets, in any spelling."""
    key = Random(seed).randbytes(32)
    for spelled in (key, key.hex().encode(), key.hex().upper().encode(), base64.b64encode(key)):
        assert ppk_weakness(spelled) == ""
    assert ppk_weakness(b" ".join([b"walnut", b"ferry", b"orbit", b"cactus"] * 5 + [b"x"])) == ""


def test_a_weak_one_is_told_with_its_line() -> None:
    (line,) = said("PPK-ID= ours-1\nPPK= 9f2c7be1d04a86b35c7ea1f08d62c395\n")
    assert line == (
        "f:12 [west]:PPK: this key has 128 bits of entropy at most; RFC 8784 asks for 256: "
        "make one: openssl rand -base64 32"
    )


def test_the_key_of_authentication_is_another() -> None:
    """RFC 8784 2: they are independent."""
    (line,) = said(psk=KEY)
    assert "[west]:PPK: it is the Authentication, too" in line


def test_a_key_of_several_peers() -> None:
    """RFC 8784 5.2.2."""
    other = f"[other]\nKey-exchange= ikev2\nAddress= 192.0.2.9\nAuthentication= 7{PSK[1:]}\n"
    other += "IKE-proposals= aes256-sha256-x25519\n" + OURS
    text = TEXT.format(tags=OURS, psk=PSK).replace("[Phase 2]", "192.0.2.9= other\n[Phase 2]")
    told = warnings(Conf.from_text(text + other, "f"))
    assert [line for line in told if "[west] has the same PPK" in line]
    assert KEY not in "".join(told)


def test_ikev1_goes_without() -> None:
    (line,) = said(
        OURS + "PPK-required= yes\n", "Key-exchange= ikev2", "Key-exchange= ikev2, ikev1"
    )
    assert "[west]:PPK-required: IKEv1 goes without it" in line


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("aes256-sha256", "aes128-sha256", "[west] has a PPK and AES_CBC-128"),
        ("aes256-sha256", "aes256-sha256-prfaesxcbc", "[west] has a PPK and PRF_AES128_XCBC"),
        ("aes256gcm16", "aes128gcm16-aes256gcm16", "[net] has a PPK and AES_GCM_16-128"),
    ],
)
def test_keys_that_a_quantum_computer_searches(old: str, new: str, told: str) -> None:
    """RFC 8784 6."""
    (line,) = said(old=old, new=new)
    assert told in line


def test_chacha_is_not_one_of_them() -> None:
    assert said(old="aes256gcm16", new="chacha20poly1305") == []


def test_without_ikev2_it_has_no_effect() -> None:
    lines = said(old="Key-exchange= ikev2", new="Key-exchange= ikev1")
    assert any("PPK-ID: is IKEv2's" in line for line in lines)


@pytest.mark.parametrize("tags", ["PPK-ID= ours-1\n", f"PPK= {KEY}\n", "PPK-required= yes\n"])
def test_what_is_missing_is_an_error(tags: str) -> None:
    (error,) = check(Conf.from_text(TEXT.format(tags=tags, psk=PSK), "f"))
    assert error.missing
