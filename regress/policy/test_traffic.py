"""Traffic selectors: on the wire, narrowed, in network form; against packets one by one."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isakmp.constants.ikev2 import Notify, Payload
from isakmp.errors import MalformedPayload, Refused
from isakmp.payloads.ikev2.ts import OpaqueValue, RangeValue, TsValue
from isakmp.policy import traffic
from isakmp.policy.boxes import Work
from isakmp.policy.selector_text import parse_selector
from isakmp.policy.spd import (
    ANY_PORTS,
    OPAQUE_PORTS,
    Address,
    Selector,
    Traffic,
    TrafficSelector,
)
from isakmp.policy.traffic import PAIRS_MAX, port_masks
from regress.policy.sections import over_the_wire

NO_PORT = -1


def side(text: str) -> tuple[TrafficSelector, ...]:
    return tuple(parse_selector(part) for part in text.split(",") if part.strip())


def both(local: str, remote: str) -> Traffic:
    return Traffic(side(local), side(remote))


def carries(selector: TrafficSelector, address: Address, protocol: int, port: int) -> bool:
    """Whether one end of a packet is of a selector, by the book."""
    if address.version != selector.start.version or selector.protocol not in (0, protocol):
        return False
    inside = int(selector.start) <= int(address) <= int(selector.end)
    bounds = selector.start_port, selector.end_port
    if port == NO_PORT:
        return inside and bounds in (ANY_PORTS, OPAQUE_PORTS)
    return inside and bounds[0] <= port <= bounds[1]


Packet = tuple[Address, Address, int, int, int]


def is_of(value: Traffic, packet: Packet) -> bool:
    src, dst, protocol, src_port, dst_port = packet
    return any(
        carries(local, src, protocol, src_port) and carries(remote, dst, protocol, dst_port)
        for local, remote in product(value.local, value.remote)
        if 0 in (local.protocol, remote.protocol) or local.protocol == remote.protocol
    )


# A small world, so that what is drawn meets.
addresses = st.sampled_from([4, 6]).flatmap(
    lambda version: st.integers(0, 7).map(
        lambda n: ip_address(f"10.0.0.{n}") if version == 4 else ip_address(f"fd00::{n}")
    )
)
ports = st.sampled_from([0, 79, 80, 90, 91, 0xFFFF, NO_PORT])
bounds = st.sampled_from([(0, 0xFFFF), (80, 80), (80, 90), (0, 79), (91, 0xFFFF), (0xFFFF, 0)])


@st.composite
def ends(draw: st.DrawFn) -> TrafficSelector:
    version, low, high = draw(st.sampled_from([4, 6])), draw(st.integers(0, 7)), 0
    high = draw(st.integers(low, 7))
    text = "10.0.0.{}" if version == 4 else "fd00::{}"
    protocol = draw(st.sampled_from([0, 6, 17]))
    found = draw(bounds) if protocol else (0, 0xFFFF)
    return TrafficSelector(
        ip_address(text.format(low)), ip_address(text.format(high)), protocol, *found
    )


sides = st.lists(ends(), min_size=1, max_size=3).map(tuple)
traffics = st.builds(Traffic, sides, sides)


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    src = draw(addresses)
    dst = draw(addresses.filter(lambda address: address.version == src.version))
    seen = draw(st.booleans())
    found = (draw(ports), draw(ports)) if seen else (NO_PORT, NO_PORT)
    return (src, dst, draw(st.sampled_from([6, 17])), *found)


class TestWire:
    def test_there_and_back(self) -> None:
        found = side("10.1.0.0/16, 10.2.0.0/16[tcp/80-90], 2001:db8::/32[udp/opaque], ::1[58/128]")
        assert traffic.from_wire(over_the_wire(Payload.TSI, traffic.to_wire(found))) == found

    @given(sides)
    def test_whatever_there_is(self, found: tuple[TrafficSelector, ...]) -> None:
        assert traffic.from_wire(over_the_wire(Payload.TSR, traffic.to_wire(found))) == found

    def selector(self, **fields: Any) -> Any:
        (known,) = traffic.to_wire(side("10.0.0.0/24[tcp/80]")).selectors
        return over_the_wire(Payload.TSI, TsValue((known._replace(**fields),)))

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"end": b"\x09\0\0\0"}, "addresses 10.0.0.0 to 9.0.0.0"),
            ({"start_port": 81}, "ports 81 to 80"),
            ({"start_port": 0xFFFF, "end_port": 1}, "ports 65535 to 1"),
        ],
    )
    def test_what_cannot_be(self, fields: dict[str, Any], reason: str) -> None:
        with pytest.raises(MalformedPayload, match=reason):
            traffic.from_wire(self.selector(**fields))

    def test_types_that_are_not_known_select_nothing(self) -> None:
        label = OpaqueValue(10, 0, b"label")
        known = traffic.to_wire(side("10.0.0.1")).selectors
        found = over_the_wire(Payload.TSI, TsValue((label, *known)))
        assert traffic.from_wire(found) == side("10.0.0.1")
        with pytest.raises(Refused) as caught:
            traffic.from_wire(over_the_wire(Payload.TSI, TsValue((label,))))
        assert caught.value.notify == Notify.TS_UNACCEPTABLE

    @pytest.mark.parametrize("ports", [(53, 53), (0, 1023), (81, 80), (1, 0xFFFF)])
    def test_ports_without_a_protocol_select_nothing(self, ports: tuple[int, int]) -> None:
        """RFC 7296 3.13.1: they must not be, and are no reason to end what else there is."""
        (known,) = traffic.to_wire(side("10.0.0.0/24[tcp/80]")).selectors
        assert isinstance(known, RangeValue)
        ill = known._replace(protocol=0, start_port=ports[0], end_port=ports[1])
        found = over_the_wire(Payload.TSI, TsValue((ill, known, ill)))
        assert traffic.from_wire(found) == side("10.0.0.0/24[tcp/80]")
        with pytest.raises(Refused) as caught:
            traffic.from_wire(over_the_wire(Payload.TSI, TsValue((ill,))))
        assert caught.value.notify == Notify.TS_UNACCEPTABLE
        assert f"ports {ports[0]} to {ports[1]} of any protocol" in caught.value.reason.came

    def test_none_at_all(self) -> None:
        with pytest.raises(MalformedPayload, match="no selectors"):
            traffic.from_wire(over_the_wire(Payload.TSI, TsValue(())))


def narrow(ours: Traffic, came: Traffic, work: Work | None = None) -> traffic.Narrowed | None:
    return traffic.narrow(ours, traffic.asked(came), PAIRS_MAX, work or Work())


class TestNarrow:
    OURS = both("10.1.0.0/16, 10.2.0.0/16[tcp/80-90]", "10.9.0.0/16")

    def narrow(self, local: str, remote: str, ours: Traffic = OURS) -> traffic.Narrowed:
        found = narrow(ours, both(local, remote))
        assert found is not None
        return found

    def test_the_same(self) -> None:
        found = narrow(self.OURS, self.OURS)
        assert found is not None
        assert (found.traffic, found.complete, found.additional) == (self.OURS, True, False)

    def test_a_part_is_taken_whole(self) -> None:
        found = self.narrow("10.1.2.0/24[udp/53]", "10.9.1.1")
        assert found == (both("10.1.2.0/24[udp/53]", "10.9.1.1"), True, False, False)

    def test_more_is_cut_down(self) -> None:
        found = self.narrow("0.0.0.0/0", "0.0.0.0/0")
        assert found == (self.OURS, False, False, False)

    def test_the_packet_that_waits_decides_what_stays(self) -> None:
        """RFC 7296 2.9."""
        found = self.narrow("10.2.0.7[tcp/85], 10.2.0.0/16", "10.9.3.3[tcp], 10.9.0.0/16")
        assert found.traffic == both("10.2.0.0/16[tcp/80-90]", "10.9.0.0/16")
        assert not found.complete
        packet = self.narrow("10.2.0.7[tcp/85]", "10.9.3.3[tcp]")
        assert packet == (both("10.2.0.7[tcp/85]", "10.9.3.3[tcp]"), True, False, False)

    def test_nothing_in_common(self) -> None:
        for came in ("10.3.0.0/16", "10.8.0.0/16"), ("10.1.0.0/16", "10.8.0.0/16"):
            assert narrow(self.OURS, both(*came)) is None

    def test_of_other_ip_versions(self) -> None:
        ours = both("10.1.0.0/16, fd00::/8", "10.9.0.0/16, fd00::/8")
        assert narrow(ours, both("10.1.0.0/16", "fd00::/8")) is None
        found = self.narrow("10.1.0.0/16, fd00::/8", "fd00::/8", ours)
        assert (found.traffic, found.complete) == (both("fd00::/8", "fd00::/8"), False)

    def test_not_more_than_the_stack_takes(self) -> None:
        local = ", ".join(f"10.1.{n}.1-10.1.{n}.6" for n in range(60))
        found = self.narrow(local, "10.9.0.1-10.9.0.6")
        assert not found.complete
        assert found.additional
        assert len(traffic.selectors(found.traffic)) <= PAIRS_MAX
        assert found.traffic.local[0] == parse_selector("10.1.0.1-10.1.0.6")

    def test_one_pair_that_is_too_many_networks(self) -> None:
        wide = "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"
        with pytest.raises(Refused, match="too many networks"):
            self.narrow(wide, wide, both("::/0", "::/0"))

    @settings(max_examples=300, deadline=None)
    @given(traffics, traffics, st.lists(packets(), max_size=30))
    def test_it_carries_what_both_ask_for(
        self, ours: Traffic, came: Traffic, seen: list[Packet]
    ) -> None:
        found = narrow(ours, came)
        if found is None:
            assert not any(is_of(ours, packet) and is_of(came, packet) for packet in seen)
            return
        assert traffic.is_subset(found.traffic, ours)
        assert traffic.is_subset(found.traffic, came)
        for packet in seen:
            assert is_of(found.traffic, packet) <= (is_of(ours, packet) and is_of(came, packet))
            if found.complete:
                assert is_of(found.traffic, packet) == is_of(came, packet)


class TestSubset:
    @pytest.mark.parametrize(
        ("part", "whole", "expected"),
        [
            ("10.0.0.0/24", "10.0.0.0/25, 10.0.0.128/25", True),
            ("10.0.0.0/24", "10.0.0.0/25, 10.0.0.129-10.0.0.255", False),
            ("10.0.0.0/24[tcp]", "10.0.0.0/24[tcp/0-79], 10.0.0.0/24[tcp/80-65535]", False),
            ("10.0.0.0/24[tcp]", "10.0.0.0/24[tcp/0-79], 10.0.0.0/24[tcp/80-65535], "
             "10.0.0.0/24[tcp/opaque]", True),
            ("10.0.0.0/24[tcp]", "10.0.0.0/24[tcp/opaque], 10.0.0.0/24[tcp/0-79], "
             "10.0.0.0/24[tcp/80-65535]", True),
            ("10.0.0.0/24[tcp/0-90]", "10.0.0.0/24[tcp/0-79], 10.0.0.0/24[tcp/80-65535]", True),
            ("10.0.0.0/24[tcp]", "10.0.0.0/24[tcp/0-79], 10.0.0.0/24[tcp/81-65535]", False),
            ("10.0.0.0/24", "10.0.0.0/24[tcp]", False),
            ("10.0.0.0/24[tcp/opaque]", "10.0.0.0/24", True),
            ("10.0.0.0/24[tcp/opaque]", "10.0.0.0/24[tcp/1-65535]", False),
            ("10.0.0.0/24[tcp]", "10.0.0.0/24[tcp/opaque]", False),
            ("10.0.0.0/24", "fd00::/8", False),
        ],
    )  # fmt: skip
    def test_of_one_side(self, part: str, whole: str, expected: bool) -> None:
        assert traffic.is_subset(both(part, part), both(whole, whole)) is expected

    @pytest.mark.parametrize("count", [64, 128, 255])
    def test_halves_of_as_many_as_there_can_be(self, count: int) -> None:
        """Of 128 and more that was too much to tell, and the answer no."""
        part, whole = (
            both(*(", ".join(f"{net}.{n}.0.0/{bits}" for n in range(count)) for net in (10, 11)))
            for bits in (17, 16)
        )
        assert traffic.is_subset(part, whole)
        assert not traffic.is_subset(whole, part)

    def test_many_holes_end(self) -> None:
        holes = ", ".join(f"10.0.{n}.0/25" for n in range(60))
        assert not traffic.is_subset(both("10.0.0.0/8", "::1"), both(holes, "::1"))

    @settings(max_examples=300, deadline=None)
    @given(traffics, traffics, packets())
    def test_a_packet_of_a_part_is_one_of_the_whole(
        self, part: Traffic, whole: Traffic, packet: Packet
    ) -> None:
        src, dst, protocol, src_port, dst_port = packet
        if traffic.is_subset(part, whole):
            for theirs, ours, address, port in (
                (part.local, whole.local, src, src_port),
                (part.remote, whole.remote, dst, dst_port),
            ):
                if any(carries(s, address, protocol, port) for s in theirs):
                    assert any(carries(s, address, protocol, port) for s in ours)


GRID = "10.1.0.0/16, 10.4.0.0/16", "10.2.0.0/16, 10.3.0.0/16"


class TestCarried:
    """Whether several child SAs have all of a connection together."""

    @pytest.mark.parametrize(
        ("each", "expected"),
        [
            ([GRID], True),
            ([GRID[::-1]], False),
            ([("10.0.0.0/8", "10.0.0.0/8")], True),
            ([("10.1.0.0/16", "10.2.0.0/16")], False),
            ([("10.1.0.0/16", "10.2.0.0/16"), ("10.4.0.0/16", "10.3.0.0/16")], False),
            ([("10.1.0.0/16", GRID[1]), ("10.4.0.0/16", GRID[1])], True),
            ([(GRID[0], "10.2.0.0/16"), (GRID[0], "10.3.0.0/17, 10.3.128.0/17")], True),
            ([(a, b) for a in GRID[0].split(",") for b in GRID[1].split(",")], True),
            ([(a, b) for a in GRID[0].split(",") for b in GRID[1].split(",")][1:], False),
        ],
    )
    def test_pairs(self, each: list[tuple[str, str]], expected: bool) -> None:
        assert traffic.is_carried(both(*GRID), [both(*one) for one in each]) is expected

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (("10.1.0.0/16", "10.2.0.0/16"), ("fd01::/64", "fd02::/64")),
            (("10.1.0.0/16[tcp]", "10.2.0.0/16[tcp]"), ("10.1.0.0/16[udp]", "10.2.0.0/16[udp]")),
            (("10.1.0.0/16[1/8]", "10.2.0.0/16[1/8]"), ("10.1.0.0/16[1/0]", "10.2.0.0/16[1/0]")),
        ],
    )
    def test_a_pair_that_no_packet_has_need_not_be_carried(
        self, one: tuple[str, str], other: tuple[str, str]
    ) -> None:
        whole = both(*map(", ".join, zip(one, other, strict=True)))
        assert traffic.is_carried(whole, [both(*one), both(*other)])
        assert not traffic.is_carried(whole, [both(*one)])

    @settings(max_examples=300, deadline=None)
    @given(traffics, st.lists(traffics, max_size=4), st.lists(packets(), min_size=1))
    def test_each_packet_of_it_is_of_one_of_them(
        self, whole: Traffic, each: list[Traffic], seen: list[Packet]
    ) -> None:
        if traffic.is_carried(whole, each):
            for packet in seen:
                assert not is_of(whole, packet) or any(is_of(one, packet) for one in each)

    @settings(max_examples=300, deadline=None)
    @given(traffics)
    def test_those_of_each_pair_have_all_of_it(self, whole: Traffic) -> None:
        pairs = [Traffic((a,), (b,)) for a, b in product(whole.local, whole.remote)]
        assert traffic.is_carried(whole, pairs)

    @pytest.mark.parametrize(("count", "told"), [(64, True), (255, False)])
    def test_many_selectors_end(
        self, count: int, told: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One that has all of it is known however many there are, of more it may not be told."""
        spent: list[Work] = []

        class Counted(Work):
            def __init__(self, *sides: int) -> None:
                super().__init__(*sides)
                spent.append(self)

        monkeypatch.setattr(traffic, "Work", Counted)
        local, remote = (side(",".join(f"10.{n}.{i}.0/25" for i in range(count))) for n in (1, 2))
        whole = Traffic(local, remote)
        assert traffic.is_carried(whole, [Traffic(local[::-1], remote)])
        assert traffic.is_carried(whole, [Traffic((one,), remote) for one in local]) is told
        pairs = [Traffic((a,), (b,)) for a, b in product(local, remote)]
        assert not traffic.is_carried(whole, pairs[1:])
        assert max(work.done - work.most for work in spent) <= 4 * count * count


