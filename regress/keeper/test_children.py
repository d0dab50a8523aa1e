"""Child SAs that end before they have a successor."""

from __future__ import annotations

import pytest

from fifo_ui import render
from isakmp.app.base import Expire
from isakmp.errors import Reason
from isakmp.sa import State
from regress.pair import Host, Network, agree, both, connected, up
from regress.scripts.ikev2.pairs import child_of, pair, sa_of
from regress.traffic import flows

ONE_SIDED = {
    "west": {"connection_tags": "ESP-proposals= aes128-sha256"},
    "east": {"connection_tags": "ESP-proposals= aes128-sha256-x25519"},
}


def refusing() -> tuple[Network, Host, Host]:
    """In IKE_AUTH there is no group, so only rekeying shows that one end wants one."""
    return pair(west=ONE_SIDED["west"], east=ONE_SIDED["east"])


def test_a_child_sa_that_could_not_be_rekeyed_ends_its_ike_sa_and_what_should_be_up_is() -> None:
    """RFC 7296 2.8."""
    net, west, east = refusing()
    old, child = sa_of(west), child_of(west)
    west.daemon.expire(Expire(child.inbound()[0], False))
    net.run(5)
    assert west.reasons() == ["peer-refused"]
    west.daemon.expire(Expire(child.inbound()[0], True))
    net.run(10)
    assert connected(west)
    assert connected(east)
    assert sa_of(west) is not old
    assert flows(west, east)
    told = "could not be rekeyed before its end; what should be up begins anew; line: "
    assert told + child.connection.line in west.said
    (reason,) = {outcome["reason"]["mend"] for outcome in west.outcomes if not outcome["ok"]}
    assert f"{child.connection.line}; mend: {reason}" in west.said


def test_refused_rekeyings_are_no_failures_of_what_is_up() -> None:
    net, west, _ = refusing()
    child = child_of(west)
    for _ in range(6):
        west.daemon.expire(Expire(child.inbound()[0], False))
        net.run(2)
    assert west.daemon.connections.entries["west-east"].tries == 0
    (row,) = west.daemon.status()["connections"]
    assert (row["state"], row["reason"]) == ("up", None)
    refused = row["not_replaced"]
    text = " ".join(render.connections([row]).split())
    assert "was to be replaced at " in text
    assert f"{refused['reason']['cause']}: {refused['reason']['detail'][:20]}" in text
    assert "isakmpctl explain west-east" in text


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("end", [0, 1], ids=["who keeps it up", "who answers"])
def test_one_that_nobody_has_replaced_says_so(end: int, version: int) -> None:
    """The peer's rekeying failed, or never came, and ours was not begun."""
    net, *hosts = up() if version == 1 else pair()
    host = hosts[end]
    (child,) = host.daemon.sas.all_children()
    net.lose = lambda packet: True
    host.daemon.expire(Expire(child.inbound()[0], True))
    net.run(0.5)
    (row,) = host.daemon.status()["connections"]
    assert (row["state"], row["reason"]["cause"]) == (["wanted", "idle"][end], "not-replaced")
    assert row["reason"]["line"] == child.connection.line
    assert "neither end has made another one" in row["reason"]["detail"]
    assert f"child SA {child} could not be rekeyed before its end" in host.said
    net.lose = lambda packet: False
    net.run(60)
    (row,) = host.daemon.status()["connections"]
    assert (row["state"], row["reason"]) == ("up", None)


@pytest.mark.parametrize("version", [1, 2])
def test_one_whose_replacing_failed_says_why(version: int) -> None:
    net, west, _ = up() if version == 1 else pair()
    (child,) = west.daemon.sas.all_children()
    entry = west.daemon.connections.entries["west-east"]
    entry.failure, entry.failed = Reason("no-proposal-chosen", "told"), net.now
    net.lose = lambda packet: True
    west.daemon.expire(Expire(child.inbound()[0], True))
    net.run(0.5)
    (row,) = west.daemon.status()["connections"]
    assert row["reason"]["cause"] == "no-proposal-chosen"


def test_one_that_has_a_successor_ends_alone() -> None:
    net, west, east = pair()
    old, child = sa_of(west), child_of(west)
    west.daemon.connections.rekey(child)
    net.run(0.01)
    (row,) = west.daemon.status()["connections"]
    assert row["not_replaced"] is None
    west.daemon.expire(Expire(child.inbound()[0], True))
    net.run(10)
    assert sa_of(west) is old
    assert flows(west, east)


def test_a_rekeying_that_has_an_answer_on_its_way_has_not_failed() -> None:
    """RFC 7296 2.8: the answer may come after the end of what it replaces."""
    net, west, east = pair()
    old, child = sa_of(west), child_of(west)
    west.daemon.connections.rekey(child)
    west.daemon.expire(Expire(child.inbound()[0], True))
    net.run(10)
    assert sa_of(west) is old
    assert child_of(west) is not child
    assert flows(west, east)


def test_one_that_is_refused_after_the_end_has() -> None:
    net, west, east = refusing()
    old, child = sa_of(west), child_of(west)
    west.daemon.connections.rekey(child)
    west.daemon.expire(Expire(child.inbound()[0], True))
    net.run(10)
    assert sa_of(west) is not old
    assert flows(west, east)


def test_an_answer_that_does_not_come_is_not_waited_for_for_long() -> None:
    """The peer is silent: what carries nothing is not shown as if it did."""
    net, west, east = pair()
    child = child_of(west)
    net.lose = lambda packet: packet.src == east.address
    west.daemon.connections.rekey(child)
    west.daemon.expire(Expire(child.inbound()[0], True))
    net.run(3)
    assert len(west.rows(2)) == 1
    net.run(2)
    assert not west.rows(2)
    assert child.state is State.DEAD


def test_one_that_was_taken_down_is_not_waited_for() -> None:
    """Its answer brings no successor, however late it comes."""
    net, west, east = pair()
    child = child_of(west)
    west.daemon.connections.rekey(child)
    (running,) = west.daemon.connections.busy.values()
    west.daemon.engine.cancel(running, Reason("down", "by command"))
    west.daemon.expire(Expire(child.inbound()[0], True))
    assert child.state is State.DEAD
    net.run(10)
    assert connected(west)
    assert flows(west, east)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tags", ["", "Key-exchange= ikev2"], ids=["ikev1", "ikev2"])
def test_what_a_slow_stack_has_late_succeeds_nothing_that_was_negotiated_after_it(
    tags: str, seed: int
) -> None:
    """Whichever has the lower nonce: the other end knows that the later one came later."""
    net, west, east = up(*both(peer_tags=tags), seed=seed)
    old = child_of(west)

    def begin(host: Host) -> None:
        engine, sa = host.daemon.engine, sa_of(host)
        connection = host.daemon.sas.all_children()[0].connection
        engine.dialects[sa.dialect].begin_child(engine, sa, connection, None)

    begin(west)
    west.app.held = []
    net.run(0.5)
    assert len(west.app.held) == 1, "its inbound SA, when the answer is there"
    begin(east)
    for _ in range(20):
        net.run(0.1)
        if len(west.app.held) > 1:
            west.app.held.pop(1)()
    later = next(c for c in west.daemon.sas.all_children() if c is not old)
    assert not later.initiator
    west.app.release()
    west.app.held = None
    net.run(0.5)
    (late,) = [c for c in west.daemon.sas.all_children() if c not in (old, later)]
    assert late.created < later.created < late.established
    assert (late.state, later.state) == (State.SUPERSEDED, State.ESTABLISHED)
    net.run(150)
    assert connected(west) and connected(east)
    agree(west, east)
    assert child_of(west) is later
