"""What comes under IKEv2: which messages are taken, repeated, told of or dropped."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.constants import ikev2
from isakmp.message import HEADER_SIZE, Header
from isakmp.scripts.ikev2.informational import delete_ike
from regress.pair import (
    Packet,
    stranger,
)
from regress.scripts.ikev2.pairs import pair, sa_of
from regress.scripts.ikev2.test_hostile import forge, init, send, unharmed

P, Notify, X = ikev2.Payload, ikev2.Notify, ikev2.Exchange

INITIATOR, RESPONSE = 8, 32


@pytest.mark.parametrize("cut", [1, 4, 16, 17, 40])
def test_a_message_that_ends_early(cut: int) -> None:
    net, west, east = pair()
    data = forge(west, [delete_ike()])[:-cut]
    assert not send(net, west, east, data)
    data = data[:24] + len(data).to_bytes(4, "big") + data[28:]
    assert not send(net, west, east, data)
    unharmed(net, west, east)


def test_our_own_message_come_back_is_not_the_peers() -> None:
    net, west, east = pair()
    assert not send(net, east, west, forge(west, [delete_ike()]))
    unharmed(net, west, east)


def test_old_answers_answer_nothing() -> None:
    net, west, east = pair()
    for packet in list(net.history):
        target = west if packet.dst == west.address else east
        target.receive(packet)
    net.flying.clear()
    unharmed(net, west, east)
    assert len(east.rows(1)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"major": 3}, {"major": 0}, {"flags": 0}, {"flags": RESPONSE}, {"flags": 0x28 | 0xC7},
        {"message_id": 7}, {"cky_r": b"12345678"}, {"cky_i": bytes(8)}, {"exchange_type": 99},
        {"next_payload": P.SK}, {"next_payload": 0}, {"minor": 15},
    ],
    ids=str,
)  # fmt: skip
def test_first_messages_with_wrong_headers(change: dict[str, object]) -> None:
    net, west, east = pair()
    data = init(net, west)
    header = replace_header(Header.unpack(data), change)
    before = len(net.history)
    east.receive(stranger(header.pack() + data[28:], east))
    said = net.history[before:]
    net.flying.clear()
    assert len(said) <= 1
    assert sum(len(p.data) for p in said) <= len(data), "nothing is amplified"
    if change == {"major": 3}:
        assert said[0].data[34:36] == Notify.INVALID_MAJOR_VERSION.to_bytes(2, "big")
    unharmed(net, west, east)


def replace_header(header: Header, change: dict[str, object]) -> Header:
    return header._replace(**change)  # type: ignore[arg-type]


def test_a_request_under_no_ike_sa_is_told_so_now_and_then() -> None:
    """RFC 7296 1.5 and 2.21.4."""
    net, west, east = pair()
    data = bytearray(forge(west, []))
    data[0] ^= 1
    told = sum(len(send(net, west, east, bytes(data))) for _ in range(100))
    assert 1 <= told <= 10
    unharmed(net, west, east)


@given(data=st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_octets_behind_a_header(data: bytes) -> None:
    net, west, east = pair(seconds=0.2)
    sa = sa_of(west)
    for kind in (X.IKE_SA_INIT, X.IKE_AUTH, X.CREATE_CHILD_SA, X.INFORMATIONAL):
        for first in (P.SA, P.SK, P.SKF, P.NOTIFY):
            for spis in ((sa.cky_i, sa.cky_r), (b"abcdefgh", bytes(8))):
                header = Header(*spis, first, 2, 0, kind, INITIATOR, 2, HEADER_SIZE + len(data))
                east.receive(
                    Packet(ip_address("192.0.2.1"), 500, east.address, 500, header.pack() + data)
                )
    net.flying.clear()
    assert len(east.rows(1)) == 1
