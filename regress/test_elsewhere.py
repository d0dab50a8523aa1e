"""Key exchanges that others compute: exchanges wait for the result, and for nothing else."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from isakmp.constants import isakmp
from isakmp.crypto.agreement import shared_secret
from isakmp.event.job import Job
from isakmp.event.worker import Verb
from isakmp.exchange.candidates import family
from regress.elsewhere import Elsewhere
from regress.pair import Host, Network, Packet, agree, both, connected, up

PFS = "QM-ESP-AES-128-SHA2-256-PFS-GRP31-SUITE"
V2 = "Key-exchange= ikev2\n"
KINDS: dict[str, dict[str, Any]] = {
    "main": {"suites": PFS},
    "aggressive": {"suites": PFS, "exchange": "AGGRESSIVE"},
    "ikev2": {"peer_tags": V2, "connection_tags": "ESP-proposals= aes128gcm16-x25519\n"},
}


@pytest.mark.parametrize("slow", ["west", "east", "both"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_exchange_comes_to_its_end_and_is_renewed(kind: str, slow: str) -> None:
    """Nothing is repeated: what comes while a result is waited for is not lost."""
    west, east = both(general="Default-phase-1-lifetime= 60,60:60\n"
                      "Default-phase-2-lifetime= 25,25:25\n", **KINDS[kind])  # fmt: skip
    net = Network()
    hosts = [
        net.host(gateway, elsewhere_s=0.05 if slow in (name, "both") else None)
        for name, gateway in (("west", west), ("east", east))
    ]
    net.start()
    net.run(0.9)
    assert all(connected(host) for host in hosts)
    assert len({packet.data for packet in net.history}) == len(net.history)
    net.run(200)
    assert all(connected(host) for host in hosts)
    assert not hosts[0].reasons() + hosts[1].reasons()
    agree(*hosts)
    net.until(lambda: not any(host.daemon.engine.exchanges for host in hosts), 3)


@pytest.mark.parametrize("late_s", [0.0, 0.05])
def test_main_modes_fifth_message_waits_for_the_keys(late_s: float) -> None:
    """RFC 2409 5: what is encrypted comes before the responder has the keys to it."""
    net = Network()
    west, east = both(suites=PFS)
    near, far = net.host(west), net.host(east, elsewhere_s=0.4 + late_s)
    net.start()
    net.run(0.5 + late_s)
    (root,) = far.daemon.engine.exchanges.values()
    assert [x.early is not None for x in family(root)] == [False, True]
    net.run(0.4 + late_s)
    assert far.rows(1)[0]["state"] == "established"
    assert not near.reasons() + far.reasons()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dies", ["west", "east"])
def test_a_worker_that_ends_is_no_fault_of_the_peers(kind: str, dies: str) -> None:
    """Its exchange fails with that reason, the next one comes up."""
    net, west, east = Network(), *both(**KINDS[kind])
    hosts = [net.host(west, elsewhere_s=0.1), net.host(east, elsewhere_s=0.1)]
    victim = hosts[dies == "east"]
    times = iter([None])
    after_s = victim.work.after_s  # type: ignore[union-attr]
    victim.work.after_s = lambda: next(times, after_s())  # type: ignore[union-attr]
    net.start()
    net.run(90)
    assert all(connected(host) for host in hosts)
    agree(*hosts)
    assert victim.reasons() == ["failed"]
    (failed,) = [o["reason"] for o in victim.outcomes if not o["ok"]]
    assert "the worker that was to compute it has ended" in failed["detail"]


def test_the_peer_is_not_told_that_it_has_asked_for_the_wrong_thing() -> None:
    """What fails here for want of something says TEMPORARY_FAILURE (RFC 7296 2.25)."""
    net, west, east = up(*both(general="Default-phase-2-lifetime= 25,25:25\n", **KINDS["ikev2"]),
                         elsewhere_s=0.1)  # fmt: skip
    east.work.after_s = lambda: None  # type: ignore[union-attr]
    net.until(lambda: west.reasons(), 60)
    (failed,) = [o["reason"] for o in west.outcomes if not o["ok"]]
    assert "TEMPORARY_FAILURE" in failed["detail"], failed
    assert "short of something" in str(failed)


def test_an_ike_sa_outlives_a_worker_that_ended_of_its_child() -> None:
    net, west, _ = up(*both(general="Default-phase-2-lifetime= 25,25:25\n", **KINDS["ikev2"]),
                      elsewhere_s=0.1)  # fmt: skip
    (sa,) = west.daemon.sas.isakmp.values()
    west.work.after_s = lambda: None  # type: ignore[union-attr]
    net.until(lambda: west.reasons(), 40)
    west.work.after_s = lambda: 0.1  # type: ignore[union-attr]
    net.run(40)
    assert list(west.daemon.sas.isakmp.values()) == [sa]
    assert connected(west)


def slow_with_secrets(host: Host, seconds: float) -> None:
    """Its workers take that long for shared secrets, and no time for the rest."""
    work = host.work
    assert isinstance(work, Elsewhere)
    call = partial(Elsewhere.call, work)

    def called(verb: Verb, *arguments: bytes) -> Job[bytes]:
        work.after_s = lambda: seconds if verb is shared_secret else 0.0
        return call(verb, *arguments)

    work.call = called  # type: ignore[method-assign]


@pytest.mark.parametrize("seconds", [5, 40])
@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_is_being_computed_has_come(kind: str, seconds: float) -> None:
    """RFC 7296 2.1, 2.4: nothing is repeated meanwhile, nor given up."""
    changes = {tag: text for tag, text in KINDS[kind].items() if tag in ("exchange", "peer_tags")}
    net, west, east = Network(), *both(**changes)
    near, far = net.host(west, elsewhere_s=0.0), net.host(east)
    slow_with_secrets(near, seconds)
    net.start()
    net.run(seconds + 5)
    assert connected(near) and connected(far)
    assert not near.reasons() + far.reasons()
    sent = [packet.data for packet in net.history if packet.src == near.address]
    assert len(set(sent)) == len(sent)
    assert not near.daemon.engine.exchanges


@pytest.mark.parametrize("kind", KINDS)
def test_a_time_that_ends_meanwhile_says_what_was_waited_for(kind: str) -> None:
    """None of the forks stays behind, and the late result is nobody's."""
    net, west, east = Network(), *both(**KINDS[kind])
    near, _ = net.host(west, elsewhere_s=0.0), net.host(east)
    slow_with_secrets(near, 130)
    net.start()
    net.run(121)
    (reason,) = [o["reason"] for o in near.outcomes if not o["ok"]]
    assert reason["cause"] == "not-done"
    assert "the peer's message came" in reason["detail"]
    assert "Workers" in reason["mend"]
    slow_with_secrets(near, 0)
    net.run(40)
    assert connected(near)
    assert not near.daemon.engine.exchanges


