"""IKEv1 is opened along the chain of IVs, whatever is repeated, missing or wrong in between."""

from __future__ import annotations

import json
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

import pytest

from isakmp import payloads as codecs
from isakmp.capture import Datagram
from isakmp.constants.isakmp import Encryption, Exchange, Flag, Hash, Payload
from isakmp.crypto.cipher import phase_1_cipher
from isakmp.crypto.hash import get_hash
from isakmp.crypto.keymat import phase_1_iv, phase_2_iv
from isakmp.decode import Decoded, Decoder
from isakmp.keytable import KeyTable
from isakmp.message import Header, Item, build_message, build_payloads
from isakmp.payloads.data_attribute import DataAttribute
from isakmp.payloads.id import IdValue
from isakmp.payloads.sa import SaValue, TransformValue
from isakmp.payloads.shapes import Octets, ProposalValue

CKY_I, CKY_R = b"initiate", b"responds"
KEY = bytes(range(16))
G_XI, G_XR = b"\x11" * 128, b"\x22" * 128


def datagram(message: bytes, missing: int = 0) -> Datagram:
    here, there = ip_address("192.0.2.1"), ip_address("192.0.2.2")
    return Datagram(1, 0, here, 500, there, 500, message, missing)


def table(key: bytes = KEY, cky_i: bytes = CKY_I) -> KeyTable:
    keys = KeyTable()
    keys.ikev1[cky_i] = key
    return keys


def transform(encryption: int = 7, hash: int = 2, number: int = 1) -> TransformValue:
    pairs = [(1, encryption), (2, hash), (3, 1), (4, 2), (14, 128)]
    attributes = [DataAttribute(type, value) for type, value in pairs]
    return TransformValue(number, 1, tuple(attributes))


def offer(*transforms: TransformValue) -> SaValue:
    proposal = ProposalValue(1, 1, b"", transforms)
    return SaValue(1, 1, (proposal,))


def clear(*items: Item, cky_r: bytes = CKY_R) -> bytes:
    return build_message(Header(CKY_I, cky_r, 0, 1, 0, Exchange.ID_PROT, 0, 0), items)


def opening() -> list[bytes]:
    """The four messages of main mode in clear."""
    return [
        clear((Payload.SA, offer(transform(), transform(5, 1, 2))), cky_r=bytes(8)),
        clear((Payload.SA, offer(transform()))),
        clear((Payload.KE, Octets(G_XI)), (Payload.NONCE, Octets(bytes(16)))),
        clear((Payload.KE, Octets(G_XR)), (Payload.NONCE, Octets(bytes(16)))),
    ]


class Peer:
    """Encrypts as both ends would."""

    def __init__(self) -> None:
        self.cipher = phase_1_cipher(Encryption.AES_CBC, 128).bind(KEY)
        self.hash = get_hash(Hash.SHA)
        self.last = phase_1_iv(self.hash, G_XI, G_XR, 16)
        self.chains: dict[int, bytes] = {}

    def message(self, exchange: Exchange, message_id: int, *items: Item) -> bytes:
        first, chain = build_payloads(1, items)
        chain += bytes(-len(chain) % 16)
        if message_id == 0:
            iv = self.last
        else:
            start = phase_2_iv(self.hash, self.last, message_id, 16)
            iv = self.chains.get(message_id, start)
        sealed = self.cipher.encrypt(iv, chain)
        if message_id == 0:
            self.last = sealed[-16:]
        else:
            self.chains[message_id] = sealed[-16:]
        flags = int(Flag.ENCRYPTION)
        header = Header(CKY_I, CKY_R, first, 1, 0, exchange, flags, message_id, 28 + len(chain))
        return header.pack() + sealed


def identity(name: bytes) -> tuple[int, IdValue]:
    return Payload.ID, IdValue(2, 0, 0, name)


def hash_of(octet: int) -> tuple[int, Octets]:
    return Payload.HASH, Octets(bytes([octet]) * 20)


