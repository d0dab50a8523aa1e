"""What comes under IKEv1: which exchange a message is of, and what is not read at all."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from random import Random

import pytest

from isakmp.constants import isakmp
from isakmp.log.log import REPEAT_LINES
from isakmp.message import HEADER_SIZE, Header, build_payloads
from isakmp.scripts.ikev1.informational import delete_payload
from regress.pair import EAST, WEST, Host, Network, Packet, agree, both, connected, stranger, up
from regress.scripts.ikev1.by_hand import Peer


def test_without_a_nat_a_peer_has_the_address_of_its_isakmp_sa() -> None:
    net = Network()
    west, east = (net.host(gateway) for gateway in both())
    elsewhere = ip_address("198.51.100.9")
    net.start()
    while net.flying:
        packet = net.flying.popleft()
        if packet.src == west.address and packet.header.exchange_type == 32:
            packet = packet._replace(src=elsewhere)
        net.deliver(packet)
    net.run(1)
    assert connected(east)
    assert all(elsewhere not in (sa.src, sa.dst) for sa in east.app.sas.values())


def test_who_has_seen_cookies_pushes_out_neither_outcomes_nor_lines_of_ours() -> None:
    """What has no payloads opens under any key: it is nobody's word that it is the peer's."""
    net = Network()
    _, east = (net.host(gateway) for gateway in both())
    net.start()
    net.run(3)
    assert connected(east)
    (sa,) = east.daemon.sas.isakmp.values()
    kept = [outcome for outcome in east.outcomes if outcome["ok"]]
    for number in range(1, 400):
        kind = isakmp.Exchange.QUICK_MODE if number % 2 else isakmp.Exchange.INFO
        header = Header(sa.cky_i, sa.cky_r, 0, 1, 0, kind, isakmp.Flag.ENCRYPTION, number, 60)
        east.receive(stranger(header.pack() + bytes(32), east))
    assert [outcome for outcome in east.outcomes if outcome["ok"]] == kept
    assert len(east.outcomes) == len(kept) + 1, "one row for all of one address"
    assert ": failed: " not in east.said, "lines of that text are bounded with those of ours"


KINDS = [isakmp.Exchange.QUICK_MODE, isakmp.Exchange.INFO]


def unreadable(east: Host, kind: int, number: int, chain: bytes, cut: int = 0) -> None:
    """What nobody can read, to an ISAKMP SA of east's, under its keys."""
    (sa,) = east.daemon.sas.isakmp.values()
    data, _ = sa.keys.encrypt(sa.keys.phase_2_iv(number), chain)
    data = data[: len(data) - cut]
    header = Header(sa.cky_i, sa.cky_r, isakmp.Payload.HASH, 1, 0, kind,
                    isakmp.Flag.ENCRYPTION, number, HEADER_SIZE + len(data))  # fmt: skip
    east.receive(stranger(header.pack() + data, east, src=WEST.address))


