"""Informational exchanges and what else a peer may say: the commit bit, lifetimes, refusals.

The peer's side is written by hand where no daemon of ours would do such a thing.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from isakmp.app.base import UnknownSpi
from isakmp.constants import isakmp
from isakmp.message import HEADER_SIZE, Header, build_payloads, generic_header
from isakmp.scripts.ikev1.informational import delete_payload, notify_payload
from isakmp.scripts.ikev1.quick import Quick
from regress.exchange.states import state_of
from regress.pair import Host, Packet, connected, up
from regress.scripts.ikev1.by_hand import Peer
from regress.scripts.ikev2.pairs import child_of
from regress.traffic import flows

P, NOTIFY = isakmp.Payload, isakmp.Notify
COMMIT, ENCRYPTION = int(isakmp.Flag.COMMIT), int(isakmp.Flag.ENCRYPTION)


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


def test_unknown_payloads_are_ignored() -> None:
    peer = Peer()
    peer.answer_quick_mode([(130, b"private"), (200, b"")])
    assert connected(peer.west)


def test_an_authentic_refusal_ends_the_exchange_that_it_names() -> None:
    peer = Peer()
    (quick,) = peer.west.daemon.engine.exchanges.values()
    spi = next(iter(state_of(quick, Quick).spis.values()))
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