def conversation() -> list[bytes]:
    """Main mode, then quick mode, a transaction and informationals woven into one another."""
    peer = Peer()
    return [
        *opening(),
        peer.message(Exchange.ID_PROT, 0, identity(b"initiator"), hash_of(1)),
        peer.message(Exchange.ID_PROT, 0, identity(b"responder"), hash_of(2)),
        peer.message(Exchange.QUICK_MODE, 7, hash_of(3), (Payload.NONCE, Octets(bytes(20)))),
        peer.message(Exchange.TRANSACTION, 8, hash_of(4)),
        peer.message(Exchange.INFO, 9, hash_of(5)),
        peer.message(Exchange.QUICK_MODE, 7, hash_of(6), (Payload.NONCE, Octets(bytes(20)))),
        peer.message(Exchange.TRANSACTION, 8, hash_of(7)),
        peer.message(Exchange.INFO, 9, hash_of(8)),
        peer.message(Exchange.QUICK_MODE, 7, hash_of(9)),
    ]


def decode(messages: Iterable[bytes], keys: KeyTable | None = None) -> list[Decoded]:
    decoder = Decoder(keys or table())
    return [one for message in messages for one in decoder.decode(datagram(message))]


def hashes(decoded: Iterable[Decoded]) -> list[int]:
    found = []
    for one in decoded:
        payload = one.message.first(Payload.HASH) if one.message else None
        if one.decrypted and payload:
            found.append(payload.of(codecs.HASH).data[0])
    return found


def test_every_exchange_is_opened() -> None:
    decoded = decode(conversation())
    assert [one.errors for one in decoded] == [[]] * 13
    assert [one.encrypted for one in decoded] == [False] * 4 + [True] * 9
    assert hashes(decoded) == list(range(1, 10))


def test_retransmissions_advance_nothing() -> None:
    doubled = [message for message in conversation() for _ in range(3)]
    again = [*doubled, *conversation()[4:]]
    assert hashes(decode(again)) == [n for n in range(1, 10) for _ in range(3)] + [*range(1, 10)]


def test_the_messages_of_one_datagram_are_all_read() -> None:
    messages = conversation()
    together = [*messages[:5], messages[5] + messages[6], *messages[7:]]
    assert hashes(decode(together)) == list(range(1, 10))


def test_behind_a_malformed_message_nothing_is_taken_for_one() -> None:
    broken = clear((Payload.NONCE, bytes(8)))[:-9] + b"\x63" + bytes(8)
    (one,) = decode([broken + opening()[0]])
    assert one.errors[0].path == "HDR.length"


def reasons(messages: Iterable[bytes], keys: KeyTable | None = None) -> set[str]:
    return {one.note for one in decode(messages, keys) if one.encrypted and not one.decrypted}


def test_why_a_message_is_not_opened() -> None:
    messages = conversation()
    no_key = reasons(messages, table(cky_i=b"another!"))
    assert no_key == {"no key for this initiator cookie"}
    assert reasons(messages[2:]) == {"the capture does not show what phase 1 agreed on"}
    missing = "the capture does not show both public values of phase 1"
    assert reasons([*messages[:3], *messages[4:]]) == {missing}
    assert reasons(messages, table(bytes(24))) == {
        "AES_CBC takes a key of 16 octets, not 24",
    }
    assert {note.partition(":")[0] for note in reasons(messages, table(bytes(16)))} == {
        "the key does not fit"
    }


@pytest.mark.parametrize(
    ("encryption", "hash", "reason"),
    [(99, 2, "no name"), (7, 99, "no name"), (4, 2, "RC5"), (7, 3, "TIGER")],
)
def test_algorithms_that_cannot_be(encryption: int, hash: int, reason: str) -> None:
    messages = conversation()
    messages[:2] = [clear((Payload.SA, offer(transform(encryption, hash))))]
    (why,) = reasons(messages)
    assert reason in why


def test_octets_that_are_no_whole_blocks() -> None:
    message = conversation()[4]
    short = message[:24] + (len(message) - 1).to_bytes(4) + message[28:-1]
    assert any("not whole blocks" in why for why in reasons([*opening(), short]))
    empty = message[:24] + (28).to_bytes(4)
    assert reasons([*opening(), empty]) == {"0 octets are not whole blocks of 16"}


def test_a_message_that_was_cut_is_not_opened() -> None:
    message = conversation()[4]
    decoder = Decoder(table())
    for opener in opening():
        decoder.decode(datagram(opener))
    (one,) = decoder.decode(datagram(message[:-16], missing=16))
    assert one.note == "not all of it was captured"
    assert "16 more were not captured" in one.errors[0].reason


