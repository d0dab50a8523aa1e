"""CBC ciphers: published blocks, key lengths, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.constants.isakmp import Encryption
from isakmp.crypto.cipher import CipherSpec, phase_1_cipher
from isakmp.errors import CryptoError
from regress.crypto.vectors import label, published, upstream

ALL = (1, 2, 3, 5, 6, 7, 8)


def supported(number: int, key_bits: int | None = None) -> CipherSpec:
    try:
        return phase_1_cipher(Encryption(number), key_bits)
    except CryptoError as error:
        if "lacks" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize("block", published("cbc.txt"), ids=label)
def test_published_vectors(block: dict[str, str]) -> None:
    """RFC 2405, 2451, 3602 and 4312."""
    key, iv, plain, sealed = (
        bytes.fromhex(block[name]) for name in ("key", "iv", "plain", "ciphertext")
    )
    cipher = supported(int(block["cipher"]), len(key) * 8).bind(key)
    assert cipher.encrypt(iv, plain) == sealed
    assert cipher.decrypt(iv, sealed) == plain


KINDS = {"aes_cbc": 7, "camellia_cbc": 8, "3des_cbc": 5, "cast": 6, "blowfish": 3, "des": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_collected_vectors(shared: Path, kind: str) -> None:
    vectors = upstream(shared)[kind]
    assert vectors
    for vector in vectors:
        key = bytes.fromhex(vector["key"])
        spec = supported(KINDS[kind], len(key) * 8)
        iv = bytes.fromhex(vector.get("iv") or "") or bytes(spec.block_size)
        plain, sealed = bytes.fromhex(vector["plain"]), bytes.fromhex(vector["cipher"])
        assert spec.bind(key).encrypt(iv, plain) == sealed, vector["name"]
        assert spec.bind(key).decrypt(iv, sealed) == plain, vector["name"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.integers(0, 4)), max_size=6))
def test_one_message_leaves_no_trace_in_the_next(messages: list[tuple[bytes, int]]) -> None:
    """A bound cipher that has worked equals one that has not."""
    spec = phase_1_cipher(Encryption.AES_CBC)
    key = bytes(range(16))
    used = spec.bind(key)
    for iv, blocks in messages:
        plain = bytes(range(16)) * blocks
        sealed = used.encrypt(iv, plain)
        assert sealed == spec.bind(key).encrypt(iv, plain)
        assert used.decrypt(iv, sealed) == spec.bind(key).decrypt(iv, sealed) == plain
        with pytest.raises(CryptoError):
            used.decrypt(iv, sealed + b"\0")


def test_idea() -> None:
    """The example of the cipher's own specification (Lai, 1992)."""
    cipher = supported(2).bind(bytes.fromhex("00010002000300040005000600070008"))
    sealed = cipher.encrypt(bytes(8), bytes.fromhex("0000000100020003"))
    assert sealed.hex() == "11fbed2b01986de5"


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(ALL), st.integers(0, 8), st.data())
def test_decrypt_undoes_encrypt(number: int, blocks: int, data: st.DataObject) -> None:
    spec = phase_1_cipher(Encryption(number))
    size = spec.block_size
    cipher = spec.bind(bytes(range(spec.key_size)))
    iv = data.draw(st.binary(min_size=size, max_size=size))
    plain = data.draw(st.binary(min_size=blocks * size, max_size=blocks * size))
    sealed = cipher.encrypt(iv, plain)
    assert len(sealed) == len(plain)
    assert cipher.decrypt(iv, sealed) == plain


def test_defaults() -> None:
    """Where KEY_LENGTH is missing: RFC 2409 appendix B, RFC 3602 2.1."""
    sizes = {n: (supported(n).key_size, supported(n).block_size) for n in ALL}
    assert sizes == {
        1: (8, 8), 2: (16, 8), 3: (56, 8), 5: (24, 8), 6: (16, 8), 7: (16, 16), 8: (16, 16),
    }  # fmt: skip
    assert supported(7).name == "AES_CBC"
    assert supported(5).name == "3DES_CBC"
    assert phase_1_cipher(Encryption.AES_CBC, None) is phase_1_cipher(Encryption.AES_CBC, None)


def test_key_lengths() -> None:
    for bits in (128, 192, 256):
        assert phase_1_cipher(Encryption.AES_CBC, bits).key_size == bits // 8
    for number, bits in ((7, 64), (7, 127), (7, 0), (7, -128), (1, 56), (5, 128), (6, 136)):
        with pytest.raises(CryptoError, match=f"no key of {bits} bits"):
            phase_1_cipher(Encryption(number), bits)


def test_a_missing_cipher_is_named() -> None:
    with pytest.raises(CryptoError, match="lacks cipher RC5_R16_B64_CBC"):
        phase_1_cipher(Encryption.RC5_R16_B64_CBC)


def test_legacy_ciphers_are_marked() -> None:
    """RFC 8221 and 8247."""
    assert [n for n in ALL if supported(n).legacy] == [1, 2, 3, 6]


@pytest.mark.parametrize("number", ALL)
def test_wrong_sizes_are_refused(number: int) -> None:
    spec = supported(number)
    for size in (0, spec.key_size - 1, spec.key_size + 1):
        with pytest.raises(CryptoError, match=f"not {size}"):
            spec.bind(bytes(size))
    cipher, block = spec.bind(bytes(range(spec.key_size))), bytes(spec.block_size)
    for action in (cipher.encrypt, cipher.decrypt):
        for iv, data in ((block[1:], block), (block + b"\0", block), (block, block[1:])):
            with pytest.raises(CryptoError):
                action(iv, data)


# RFC 2409 appendix A; where its halves do not fit each other, as FIPS 74 has them.
WEAK = [
    "0101010101010101", "1f1f1f1f0e0e0e0e", "e0e0e0e0f1f1f1f1", "fefefefefefefefe",
    "01fe01fe01fe01fe", "1fe01fe00ef10ef1", "01e001e001f101f1", "1ffe1ffe0efe0efe",
    "011f011f010e010e", "e0fee0fef1fef1fe", "fe01fe01fe01fe01", "e01fe01ff10ef10e",
    "e001e001f101f101", "fe1ffe1ffe0efe0e", "1f011f010e010e01", "fee0fee0fef1fef1",
]  # fmt: skip


@pytest.mark.parametrize("key", WEAK)
def test_weak_des_keys_are_refused(key: str) -> None:
    spec = supported(1)
    for parity in (0, 1):
        with pytest.raises(CryptoError, match="weak"):
            spec.bind(bytes(octet ^ parity for octet in bytes.fromhex(key)))
    spec.bind(bytes.fromhex(key)[:-1] + b"\x22")
