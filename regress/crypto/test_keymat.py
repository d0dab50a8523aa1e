"""IKEv1's key derivation: NIST's figures, recorded exchanges, the shape of the formulas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.constants.isakmp import Encryption, Hash
from isakmp.crypto import keymat
from isakmp.crypto.cipher import phase_1_cipher
from isakmp.crypto.groups import get_group
from isakmp.crypto.hash import get_hash
from isakmp.crypto.prf import Prf, get_prf
from regress.crypto.vectors import published, read_blocks

HASHES = {
    "SHA-1": Hash.SHA,
    "SHA-256": Hash.SHA2_256,
    "SHA-384": Hash.SHA2_384,
    "SHA-512": Hash.SHA2_512,
}
SHA = get_prf(Hash.SHA)


def check_nist(block: dict[str, str]) -> None:
    names = ("pre-shared-key", "Ni", "Nr", "g^xy", "CKY_I", "CKY_R")
    psk, ni_b, nr_b, g_xy, cky_i, cky_r = (bytes.fromhex(block[name]) for name in names)
    prf = get_prf(HASHES[block["title"]])
    skeyid = keymat.skeyid_psk(prf, psk, ni_b, nr_b)
    assert skeyid.hex() == block["SKEYID"]
    keys = keymat.derive(prf, skeyid, g_xy, cky_i, cky_r)
    assert keys.d.hex() == block["SKEYID_d"]
    assert keys.a.hex() == block["SKEYID_a"]
    assert keys.e.hex() == block["SKEYID_e"]


@pytest.mark.parametrize("block", published("ikev1_psk_kdf.txt"))
def test_nist_pre_shared_key(block: dict[str, str]) -> None:
    """RFC 2409 5."""
    check_nist(block)


def test_nist_pre_shared_key_all(shared: Path) -> None:
    text = (shared / "vectors" / "kdf" / "cavp" / "ikev1_psk.fax").read_text()
    blocks = [block for block in read_blocks(text) if "COUNT" in block]
    assert len(blocks) > 200
    for block in blocks:
        check_nist(block)


def test_nist_signatures_all(shared: Path) -> None:
    """RFC 2409 5.1."""
    text = (shared / "vectors" / "kdf" / "cavp" / "ikev1_dsa.fax").read_text()
    blocks = [block for block in read_blocks(text) if "COUNT" in block]
    assert blocks
    for block in blocks:
        names = ("Ni", "Nr", "g^xy", "CKY_I", "CKY_R")
        ni_b, nr_b, g_xy, cky_i, cky_r = (bytes.fromhex(block[name]) for name in names)
        prf = get_prf(HASHES[block["title"]])
        skeyid = keymat.skeyid_sig(prf, ni_b, nr_b, g_xy)
        assert skeyid.hex() == block["SKEYID"]
        keys = keymat.derive(prf, skeyid, g_xy, cky_i, cky_r)
        assert (keys.d.hex(), keys.a.hex(), keys.e.hex()) == (
            block["SKEYID_d"], block["SKEYID_a"], block["SKEYID_e"],
        )  # fmt: skip


def recorded(shared: Path, name: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((shared / "vectors" / name).read_text())
    return cases


def test_another_implementation_derives_the_same(shared: Path) -> None:
    for case in recorded(shared, "kdf/ikev1_rub_a.json"):
        h = {k: bytes.fromhex(v) for k, v in case.items() if k.startswith(("in_", "out_"))}
        ni_b, nr_b, g_xy = h["in_InitiatorNonce"], h["in_ResponderNonce"], h["in_DHSecret"]
        cky_i, cky_r = h["in_InitiatorCookie"], h["in_ResponderCookie"]
        g_xi, g_xr = h["in_KeyExchangeData"], h["in_PeerKeyExchangeData"]
        skeyid = keymat.skeyid_psk(SHA, case["psk_ascii"].encode(), ni_b, nr_b)
        keys = keymat.derive(SHA, skeyid, g_xy, cky_i, cky_r)
        assert keymat.cipher_key(SHA, keys.e, 16) == h["out_getKa()"]
        iv = keymat.phase_1_iv(get_hash(Hash.SHA), g_xi, g_xr, 16)
        assert iv == h["out_getIV(new byte[]{0x00, 0x00, 0x00, 0x00})"]
        if case["name"] != "testComputeSecretKeys":
            continue
        assert skeyid == h["out_getSKEYID()"]
        assert (keys.d, keys.a) == (h["out_getSKEYID_d()"], h["out_getSKEYID_a()"])
        assert keys.e == h["out_getSKEYID_e()"]
        sai_b, idir_b = h["in_SAOfferBody"], h["in_PeerIdentificationPayloadBody"]
        made = keymat.hash_r(SHA, skeyid, g_xr, g_xi, cky_r, cky_i, sai_b, idir_b)
        assert made == h["out_getHASH_R()"]


PRF_NAMES = {"HMAC-MD5": Hash.MD5, "HMAC-SHA1": Hash.SHA}


def test_recorded_aggressive_hashes(shared: Path) -> None:
    cases = recorded(shared, "kdf/ikev1_aggressive_psk_hash_a.json")
    plain = [case for case in cases if case["derivation"] == "psk"]
    assert plain
    for case in plain:
        prf = get_prf(PRF_NAMES[case["prf"]])
        names = ("ni_b", "nr_b", "g_xr", "g_xi", "cky_r", "cky_i", "sai_b", "idir_b", "hash_r")
        ni_b, nr_b, *parts, hash_r = (bytes.fromhex(case[name]) for name in names)
        skeyid = keymat.skeyid_psk(prf, case["psk"].encode(), ni_b, nr_b)
        assert skeyid.hex() == case["SKEYID"]
        assert keymat.hash_r(prf, skeyid, *parts) == hash_r


def bodies(message: bytes) -> dict[int, bytes]:
    """The first payload body of each type in a clear ISAKMP message (RFC 2408 3.1, 3.2)."""
    found: dict[int, bytes] = {}
    kind, offset = message[16], 28
    while kind:
        length = int.from_bytes(message[offset + 2 : offset + 4], "big")
        found.setdefault(kind, message[offset + 4 : offset + length])
        kind, offset = message[offset], offset + length
    return found


def clear(case: dict[str, Any], direction: str) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for message in case["messages"]:
        octets = bytes.fromhex(message["hex"])
        if message["dir"] == direction and not octets[19] & 1 and octets[18] in (2, 4):
            found = bodies(octets) | found
    return found


@pytest.mark.parametrize("index", [0, 1])
def test_recorded_handshakes(shared: Path, index: int) -> None:
    """From the initiator's private value to the keys, and on to HASH_R under them."""
    case = recorded(shared, "handshakes/ikev1_psk_aggressive_and_main.json")[index]
    want, sent, came = case["expected"], clear(case, "I->R"), clear(case, "R->I")
    first = bytes.fromhex(case["messages"][1]["hex"])
    cky_i, cky_r = first[:8], first[8:16]
    pair = get_group(2).from_private(bytes.fromhex(case["dh_private_initiator"]))
    assert pair.public == sent[4]
    g_xy = pair.shared(came[4])
    assert g_xy.hex() == want["g_xy"]
    skeyid = keymat.skeyid_psk(SHA, case["psk_ascii"].encode(), sent[10], came[10])
    assert skeyid.hex() == want["SKEYID"]
    keys = keymat.derive(SHA, skeyid, g_xy, cky_i, cky_r)
    assert keys.d.hex() == want["SKEYID_d"]
    assert keys.a.hex() == want["SKEYID_a"]
    assert keys.e.hex() == want["SKEYID_e"]
    key = keymat.cipher_key(SHA, keys.e, 16)
    iv = keymat.phase_1_iv(get_hash(Hash.SHA), sent[4], came[4], 16)
    assert (key.hex(), iv.hex()) == (want["cipher_key"], want["phase1_iv"])
    publics = sent[4], came[4], cky_i, cky_r
    if 8 in came:
        assert came[8] == hash_of(keymat.hash_r, skeyid, *swap(*publics), sent[1], came[5])
        return
    check_main_mode(case, skeyid, key, iv, publics, sent[1])


