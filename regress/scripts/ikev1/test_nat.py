"""NAT traversal: finding NATs, the dialects, floating, keepalives, and peers that move."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from isakmp.app.base import Direction, Mapping
from isakmp.constants import ipsec, isakmp
from isakmp.crypto.hash import get_hash
from isakmp.exchange.script import Outgoing
from isakmp.message import HEADER_SIZE, parse_payloads
from isakmp.payloads.vendor import (
    VENDOR_NAT_T_02,
    VENDOR_NAT_T_02_NEWLINE,
    VENDOR_NAT_T_03,
    VENDOR_RFC3947,
)
from isakmp.policy.spd import Selector
from isakmp.sa import Nat as Detection
from isakmp.scripts.ikev1 import nat as nat_t
from isakmp.scripts.ikev1 import phase_1
from isakmp.transport.base import KEEPALIVE
from regress.observer import Observer, Payloads, edited, numbered
from regress.pair import EAST, WEST, Gateway, Host, Nat, Network, Packet, agree, connected
from regress.scripts.changed import change_sent

ME = "[warrior]\nID-type= FQDN\nName= warrior.example\n"
INSIDE = replace(WEST, peer_tags="ID= warrior", more=ME)
OUTSIDE = replace(EAST, peer_address="203.0.113.1", peer_tags="Remote-ID= warrior", more=ME)


def through_nat(
    west: Gateway = INSIDE, east: Gateway = OUTSIDE, **options: object
) -> tuple[Network, Host, Host, Nat]:
    net = Network()
    nat = Nat("192.0.2.1", "203.0.113.1")
    net.nats.append(nat)
    hosts = net.host(west, **options), net.host(east, **options)
    net.start()
    net.run(5)
    return net, *hosts, nat


def test_a_nat_is_found_and_both_move_to_the_other_port() -> None:
    """RFC 3947 3.2 and 4."""
    net, west, east, nat = through_nat()
    assert connected(west), west.said + east.said
    assert (west.rows(1)[0]["nat_t"], east.rows(1)[0]["nat_t"]) == ("local", "remote")
    assert west.rows(1)[0]["local"] == "192.0.2.1:4500"
    assert east.rows(1)[0]["remote"] == "203.0.113.1:20002"
    ports = [(p.sport, p.dport) for p in net.history if p.src == west.address]
    assert ports == [(500, 500), (500, 500), (4500, 4500), (4500, 4500), (4500, 4500)]
    assert all(p.data[:4] == bytes(4) for p in net.history if 4500 in (p.sport, p.dport))
    assert {row["encap"] for row in west.rows(2) + east.rows(2)} == {True}
    for host, ports_in in ((west, (4500, 4500)), (east, (20002, 4500))):
        for spec in host.app.sas.values():
            assert spec.encap == (ports_in if spec.inbound else ports_in[::-1])
    assert nat.inside == west.address


def test_a_last_message_in_clear_moves_the_responder_too() -> None:
    """RFC 3947 4 and RFC 2409 5.4: aggressive mode's proof need not be encrypted."""
    net, nat = Network(), Nat("192.0.2.1", "203.0.113.1")
    net.nats.append(nat)
    west, east = (net.host(replace(g, exchange="AGGRESSIVE")) for g in (INSIDE, OUTSIDE))

    def bare(x: Any, message: Any) -> None:
        if x.script.name == "aggressive mode" and x.step == 2:
            message.protected = False

    change_sent(west, bare)
    net.start()
    net.run(5)
    assert connected(west) and connected(east), west.said + east.said
    assert east.rows(1)[0]["remote"] == "203.0.113.1:20002"
    assert {p.sport for p in net.history[3:]} == {4500}
    agree(west, east)


def test_no_nat_no_floating() -> None:
    net = Network()
    west, east = net.host(WEST), net.host(EAST)
    net.start()
    net.run(5)
    assert west.rows(1)[0]["nat_t"] == ""
    assert {p.dport for p in net.history} == {500}
    assert not west.rows(2)[0]["encap"]
    assert all(s.encap is None for s in east.app.sas.values())


