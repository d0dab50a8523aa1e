"""The order of payloads: what we send is as RFC 7296 draws it, what comes may be in any (2.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from isakmp.constants import ikev2
from isakmp.scripts.ikev2 import fragments
from regress.pair import Host, Network, agree, connected
from regress.scripts.changed import change_sent
from regress.scripts.ikev2.pairs import child_of, gateways, sa_of

P, N = ikev2.Payload, ikev2.Notify
MODES = [N.IPCOMP_SUPPORTED, N.USE_TRANSPORT_MODE, N.ESP_TFC_PADDING_NOT_SUPPORTED,
         N.NON_FIRST_FRAGMENTS_ALSO]  # fmt: skip
NATS = [N.NAT_DETECTION_SOURCE_IP, N.NAT_DETECTION_DESTINATION_IP]
CHILD = [P.SA, P.NONCE, P.KE, P.TSI, P.TSR]
# Sections 1.2, 1.3, 2.6 and C.1 to C.6. A notify without a place of its own goes to REST.
REST = -1
DRAWN: dict[tuple[str, int], list[int]] = {
    ("IKE_SA_INIT", 0): [N.COOKIE, P.SA, P.KE, P.NONCE, *NATS, P.VENDOR, REST],
    ("IKE_SA_INIT", 1): [P.SA, P.KE, P.NONCE, *NATS, P.CERTREQ, P.VENDOR, REST],
    ("IKE_AUTH", 0): [P.IDI, P.CERT, N.INITIAL_CONTACT, P.CERTREQ, P.IDR, P.AUTH, P.CP, *MODES,
                      P.SA, P.TSI, P.TSR, P.VENDOR, REST],
    ("IKE_AUTH", 1): [P.IDR, P.CERT, P.AUTH, P.CP, *MODES, P.SA, P.TSI, P.TSR,
                      N.ADDITIONAL_TS_POSSIBLE, P.VENDOR, REST],
    ("CREATE_CHILD_SA", 0): [N.REKEY_SA, P.CP, *MODES, *CHILD, P.VENDOR, REST],
    ("CREATE_CHILD_SA", 1): [P.CP, *MODES, *CHILD, N.ADDITIONAL_TS_POSSIBLE, P.VENDOR, REST],
    ("INFORMATIONAL", 0): [REST, P.DELETE, P.CP],
    ("INFORMATIONAL", 1): [REST, P.DELETE, P.CP],
}  # fmt: skip
HOSTS = {
    "west": {"local": "192.0.2.1", "remote": "192.0.2.2"},
    "east": {"local": "192.0.2.2", "remote": "192.0.2.1"},
}


def kinds_of(x: Any, payloads: list[tuple[int, Any]]) -> Iterator[int]:
    """Payload types; notifies that have a place of their own by their number."""
    drawn = DRAWN[x.script.name, x.step]
    for kind, value in payloads:
        if kind != P.NOTIFY:
            yield kind
        else:
            yield value.notify if value.notify in drawn else REST


def watched(host: Host, seen: list[tuple[tuple[str, int], list[int]]]) -> None:
    """Note each message as it is sealed, with what the dialect has added."""
    dialect: Any = host.daemon.engine.dialects["ikev2"]
    seal = dialect.seal

    def note(exchange: Any, message: Any) -> tuple[bytes, ...]:
        sealed: tuple[bytes, ...] = seal(exchange, message)
        at = exchange.script.name, exchange.step
        seen.append((at, list(kinds_of(exchange, message.payloads))))
        return sealed

    dialect.seal = note


def pair(
    tags: str, west: dict[str, Any], east: dict[str, Any], **both: Any
) -> tuple[Network, Host, Host]:
    one, other = gateways(tags, **both)
    net = Network()
    text = replace(other, **east).text()
    if OTHER in text:
        text = text.replace("connections= east-west", "connections= east-west, other")
    return net, net.host(replace(one, **west)), net.add(other.address, text)


def live(net: Network, west: Host, east: Host) -> None:
    """All kinds of exchanges, each begun by either side."""
    net.start()
    net.run(5)
    for host in (west, east):
        host.daemon.connections.rekey(child_of(host))
        net.run(5)
        host.daemon.keeper.rekey_sa(sa_of(host))
        net.run(5)
        host.daemon.engine.dialects["ikev2"].probe(host.daemon.engine, sa_of(host), 1)
        net.run(5)
        assert connected(west) and connected(east)
        agree(west, east)


OTHER = ("[other]\nPhase= 2\nISAKMP-peer= west\nConfiguration= phase-2\n"
         "Local-selectors= 10.8.0.0/16\nRemote-selectors= 10.1.0.0/16\n")  # fmt: skip
MORE = {"connection_tags": "Local-selectors= 10.1.0.0/16\n"
        "Remote-selectors= 10.2.0.0/16, 10.8.0.0/16"}  # fmt: skip
WORLDS: dict[str, Any] = {
    "plain": ("", {}, {}, {}),
    "cookie": ("", {}, {}, {"general": "Cookie-threshold= 0"}),
    "pfs": ("", {}, {}, {"connection_tags": "ESP-proposals= aes128gcm16-x25519\nIPComp= yes\n"
                         "TFC-padding= no\n"
                         "Non-first-fragments= yes"}),
    "narrowed": ("", {"connection_tags": "Local-selectors= 10.1.0.0/16, 10.9.0.0/16\n"
                      "Remote-selectors= 10.2.0.0/16"}, {}, {}),
    "more": ("", MORE, {"more": OTHER}, {}),
    "more, childless": ("Childless= force", MORE, {"more": OTHER}, {}),
    "transport": ("", HOSTS["west"], HOSTS["east"],
                  {"suites": "QM-ESP-TRP-AES-128-SHA2-256-SUITE"}),
    "idr": ("", {"peer_tags": "Key-exchange= ikev2\nRemote-ID= you",
                 "more": "[you]\nID-type= IPV4_ADDR\nAddress= 192.0.2.2"}, {}, {}),
    "childless": ("Childless= force\nWindow-size= 4", {}, {}, {}),
    "refused": ("", {"remote": "10.3.0.0/16"}, {}, {}),
}  # fmt: skip


@pytest.mark.parametrize("world", sorted(WORLDS))
def test_payloads_go_as_rfc_7296_draws_them(world: str) -> None:
    """RFC 7296 1.2, 1.3, 1.4, 2.6, C.1 to C.6."""
    tags, one, other, both = WORLDS[world]
    net, west, east = pair(tags, one, other, **both)
    seen: list[tuple[tuple[str, int], list[int]]] = []
    for host in (west, east):
        watched(host, seen)
    if world == "refused":
        net.start()
        net.run(5)
    else:
        live(net, west, east)
        sent = {at for at, _ in seen}
        assert sent == set(DRAWN)
        west.daemon.keeper.delete_sa(sa_of(west))
        net.run(1)
    for at, kinds in seen:
        places = [DRAWN[at].index(kind) for kind in kinds]
        assert places == sorted(places), (at, kinds)


def test_all_that_has_a_place_was_sent_in_some_world() -> None:
    """But what this version never sends."""
    found: list[tuple[tuple[str, int], list[int]]] = []
    for tags, one, other, both in WORLDS.values():
        net, west, east = pair(tags, one, other, **both)
        for host in (west, east):
            watched(host, found)
        net.start()
        net.run(5)
        for child in west.daemon.sas.all_children():
            west.daemon.connections.rekey(child)
        net.run(5)
    never = {P.VENDOR, P.CERT, P.CERTREQ, P.CP}
    for at, drawn in DRAWN.items():
        sent = {kind for where, kinds in found if where == at for kind in kinds}
        assert set(drawn) - never <= sent | {REST, P.DELETE}, (at, set(drawn) - never - sent)


@pytest.mark.parametrize("world", sorted(set(WORLDS) - {"refused"}))
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_payloads_may_come_in_any_order(world: str, seed: int) -> None:
    """RFC 7296 2.5: no message is refused for that. Seed 0: all of them backwards."""
    random = Random(seed)

    def shuffle(x: Any, message: Any) -> None:
        if seed:
            random.shuffle(message.payloads)
        else:
            message.payloads.reverse()

    tags, one, other, both = WORLDS[world]
    net, west, east = pair(tags, one, other, **both)
    for host in (west, east):
        change_sent(host, shuffle, 2)
    live(net, west, east)
    assert not {*west.reasons(), *east.reasons()} - {"narrowed"}


def test_pieces_go_in_order_and_what_they_hold_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7383 2.5: from 1 on; the first one alone names the first payload."""
    monkeypatch.setattr(fragments, "TRIES_V4", (260, 200))
    net, west, east = pair("", {}, {})
    live(net, west, east)
    pieces = [p for p in net.history if p.header.next_payload == P.SKF]
    assert pieces
    before = 0
    for piece in pieces:
        number, total = (int.from_bytes(piece.message[at : at + 2], "big") for at in (32, 34))
        assert number == before % total + 1
        assert (piece.message[28] != 0) is (number == 1)
        before = number % total