def test_a_last_answer_is_computed_for_though_its_time_was_nearly_over() -> None:
    """Main mode's message 4, just before message 3 is given up."""
    net, west, east = Network(), *both()
    near, far = net.host(west, elsewhere_s=0.05), net.host(east)
    held: list[Packet] = []

    def lose(packet: Packet) -> bool:
        fourth = packet.src == far.address and packet.header.next_payload == isakmp.Payload.KE
        held.extend([packet] if fourth else [])
        return fourth

    net.lose = lose
    net.start()
    net.run(1)
    (root,) = near.daemon.engine.exchanges.values()
    stem = family(root)[-1]
    net.until(lambda: stem.retries == 3)
    net.run(stem.events["retransmit"].when - net.now - 0.02)
    net.lose = lambda packet: False
    net.flying.append(held[0])
    net.run(1)
    assert connected(near) and connected(far)
    assert not near.reasons()


def test_an_ike_sa_outlives_what_it_is_slow_with() -> None:
    """The child SA that the peer has made of its answer goes."""
    net, west, east = up(*both(general="DPD-check-interval= 0", **KINDS["ikev2"]), elsewhere_s=0.0)
    (sa,) = west.daemon.sas.isakmp.values()
    (old,) = west.daemon.sas.all_children()
    slow_with_secrets(west, 1000)
    engine = west.daemon.engine
    engine.dialects["ikev2"].begin_child(engine, sa, old.connection, None)
    net.run(5)
    assert len(east.daemon.sas.all_children()) == 2
    slow_with_secrets(west, 0)
    net.until(lambda: west.reasons(), 1000)
    assert west.reasons() == ["not-done"]
    net.run(5)
    assert list(west.daemon.sas.isakmp.values()) == [sa]
    assert len(east.daemon.sas.all_children()) == 1
    agree(west, east)
