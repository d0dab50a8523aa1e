"""What has begun and not left yet, as it waits for an SPI or for a worker: it can be taken back, it
holds nothing up, and what was true when it began is looked at again before it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isakmp.event.worker import HERE
from isakmp.message import parse_header
from regress.elsewhere import Elsewhere
from regress.pair import EAST, WEST, Host, Network, agree, both, up
from regress.test_daemon import CHANGES, on_disk

PFS = "QM-ESP-AES-128-SHA2-256-PFS-GRP31-SUITE"
TAGS = {
    "ikev1": {"suites": PFS},
    "ikev2": {
        "peer_tags": "Key-exchange= ikev2\n",
        "connection_tags": "ESP-proposals= aes128gcm16-x25519\n",
    },
}
versions = pytest.mark.parametrize("version", TAGS)


def connected(version: str) -> tuple[Network, Host, Host]:
    return up(*both(**TAGS[version]))


def slow(host: Host, seconds: Iterator[float | None] | float) -> None:
    """Others compute for a host."""
    if isinstance(seconds, float):
        host.daemon.engine.work = Elsewhere(host.timers, lambda: seconds)
    else:
        host.daemon.engine.work = Elsewhere(host.timers, lambda: next(seconds, 0.01))


def rekey_child(host: Host) -> None:
    (child,) = host.daemon.sas.all_children()
    host.daemon.connections.replace(child)


@pytest.mark.parametrize("waits_for", ["an SPI", "a worker"])
@versions
def test_what_is_taken_down_meanwhile_does_not_come_up(version: str, waits_for: str) -> None:
    net, west, east = connected(version)
    if waits_for == "a worker":
        slow(west, 3.0)
    else:
        west.app.held = []
    rekey_child(west)
    net.run(0.2)
    assert west.daemon.status()["exchanges"]
    west.daemon.teardown("west-east", 2)
    if west.app.held is not None:
        west.app.release()
        west.app.held = None
    net.run(20)
    for host in (west, east):
        assert not host.daemon.sas.all_children() and not host.app.sas and not host.app.larval


@pytest.mark.parametrize("what", sorted(CHANGES))
@versions
def test_what_has_changed_meanwhile_does_not_come_up_as_it_was(
    tmp_path: Path, version: str, what: str
) -> None:
    ends = [replace(end, peer_tags=f"Key-exchange= {version}") for end in (WEST, EAST)]
    net, west, _, path = on_disk(tmp_path, ends[0], other=ends[1])
    west.app.held = []
    rekey_child(west)
    net.run(0.2)
    path.write_text(CHANGES[what](path.read_text()))
    held, west.app.held = west.app.held, None
    west.reload()
    for answer in held:
        answer()
    net.run(3)
    assert not west.daemon.sas.all_children()


@versions
def test_an_end_in_order_waits_for_nothing_that_is_prepared(version: str) -> None:
    net, west, east = connected(version)
    slow(west, 3.0)
    rekey_child(west)
    net.run(0.2)
    west.daemon.stop()
    net.pump()
    assert not east.daemon.sas.isakmp and not east.daemon.sas.all_children()


@pytest.mark.parametrize("what", ["child", "ike"])
def test_a_worker_that_ends_over_an_answer_leaves_both_ends_alike(what: str) -> None:
    """RFC 7296 2.8: the peer has a successor, and we shall not."""
    net, west, east = connected("ikev2")
    slow(west, iter([0.01, None]))
    if what == "child":
        rekey_child(west)
    else:
        (sa,) = west.daemon.sas.isakmp.values()
        west.daemon.keeper.rekey_sa(sa)
    net.run(5)
    assert len(west.daemon.sas.all_children()) == 1
    net.run(200)
    agree(west, east)
    assert len(east.daemon.sas.all_children()) == 1


def test_what_has_a_successor_meanwhile_is_not_asked_for() -> None:
    net, west, east = connected("ikev2")
    slow(west, 3.0)
    rekey_child(west)
    net.run(0.2)
    west.daemon.engine.work = HERE  # what the peer asks for is answered at once
    rekey_child(east)
    net.run(0.5)
    before = len(net.history)
    net.run(10)
    asked = [p for p in net.history[before:] if p.src == west.address]
    assert not [p for p in asked if parse_header(p.data).exchange_type == 36]
    agree(west, east)


def test_the_time_of_a_proven_attempt_ends_once() -> None:
    """Its step waits for the IPsec stack, and the stack does not answer."""
    ends = both(peer_tags="Key-exchange= ikev2", general="Exchange-max-time= 10")
    net = Network()
    west, _ = net.host(ends[0]), net.host(ends[1])

    def hold(packet: object) -> bool:
        data, to = packet.data, packet.dport  # type: ignore[attr-defined]
        authenticates = parse_header(data[4 * (to == 4500) :]).exchange_type == 35
        if packet.src == west.address and authenticates and west.app.held is None:  # type: ignore[attr-defined]
            west.app.held = []
        return False

    net.lose = hold
    net.start()
    net.run(300)
    assert west.app.held
    assert not west.daemon.engine.under_way()
