"""IKEv2's key derivation: NIST's figures, recorded exchanges, the shape of the formulas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isakmp.constants import ikev2
from isakmp.crypto import skeyseed
from isakmp.crypto.prf import get_prf_v2
from isakmp.errors import CryptoError
from regress.crypto.vectors import published, read_blocks

PRFS = {
    "SHA-1": ikev2.Prf.HMAC_SHA1,
    "SHA-256": ikev2.Prf.HMAC_SHA2_256,
    "SHA-384": ikev2.Prf.HMAC_SHA2_384,
    "SHA-512": ikev2.Prf.HMAC_SHA2_512,
}


def check_nist(block: dict[str, str]) -> None:
    names = ("Ni", "Nr", "g^ir", "g^ir (new)", "SPIi", "SPIr")
    ni, nr, g_ir, g_ir_new, spi_i, spi_r = (bytes.fromhex(block[name]) for name in names)
    prf = get_prf_v2(PRFS[block["title"]])
    seed = skeyseed.skeyseed(prf, ni, nr, g_ir)
    assert seed.hex() == block["SKEYSEED"]
    stream = skeyseed.prf_plus(prf, seed, ni + nr + spi_i + spi_r, len(block["DKM"]) // 2)
    assert stream.hex() == block["DKM"]
    sk_d, size = stream[: prf.size], len(block["DKM(Child SA)"]) // 2
    child = skeyseed.child_keymat(prf, sk_d, ni, nr, size)
    assert child.hex() == block["DKM(Child SA)"]
    child = skeyseed.child_keymat(prf, sk_d, ni, nr, size, g_ir_new)
    assert child.hex() == block["DKM(Child SA D-H)"]
    rekeyed = skeyseed.rekeyed_skeyseed(prf, sk_d, g_ir_new, ni, nr)
    assert rekeyed.hex() == block["SKEYSEED(Rekey)"]


@pytest.mark.parametrize("block", published("ikev2_kdf.txt"))
def test_nist(block: dict[str, str]) -> None:
    """RFC 7296 2.14 and 2.17."""
    check_nist(block)


def test_nist_all(shared: Path) -> None:
    text = (shared / "vectors" / "kdf" / "cavp" / "ikev2.fax").read_text()
    blocks = [block for block in read_blocks(text) if "COUNT" in block]
    assert len(blocks) > 20
    for block in blocks:
        check_nist(block)


def test_a_recorded_exchange(shared: Path) -> None:
    """RFC 7296 2.14."""
    keys, auth = json.loads((shared / "vectors" / "kdf" / "ikev2_rub.json").read_text())
    prf = get_prf_v2(ikev2.Prf.HMAC_SHA1)

    def part(case: dict[str, str], name: str) -> bytes:
        return bytes.fromhex(case[f"in_{name}"])

    ni, nr = part(keys, "InitiatorNonce"), part(keys, "ResponderNonce")
    seed = skeyseed.skeyseed(prf, ni, nr, part(keys, "DHSecret"))
    assert seed.hex() == keys["out_getSKeyseed()"]
    sk = skeyseed.derive(
        prf, seed, ni, nr, part(keys, "InitiatorCookie"), part(keys, "ResponderCookie"), 16, 20
    )
    assert [key.hex() for key in (sk.d, sk.ai, sk.ar, sk.ei, sk.er, sk.pi, sk.pr)] == [
        keys[f"out_getSK{name}()"] for name in ("d", "ai", "ar", "ei", "er", "pi", "pr")
    ]
    octets = bytes.fromhex(auth["out_getOctets()"])
    proof = skeyseed.psk_auth(prf, auth["psk_ascii"].encode(), octets)
    assert proof.hex() == auth["out_computeAUTH()"]


def test_a_prf_of_a_fixed_key_takes_half_of_each_nonce() -> None:
    """RFC 7296 2.14, RFC 4434."""
    prf = get_prf_v2(ikev2.Prf.AES128_XCBC)
    ni, nr = bytes(range(32)), bytes(range(32, 64))
    assert skeyseed.skeyseed(prf, ni, nr, b"g") == prf(ni[:8] + nr[:8], b"g")


def test_prf_plus_ends() -> None:
    """RFC 7296 2.13."""
    prf = get_prf_v2(ikev2.Prf.HMAC_MD5)
    assert len(skeyseed.prf_plus(prf, b"k", b"s", 255 * 16)) == 255 * 16
    with pytest.raises(CryptoError, match="prf\\+"):
        skeyseed.prf_plus(prf, b"k", b"s", 255 * 16 + 1)
    with pytest.raises(CryptoError, match="TIGER"):
        get_prf_v2(ikev2.Prf.HMAC_TIGER)


@pytest.mark.parametrize("number", [ikev2.Prf.HMAC_MD5, ikev2.Prf.AES128_XCBC, *PRFS.values()])
@pytest.mark.parametrize("octets", [0, 1, 16, 20, 33, 224])
def test_prf_plus_is_a_chain_of_prfs(number: ikev2.Prf, octets: int) -> None:
    """RFC 7296 2.13."""
    prf, block, stream = get_prf_v2(number), b"", b""
    for count in range(1, 16):
        block = prf(b"key", block, b"seed", bytes([count]))
        stream += block
    assert skeyseed.prf_plus(prf, b"key", b"seed", octets) == stream[:octets]


def test_keys_stay_out_of_what_is_printed() -> None:
    keys = skeyseed.SkKeys(*(bytes([7]) * 4,) * 7)
    assert "7" not in repr(keys).replace("SkKeys", "")


@pytest.mark.parametrize("number", ikev2.Prf, ids=lambda number: number.name)
@pytest.mark.parametrize("size", [1, 16, 32, 200])
def test_a_ppk_is_mixed_into_what_is_derived_further(number: ikev2.Prf, size: int) -> None:
    """RFC 8784 3: SK_d = prf+ (PPK, SK_d'), one block with every prf there is; the key may be of
    any length, also where the prf's own is fixed."""
    try:
        prf = get_prf_v2(number)
    except CryptoError:
        return
    ppk, keys = bytes(range(size)), [bytes([n]) * prf.key_size for n in range(3)]
    plain = skeyseed.SkKeys(keys[0], b"ai", b"ar", b"ei", b"er", keys[1], keys[2])
    mixed = skeyseed.with_ppk(prf, ppk, plain)
    assert [mixed.d, mixed.pi, mixed.pr] == [prf(ppk, key, b"\x01") for key in keys]
    assert (mixed.ai, mixed.ar, mixed.ei, mixed.er) == (b"ai", b"ar", b"ei", b"er")
    assert len({*keys, mixed.d, mixed.pi, mixed.pr}) == 6
