"""Which connection a request is for, however many there are, and what finding it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.errors import Refused
from isakmp.policy.boxes import V6, Work, boxes_of, selector_of
from isakmp.policy.by_traffic import ByTraffic
from isakmp.policy.children import find_child
from isakmp.policy.spd import Connection, Traffic
from isakmp.policy.traffic import Narrowed, asked, narrow
from regress.policy.test_boxes import Point, calls, points, some_box
from regress.policy.test_catalog_v2 import catalog, traffic

SIDE = 16
WIDE, ROAMING = catalog().connections["wide"], catalog().remote("roaming")


def nets(pattern: str, count: int = SIDE) -> str:
    return ", ".join(pattern.format(n) for n in range(count))


def spokes(count: int, apart: bool = True) -> list[Connection]:
    """Connections of many networks; apart: each with those of its own block, else in between those
    of all others."""
    one = catalog().connections["wide"]
    far = "10.{}.{{}}.0/24" if apart else "10.200.{{}}.{}/32"
    return [
        replace(one, name=f"c{n}", traffic=traffic(nets("10.1.{}.0/24"), nets(far.format(n + 2))))
        for n in range(count)
    ]


def find(every: list[Connection], came: Traffic, work: Work) -> tuple[str, bool]:
    index = ByTraffic(every)
    connection, narrowed = find_child(catalog().remote("roaming"), index, came, False, "", work)
    return connection.name, narrowed.complete


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("packet", [True, False])
def test_what_is_configured_costs_the_same_among_however_many(apart: bool, packet: bool) -> None:
    costs = set()
    for count in (2, 200):
        every, work = spokes(count, apart), Work()
        came = every[-1].traffic
        if packet:
            came = Traffic(*((one[0]._replace(end=one[0].start), *one) for one in came))
        assert find(every, came, work) == (f"c{count - 1}", True)
        costs.add(work.done)
    assert len(costs) == 1
    assert max(costs) <= 4 * SIDE * SIDE


def test_what_is_configured_is_found_where_nothing_else_would_be() -> None:
    every, work = spokes(200, apart=False), Work()
    work.most = 4 * SIDE
    assert find(every, every[-1].traffic, work) == ("c199", True)
    assert not work.over


def test_a_part_is_found_among_many_that_lie_elsewhere() -> None:
    every, work = spokes(200), Work()
    part = traffic(nets("10.1.{}.0/25", 8), nets("10.150.{}.0/25", 8))
    assert find(every, part, work) == ("c148", True)
    assert work.done < len(every) + 8 * SIDE * SIDE


@pytest.mark.parametrize("count", [20, 250])
def test_one_request_costs_no_more_than_it_may(count: int) -> None:
    """It was given more with each connection."""
    every, work = spokes(count, apart=False), Work()
    most = work.most
    came = traffic(nets("10.1.{}.1/32", 8), nets("10.200.{}.255/32", 8))
    with pytest.raises(Refused):
        find(every, came, work)
    assert work.most == most
    one = Work()
    narrow(every[0].traffic, asked(came), 256, one)
    assert work.done <= most + one.done


def test_of_two_of_the_same_traffic_that_of_the_mode_that_is_asked_for_is_taken() -> None:
    found = catalog("[narrow]", "[narrow]\nMode= transport")
    transport, tunnel = found.connections["narrow"], found.connections["wide"]
    same = traffic("10.1.0.1", "10.4.0.1")
    every = ByTraffic(replace(one, traffic=same) for one in (tunnel, transport, tunnel))
    for wanted, name in ((True, "narrow"), (False, "wide")):
        remote = found.remote("roaming")
        connection, _ = find_child(remote, every, same, wanted, "", Work())
        assert connection.name == name


def test_the_same_traffic_in_the_other_mode_gives_way_to_the_mode_that_is_asked_for() -> None:
    found = catalog("[narrow]", "[narrow]\nMode= transport")
    transport, tunnel = found.connections["narrow"], found.connections["wide"]
    same = traffic("10.1.0.1", "10.4.0.1")
    every = ByTraffic([replace(tunnel, traffic=same), transport])
    connection, _ = find_child(found.remote("roaming"), every, same, True, "", Work())
    assert connection.name == "narrow"


class Linear(ByTraffic):
    """Each is compared with what comes, in the order of the configuration."""

    __slots__ = ()

    def equal(self, came: Traffic) -> Iterator[Connection]:
        return iter(())

    def near(self, came: Traffic, work: Work) -> Iterator[Connection]:
        return iter(self.every)


boxes = st.lists(some_box(), min_size=1, max_size=4)
some_traffic = st.builds(
    lambda local, remote: Traffic(*(tuple(map(selector_of, side)) for side in (local, remote))),
    boxes, boxes,
)  # fmt: skip


def found_in(every: ByTraffic, came: Traffic) -> tuple[str, Narrowed] | None:
    try:
        connection, narrowed = find_child(ROAMING, every, came, False, "", Work())
    except Refused:
        return None
    return connection.name, narrowed


def packets(traffic: Traffic) -> list[set[Point]]:
    return [points(*boxes_of(side)) for side in traffic]


def shares(one: Traffic, other: Traffic) -> bool:
    """Whether some packet is of both: each end of it, in one IP version."""
    local, remote = (
        {address >= V6 for address, _, _ in here & there}
        for here, there in zip(packets(one), packets(other), strict=True)
    )
    return bool(local & remote)


@st.composite
def requests(draw: st.DrawFn) -> tuple[list[Traffic], Traffic]:
    """What is configured, and what comes: anything, or one of them in any order, which may stand
    behind a packet."""
    configured = draw(st.lists(some_traffic, min_size=1, max_size=6))
    if draw(st.booleans()):
        return configured, draw(some_traffic)
    came = [draw(st.permutations(side)) for side in draw(st.sampled_from(configured))]
    if draw(st.booleans()):
        came = [[side[0]._replace(end=side[0].start), *side] for side in came]
    return configured, Traffic(*map(tuple, came))


@settings(max_examples=300, deadline=None)
@given(requests())
def test_what_is_looked_up_is_what_comparing_each_finds(
    request: tuple[list[Traffic], Traffic],
) -> None:
    configured, came = request
    every = [replace(WIDE, name=f"c{n}", traffic=each) for n, each in enumerate(configured)]
    found, plain = found_in(ByTraffic(every), came), found_in(Linear(every), came)
    assert bool(found) == bool(plain) == any(shares(each, came) for each in configured)
    if found is None or plain is None:
        return
    name, narrowed = found
    theirs = configured[int(name[1:])]
    if found != plain:
        # That of just this traffic goes before others that take as much.
        assert narrowed.complete == plain[1].complete
        assert set(theirs.local) <= set(came.local) and set(theirs.remote) <= set(came.remote)
    for left, asked_for, ours in zip(*map(packets, (narrowed.traffic, came, theirs)), strict=True):
        assert left <= asked_for & ours
        assert left == asked_for or not narrowed.complete


@pytest.mark.parametrize("side", [1, 64])
def test_of_many_connections_the_last_is_found(side: int) -> None:
    """What lies elsewhere was charged to a request, which had less where a side may have few."""
    count = 5000
    every = [
        replace(WIDE, name=f"c{n}", traffic=traffic("10.0.0.0/16", f"20.{n // 250}.{n % 250}.0/24"))
        for n in range(count)
    ]
    last, work = count - 1, Work(side)
    part = traffic("10.0.0.7", f"20.{last // 250}.{last % 250}.0/25")
    assert find(every, part, work) == (f"c{last}", True)
    assert work.done < 400


def test_what_all_connections_have_some_of_is_compared_with_so_many() -> None:
    """Each that has some costs what it takes to make that up, and to rank it."""
    work = Work()
    every = ByTraffic(
        replace(WIDE, name=f"c{n}", traffic=traffic("10.0.0.0/16", f"20.{n // 250}.{n % 250}.0/24"))
        for n in range(3000)
    )
    came = traffic("10.0.0.0/8", "20.0.0.0/8")
    ran = calls(lambda: find_child(ROAMING, every, came, False, "", work))
    assert work.over
    assert ran < 200_000
