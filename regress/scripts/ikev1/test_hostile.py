"""Whatever comes in, at any moment, encrypted with the right keys or not: nothing is raised,
nothing grows without bound, and the handshake still completes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from isakmp.constants import isakmp
from isakmp.crypto import keymat
from isakmp.exchange.bounds import Limits
from isakmp.exchange.candidates import leaves
from isakmp.message import HEADER_SIZE, Header, build_payloads, generic_header
from isakmp.payloads import family
from isakmp.payloads.data_attribute import DataAttribute
from isakmp.payloads.sa import SaValue, TransformValue
from isakmp.payloads.shapes import ProposalValue
from isakmp.scripts.ikev1.phase_1 import Phase1
from regress.pair import EAST, WEST, Host, Network, Packet, both, connected, stranger
from regress.payloads.values import VALUES

P = isakmp.Payload
CODECS = {codec.name: codec for codec in family(1).codecs.values()}  # type: ignore[union-attr]
# Shrinking whole handshakes takes minutes; a failing example is printed as it is.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
EXCHANGES = [0, 1, 2, 3, 4, 5, 6, 32, 33, 240]

good = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: VALUES[name].map(lambda value: (int(CODECS[name].type), CODECS[name].build(value)))
)
# A vector of a codec is a whole body that its RFC allows, so steps get to look into it.
vectors = st.sampled_from(
    [(codec.type, vector) for codec in CODECS.values() for vector in codec.vectors]
).map(lambda pair: (int(pair[0]), bytes.fromhex(pair[1][0])))
odd = st.tuples(st.integers(0, 255), st.binary(max_size=40))
chains = st.lists(st.one_of(good, vectors, vectors, odd), max_size=6)
moments = st.integers(0, 12)


def after(messages: int, exchange: str) -> tuple[Network, Host, Host]:
    """A handshake of which so many messages have been delivered."""
    net = Network()
    hosts = [net.host(gateway) for gateway in both(exchange=exchange)]
    net.start()
    for _ in range(messages):
        if net.flying:
            net.deliver(net.flying.popleft())
    return net, hosts[0], hosts[1]


def keys_and_iv(host: Host, message_id: int) -> tuple[Any, bytes, Header] | None:
    """What a peer that knows the keys would encrypt with now."""
    engine = host.daemon.engine
    for exchange in [leaves(x)[-1] for x in engine.exchanges.values()]:
        state = exchange.state
        if exchange.message_id == message_id == 0 and isinstance(state, Phase1) and state.keys:
            keys, iv = state.keys, exchange.protection
            return keys, iv, _header(exchange.cky_i, exchange.cky_r)
        if message_id and exchange.message_id == message_id and exchange.sa is not None:
            keys = exchange.sa.keys
            iv = exchange.protection or keys.phase_2_iv(message_id)
            return keys, iv, _header(exchange.cky_i, exchange.cky_r)
    for sa in engine.sas.isakmp.values():
        iv = sa.keys.phase_2_iv(message_id)
        return sa.keys, iv, _header(sa.cky_i, sa.cky_r)
    return None


def _header(cky_i: bytes, cky_r: bytes) -> Header:
    return Header(cky_i, cky_r, 0, 1, 0, 0, 0, 0, 0)


def forge(
    host: Host, exchange_type: int, message_id: int, chain: list[tuple[int, bytes]], proved: bool,
    encrypted: bool, flags: int = 0,
) -> bytes:  # fmt: skip
    """A message of those payloads, with a HASH that proves the sender and encrypted, if so."""
    known = keys_and_iv(host, message_id)
    first, body = build_payloads(1, chain) if chain else (0, b"")
    if known is None:
        header = _header(b"attacker", bytes(8))
        encrypted = False
    else:
        keys, iv, header = known
        if proved:
            value = keymat.quick_hash_1(keys.prf, keys.skeyid_a, message_id, body)
            first, body = P.HASH, generic_header(first, value) + value + body
        if encrypted:
            body, _ = keys.encrypt(iv, body)
    header = header._replace(
        next_payload=first, exchange_type=exchange_type, message_id=message_id,
        flags=flags | encrypted, length=HEADER_SIZE + len(body),
    )  # fmt: skip
    return header.pack() + body


def survives(net: Network, west: Host, east: Host) -> None:
    """It all comes up yet, once the noise has ended."""
    for host in (west, east):
        assert len(host.daemon.engine.exchanges) <= Limits().exchanges + 100
    net.until(lambda: connected_at_least(west) and connected_at_least(east), 400)
    net.run(200)
    for host in (west, east):
        assert not any("bug" in line for line in host.lines)
        assert len(host.daemon.sas.isakmp) <= 2
        assert not host.daemon.engine.half_open
        assert not host.app.larval


def connected_at_least(host: Host) -> bool:
    return bool(
        [r for r in host.rows(1) if r["state"] == "established"]
        and [r for r in host.rows(2) if r["state"] == "established"]
    )


@given(
    st.sampled_from(["ID_PROT", "AGGRESSIVE"]), moments,
    st.lists(
        st.tuples(
            st.booleans(), st.sampled_from(EXCHANGES), st.sampled_from(["", "new", "running"]),
            chains, st.booleans(), st.booleans(), st.integers(0, 3),
        ),
        min_size=1, max_size=5,
    ),
)  # fmt: skip
@settings(max_examples=60, deadline=None, phases=PHASES)
def test_any_payloads_in_any_message_of_any_exchange(
    exchange: str, moment: int, forgeries: list[Any]
) -> None:
    net, west, east = after(moment, exchange)
    for to_west, kind, which, chain, proved, encrypted, flags in forgeries:
        victim, source = (west, "192.0.2.2") if to_west else (east, "192.0.2.1")
        ids = [x.message_id for x in victim.daemon.engine.exchanges.values()]
        message_id = {"": 0, "new": 77, "running": ids[0] if ids else 5}[which]
        data = forge(victim, kind, message_id, chain, proved, encrypted, flags << 1)
        net.deliver(stranger(data, victim, source))
    survives(net, west, east)


@given(
    st.sampled_from(["ID_PROT", "AGGRESSIVE"]), moments,
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 400), st.integers(1, 255), st.booleans()),
        min_size=1, max_size=12,
    ),
)  # fmt: skip
@settings(max_examples=50, deadline=None, phases=PHASES)
def test_mutated_and_truncated_copies(exchange: str, moment: int, changes: list[Any]) -> None:
    net, west, east = after(moment, exchange)
    for number, at, bits, cut in changes:
        packet = net.history[number % len(net.history)]
        data = bytearray(packet.data)
        data[at % len(data)] ^= bits
        if cut:
            data = data[: at % len(data)]
        net.deliver(packet._replace(data=bytes(data)))
    survives(net, west, east)


@given(moments, st.lists(st.binary(max_size=120), max_size=10))
@settings(max_examples=30, deadline=None, phases=PHASES)
def test_random_datagrams(moment: int, datagrams: list[bytes]) -> None:
    net, west, east = after(moment, "ID_PROT")
    for data in datagrams:
        for port in (500, 4500):
            packet = stranger(data, east, "192.0.2.1")
            net.deliver(packet._replace(dport=port))
        head = net.history[-1].data[:HEADER_SIZE]
        net.deliver(stranger(head[:24] + (28 + len(data)).to_bytes(4, "big") + data, west))
    survives(net, west, east)


def test_a_peer_with_keys_cannot_begin_exchanges_without_bound() -> None:
    net, west, east = after(12, "ID_PROT")
    net.run(1)
    for number in range(1, 2000):
        body = [(int(P.NONCE), b"12345678"), (int(P.SA), bytes.fromhex(SA_BODY))]
        data = forge(east, 32, number, body, True, True)
        net.deliver(stranger(data, east, "192.0.2.1"))
    assert len(east.daemon.engine.exchanges) <= Limits().exchanges
    assert len(east.daemon.engine.outcomes.own) <= 256
    (sa,) = east.daemon.sas.isakmp.values()
    assert len(sa.ids.answered) <= 16
    assert len(east.timers.pending()) < 1000
    net.run(200)
    assert connected_at_least(west)
    assert not east.app.larval


def quick_mode_1(net: Network, host: Host) -> Packet:
    """The first message of the host's first quick mode, from somebody who has recorded it."""
    packet = next(p for p in net.history if p.src == host.address and p.header.exchange_type == 32)
    return packet._replace(src=ip_address("198.51.100.9"))


