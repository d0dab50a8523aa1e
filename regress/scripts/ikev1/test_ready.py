"""A child SA sends once its peer can have it: RFC 2409 5.5, the commit bit of RFC 2408 3.1."""

from __future__ import annotations

import pytest

from isakmp.constants import isakmp
from isakmp.keeper.children import TAKE_OVER_S
from regress.pair import EAST, WEST, Host, Network, Packet, agree, up
from regress.traffic import flows

FLAGS_AT = 19
QUICK = isakmp.Exchange.QUICK_MODE


def ways(host: Host) -> tuple[bool, bool]:
    """Whether a host has an SA to receive with, and one to send with."""
    sas = host.app.sas.values()
    return any(sa.inbound for sa in sas), any(not sa.inbound for sa in sas)


def test_each_end_can_receive_before_the_other_one_may_send() -> None:
    """RFC 2409 5.5: the initiator may send after its last message, the responder upon it."""
    net = Network()
    west, east = net.host(WEST), net.host(EAST)
    seen: list[tuple[tuple[bool, bool], tuple[bool, bool]]] = []

    def note(packet: Packet) -> bool:
        if packet.header.exchange_type == QUICK:
            seen.append((ways(west), ways(east)))
        return False

    net.lose = note
    net.start()
    net.run(1)
    neither, receives = (False, False), (True, False)
    assert seen == [(neither, neither), (neither, receives), (receives, receives)]
    assert ways(west) == ways(east) == (True, True)


def test_the_responder_sends_only_once_it_has_the_last_message() -> None:
    net = Network()
    west, east = net.host(WEST), net.host(EAST)
    sent: list[Packet] = []

    def no_third(packet: Packet) -> bool:
        if packet.header.exchange_type == QUICK and packet.src == west.address:
            sent.append(packet)
            return len(sent) in (2, 3)
        return False

    net.lose = no_third
    net.start()
    net.run(0.5)
    assert ways(west) == (True, True), "its peer has had the SA since the second message"
    assert ways(east) == (True, False)
    net.run(10)
    assert len(sent) > 3
    agree(west, east)
    assert flows(west, east)


@pytest.mark.parametrize("who", ["initiator", "responder"])
@pytest.mark.parametrize("lost", [0, 1, 2])
@pytest.mark.parametrize("commit", [False, True], ids=["", "commit"])
def test_a_successor_sends_once_the_peer_has_it(who: str, lost: int, commit: bool) -> None:
    """Until then its predecessor does: the peer's stack takes a policy for one reqid alone."""
    net, west, east = up()
    host, name = (west, "west-east") if who == "initiator" else (east, "east-west")
    other = east if host is west else west
    before = {spec.spi for spec in host.app.sas.values() if not spec.inbound}
    last: list[Packet] = []

    def meddle(packet: Packet) -> bool:
        if packet.header.exchange_type != QUICK:
            return False
        if packet.src == host.address:
            last.append(packet)
            return 2 <= len(last) <= 1 + lost
        message = bytearray(packet.data)
        message[FLAGS_AT] |= isakmp.Flag.COMMIT * commit
        if bytes(message) != packet.data:
            net.flying.append(packet._replace(data=bytes(message)))
        return bytes(message) != packet.data

    net.lose = meddle
    began = net.now
    host.daemon.rekey(name, "quick")
    for _ in range(400):
        net.run(0.05)
        assert flows(west, east)
        news = [s for s in host.app.sas.values() if not s.inbound and s.spi not in before]
        ready = any(row["spi_in"] == f"0x{s.spi:08x}" for s in news for row in other.rows(2))
        assert not news or ready or net.now - began >= TAKE_OVER_S
    assert news and not before & {s.spi for s in host.app.sas.values()}
    agree(west, east)
