"""SK and SKF payloads are opened with every algorithm of the key table, and their ICVs judged."""

from __future__ import annotations

import hmac
import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.capture import Datagram, open_capture, read_datagrams, read_frames
from isakmp.constants.ikev2 import Exchange, Flag, Payload
from isakmp.decode import Decoded, Decoder
from isakmp.keytable import KeyTable
from isakmp.message import Header, build_payloads
from isakmp.payloads import ikev2 as codecs
from isakmp.payloads.ikev2.auth import AuthValue
from isakmp.payloads.ikev2.id import IdValue

SPI_I, SPI_R = b"initiate", b"responds"
INNER = build_payloads(
    2,
    [
        (Payload.IDI, IdValue(2, b"initiator")),
        (Payload.AUTH, AuthValue(2, bytes(32))),
    ],
)[1]
CIPHERS = [
    "NULL",
    "3DES",
    *(f"AES-{mode}-{bits}" for mode in ("CBC", "CTR") for bits in (128, 192, 256)),
]
AEADS = [
    f"AES-{mode}-{bits} with {icv} octet ICV"
    for mode in ("GCM", "CCM")
    for bits in (128, 192, 256)
    for icv in (8, 12, 16)
]
MACS = {
    "HMAC_MD5_96": ("md5", 16, 12),
    "HMAC_MD5_128": ("md5", 16, 16),
    "HMAC_SHA1_96": ("sha1", 20, 12),
    "HMAC_SHA1_160": ("sha1", 20, 20),
    "HMAC_SHA2_256_128": ("sha256", 32, 16),
    "HMAC_SHA2_384_192": ("sha384", 48, 24),
    "HMAC_SHA2_512_256": ("sha512", 64, 32),
}


def key_sizes(cipher: str) -> tuple[int, int, int]:
    """Octets of key, salt and IV."""
    if cipher == "NULL":
        return 0, 0, 0
    if cipher == "3DES":
        return 24, 0, 8
    _, mode, bits = cipher.split(" ")[0].split("-")
    return (
        int(bits) // 8,
        {"CBC": 0, "CTR": 4, "GCM": 4, "CCM": 3}[mode],
        16 if mode == "CBC" else 8,
    )


def encrypt(cipher: str, key: bytes, iv: bytes, plain: bytes, aad: bytes) -> bytes:
    """As RFC 7296, 5282 and 5930 say, by the library alone."""
    size, _, _ = key_sizes(cipher)
    key, salt = key[:size], key[size:]
    if cipher == "NULL":
        return plain
    if "CCM" in cipher:
        return AESCCM(key, tag_length=int(cipher.split(" ")[2])).encrypt(salt + iv, plain, aad)
    if "GCM" in cipher:
        whole = AESGCM(key).encrypt(salt + iv, plain, aad)
        return whole[: len(plain) + int(cipher.split(" ")[2])]
    if "CTR" in cipher:
        mode: Any = CTR(salt + iv + b"\0\0\0\1")
    else:
        mode = CBC(iv)
    context = Cipher(TripleDES(key) if cipher == "3DES" else AES(key), mode).encryptor()
    return context.update(plain) + context.finalize()