def test_octets_behind_the_payloads_are_told() -> None:
    message = clear((Payload.NONCE, Octets(bytes(8)))) + b"xx"
    (one,) = decode([message[:24] + len(message).to_bytes(4) + message[28:]])
    (error,) = one.errors
    assert (error.offset, error.reason) == (40, "2 octets left over after the last payload")


def test_aggressive_mode_whose_last_message_is_encrypted_or_not() -> None:
    public = {Payload.KE: G_XI, Payload.NONCE: bytes(16)}

    def aggressive(cky_r: bytes, *items: Item) -> bytes:
        return build_message(Header(CKY_I, cky_r, 0, 1, 0, Exchange.AGGRESSIVE, 0, 0), items)

    first = [(type, Octets(data)) for type, data in public.items()]
    start = [
        aggressive(bytes(8), (Payload.SA, offer(transform(), transform(5))), *first),
        aggressive(CKY_R, (Payload.SA, offer(transform())), (Payload.KE, Octets(G_XR))),
    ]
    for sealed in (True, False):
        peer = Peer()
        proof = peer.message(Exchange.AGGRESSIVE, 0, hash_of(1)) if sealed else b""
        last = proof or aggressive(CKY_R, hash_of(1))
        after = peer.message(Exchange.QUICK_MODE, 7, hash_of(2))
        assert hashes(decode([*start, last, after])) == [1, 2][not sealed :]


def test_a_message_of_another_exchange_teaches_nothing() -> None:
    header = Header(CKY_I, CKY_R, 0, 1, 0, Exchange.INFO, 0, 5)
    stray = build_message(header, [(Payload.KE, Octets(b"\x33" * 128))])
    assert hashes(decode([stray, *conversation()])) == list(range(1, 10))
    broken = clear((Payload.KE, b""))
    assert hashes(decode([broken, *conversation()])) == list(range(1, 10))


def test_another_responder_begins_anew() -> None:
    other = [
        clear((Payload.SA, offer(transform(5, 1))), cky_r=b"impostor"),
        clear((Payload.KE, Octets(b"\x33" * 128)), cky_r=b"impostor"),
    ]
    assert hashes(decode([*other, *conversation()])) == list(range(1, 10))


def test_recorded_handshakes(shared: Path) -> None:
    file = shared / "vectors" / "handshakes" / "ikev1_psk_aggressive_and_main.json"
    for handshake in json.loads(file.read_text()):
        cky_i = bytes.fromhex(handshake["initiator_cookie"])
        key = bytes.fromhex(handshake["expected"]["cipher_key"])
        messages = [bytes.fromhex(message["hex"]) for message in handshake["messages"]]
        decoded = decode(messages, table(key, cky_i))
        assert len(decoded) >= len(messages)
        for one in decoded:
            assert one.errors == []
            assert one.decrypted == one.encrypted
        kinds = {one.header.exchange_type for one in decoded if one.header}
        assert Exchange.QUICK_MODE in kinds or Exchange.ID_PROT in kinds


def pieces(message: bytes, size: int, identifier: int = 1) -> list[bytes]:
    """The message in FRAGMENT payloads."""
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    header = Header(CKY_I, CKY_R, 0, 1, 0, Exchange.ID_PROT, 0, 0)
    return [
        build_message(
            header,
            [
                (
                    Payload.FRAGMENT,
                    identifier.to_bytes(2) + bytes([number, number == len(parts)]) + part,
                )
            ],
        )
        for number, part in enumerate(parts, 1)
    ]


def test_messages_in_fragments_are_joined() -> None:
    messages = conversation()
    first, second, third = pieces(messages[4], 36)
    decoded = decode([*messages[:4], third, first, first, second, *messages[5:]])
    assert hashes(decoded) == list(range(1, 10))
    assert [one.note for one in decoded if one.note] == ["joined from fragments"]
    assert len(decoded) == len(messages) + 4


def test_fragments_are_bounded() -> None:
    assert len(decode(pieces(bytes(70_000), 30_000))) == 3
    empty = build_message(
        Header(CKY_I, CKY_R, 0, 1, 0, Exchange.ID_PROT, 0, 0), [(Payload.FRAGMENT, b"\0\1\1\1")]
    )
    assert len(decode([empty])) == 1
    many = [one for number in range(200) for one in pieces(bytes(60), 40, number)[:1]]
    assert len(decode(many)) == 200
