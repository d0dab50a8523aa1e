"""Main mode between whole daemons: what it agrees on, and every way it fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from isakmp import payloads as codecs
from isakmp.constants import isakmp
from isakmp.exchange.candidates import leaves
from isakmp.exchange.engine import ANSWERS_MAX
from isakmp.message import HEADER_SIZE, parse_payloads
from isakmp.sa import State
from isakmp.scripts.ikev1 import phase_1
from isakmp.scripts.ikev1.dialect import Ikev1
from regress.pair import (
    EAST,
    WEST,
    Host,
    Network,
    Packet,
    agree,
    both,
    connected,
    stranger,
    up,
)

P = isakmp.Payload


def failure(host: Host) -> dict[str, Any]:
    """The reason of the first exchange that failed."""
    reason: dict[str, Any] = next(o["reason"] for o in host.outcomes if not o["ok"])
    return reason


def flow(net: Network) -> list[tuple[str, int, bool]]:
    """Who sent messages of which exchange type, encrypted or not."""
    return [
        (str(p.src), p.header.exchange_type, bool(p.header.flags & isakmp.Flag.ENCRYPTION))
        for p in net.history
    ]


def test_the_ladder() -> None:
    """RFC 2408 4.5, RFC 2409 5.4."""
    net, west, east = up()
    assert connected(west)
    assert connected(east)
    agree(west, east)
    w, e, main, quick = "192.0.2.1", "192.0.2.2", 2, 32
    assert flow(net) == [
        (w, main, False), (e, main, False), (w, main, False), (e, main, False),
        (w, main, True), (e, main, True), (w, quick, True), (e, quick, True), (w, quick, True),
    ]  # fmt: skip
    (ours,), (theirs,) = west.rows(1), east.rows(1)
    assert ours["cookies"] == theirs["cookies"]
    assert (ours["initiator"], theirs["initiator"]) == (True, False)
    assert (ours["local_id"], ours["remote_id"]) == ("192.0.2.1", "192.0.2.2")
    assert (theirs["local_id"], theirs["remote_id"]) == ("192.0.2.2", "192.0.2.1")
    assert all(o["ok"] for o in west.outcomes + east.outcomes)


@pytest.mark.parametrize(
    "transforms",
    [
        "3DES-SHA", "AES-SHA", "AES-128-MD5-GRP5", "AES-192-SHA2-384-GRP19",
        "AES-256-SHA2-512-GRP20", "AES-256-SHA2-256-GRP14", "CAST-SHA", "BLF-SHA", "DES-MD5-GRP1",
        "AES-256-SHA2-256-GRP21", "AES-256-SHA2-256-GRP31",
    ],
)  # fmt: skip
def test_every_kind_of_transform(transforms: str) -> None:
    _, west, east = up(*both(transforms=transforms))
    assert connected(west), west.said
    agree(west, east)
    assert west.rows(1)[0]["reason"] == transforms


def test_the_responder_takes_the_initiators_first_acceptable_transform() -> None:
    west = replace(WEST, transforms="3DES-MD5, AES-128-SHA-GRP31, AES-256-SHA2-256-GRP31")
    east = replace(EAST, transforms="AES-256-SHA2-256-GRP31, AES-128-SHA-GRP31")
    _, w, e = up(west, east)
    assert w.rows(1)[0]["reason"] == e.rows(1)[0]["reason"] == "AES-128-SHA-GRP31"
    agree(w, e)


def test_a_transform_of_any_algorithms_accepts_but_is_not_offered() -> None:
    section = (
        "[any]\nENCRYPTION_ALGORITHM= ANY\nHASH_ALGORITHM= ANY\nGROUP_DESCRIPTION= ANY\n"
        "AUTHENTICATION_METHOD= PRE_SHARED\n"
    )
    east = replace(EAST, transforms="any", more=section)
    _, w, e = up(replace(WEST, transforms="3DES-SHA2-256-GRP31"), east)
    assert connected(w)
    assert e.rows(1)[0]["encryption"] == "3DES_CBC"
    _, w, e = up(replace(WEST, transforms="any", more=section), EAST)
    assert failure(w)["cause"] == "nothing-to-offer"


def test_ids_are_the_configured_ones() -> None:
    name = "[me]\nID-type= FQDN\nName= west.example\n[you]\nID-type= USER_FQDN\nName= e@x.example\n"
    west = replace(WEST, peer_tags="ID= me\nRemote-ID= you", more=name)
    east = replace(EAST, peer_tags="ID= you\nRemote-ID= me", more=name)
    _, w, e = up(west, east)
    assert (w.rows(1)[0]["local_id"], w.rows(1)[0]["remote_id"]) == ("west.example", "e@x.example")
    assert (e.rows(1)[0]["local_id"], e.rows(1)[0]["remote_id"]) == ("e@x.example", "west.example")
    assert connected(w)


def test_another_identity_than_the_configured_one_is_refused() -> None:
    name = "[you]\nID-type= FQDN\nName= west.example\n"
    _, w, e = up(WEST, replace(EAST, peer_tags="Remote-ID= you", more=name))
    reason = failure(e)
    assert reason["cause"] == "wrong-identity"
    assert reason["came"] == "IPV4_ADDR 192.0.2.1"
    assert reason["acceptable"] == "FQDN west.example"
    assert "you" in reason["line"]
    assert e.said.count("wrong-identity") == 1, "what ends the attempt is told by its end"
    assert not e.rows(1)
    assert not w.rows(1)


def test_ipv6() -> None:
    west = replace(WEST, address="2001:db8::1", peer_address="2001:db8::2",
                   local="2001:db8:1::/48", remote="2001:db8:2::/48")  # fmt: skip
    east = replace(EAST, address="2001:db8::2", peer_address="2001:db8::1",
                   local="2001:db8:2::/48", remote="2001:db8:1::/48")  # fmt: skip
    _, w, e = up(west, east)
    assert connected(w)
    agree(w, e)
    assert w.rows(1)[0]["remote"] == "[2001:db8::2]:500"
    assert e.rows(2)[0]["selector"] == "2001:db8:2::/48 -> 2001:db8:1::/48"


def test_hybrid_families_an_ipv4_tunnel_over_ipv6() -> None:
    west = replace(WEST, address="2001:db8::1", peer_address="2001:db8::2")
    east = replace(EAST, address="2001:db8::2", peer_address="2001:db8::1")
    _, w, e = up(west, east)
    assert connected(w)
    agree(w, e)


# --- lifetimes -------------------------------------------------------------------------------

LIFE = "[life]\nLIFE_TYPE= SECONDS\nLIFE_DURATION= {}\n"
TRANSFORM = (
    "[t]\nENCRYPTION_ALGORITHM= AES_CBC\nKEY_LENGTH= 128,128:256\nHASH_ALGORITHM= SHA\n"
    "AUTHENTICATION_METHOD= PRE_SHARED\nGROUP_DESCRIPTION= CURVE25519\nLife= life\n"
)


def with_life(west: str, east: str) -> tuple[Network, Host, Host]:
    return up(
        replace(WEST, transforms="t", more=TRANSFORM + LIFE.format(west)),
        replace(EAST, transforms="t", more=TRANSFORM + LIFE.format(east)),
    )


@pytest.mark.parametrize(
    ("west", "east", "kept"),
    [
        ("600,450:720", "600,450:720", (600, 600)),
        ("450,450:720", "600,450:720", (450, 450)),
        ("720,450:720", "600,450:720", (720, 600)),
        ("700", "600,60:86400", (700, 600)),
        ("100000,60:200000", "100000,60:200000", (100000, 100000)),
    ],
)
def test_lifetimes_inside_the_range_are_accepted(
    west: str, east: str, kept: tuple[int, int]
) -> None:
    _, w, e = with_life(west, east)
    assert connected(w), w.said
    assert (w.rows(1)[0]["hard_s"], e.rows(1)[0]["hard_s"]) == kept


@pytest.mark.parametrize("west", ["449,400:500", "721,400:800", "100000,1:200000"])
def test_lifetimes_outside_the_range_are_refused(west: str) -> None:
    _, w, e = with_life(west, "600,450:720")
    assert not w.rows(1)
    reason = failure(e)
    assert reason["cause"] == "no-proposal-chosen"
    told = f"LIFE_DURATION {west.partition(',')[0]} seconds at the peer, 450 to 720 here"
    assert told in reason["mend"]


def test_the_answer_repeats_the_transform_as_it_came() -> None:
    """RFC 2408 4.2."""
    net, _, _ = up(replace(WEST, transforms="3DES-SHA, AES-256-SHA2-256-GRP31"), EAST)
    offers = []
    for packet in net.history[:2]:
        header = packet.header
        payloads, _ = parse_payloads(1, header.next_payload, packet.message[HEADER_SIZE:])
        offers.append(payloads[0].of(codecs.SA).proposals[0].transforms)
    assert offers[1] == offers[0][1:]


# --- why it fails ----------------------------------------------------------------------------


def test_a_wrong_secret_is_named_with_its_line_by_the_responder() -> None:
    net, w, e = up(replace(WEST, secret="one"), replace(EAST, secret="two"), 30)
    assert not w.rows(1)
    assert not e.rows(1)
    text = next(line for line in e.lines if "authentication-failed" in line)
    assert "[west]:Authentication" in text
    assert "does not fit our pre-shared key" in text
    net.run(120)
    reason = failure(e)
    assert reason["cause"] == "authentication-failed"
    assert "[west]:Authentication" in reason["line"]
    assert "Authentication" in reason["mend"]
    assert failure(w)["cause"] in ("peer-refused", "authentication-failed")
    for secret in ("one", "two"):
        assert f" {secret} " not in w.said + e.said


def test_a_peer_without_a_secret_is_named() -> None:
    """It is left out at the start, and refused with the same words when it comes."""
    _, _, e = up(WEST, replace(EAST, secret=""))
    missing = "[west]: no Authentication: the pre-shared key is missing"
    assert "left out: east-west" in e.said and missing in e.said
    assert failure(e)["cause"] == "bad-configuration"
    assert missing in failure(e)["detail"]
    assert not e.rows(1)


def test_no_common_proposal_lists_the_nearest_miss_first() -> None:
    west = replace(WEST, transforms="DES-MD5-GRP1, AES-256-SHA2-256-GRP14, 3DES-SHA")
    _, w, e = up(west, EAST, 20)
    reason = failure(e)
    assert reason["cause"] == "no-proposal-chosen"
    assert reason["misses"][0].startswith("transform 2 ")
    assert reason["misses"][0].endswith("GROUP_DESCRIPTION MODP_2048, not CURVE25519")
    counts = [miss.rpartition(": ")[2].count(";") for miss in reason["misses"]]
    assert counts == sorted(counts)
    assert "phase-1" in reason["line"] or "AES-256-SHA2-256-GRP31" in reason["line"]
    assert failure(w)["cause"] == "peer-refused"
    assert failure(w)["came"] == "NO_PROPOSAL_CHOSEN"


def test_a_stranger_another_exchange_type_and_no_connection_are_told_apart() -> None:
    net, w, e = up(WEST, replace(EAST, peer_address="192.0.2.99"), 20)
    assert "no-configuration: no peer is configured for 192.0.2.1" in e.said
    assert e.daemon.engine.counters["refused"] >= 1 + 3, "each repetition is looked at anew"
    assert not e.daemon.engine.exchanges
    assert failure(w)["cause"] == "peer-refused"
    _, _, e = up(replace(WEST, exchange="AGGRESSIVE"), EAST)
    assert "wrong-exchange-type" in e.said
    assert "came: AGGRESSIVE; acceptable: ID_PROT" in e.said
    _, w, e = up(replace(WEST, remote="10.3.0.0/16"), EAST)
    assert failure(e)["cause"] == "no-connection"
    assert failure(e)["came"] == "10.3.0.0/16 -> 10.1.0.0/16"
    assert failure(e)["misses"] == [
        "east-west: Local-ID is 10.2.0.0/16, the peer says 10.3.0.0/16",
    ]
    assert connected(w, children=0)


def test_nobody_answers() -> None:
    net = Network()
    west = net.host(WEST)
    net.start()
    net.run(30)
    reason = failure(west)
    assert reason["cause"] == "timeout"
    assert "no answer to message 1 of main mode from 192.0.2.2 port 500" in reason["detail"]
    assert west.daemon.engine.settings.retransmits == 3


def test_a_peer_without_a_route() -> None:
    net = Network()
    text = WEST.text().replace("Local-address= 192.0.2.1\n", "")
    text = text.replace("[General]\n", "[General]\nListen-on= 192.0.2.1\n")
    west = net.add("192.0.2.1", text, source=lambda _: None)
    net.start()
    reason = west.daemon.status()["connections"][0]["reason"]
    assert (reason["cause"], reason["detail"]) == ("no-address", "there is no route to 192.0.2.2")
    west.daemon.connections.beginnings.source = lambda _: west.address
    east = net.host(EAST)
    east.daemon.start()
    net.run(10)
    assert connected(west)


@pytest.mark.parametrize("lost", range(9))
def test_any_one_message_may_be_lost(lost: int) -> None:
    net = Network()
    net.lose = lambda packet: len(net.history) == lost + 1
    w, e = net.host(WEST), net.host(EAST)
    net.start()
    net.run(20)
    assert connected(w)
    assert connected(e)
    agree(w, e)


@pytest.mark.parametrize("copies", [2, 3])
def test_messages_that_come_twice_do_no_harm(copies: int) -> None:
    net = Network()
    send = net.send

    def twice(packet: Any) -> None:
        send(packet)
        net.flying.extend([packet] * (copies - 1))

    net.send = twice  # type: ignore[method-assign]
    w, e = net.host(WEST), net.host(EAST)
    net.start()
    net.run(20)
    assert connected(w)
    assert connected(e)
    agree(w, e)
    assert len(net.history) < 9 * (1 + ANSWERS_MAX)


def test_unauthenticated_notifies_tear_nothing_down() -> None:
    """RFC 2408 4.8."""
    net, w, e = up()
    cookies = bytes.fromhex(w.rows(1)[0]["cookies"].replace(":", ""))
    for cky in (cookies, cookies[:8] + bytes(8)):
        for kind in (14, 16, 24, 11, 24578):
            body = (1).to_bytes(4, "big") + bytes([1, 0]) + kind.to_bytes(2, "big")
            payload = bytes(2) + (4 + len(body)).to_bytes(2, "big") + body
            head = cky + bytes([11, 0x10, 5, 0]) + b"abcd" + (28 + len(payload)).to_bytes(4, "big")
            net.deliver(stranger(head + payload, w, "192.0.2.2"))
            net.deliver(stranger(head + payload, e, "192.0.2.1"))
    spis = (1).to_bytes(4, "big") + bytes([1, 16, 0, 1]) + cookies
    payload = bytes(2) + (4 + len(spis)).to_bytes(2, "big") + spis
    head = cookies + bytes([12, 0x10, 5, 0]) + b"abcd" + (28 + len(payload)).to_bytes(4, "big")
    net.deliver(stranger(head + payload, w, "192.0.2.2"))
    net.run(5)
    assert connected(w)
    assert connected(e)
    agree(w, e)


def test_a_notify_in_clear_is_only_a_hint_while_phase_1_runs() -> None:
    """A forged NO_PROPOSAL_CHOSEN does not end a negotiation that then succeeds."""
    net = Network()
    w, e = net.host(WEST), net.host(EAST)
    w.daemon.start()
    e.daemon.start()
    first = net.history[0]
    body = (1).to_bytes(4, "big") + bytes([1, 0, 0, 14])
    payload = bytes(2) + (4 + len(body)).to_bytes(2, "big") + body
    cky = first.message[:8] + bytes(8)
    head = cky + bytes([11, 0x10, 5, 0]) + b"abcd" + (28 + len(payload)).to_bytes(4, "big")
    net.deliver(stranger(head + payload, w, "192.0.2.2"))
    assert "unauthenticated" in w.said
    net.run(5)
    assert connected(w)
    agree(w, e)


def test_main_mode_messages_must_be_encrypted_once_there_are_keys() -> None:
    net = Network()
    w, e = net.host(WEST), net.host(EAST)
    held = []

    def lose(packet: Any) -> bool:
        if len(net.history) == 5:
            held.append(packet)
            return True
        return False

    net.lose = lose
    net.start()
    net.pump()
    (fifth,) = held
    clear = bytearray(fifth.message)
    clear[19] = 0
    net.deliver(fifth._replace(data=bytes(clear)))
    (begun,) = e.daemon.engine.exchanges.values()
    (exchange,) = leaves(begun)
    assert exchange.step == 4
    net.deliver(fifth)
    net.run(1)
    assert connected(w)


def test_an_identity_without_a_name_is_not_blamed_on_the_secret() -> None:
    net = Network()
    west, east = (net.host(side) for side in both())

    class Nameless(Ikev1):
        def seal(self, x: Any, message: Any) -> Any:
            if x.script.exchange_type == isakmp.Exchange.ID_PROT and x.initiator and x.step == 4:
                x.state.idii_b = b"\x02\0\0\0"  # FQDN
                bodies = {P.ID: x.state.idii_b, P.HASH: phase_1._hash(x, ours=True)}
                message.payloads = [(k, bodies.get(k, v)) for k, v in message.payloads]
            return super().seal(x, message)

    west.daemon.engine.dialects["ikev1"].__class__ = Nameless
    net.start()
    net.run(130)
    reason = next(one["reason"] for one in east.outcomes if not one["ok"])
    assert reason["cause"] == "invalid-id-information"
    assert "FQDN without a name" in reason["detail"]
    refused = next(one["reason"] for one in west.outcomes if not one["ok"])
    assert refused["came"] == "INVALID_ID_INFORMATION"
    assert "Authentication" not in refused["mend"]


@pytest.mark.parametrize("seed", range(6))
def test_of_two_answers_to_one_attempt_both_ends_keep_the_same(seed: int) -> None:
    """A copy of the first message with a flag that means nothing makes the responder answer twice,
    a copy of an answer without its cookie makes the initiator follow both after a round trip. With
    the same flag, as it would be the initiator's own first message else, octet for octet."""
    net = Network()
    west, east = (net.host(gateway, seed=seed) for gateway in both())
    done: set[int] = set()

    def be_first(packet: Packet) -> bool:
        for host, at, octets in ((west, 19, b"\4"), (east, 8, bytes(8))):
            if packet.src == host.address and at not in done:
                done.add(at)
                data = packet.data[:at] + octets + packet.data[at + len(octets) :]
                net.flying.append(packet._replace(data=data[:19] + b"\4" + data[20:]))
        return False

    net.lose = be_first
    net.start()
    net.run(2)
    told = [line for line in east.lines if "the peer has another one of the same attempt" in line]
    assert len(told) == 1, "it was played"
    (ours,), (theirs,) = (host.daemon.sas.isakmp.values() for host in (west, east))
    assert theirs.state is State.ESTABLISHED
    assert ours.cookies == theirs.cookies
    net.run(180)
    assert connected(west) and connected(east)
    agree(west, east)
    assert ours in west.daemon.sas.isakmp.values()
