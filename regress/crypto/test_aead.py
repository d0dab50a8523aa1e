"""Combined-mode and counter ciphers: published vectors, forgeries, refusals."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.crypto import aead
from isakmp.errors import CryptoError
from regress.crypto.vectors import label, published, upstream

MAKERS: dict[str, Callable[[bytes], aead.Aead]] = {
    "gcm": aead.gcm,
    "ccm": aead.ccm,
    "chacha20poly1305": aead.chacha20poly1305,
}
SHAPES = [
    lambda: aead.gcm(bytes(16), 8),
    lambda: aead.gcm(bytes(24), 12),
    lambda: aead.gcm(bytes(32)),
    lambda: aead.ccm(bytes(16), 8),
    lambda: aead.ccm(bytes(24), 12),
    lambda: aead.ccm(bytes(32)),
    lambda: aead.chacha20poly1305(bytes(32)),
]


def check(cipher: aead.Aead, nonce: bytes, aad: bytes, plain: bytes, sealed: bytes) -> None:
    assert cipher.seal(nonce, plain, aad) == sealed
    assert cipher.open(nonce, sealed, aad) == plain


@pytest.mark.parametrize("block", published("aead.txt"), ids=label)
def test_published_vectors(block: dict[str, str]) -> None:
    """RFC 4106, 4309 and 4543."""
    names = ("key", "nonce", "aad", "plain", "ciphertext")
    key, *rest = (bytes.fromhex(block[name]) for name in names)
    check(MAKERS[block["aead"]](key), *rest)


@pytest.mark.parametrize("block", published("ctr.txt"), ids=label)
def test_published_counter_vectors(block: dict[str, str]) -> None:
    """RFC 3686."""
    names = ("key", "nonce", "plain", "ciphertext")
    key, nonce, plain, sealed = (bytes.fromhex(block[name]) for name in names)
    cipher = aead.ctr(key)
    assert cipher.encrypt(nonce, plain) == sealed
    assert cipher.decrypt(nonce, sealed) == plain


@pytest.mark.parametrize("kind", ["aes_gcm", "aes_ccm", "chacha20poly1305"])
def test_collected_vectors(shared: Path, kind: str) -> None:
    for vector in upstream(shared)[kind]:
        size = vector["key_size"]
        material = bytes.fromhex(vector["key"])[: size + vector["salt_size"]]
        icv = int(vector["alg"].rpartition("ICV")[2]) if "ICV" in vector["alg"] else 16
        if kind == "chacha20poly1305":
            cipher = aead.chacha20poly1305(material[:size])
        else:
            cipher = (aead.gcm if kind == "aes_gcm" else aead.ccm)(material[:size], icv)
        assert (cipher.salt_size, cipher.icv_size) == (vector["salt_size"], icv)
        names = ("iv", "adata", "plain", "cipher")
        iv, aad, plain, sealed = (bytes.fromhex(vector.get(name) or "") for name in names)
        check(cipher, material[size:] + iv, aad, plain, sealed)


def test_collected_counter_vectors(shared: Path) -> None:
    for vector in upstream(shared)["aes_ctr"]:
        key, nonce = bytes.fromhex(vector["key"])[:-4], bytes.fromhex(vector["key"])[-4:]
        sealed = aead.ctr(key).encrypt(
            nonce + bytes.fromhex(vector["iv"]), bytes.fromhex(vector["plain"])
        )
        assert sealed.hex() == vector["cipher"], vector["name"]


def test_gcm_project_wycheproof(shared: Path) -> None:
    path = shared / "vectors" / "crypto" / "wycheproof" / "aes_gcm_test.json.gz"
    tested = 0
    for group in json.loads(gzip.decompress(path.read_bytes()))["testGroups"]:
        if group["ivSize"] != 96:
            continue
        for case in group["tests"]:
            key, nonce, aad, plain, ct, tag = (
                bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag")
            )
            for size in aead.ICV_SIZES:
                cipher, sealed = aead.gcm(key, size), ct + tag[:size]
                if case["result"] == "valid":
                    check(cipher, nonce, aad, plain, sealed)
                elif tag[:size] != cipher.seal(nonce, plain, aad)[len(plain) :]:
                    with pytest.raises(CryptoError):
                        cipher.open(nonce, sealed, aad)
                tested += 1
    assert tested > 300


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SHAPES), st.binary(max_size=80), st.binary(max_size=20), st.data())
def test_a_changed_bit_is_noticed(
    make: Callable[[], aead.Aead], plain: bytes, aad: bytes, data: st.DataObject
) -> None:
    cipher = make()
    nonce = data.draw(st.binary(min_size=cipher.nonce_size, max_size=cipher.nonce_size))
    sealed = cipher.seal(nonce, plain, aad)
    assert len(sealed) == len(plain) + cipher.icv_size
    assert cipher.open(nonce, sealed, aad) == plain
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    forged = bytearray(sealed)
    forged[bit // 8] ^= 1 << bit % 8
    for wrong, with_aad in ((bytes(forged), aad), (sealed, aad + b"\0"), (sealed[:-1], aad)):
        with pytest.raises(CryptoError, match="integrity"):
            cipher.open(nonce, wrong, with_aad)


@pytest.mark.parametrize("make", SHAPES)
def test_short_data_and_wrong_nonces_are_refused(make: Callable[[], aead.Aead]) -> None:
    cipher = make()
    nonce = bytes(cipher.nonce_size)
    for size in range(cipher.icv_size):
        with pytest.raises(CryptoError, match="integrity"):
            cipher.open(nonce, bytes(size), b"")
    for wrong in (b"", nonce[1:], nonce + b"\0"):
        with pytest.raises(CryptoError, match="nonce"):
            cipher.seal(wrong, b"", b"")
        with pytest.raises(CryptoError, match="nonce"):
            cipher.open(wrong, bytes(32), b"")


def test_wrong_keys_and_icvs_are_refused() -> None:
    for make in (aead.gcm, aead.ccm, aead.ctr, aead.chacha20poly1305):
        for size in (0, 15, 17, 64):
            with pytest.raises(CryptoError, match=f"no key of {size} octets"):
                make(bytes(size))
    for maker in (aead.gcm, aead.ccm):
        with pytest.raises(CryptoError, match="no ICV of 4 octets"):
            maker(bytes(16), 4)
    with pytest.raises(CryptoError, match="nonce"):
        aead.ctr(bytes(16)).encrypt(bytes(16), b"")
