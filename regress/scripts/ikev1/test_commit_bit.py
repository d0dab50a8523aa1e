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


@pytest.mark.parametrize("who", ["west", "east"])
def test_an_sa_that_ends_while_the_confirmation_is_missing_loses_no_child_sa(who: str) -> None:
    net = forging(0)
    west, east = net.host(WEST), net.host(EAST)
    net.start()
    net.until(lambda: bool(east.rows(2)), 30)
    assert not west.rows(2), "it waits for CONNECTED, which nobody sends"
    host = west if who == "west" else east
    (sa,) = host.daemon.sas.isakmp.values()
    host.daemon.keeper.delete_sa(sa)
    net.run(1)
    (ours,), (theirs,) = west.rows(2), east.rows(2)
    assert (ours["spi_in"], ours["spi_out"]) == (theirs["spi_out"], theirs["spi_in"])


def test_a_dead_peer_has_no_child_sa_for_want_of_a_confirmation() -> None:
    net = forging(0)
    west, east = net.host(WEST), net.host(EAST)
    net.start()
    net.until(lambda: bool(east.rows(2)), 30)
    (sa,) = west.daemon.sas.isakmp.values()
    west.daemon.keeper.liveness.dead(sa, "it was played so")
    assert not west.rows(2)


@pytest.mark.parametrize("slow", [False, True], ids=["", "slow stack"])
def test_the_same_answer_without_the_bit_ends_the_wait(slow: bool) -> None:
    """Who only sees the answer go by can be first with the bit set, and cannot keep the true one
    from coming behind it."""
    net = Network()
    west, east = net.host(WEST), net.host(EAST)

    def be_first(packet: Packet) -> bool:
        if packet.header.exchange_type == Type.QUICK_MODE and packet.src == east.address:
            message = bytearray(packet.data)
            message[FLAGS_AT] |= isakmp.Flag.COMMIT
            net.flying.append(packet._replace(data=bytes(message)))
        return False

    net.lose = be_first
    net.start()
    if slow:
        west.app.held = []
        for _ in range(20):
            net.run(0.05)
            west.app.release(1)
        west.app.held = None
    net.run(1.5)
    assert connected(west) and connected(east), west.said
    agree(west, east)
    assert "the commit bit of its answer may be forged" in west.said
