"""Hashes and prfs: the RFCs' HMAC vectors, sizes, names, refusals."""

from __future__ import annotations

import pytest

from isakmp.constants.isakmp import Hash
from isakmp.crypto.hash import get_hash
from isakmp.crypto.prf import get_prf
from isakmp.errors import CryptoError

# FIPS 180-4's and RFC 1321's digests of "abc".
ABC = {
    Hash.MD5: "900150983cd24fb0d6963f7d28e17f72",
    Hash.SHA: "a9993e364706816aba3e25717850c26c9cd0d89d",
    Hash.SHA2_256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    Hash.SHA2_384: "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
    "8086072ba1e7cc2358baeca134c825a7",
    Hash.SHA2_512: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
}
PRFS = {
    "PRF_HMAC_MD5": Hash.MD5,
    "PRF_HMAC_SHA1": Hash.SHA,
    "PRF_HMAC_SHA2_256": Hash.SHA2_256,
    "PRF_HMAC_SHA2_384": Hash.SHA2_384,
    "PRF_HMAC_SHA2_512": Hash.SHA2_512,
}


@pytest.mark.parametrize("number", ABC)
def test_digests(number: Hash) -> None:
    spec = get_hash(number)
    assert spec.digest(b"abc").hex() == spec.digest(b"a", b"", b"bc").hex() == ABC[number]
    assert spec.size == get_prf(number).size == len(ABC[number]) // 2
    assert spec.legacy == (number == Hash.MD5)


def test_a_missing_hash_is_named() -> None:
    for get in (get_hash, get_prf):
        with pytest.raises(CryptoError, match="lacks hash TIGER"):
            get(Hash.TIGER)
