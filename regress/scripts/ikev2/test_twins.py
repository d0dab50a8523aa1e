"""Twins: the peer's own answer to IKE_SA_INIT, with something changed that its keys do not show."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from random import Random

import pytest

from isakmp.constants import ikev2
from isakmp.exchange.answers import ROUND_TRIP_S
from isakmp.exchange.candidates import WAITING_MAX
from isakmp.scripts.ikev2 import nat
from isakmp.scripts.ikev2.initial import Initial
from regress.exchange.states import state_of
from regress.observer import Observer, Payloads, altered, edited, is_clear
from regress.pair import Host, Nat, Network, Packet, agree, both, connected

P, Notify = int(ikev2.Payload.NOTIFY), ikev2.Notify
SAID = (
    Notify.NAT_DETECTION_SOURCE_IP, Notify.NAT_DETECTION_DESTINATION_IP,
    Notify.IKEV2_FRAGMENTATION_SUPPORTED, Notify.CHILDLESS_IKEV2_SUPPORTED,
)  # fmt: skip
Edit = Callable[[Payloads], Payloads]


def is_notify(payload: tuple[int, bytes], number: int) -> bool:
    return payload[0] == P and payload[1][2:4] == int(number).to_bytes(2, "big")


def without(*numbers: int) -> Edit:
    return lambda payloads: [
        p for p in payloads if not any(is_notify(p, number) for number in numbers)
    ]


def other_data(number: int) -> Edit:
    return lambda payloads: [
        (kind, body[:4] + bytes(len(body) - 4)) if is_notify((kind, body), number) else (kind, body)
        for kind, body in payloads
    ]  # fmt: skip


def with_more(kind: int, body: bytes) -> Edit:
    return lambda payloads: [*payloads, (kind, body)]


def reserved_octet(payloads: Payloads) -> Payloads:
    """One that means nothing, of the SA's proposal."""
    (kind, body), *rest = payloads
    return [(kind, body[:1] + b"\1" + body[2:]), *rest]


EDITS: dict[str, Edit] = {
    **{f"without {number.name}": without(number) for number in SAID},
    **{f"another {number.name}": other_data(number) for number in SAID[:2]},
    "without any": without(*SAID),
    "in another order": lambda payloads: [*payloads[:3], *payloads[:2:-1]],
    "with a notify": with_more(P, b"\0\0\x9c\x40"),
    "with a vendor ID": with_more(int(ikev2.Payload.VENDOR), b"somebody"),
    "with a reserved octet": reserved_octet,
}  # fmt: skip


def is_answer(packet: Packet) -> bool:
    return is_clear(packet) and bool(packet.header.flags & ikev2.Flag.RESPONSE)


def slow(net: Network, west: Host, seconds: float) -> None:
    """What is protected takes that long."""
    deliver, late = net.deliver, list[Packet]()

    def later(packet: Packet) -> None:
        if is_clear(packet) or any(packet is one for one in late):
            deliver(packet)
            return
        late.append(packet)
        west.timers.add("on its way", seconds, lambda: net.deliver(packet))

    net.deliver = later  # type: ignore[method-assign]


def pair(elsewhere_s: float | None = None) -> tuple[Network, Host, Host]:
    net, ends = Network(), both(peer_tags="Key-exchange= ikev2")
    west, east = (net.host(gateway, elsewhere_s=elsewhere_s) for gateway in ends)
    return net, west, east


def came_up(west: Host, east: Host) -> None:
    """In one attempt, and each knows of the other what it has said."""
    assert not west.reasons() + east.reasons()
    assert connected(west) and connected(east)
    agree(west, east)
    (one,), (other,) = (list(host.daemon.sas.isakmp.values()) for host in (west, east))
    assert one.fragments is not None and other.fragments is not None
    assert (one.nat.local, one.nat.remote) == (other.nat.remote, other.nat.local)
    assert not west.daemon.engine.exchanges
    assert not any("bug" in line for line in west.lines + east.lines)


@pytest.mark.parametrize("elsewhere_s", [None, 0.002], ids=["here", "elsewhere"])
@pytest.mark.parametrize("way_s", [0.0, ROUND_TRIP_S])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("edit", EDITS)
def test_a_changed_copy_of_the_true_answer_costs_nothing(
    edit: str, after: bool, way_s: float, elsewhere_s: float | None
) -> None:
    net, west, east = pair(elsewhere_s)
    slow(net, west, way_s)
    seen = Observer(net, is_answer, lambda packet: [edited(packet, EDITS[edit])], after)
    net.start()
    net.run(2 * way_s + 0.1)
    assert seen.forged == 1
    came_up(west, east)
    assert not west.rows(1)[0]["nat_t"] and not west.rows(2)[0]["encap"]