@pytest.mark.parametrize("who", ["west", "east"])
def test_without_nat_traversal_at_one_end_nothing_floats(who: str) -> None:
    net = Network()
    west = net.host(WEST, nat_traversal=who != "west")
    east = net.host(EAST, nat_traversal=who != "east")
    net.start()
    net.run(5)
    assert connected(west)
    assert connected(east)
    assert {p.dport for p in net.history} == {500}


@pytest.mark.parametrize(
    ("vendors", "mode", "kind"),
    [
        ((VENDOR_RFC3947,), 3, isakmp.Payload.NAT_D),
        ((VENDOR_NAT_T_03, VENDOR_NAT_T_02), 61443, isakmp.Payload.NAT_D_DRAFT),
        ((VENDOR_NAT_T_02_NEWLINE,), 61443, isakmp.Payload.NAT_D_DRAFT),
        ((VENDOR_NAT_T_02,), 61443, isakmp.Payload.NAT_D_DRAFT),
    ],
)
def test_dialects(
    monkeypatch: pytest.MonkeyPatch, vendors: tuple[bytes, ...], mode: int, kind: int
) -> None:
    """RFC 3947 3.1."""
    monkeypatch.setattr(nat_t, "VENDORS", vendors)
    net, west, east, _ = through_nat()
    assert connected(west), west.said + east.said
    (sa,) = west.daemon.sas.isakmp.values()
    assert sa.nat.vendor == vendors[0]
    assert nat_t.on_the_wire(ipsec.Encapsulation.TUNNEL, sa.nat) == mode
    third = net.history[2]
    header = third.header
    payloads, _ = parse_payloads(1, header.next_payload, third.message[HEADER_SIZE:])
    assert [p.type for p in payloads] == [4, 10, kind, kind]
    agree(west, east)


def test_the_best_dialect_of_both() -> None:
    assert nat_t.best_vendor({VENDOR_NAT_T_02, VENDOR_NAT_T_03}) == VENDOR_NAT_T_03
    assert nat_t.best_vendor({VENDOR_NAT_T_02, VENDOR_RFC3947, b"x"}) == VENDOR_RFC3947
    assert nat_t.best_vendor({b"x"}) == b""


def test_texts_of_what_was_found() -> None:
    assert str(Detection()) == ""
    assert str(Detection(local=True, remote=True)) == "local+remote"
    assert Detection(remote=True).found


def test_transport_mode_behind_a_nat_sends_the_original_addresses() -> None:
    """RFC 3947 5.2."""
    suite = "QM-ESP-TRP-AES-128-SHA2-256-SUITE"
    west = replace(INSIDE, suites=suite, local="192.0.2.1", remote="192.0.2.2")
    east = replace(OUTSIDE, suites=suite, local="192.0.2.2", remote="192.0.2.1")
    _, w, e, _ = through_nat(west, east)
    assert connected(w), e.said
    assert w.rows(2)[0]["mode"] == "TRANSPORT"
    agree(w, e)


TRANSPORT = "QM-ESP-TRP-AES-128-SHA2-256-SUITE"


def test_transport_mode_is_for_the_addresses_that_each_end_sees() -> None:
    """RFC 3947 5.2, RFC 3948 3.1.2: the one behind the NAT writes its own, which the other end's
    packets never have."""
    net, west, east, _ = through_nat(
        replace(INSIDE, local="192.0.2.1", remote="192.0.2.2", suites=TRANSPORT),
        replace(OUTSIDE, local="192.0.2.2", remote="203.0.113.1", suites=TRANSPORT),
    )
    assert connected(west) and connected(east), east.said
    for host in (west, east):
        (old,) = host.daemon.sas.all_children()
        host.daemon.connections.rekey(old)
        net.run(10)
        assert connected(west) and connected(east)
        assert old not in host.daemon.sas.all_children()
    (ours,), (theirs,) = (host.daemon.sas.all_children() for host in (west, east))
    assert ours.selector == Selector.of("192.0.2.1", "192.0.2.2")
    assert theirs.selector == Selector.of("192.0.2.2", "203.0.113.1")
    assert not west.reasons() + east.reasons()


