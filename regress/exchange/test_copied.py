"""True messages, sent on from somewhere else before they come: what is made stays with the peer.

RFC 7296 2.11 and 2.23, RFC 3947 4 and 7. Without a NAT a peer is where its first message came from;
an answer goes to where its request came from, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest

from isakmp.constants import ikev2
from isakmp.message import parse_header
from regress.observer import edited, is_clear
from regress.pair import Host, Network, Packet, agree, both, connected
from regress.scripts.ikev2.pairs import gateways
from regress.scripts.ikev2.test_twins import with_more

ELSEWHERE = ip_address("203.0.113.9")
HERE_OR_ELSEWHERE = pytest.mark.parametrize("elsewhere_s", [None, 0.05], ids=["here", "elsewhere"])
# What a handshake has of messages, and one more.
MESSAGES = {"ikev2": 5, "main": 10, "aggressive": 7}
MODES = {
    "ikev2": gateways(),
    "main": both(),
    "aggressive": both(exchange="AGGRESSIVE"),
}
COPIES: dict[str, Callable[[Packet], Packet]] = {
    "another address": lambda p: p._replace(src=ELSEWHERE),
    "another port": lambda p: p._replace(sport=1234),
    "port 4500": lambda p: p._replace(sport=4500),
    "another address, marked": lambda p: marked(p)._replace(src=ELSEWHERE),
    "another port, marked": lambda p: marked(p)._replace(sport=1234),
}
EACH_COPY = pytest.mark.parametrize("copy", COPIES)
EACH_MODE = pytest.mark.parametrize("mode", MODES)


def marked(packet: Packet) -> Packet:
    """To the NAT-traversal port, and from there."""
    return packet._replace(sport=4500, dport=4500, data=bytes(4) + packet.data)


def deaf(packet: Packet) -> bool:
    """Whether nobody listens there."""
    return packet.dport not in (500, 4500)


class Copier:
    """Sends a copy of those that it is asked to before them. sent: all that were sent."""

    def __init__(self, net: Network, copy: str, cares: Callable[[Packet], bool]) -> None:
        self.net, self.copy, self.cares = net, COPIES[copy], cares
        self.sent, self.count = 0, 0
        net.lose = self.lose

    def lose(self, packet: Packet) -> bool:
        if deaf(packet):
            return True
        self.sent += 1
        if self.cares(packet):
            self.count += 1
            self.net.flying.append(self.copy(packet))
        return False


def hosts(mode: str, elsewhere_s: float | None = None) -> tuple[Network, Host, Host]:
    net = Network()
    west, east = (net.host(gateway, elsewhere_s=elsewhere_s) for gateway in MODES[mode])
    return net, west, east


def stay(west: Host, east: Host) -> None:
    """Both are up, without a NAT, and all that each has is with the other."""
    for host, other in ((west, east), (east, west)):
        assert connected(host)
        (sa,) = host.daemon.sas.isakmp.values()
        (child,) = host.daemon.sas.all_children()
        assert sa.path[:4] == (host.address, 500, other.address, 500)
        assert child.path.remote == other.address
        assert not sa.nat.found
        for spec in host.app.sas.values():
            assert {spec.src, spec.dst} == {host.address, other.address}
            assert spec.encap is None
    agree(west, east)


def end(net: Network, west: Host, east: Host) -> None:
    """Each hears the other, and the stack has nothing left of what ends."""
    for host in (east, west):
        (sa,) = host.daemon.sas.isakmp.values()
        heard = net.now
        net.run(1)
        engine = host.daemon.engine
        engine.dialects[sa.dialect].probe(engine, sa, sa.dpd_sequence + 1)
        net.run(1)
        for each in (east, west):
            assert all(sa.last_heard > heard for sa in each.daemon.sas.isakmp.values())
    west.daemon.teardown("west-east", 2)
    west.daemon.teardown("east", 1)
    net.run(300)
    assert not west.app.sas
    assert not east.app.sas
    assert not west.daemon.engine.under_way()
    assert not east.daemon.engine.under_way()


@EACH_MODE
@EACH_COPY
@HERE_OR_ELSEWHERE
def test_a_copy_of_any_message_of_the_handshake(
    mode: str, copy: str, elsewhere_s: float | None
) -> None:
    for number in range(1, MESSAGES[mode] + 1):
        net, west, east = hosts(mode, elsewhere_s)
        copier = Copier(net, copy, lambda packet: copier.sent == number)  # noqa: B023
        net.start()
        net.run(6)
        assert copier.count == (copier.sent >= number)
        stay(west, east)
        end(net, west, east)


@EACH_MODE
@EACH_COPY
def test_a_copy_of_all_of_them(mode: str, copy: str) -> None:
    net, west, east = hosts(mode)
    Copier(net, copy, lambda packet: True)
    net.start()
    net.run(6)
    stay(west, east)
    end(net, west, east)


@pytest.mark.parametrize("mode", ["ikev2", "main"])
@EACH_COPY
@pytest.mark.parametrize("what", ["child", "parent", "probe", "reversed"])
@HERE_OR_ELSEWHERE
def test_a_copy_of_what_is_asked_under_an_sa(
    mode: str, copy: str, what: str, elsewhere_s: float | None
) -> None:
    net, west, east = hosts(mode, elsewhere_s)
    net.start()
    net.run(5)
    Copier(net, copy, lambda packet: True)
    host = east if what == "reversed" else west
    engine, (sa,) = host.daemon.engine, host.daemon.sas.isakmp.values()
    (child,) = host.daemon.sas.all_children()
    dialect = engine.dialects[sa.dialect]
    if what in ("child", "reversed"):
        dialect.begin_child(engine, sa, child.connection, child)
    elif what == "parent":
        dialect.rekey_sa(engine, sa)
    else:
        dialect.probe(engine, sa, 1)
    net.run(60)
    stay(west, east)
    if what in ("child", "reversed"):
        assert host.daemon.sas.all_children() != [child]
    end(net, west, east)


@EACH_COPY
@pytest.mark.parametrize("mode", ["ikev2", "main"])
def test_the_true_one_is_answered_where_it_comes_from(mode: str, copy: str) -> None:
    """The first answer gets lost, and the peer asks again."""
    net, west, east = hosts(mode)
    lost = list[Packet]()

    def lose(packet: Packet) -> bool:
        header = parse_header(packet.data.removeprefix(bytes(4)))
        proof = bool(header.flags & 1) if mode == "main" else header.message_id == 1
        if packet.src == west.address and proof and not lost:
            net.flying.append(COPIES[copy](packet))
        elif packet.src == east.address and proof and len(lost) < 2:
            lost.append(packet)
            return True
        return deaf(packet)

    net.lose = lose
    net.start()
    net.run(10)
    stay(west, east)
    end(net, west, east)


def test_an_answer_goes_to_where_its_request_came_from() -> None:
    """RFC 7296 2.11, whoever that is; the true one has its own."""
    net, west, east = hosts("ikev2")
    is_auth = int(ikev2.Exchange.IKE_AUTH)
    Copier(net, "another address", lambda p: p.header.exchange_type == is_auth)
    net.start()
    net.run(3)
    answers = [p for p in net.history if p.src == east.address and p.header.message_id == 1]
    assert {p.dst for p in answers} == {ELSEWHERE, west.address}
    assert len({p.data for p in answers}) == 1


@EACH_COPY
def test_a_twin_of_the_first_answer_and_a_copy_of_the_next(copy: str) -> None:
    net, west, east = hosts("ikev2")

    def lose(packet: Packet) -> bool:
        if packet.src == east.address:
            forged = packet
            if is_clear(packet):
                forged = edited(packet, with_more(int(ikev2.Payload.NOTIFY), b"\0\0\x9c\x40"))
            net.flying.append(COPIES[copy](forged))
        return deaf(packet)

    net.lose = lose
    net.start()
    net.run(3)
    stay(west, east)
    end(net, west, east)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("true", [True, False], ids=["true", "copy"])
@pytest.mark.parametrize("traversal", [True, False], ids=["both know it", "one does not"])
def test_who_goes_on_at_port_4500_without_a_nat(mode: str, true: bool, traversal: bool) -> None:
    """RFC 7296 2.23 lets an initiator. Whoever does it in its name harms no more than that; nor
    that where the peer knows nothing of that port."""
    net = Network()
    one, other = MODES[mode]
    west, east = net.host(one, nat_traversal=traversal), net.host(other)

    def lose(packet: Packet) -> bool:
        protected = packet.header.message_id == 1 if mode == "ikev2" else packet.header.flags & 1
        if packet.src == west.address and protected and packet.dport == 500:
            net.flying.append(marked(packet))
            return true
        # Who does not know of it has no such port.
        return packet.dport == 4500 and not true and not traversal

    net.lose = lose
    net.start()
    net.run(6)
    for host in (west, east):
        assert connected(host)
        (sa,) = host.daemon.sas.isakmp.values()
        assert not sa.nat.found
        assert not host.rows(2)[0]["encap"]
    (sa,) = east.daemon.sas.isakmp.values()
    floated = traversal
    assert sa.path == (east.address, 4500 if floated else 500, west.address,
                       4500 if floated else 500, floated)  # fmt: skip
    net.lose = lambda packet: packet.dport == 4500 and not traversal
    agree(west, east)
    end(net, west, east)