def test_a_quick_mode_that_failed_is_not_begun_again_by_its_record() -> None:
    """Who can would be answered at its own address, and keep a dead peer alive."""
    net = Network()
    west, east = (net.host(gateway) for gateway in both())
    net.lose = lambda packet: packet.src == east.address and packet.header.exchange_type == 32
    net.start()
    net.run(0.5)
    net.lose = lambda packet: packet.src == west.address
    net.run(30)
    assert east.reasons() == ["timeout"]
    (sa,) = east.daemon.sas.isakmp.values()
    heard, sent = sa.last_heard, len(net.history)
    net.deliver(quick_mode_1(net, west))
    assert not east.daemon.engine.exchanges
    assert sa.last_heard == heard
    assert len(net.history) == sent


def test_a_quick_mode_that_was_refused_is_refused_again_in_the_same_words() -> None:
    net = Network()
    west, east = net.host(replace(WEST, remote="10.9.0.0/16")), net.host(EAST)
    net.start()
    net.run(1.5)
    (sa,) = east.daemon.sas.isakmp.values()
    used, ended = len(sa.ids.used), len(east.outcomes)
    net.deliver(quick_mode_1(net, west))
    (first, again) = [
        p for p in net.history if p.src == east.address and p.header.exchange_type == 5
    ]
    assert again == first
    assert (len(sa.ids.used), len(east.outcomes)) == (used, ended)


