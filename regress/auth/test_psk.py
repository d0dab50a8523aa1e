"""Authentication with shared keys, RFC 7296 2.15, and which methods there are."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.auth import METHODS, method
from isakmp.auth.psk import PSK
from isakmp.constants import ikev2
from isakmp.crypto.prf import get_prf_v2
from isakmp.errors import Refused

SHA256 = get_prf_v2(ikev2.Prf.HMAC_SHA2_256)
PRFS = [ikev2.Prf.HMAC_SHA1, ikev2.Prf.HMAC_SHA2_256, ikev2.Prf.HMAC_SHA2_512]
OCTETS = b"message, nonce, prf(SK_p, id)"


def test_the_key_is_padded_as_the_rfc_says() -> None:
    """RFC 7296 2.15."""
    padded = hmac.digest(b"secret", b"Key Pad for IKEv2", hashlib.sha256)
    assert PSK.prove(SHA256, b"secret", OCTETS) == hmac.digest(padded, OCTETS, hashlib.sha256)


@pytest.mark.parametrize("number", PRFS)
def test_a_proof_holds_for_its_secret_and_octets_alone(number: int) -> None:
    prf = get_prf_v2(number)
    data = PSK.prove(prf, b"secret", OCTETS)
    assert len(data) == prf.size
    assert PSK.check(prf, b"secret", OCTETS, data)
    assert not PSK.check(prf, b"Secret", OCTETS, data)
    assert not PSK.check(prf, b"secret", OCTETS + b"\0", data)


@given(st.binary(max_size=40))
def test_other_octets_prove_nothing(data: bytes) -> None:
    assert not PSK.check(SHA256, b"secret", OCTETS, data)


@given(st.integers(0, 31), st.integers(1, 255), st.integers(0, 31))
def test_a_proof_that_is_changed_or_cut_proves_nothing(at: int, change: int, size: int) -> None:
    data = bytearray(PSK.prove(SHA256, b"secret", OCTETS))
    assert not PSK.check(SHA256, b"secret", OCTETS, bytes(data[:size]))
    data[at] ^= change
    assert not PSK.check(SHA256, b"secret", OCTETS, bytes(data))


def test_methods_are_found_by_their_numbers() -> None:
    assert method(ikev2.Auth.SHARED_KEY_MIC) is PSK
    assert all(int(found.number) == number for number, found in METHODS.items())


@pytest.mark.parametrize("number", [0, 1, 13, 14, 200, 255])
def test_a_method_that_is_not_spoken_is_refused(number: int) -> None:
    with pytest.raises(Refused) as caught:
        method(number)
    assert caught.value.notify == ikev2.Notify.AUTHENTICATION_FAILED
    assert "SHARED_KEY_MIC" in caught.value.reason.acceptable
