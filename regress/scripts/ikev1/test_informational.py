"""Informational exchanges and what else a peer may say: the commit bit, lifetimes, refusals.

The peer's side is written by hand where no daemon of ours would do such a thing.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from isakmp.app.base import UnknownSpi
from isakmp.constants import DOI_IPSEC, isakmp
from isakmp.crypto import keymat
from isakmp.message import HEADER_SIZE, Header, build_payloads, generic_header, parse_payloads
from isakmp.payloads.data_attribute import build_attributes
from isakmp.scripts.ikev1.informational import delete_payload, notify_payload
from regress.pair import EAST, WEST, Host, Network, Packet, connected, up
from regress.scripts.ikev2.pairs import child_of
from regress.traffic import flows

P, NOTIFY = isakmp.Payload, isakmp.Notify
COMMIT, ENCRYPTION = int(isakmp.Flag.COMMIT), int(isakmp.Flag.ENCRYPTION)


class Peer:
    """East's side of quick mode by hand, under the ISAKMP SA that east has made."""

    def __init__(self) -> None:
        self.net = Network()
        self.west, self.east = self.net.host(WEST), self.net.host(EAST)
        self.caught: list[Packet] = []
        self.net.lose = self._catch
        self.net.start()
        self.net.pump()
        (self.sa,) = self.east.daemon.sas.isakmp.values()
        self.keys = self.sa.keys

    def _catch(self, packet: Packet) -> bool:
        if packet.src == self.west.address and packet.header.exchange_type == 32:
            self.caught.append(packet)
            return True
        return False

    def opened(self, packet: Packet, iv: bytes) -> list[Any]:
        header = packet.header
        found = self.keys.decrypt(iv, packet.message[HEADER_SIZE:])
        assert found is not None
        return parse_payloads(1, header.next_payload, found[0])[0]

    def say(
        self, kind: int, message_id: int, iv: bytes, payloads: list[tuple[int, Any]],
        seal: Any, flags: int = 0,
    ) -> bytes:  # fmt: skip
        """Send an encrypted message; ``seal``: makes the HASH over the rest. Its last block."""
        first, chain = build_payloads(1, payloads) if payloads else (0, b"")
        value = seal(chain)
        chain = generic_header(first, value) + value + chain
        data, last = self.keys.encrypt(iv, chain)
        header = Header(self.sa.cky_i, self.sa.cky_r, P.HASH, 1, 0, kind, flags | ENCRYPTION,
                        message_id, HEADER_SIZE + len(data))  # fmt: skip
        packet = Packet(self.east.address, 500, self.west.address, 500, header.pack() + data)
        self.net.deliver(packet)
        return bytes(last)

    def answer_quick_mode(self, extra: Any = (), flags: int = 0) -> tuple[int, bytes]:
        """Message 2 to west's first; its message ID and the next IV."""
        first = self.caught.pop()
        number = first.header.message_id
        payloads = self.opened(first, self.keys.phase_2_iv(number))
        proposal = payloads[1].value.proposals[0]
        answer = {
            "doi": DOI_IPSEC, "situation": 1,
            "proposals": [{"number": proposal.number, "protocol_id": 3, "spi": b"\0\1\2\3",
                           "transforms": [proposal.transforms[0]]}],
        }  # fmt: skip
        ni_b = payloads[2].body
        bodies = [(P.ID, p.body) for p in payloads if p.type == P.ID]
        last = self.say(
            32, number, first.data[-16:],
            [(P.SA, answer), (P.NONCE, b"r" * 16), *bodies, *extra],
            lambda rest: keymat.quick_hash_2(
                self.keys.prf, self.keys.skeyid_a, number, ni_b, rest
            ),
            flags,
        )  # fmt: skip
        return number, last

    def hash_1(self, number: int) -> Any:
        return lambda rest: keymat.quick_hash_1(self.keys.prf, self.keys.skeyid_a, number, rest)


def outbound(host: Host) -> int:
    return len([s for s in host.app.sas.values() if not s.inbound])


CONNECTED = notify_payload(NOTIFY.CONNECTED, 3, b"\0\1\2\3")


def test_without_the_commit_bit_the_third_message_is_the_last() -> None:
    peer = Peer()
    peer.answer_quick_mode()
    assert len(peer.caught) == 1
    assert connected(peer.west)
    assert outbound(peer.west) == 1


