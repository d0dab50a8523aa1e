"""Two recorded handshakes, replayed against a daemon in either role.

Randomness, cookies, SPIs and Diffie-Hellman keys are injected. What then still differs from the
recording, and why:

- The SA payloads: our attributes come in another order (the values are compared as sets), our
  numbers begin with 1, and an answer repeats the numbers it was offered. HASH_I and HASH_R cover
  the initiator's SA payload, so the recorded one is put in the place of ours once it has left.
- Our first messages name other vendor IDs (left out of the comparison).
- We encrypt the third message of aggressive mode; in the recording it is in clear. The IV of
  phase 2 comes from there, so the recorded one is injected.
- INITIAL_CONTACT, which we add where no SA is known: one is made known.
- The recorded responder of main mode writes UDP 500 into its identity, we write 0: injected.
- The recorded responder of quick mode answers with narrower identities than it was asked for.
  RFC 2409 knows nothing of that: it is refused. Once they are allowed, the rest follows.
"""

from __future__ import annotations

import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from isakmp import payloads as codecs
from isakmp.constants import ipsec, isakmp
from isakmp.crypto import agreement, keymat
from isakmp.crypto.groups import KeyPair, get_group
from isakmp.crypto.hash import get_hash
from isakmp.exchange.candidates import leaves
from isakmp.message import HEADER_SIZE, Payload, parse_header, parse_payloads, split
from isakmp.policy.spd import Identity
from isakmp.scripts.ikev1 import phase_1
from regress.pair import Gateway, Host, Network, Packet

P = isakmp.Payload
INITIATOR = "10.0.3.1"
RESPONDERS = {"AGGRESSIVE": "10.0.3.10", "ID_PROT": "10.0.3.2"}
LIFE = (
    "[t]\nENCRYPTION_ALGORITHM= AES_CBC\nKEY_LENGTH= 128,128:128\nHASH_ALGORITHM= SHA\n"
    "GROUP_DESCRIPTION= MODP_1024\nAUTHENTICATION_METHOD= PRE_SHARED\nLife= day\n"
    "[day]\nLIFE_TYPE= SECONDS\nLIFE_DURATION= 28800,60:86400\n"
    "[s]\nProtocols= p\n[p]\nPROTOCOL_ID= IPSEC_ESP\nTransforms= x\n"
    "[x]\nTRANSFORM_ID= AES\nKEY_LENGTH= 128,128:128\nENCAPSULATION_MODE= TUNNEL\n"
    "AUTHENTICATION_ALGORITHM= HMAC_SHA\nLife= hour\n"
    "[hour]\nLIFE_TYPE= SECONDS\nLIFE_DURATION= 3600,60:86400\n"
)


class Recording:
    """One handshake of the file, its messages opened."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.messages = [m for v in values["messages"] for m in split(bytes.fromhex(v["hex"]))]
        self.expected = {
            name: bytes.fromhex(text) for name, text in values["expected"].items() if name != "note"
        }
        self.private = bytes.fromhex(values["dh_private_initiator"])
        self.secret: str = values["psk_ascii"]
        self.opened = [self._open(m) for m in self.messages]

    def _open(self, message: bytes) -> list[Payload]:
        header = parse_header(message)
        data = message[HEADER_SIZE:]
        if header.flags & isakmp.Flag.ENCRYPTION:
            data = self._decrypt(message, header.message_id, data)
        return parse_payloads(1, header.next_payload, data)[0]

    def _decrypt(self, message: bytes, message_id: int, data: bytes) -> bytes:
        from isakmp.crypto.cipher import phase_1_cipher

        cipher = phase_1_cipher(isakmp.Encryption.AES_CBC, 128).bind(self.expected["cipher_key"])
        before = self.messages[: self.messages.index(message)]
        chain = [m for m in before if parse_header(m).message_id == message_id and m[19] & 1]
        iv = self.expected["phase1_iv"]
        if message_id:
            ends = [m for m in self.messages if parse_header(m).message_id == 0 and m[19] & 1]
            last = ends[-1][-16:] if ends else iv
            iv = keymat.phase_2_iv(get_hash(isakmp.Hash.SHA), last, message_id, 16)
        return cipher.decrypt(chain[-1][-16:] if chain else iv, data)

    def bodies(self, number: int, *without: int) -> list[tuple[int, bytes]]:
        """Types and bodies of a message's payloads."""
        return [(p.type, p.body) for p in self.opened[number] if p.type not in without]

    def body(self, number: int, kind: int) -> bytes:
        return next(p.body for p in self.opened[number] if p.type == kind)


