"""Connections by their traffic: what is configured is found at once, the rest where it may lie."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isakmp.policy.boxes import Work
from isakmp.policy.by_traffic import ByTraffic
from isakmp.policy.spd import Connection, Traffic
from regress.policy.test_catalog_v2 import catalog, traffic

NEAR = "10.1.0.0/24, 10.1.1.0/24"


def connection(name: str, local: str, remote: str) -> Connection:
    one = catalog().connections["wide"]
    return replace(one, name=name, traffic=traffic(local, remote))


def several(count: int = 5) -> ByTraffic:
    """Of both IP versions, each far side its own."""
    return ByTraffic(
        connection(f"c{n}", f"{NEAR}, fd00::/64", f"10.{n + 2}.0.0/24, 10.{n + 2}.9.0/24, "
                   f"fd00:0:0:{n + 2}::/64")
        for n in range(count)
    )  # fmt: skip


def names(found: ByTraffic, came: Traffic) -> list[str]:
    return [one.name for one in found.equal(came)]


def near(found: ByTraffic, local: str, remote: str) -> list[str]:
    return [one.name for one in found.near(traffic(local, remote), Work())]


FAR = "10.4.0.0/24, 10.4.9.0/24, fd00:0:0:4::/64"
ALL = f"{NEAR}, fd00::/64"


@pytest.mark.parametrize(
    ("local", "remote", "found"),
    [
        (ALL, FAR, ["c2"]),
        ("fd00::/64, 10.1.1.0/24, 10.1.0.0/24", "10.4.9.0/24, fd00:0:0:4::/64, 10.4.0.0/24",
         ["c2"]),
        (f"10.1.0.9[tcp/80], {ALL}", f"10.4.0.7[tcp/5], {FAR}", ["c2"]),
        (f"10.1.0.9, {ALL}", FAR, ["c2"]),
        (ALL, f"10.4.0.7, {FAR}", ["c2"]),
        (NEAR, FAR, []),
        (ALL, f"10.4.0.7, 10.4.0.8, {FAR}", []),
        (FAR, ALL, []),
        ("10.1.0.0/24", "10.4.0.0/24", []),
    ],
)  # fmt: skip
def test_what_is_configured_is_known_in_any_order_and_behind_a_packet(
    local: str, remote: str, found: list[str]
) -> None:
    assert names(several(), traffic(local, remote)) == found


def test_of_one_alone_nothing_is_looked_up_and_of_none_nothing_is_found() -> None:
    work, came = Work(), traffic(ALL, FAR)
    (only,) = ByTraffic([connection("c", "10.1.0.0/24", "10.2.0.0/24")]).near(came, work)
    assert (only.name, work.done) == ("c", 0)
    assert not names(ByTraffic([only]), only.traffic)
    assert not [*ByTraffic().near(came, work)]


def test_several_of_the_same_traffic_are_in_the_order_of_the_configuration() -> None:
    every = ByTraffic(connection(f"c{n}", "10.1.0.0/24", "10.2.0.0/24") for n in range(3))
    assert names(every, traffic("10.1.0.0/24", "10.2.0.0/24")) == ["c0", "c1", "c2"]


@pytest.mark.parametrize(
    ("local", "remote", "found"),
    [
        ("10.1.0.5", "10.4.0.5", ["c2"]),
        ("10.1.0.5", "10.4.0.0/15", ["c2", "c3"]),
        ("10.0.0.0/8", "0.0.0.0/0", ["c0", "c1", "c2", "c3", "c4"]),
        ("fd00::/16", "fd00:0:0:4::1", ["c2"]),
        ("10.1.0.5, fd00::1", "10.4.0.5, fd00:0:0:6::1", ["c2", "c4"]),
        ("10.3.0.5", "10.4.0.5", []),
        ("10.1.0.5", "10.77.0.0/16", []),
    ],
)
def test_what_has_no_addresses_in_common_is_not_compared(
    local: str, remote: str, found: list[str]
) -> None:
    assert near(several(), local, remote) == found


def test_what_has_no_traffic_is_near_nothing() -> None:
    """As a connection that IKEv1 alone can have."""
    every = several(2)
    every.add(replace(connection("old", NEAR, FAR), traffic=Traffic((), ())))
    assert near(every, "0.0.0.0/0, ::/0", "0.0.0.0/0, ::/0") == ["c0", "c1"]


@pytest.mark.parametrize(("count", "cost"), [(2, 2), (20, 3), (200, 14)])
def test_what_lies_elsewhere_costs_hardly_anything(count: int, cost: int) -> None:
    """Each was charged as if it had been compared, and a peer's last connections not found."""
    work = Work()
    assert len([*several(count).near(traffic("10.1.0.5", "10.3.0.5"), work)]) == 1
    assert work.done == cost


@pytest.mark.parametrize("far", ["10.0.0.0/8", "10.201.0.5"])
def test_looking_ends_where_it_is_too_much(far: str) -> None:
    """Of those that are near, and of spans alone."""
    work = Work()
    work.most = 6
    found = [*several(200).near(traffic("10.1.0.5", far), work)]
    assert [one.name for one in found] == ([f"c{n}" for n in range(6)] if far[-1] == "8" else [])
    assert work.done == work.most + 1
