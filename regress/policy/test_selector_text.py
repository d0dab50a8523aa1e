"""Traffic selectors as the configuration writes them."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isakmp.policy.likely_selectors import instead_of
from isakmp.policy.selector_text import host_bits, parse_selector
from isakmp.policy.spd import ANY_PORTS, OPAQUE_PORTS, Address, TrafficSelector
from isakmp.policy.traffic import describe_side


class TestSelectors:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("10.1.0.0/33", "does not appear"),
            ("10.1.0.9-10.1.0.1", "ends before it starts"),
            ("10.1.0.9-::1", "ends before it starts"),
            ("10.1.0.1[tcp/90-80]", "end before they start"),
            ("10.1.0.1[any/80]", "ports need a protocol"),
            ("10.1.0.1[tcp/65536]", "no port"),
            ("10.1.0.1[tcp/]", "no port"),
            ("10.1.0.1[256]", "no protocol"),
            ("10.1.0.1[nosuch]", "no protocol"),
            ("10.1.0.1[icmp/256]", "no ICMP type"),
            ("10.1.0.1[icmp/echo]", "no ICMP type"),
            ("10.1.0.1[tcp", "is no selector"),
            ("elsewhere", "is no selector"),
            ("", "is no selector"),
        ],
    )
    def test_what_is_no_selector(self, text: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            parse_selector(text)

    def test_an_address_stands_for_the_network_it_is_in(self) -> None:
        assert parse_selector("10.1.2.3/16[tcp]") == parse_selector("10.1.0.0/16[tcp]")
        assert host_bits("10.1.2.3/16[tcp]") == (
            "10.1.2.3/16 is taken for the network 10.1.0.0/16; the address alone is 10.1.2.3"
        )
        assert "network 2001:db8::/32;" in host_bits("2001:db8::1/32")
        for text in ("10.1.0.0/16", "10.1.2.3", "10.1.2.3/32", "10.1.0.1-10.1.0.2", "elsewhere"):
            assert host_bits(text) == ""

    def test_names_of_protocols_and_ports(self) -> None:
        assert parse_selector("10.1.0.1 [ tcp / 80 - 90 ]") == parse_selector("10.1.0.1[6/80-90]")
        assert parse_selector("10.1.0.1[tcp/http]").start_port == 80
        assert parse_selector("10.1.0.1[tcp/any]") == parse_selector("10.1.0.1[tcp]")

    @given(st.text(max_size=40))
    def test_only_value_errors_come_out(self, text: str) -> None:
        with suppress(ValueError):
            assert parse_selector(text).start.version in (4, 6)


@pytest.mark.parametrize(
    ("text", "start", "end", "protocol", "ports"),
    [
        ("10.1.0.0/16", "10.1.0.0", "10.1.255.255", 0, ANY_PORTS),
        ("10.1.0.7", "10.1.0.7", "10.1.0.7", 0, ANY_PORTS),
        ("10.9.0.1-10.9.0.20[udp]", "10.9.0.1", "10.9.0.20", 17, ANY_PORTS),
        ("10.9.0.1 - 10.9.0.20 [6/80]", "10.9.0.1", "10.9.0.20", 6, (80, 80)),
        ("::/0[tcp/1-1023]", "::", "ffff:" * 7 + "ffff", 6, (1, 1023)),
        ("2001:DB8::1[any/opaque]", "2001:db8::1", "2001:db8::1", 0, OPAQUE_PORTS),
        ("10.1.0.7[icmp/8]", "10.1.0.7", "10.1.0.7", 1, (0x800, 0x8FF)),
        ("10.1.0.7[icmp/3.1]", "10.1.0.7", "10.1.0.7", 1, (0x301, 0x301)),
        ("::1[58/128-129.0]", "::1", "::1", 58, (0x8000, 0x8100)),
        ("10.1.0.7[ TCP / OPAQUE ]", "10.1.0.7", "10.1.0.7", 6, OPAQUE_PORTS),
        ("10.1.0.7[]", "10.1.0.7", "10.1.0.7", 0, ANY_PORTS),
    ],
)
def test_what_a_selector_means(
    text: str, start: str, end: str, protocol: int, ports: tuple[int, int]
) -> None:
    """RFC 7296 3.13.1: of ICMP a port is type and code, an octet each."""
    found = parse_selector(text)
    assert found == (ip_address(start), ip_address(end), protocol, *ports)


addresses = st.ip_addresses(v=4) | st.ip_addresses(v=6)
ports = st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)).map(sorted).map(tuple)


@given(addresses, st.integers(0, 1000), st.sampled_from([0, 6, 17, 1, 58]), ports)
def test_what_is_described_is_read_again(
    start: Address, more: int, protocol: int, bounds: tuple[int, int]
) -> None:
    top = (1 << start.max_prefixlen) - 1
    end = type(start)(min(int(start) + more, top))
    found = TrafficSelector(start, end, protocol, *(bounds if protocol else ANY_PORTS))
    assert parse_selector(describe_side((found,))) == found


@pytest.mark.parametrize("text", ["\u0661\u0660.1.0.1", "10.1.0.1[tcp/\u0668\u0660]"])
def test_digits_of_other_scripts_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no selector|is no port"):
        parse_selector(text)


def test_the_manual_says_what_is_read_and_what_is_refused() -> None:
    manual = Path(__file__).parents[2].joinpath("docs/isakmpd.conf.5.md").read_text("utf-8")
    table = manual.partition("and how not:\n")[2].partition("\n\nAn identity")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()[3:]]
    assert len(rows) == 12
    for written, read in rows:
        for text in re.findall("`([^`]+)`", written):
            if not read.startswith("refused"):
                parse_selector(text)
                assert bool(host_bits(text)) is ("warning" in read), text
                continue
            with pytest.raises(ValueError):
                parse_selector(text)
            if instead := re.search("write `(.*)`", read):
                assert instead_of(text) == f"write {instead[1]}", text