def test_the_responder_sends_original_addresses_where_it_has_chosen_transport_mode() -> None:
    """RFC 3947 5.2: and not where it could have."""
    sent: list[int] = []
    net = Network()
    net.nats.append(Nat("192.0.2.1", "203.0.113.1"))
    suites = f"{WEST.suites}, {TRANSPORT}"
    west = net.host(replace(INSIDE, local="192.0.2.1", remote="192.0.2.2", suites=suites))
    east = net.host(replace(OUTSIDE, local="192.0.2.2", remote="192.0.2.1", suites=suites))
    change_sent(east, lambda x, m: sent.extend(kind for kind, _ in m.payloads))
    net.start()
    net.run(5)
    assert connected(west) and connected(east), east.said
    assert east.rows(2)[0]["mode"] == "TUNNEL"
    assert isakmp.Payload.NAT_OA not in sent


def test_the_end_behind_the_nat_keeps_it_awake() -> None:
    """RFC 3948 4."""
    net, west, east, _ = through_nat(replace(INSIDE, general="NAT-T-Keepalive= 7"))
    before = len(net.history)
    net.run(70)
    sent = [p for p in net.history[before:] if p.data == KEEPALIVE]
    assert len(sent) == 10
    assert {p.src for p in sent} == {west.address}
    assert {(p.sport, p.dport) for p in sent} == {(4500, 4500)}
    west.daemon.teardown("east", 1)
    before = len(net.history)
    net.run(30)
    assert not [p for p in net.history[before:] if p.data == KEEPALIVE]
    assert not east.rows(1)


def test_a_fresh_message_from_elsewhere_moves_the_peer_and_its_sas() -> None:
    """RFC 3947 7."""
    net, west, east, nat = through_nat()
    old = east.rows(1)[0]["remote"]
    nat.rebind()
    west.daemon.teardown("west-east", 2)
    net.run(1)
    assert east.rows(1)[0]["remote"] == old, "a delete may be a replay"
    west.daemon.connect("west-east")
    net.run(5)
    moved = east.rows(1)[0]["remote"]
    assert moved != old
    assert connected(west), east.said
    port = int(moved.rpartition(":")[2])
    for spec in east.app.sas.values():
        assert spec.encap == ((port, 4500) if spec.inbound else (4500, port))


@pytest.mark.parametrize("tag", ["", "AGGRESSIVE", "Key-exchange= ikev2"])
def test_who_is_behind_a_nat_follows_nobody(tag: str) -> None:
    """RFC 3947 7, RFC 7296 2.23: whoever sends the peer's messages on could cut it off."""
    one, other = INSIDE, OUTSIDE
    if "AGGRESSIVE" in tag:
        one, other = (replace(s, exchange="AGGRESSIVE") for s in (one, other))
    elif tag:
        one, other = (replace(s, peer_tags=f"{s.peer_tags}\n{tag}") for s in (one, other))
    net = Network()
    net.nats.append(Nat("192.0.2.1", "203.0.113.1"))
    west, east = net.host(one), net.host(other)

    def lose(packet: Packet) -> bool:
        if packet.src == east.address:
            net.flying.append(packet._replace(src=ip_address("198.51.100.9"), sport=666))
        return False

    net.lose = lose
    net.start()
    net.run(5)
    for host, what in ((west, "west-east"), (east, "east-west")) * 2:
        host.daemon.rekey(what, "quick")
        net.run(5)
        (sa,) = west.daemon.sas.isakmp.values()
        assert (sa.path.remote, sa.path.remote_port) == (east.address, 4500)
        for spec in west.app.sas.values():
            assert {spec.src, spec.dst} == {west.address, east.address}
            assert spec.encap == (4500, 4500)
    assert connected(west)
    agree(west, east)
    west.daemon.mapping(Mapping(next(iter(west.app.sas)), ip_address("198.51.100.9"), 666))
    assert sa.path.remote == east.address