class TestSelectors:
    def texts(self, local: str, remote: str) -> list[str]:
        return [str(selector) for selector in traffic.selectors(both(local, remote))]

    def test_pairs_of_networks(self) -> None:
        assert self.texts("10.1.0.0/16, 10.2.0.1-10.2.0.2", "10.9.0.0/24") == [
            "10.1.0.0/16 -> 10.9.0.0/24",
            "10.2.0.1/32 -> 10.9.0.0/24",
            "10.2.0.2/32 -> 10.9.0.0/24",
        ]

    def test_ports_and_protocols_of_both_sides(self) -> None:
        assert self.texts("10.1.0.1[tcp/80-90], 10.1.0.2[udp]", "10.9.0.1[tcp/443]") == [
            "10.1.0.1/32[80-90] -> 10.9.0.1/32[443] proto tcp"
        ]
        assert self.texts("10.1.0.1[udp/opaque]", "10.9.0.1") == [
            "10.1.0.1/32[opaque] -> 10.9.0.1/32 proto udp"
        ]

    def test_versions_stay_apart(self) -> None:
        assert self.texts("10.1.0.1, fd00::1", "10.9.0.1, fd00::9") == [
            "10.1.0.1/32 -> 10.9.0.1/32",
            "fd00::1/128 -> fd00::9/128",
        ]

    @pytest.mark.parametrize(
        ("ports", "selectors"),
        [
            ("8", [(8, 0, None, None)]),
            ("0", [(0, 0, 0, None)]),
            ("3.1", [(3, 1, None, None)]),
            ("3.1-3.4", [(3, 1, None, 4)]),
            ("8-13", [(8, 0, 13, None)]),
            ("3.4-5.2", [(3, 4, None, 255), (4, 0, None, None), (5, 0, None, 2)]),
            ("any", [(0, 0, None, None)]),
        ],
    )
    def test_icmp_has_types_and_codes(
        self, ports: str, selectors: list[tuple[int, int, int | None, int | None]]
    ) -> None:
        found = traffic.selectors(both(f"10.1.0.1[icmp/{ports}]", "10.9.0.1"))
        assert [selector[3:] for selector in found] == selectors
        assert [selector.reversed()[3:] for selector in found] == selectors

    @pytest.mark.parametrize(
        ("pieces", "whole"),
        [
            ("{}[tcp/80-90], {}[tcp/91-99]", "{}[tcp/80-99]"),
            ("{}[tcp/91-99], {}[udp/1-2], {}[tcp/80-90]", "{}[tcp/80-99], {}[udp/1-2]"),
            ("{}[tcp/80-95], {}[tcp/90-99]", "{}[tcp/80-99]"),
            ("{}[tcp/1-9], {}[tcp/20-29], {}[tcp/10-19]", "{}[tcp/1-29]"),
            ("{}[tcp/0-1023], {}[tcp/1024-65535]", "{}[tcp/0-1023], {}[tcp/1024-65535]"),
            ("{}[tcp/80], {}[tcp/opaque], {}[tcp/82]", "{}[tcp/80], {}[tcp/opaque], {}[tcp/82]"),
            ("{}[icmp/3], {}[icmp/4]", "{}[icmp/3-4]"),
        ],
    )
    def test_ports_side_by_side_are_one_range(self, pieces: str, whole: str) -> None:
        """RFC 7296 2.9: in whatever pieces a peer writes them. All of them but not any: that is
        also what has none to be seen."""
        networks = ["10.1.0.0/16"] * 3
        found = self.texts(pieces.format(*networks), "10.9.0.1")
        assert found == self.texts(whole.format(*networks), "10.9.0.1")

    def test_what_is_joined_may_touch_what_its_parts_did_not(self) -> None:
        halves = "10.1.0.0/17[tcp/80], 10.1.128.0/17[tcp/80-81], 10.1.0.0/17[tcp/81]"
        assert self.texts(halves, "10.9.0.1") == self.texts("10.1.0.0/16[tcp/80-81]", "10.9.0.1")

    def test_what_a_wider_one_takes_in_is_not_said_twice(self) -> None:
        assert self.texts("10.1.2.3[tcp/80], 10.1.0.0/16", "10.9.1.1[tcp/5], 10.9.0.0/16") == [
            "10.1.0.0/16 -> 10.9.0.0/16"
        ]

    @pytest.mark.parametrize(
        ("local", "remote", "reason"),
        [
            ("10.1.0.1", "fd00::1", "selects no packet: IPv4 on one side, IPv6 on the other"),
            ("10.1.0.1[tcp]", "10.9.0.1[udp]", "selects no packet"),
            ("10.1.0.1-10.1.254.254", "10.9.0.1-10.9.254.254", "more than 256 pairs"),
        ],
    )
    def test_what_the_stack_cannot_have(self, local: str, remote: str, reason: str) -> None:
        with pytest.raises(Refused, match=reason):
            traffic.selectors(both(local, remote))

    @settings(max_examples=300, deadline=None)
    @given(traffics, st.lists(packets(), max_size=30))
    def test_they_match_the_packets_that_the_traffic_has(
        self, value: Traffic, seen: list[Packet]
    ) -> None:
        try:
            found = traffic.selectors(value)
        except Refused:
            found = ()
        for packet in seen:
            src, dst, protocol, src_port, dst_port = packet
            expected = is_of(value, packet)
            assert any(s.matches(*packet) for s in found) == expected
            back = dst, src, protocol, dst_port, src_port
            assert any(s.reversed().matches(*back) for s in found) == expected

    @given(traffics)
    def test_the_text_reads_back(self, value: Traffic) -> None:
        for selector in (*value.local, *value.remote):
            assert parse_selector(traffic.selector_text(selector)) == selector


