"""Messages whole and in pieces, cut smaller where they do not come through: RFC 7383 2.5."""

from __future__ import annotations

import pytest

from isakmp.scripts.ikev2 import fragments
from regress.pair import Packet
from regress.scripts.ikev2.pairs import pair, sa_of, up


def test_large_messages_go_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "TRIES_V4", (260, 200))
    net, west, east = pair()
    up(west, east)
    assert [p.header.next_payload for p in net.history[2:]] == [53] * 4


def test_what_does_not_come_through_is_cut_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7383."""
    monkeypatch.setattr(fragments, "TRIES_V4", (260, 200))
    net, west, east = pair(
        lose=lambda packet: packet.header.next_payload == 53 and len(packet.data) > 200, seconds=20
    )
    up(west, east)
    assert sa_of(west).fragments.size == 200


def test_what_is_cut_smaller_is_not_mixed_with_the_pieces_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fragments, "TRIES_V4", (260, 250))
    net, west, east = pair(
        lose=lambda packet: packet.header.next_payload == 53 and len(packet.data) > 200, seconds=20
    )
    up(west, east)
    assert not west.reasons() + east.reasons()
    totals = [int.from_bytes(p.data[34:36]) for p in net.history if p.header.next_payload == 53]
    assert set(totals) == {2, 3}


def test_what_is_cut_smaller_fits_the_smaller_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "TRIES_V4", (260, 140))
    net, west, east = pair(
        lose=lambda packet: packet.header.next_payload == 53 and len(packet.data) > 112, seconds=20
    )
    up(west, east)
    sent = [p for p in net.history if p.header.next_payload == 53 and not p.header.flags & 0x20]
    sizes = dict.fromkeys(int.from_bytes(p.data[34:36]) for p in sent)
    assert len(sizes) == 2, "one cut that is lost, one that fits"


def test_a_request_that_comes_cut_anew_is_answered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "TRIES_V4", (260, 200))
    lost: list[Packet] = []

    def lose(packet: Packet) -> bool:
        answers = packet.header.next_payload == 53 and bool(packet.header.flags & 0x20)
        if answers and len(lost) < 6:
            lost.append(packet)
            return True
        return False

    _, west, east = pair(lose=lose, seconds=40)
    up(west, east)
    assert not west.reasons() + east.reasons()
    assert sa_of(west).fragments.size == 200