def sealed(
    cipher: str,
    integrity: str,
    inner: bytes = INNER,
    first: int = Payload.IDI,
    flags: int = Flag.INITIATOR,
    fragment: tuple[int, int] | None = None,
) -> bytes:
    """A message with one SK or SKF payload; keys are sixes or nines, as keys() has them."""
    octet = 6 if flags & Flag.INITIATOR else 9
    size, salt, iv_size = key_sizes(cipher)
    key, iv = bytes([octet]) * (size + salt), bytes(range(iv_size))
    block = {"3DES": 8}.get(cipher, 16)
    plain = inner + bytes(-(len(inner) + 1) % block)
    plain += bytes([len(plain) - len(inner)])
    name, mac_key_size, icv_size = MACS.get(
        integrity, ("", 0, int(integrity.split()[1][:-5]) // 8 if "ANY" in integrity else 0)
    )
    before_size = 28 + 4 + (4 if fragment else 0)
    aead_icv = int(cipher.split(" ")[2]) if "ICV" in cipher else 0
    total = before_size + iv_size + len(plain) + aead_icv + icv_size
    kind = Payload.SKF if fragment else Payload.SK
    head = Header(SPI_I, SPI_R, kind, 2, 0, Exchange.IKE_AUTH, flags, 1, total).pack()
    head += bytes([first, 0]) + (total - 28).to_bytes(2)
    if fragment:
        head += fragment[0].to_bytes(2) + fragment[1].to_bytes(2)
    message = head + iv + encrypt(cipher, key, iv, plain, head)
    if name:
        return message + hmac.digest(bytes([octet]) * mac_key_size, message, name)[:icv_size]
    return message + bytes(icv_size)


def keys(cipher: str, integrity: str) -> KeyTable:
    size, salt, _ = key_sizes(cipher)
    mac = MACS.get(integrity, ("", 0, 0))[1]
    fields = [SPI_I.hex(), SPI_R.hex(), "06" * (size + salt), "09" * (size + salt)]
    table = KeyTable()
    table.add_text(",".join([*fields, cipher, "06" * mac, "09" * mac, integrity]))
    return table


def datagram(message: bytes) -> Datagram:
    here, there = ip_address("192.0.2.1"), ip_address("192.0.2.2")
    return Datagram(1, 0, here, 500, there, 500, message)


def decode(message: bytes, decoder: Decoder) -> Decoded:
    (one,) = decoder.decode(datagram(message))
    return one


def types(decoded: Decoded) -> list[int]:
    return [payload.type for payload in decoded.message.payloads] if decoded.message else []


@pytest.mark.parametrize("cipher", AEADS)
@pytest.mark.parametrize("flags", [Flag.INITIATOR, Flag.RESPONSE])
def test_aeads(cipher: str, flags: int) -> None:
    message = sealed(cipher, "NONE", flags=flags)
    decoder = Decoder(keys(cipher, "NONE"))
    one = decode(message, decoder)
    assert (one.decrypted, one.icv, one.note, one.errors) == (True, "good", "", [])
    assert types(one) == [Payload.SK, Payload.IDI, Payload.AUTH]
    assert one.message and one.message.payloads[1].of(codecs.IDI).data == b"initiator"
    spoilt = decode(message[:-1] + bytes([message[-1] ^ 1]), decoder)
    assert (spoilt.decrypted, spoilt.icv) == (False, "wrong")
    assert spoilt.note == "the ICV is wrong: not decrypted"
    header = decode(message[:20] + b"\0\0\0\7" + message[24:], decoder)
    assert header.icv == "wrong"


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("integrity", MACS)
def test_ciphers_with_a_mac(cipher: str, integrity: str) -> None:
    message = sealed(cipher, integrity)
    decoder = Decoder(keys(cipher, integrity))
    one = decode(message, decoder)
    assert (one.decrypted, one.icv, one.note) == (True, "good", "")
    assert types(one) == [Payload.SK, Payload.IDI, Payload.AUTH]
    spoilt = decode(message[:-1] + bytes([message[-1] ^ 1]), decoder)
    assert (spoilt.decrypted, spoilt.icv) == (True, "wrong")
    assert spoilt.note == "the ICV is wrong"
    assert types(spoilt) == [Payload.SK, Payload.IDI, Payload.AUTH]


@pytest.mark.parametrize("bits", [64, 96, 128, 160, 192, 256])
def test_an_icv_that_is_not_checked(bits: int) -> None:
    integrity = f"ANY {bits}-bits of Authentication [No Checking]"
    one = decode(sealed("AES-CTR-128", integrity), Decoder(keys("AES-CTR-128", integrity)))
    assert (one.decrypted, one.icv) == (True, "unchecked")


def test_offsets_lie_in_the_message() -> None:
    bad = b"\0\0\0\x09\1\0\0\0\7"
    one = decode(sealed("NULL", "NONE", bad), Decoder(keys("NULL", "NONE")))
    (error,) = one.errors
    assert (error.path, error.offset) == ("IDi", 28 + 4 + 4)
    one = decode(sealed("AES-CBC-128", "NONE", bad), Decoder(keys("AES-CBC-128", "NONE")))
    assert one.errors[0].offset == 28 + 4 + 16 + 4


def test_octets_behind_the_inner_payloads_are_told() -> None:
    one = decode(sealed("NULL", "NONE", INNER + b"xx"), Decoder(keys("NULL", "NONE")))
    (error,) = one.errors
    assert error.reason == "2 octets left over after the last payload"


def test_why_a_message_is_not_opened() -> None:
    message = sealed("AES-CBC-128", "HMAC_SHA1_96")
    assert decode(message, Decoder(KeyTable())).note == "no keys for these SPIs"
    short = message[:24] + (40).to_bytes(4) + message[28:30] + (12).to_bytes(2) + message[32:40]
    decoder = Decoder(keys("AES-CBC-128", "HMAC_SHA1_96"))
    assert decode(short, decoder).note == "8 octets have no room for an IV and an ICV"
    ragged = message[:24] + (len(message) - 1).to_bytes(4) + message[28:30]
    ragged += (len(message) - 29).to_bytes(2) + message[32:-1]
    assert decode(ragged, decoder).note == "the ICV is wrong: not decrypted"
    unchecked = Decoder(keys("AES-CBC-128", "ANY 96-bits of Authentication"))
    assert "the ICV is unchecked, but " in decode(ragged, unchecked).note
    padded = sealed("NULL", "NONE", b"")[:-1] + b"\xff"
    assert "padding is longer" in decode(padded, Decoder(keys("NULL", "NONE"))).note


def fragments(cipher: str, integrity: str, size: int) -> list[bytes]:
    pieces = [INNER[at : at + size] for at in range(0, len(INNER), size)]
    return [
        sealed(
            cipher,
            integrity,
            piece,
            Payload.NONE if number > 1 else Payload.IDI,
            fragment=(number, len(pieces)),
        )
        for number, piece in enumerate(pieces, 1)
    ]


@pytest.mark.parametrize(
    ("cipher", "integrity"), [("AES-GCM-128 with 16 octet ICV", "NONE"), ("3DES", "HMAC_SHA1_96")]
)
def test_fragments_are_joined_in_any_order(cipher: str, integrity: str) -> None:
    """RFC 7383."""
    messages = fragments(cipher, integrity, 20)
    assert len(messages) == 3
    decoder = Decoder(keys(cipher, integrity))
    order = [messages[2], messages[2], messages[0], messages[1]]
    decoded = [decode(message, decoder) for message in order]
    assert [one.note for one in decoded] == [
        "fragment 3 of 3",
        "fragment 3 of 3",
        "fragment 1 of 3",
        "joined from 3 fragments",
    ]
    assert [one.decrypted for one in decoded] == [False, False, False, True]
    assert types(decoded[-1]) == [Payload.SKF, Payload.IDI, Payload.AUTH]


def test_fragments_with_a_wrong_icv_are_left_out() -> None:
    first, second, third = fragments("3DES", "HMAC_SHA1_96", 20)
    decoder = Decoder(keys("3DES", "HMAC_SHA1_96"))
    spoilt = second[:-1] + bytes([second[-1] ^ 1])
    assert [decode(one, decoder).decrypted for one in (first, spoilt, third)] == [False] * 3
    assert decode(second, decoder).decrypted


def test_a_forged_fragment_spoils_nothing() -> None:
    first, second, third = fragments("3DES", "HMAC_SHA1_96", 20)
    decoder = Decoder(keys("3DES", "HMAC_SHA1_96"))
    forged = sealed("3DES", "HMAC_SHA1_96", b"forged", Payload.NONCE, fragment=(1, 9))
    forged = forged[:-1] + bytes([forged[-1] ^ 1])
    notes = [decode(one, decoder).note for one in (first, second, forged)]
    assert notes[-1] == "fragment 1 of 9: the ICV is wrong"
    one = decode(third, decoder)
    assert (one.decrypted, types(one)) == (True, [Payload.SKF, Payload.IDI, Payload.AUTH])


def test_a_message_that_was_cut_smaller_begins_anew() -> None:
    large, small = fragments("3DES", "HMAC_SHA1_96", 30), fragments("3DES", "HMAC_SHA1_96", 20)
    assert (len(large), len(small)) == (2, 3)
    decoder = Decoder(keys("3DES", "HMAC_SHA1_96"))
    order = [large[0], small[0], large[1], small[1], small[2]]
    decoded = [decode(one, decoder) for one in order]
    assert [one.decrypted for one in decoded] == [False] * 4 + [True]
    assert decoded[2].note == "fragment 2 of 2, of an earlier cut"


def test_fragments_of_too_many_octets() -> None:
    decoder = Decoder(keys("NULL", "NONE"))
    notes = [
        decode(sealed("NULL", "NONE", bytes(30_000), fragment=(n, 4)), decoder).note
        for n in (1, 2, 3)
    ]
    assert notes[-1] == "fragments of more than 65536 octets"


def test_fragments_are_bounded() -> None:
    message = sealed("NULL", "NONE", INNER, fragment=(1, 60000))
    one = decode(message, Decoder(keys("NULL", "NONE")))
    assert one.note == "60000 fragments; the most is 128"
    malformed = sealed("NULL", "NONE", INNER, fragment=(3, 2))
    one = decode(malformed, Decoder(keys("NULL", "NONE")))
    assert one.note == "the payload is malformed"
    assert one.errors[0].path == "SKF"


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["NULL", "AES-CBC-128", "AES-GCM-128 with 16 octet ICV"]),
    st.lists(st.tuples(st.integers(16, 150), st.integers(0, 255)), max_size=5),
    st.integers(0, 200),
)
def test_nothing_leaves_the_decoder(cipher: str, changes: list[tuple[int, int]], size: int) -> None:
    message = bytearray(sealed(cipher, "NONE"))
    for at, octet in changes:
        if at < len(message):
            message[at] = octet
    for one in Decoder(keys(cipher, "NONE")).decode(datagram(bytes(message[:size]))):
        assert one.errors or one.header
        assert one.message is None or one.message.to_dict()


def test_recorded_messages_of_which_the_keys_are_known(shared: Path) -> None:
    folder, count = shared / "vectors", 0
    for entry in json.loads((folder / "MANIFEST.json").read_text()):
        given = entry.get("keys")
        if not isinstance(given, dict) or "SK_ei" not in given:
            continue
        with open_capture(folder / entry["file"]) as file:
            datagrams = [
                one for one in read_datagrams(read_frames(file)) if isinstance(one, Datagram)
            ]
        table = KeyTable()
        for one in datagrams:
            spis = one.message[:8].hex(), one.message[8:16].hex()
            integrity = given["integ"].replace("SHA2-", "SHA2_").replace("-", "_")
            sk_e, sk_a = (given["SK_ei"], given["SK_er"]), (given["SK_ai"], given["SK_ar"])
            table.add_text(",".join([*spis, *sk_e, given["encr"], *sk_a, integrity]))
        decoder = Decoder(table)
        for one in datagrams:
            decoded = decode(one.message, decoder)
            assert (decoded.decrypted, decoded.icv, decoded.errors) == (True, "good", [])
            inner = str([int(payload) for payload in types(decoded)[1:]])
            assert inner in entry["verified_by_collector"]
            count += 1
    assert count > 15