class TestPortMasks:
    def test_some(self) -> None:
        assert port_masks(80, 80) == [(80, 0xFFFF)]
        assert port_masks(0, 0xFFFF) == [(0, 0)]
        assert port_masks(80, 90) == [(80, 0xFFF8), (88, 0xFFFE), (90, 0xFFFF)]

    @given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
    def test_they_cover_the_range_and_nothing_else(self, one: int, other: int, port: int) -> None:
        first, last = min(one, other), max(one, other)
        found = port_masks(first, last)
        assert len(found) <= 30
        assert sum(0x10000 - mask for _, mask in found) == last - first + 1
        for at in (port, first, last, max(first - 1, 0), min(last + 1, 0xFFFF)):
            assert any(at & mask == value for value, mask in found) == (first <= at <= last)


class TestSelectorValues:
    RANGE = Selector.of("10.0.0.0/8", "10.0.0.0/8", 6, 80, 0)._replace(src_last=90)

    def test_a_range_matches_its_ports(self) -> None:
        ends = ip_address("10.0.0.1"), ip_address("10.0.0.2")
        assert [p for p in (79, 80, 90, 91) if self.RANGE.matches(*ends, 6, p, 5)] == [80, 90]
        assert not self.RANGE.matches(*ends, 6, NO_PORT, NO_PORT)
        assert self.RANGE.without_ports().matches(*ends, 6, NO_PORT, NO_PORT)
        assert self.RANGE.has_ports and not self.RANGE.without_ports().has_ports

    def test_the_other_direction(self) -> None:
        back = self.RANGE.reversed()
        assert (back.src_ports, back.dst_ports) == ((0, 0xFFFF), (80, 90))
        assert back.reversed() == self.RANGE
        assert str(back) == "10.0.0.0/8 -> 10.0.0.0/8[80-90] proto tcp"


@pytest.mark.parametrize(
    ("kind", "code", "ports"),
    [(8, 0, (0x800, 0x8FF)), (3, 4, (0x304, 0x304)), (0, 0, ANY_PORTS), (0, 4, ANY_PORTS)],
)
def test_a_packet_of_icmp_has_its_type_and_code_at_both_ends(
    kind: int, code: int, ports: tuple[int, int]
) -> None:
    """RFC 7296 3.13.1. The code was asked for as a type of the other end."""
    selector = Selector.of("10.1.0.1/32", "10.2.0.1/32", 1, kind, code)
    for (side,) in traffic.of_selector(selector):
        assert (side.start_port, side.end_port) == ports