BROKEN = {
    "no chain": (b"\xff" * 32, 0, "HASH"),
    "a body that is none": (b"\1\0\0\x24" + bytes(32) + b"\0\0\0\6\0\0", 0, "SA"),
    "no whole blocks": (bytes(32), 3, "not whole blocks"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_read_under_an_isakmp_sa_is_told(case: str, kind: int) -> None:
    """RFC 2408 5.3: in one line and with a reason, though nobody knows who has sent it."""
    chain, cut, where = BROKEN[case]
    _, _, east = up(*both())
    unreadable(east, kind, 77, chain, cut)
    (line,) = [line for line in east.lines if "message under it refused" in line]
    assert "PROTO_WARN" in line and where in line and "isakmpctl capture on" in line
    (told,) = [o for o in east.outcomes if not o["ok"]]
    assert told["reason"]["cause"] == "malformed-message" and where in told["reason"]["detail"]
    assert "HASH cannot be checked" in told["reason"]["detail"]
    assert told["exchange"] == isakmp.Exchange(kind).name
    assert told["reason"]["came"] == f"from {WEST.address}"
    assert connected(east)
    assert not east.daemon.engine.exchanges


def test_what_cannot_be_read_of_one_that_runs_is_why_it_ends_if_nothing_better_comes() -> None:
    peer = Peer()
    (quick,) = peer.west.daemon.engine.exchanges.values()
    (sa,) = peer.west.daemon.sas.isakmp.values()
    data = b"\xee" * 32
    header = Header(sa.cky_i, sa.cky_r, isakmp.Payload.HASH, 1, 0, isakmp.Exchange.QUICK_MODE,
                    isakmp.Flag.ENCRYPTION, quick.message_id, HEADER_SIZE + 32)  # fmt: skip
    there = peer.east.address
    peer.net.deliver(Packet(there, 500, peer.west.address, 500, header.pack() + data))
    assert not quick.over
    assert quick.hint is not None and "HASH cannot be checked" in quick.hint.detail
    peer.answer_quick_mode()
    assert connected(peer.west)
    assert not peer.west.reasons()


def test_who_sends_what_cannot_be_read_floods_no_log() -> None:
    net, _, east = up(*both())
    draw = Random(3)
    before, own = len(east.lines), [o for o in east.outcomes if o["ok"]]
    for number in range(1, 2001):
        unreadable(east, KINDS[number % 2], number, draw.randbytes(32))
    assert len(east.lines) - before <= REPEAT_LINES
    assert [o for o in east.outcomes if o["ok"]] == own
    assert len(east.outcomes) == len(own) + 1
    assert not any(": message refused: " in line for line in east.lines), "text of our own lines"
    net.run(20)
    assert connected(east)


def test_who_no_configuration_can_answer_is_not_read() -> None:
    """Nor is what is too large to begin with; of both versions."""
    for version, kind, flags in ((0x10, 2, 0), (0x20, 34, 8)):
        net = Network()
        east = net.host(replace(EAST, peer_tags="Key-exchange= ikev1, ikev2"))
        east.daemon.start()
        junk = bytes(range(1, 9)) + bytes(8) + bytes([33, version, kind, flags]) + bytes(4)
        east.receive(stranger(junk + (60).to_bytes(4, "big") + b"\xff" * 32, east))
        assert east.reasons() == ["no-configuration"]
        long = junk + (20_000).to_bytes(4, "big") + bytes(20_000 - 28)
        east.log.set_level(None, 99)
        east.receive(stranger(long, east, src=WEST.address))
        assert "too many to begin with" in east.said
        assert not east.daemon.engine.exchanges


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


def test_messages_in_clear_under_an_sa_are_dropped() -> None:
    net, west, east = up()
    (sa,) = west.daemon.sas.isakmp.values()
    first, chain = build_payloads(1, [delete_payload(1, [sa.cookies])])
    for kind in (5, 32, 6, 33):
        header = Header(sa.cky_i, sa.cky_r, first, 1, 0, kind, 0, 77, HEADER_SIZE + len(chain))
        net.deliver(Packet(west.address, 500, east.address, 500, header.pack() + chain))
    net.run(1)
    assert connected(east)


TYPE_AT = 18


def under_the_other_type(net: Network, sender: Host) -> list[Packet]:
    """Copies of what that host begins under its SA come before it, as the other exchange type."""
    seen: set[int] = set()
    copies: list[Packet] = []

    def be_first(packet: Packet) -> bool:
        header = packet.header
        if packet.src == sender.address and header.message_id not in {0, *seen}:
            seen.add(header.message_id)
            other = {5: 32, 32: 5}[header.exchange_type]
            data = packet.data[:TYPE_AT] + bytes([other]) + packet.data[TYPE_AT + 1 :]
            copies.append(packet._replace(data=data))
            net.flying.append(copies[-1])
        return False

    net.lose = be_first
    return copies


@pytest.mark.parametrize("exchange", ["ID_PROT", "AGGRESSIVE"])
def test_a_copy_of_quick_modes_beginning_as_informational_does_not_use_it_up(exchange: str) -> None:
    """The HASH of both is the same, and covers no header (RFC 2409 5.5 and 5.7)."""
    net = Network()
    west, east = (net.host(gateway) for gateway in both(exchange=exchange))
    copies = under_the_other_type(net, west)
    net.start()
    net.run(0.5)
    assert copies
    assert connected(west) and connected(east)
    agree(west, east)
    net.run(60)
    assert not west.reasons() and not east.reasons()


def test_a_copy_of_a_delete_as_quick_mode_does_not_use_it_up() -> None:
    net, west, east = up(*both())
    copies = under_the_other_type(net, east)
    (child,) = east.daemon.sas.all_children()
    spi = child.protocols[0].spi_in
    east.daemon.keeper.children.delete_child(child)
    net.run(0.5)
    assert copies
    assert spi not in {name.spi for name in west.app.sas}
    assert not east.reasons() and "PAYLOAD_MALFORMED" not in east.said + west.said
