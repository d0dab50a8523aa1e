"""Forged messages that come before the true one: none of them ends an exchange, or leaves a trace.

RFC 2409 5.4 and 5.5, RFC 7296 2.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from isakmp.constants import isakmp
from isakmp.exchange.candidates import family
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
