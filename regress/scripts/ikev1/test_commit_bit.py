"""The commit bit, which no key protects: a forged one delays quick mode and no more."""

from __future__ import annotations

import pytest

from isakmp.constants import isakmp
from regress.pair import EAST, WEST, Network, Packet, agree, connected

FLAGS_AT = 19
Type = isakmp.Exchange


def forging(lost: int) -> Network:
    """A network that sets the bit in every answer of quick mode, and loses third messages."""
    net = Network()
    quick: list[bytes] = []

    def meddle(packet: Packet) -> bool:
        if packet.header.exchange_type != Type.QUICK_MODE:
            return False
        if packet.src == next(iter(net.hosts)):
            quick.append(packet.data)
            return packet.data != quick[0] and len(quick) <= 1 + lost
        message = bytearray(packet.data)
        message[FLAGS_AT] |= isakmp.Flag.COMMIT
        if bytes(message) != packet.data:
            net.flying.append(packet._replace(data=bytes(message)))
        return True

    net.lose = meddle
    return net


@pytest.mark.parametrize("lost", [0, 1, 3, 4])
def test_a_forged_commit_bit_does_not_keep_a_connection_down(lost: int) -> None:
    net = forging(lost)
    west, east = net.host(WEST), net.host(EAST)
    net.start()
    net.until(lambda: connected(west) and connected(east), 30)
    agree(west, east)
