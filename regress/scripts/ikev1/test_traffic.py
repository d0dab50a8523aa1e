"""The identities of quick mode: what they select, and whose they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isakmp.constants import ipsec
from regress.pair import EAST, WEST, Network, agree, connected, up
from regress.scripts.ikev1.test_quick_mode import failure, specs


@pytest.mark.parametrize(
    ("local", "remote", "selector"),
    [
        ("10.1.0.0/16", "10.2.0.0/16", "10.1.0.0/16 -> 10.2.0.0/16"),
        ("10.1.0.7", "10.2.0.0/24", "10.1.0.7/32 -> 10.2.0.0/24"),
        ("2001:db8:1::/48", "2001:db8:2::1", "2001:db8:1::/48 -> 2001:db8:2::1/128"),
        ("0.0.0.0/0", "10.2.0.0/16", "0.0.0.0/0 -> 10.2.0.0/16"),
        ("10.1.0.0/16 tcp/80", "10.2.0.0/16 tcp", "10.1.0.0/16[80] -> 10.2.0.0/16 proto tcp"),
        ("10.1.0.0/16 udp/53", "10.2.0.0/16 udp/53",
         "10.1.0.0/16[53] -> 10.2.0.0/16[53] proto udp"),
    ],
)  # fmt: skip
def test_selectors(local: str, remote: str, selector: str) -> None:
    west = replace(WEST, local=local, remote=remote)
    east = replace(EAST, local=remote, remote=local)
    _, w, e = up(west, east)
    assert connected(w), e.said
    assert w.rows(2)[0]["selector"] == selector
    agree(w, e)
    for host in (w, e):
        out, back = sorted(host.app.policies, key=lambda p: p.direction.value, reverse=True)
        assert out.selector.reversed() == back.selector
        assert {s.reqid for s in host.app.sas.values()} == {out.reqid} == {back.reqid}


def test_a_passive_connection_may_be_narrowed() -> None:
    west = replace(WEST, local="10.1.5.0/24")
    _, w, e = up(west, EAST)
    assert e.rows(2)[0]["selector"] == "10.2.0.0/16 -> 10.1.5.0/24"
    agree(w, e)


@pytest.mark.parametrize("part", ["10.0.0.0/8", "10.3.0.0/24"])
def test_but_not_widened(part: str) -> None:
    _, w, e = up(replace(WEST, local=part), EAST)
    assert failure(e)["cause"] == "no-connection"
    assert connected(w, children=0)


def test_transport_mode_between_the_hosts() -> None:
    west = replace(WEST, suites="QM-ESP-TRP-AES-SHA-SUITE", local="192.0.2.1", remote="192.0.2.2")
    east = replace(EAST, suites="QM-ESP-TRP-AES-SHA-SUITE", local="192.0.2.2", remote="192.0.2.1")
    net, w, e = up(west, east)
    assert w.rows(2)[0]["mode"] == "TRANSPORT"
    assert {p.mode for p in w.app.policies} == {ipsec.Encapsulation.TRANSPORT}
    agree(w, e)
    assert net.history


def test_without_identities_the_hosts_themselves_are_meant() -> None:
    text = WEST.text().replace("Local-ID= near\nRemote-ID= far\n", "")
    back = EAST.text().replace("Local-ID= near\nRemote-ID= far\n", "")
    net = Network()
    w, e = net.add("192.0.2.1", text), net.add("192.0.2.2", back)
    net.start()
    net.run(5)
    assert w.rows(2)[0]["selector"] == "192.0.2.1/32 -> 192.0.2.2/32"
    agree(w, e)


@pytest.mark.parametrize(
    ("near", "far"), [("icmp/8", ""), ("icmp/8", "icmp"), ("", "icmp/8"), ("icmp/8", "icmp/8")]
)
@pytest.mark.parametrize("west_begins", [True, False])
def test_a_type_of_icmp_is_one_for_both_ends(near: str, far: str, west_begins: bool) -> None:
    """Type and code do not change sides, whichever identity has them and whoever begins."""
    one = replace(WEST, local=f"10.1.0.0/16 {near}", remote=f"10.2.0.0/16 {far}")
    other = replace(EAST, local=one.remote, remote=one.local)
    one, other = (replace(g, passive=p) for g, p in ((one, not west_begins), (other, west_begins)))
    _, west, east = up(one, other)
    assert connected(west), west.said + east.said
    agree(west, east)
    (selector,) = specs(west, False)[0].selectors
    assert (selector.protocol, selector.src_port, selector.dst_port) == (1, 8, 0)


def test_a_code_of_icmp_is_one_for_both_ends() -> None:
    of_west = "Local-selectors= 10.1.0.0/16[icmp/3.4]\nRemote-selectors= 10.2.0.0/16"
    of_east = "Local-selectors= 10.2.0.0/16\nRemote-selectors= 10.1.0.0/16[icmp/3.4]"
    _, west, east = up(
        replace(WEST, connection_tags=of_west), replace(EAST, connection_tags=of_east)
    )
    assert connected(west), west.said + east.said
    agree(west, east)
    (selector,) = specs(east, False)[0].selectors
    assert (selector.protocol, selector.src_port, selector.dst_port) == (1, 3, 4)
