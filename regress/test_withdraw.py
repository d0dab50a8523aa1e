"""What is taken down while it is negotiated, at either end and in either version: the other end
hears of it, and what is started anew does not wait for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from isakmp.constants import ikev2
from regress.pair import EAST, WEST, Host, Network, Packet, agree, connected, up
from regress.scripts.ikev2.pairs import gateways, sa_of

PAIRS = {"ikev1": (WEST, EAST), "ikev2": gateways()}
NAMES = {"west": "west-east", "east": "east-west"}
# The exchange that makes a child SA, by version.
CHILD = {"ikev1": 32, "ikev2": int(ikev2.Exchange.CREATE_CHILD_SA)}


def without_child(version: str) -> tuple[Network, Host, Host]:
    """Phase 1 is up, and the connection down."""
    net, west, east = up(*PAIRS[version])
    west.daemon.teardown("west-east", 2)
    net.run(3)
    assert connected(west, children=0) and connected(east, children=0)
    return net, west, east


def at_message(net: Network, version: str, number: int, act: Callable[[], object]) -> None:
    """``act`` is called as the message of that number comes of what makes a child SA."""
    deliver, met = net.deliver, list[Packet]()

    def counted(packet: Packet) -> None:
        if packet.header.exchange_type == CHILD[version]:
            met.append(packet)
            if len(met) == number:
                act()
        deliver(packet)

    net.deliver = counted  # type: ignore[method-assign]


@pytest.mark.parametrize(("version", "last"), [("ikev1", 3), ("ikev2", 2)])
@pytest.mark.parametrize("who", ["west", "east"])
def test_nothing_is_left_at_one_end_alone(version: str, last: int, who: str) -> None:
    for number in range(1, last + 1):
        net, west, east = without_child(version)
        down = (west if who == "west" else east).daemon.connections.down
        at_message(net, version, number, partial(down, NAMES[who]))
        west.daemon.connect("west-east")
        net.run(1.5)
        agree(west, east)
        assert bool(west.rows(2)) is bool(east.rows(2)), number
        assert connected(west, len(west.rows(2))) and connected(east, len(east.rows(2)))
        assert not west.daemon.engine.exchanges and not east.daemon.engine.exchanges


@pytest.mark.parametrize("version", PAIRS)
def test_what_is_started_anew_does_not_wait_for_what_was_cancelled(version: str) -> None:
    net, west, east = without_child(version)
    net.lose = lambda packet: packet.src == east.address
    west.daemon.connect("west-east")
    net.run(0.2)
    west.daemon.connections.down("west-east")
    again = west.daemon.connections.connect("west-east")
    net.lose = lambda packet: False
    net.run(1.3)
    assert again.done and again.error is None
    assert connected(west) and connected(east)
    net.run(3)
    assert connected(west) and connected(east)
    agree(west, east)


def test_a_request_has_its_answer_though_its_connection_is_taken_down() -> None:
    """RFC 7296 2.1: without one the IKE SA would end."""
    net, west, east = without_child("ikev2")
    east.app.held = []
    west.daemon.connect("west-east")
    net.run(0.2)
    assert east.daemon.engine.exchanges, "it waits for an SPI"
    before = sa_of(west)
    east.daemon.connections.down("east-west")
    net.run(0.2)
    assert west.reasons() and west.reasons()[-1] != "timeout"
    assert not sa_of(west).running
    east.app.release()
    east.app.held = None
    net.run(400)
    assert sa_of(west) is before
    assert connected(west) and connected(east)
