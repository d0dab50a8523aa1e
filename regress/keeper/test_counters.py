"""What child SAs have carried, and when."""

from __future__ import annotations

import pytest

from isakmp.app.base import SaId, Usage
from isakmp.event.job import Job
from isakmp.keeper.counters import LEAST_S, carried, count
from isakmp.sa import ChildSa
from regress.pair import Host, Network, up
from regress.scripts.ikev2.pairs import child_of


def said(host: Host, packets: int, idle_s: float | None) -> None:
    """What the stack says of every SA from now on."""

    def usage(sa: SaId) -> Job[Usage]:
        return Job.of(Usage(packets, 0, 0.0, idle_s))

    host.app.usage = usage  # type: ignore[method-assign]


def counted() -> tuple[Network, Host, ChildSa]:
    net, west, _ = up()
    said(west, 1, 0.0)
    count(west.daemon.keeper, [child_of(west)])
    return net, west, child_of(west)


@pytest.mark.parametrize(
    ("packets", "idle_s", "after_s"),
    [(1, 0.0, 0.0), (2, 4.0, 6.0), (2, None, 10.0), (2, 10.5, LEAST_S), (2, 60.0, 10.0)],
)  # fmt: skip
def test_a_packet_came_when_the_stack_says_it_did_if_that_was_since_the_last_count(
    packets: int, idle_s: float | None, after_s: float
) -> None:
    net, west, child = counted()
    began = net.now
    net.run(10)
    said(west, packets, idle_s)
    count(west.daemon.keeper, [child])
    assert carried([child]) == (began + after_s, began + after_s)
    assert child.counted == net.now


def test_none_have_carried_nothing() -> None:
    assert carried([]) == (0.0, 0.0)
