"""SKEYID_d, _a and _e as NIST published them, and what phase 1's keys do with messages."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.chosen import ChosenIke
from isakmp.constants import isakmp
from isakmp.crypto import keymat
from isakmp.crypto.prf import get_prf
from isakmp.scripts.ikev1.keys import Keys, authenticator, derive
from regress.crypto.vectors import FOLDER

HASHES = {
    "SHA-1": isakmp.Hash.SHA,
    "SHA-256": isakmp.Hash.SHA2_256,
    "SHA-384": isakmp.Hash.SHA2_384,
    "SHA-512": isakmp.Hash.SHA2_512,
}


def cases() -> list[tuple[isakmp.Hash, dict[str, bytes]]]:
    """Every case of the published file, by its hash."""
    found: list[tuple[isakmp.Hash, dict[str, bytes]]] = []
    hash_ = isakmp.Hash.SHA
    for line in (FOLDER / "ikev1_psk_kdf.txt").read_text().splitlines():
        name, equals, value = line.partition(" = ")
        if line.startswith("[") and line.strip("[]") in HASHES:
            hash_ = HASHES[line.strip("[]")]
        elif name == "COUNT":
            found.append((hash_, {}))
        elif equals and found and not line.startswith("["):
            found[-1][1][name] = bytes.fromhex(value)
    return found


def keys_of(hash_: isakmp.Hash, v: dict[str, bytes], cipher: Any = None) -> Keys:
    chosen = ChosenIke(
        cipher or isakmp.Encryption.AES_CBC, 256 if cipher is None else 0, hash_,
        isakmp.Group.MODP_1024, isakmp.Authentication.PRE_SHARED,
    )  # fmt: skip
    skeyid = keymat.skeyid_psk(get_prf(hash_), v["pre-shared-key"], v["Ni"], v["Nr"])
    return derive(chosen, skeyid, v["g^xy"], b"i" * 128, b"r" * 128, v["CKY_I"], v["CKY_R"])


@pytest.mark.parametrize(("hash_", "v"), cases())
def test_published_figures(hash_: isakmp.Hash, v: dict[str, bytes]) -> None:
    """RFC 2409 appendix B."""
    keys = keys_of(hash_, v)
    assert keys.skeyid == v["SKEYID"]
    assert (keys.skeyid_d, keys.skeyid_a) == (v["SKEYID_d"], v["SKEYID_a"])
    assert keys.skeyid_e == v["SKEYID_e"]
    assert len(keys.cipher_key) == 32
    assert len(keys.iv) == keys.block_size == 16


def test_there_are_cases() -> None:
    assert {hash_ for hash_, _ in cases()} == set(HASHES.values())


def test_messages_are_padded_and_chained() -> None:
    keys = keys_of(*cases()[0])
    first, iv = keys.encrypt(keys.iv, b"x" * 17)
    assert len(first) == 32
    assert iv == first[-16:]
    assert keys.decrypt(keys.iv, first) == (b"x" * 17 + bytes(15), iv)
    second, _ = keys.encrypt(iv, b"x" * 17)
    assert second != first
    assert keys.encrypt(iv, b"x" * 16)[0] != second
    assert len(keys.encrypt(iv, b"x" * 16)[0]) == 16


@pytest.mark.parametrize("size", [0, 1, 15, 17])
def test_what_is_not_whole_blocks_cannot_be_opened(size: int) -> None:
    keys = keys_of(*cases()[0])
    assert keys.decrypt(keys.iv, bytes(size)) is None


def test_every_phase_2_exchange_has_its_own_iv() -> None:
    keys = keys_of(*cases()[0])
    assert keys.phase_2_iv(1) != keys.phase_2_iv(2)
    assert len(keys.phase_2_iv(1)) == 16
    three = keys_of(*cases()[0], cipher=isakmp.Encryption._3DES_CBC)
    assert len(three.phase_2_iv(1)) == three.block_size == 8


def test_secrets_stay_out_of_texts() -> None:
    keys = keys_of(*cases()[0])
    for secret in (keys.skeyid, keys.skeyid_d, keys.skeyid_a, keys.skeyid_e, keys.cipher_key):
        assert secret.hex() not in repr(keys)
        assert repr(secret) not in repr(keys)


def test_what_authenticates() -> None:
    method = isakmp.Authentication
    assert authenticator(method.PRE_SHARED) == isakmp.Payload.HASH
    assert authenticator(method.RSA_SIG) == authenticator(method.DSS) == isakmp.Payload.SIG
