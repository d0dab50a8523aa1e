"""Policies of the kernel that drop IPv4 traffic, beside the key engine."""

from __future__ import annotations

from isakmp.app.base import Action
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from regress.app.guards import drops, guard, policies
from regress.interop.namespace import Namespace

NUMBER = 77


def test_of_many_that_come_together_only_what_is_refused_is_missing(namespace: Namespace) -> None:
    loop, told = Loop(Timers(lambda: 0.0)), list[str]()
    one = guard(namespace, NUMBER, loop, told.append)
    told.clear()
    networks = [f"10.{n}.0.0/16" for n in range(2, 202)]
    namespace.shell("ip xfrm policy add src 10.1.0.0/16 dst 10.99.0.0/16 dir out")
    for network in networks:
        one.add(drops(network))
    loop.turn(0)
    (line,) = told
    assert "10.99.0.0/16" in line and "is not guarded by the kernel" in line
    found = policies(namespace)
    assert all(found.count(f"dst {network} ") == 1 for network in networks)
    assert found.count("action block") == len(networks) - 1
    for network in networks[:100]:
        one.delete(drops(network))
    assert policies(namespace).count("action block") == 100
    one.close()


def test_anothers_is_not_replaced_by_what_comes_twice(namespace: Namespace) -> None:
    """The second of a turn is no replacement of the first, which the kernel may refuse."""
    loop, told = Loop(Timers(lambda: 0.0)), list[str]()
    one = guard(namespace, NUMBER, loop, told.append)
    told.clear()
    namespace.shell("ip xfrm policy add src 10.1.0.0/16 dst 10.99.0.0/16 dir out")
    theirs = policies(namespace)
    for action in (Action.IPSEC, Action.DISCARD):
        one.add(drops("10.99.0.0/16")._replace(action=action))
    loop.turn(0)
    assert policies(namespace) == theirs
    (line,) = told
    assert "10.99.0.0/16" in line and "is not guarded by the kernel" in line
    one.close()


def test_the_last_of_a_turn_holds(namespace: Namespace) -> None:
    loop = Loop(Timers(lambda: 0.0))
    one = guard(namespace, NUMBER, loop)
    for action in (Action.DISCARD, Action.BYPASS):
        one.add(drops("10.2.0.0/16")._replace(action=action))
    loop.turn(0)
    assert policies(namespace).count("dir out") == 1 and "block" not in policies(namespace)
    one.close()


def test_a_guard_that_ends_has_said_all(namespace: Namespace) -> None:
    one = guard(namespace, NUMBER)
    one.add(drops("10.2.0.0/16"))
    one.close()
    assert "10.2.0.0/16" in policies(namespace)