def test_a_peer_that_does_not_know_nat_traversal_is_asked_where_it_is() -> None:
    """A copy that says it did is followed to port 4500 at first."""
    net, (one, other) = Network(), both(peer_tags="Key-exchange= ikev2")
    west, east = net.host(one), net.host(other, nat_traversal=False)
    sources = [nat.SOURCE, nat.DESTINATION]

    def forge(packet: Packet) -> list[Packet]:
        def edit(payloads: Payloads) -> Payloads:
            made_up = [(P, b"\0\0" + int(n).to_bytes(2, "big") + bytes(20)) for n in sources]
            return [*payloads, *made_up]

        return [edited(packet, edit)]

    net.lose = lambda packet: packet.dport == 4500
    Observer(net, is_answer, forge)
    net.start()
    net.run(3)
    came_up(west, east)


def test_a_nat_that_somebody_hides_is_found() -> None:
    net, world = Network(), Nat("10.0.0.9", "192.0.2.1")
    one, other = both(peer_tags="Key-exchange= ikev2")
    west = net.add("10.0.0.9", one.text().replace("192.0.2.1", "10.0.0.9"))
    east = net.host(other)
    net.nats.append(world)
    Observer(net, is_answer, lambda packet: [edited(packet, without(*SAID[:2]))])
    net.start()
    net.run(2)
    came_up(west, east)
    assert west.rows(1)[0]["nat_t"] == "local"
    # East sends to where port 4500 is known by.
    assert west.rows(2)[0]["encap"] and east.rows(2)[0]["encap"]
    ports = {s.encap for host in (west, east) for s in host.app.sas.values()}
    known = world.out(Packet(ip_address("10.0.0.9"), 4500, east.address, 4500, b"")).sport
    assert ports == {(4500, 4500), (known, 4500), (4500, known)}


def test_copies_are_bounded_and_the_true_answer_may_be_among_the_last() -> None:
    net, west, east = pair()
    slow(net, west, 0.2)
    many = [with_more(P, b"\0\0\x9c\x40" + bytes([n])) for n in range(100)]
    Observer(net, is_answer, lambda packet: [edited(packet, each) for each in many])
    net.start()
    net.run(0.1)
    (fork,) = [x for x in west.daemon.engine.exchanges.values() if x.stem is not None]
    assert len(state_of(fork, Initial).answers) == WAITING_MAX + 1
    net.run(1)
    came_up(west, east)


def test_copies_from_elsewhere_give_way_first() -> None:
    net, west, east = pair()
    slow(net, west, 0.2)
    many = [with_more(P, b"\0\0\x9c\x40" + bytes([n])) for n in range(100)]

    def forge(packet: Packet) -> list[Packet]:
        copies = [edited(packet, each) for each in many]
        strange = [copy._replace(src=ip_address("198.51.100.9")) for copy in copies[1:]]
        return [copies[0], packet, *strange]

    Observer(net, is_answer, forge)
    net.start()
    net.run(1)
    came_up(west, east)


def test_who_goes_on_with_the_true_answer_is_not_pushed_out_by_others() -> None:
    """A copy, the answer itself, and more answers of other keys than are followed at a time."""
    net, west, east = pair()
    slow(net, west, 2 * ROUND_TRIP_S)
    draw = Random(4)

    def forge(packet: Packet) -> list[Packet]:
        others = [altered(packet, draw, spi=True) for _ in range(WAITING_MAX)]
        return [edited(packet, without(*SAID)), *others, packet]

    Observer(net, is_answer, forge)
    net.start()
    net.run(6)
    came_up(west, east)


def test_a_wrong_secret_is_told_though_there_are_copies() -> None:
    net = Network()
    west = net.host(both(peer_tags="Key-exchange= ikev2")[0])
    east = net.host(both(peer_tags="Key-exchange= ikev2", secret="another")[1])
    Observer(net, is_answer, lambda packet: [edited(packet, without(*SAID))])
    net.start()
    net.run(2)
    assert west.reasons() and east.reasons() == ["authentication-failed"]
    assert "AUTHENTICATION_FAILED" in str(west.outcomes[0]["reason"])
