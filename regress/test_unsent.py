"""What this host cannot send is no silence of the peer's: the true cause is told everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from fifo_ui import explain
from fifo_ui.client import Client, ControlError
from fifo_ui.up import Wait
from isakmp.errors import Reason
from isakmp.keeper.liveness import IDLE_S
from regress.pair import Host, Nat, Network, Packet, both, connected
from regress.scripts.ikev2.pairs import gateways
from regress.scripts.test_wrong_secret import Asking

WHY = Reason("cannot-send", "cannot send from here to there: no way", mend="make one")
PAIRS = {"ikev1": both(), "ikev2": gateways(), "aggressive": both(exchange="AGGRESSIVE")}
EVERY = pytest.mark.parametrize("kind", PAIRS)
ME = "[warrior]\nID-type= FQDN\nName= warrior.example\n"
QUICK = 32


def begin(
    kind: str, cannot: Callable[[Packet], bool] = lambda packet: False, nat: bool = False
) -> tuple[Network, Host, Host]:
    """Two daemons; cannot: what west cannot send; nat: it is behind one."""
    net = Network()
    west, east = PAIRS[kind]
    if nat:
        net.nats.append(Nat(west.address, "203.0.113.1"))
        west = replace(west, peer_tags=f"{west.peer_tags}\nID= warrior", more=ME)
        east = replace(east, peer_address="203.0.113.1", more=ME,
                       peer_tags=f"{east.peer_tags}\nRemote-ID= warrior")  # fmt: skip
    hosts = net.host(west), net.host(east)
    net.unsent = lambda p: WHY if p.src == hosts[0].address and cannot(p) else None
    net.start()
    return net, *hosts


def row(host: Host) -> dict[str, Any]:
    (found,) = host.daemon.status()["connections"]
    return dict(found)


@EVERY
def test_what_never_left_is_the_hosts_fault(kind: str) -> None:
    """A wrong Local-address: up, explain, outcomes and the log pointed at the peer."""
    net, west, _ = begin(kind, lambda p: True)
    said: list[str] = []
    with pytest.raises(ControlError) as late:
        Wait(cast("Client", Asking(net, west)), row(west)["name"], 5.0, said.append).run()
    assert "no way; mend: make one" in said[-1], "up says so while it waits"
    assert late.value.mend == "make one"
    net.run(60)
    assert set(west.reasons()) == {"cannot-send"}
    reason = row(west)["reason"]
    assert (reason["detail"], reason["mend"]) == (WHY.detail, "make one")
    failed = [line for line in west.lines if ": failed: " in line]
    assert all("INTERNAL_ERR" in line and "cannot-send" in line for line in failed) and failed
    (told, *_) = explain.failures(west.outcomes, "east")
    assert told["topic"] == "the way to the peer"


@EVERY
def test_what_could_be_sent_later_and_met_with_silence_is_the_peers(kind: str) -> None:
    tries = iter(range(100))
    net, west, east = begin(kind, lambda p: next(tries) < 2)
    net.lose = lambda p: True
    net.run(60)
    assert west.reasons()[0] == "timeout"


@EVERY
def test_what_could_be_sent_later_and_is_answered_is_no_failure(kind: str) -> None:
    tries = iter(range(100))
    net, west, east = begin(kind, lambda p: next(tries) < 2)
    net.run(30)
    assert connected(west) and connected(east) and not west.reasons()


@EVERY
def test_a_host_that_loses_its_way_while_it_waits_is_told(kind: str) -> None:
    """What was sent once may have been answered: the answer has no way either."""
    tries = iter(range(100))
    net, west, _ = begin(kind, lambda p: next(tries) >= 1)
    net.lose = lambda p: True
    net.run(30)
    assert west.reasons()[0] == "cannot-send"


@pytest.mark.parametrize("kind", ["ikev1", "ikev2"])
def test_the_port_of_nat_traversal_is_a_way_of_its_own(kind: str) -> None:
    """Both ends move there in phase 1: what went over UDP 500 says nothing of it."""
    net, west, _ = begin(kind, lambda p: p.sport == 4500, nat=True)
    net.run(30)
    assert any(p.sport == 500 for p in net.history)
    assert set(west.reasons()) == {"cannot-send"}


@pytest.mark.parametrize("kind", ["ikev1", "ikev2"])
def test_who_cannot_ask_does_not_call_the_peer_dead(kind: str) -> None:
    """RFC 3706, RFC 7296 2.4: what the SAs end for is told, and when there is a way it is up."""
    net, west, east = begin(kind)
    net.run(5)
    net.unsent = lambda p: WHY if p.src == west.address else None
    net.run(IDLE_S + 60)
    assert f"is given up: {WHY.detail}" in west.said
    assert "is dead" not in west.said
    assert row(west)["reason"]["cause"] == "cannot-send"
    net.unsent = lambda p: None
    net.until(lambda: connected(west), 120)


def test_an_isakmp_sa_whose_address_is_gone_is_given_up() -> None:
    """Quick mode goes from where phase 1 was: only another phase 1 has another address."""
    net, west, east = begin("ikev1", lambda p: p.header.exchange_type == QUICK)
    net.run(5)
    old = west.rows(1)
    net.run(60)
    assert f"is given up: {WHY.detail}" in west.said
    assert old and old[0] not in west.rows(1)


def test_who_answers_and_cannot_send_says_so() -> None:
    net, west, east = begin("ikev1")
    net.unsent = lambda p: WHY if p.src == east.address else None
    net.run(200)
    assert set(west.reasons()) == {"timeout"}
    assert set(east.reasons()) == {"cannot-send"}
