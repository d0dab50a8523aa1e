"""The protection of IKEv2 messages: every cipher with every integrity, and what does not verify."""

from __future__ import annotations

import os
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.constants.ikev2 import Encr, Integ
from isakmp.crypto.sk import Sk, sk_cipher
from isakmp.errors import CryptoError

COMBINED = [
    (encr, bits, None)
    for encr in (Encr.AES_GCM_8, Encr.AES_GCM_12, Encr.AES_GCM_16, Encr.AES_CCM_8,
                 Encr.AES_CCM_12, Encr.AES_CCM_16)
    for bits in (128, 192, 256)
] + [(Encr.CHACHA20_POLY1305, 256, None)]  # fmt: skip
CLASSIC = [
    (encr, bits, integ)
    for encr, bits in ((Encr.AES_CBC, 128), (Encr.AES_CBC, 256), (Encr.AES_CTR, 128),
                       (Encr._3DES, 0), (Encr.CAMELLIA_CBC, 256), (Encr.DES, 0))
    for integ in (Integ.HMAC_MD5_96, Integ.HMAC_SHA1_96, Integ.HMAC_SHA2_256_128,
                  Integ.HMAC_SHA2_384_192, Integ.HMAC_SHA2_512_256, Integ.AES_XCBC_96,
                  Integ.AES_CMAC_96)
]  # fmt: skip
HEAD = bytes(range(32))


def ends(encr: Encr, bits: int, integ: Integ | None) -> tuple[Sk, Sk]:
    """Who seals and who opens, under the same keys."""
    cipher = sk_cipher(encr, bits, integ)
    keys = os.urandom(cipher.enc_size), os.urandom(cipher.integ_size)
    return cipher.bind(*keys), cipher.bind(*keys)


@pytest.mark.parametrize(("encr", "bits", "integ"), [*COMBINED, *CLASSIC])
def test_what_is_sealed_opens_and_nothing_else_does(
    encr: Encr, bits: int, integ: Integ | None
) -> None:
    """RFC 7296 3.14, RFC 5282 and 5930."""
    here, there = ends(encr, bits, integ)
    for size in (0, 1, 7, 8, 15, 16, 17, 300):
        inner = os.urandom(size)
        sealed = here.seal(HEAD, inner, os.urandom)
        assert len(sealed) == here.sealed_size(size)
        message = HEAD + sealed
        assert there.open(message, len(HEAD)) == inner
        for at in {0, len(HEAD) - 1, len(HEAD), len(message) - 1, len(message) // 2}:
            bad = bytearray(message)
            bad[at] ^= 1
            with pytest.raises(CryptoError):
                there.open(bytes(bad), len(HEAD))
        for cut in (1, 4, here.icv_size, len(sealed)):
            with pytest.raises(CryptoError):
                there.open(message[:-cut], len(HEAD))


@pytest.mark.parametrize(("encr", "bits", "integ"), COMBINED)
def test_no_iv_serves_twice(encr: Encr, bits: int, integ: Integ | None) -> None:
    here, _ = ends(encr, bits, integ)
    ivs = {here.seal(HEAD, b"x", os.urandom)[:8] for _ in range(100)}
    assert len(ivs) == 100


@pytest.mark.parametrize(("encr", "bits", "integ"), [*COMBINED, *CLASSIC])
def test_no_iv_serves_twice_where_two_have_the_same_keys(
    encr: Encr, bits: int, integ: Integ | None
) -> None:
    """A forged answer to IKE_SA_INIT may leave all that the keys depend on as it was."""
    one, other = ends(encr, bits, integ)
    draw = Random(1).randbytes
    ivs = [sk.seal(HEAD, b"?", draw)[: sk.iv_size] for sk in (one, other) for _ in range(8)]
    assert len(set(ivs)) == 16
    here, there = ends(encr, bits, integ)
    last = here.seal(HEAD, b"?", lambda size: b"\xff" * size)
    assert there.open(HEAD + last, len(HEAD)) == b"?"


@given(sealed=st.binary(max_size=120))
@settings(max_examples=100, deadline=None)
@pytest.mark.parametrize("row", [(Encr.AES_CBC, 256, Integ.HMAC_SHA2_256_128),
                                 (Encr.AES_GCM_16, 128, None)])  # fmt: skip
def test_any_octets_do_not_open(row: tuple[Encr, int, Integ | None], sealed: bytes) -> None:
    _, there = ends(*row)
    with pytest.raises(CryptoError):
        there.open(HEAD + sealed, len(HEAD))


def test_padding_that_is_longer_than_the_message() -> None:
    here, there = ends(Encr.AES_GCM_16, 128, None)
    sealed = here._seal(here._salt + bytes(8), b"ab\x09", HEAD)  # type: ignore[attr-defined]
    with pytest.raises(CryptoError, match="padding"):
        there.open(HEAD + bytes(8) + sealed, len(HEAD))


@pytest.mark.parametrize(
    ("encr", "bits", "integ"),
    [
        (Encr.AES_GCM_16, 128, Integ.HMAC_SHA1_96), (Encr.AES_GCM_16, 64, None),
        (Encr.AES_CBC, 128, None), (Encr.AES_CBC, 100, Integ.HMAC_SHA1_96),
        (Encr.AES_CBC, 128, Integ.DES_MAC), (Encr.NULL, 0, Integ.HMAC_SHA1_96),
        (Encr.RC5, 128, Integ.HMAC_SHA1_96), (999, 128, None),
    ],
)  # fmt: skip
def test_what_protects_nothing_is_refused(encr: int, bits: int, integ: int | None) -> None:
    with pytest.raises(CryptoError):
        sk_cipher(encr, bits, integ)


def test_keys_of_a_wrong_size() -> None:
    cipher = sk_cipher(Encr.AES_CBC, 128, Integ.HMAC_SHA1_96)
    with pytest.raises(CryptoError, match="16 and 20"):
        cipher.bind(bytes(15), bytes(20))


def test_what_is_of_the_past_says_so() -> None:
    assert sk_cipher(Encr.DES, 0, Integ.HMAC_SHA1_96).legacy
    assert sk_cipher(Encr.AES_CBC, 128, Integ.HMAC_MD5_96).legacy
    assert not sk_cipher(Encr.AES_CBC, 128, Integ.HMAC_SHA2_256_128).legacy