class Replay:
    """A daemon in one role; the other is the recording's."""

    def __init__(
        self, recording: Recording, monkeypatch: pytest.MonkeyPatch, *, initiator: bool,
        exchange: str,
    ) -> None:  # fmt: skip
        self.recording, self.net = recording, Network()
        responder = RESPONDERS[exchange]
        me, other = (INITIATOR, responder) if initiator else (responder, INITIATOR)
        gateway = Gateway(me, other, "peer", "all", "0.0.0.0/0", "0.0.0.0/0", exchange, "t", "s",
                          recording.secret, True, more=LIFE)  # fmt: skip
        self.host: Host = self.net.host(gateway)
        self.other = other
        self.draws: dict[int, list[bytes]] = {}
        self.host.daemon.engine.random = self.random
        monkeypatch.setattr(self.host.daemon.sas, "knows", lambda name: True)
        monkeypatch.setattr(phase_1, "get_group", lambda number: self)
        monkeypatch.setattr(agreement, "get_group", lambda number: self)
        self.slow = False
        self.group = get_group(isakmp.Group.MODP_1024)
        self.public_size, self.name = self.group.public_size, self.group.name
        self.initiator = initiator
        self.net.start()

    def random(self, size: int) -> bytes:
        draws = self.draws.get(size)
        return draws.pop(0) if draws else self.host.random(size)

    def generate(self, random: object) -> KeyPair:
        """The recorded key pair; of the responder only its public value and g^xy are known."""
        if self.initiator:
            return self.group.from_private(self.recording.private)
        number = 1 if parse_header(self.recording.messages[1]).exchange_type == 4 else 3
        public = self.recording.body(number, P.KE)
        return KeyPair(public, lambda peer: self.recording.expected["g_xy"])

    def begin(self) -> Any:
        connections = self.host.daemon.connections
        remote = self.host.daemon.catalog.remote("peer")
        path = connections.beginnings.path_to(remote)
        assert path is not None
        return connections.begin_sa(remote, path)

    def hear(self, number: int) -> None:
        """Deliver a recorded message."""
        from ipaddress import ip_address

        packet = Packet(
            ip_address(self.other), 500, self.host.address, 500, self.recording.messages[number]
        )
        self.net.deliver(packet)

    @property
    def said(self) -> bytes:
        """What the daemon sent last."""
        return self.net.history[-1].data

    def bodies(self, *without: int) -> list[tuple[int, bytes]]:
        header = parse_header(self.said)
        payloads, _ = parse_payloads(1, header.next_payload, self.said[HEADER_SIZE:])
        return [(p.type, p.body) for p in payloads if p.type not in without]

    @property
    def exchange(self) -> Any:
        """The one that has got furthest."""
        (exchange,) = self.host.daemon.engine.exchanges.values()
        return leaves(exchange)[-1]

    @property
    def sa(self) -> Any:
        (sa,) = self.host.daemon.sas.isakmp.values()
        return sa


def transform(body: bytes) -> tuple[int, set[tuple[int, int | bytes]]]:
    """The one transform of an SA payload: its id and its attributes."""
    payloads, _ = parse_payloads(1, P.SA, bytes(2) + (4 + len(body)).to_bytes(2, "big") + body)
    (proposal,) = payloads[0].of(codecs.SA).proposals
    (only,) = proposal.transforms
    return only.transform_id, {(a.type, a.value) for a in only.attributes}


