"""Phase 1 with messages that somebody has changed on the way: what is refused, and why."""

from __future__ import annotations

from typing import Any

import pytest

from isakmp.constants import isakmp
from isakmp.message import HEADER_SIZE, Message, build_message, build_payloads, parse_payloads
from isakmp.payloads.sa import SaValue, TransformValue
from isakmp.payloads.shapes import ProposalValue
from isakmp.policy.match import values
from isakmp.scripts.ikev1.phase_1 import life_attributes
from regress.pair import Host, Network, Packet, agree, both, connected

P = isakmp.Payload


def changed(packet: Packet, kind: int, body: Any) -> Packet:
    """The message with another body (or value) in its payloads of that type; None: without."""
    header = packet.header
    payloads, _ = parse_payloads(1, header.next_payload, packet.message[HEADER_SIZE:])
    pairs = [(p.type, body if p.type == kind else p.body) for p in payloads]
    first, chain = build_payloads(1, [(t, b) for t, b in pairs if b is not None])
    header = header._replace(next_payload=first, length=HEADER_SIZE + len(chain))
    return packet._replace(data=header.pack() + chain)


def stopped_before(number: int, exchange: str = "ID_PROT") -> tuple[Network, Host, Host, Packet]:
    """Everything up to that message (from 0), which is not delivered but returned."""
    net = Network()
    net.lose = lambda packet: len(net.history) == number + 1
    west, east = (net.host(gateway) for gateway in both(exchange=exchange))
    net.start()
    net.pump()
    return net, west, east, net.history[number]


def identity(kind: int, data: bytes, protocol: int = 0, port: int = 0) -> bytes:
    return bytes([kind, protocol]) + port.to_bytes(2, "big") + data


SA = SaValue(9, 1, (ProposalValue(1, 1, b"", (TransformValue(1, 1, ()),)),))
TWO = SaValue(1, 1, SA.proposals * 2)


@pytest.mark.parametrize(
    ("exchange", "number", "kind", "body", "said"),
    [
        ("ID_PROT", 2, P.KE, bytes(32), "invalid-key-information"),
        ("ID_PROT", 3, P.KE, bytes(32), "invalid-key-information"),
        ("ID_PROT", 2, P.KE, b"x" * 31, "the public value has 31 octets"),
        ("ID_PROT", 3, P.KE, b"x" * 33, "the public value has 33 octets"),
        ("ID_PROT", 2, P.NONCE, b"x" * 7, ""),
        ("ID_PROT", 3, P.NONCE, b"x" * 257, ""),
        ("ID_PROT", 2, P.NONCE, None, "lacks NONCE"),
        ("ID_PROT", 0, P.SA, TWO, "no-proposal-chosen"),
        ("ID_PROT", 1, P.SA, TWO, "holds more than one transform"),
        (
            "AGGRESSIVE",
            0,
            P.ID,
            identity(77, b"what"),
            "identity type UNKNOWN(77) is not taken; mend: set an ID of another type at the peer",
        ),
        ("AGGRESSIVE", 0, P.ID, identity(1, b"\1\2\3\4", 6, 80), "protocol and port must be"),
        ("AGGRESSIVE", 0, P.ID, None, "lacks ID"),
        ("AGGRESSIVE", 0, P.KE, bytes(32), "invalid-key-information"),
        ("AGGRESSIVE", 1, P.KE, bytes(32), "invalid-key-information"),
        ("AGGRESSIVE", 1, P.HASH, bytes(32), "its HASH does not verify"),
        ("AGGRESSIVE", 1, P.HASH, bytes(5), "its HASH does not verify"),
    ],
)
def test_what_is_wrong_is_refused_and_the_real_message_still_counts(
    exchange: str, number: int, kind: int, body: Any, said: str
) -> None:
    """RFC 2408 5.3, 5.5 to 5.8, 5.11 and 5.13."""
    net, west, east, packet = stopped_before(number, exchange)
    victim = west if packet.dst == west.address else east
    net.deliver(changed(packet, kind, body))
    shown = str([row["reason"] for row in victim.daemon.status()["exchanges"]])
    assert said in victim.said + shown
    assert not victim.rows(1)
    net.deliver(packet)
    net.until(lambda: connected(west) and connected(east), 200)
    assert said in victim.said
    agree(west, east)