def test_the_applications_word_moves_them_too() -> None:
    net, west, east, nat = through_nat()
    child = next(iter(east.daemon.sas.children.values()))
    before = {spec.enc_key for spec in east.app.sas.values()}
    event = Mapping(child.inbound()[0], nat.outside, 31000)
    east.daemon.mapping(event)
    assert east.rows(1)[0]["remote"] == "203.0.113.1:31000"
    assert {spec.enc_key for spec in east.app.sas.values()} == before
    for spec in east.app.sas.values():
        assert 31000 in (spec.encap or ())
    elsewhere = ip_address("203.0.113.99")
    east.daemon.mapping(replace(event, address=elsewhere))
    assert {elsewhere} == {p.dst for p in east.app.policies if p.direction is Direction.OUT}
    assert {elsewhere} == {p.src for p in east.app.policies if p.direction is Direction.IN}
    west.daemon.mapping(Mapping(event.sa, nat.outside, 31001))
    assert west.rows(1)[0]["remote"] == "192.0.2.2:4500"
    assert net.now


@pytest.mark.parametrize("dialect_port", [500, 4500])
def test_a_replayed_message_from_elsewhere_moves_nobody(dialect_port: int) -> None:
    net, west, east, _ = through_nat()
    rows = east.rows(1) + east.rows(2)
    for packet in list(net.history):
        if packet.src == west.address:
            from_attacker = packet._replace(src=west.address, sport=666)
            if packet.dport == dialect_port:
                net.deliver(from_attacker)
    net.pump()
    now = east.rows(1) + east.rows(2)
    assert [r["remote"] for r in now if r["state"] == "established"][: len(rows)] == [
        r["remote"] for r in rows
    ]
    assert connected(west)


def test_a_peer_without_digests_has_no_nat_traversal() -> None:
    found = Detection(VENDOR_RFC3947)

    class Nothing:
        def take_all(self, kind: int) -> list[object]:
            return []

    host = Network().host(WEST)
    path = host.daemon.connections.beginnings.path_to(host.daemon.catalog.remote("east"))
    assert path is not None
    spec = get_hash(isakmp.Hash.SHA)
    nat_t.recv_nat_d(Nothing(), found, spec, path, bytes(8), bytes(8))  # type: ignore[arg-type]
    assert found == Detection()


@pytest.mark.parametrize("kind", [isakmp.Payload.NAT_D_DRAFT, isakmp.Payload.NAT_OA_DRAFT])
def test_the_drafts_numbers_are_anybodys_where_no_draft_was_agreed_on(
    kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are private ones: another vendor's payload has contents of its own."""
    send_vendors = phase_1.send_vendors

    def and_another(message: Outgoing) -> None:
        send_vendors(message)
        message.add(kind, b"")

    monkeypatch.setattr(phase_1, "send_vendors", and_another)
    net = Network()
    west, east = (net.host(gateway) for gateway in (WEST, EAST))
    net.start()
    net.run(3)
    assert connected(west) and connected(east), west.said + east.said


def made_up(payloads: Payloads) -> Payloads:
    """NAT-D payloads that fit nobody."""
    return [(k, bytes(len(b)) if k == isakmp.Payload.NAT_D else b) for k, b in payloads]


@pytest.mark.parametrize(
    ("mode", "number"), [("ID_PROT", 3), ("ID_PROT", 4), ("AGGRESSIVE", 2)]
)  # fmt: skip
def test_where_one_end_was_told_of_a_nat_that_is_none_both_encapsulate_alike(
    mode: str, number: int
) -> None:
    """RFC 3947 5.1: nothing protects NAT-D, so that somebody may have changed it. What quick mode
    has agreed on counts."""
    net = Network()
    west, east = (net.host(replace(each, exchange=mode)) for each in (WEST, EAST))
    seen = Observer(net, numbered(number), lambda packet: [edited(packet, made_up)])
    net.start()
    net.run(3)
    assert seen.forged == 1
    assert west.rows(1)[0]["nat_t"] != east.rows(1)[0]["nat_t"]
    agree(west, east)
    assert west.rows(2)[0]["encap"] is east.rows(2)[0]["encap"]
    ways = [{s.encap for s in host.app.sas.values()} for host in (west, east)]
    assert ways[0] == ways[1] in ({None}, {(4500, 4500)})