SA_BODY = "0000000100000001" + "00000028010304014142434400" + "00001c010c0000" + "80040001" * 5


def test_a_flood_of_first_messages_does_not_keep_the_peer_out() -> None:
    net = Network()
    west, east = (net.host(gateway) for gateway in both())
    east.daemon.start()
    west.daemon.start()
    hello = net.history[0]
    for number in range(1, 3000):
        data = number.to_bytes(8, "big") + hello.data[8:]
        net.deliver(Packet(hello.src, 1000 + number % 50, hello.dst, 500, data))
    assert len(east.daemon.engine.half_open) <= 100
    net.run(60)
    net.until(lambda: connected(west) and connected(east), 60)


def test_a_strangers_refusal_is_one_short_line_and_told_whole_elsewhere() -> None:
    offered = [
        f"AES-{b}-{h}-GRP{g}" for b in (128, 192) for h in ("SHA", "MD5") for g in (2, 5, 14)
    ]
    net = Network()
    west = net.host(replace(WEST, transforms=",".join(offered)))
    east = net.host(EAST)
    east.daemon.start()
    west.daemon.start()
    net.pump()
    (line,) = [line for line in east.lines if "refused:" in line]
    assert "no-proposal-chosen" in line and line.count("tried:") == 1
    assert len(line) < 1200
    (outcome,) = east.outcomes
    assert len(outcome["reason"]["misses"]) > 1
    assert len(str(outcome["reason"])) > 1200


@pytest.mark.parametrize("level", [0, 99])
@pytest.mark.parametrize("kind", range(1, 18))
def test_a_number_of_thousands_of_digits_is_refused_and_told(kind: int, level: int) -> None:
    """Anybody can offer one in two lines, and Python does not write it."""
    net = Network()
    east = net.host(both()[1])
    east.log.set_level(None, level)
    net.start()
    said = {1: 7, 2: 4, 3: 1, 4: 31, 11: 1, 12: 300} | {kind: b"\xff" * 2000}
    attributes = [DataAttribute(number, value) for number, value in said.items()]
    transform = TransformValue(1, 1, tuple(attributes))
    offer = ProposalValue(1, 1, b"", (transform,))
    first, chain = build_payloads(1, [(P.SA, SaValue(1, 1, (offer,)))])
    header = Header(b"stranger", bytes(8), first, 1, 0, 2, 0, 0, HEADER_SIZE + len(chain))
    net.deliver(stranger(header.pack() + chain, east, WEST.address))
    assert level == 0 or "received" in east.said
    (outcome,) = east.outcomes
    assert "no-proposal-chosen" in str(outcome["reason"])
