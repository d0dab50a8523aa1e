"""What the guards of key engines leave in the kernel is told apart, in namespaces of their own."""

from __future__ import annotations

import errno

import pytest

from isakmp.app.guard import instance
from isakmp.app.xfrm import values
from isakmp.app.xfrm.constants import Dir, Msg
from isakmp.app.xfrm.link import KernelRefusal, Link
from isakmp.errors import ApplicationError
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from regress.app.guards import drops, guard, inside, policies
from regress.interop.namespace import Namespace

NUMBER = 77


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