def check_keys(keys: Any, expected: dict[str, bytes]) -> None:
    assert keys.skeyid == expected["SKEYID"]
    assert keys.skeyid_d == expected["SKEYID_d"]
    assert keys.skeyid_a == expected["SKEYID_a"]
    assert keys.skeyid_e == expected["SKEYID_e"]
    assert keys.cipher_key == expected["cipher_key"]


@pytest.fixture(scope="module")
def recordings(shared: Path) -> dict[str, Recording]:
    path = shared / "vectors" / "handshakes" / "ikev1_psk_aggressive_and_main.json"
    found = [Recording(values) for values in json.loads(path.read_text())]
    return {"aggressive": found[0], "main": found[1]}


def test_main_mode_as_initiator(
    recordings: dict[str, Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = recordings["main"]
    replay = Replay(recording, monkeypatch, initiator=True, exchange="ID_PROT")
    replay.draws = {8: [recording.messages[0][:8]], 32: [recording.body(2, P.NONCE)]}
    exchange = replay.begin()
    ours = dict(replay.bodies(P.VENDOR))
    assert replay.said[:16] == recording.messages[0][:16]
    assert transform(ours[P.SA]) == transform(recording.body(0, P.SA))
    exchange.state.sai_b = recording.body(0, P.SA)

    replay.hear(1)
    assert replay.said == recording.messages[2]
    replay.hear(3)
    furthest = replay.exchange
    check_keys(furthest.state.keys, recording.expected)
    assert replay.said == recording.messages[4]
    replay.hear(5)
    assert furthest.complete and exchange.finished.done
    assert replay.sa.cookies == recording.messages[1][:16]
    check_keys(replay.sa.keys, recording.expected)
    assert str(replay.sa.remote_id) == RESPONDERS["ID_PROT"]
    dropped = dict(replay.host.daemon.engine.counters)
    replay.hear(6)
    assert replay.host.daemon.engine.counters == dropped, "the notify under the SA is understood"
    assert replay.sa.last_heard == replay.net.now


def test_main_mode_as_responder(
    recordings: dict[str, Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = recordings["main"]
    replay = Replay(recording, monkeypatch, initiator=False, exchange="ID_PROT")
    replay.draws = {8: [recording.messages[1][8:16]], 32: [recording.body(3, P.NONCE)]}
    replay.hear(0)
    assert replay.said[:16] == recording.messages[1][:16]
    answer = dict(replay.bodies(P.VENDOR))[P.SA]
    assert answer == recording.body(0, P.SA), "the answer repeats the offer"
    assert transform(answer) == transform(recording.body(1, P.SA))
    replay.hear(2)
    assert replay.bodies() == recording.bodies(3, P.VENDOR)
    check_keys(replay.exchange.state.keys, recording.expected)
    identity = Identity(ipsec.Id.IPV4_ADDR, replay.host.address.packed, 17, 500)
    monkeypatch.setattr(phase_1, "local_id_of", lambda remote, path: identity)
    replay.hear(4)
    assert replay.said == recording.messages[5]
    check_keys(replay.sa.keys, recording.expected)
    assert str(replay.sa.remote_id) == INITIATOR


def test_aggressive_mode_as_responder(
    recordings: dict[str, Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = recordings["aggressive"]
    replay = Replay(recording, monkeypatch, initiator=False, exchange="AGGRESSIVE")
    replay.draws = {
        8: [recording.messages[1][8:16]],
        32: [recording.body(1, P.NONCE), recording.body(4, P.NONCE)],
    }
    replay.hear(0)
    assert replay.said[:16] == recording.messages[1][:16]
    assert replay.bodies(P.VENDOR, P.SA) == recording.bodies(1, P.VENDOR, P.SA)
    check_keys(replay.exchange.state.keys, recording.expected)
    replay.hear(2)
    assert replay.sa.keys.iv == recording.expected["phase1_iv"]

    replay.host.app._random = lambda size: recording.opened[4][1].of(codecs.SA).proposals[0].spi
    replay.hear(3)
    quick = replay.exchange
    assert quick.state.nr_b == recording.body(4, P.NONCE)
    # Our second message has other bytes than the recorded one, which the third's IV hangs on.
    quick.protection = recording.messages[4][-16:]
    replay.hear(5)
    assert quick.complete
    check_keymat(replay.host, recording)


def test_aggressive_mode_as_initiator_refuses_other_identities(
    recordings: dict[str, Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = quick_mode_begun(Replay(
        recordings["aggressive"], monkeypatch, initiator=True, exchange="AGGRESSIVE"
    ))  # fmt: skip
    quick.hear(4)
    assert "invalid-id-information: the peer's answer names other identities" in quick.host.said
    assert not quick.host.app.sas


def test_aggressive_and_quick_mode_as_initiator(
    recordings: dict[str, Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = recordings["aggressive"]
    replay = quick_mode_begun(Replay(recording, monkeypatch, initiator=True, exchange="AGGRESSIVE"))
    replay.exchange.state.id_bodies = tuple(b for t, b in recording.bodies(4) if t == P.ID)
    quick = replay.exchange
    replay.hear(4)
    assert quick.complete
    assert replay.said == recording.messages[5]
    check_keymat(replay.host, recording)


def quick_mode_begun(replay: Replay) -> Replay:
    """Aggressive mode as initiator, then the first message of quick mode."""
    recording = replay.recording
    replay.draws = {8: [recording.messages[0][:8]], 32: [recording.body(0, P.NONCE)]}
    exchange = replay.begin()
    assert replay.said[:16] == recording.messages[0][:16]
    assert replay.bodies(P.VENDOR, P.SA) == recording.bodies(0, P.SA)
    assert transform(replay.bodies()[0][1]) == transform(recording.body(0, P.SA))
    exchange.state.sai_b = recording.body(0, P.SA)
    replay.hear(1)
    keys = replay.sa.keys
    check_keys(keys, recording.expected)
    opened = keys.decrypt(recording.expected["phase1_iv"], replay.said[HEADER_SIZE:])
    assert opened is not None
    assert opened[0][:24] == recording.messages[2][HEADER_SIZE:], "HASH_I"

    replay.sa.keys.iv = recording.expected["phase1_iv"]
    number = parse_header(recording.messages[3]).message_id
    replay.draws = {4: [number.to_bytes(4, "big")], 32: [recording.body(3, P.NONCE)]}
    replay.host.app._random = lambda size: recording.opened[3][1].of(codecs.SA).proposals[0].spi
    replay.host.daemon.connect("all")
    check_first_quick(replay, number)
    replay.exchange.protection = recording.messages[3][-16:]
    return replay


def check_first_quick(replay: Replay, number: int) -> None:
    recording, keys = replay.recording, replay.sa.keys
    header = parse_header(replay.said)
    assert header[:8] == parse_header(recording.messages[3])[:8]
    opened = keys.decrypt(keys.phase_2_iv(number), replay.said[HEADER_SIZE:])
    assert opened is not None
    payloads, _ = parse_payloads(1, header.next_payload, opened[0])
    ours = [(p.type, p.body) for p in payloads if p.type not in (P.HASH, P.SA)]
    assert ours == recording.bodies(3, P.HASH, P.SA)
    assert transform(payloads[1].body) == transform(recording.body(3, P.SA))


def check_keymat(host: Host, recording: Recording) -> None:
    """KEYMAT = prf(SKEYID_d, protocol | SPI | Ni | Nr), and again over what came before."""
    nonces = recording.body(3, P.NONCE) + recording.body(4, P.NONCE)
    assert len(host.app.sas) == 2
    for spec in host.app.sas.values():
        seed = bytes([3]) + spec.spi.to_bytes(4, "big") + nonces
        skeyid_d = recording.expected["SKEYID_d"]
        first = hmac.digest(skeyid_d, seed, "sha1")
        second = hmac.digest(skeyid_d, first + seed, "sha1")
        assert spec.enc_key + spec.auth_key == (first + second)[:36]
        assert spec.encryption == ipsec.Esp.AES
    spis = {recording.opened[n][1].of(codecs.SA).proposals[0].spi for n in (3, 4)}
    assert {spec.spi.to_bytes(4, "big") for spec in host.app.sas.values()} == spis
