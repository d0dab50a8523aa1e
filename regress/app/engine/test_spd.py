"""The policy tables against a search through all of them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.app.base import Direction, PolicySpec
from isakmp.app.engine.packet import Headers
from isakmp.app.engine.spd import Spd, covers
from isakmp.policy.spd import Network, Selector

NETWORKS: dict[int, list[Network]] = {
    4: [
        IPv4Network(text)
        for text in ("0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/30", "10.0.0.0/31", "10.0.0.2/32")
    ],
    6: [IPv6Network(text) for text in ("::/0", "fd00::/8", "fd00::/126", "fd00::1/128")],
}


@st.composite
def selectors(draw: st.DrawFn) -> Selector:
    networks = st.sampled_from(NETWORKS[draw(st.sampled_from([4, 6]))])
    protocol = draw(st.sampled_from([0, 6, 17]))
    ports = st.sampled_from([0, 0, 53]) if protocol else st.just(0)
    return Selector(draw(networks), draw(networks), protocol, draw(ports), draw(ports))


@st.composite
def packets(draw: st.DrawFn) -> Headers:
    low = st.integers(0, 4)
    if draw(st.booleans()):
        version, ends = 4, [IPv4Address(0x0A000000 + draw(low)) for _ in range(2)]
    else:
        version, ends = 6, [IPv6Address((0xFD << 120) + draw(low)) for _ in range(2)]  # type: ignore[misc]
    later = draw(st.booleans())
    ports = [-1, -1] if later else [draw(st.sampled_from([53, 80])) for _ in range(2)]
    protocol = draw(st.sampled_from([6, 17, 1]))
    return Headers(version, 60, *ends, protocol, *ports, 20, later, later)  # type: ignore[arg-type, call-arg]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(list(Direction)),
    st.lists(selectors(), max_size=25),
    st.data(),
    st.lists(packets(), max_size=10),
)
def test_tables_find_what_a_search_finds(
    direction: Direction, wanted: list[Selector], data: st.DataObject, seen: list[Headers]
) -> None:
    spd = Spd()
    for selector in wanted:
        spd.add(PolicySpec(direction, selector))
    gone = data.draw(st.sets(st.sampled_from(wanted))) if wanted else set()
    for selector in gone:
        assert spd.remove(PolicySpec(direction, selector)) is not None
        assert spd.remove(PolicySpec(direction, selector)) is None
    policies = spd.policies()
    assert {policy.spec.selector for policy in policies} == set(wanted) - gone
    for headers in seen:
        meets = [policy for policy in policies if covers(policy.spec.selector, headers)]
        slow = min(meets, key=lambda policy: policy.rank, default=None)
        assert spd.match(direction, headers) is slow
