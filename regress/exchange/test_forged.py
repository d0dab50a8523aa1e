"""Forged messages that come before the true one: none of them ends an exchange, or leaves a trace.

RFC 2409 5.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from isakmp.constants import isakmp
from isakmp.exchange.candidates import family
from isakmp.message import HEADER_SIZE
from regress.pair import WEST, Network, Packet, agree, both, connected
from regress.test_amplification import chain, message

P = isakmp.Payload
HERE_OR_ELSEWHERE = pytest.mark.parametrize("elsewhere_s", [None, 0.05], ids=["here", "elsewhere"])


@dataclass
class Forger:
    """Sends messages of its own just before each true one that it cares for, which follows
    ``lead_s`` later. most: how many times."""

    net: Network
    cares: Callable[[Packet], bool]
    forge: Callable[[Packet], list[Packet]]
    lead_s: float = 0.0
    most: int = 1000
    count: int = 0
    late: list[Packet] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.net.lose = self.lose

    def lose(self, packet: Packet) -> bool:
        if packet in self.late or self.count >= self.most or not self.cares(packet):
            return False
        self.count += 1
        self.net.flying.extend(self.forge(packet))
        if not self.lead_s:
            return False
        self.late.append(packet)
        host = self.net.hosts[packet.src]
        host.timers.add("late", self.lead_s, self.net.flying.append, packet)
        return True


# --- a public value that is not in the group -------------------------------------------------

ORDER_8 = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"
VALUES = {
    "zero": ("14", bytes(256)),
    "one": ("14", bytes(255) + b"\1"),
    "ones": ("14", b"\xff" * 256),
    "zeros of X25519": ("31", bytes(32)),
    "order 8": ("31", bytes.fromhex(ORDER_8)),
    "no point": ("19", b"\xff" * 64),
}


def is_message_3(packet: Packet) -> bool:
    """Of main mode, with KE; message 4 comes from the other end."""
    header = packet.header
    clear = header.exchange_type == isakmp.Exchange.ID_PROT and header.next_payload == P.KE
    return clear and str(packet.src) == WEST.address


def with_value(value: bytes) -> Callable[[Packet], list[Packet]]:
    def forge(packet: Packet) -> list[Packet]:
        header = packet.header
        forged = message(1, isakmp.Exchange.ID_PROT, chain((P.KE, value), (P.NONCE, bytes(16))),
                         cky_i=header.cky_i, cky_r=header.cky_r)  # fmt: skip
        return [packet._replace(data=forged)]

    return forge


@HERE_OR_ELSEWHERE
@pytest.mark.parametrize("lead_s", [0.0, 0.02, 0.2], ids=["just before", "earlier", "much earlier"])
@pytest.mark.parametrize("value", VALUES)
def test_a_value_outside_the_group_in_main_modes_third_message(
    value: str, lead_s: float, elsewhere_s: float | None
) -> None:
    """Message 4 has left when it shows: the true message 3 is followed all the same."""
    group, public = VALUES[value]
    net = Network()
    west, east = (net.host(gateway, elsewhere_s=elsewhere_s)
                  for gateway in both(transforms=f"AES-256-SHA2-256-GRP{group}"))  # fmt: skip
    forger = Forger(net, is_message_3, with_value(public), lead_s)
    net.start()
    net.run(2)
    assert forger.count
    assert connected(west) and connected(east)
    agree(west, east)
    assert not west.reasons() + east.reasons()
    assert not west.daemon.engine.exchanges and not east.daemon.engine.exchanges


def test_what_such_values_cost_is_bounded_and_nothing_of_them_stays() -> None:
    """Each is answered, so that the next one has to wait for its turn."""
    net = Network()
    _, east = (net.host(gateway) for gateway in both())
    begun: list[Packet] = []

    def lose(packet: Packet) -> bool:
        begun.extend([packet] if is_message_3(packet) else [])
        return is_message_3(packet)

    net.lose = lose
    net.start()
    net.run(0.1)
    nonces = [bytes([one]) * 16 for one in range(60)]
    sent = len([p for p in net.history if p.src == east.address])
    for nonce in nonces:
        (forged,) = with_value(bytes(32))(begun[0])
        net.flying.append(forged._replace(data=forged.data[:-16] + nonce))
    net.run(0.4)
    (root,) = east.daemon.engine.exchanges.values()
    assert len([p for p in net.history if p.src == east.address]) == sent + 1
    assert len(family(root)) == 1
    assert root.hint is not None and root.hint.cause == "invalid-key-information"
    net.run(0.3)
    assert len([p for p in net.history if p.src == east.address]) <= sent + 9


# --- a bit of what is encrypted --------------------------------------------------------------

BLOCK = 16
MODES: dict[str, dict[str, Any]] = {"main": {}, "aggressive": {"exchange": "AGGRESSIVE"}}
LAST = {"main": 80, "aggressive": 144}


def is_encrypted(packet: Packet) -> bool:
    """Of phase 1, from west."""
    header = packet.header
    phase_1 = header.exchange_type in (isakmp.Exchange.ID_PROT, isakmp.Exchange.AGGRESSIVE)
    return phase_1 and bool(header.flags & 1) and str(packet.src) == WEST.address


def flipped(at: int) -> Callable[[Packet], list[Packet]]:
    def forge(packet: Packet) -> list[Packet]:
        data = bytearray(packet.data)
        assert HEADER_SIZE + at < len(data) - BLOCK
        data[HEADER_SIZE + at] ^= 1
        return [packet._replace(data=bytes(data))]

    return forge


@pytest.mark.parametrize("lead_s", [0.0, 0.02], ids=["just before", "earlier"])
@pytest.mark.parametrize(
    ("mode", "at"), [(m, at) for m, size in LAST.items() for at in range(0, size - BLOCK, 4)]
)
def test_a_bit_of_the_initiators_proof_proves_nothing(mode: str, at: int, lead_s: float) -> None:
    """RFC 2409 5: CBC is malleable, and only a HASH that fits is the peer's. No HASH covers the
    last block, which is the next message's IV."""
    net = Network()
    west, east = (net.host(gateway) for gateway in both(**MODES[mode]))
    forger = Forger(net, is_encrypted, flipped(at), lead_s)
    net.start()
    net.run(2)
    assert forger.count == 1
    assert connected(west) and connected(east)
    agree(west, east)
    assert not west.reasons() + east.reasons()