@pytest.mark.parametrize("kind", [32, 5])
def test_with_the_commit_bit_the_initiator_waits_for_connected(kind: int) -> None:
    """RFC 2408 3.1."""
    peer = Peer()
    number, _ = peer.answer_quick_mode(flags=COMMIT)
    (third,) = peer.caught
    assert outbound(peer.west) == 0
    assert connected(peer.west, children=0)
    peer.net.run(1.5)
    assert len(peer.caught) == 2, "the third message is repeated meanwhile"
    iv = third.data[-16:] if kind == 32 else peer.keys.phase_2_iv(number)
    peer.say(kind, number, iv, [CONNECTED], peer.hash_1(number))
    assert connected(peer.west)
    assert outbound(peer.west) == 1


def test_another_notify_or_a_forged_one_is_not_connected() -> None:
    peer = Peer()
    number, _ = peer.answer_quick_mode(flags=COMMIT)
    (third,) = peer.caught
    other = notify_payload(NOTIFY.INITIAL_CONTACT, 3, b"\0\1\2\3")
    peer.say(32, number, third.data[-16:], [other], peer.hash_1(number))
    peer.say(32, number, third.data[-16:], [CONNECTED], peer.hash_1(number + 1))
    assert connected(peer.west, children=0)
    peer.say(32, number, third.data[-16:], [CONNECTED], peer.hash_1(number))
    assert connected(peer.west)


def test_without_the_confirmation_the_initiator_goes_on_at_last() -> None:
    """The responder has accepted; a lost CONNECTED must not cost the SA."""
    peer = Peer()
    peer.answer_quick_mode(flags=COMMIT)
    peer.net.run(5)
    assert not outbound(peer.west)
    peer.net.run(35)
    assert "goes on without its confirmation" in peer.west.said
    assert outbound(peer.west) == 1


def responder_lifetime(seconds: int | bytes) -> tuple[int, Any]:
    data = build_attributes([{"type": 1, "value": 1}, {"type": 2, "value": seconds}])
    return notify_payload(NOTIFY.RESPONDER_LIFETIME, 3, b"\0\1\2\3", data)


@pytest.mark.parametrize(
    ("said", "kept"), [(300, 300), ((300).to_bytes(4, "big"), 300), (5000, 1200), (0, 1200)]
)
def test_the_responders_lifetime_shortens_ours(said: int | bytes, kept: int) -> None:
    peer = Peer()
    peer.answer_quick_mode([responder_lifetime(said)])
    assert {s.limits.hard_s for s in peer.west.app.sas.values()} <= {kept, 1200}
    assert peer.west.rows(2)[0]["hard_s"] == kept


def test_a_lifetime_that_cannot_be_read_is_ignored() -> None:
    peer = Peer()
    peer.answer_quick_mode([notify_payload(NOTIFY.RESPONDER_LIFETIME, 3, b"\0\1\2\3", b"\0")])
    assert peer.west.rows(2)[0]["hard_s"] == 1200


def test_unknown_payloads_are_ignored() -> None:
    peer = Peer()
    peer.answer_quick_mode([(130, b"private"), (200, b"")])
    assert connected(peer.west)


def test_an_authentic_refusal_ends_the_exchange_that_it_names() -> None:
    peer = Peer()
    (quick,) = peer.west.daemon.engine.exchanges.values()
    spi = next(iter(quick.state.spis.values()))
    note = notify_payload(NOTIFY.NO_PROPOSAL_CHOSEN, 3, spi.to_bytes(4, "big"))
    number = 99
    peer.say(5, number, peer.keys.phase_2_iv(number), [note], peer.hash_1(number + 1))
    assert not quick.over, "not with a HASH that does not verify"
    number = 100
    peer.say(5, number, peer.keys.phase_2_iv(number), [note], peer.hash_1(number))
    assert quick.over
    assert sorted(peer.west.reasons()) == ["malformed-message", "peer-refused"]


@pytest.mark.parametrize(
    "payloads",
    [
        [notify_payload(NOTIFY.INITIAL_CONTACT)],
        [notify_payload(NOTIFY.RESPONDER_LIFETIME)],
        [notify_payload(40000, 3, b"\0\0\0\1", b"private")],
        [notify_payload(NOTIFY.R_U_THERE, data=b"\0\0\0\1")] * 2,
        [notify_payload(NOTIFY.INVALID_SPI, 3, b"", b"\0\0\1\1")],
        [notify_payload(NOTIFY.INVALID_SPI, 3, b"", b"odd")],
        [delete_payload(3, [b"\0\0\1\0"] * 50)],
        [],
    ],
)
def test_what_else_may_be_said_does_no_harm(payloads: list[tuple[int, Any]]) -> None:
    """RFC 2408 5.14."""
    peer = Peer()
    peer.answer_quick_mode()
    number = 4711
    peer.say(5, number, peer.keys.phase_2_iv(number), payloads, peer.hash_1(number))
    peer.net.run(1)
    assert connected(peer.west)
    assert not peer.west.daemon.engine.exchanges


