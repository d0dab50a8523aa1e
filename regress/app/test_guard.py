"""What the guards of key engines leave in the kernel is told apart, in namespaces of their own."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from isakmp.app.base import Action, Direction, PolicySpec
from isakmp.app.engine.wire import MARK
from isakmp.app.guard import Guard, instance
from isakmp.app.xfrm import values
from isakmp.app.xfrm.constants import Dir, Msg
from isakmp.app.xfrm.link import KernelRefusal, Link
from isakmp.errors import ApplicationError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from isakmp.policy.spd import Selector
from regress.interop.namespace import Namespace
from regress.interop.needs import missing

NUMBER = 77


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    if reason := missing():
        pytest.skip(reason)
    made = Namespace()
    yield made
    made.close()


@contextmanager
def inside(namespace: Namespace) -> Iterator[None]:
    """What is opened here is of the namespace."""
    setns = ctypes.CDLL(None, use_errno=True).setns
    with Path("/proc/self/ns/net").open() as home, \
            Path(f"/proc/{namespace.pid}/ns/net").open() as there:  # fmt: skip
        assert setns(there.fileno(), 0) == 0
        try:
            yield
        finally:
            assert setns(home.fileno(), 0) == 0


def guard(
    namespace: Namespace, number: int, loop: Loop | None = None,
    told: Callable[[str], None] = lambda line: None,
) -> Guard:  # fmt: skip
    log = Log(lambda: 0.0, told)
    with inside(namespace):
        return Guard(loop or Loop(Timers(lambda: 0.0)), log, number, "lo", MARK)


def drops(network: str) -> PolicySpec:
    selector = Selector(ip_network("10.1.0.0/16"), ip_network(network))
    return PolicySpec(Direction.OUT, selector, Action.DISCARD)


def policies(namespace: Namespace) -> str:
    return namespace.run("ip", "xfrm", "policy").stdout


def test_two_whose_numbers_collide_leave_each_other_alone(namespace: Namespace) -> None:
    one, other = guard(namespace, NUMBER), guard(namespace, NUMBER + values.GUARDS)
    one.add(drops("10.2.0.0/16"))
    one.close()  # as it is killed: what it has stays
    other.close()
    other = guard(namespace, NUMBER + values.GUARDS)
    other.add(drops("10.3.0.0/16"))
    assert other.sweep() == 0
    assert "10.2.0.0/16" in policies(namespace) and "10.3.0.0/16" in policies(namespace)
    other.close()
    again = guard(namespace, NUMBER)
    assert again.sweep() == 1, "its own, and no more"
    again.close()
    assert "10.2.0.0/16" not in policies(namespace) and "10.3.0.0/16" in policies(namespace)


def test_a_block_that_moved_on_is_found_again(namespace: Namespace) -> None:
    """Where the first of a block is gone, the second one's is still the second's."""
    loop = Loop(Timers(lambda: 0.0))
    one = guard(namespace, NUMBER, loop)
    one.add(drops("10.2.0.0/16"))
    loop.turn(0)
    other = guard(namespace, NUMBER + values.GUARDS)
    other.add(drops("10.3.0.0/16"))
    one.delete(drops("10.2.0.0/16"))
    one.close()
    other.close()
    again = guard(namespace, NUMBER + values.GUARDS)
    assert again.sweep() == 1
    again.close()
    assert policies(namespace) == ""


def test_where_every_block_is_taken_that_is_said() -> None:
    indices = (values.of_guard(number, ()).index(1, Dir.OUT) for number in range(values.GUARDS))
    taken = [{"index": index, "lft": {"soft_packet_limit": 5}} for index in indices]
    with pytest.raises(ApplicationError, match="isakmpd --open"):
        values.of_guard(6, taken)


def test_what_somebody_takes_away_is_put_back(namespace: Namespace) -> None:
    loop, told = Loop(Timers(lambda: 0.0)), list[str]()
    one = guard(namespace, NUMBER, loop, told.append)
    one.add(drops("10.2.0.0/16"))
    loop.turn(0)
    before = policies(namespace)
    namespace.run("ip", "xfrm", "policy", "flush")
    assert policies(namespace) == ""
    told.clear()
    loop.turn(0)
    assert policies(namespace) == before
    assert len(told) == 1 and "took IPsec policies" in told[0]
    one.close()


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


def test_paths_have_numbers_of_their_own() -> None:
    assert len({instance(f"/run/isakmpd-{n}") for n in range(2000)}) == 2000


def test_more_refusals_than_the_socket_has_room_for_are_heard(namespace: Namespace) -> None:
    log = Log(lambda: 0.0, lambda line: None)
    with inside(namespace):
        link = Link(Loop(Timers(lambda: 0.0)), log)
    missing = (Msg.DELPOLICY, values.policy_id(Dir.OUT, values.INDEX_BASE))
    jobs = link.request_all([[missing] * 20_000, [missing]])
    for job in jobs:
        assert isinstance(job.error, KernelRefusal) and job.error.errno == errno.ENOENT
    link.close()
