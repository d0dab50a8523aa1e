"""ML-KEM as a key exchange: keys of seeds, both roles, and what a peer must not send."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TypeVar

import pytest

from isakmp.constants.ikev2 import KeyExchange
from isakmp.crypto import agreement, kem
from isakmp.crypto.kem import SECRET_SIZE, SEED_SIZE, SIZES, Kem
from isakmp.errors import CryptoError


def supported(number: int) -> Kem:
    try:
        return kem.get_kem(number)
    except CryptoError as error:
        assert "lacks" in str(error)
        pytest.skip(str(error))


METHODS = tuple(SIZES)
T = TypeVar("T")


@pytest.mark.parametrize("number", METHODS)
def test_both_roles_have_one_secret(number: int) -> None:
    method = supported(number)
    pair = method.generate()
    answer, secret = method.encapsulate(pair.public)
    assert (len(pair.public), len(answer)) == SIZES[KeyExchange(number)]
    assert pair.shared(answer) == secret
    assert len(secret) == SECRET_SIZE


@pytest.mark.parametrize("number", METHODS)
def test_a_key_is_what_its_seed_makes_it(number: int) -> None:
    method = supported(number)
    seed = bytes(range(SEED_SIZE))
    assert method.from_private(seed).public == method.from_private(seed).public
    assert method.generate(lambda size: seed[:size]).public == method.from_private(seed).public
    assert method.from_private(seed[::-1]).public != method.from_private(seed).public


@pytest.mark.parametrize("number", METHODS)
def test_another_ciphertext_is_another_secret_and_no_error(number: int) -> None:
    method = supported(number)
    pair = method.generate()
    answer, secret = method.encapsulate(pair.public)
    forged = bytes([answer[0] ^ 1]) + answer[1:]
    assert len(pair.shared(forged)) == SECRET_SIZE
    assert pair.shared(forged) != secret


@pytest.mark.parametrize("number", METHODS)
def test_wrong_sizes_are_refused(number: int) -> None:
    method = supported(number)
    pair = method.generate()
    answer, _ = method.encapsulate(pair.public)
    for public in (b"", pair.public[:-1], pair.public + b"\0"):
        with pytest.raises(CryptoError, match="octets where"):
            method.encapsulate(public)
    for ciphertext in (b"", answer[:-1], answer + b"\0"):
        with pytest.raises(CryptoError, match="octets where"):
            pair.shared(ciphertext)
    with pytest.raises(CryptoError, match="seed"):
        method.from_private(b"short")


@pytest.mark.parametrize("number", METHODS)
def test_a_key_with_numbers_beyond_the_modulus_is_refused(number: int) -> None:
    method = supported(number)
    public = b"\xff" * (len(method.generate().public) - 32) + bytes(32)
    with pytest.raises(CryptoError, match="no key"):
        method.encapsulate(public)


@pytest.mark.parametrize("lack", ["module", "classes"])
def test_a_library_without_it_is_told(monkeypatch: pytest.MonkeyPatch, lack: str) -> None:
    def find(name: str) -> object:
        if lack == "module":
            raise ImportError(name)
        return SimpleNamespace()

    monkeypatch.setattr("importlib.import_module", find)
    with pytest.raises(CryptoError, match=r"lacks key exchange method ML_KEM_768 \(36\)"):
        Kem(KeyExchange.ML_KEM_768)


def test_no_other_number_is_one() -> None:
    with pytest.raises(CryptoError, match="not supported"):
        agreement.get_method(KeyExchange.GOST3410_2012_256)
