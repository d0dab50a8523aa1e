"""Aggressive mode between whole daemons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fifo_ui import explain
from isakmp.constants import isakmp
from isakmp.keeper.places import Places
from isakmp.message import HEADER_SIZE, build_payloads, parse_payloads
from isakmp.scripts.ikev1 import phase_1
from isakmp.scripts.ikev1.phase_1 import Phase1
from regress.exchange.states import state_of
from regress.pair import Nat, Network, Packet, agree, both, connected, up
from regress.traffic import flows

AGGRESSIVE = both(exchange="AGGRESSIVE")


def test_the_ladder() -> None:
    """RFC 2408 4.7, RFC 2409 5.4."""
    net, west, east = up(*AGGRESSIVE)
    assert connected(west)
    assert connected(east)
    agree(west, east)
    kinds = [(p.header.exchange_type, bool(p.header.flags)) for p in net.history]
    # Beside them the responder says, twice, that it knows of no other SA.
    assert [kind for kind in kinds if kind[0] != 5] == [
        (4, False), (4, False), (4, True), (32, True), (32, True), (32, True)
    ]  # fmt: skip
    assert kinds.count((5, True)) == 2
    assert west.rows(1)[0]["exchange"] == "AGGRESSIVE"


@pytest.mark.parametrize("transforms", ["3DES-MD5", "AES-256-SHA2-256-GRP14", "AES-SHA-GRP19"])
def test_transforms(transforms: str) -> None:
    _, west, east = up(*both(exchange="AGGRESSIVE", transforms=transforms))
    assert connected(west)
    agree(west, east)


def test_only_the_first_transforms_group_is_offered() -> None:
    names = "AES-SHA-GRP14, AES-SHA2-256-GRP31, AES-SHA2-256-GRP14"
    west, east = both(exchange="AGGRESSIVE", transforms=names)
    net, w, e = up(west, replace(east, transforms="AES-SHA2-256-GRP31, AES-SHA2-256-GRP14"))
    assert connected(w)
    assert w.rows(1)[0]["reason"] == "AES-SHA2-256-GRP14"
    agree(w, e)


def test_an_initiator_of_unknown_address_is_known_by_its_identity() -> None:
    """The Default peer; the secret is that of the section named as the identity."""
    west = replace(
        AGGRESSIVE[0], secret="of this road warrior", peer_tags="ID= me",
        more="[me]\nID-type= USER_FQDN\nName= worker@west.example\n",
    )  # fmt: skip
    text = AGGRESSIVE[1].text()
    text = text.replace("192.0.2.1= west", "Default= west").replace("Address= 192.0.2.1\n", "")
    text = text.replace(f"Authentication= {AGGRESSIVE[1].secret}\n", "")
    text += "[worker@west.example]\nAuthentication= of this road warrior\n"
    net = Network()
    w, e = net.host(west), net.add("192.0.2.2", text)
    net.start()
    net.run(5)
    assert connected(w), e.said
    assert e.rows(1)[0]["remote_id"] == "worker@west.example"
    agree(w, e)


def test_a_wrong_secret_is_found_by_the_initiator() -> None:
    west, east = AGGRESSIVE
    net, w, e = up(replace(west, secret="another"), east, 20)
    assert not w.rows(1)
    assert "its HASH does not verify" in w.said
    assert "[east]:Authentication" in w.said
    reason = w.outcomes[0]["reason"]
    assert reason["cause"] == "authentication-failed"
    assert "[east]:Authentication" in reason["line"]


def test_and_told_to_the_responder_at_once() -> None:
    """RFC 2408 5.11: else it would wait for the proof of who has found that out, and say nothing
    until Exchange-max-time is over. It is a hint alone, as anybody can say it."""
    west, east = AGGRESSIVE
    _, _, e = up(replace(west, secret="another"), east, 1)
    assert "aggressive mode responder west: peer says AUTHENTICATION_FAILED, unauth" in e.said
    status = e.daemon.status()
    (row,) = explain.failures(status["outcomes"], None, (), status["exchanges"])
    assert row["reason"]["mend"].startswith("make the Authentication of both ends the same")
    assert "[west]:Authentication" in row["reason"]["line"]
    assert e.daemon.engine.exchanges


def test_a_last_message_that_proves_nothing_is_refused() -> None:
    net = Network()
    _, e = net.host(AGGRESSIVE[0]), net.host(AGGRESSIVE[1])
    net.lose = lambda packet: len(net.history) == 3
    net.start()
    net.pump()
    (theirs,) = e.daemon.engine.exchanges.values()
    assert (theirs.step, state_of(theirs, Phase1).keys is not None) == (2, True)
    third = net.history[2]
    broken = third.data[:28] + bytes(16) + third.data[44:]
    net.deliver(third._replace(data=broken))
    assert not e.rows(1)
    assert "authentication-failed" in e.said


def test_a_forged_third_message_does_not_end_the_exchange() -> None:
    net = Network()
    w, e = net.host(AGGRESSIVE[0]), net.host(AGGRESSIVE[1])
    net.lose = lambda packet: len(net.history) == 3
    net.start()
    net.pump()
    third = net.history[2].data
    head = third[:16] + bytes([8, 0x10, 4, 0]) + bytes(4) + (28 + 36).to_bytes(4, "big")
    net.deliver(net.history[2]._replace(data=head + bytes([0, 0, 0, 36]) + bytes(32)))
    assert "authentication-failed" in e.said
    net.run(10)
    assert connected(w)
    assert connected(e)


def test_the_third_message_may_be_in_clear() -> None:
    """RFC 2409 5.4: HASH_I of aggressive mode need not be encrypted."""
    net = Network()
    w, e = net.host(AGGRESSIVE[0]), net.host(AGGRESSIVE[1])
    net.lose = lambda packet: len(net.history) == 3
    net.start()
    net.pump()
    third = net.history[2]
    (sa,) = w.daemon.sas.isakmp.values()
    (theirs,) = e.daemon.engine.exchanges.values()
    keys = phase_1.keys_of(theirs)
    opened = keys.decrypt(keys.iv, third.data[28:])
    assert opened is not None
    payloads, _ = parse_payloads(1, third.header.next_payload, opened[0])
    (proof,) = (p for p in payloads if p.type == isakmp.Payload.HASH)
    first, chain = build_payloads(1, [(proof.type, proof.body)])
    header = third.header._replace(next_payload=first, flags=0, length=HEADER_SIZE + len(chain))
    net.deliver(third._replace(data=header.pack() + chain))
    assert e.rows(1)
    assert sa.cookies.hex() == e.rows(1)[0]["cookies"].replace(":", "")


@pytest.mark.parametrize("lost", range(6))
def test_any_one_message_may_be_lost(lost: int) -> None:
    net = Network()
    net.lose = lambda packet: len(net.history) == lost + 1
    w, e = net.host(AGGRESSIVE[0]), net.host(AGGRESSIVE[1])
    net.start()
    net.run(30)
    assert connected(w)
    assert connected(e)
    agree(w, e)


def test_a_responder_repeats_nothing_to_who_has_proved_nothing() -> None:
    net = Network()
    west, east = net.host(AGGRESSIVE[0]), net.host(AGGRESSIVE[1])
    net.lose = lambda packet: packet.src == west.address and len(net.history) > 1
    net.start()
    net.run(0.5)
    west.daemon.stop()
    before = len(net.history)
    net.run(200)
    assert [p for p in net.history[:before] if p.src == east.address], "it was answered"
    assert not [p for p in net.history[before:] if p.src == east.address]


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_the_initiator_repeats_its_proof_until_it_hears_something(lost: int) -> None:
    net = Network()
    west, east = net.host(AGGRESSIVE[0]), net.host(AGGRESSIVE[1])
    proofs: list[bytes] = []

    def is_proof(packet: Packet) -> bool:
        mode = packet.header.exchange_type == isakmp.Exchange.AGGRESSIVE
        if mode and any(packet.header.cky_r) and packet.src == west.address:
            proofs.append(packet.message)
            return len(proofs) <= lost
        return False

    net.lose = is_proof
    net.start()
    net.run(30)
    assert connected(west) and connected(east)
    agree(west, east)
    assert len(proofs) == lost + 1 and len(set(proofs)) == 1, "once heard, no more"


@pytest.mark.parametrize("copies", [1, 5, 30])
def test_what_goes_out_is_bounded_by_what_came_in(copies: int) -> None:
    """For each datagram one, of no more than two and a half times its size, and none later."""
    net = Network()
    east = net.host(AGGRESSIVE[1])
    east.daemon.start()
    west = net.host(AGGRESSIVE[0])
    west.daemon.start()
    first = net.flying[0]
    net.flying.clear()
    net.history.clear()
    del net.hosts[west.address]
    for _ in range(copies):
        net.deliver(first)
        assert sum(len(p.data) for p in net.history) <= 2.5 * len(first.data)
        net.history.clear()
    net.run(200)
    assert not net.history


def test_through_a_nat() -> None:
    net = Network()
    net.nats.append(Nat("192.0.2.1", "203.0.113.1"))
    east = replace(AGGRESSIVE[1], peer_address="203.0.113.1", peer_tags="Remote-ID= warrior",
                   more=WARRIOR)  # fmt: skip
    w, e = net.host(replace(AGGRESSIVE[0], peer_tags="ID= warrior", more=WARRIOR)), net.host(east)
    net.start()
    net.run(5)
    assert connected(w), e.said
    assert w.rows(1)[0]["nat_t"] == "local"
    assert e.rows(1)[0]["nat_t"] == "remote"
    assert [p.dport for p in net.history[:3]] == [500, 20001, 4500]


WARRIOR = "[warrior]\nID-type= FQDN\nName= warrior.example\n"


def test_no_transform_can_be_offered() -> None:
    """ANY is for accepting only."""
    anything = "[any]\nENCRYPTION_ALGORITHM= ANY\nHASH_ALGORITHM= ANY\nGROUP_DESCRIPTION= ANY\n"
    _, w, _ = up(replace(AGGRESSIVE[0], transforms="any", more=anything), AGGRESSIVE[1])
    assert w.reasons()[0] == "nothing-to-offer"


def test_what_is_left_out_for_its_signatures_is_named_and_not_tried() -> None:
    _, w, _ = up(replace(AGGRESSIVE[0], transforms="AES-SHA-GRP14-RSA_SIG"), AGGRESSIVE[1])
    assert "left out: west-east" in w.said and "RSA_SIG is not supported" in w.said
    assert not w.outcomes and not w.rows(1)


def test_who_has_no_key_of_an_identity_is_named() -> None:
    """Keys found by identity: whoever comes may lack one, which no check can know beforehand."""
    west = replace(AGGRESSIVE[0], peer_tags="ID= warrior", more=WARRIOR)
    _, _, e = up(west, replace(AGGRESSIVE[1], secret="", more="[joe@x]\nAuthentication= joe's\n"))
    assert "no-secret" in e.reasons()
    assert "a section [warrior.example] with Authentication= alone" in e.said
    assert not e.rows(1)


@pytest.mark.parametrize("unique", ["replace", "keep", "no", "never"])
def test_an_identity_that_may_be_at_several_places_says_no_initial_contact(
    unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 2407 4.6.3.3, of neither end: it is heeded for all places under ``no``."""
    heard: list[str] = []
    monkeypatch.setattr(Places, "initial_contact", lambda self, sa: heard.append(sa.remote.name))
    one, other = both(exchange="AGGRESSIVE", general=f"Unique-ids= {unique}")
    _, west, east = up(one, other)
    assert flows(west, east)
    told = unique in ("replace", "keep")
    assert set(heard) == ({"west", "east"} if told else set())


@pytest.mark.parametrize("exchange", ["AGGRESSIVE", "ID_PROT"])
def test_a_responder_that_lost_everything_says_so(exchange: str) -> None:
    """A new phase 1 with it does not make it know the old child SA."""
    one, other = both(exchange=exchange)
    net, west, east = up(one, other)
    net.kill(east)
    back = net.host(other, seed=2)
    back.daemon.start()
    west.daemon.rekey("east", "main")
    net.run(10)
    assert flows(west, back)
