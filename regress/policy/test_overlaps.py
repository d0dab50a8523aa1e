"""Who has some of the same traffic: the same answer as comparing each with each."""

from __future__ import annotations

from ipaddress import ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

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


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(selectors(), max_size=3), max_size=12))
def test_as_each_with_each(traffic: list[list[Selector]]) -> None:
    known: Overlaps[int] = Overlaps()
    for number, one in enumerate(traffic):
        expected = [
            before for before, other in enumerate(traffic[:number])
            if any(ours.overlaps(theirs) for ours in one for theirs in other)
        ]  # fmt: skip
        assert list(known.of(one)) == expected
        known.add(one, number)
