"""The commit bit, which no key protects: a forged one delays quick mode and no more."""

from __future__ import annotations

import pytest

from isakmp import deletes
from isakmp.constants import isakmp
from isakmp.sa import State
from regress.pair import EAST, WEST, Host, Network, Packet, agree, both, connected

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


PFS = {"suites": "QM-ESP-AES-128-SHA2-256-PFS-GRP31-SUITE"}


def answers_of(net: Network, host: Host, flags: int) -> None:
    """Copies of that host's answers of quick mode, with these flags, come before them."""

    def be_first(packet: Packet) -> bool:
        if packet.header.exchange_type == Type.QUICK_MODE and packet.src == host.address:
            message = bytearray(packet.data)
            message[FLAGS_AT] |= flags
            net.flying.append(packet._replace(data=bytes(message)))
        return False

    net.lose = be_first


@pytest.mark.parametrize("flags", [2, 2 | 4, 2 | 8, 2 | 0xF8])
@pytest.mark.parametrize("work", [None, 0.05, 0.4], ids=["", "fast workers", "slow workers"])
def test_the_same_answer_without_the_bit_counts_while_its_copy_is_looked_at(
    work: float | None, flags: int
) -> None:
    """The rest of the header is no more protected than the bit is: the message is the same."""
    net = Network()
    west, east = (net.host(gateway, elsewhere_s=work) for gateway in both(**PFS))
    answers_of(net, east, flags)
    net.start()
    net.until(lambda: bool(east.rows(2)), 10)
    assert connected(west) and connected(east), "at once: no confirmation is waited for"
    agree(west, east)
    assert "the commit bit of its answer may be forged" in west.said
    net.run(30)
    assert "without its confirmation" not in west.said or work is None


def waiting_for_confirmation() -> tuple[Network, Host, Host]:
    """West's first exchange has an answer whose bit was set on its way, in the only copy."""
    net = Network()
    west, east = (net.host(gateway) for gateway in both(**PFS))
    done: list[bytes] = []

    def meddle(packet: Packet) -> bool:
        if packet.header.exchange_type != Type.QUICK_MODE or packet.src != east.address or done:
            return False
        message = bytearray(packet.data)
        message[FLAGS_AT] |= isakmp.Flag.COMMIT
        done.append(packet.data)
        net.flying.append(packet._replace(data=bytes(message)))
        return True

    net.lose = meddle
    net.start()
    net.run(1.5)
    assert east.rows(2) and not west.rows(2)
    return net, west, east


def test_what_the_peer_deletes_while_its_confirmation_is_waited_for_does_not_come_up() -> None:
    net, west, east = waiting_for_confirmation()
    (child,) = east.daemon.sas.all_children()
    spi = child.protocols[0].spi_in
    east.daemon.keeper.children.delete_child(child)
    net.run(0.5)
    assert west.reasons()[-1:] == ["sa-gone"]
    net.run(30)
    assert connected(west) and connected(east), "it is begun anew"
    agree(west, east)
    assert spi not in {name.spi for name in west.app.sas}


def test_a_delete_under_the_next_isakmp_sa_is_heeded_as_well() -> None:
    net, west, east = waiting_for_confirmation()
    (sa,), (child,) = west.daemon.sas.isakmp.values(), east.daemon.sas.all_children()
    west.daemon.engine.dialects["ikev1"].rekey_sa(west.daemon.engine, sa)
    net.run(0.5)
    newest = max(east.daemon.sas.isakmp.values(), key=lambda each: each.established)
    assert len(east.daemon.sas.isakmp) == 2 and deletes.hearers(east.daemon.sas, child) == [newest]
    east.daemon.keeper.children.delete_child(child)
    net.run(0.5)
    assert west.reasons()[-1:] == ["sa-gone"]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_concluded_without_its_confirmation_succeeds_nothing_that_came_after_it(
    seed: int,
) -> None:
    """Whichever has the lower nonce: the peer took the later one for the successor long ago."""
    net, west, east = waiting_for_confirmation()
    (sa,), (old,) = east.daemon.sas.isakmp.values(), east.daemon.sas.all_children()
    for _ in range(seed):
        east.random(1)
    east.daemon.engine.dialects["ikev1"].begin_child(east.daemon.engine, sa, old.connection, old)
    net.lose = lambda packet: packet.header.exchange_type == Type.INFO
    net.run(2)
    (newer,) = west.daemon.sas.all_children()
    net.until(lambda: len(west.daemon.sas.all_children()) == 2, 30)
    late = next(c for c in west.daemon.sas.all_children() if c is not newer)
    assert late.created < newer.created < late.established
    assert late.state is State.SUPERSEDED and newer.state is State.ESTABLISHED
    assert late.receives_only and not newer.receives_only
    net.lose = lambda packet: False
    net.run(120)
    assert connected(west) and connected(east)
    agree(west, east)