def swap(g_xi: bytes, g_xr: bytes, cky_i: bytes, cky_r: bytes) -> tuple[bytes, ...]:
    return g_xr, g_xi, cky_r, cky_i


def hash_of(make: Any, *arguments: bytes) -> bytes:
    made: bytes = make(SHA, *arguments)
    return made


def check_main_mode(
    case: dict[str, Any],
    skeyid: bytes,
    key: bytes,
    iv: bytes,
    publics: tuple[bytes, ...],
    sai_b: bytes,
) -> None:
    """Messages 5 and 6: decrypted in a chain, their hashes verify."""
    cipher = phase_1_cipher(Encryption.AES_CBC, 128).bind(key)
    fifth, sixth = (bytes.fromhex(m["hex"])[: 28 + 48] for m in case["messages"][4:6])
    one = bodies(fifth[:28] + cipher.decrypt(iv, fifth[28:]))
    two = bodies(sixth[:28] + cipher.decrypt(fifth[-16:], sixth[28:]))
    assert one[8] == hash_of(keymat.hash_i, skeyid, *publics, sai_b, one[5])
    assert two[8] == hash_of(keymat.hash_r, skeyid, *swap(*publics), sai_b, two[5])


def test_quick_mode_of_a_recording(shared: Path) -> None:
    """HASH(1), HASH(2) and HASH(3) of the quick mode after aggressive mode verify."""
    case = recorded(shared, "handshakes/ikev1_psk_aggressive_and_main.json")[0]
    want = case["expected"]
    messages = [bytes.fromhex(message["hex"]) for message in case["messages"]]
    quick = [message for message in messages if message[18] == 32]
    skeyid_a, key = bytes.fromhex(want["SKEYID_a"]), bytes.fromhex(want["cipher_key"])
    cipher = phase_1_cipher(Encryption.AES_CBC, 128).bind(key)
    message_id = int.from_bytes(quick[0][20:24], "big")
    last = last_block_of_phase_1(messages, bytes.fromhex(want["phase1_iv"]))
    iv = keymat.phase_2_iv(get_hash(Hash.SHA), last, message_id, 16)
    plain = []
    for message in quick:
        plain.append(message[:28] + cipher.decrypt(iv, message[28:]))
        iv = message[-16:]
    one, two, three = (bodies(message) for message in plain)
    assert one[8] == keymat.quick_hash_1(SHA, skeyid_a, message_id, after_hash(plain[0]))
    ni_b, nr_b = one[10], two[10]
    assert two[8] == keymat.quick_hash_2(SHA, skeyid_a, message_id, ni_b, after_hash(plain[1]))
    assert three[8] == keymat.quick_hash_3(SHA, skeyid_a, message_id, ni_b, nr_b)


