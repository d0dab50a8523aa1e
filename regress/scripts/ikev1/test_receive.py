"""What comes under IKEv1: which exchange a message is of, and what is not read at all."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from isakmp.constants import isakmp
from isakmp.message import HEADER_SIZE, Header, build_payloads
from isakmp.scripts.ikev1.informational import delete_payload
from regress.pair import EAST, WEST, Network, Packet, both, connected, stranger, up


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
