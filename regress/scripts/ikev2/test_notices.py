"""What ends tell each other beside their exchanges, under the keys and in clear: RFC 7296 1.5."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.app.base import UnknownSpi
from isakmp.constants import ikev2, isakmp
from isakmp.keeper.rivals import GRACE_S
from isakmp.message import HEADER_SIZE, Header, build_payloads
from isakmp.scripts.ikev2.common import notify_value
from isakmp.scripts.ikev2.packet import is_told_in_clear
from regress.observer import in_clear
from regress.pair import Host, Network, Packet, agree, connected, stranger
from regress.scripts.ikev2.pairs import child_of, gateways, kinds, pair, sa_of, settled, wear_out
from regress.traffic import flows

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


# --- while a request of ours is under way ----------------------------------------------------


def rekey_ike(host: Host) -> None:
    host.daemon.keeper.rekey_sa(sa_of(host))


def ask_for_another(host: Host) -> None:
    """The child SA is gone, and one is asked for that replaces none."""
    child = child_of(host)
    host.daemon.keeper.children.delete_child(child, tell=False)
    host.daemon.connections.bring_up(host.daemon.connections.entries["west-east"])


def delete(host: Host) -> None:
    host.daemon.keeper.children.delete_child(child_of(host))


def ask_if_alive(host: Host) -> None:
    host.daemon.keeper.liveness.question(sa_of(host))


ASKED = pytest.mark.parametrize("ask", [wear_out, rekey_ike, ask_for_another, delete, ask_if_alive])
WINDOWS = pytest.mark.parametrize("window", [1, 4])


@ASKED
@WINDOWS
@pytest.mark.parametrize("interval_s", [0, 30, 3600])
@pytest.mark.parametrize("late_s", [0, 1])
def test_who_has_started_again_and_says_so_to_a_request_has_its_traffic_back_soon(
    ask: Any, window: int, interval_s: int, late_s: int
) -> None:
    """RFC 7296 2.21.4 and 2.4. What is under way is the question. The peer is back before it is
    asked, or a while after."""
    tags, general = f"Window-size= {window}", f"DPD-check-interval= {interval_s}"
    net, west, east = pair(tags, general=general)
    net.kill(east)
    if late_s:
        ask(west)
        net.run(late_s)
    back = net.host(gateways(tags, general=general)[1], seed=2)
    back.daemon.start()
    if not late_s:
        ask(west)
    net.run(5 + 3)
    assert flows(west, back)
    assert "is dead" not in west.said


@ASKED
@WINDOWS
def test_who_says_so_and_lies_has_the_request_repeated_once(ask: Any, window: int) -> None:
    """Its first copy is lost: what is said a thousand times has it go out again, and no more."""
    net, west, east = pair(f"Window-size= {window}")
    sa = sa_of(west)
    net.lose = lambda packet: True
    ask(west)
    (request,) = (p for p in net.history[-1:] if p.src == west.address)
    net.lose = lambda packet: False
    forged, mark = in_clear(request, Notify.INVALID_IKE_SPI), len(net.history)
    forged = forged._replace(data=with_spis(forged, request))
    for _ in range(1000):
        west.receive(forged)
    assert net.history[mark:] == [request]
    net.run(60)
    settled(net, west, east)
    assert sa_of(west) is sa or sa.heirs == (sa_of(west),)
    assert "seems to have lost it" not in west.said


def with_spis(answer: Packet, request: Packet) -> bytes:
    """The same answer under the IKE SA, to a request of its initiator."""
    header = request.header
    kind = header.exchange_type.to_bytes(1, "big")
    return request.message[:16] + answer.data[16:18] + kind + answer.data[19:]


def test_a_refusal_of_the_peers_is_an_answer_too() -> None:
    """Who refuses what is asked for lives, whatever somebody says meanwhile."""
    net, west, east = pair(east={"remote": "10.99.0.0/16"})
    sa = sa_of(west)
    net.lose = lambda packet: True
    net.until(lambda: any(p.header.exchange_type == 36 for p in net.history[-1:]), 100)
    request = net.history[-1]
    net.lose = lambda packet: False
    forged = in_clear(request, Notify.INVALID_IKE_SPI)
    west.receive(forged._replace(data=with_spis(forged, request)))
    net.run(100)
    assert sa_of(west) is sa
    assert "seems to have lost it" not in west.said


@pytest.mark.parametrize("rekeyed", [False, True])
def test_several_connections_are_asked_for_under_the_next_ike_sa(rekeyed: bool) -> None:
    """Each request of a window has the same answer; no connection waits for the old one's end."""
    more = (
        "[{0}]\nPhase= 2\nISAKMP-peer= {1}\nConfiguration= phase-2\nLocal-ID= l{2}\n"
        "Remote-ID= r{2}\n[l{2}]\nID-type= IPV4_ADDR\nAddress= 10.9.{2}.{3}\n"
        "[r{2}]\nID-type= IPV4_ADDR\nAddress= 10.9.{2}.{4}\n"
    )
    one, other = gateways("Window-size= 8")
    names = [f"other-{number}" for number in range(3)]
    texts = [
        gate.text().replace("onnections= ", f"onnections= {', '.join(names)}, ", 1)
        + "".join(more.format(name, gate.peer, n, *ends) for n, name in enumerate(names))
        for gate, ends in ((one, (1, 2)), (other, (2, 1)))
    ]
    net = Network()
    west, east = net.add(one.address, texts[0]), net.add(other.address, texts[1])
    net.start()
    net.run(5)
    assert connected(west, children=4)
    net.kill(east)
    for child in west.daemon.sas.all_children():
        if rekeyed:
            west.daemon.connections.rekey(child)
        else:
            west.daemon.keeper.children.delete_child(child, tell=False)
    for entry in west.daemon.connections.entries.values():
        west.daemon.connections.bring_up(entry)
    net.run(1)
    back = net.add(other.address, texts[1], seed=2)
    back.daemon.start()
    net.run(5 + 3)
    assert len([row for row in back.rows(2) if row["state"] == "established"]) == 4
    net.run(60)
    assert connected(west, children=4)
    agree(west, back)


def test_what_stands_in_clear_before_what_is_encrypted_makes_no_hint() -> None:
    """RFC 7296 2.5, 3.14: it counts for nothing."""
    net, west, east = pair()
    told = one_way(Notify.INVALID_IKE_SPI, b"")
    assert is_told_in_clear(stranger(told, west).header, told)
    sealed = net.history[-1]
    assert not is_told_in_clear(sealed.header, sealed.data)
    header = sealed.header._replace(next_payload=told[16])
    chain = bytes([sealed.header.next_payload]) + told[HEADER_SIZE + 1 :]
    assert not is_told_in_clear(header, header.pack() + chain + sealed.data[HEADER_SIZE:])