@pytest.mark.parametrize(("mode", "at"), [("main", 20), ("aggressive", 80)])
def test_a_hash_that_does_not_fit_is_the_reason_where_nothing_better_comes(
    mode: str, at: int
) -> None:
    """The peer is told once, in clear, and the exchange ends by its time."""
    net = Network()
    east = net.host(both(**MODES[mode])[1])
    net.host(both(**MODES[mode])[0])
    forger = Forger(net, is_encrypted, flipped(at), 1000.0)
    net.start()
    net.run(0.5)
    (line,) = [line for line in east.lines if "does not fit our pre-shared key" in line]
    assert "its HASH does not verify" in line
    told = [p for p in net.history if p.header.exchange_type == isakmp.Exchange.INFO]
    assert forger.count == 1 and not east.reasons()
    assert [p.src for p in told if not p.header.flags & 1] == [east.address]
    net.lose = lambda packet: str(packet.src) == WEST.address
    net.run(140)
    failed = [o["reason"] for o in east.outcomes if not o["ok"]]
    assert failed and failed[0]["cause"] == "authentication-failed"
    assert "[west]:Authentication" in failed[0]["line"]


def test_who_has_the_secret_and_another_name_is_refused_at_once() -> None:
    """What the HASH covers is judged once it has been verified."""
    net = Network()
    west, east = both(peer_tags="Remote-ID= you", more="[you]\nID-type= FQDN\nName= you.example\n")
    net.host(replace(west, peer_tags=""))
    far = net.host(east)
    net.start()
    net.run(1)
    assert far.reasons() == ["wrong-identity"]
