"""Which connection a request is for, however many there are, and what finding it costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isakmp.errors import Refused
from isakmp.policy.boxes import Work
from isakmp.policy.by_traffic import ByTraffic
from isakmp.policy.children import find_child
from isakmp.policy.spd import Connection, Traffic
from isakmp.policy.traffic import asked, narrow
from regress.policy.test_catalog_v2 import catalog, traffic

SIDE = 16


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
    every, work = spokes(200, apart=False), Work(side=SIDE)
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
