"""IKE_INTERMEDIATE and the key exchanges in it: RFC 9242, RFC 9370 2.2.2."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

import pytest

from isakmp.capture.reader import Datagram
from isakmp.constants import ikev2
from isakmp.constants.key_exchange import method_name
from isakmp.crypto.agreement import get_method
from isakmp.decode.decoder import Decoder
from isakmp.errors import CryptoError
from isakmp.exchange.exchange import Exchange, has
from isakmp.exchange.script import Outgoing
from isakmp.keytable import KeyTable
from isakmp.message import HEADER_SIZE, Header
from isakmp.payloads.ikev2.ke import KeValue
from isakmp.payloads.shapes import HEADER as GENERIC
from isakmp.scripts.ikev2 import intauth
from isakmp.scripts.ikev2.ike_auth import IKE_AUTH
from isakmp.scripts.ikev2.initial import Initial
from regress.pair import Host, Network, Packet, agree, connected
from regress.scripts.changed import change_sent
from regress.scripts.ikev2.pairs import gateways, kinds, pair, sa_of
from regress.scripts.ikev2.test_hostile import forge, send

P, Notify, X = ikev2.Payload, ikev2.Notify, ikev2.Exchange
KE, NOTIFY = int(P.KE), int(P.NOTIFY)
INIT = ["IKE_SA_INIT", "IKE_SA_INIT'"]
MORE = ["IKE_INTERMEDIATE", "IKE_INTERMEDIATE'"]
AUTH = ["IKE_AUTH", "IKE_AUTH'"]

# Curves stand for any method: where ML-KEM is lacking the exchanges are the same.
TWO = "IKE-proposals= aes128-sha256-x25519-ke1_ecp256-ke4_x448"
LARGE = "IKE-proposals= aes128gcm16-prfsha256-x25519-ke2_modp8192\nFragment-size= 576"


def needs_ml_kem() -> None:
    try:
        get_method(36)
    except CryptoError as error:
        pytest.skip(str(error))


def apart(tags: str) -> tuple[Network, Host, Host]:
    """Two daemons that have not begun: start() has them."""
    one, other = gateways(tags)
    net = Network()
    return net, net.host(one), net.host(other)


def up(west: Host, east: Host, *names: str) -> None:
    """Both have an IKE SA that was made with those methods, and a child SA of the same keys."""
    assert connected(west) and connected(east)
    agree(west, east)
    for host in (west, east):
        assert tuple(host.rows(1)[0]["additional"]) == names
        assert sa_of(host).keys.earlier == ()
    assert sa_of(west).keys.sk == sa_of(east).keys.sk


def nothing_left(*hosts: Host) -> None:
    for host in hosts:
        assert not host.daemon.engine.exchanges and not host.daemon.engine.half_open
        assert not host.daemon.sas.isakmp and not host.app.larval


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("x25519-ke1_mlkem768", ["ML_KEM_768"]),
        ("x25519-ke1_mlkem1024-ke2_ecp384", ["ML_KEM_1024", "ECP_384"]),
        ("mlkem768-ke7_x25519", ["CURVE25519"]),
        ("x25519-ke3_mlkem768-ke3_none", ["ML_KEM_768"]),
    ],
)
def test_one_exchange_for_each_method(words: str, names: list[str]) -> None:
    """RFC 9370 2.2.2, RFC 9242 3.2."""
    needs_ml_kem()
    tags = f"IKE-proposals= aes256gcm16-prfsha384-{words}"
    net, west, east = pair(tags)
    up(west, east, *names)
    assert kinds(net.history)[-2:] == AUTH
    assert len(dict.fromkeys(p.header.message_id for p in net.history)) == len(names) + 2


def test_each_is_under_the_keys_of_the_one_before() -> None:
    """RFC 9370 2.2.2: SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr)."""
    seen: dict[int, Any] = {}
    net, west, east = apart(TWO)

    def note(x: Exchange, message: Outgoing) -> None:
        if x.sa is not None:
            seen[x.message_id] = x.sa.keys.sk

    change_sent(west, note, 2)
    net.start()
    net.run(3)
    up(west, east, "ECP_256", "CURVE448")
    assert sorted(seen)[:3] == [1, 2, 3]
    for field in ("d", "ai", "ar", "ei", "er", "pi", "pr"):
        assert len({getattr(seen[number], field) for number in (1, 2, 3)}) == 3
    assert seen[3] == sa_of(west).keys.sk


@pytest.mark.parametrize("lost", range(8))
@pytest.mark.parametrize("times", [1, 2])
def test_whatever_is_lost_is_repeated(lost: int, times: int) -> None:
    """RFC 9242 3.2: requests and answers as all others are."""
    gone: list[bytes] = []

    def lose(packet: Packet) -> bool:
        mark = bytes([packet.header.message_id, packet.header.flags & 0x20])
        known = sorted({bytes([p.header.message_id, p.header.flags & 0x20]) for p in net.history})
        if known.index(mark) == lost and len(gone) < times:
            gone.append(mark)
            return True
        return False

    net, west, east = apart(TWO)
    net.lose = lose
    net.start()
    net.run(12)
    assert len(gone) == times
    up(west, east, "ECP_256", "CURVE448")


def test_what_comes_twice_counts_once() -> None:
    net, west, east = apart(TWO)
    net.start()
    for _ in range(60):
        if not net.flying:
            net.run(0.1)
            continue
        packet = net.flying.popleft()
        net.deliver(packet)
        net.deliver(packet)
    net.run(1)
    up(west, east, "ECP_256", "CURVE448")


@pytest.mark.parametrize("order", ["as sent", "last first", "twice"])
def test_large_ones_go_in_pieces(order: str) -> None:
    """RFC 9242 3.3.2: what AUTH covers is the same whether a message is cut or not; RFC 7383."""
    net, west, east = apart(LARGE)
    net.start()
    for _ in range(100):
        flying = list(net.flying)
        if not flying:
            net.run(0.05)
            continue
        net.flying.clear()
        pieces = flying[::-1] if order == "last first" else flying * (1 + (order == "twice"))
        for packet in pieces:
            net.deliver(packet)
    up(west, east, "MODP_8192")
    assert kinds(net.history).count("IKE_INTERMEDIATE") > 2


@pytest.mark.parametrize("answers", [False, True])
def test_what_does_not_come_through_is_cut_smaller(answers: bool) -> None:
    """RFC 7383 2.5.2, also of a request that has been answered, whose keys are not in use any
    more."""
    tags = LARGE.replace("\nFragment-size= 576", "")
    net, west, east = apart(tags)
    state = {"lost": 0}

    def lose(packet: Packet) -> bool:
        is_more = packet.header.exchange_type == X.IKE_INTERMEDIATE
        answer = bool(packet.header.flags & 0x20)
        if is_more and not answer and not answers and len(packet.data) > 600:
            return True
        if is_more and answer and answers and state["lost"] < 8:
            state["lost"] += 1
            return True
        return False

    net.lose = lose
    net.start()
    net.run(40)
    up(west, east, "MODP_8192")


@pytest.mark.parametrize(
    ("west", "east", "names"),
    [
        ("ke1_ecp256-ke1_none", "ke1_ecp256", ["ECP_256"]),
        ("ke1_ecp256-ke1_none", "", []),
        ("", "ke1_ecp256-ke1_none", []),
        ("ke1_ecp384-ke1_ecp256", "ke1_ecp256", ["ECP_256"]),
        ("ke1_none-ke1_ecp256", "ke1_ecp256-ke1_none", ["ECP_256"]),
        ("ke2_ecp256", "ke2_ecp256-ke3_ecp384-ke3_none", ["ECP_256"]),
    ],
)
def test_none_makes_one_optional(west: str, east: str, names: list[str]) -> None:
    """RFC 9370 2.2.2, RFC 9242 3.1."""
    ends = [
        {"peer_tags": "Key-exchange= ikev2\nIKE-proposals= "
         + "-".join(filter(None, ("aes128-sha256-x25519", words)))}
        for words in (west, east)
    ]  # fmt: skip
    net, one, other = pair(west=ends[0], east=ends[1])
    up(one, other, *names)
    assert kinds(net.history) == INIT + MORE * len(names) + AUTH
    offers = any("ke" in words for words in (west,))
    said = Notify.INTERMEDIATE_EXCHANGE_SUPPORTED.to_bytes(2, "big")
    assert (said in net.history[0].data) is offers
    assert (said in net.history[1].data) is bool(names)


@pytest.mark.parametrize(
    ("west", "east"),
    [("ke1_ecp256", ""), ("", "ke1_ecp256"), ("ke1_ecp256", "ke2_ecp256"),
     ("ke1_ecp256-ke2_ecp384", "ke1_ecp384-ke2_ecp256")],
)  # fmt: skip
def test_what_is_demanded_is_not_left_out(west: str, east: str) -> None:
    """RFC 9370 2.2.1: NO_PROPOSAL_CHOSEN."""
    ends = [
        {"peer_tags": "Key-exchange= ikev2\nIKE-proposals= "
         + "-".join(filter(None, ("aes128-sha256-x25519", words)))}
        for words in (west, east)
    ]  # fmt: skip
    net, one, other = pair(west=ends[0], east=ends[1])
    assert "no-proposal-chosen" in other.reasons()
    assert "ADDKE" in str(other.outcomes)
    nothing_left(other)


def change_ke(data: Any, group: int | None = None, kind: int = X.IKE_INTERMEDIATE) -> Any:
    """A peer whose key exchange payload is another one."""

    def change(x: Exchange, message: Outgoing) -> None:
        for nth, (payload, value) in enumerate(message.payloads):
            if payload == KE and x.script.exchange_type == kind:
                wrong = KeValue(group or value.group, data(value.data))
                message.payloads[nth] = (payload, wrong)

    return change


WRONG = {
    "shorter": (lambda data: data[:-1], None),
    "longer": (lambda data: data + b"\0", None),
    "one octet": (lambda data: b"\0", None),
    "not on the curve": (lambda data: b"\xff" * len(data), None),
    "of another method": (lambda data: data, 20),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("who", ["initiator", "responder"])
def test_a_wrong_value_is_refused_and_leaves_nothing(wrong: str, who: str) -> None:
    """RFC 9370 2.2.2, RFC 9242 3.4."""
    net, west, east = apart(TWO)
    at_fault, judge = (west, east) if who == "initiator" else (east, west)
    change_sent(at_fault, change_ke(*WRONG[wrong]), 2)
    net.start()
    net.run(1)
    assert "invalid-key-exchange" in judge.reasons()
    assert not connected(west) and not connected(east)
    net.kill(west)
    net.run(130)
    assert not east.daemon.engine.half_open and not east.app.larval


# Any ciphertext of the right size is one.
@pytest.mark.parametrize(
    ("who", "wrong"),
    [("initiator", "short"), ("initiator", "numbers"), ("initiator", "method"),
     ("responder", "short"), ("responder", "method")],
)  # fmt: skip
def test_a_wrong_key_or_ciphertext_of_ml_kem_is_refused(who: str, wrong: str) -> None:
    needs_ml_kem()
    net, west, east = apart("IKE-proposals= aes128-sha256-x25519-ke1_mlkem768")
    at_fault, judge = (west, east) if who == "initiator" else (east, west)
    data = {"short": lambda d: d[:-1], "numbers": lambda d: b"\xff" * len(d), "method": lambda d: d}
    change_sent(at_fault, change_ke(data[wrong], 37 if wrong == "method" else None), 2)
    net.start()
    net.run(1)
    assert "invalid-key-exchange" in judge.reasons()
    assert not connected(west) and not connected(east)


def test_a_forged_ciphertext_ends_before_anybody_believes_it() -> None:
    """It gives another secret and no error, so that nothing that follows can be read."""
    needs_ml_kem()
    net, west, east = apart("IKE-proposals= aes128-sha256-x25519-ke1_mlkem768")
    change_sent(east, change_ke(lambda data: bytes([data[0] ^ 1]) + data[1:]), 2)
    net.start()
    net.run(130)
    assert east.daemon.engine.counters["bad_integrity"] > 0
    assert "timeout" in west.reasons()
    assert not connected(west) and not connected(east)
    assert not east.app.larval


@pytest.mark.parametrize("who", ["initiator", "responder"])
def test_auth_covers_what_went_before_it(monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    """RFC 9242 3.3.2."""
    net, west, east = apart(TWO)
    note = intauth.IntAuth.note

    def changed(self: Any, keys: Any, initiators: bool, datagram: bytes, chain: bytes) -> None:
        ours = keys.seals is not None and initiators is (who == "initiator")
        first = ours and not getattr(changed, "done", False)
        changed.done = changed.done or ours  # type: ignore[attr-defined]
        note(self, keys, initiators, datagram, chain + b"\0" * first)

    changed.done = False  # type: ignore[attr-defined]
    monkeypatch.setattr(intauth.IntAuth, "note", changed)
    net.start()
    net.run(2)
    assert not connected(east)
    assert "authentication-failed" in west.reasons() + east.reasons()


def test_without_its_notify_nothing_is_chosen() -> None:
    """RFC 9370 2.2.1: ADDKE transforms come with N(INTERMEDIATE_EXCHANGE_SUPPORTED)."""

    def silent(x: Exchange, message: Outgoing) -> None:
        message.payloads = [
            (kind, value) for kind, value in message.payloads
            if kind != NOTIFY or value.notify != Notify.INTERMEDIATE_EXCHANGE_SUPPORTED
        ]  # fmt: skip

    for nth in (0, 1):
        net, *hosts = apart(TWO)
        change_sent(hosts[nth], silent, 2)
        net.start()
        net.run(1)
        judge = hosts[1 - nth]
        net.run(60)
        assert "invalid-key-exchange" in judge.reasons()
        assert not connected(hosts[0]) and not connected(hosts[1])


def test_nobody_can_ask_for_more_than_was_agreed_on() -> None:
    """RFC 9242 5: the number of exchanges is not the initiator's to choose."""
    net, west, east = apart(TWO)

    def insist(x: Exchange, message: Outgoing) -> None:
        if x.script.exchange_type == X.IKE_AUTH and x.initiator and has(x, Initial):
            x.script = endless
            message.payloads = [(KE, KeValue(19, bytes(64)))]

    endless = replace(IKE_AUTH, exchange_type=X.IKE_INTERMEDIATE, syntax=IKE_AUTH.syntax[-1:])
    change_sent(west, insist, 2)
    net.start()
    net.run(5)
    sent = [kind for kind in kinds(net.history) if kind in MORE]
    assert sent.count(MORE[1]) == 2
    net.kill(west)
    net.run(130)
    assert not east.daemon.engine.half_open