@pytest.mark.parametrize("exchange", ["ID_PROT", "AGGRESSIVE"])
@pytest.mark.parametrize("number", [0, 1])
def test_several_sas_in_phase_1_are_refused(exchange: str, number: int) -> None:
    """RFC 2409 5: there must not be several."""
    net, west, east, packet = stopped_before(number, exchange)
    victim = west if packet.dst == west.address else east
    header, (first, *others) = packet.header, Message.parse(packet.message).payloads
    items = [(p.type, p.body) for p in (first, first, *others)]
    net.deliver(packet._replace(data=build_message(header, items)))
    shown = str([row["reason"] for row in victim.daemon.status()["exchanges"]])
    assert "several SAs" in victim.said + shown
    net.deliver(packet)
    net.until(lambda: connected(west) and connected(east), 60)


def test_another_domain_of_interpretation() -> None:
    net, west, east, packet = stopped_before(0)
    chain = bytes.fromhex("00000009000000010000001001010001") + bytes(20)
    data = bytearray(changed(packet, P.SA, chain).data)
    net.deliver(packet._replace(data=bytes(data)))
    assert not east.rows(1)
    net.deliver(packet)
    net.until(lambda: connected(west), 60)


def test_an_encrypted_message_before_there_are_keys_is_dropped() -> None:
    net, west, east, packet = stopped_before(2)
    data = bytearray(packet.data)
    data[19] = 1
    net.deliver(packet._replace(data=bytes(data)))
    net.deliver(packet)
    net.until(lambda: connected(west) and connected(east), 60)


@pytest.mark.parametrize("at", [17, 18, 20, 23])
def test_headers_that_do_not_belong_are_dropped(at: int) -> None:
    """RFC 2408 5.2: Another version, exchange type, or message ID."""
    net, west, east, packet = stopped_before(2)
    data = bytearray(packet.data)
    data[at] ^= 0x30
    net.deliver(packet._replace(data=bytes(data)))
    net.deliver(packet)
    net.until(lambda: connected(west) and connected(east), 60)


def test_cookies_of_nobody_are_dropped() -> None:
    """RFC 2408 5.2."""
    net, west, east, packet = stopped_before(2)
    for cookies in (bytes(16), b"x" * 16, packet.data[:8] + b"x" * 8, bytes(8) + b"x" * 8):
        net.deliver(packet._replace(data=cookies + packet.data[16:]))
    net.deliver(packet)
    net.until(lambda: connected(west) and connected(east), 60)
    assert east.daemon.engine.counters["dropped"] >= 4


def test_an_exchange_type_that_cannot_begin_is_refused_with_a_reason() -> None:
    net, west, east, packet = stopped_before(0)
    for kind in (0, 1, 3, 6, 32, 33):
        data = bytearray(packet.data)
        data[18] = kind
        data[0] = kind + 1
        net.deliver(packet._replace(data=bytes(data)))
    assert "unsupported-exchange-type" in east.said
    assert "acceptable: main mode, aggressive mode" in east.said
    assert not east.daemon.engine.exchanges
    assert west.address


@pytest.mark.parametrize("amount", [1, 0xFFFF, 0x10000, (1 << 32) - 1, 1 << 32, 5 << 30, 1 << 52])
def test_a_lifetime_of_any_size_is_said_and_read(amount: int) -> None:
    """RFC 2408 3.3."""
    attributes = life_attributes(11, 12, 3600, amount)
    assert values(attributes, 11, 12)[1:] == (3600, amount)