def last_block_of_phase_1(messages: list[bytes], iv: bytes) -> bytes:
    """Of aggressive mode's third message, or the IV where that went in the clear."""
    third = messages[2]
    return third[-16:] if third[19] & 1 else iv


def after_hash(message: bytes) -> bytes:
    """The payloads behind HASH, without the padding."""
    kind, offset, start = message[16], 28, 0
    while kind:
        length = int.from_bytes(message[offset + 2 : offset + 4], "big")
        kind, offset = message[offset], offset + length
        start = start or offset
    return message[start:offset]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.sampled_from(list(HASHES.values())))
def test_longer_keys_begin_with_shorter_ones(a: int, b: int, number: Hash) -> None:
    prf: Prf = get_prf(number)
    short, long = sorted((a, b))
    made = [keymat.keymat(prf, b"d", 3, bytes(4), b"i", b"r", size) for size in (short, long)]
    assert [len(key) for key in made] == [short, long]
    assert made[1].startswith(made[0])
    stretched = [keymat.cipher_key(prf, b"e" * 8, max(size, 9)) for size in (short, long)]
    assert stretched[1].startswith(stretched[0])


def test_formulas_of_the_later_keys() -> None:
    """RFC 2409 5.5 and appendix B, written out."""
    first = SHA(b"d", b"g", b"\3", b"\0\0\0\1", b"i", b"r")
    second = SHA(b"d", first, b"g", b"\3", b"\0\0\0\1", b"i", b"r")
    made = keymat.keymat(SHA, b"d", 3, b"\0\0\0\1", b"i", b"r", 40, b"g")
    assert made == first + second
    assert keymat.cipher_key(SHA, b"e" * 20, 20) == b"e" * 20
    k1 = SHA(b"e" * 20, b"\0")
    assert keymat.cipher_key(SHA, b"e" * 20, 24) == (k1 + SHA(b"e" * 20, k1))[:24]
    assert (
        keymat.phase_2_iv(get_hash(Hash.SHA), b"last", 0x01020304, 8)
        == get_hash(Hash.SHA).digest(b"last\1\2\3\4")[:8]
    )


def test_repr_shows_no_key() -> None:
    assert "secret" not in repr(keymat.Skeyids(b"secret", b"secret", b"secret"))