def test_before_the_peer_is_proven_nothing_else_is_answered() -> None:
    """A stranger with a window of ours has no other exchange under the IKE SA that is not there."""
    net, west, east = apart(f"{TWO}\nWindow-size= 8")
    net.start()
    for _ in range(3):
        net.deliver(net.flying.popleft())
    (begun,) = east.daemon.engine.half_open
    assert begun.sa is not None
    keys, sa = begun.sa.keys, begun.sa
    for kind, number in ((X.CREATE_CHILD_SA, 3), (X.INFORMATIONAL, 4), (X.IKE_AUTH, 5)):
        size = 4 + keys.opens.sealed_size(0)
        header = Header(sa.cky_i, sa.cky_r, P.SK, 2, 0, kind, 8, number, HEADER_SIZE + size)
        head = header.pack() + GENERIC.pack(0, 0, size)
        before = len(net.history)
        data = head + keys.opens.seal(head, b"", west.random)
        east.receive(Packet(west.address, 500, east.address, 500, data))
        assert len(net.history) == before
    assert len(east.daemon.engine.exchanges) == 1
    net.run(3)
    up(west, east, "ECP_256", "CURVE448")


def test_a_capture_is_read_with_the_keys_of_each(tmp_path: FilePath) -> None:
    """RFC 9370 2.2.2: the key log has a line for all keys that there were."""
    folder = tmp_path / "keys"
    one = {"general": f"Key-log= {folder}"}
    tags = "IKE-proposals= aes128-sha256-x25519-ke1_ecp256-ke4_ecp521\nFragment-size= 576"
    net, west, east = pair(tags, west=one)
    decoder = Decoder(KeyTable.load([folder]))
    for number, packet in enumerate(net.history, 1):
        where = packet.src, packet.sport, packet.dst, packet.dport
        (decoded,) = decoder.decode(Datagram(number, 0, *where, packet.message))
        assert decoded.message is not None and not decoded.errors
        if packet.header.exchange_type == X.IKE_INTERMEDIATE:
            assert decoded.icv == "good"
            assert [p.type for p in decoded.message.payloads][-1] == KE


def test_after_it_there_is_no_such_exchange() -> None:
    net, west, east = pair(TWO)
    send(net, west, east, forge(west, [(KE, KeValue(19, bytes(64)))],
                                kind=X.IKE_INTERMEDIATE))  # fmt: skip
    assert "unknown-exchange" in east.reasons()
    assert connected(east)


@pytest.mark.parametrize("number", [19, 31, 36, 37])
def test_methods_have_names(number: int) -> None:
    assert "UNKNOWN" not in method_name(number)