@pytest.mark.parametrize("spi", ["cookies", "", "00", "ff" * 8, "00" * 16])
def test_probes_are_answered_with_their_own_number(spi: str) -> None:
    """RFC 3706 5.2 and 5.3; an ISAKMP SA's SPI is that of the header, and what a notify says
    besides is ignored (RFC 2408 3.14)."""
    peer = Peer()
    peer.answer_quick_mode()
    before = len(peer.net.history)
    number = 4712
    said = peer.sa.cookies if spi == "cookies" else bytes.fromhex(spi)
    probe = notify_payload(NOTIFY.R_U_THERE, spi=said, data=b"\1\2\3\4")
    peer.say(5, number, peer.keys.phase_2_iv(number), [probe], peer.hash_1(number))
    (answer,) = peer.net.history[before:]
    payloads = peer.opened(answer, peer.keys.phase_2_iv(answer.header.message_id))
    assert payloads[1].value.notify == NOTIFY.R_U_THERE_ACK
    assert payloads[1].value.data == b"\1\2\3\4"
    assert payloads[1].value.spi == peer.sa.cookies


def test_a_message_id_is_good_for_one_exchange() -> None:
    net, west, east = up()
    dialect = west.daemon.engine.dialects["ikev1"]
    (sa,) = west.daemon.sas.isakmp.values()
    before = len(net.history)
    dialect.probe(west.daemon.engine, sa, 5)
    net.pump()
    probe = net.history[before]
    answers = len(net.history)
    net.deliver(probe)
    net.pump()
    assert len(net.history) == answers


def test_the_hash_comes_first() -> None:
    """RFC 2409 5.5 and 5.7: What comes before it is covered by no key."""
    peer = Peer()
    peer.answer_quick_mode()
    number, delete = 4713, delete_payload(1, [peer.sa.cookies])
    head, before = build_payloads(1, [delete])
    value = peer.hash_1(number)(b"")
    chain = generic_header(P.HASH, before[4:]) + before[4:] + generic_header(0, value) + value
    data, _ = peer.keys.encrypt(peer.keys.phase_2_iv(number), chain)
    header = Header(peer.sa.cky_i, peer.sa.cky_r, head, 1, 0, 5, ENCRYPTION, number,
                    HEADER_SIZE + len(data))  # fmt: skip
    peer.net.deliver(Packet(peer.east.address, 500, peer.west.address, 500, header.pack() + data))
    assert connected(peer.west)
    assert "is not the first payload" in peer.west.said


def test_messages_in_clear_under_an_sa_are_dropped() -> None:
    net, west, east = up()
    (sa,) = west.daemon.sas.isakmp.values()
    first, chain = build_payloads(1, [delete_payload(1, [sa.cookies])])
    for kind in (5, 32, 6, 33):
        header = Header(sa.cky_i, sa.cky_r, first, 1, 0, kind, 0, 77, HEADER_SIZE + len(chain))
        net.deliver(Packet(west.address, 500, east.address, 500, header.pack() + chain))
    net.run(1)
    assert connected(east)


def test_what_comes_for_no_sa_is_told_under_the_keys_and_the_peer_ends_it() -> None:
    net, west, east = up()
    child = child_of(east)
    east.daemon.connections.settings.active = False
    east.daemon.keeper.children.delete_child(child, tell=False)
    (spi,) = (p.spi_in for p in child.protocols)
    for _ in range(100):
        east.daemon.unknown_spi(UnknownSpi(spi, west.address, east.address, None))
    assert len(net.history) < 50
    net.run(10)
    assert flows(west, east)
    assert child_of(east).protocols[0].spi_in != spi


def test_a_stranger_who_has_no_isakmp_sa_is_told_nothing_of_an_spi() -> None:
    net, _, east = up()
    mark = len(net.history)
    east.daemon.unknown_spi(UnknownSpi(0x1234, ip_address("192.0.2.9"), east.address, None))
    assert len(net.history) == mark
