"""Who has some of the same traffic: the same answer as comparing each with each."""

from __future__ import annotations

from ipaddress import ip_network
from itertools import product
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.policy import overlaps
from isakmp.policy.overlaps import Overlaps
from isakmp.policy.spd import ANY_PORTS, OPAQUE_PORTS, Selector

NETWORKS = [
    "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "10.1.1.1/32", "10.1.1.2/32",
    "192.0.2.0/24", "::/0", "fd00::/8", "fd00:1::/32", "fd00:1::1/128",
]  # fmt: skip
_networks = st.sampled_from([ip_network(text) for text in NETWORKS])
_ports = st.sampled_from([(0, None), (80, None), (81, None), (80, 90), OPAQUE_PORTS, ANY_PORTS])


@st.composite
def selectors(draw: st.DrawFn) -> Selector:
    src = draw(_networks)
    dst = draw(_networks.filter(lambda network: network.version == src.version))
    (sport, slast), (dport, dlast) = draw(_ports), draw(_ports)
    return Selector(src, dst, draw(st.sampled_from([0, 6, 17])), sport, dport, slast, dlast)


@pytest.mark.parametrize("few", [0, overlaps.FEW])
@settings(max_examples=300, deadline=None)
@given(traffic=st.lists(st.lists(selectors(), max_size=3), max_size=12))
def test_as_each_with_each(few: int, traffic: list[list[Selector]]) -> None:
    known: Overlaps[int] = Overlaps()
    with mock.patch.object(overlaps, "FEW", few):
        for number, one in enumerate(traffic):
            expected = [
                before for before, other in enumerate(traffic[:number])
                if any(ours.overlaps(theirs) for ours in one for theirs in other)
            ]  # fmt: skip
            found = list(known.of(one))
            assert [whose for whose, _, _ in found] == expected
            for before, ours, theirs in found:
                assert ours in one and theirs in traffic[before] and ours.overlaps(theirs)
            known.add(one, number)


def test_selectors_of_as_many_kinds_as_there_are_cost_no_table_for_each_two_kinds() -> None:
    """Networks of 20 to 29 bits at both ends, with and without ports: 400 kinds."""
    lengths = range(20, 30)
    ports = ((0, 0), (0, 443), (5000, 0), (5000, 443))
    kinds = list(product(lengths, lengths, ports))
    every = [
        Selector.of(f"10.{n % 100}.0.0/{src}", f"10.{n // 4}.0.0/{dst}", 17, *pair)
        for n, (src, dst, pair) in enumerate(kinds)
    ]
    known: Overlaps[int] = Overlaps()
    kept = 0
    add = overlaps._Table.add

    def counted(table: overlaps._Table[int], entry: overlaps._Entry[int]) -> None:
        nonlocal kept
        kept += 1
        add(table, entry)

    with mock.patch.object(overlaps._Table, "add", counted):
        for number, selector in enumerate(every):
            list(known.of([selector]))
            known.add([selector], number)
    assert kept < 50 * len(every)
