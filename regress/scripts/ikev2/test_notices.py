"""What ends tell each other beside their exchanges, under the keys and in clear: RFC 7296 1.5."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.app.base import UnknownSpi
from isakmp.constants import ikev2, isakmp
from isakmp.keeper.rivals import GRACE_S
from isakmp.message import HEADER_SIZE, Header, build_payloads
from isakmp.scripts.ikev2.common import notify_value
from regress.pair import Host, agree, connected, stranger
from regress.scripts.ikev2.pairs import child_of, kinds, pair, sa_of

P, Notify = ikev2.Payload, ikev2.Notify


def unknown(host: Host, spi: int, src: Any, encap: tuple[int, int] | None = None) -> None:
    """The stack of a host has seen ESP that it has no SA for."""
    host.daemon.unknown_spi(UnknownSpi(spi, src, host.address, encap))


def one_way(notify: int, data: bytes, spis: bytes = bytes(16)) -> bytes:
    """A notice in clear."""
    first, chain = build_payloads(2, [(P.NOTIFY, notify_value(notify, data))])
    kind = ikev2.Exchange.INFORMATIONAL
    size = HEADER_SIZE + len(chain)
    return Header(spis[:8], spis[8:], first, 2, 0, kind, 8, 0, size).pack() + chain


def lose_child(host: Host) -> int:
    """A host forgets its child SA without a word; the SPI that the peer goes on sending with."""
    child = child_of(host)
    host.daemon.connections.settings.active = False
    host.daemon.keeper.children.delete_child(child, tell=False)
    host.daemon.connections.settings.active = True
    return child.protocols[0].spi_in


# --- under the keys --------------------------------------------------------------------------


def test_a_child_sa_that_one_end_has_lost_is_made_anew() -> None:
    """RFC 7296 1.5."""
    net, west, east = pair()
    net.run(GRACE_S)
    spi = lose_child(east)
    unknown(east, spi, west.address)
    net.run(10)
    assert "the peer has lost child SA west-east" in west.said
    assert connected(west)
    assert connected(east)
    agree(west, east)
    assert child_of(east).protocols[0].spi_in != spi


def test_an_ike_sa_that_is_good_is_told_of_it_under_its_keys() -> None:
    net, west, east = pair()
    before = len(net.history)
    unknown(east, 0x12345678, west.address)
    net.run(1)
    assert kinds(net.history[before:]) == ["INFORMATIONAL", "INFORMATIONAL'"]
    assert all(p.header.next_payload == P.SK for p in net.history[before:])
    agree(west, east)


def test_spis_of_nobody_and_of_others_say_nothing() -> None:
    net, west, east = pair()
    net.run(GRACE_S)
    before = child_of(west)
    for spi in (0x12345678, child_of(east).protocols[0].spi_out, 0):
        unknown(east, spi, west.address)
        net.run(1)
    assert child_of(west) is before


def test_what_a_peer_claims_of_a_child_sa_that_it_has_only_rekeys_it() -> None:
    """It may have said so of a packet that came too early: there is no moment without an SA."""
    net, west, east = pair()
    net.run(GRACE_S)
    old = child_of(west)
    unknown(east, old.protocols[0].spi_out, west.address)
    net.run(5)
    assert child_of(west) is not old
    assert child_of(west).initiator
    assert not west.reasons()
    agree(west, east)


def test_a_young_child_sa_is_not_lost() -> None:
    net, west, east = pair(seconds=1.0)
    old = child_of(west)
    unknown(east, old.protocols[0].spi_out, west.address)
    net.run(5)
    assert child_of(west) is old


def test_a_flood_of_unknown_spis_has_one_request_under_way() -> None:
    net, west, east = pair()
    before = len(net.history)
    for spi in range(256, 1256):
        unknown(east, spi, west.address)
    assert len(net.history) == before + 1
    assert not sa_of(east).waiting
    net.run(1)
    agree(west, east)


def test_a_stranger_behind_the_peers_nat_is_not_the_peer() -> None:
    net, west, east = pair("Encapsulation= force")
    before = len(net.history)
    unknown(east, 0x12345678, west.address, (sa_of(east).path.remote_port + 1, 4500))
    (told,) = net.history[before:]
    assert told.header.next_payload == P.NOTIFY
    net.pump()
    unknown(east, 0x12345678, west.address, (sa_of(east).path.remote_port, 4500))
    assert net.history[-1].header.next_payload == P.SK


# --- in clear --------------------------------------------------------------------------------


@pytest.mark.parametrize("encap", [None, (20000, 4500)])
def test_without_an_ike_sa_the_notice_is_in_clear(encap: tuple[int, int] | None) -> None:
    net, west, east = pair()
    east.daemon.keeper.delete_sa(sa_of(east), tell=False)
    unknown(east, 0x12345678, west.address, encap)
    told = net.flying.pop()
    assert (told.dport, told.sport) == (encap or (500, 500))
    header = told.header
    assert (header.cky_i, header.cky_r, header.flags, header.message_id) == (bytes(8),) * 2 + (8, 0)
    assert header.exchange_type == ikev2.Exchange.INFORMATIONAL
    assert told.message[HEADER_SIZE + 4 :] == bytes.fromhex("0000000b 12345678")


def test_nobody_is_told_who_cannot_be_a_peer_and_nobody_too_often() -> None:
    net, west, east = pair()
    east.daemon.keeper.delete_sa(sa_of(east), tell=False)
    before = len(net.history)
    unknown(east, 0x12345678, stranger(b"", east).src)
    assert len(net.history) == before
    for spi in range(256, 1256):
        unknown(east, spi, west.address)
    assert 1 <= len(net.history) - before <= 10


def test_a_notice_in_clear_has_the_peer_asked_and_no_answer() -> None:
    net, west, east = pair()
    spi = child_of(west).protocols[0].spi_out.to_bytes(4, "big")
    before = len(net.history)
    west.receive(stranger(one_way(Notify.INVALID_SPI, spi), west, str(east.address)))
    net.run(2)
    assert kinds(net.history[before:]) == ["INFORMATIONAL", "INFORMATIONAL'"]
    assert net.history[before].header.next_payload == P.SK
    agree(west, east)


@pytest.mark.parametrize("spis", [bytes(16), bytes(range(16))], ids=["zero", "random"])
@pytest.mark.parametrize("notify", [Notify.INVALID_SPI, Notify.INVALID_IKE_SPI, 16384])
@pytest.mark.parametrize("data", [b"", b"\0\0\1\0", b"\1\2\3\4\5"])
def test_notices_that_say_nothing_are_not_answered(spis: bytes, notify: int, data: bytes) -> None:
    net, west, east = pair()
    before = len(net.history)
    west.receive(stranger(one_way(notify, data, spis), west, str(east.address)))
    west.receive(stranger(one_way(notify, data, spis), west))
    assert len(net.history) == before


def test_a_flood_of_notices_has_one_question_under_way() -> None:
    net, west, east = pair()
    spi = child_of(west).protocols[0].spi_out.to_bytes(4, "big")
    before = len(net.history)
    for _ in range(1000):
        west.receive(stranger(one_way(Notify.INVALID_SPI, spi), west, str(east.address)))
    assert len(net.history) == before + 1
    net.run(2)
    agree(west, east)


def test_ah_has_spis_too() -> None:
    net, west, east = pair(suites="QM-AH-SHA2-256-SUITE")
    child = child_of(west)
    assert child.protocols[0].chosen.protocol is isakmp.Protocol.IPSEC_AH
    before = len(net.history)
    spi = child.protocols[0].spi_out.to_bytes(4, "big")
    west.receive(stranger(one_way(Notify.INVALID_SPI, spi), west, str(east.address)))
    assert len(net.history) == before + 1
