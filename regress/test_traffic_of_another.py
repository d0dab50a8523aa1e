"""Traffic of a live child SA is not taken over by another identity that shares the section."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from fifo_ui import explain
from isakmp.app.base import Direction
from isakmp.conf.store import Conf
from regress.exchange.test_bounds import HUB, VERSIONS, caller, hub_text, member, site
from regress.pair import Gateway, Host, Network, Packet, connected

A, B = 10, 66
OWNED = "10.9.5.0/24"


def a_of(version: int) -> Gateway:
    return member(version, A, OWNED)


def scene(version: int, who: Gateway, pool: str = "") -> tuple[Network, Host, Host]:
    """A hub with one peer that is up."""
    net = Network()
    hub = net.add(HUB, hub_text(version, pool=pool))
    first = net.host(who)
    net.start()
    net.run(3)
    assert connected(first)
    return net, hub, first


def join(net: Network, who: Gateway, seconds: float = 5) -> Host:
    host = net.host(who)
    host.daemon.start()
    net.run(seconds)
    return host


def sends_to(hub: Host, remote: str) -> str:
    """Where the hub sends what is for that network."""
    found = [p.dst for p in hub.app.policies
             if p.direction is Direction.OUT and str(p.selector.dst) == remote]  # fmt: skip
    return str(found[-1]) if found else ""


@VERSIONS
@pytest.mark.parametrize("asked", [OWNED, "10.9.5.7/32", "10.9.4.0/23", "10.9.0.0/16"])
def test_nobody_gets_what_another_has(version: int, asked: str) -> None:
    net, hub, a = scene(version, a_of(version))
    b = join(net, member(version, B, asked))
    assert connected(a) and not connected(b)
    assert sends_to(hub, OWNED) == str(a.address)
    assert {str(c.path.remote) for c in hub.daemon.sas.all_children()} == {str(a.address)}
    assert set(hub.reasons()) == {"traffic-of-another"}
    peer_said = "TS_UNACCEPTABLE" if version == 2 else "INVALID_ID_INFORMATION"
    assert peer_said in b.said


@VERSIONS
@pytest.mark.parametrize("asked", [OWNED, "10.9.4.0/23"])
def test_of_two_who_ask_at_once_only_one_has_it(version: int, asked: str) -> None:
    """Nobody has it when either begins; nor does it help to leave the last message for later."""
    net = Network()
    hub = net.add(HUB, hub_text(version))
    hosts = [net.host(a_of(version)), net.host(member(version, B, asked))]
    hub.app.held = []
    net.start()
    for _ in range(40):
        net.run(0.01)
        hub.app.release()
    hub.app.held = None
    net.run(1)
    (child,) = hub.daemon.sas.all_children()
    assert {spec.spi for spec in hub.app.sas.values()} == {
        spi for p in child.protocols for spi in (p.spi_in, p.spi_out)
    }
    assert not hub.app.larval
    assert "traffic-of-another" in hub.reasons()
    assert sorted(connected(host) for host in hosts) == [False, True]
    (loser,) = [host for host in hosts if not connected(host)]
    assert not loser.app.sas, "it has heard that there is none"


def test_who_keeps_back_its_last_message_takes_nothing() -> None:
    """Quick mode is answered when nobody has the traffic, and done when somebody has."""
    net, first, kept = Network(), list[bytes](), list[Packet]()
    hub, b = net.add(HUB, hub_text(1)), net.host(member(1, B, OWNED))

    def keep(packet: Packet) -> bool:
        if packet.src != b.address or packet.header.exchange_type != 32:
            return False
        first.append(packet.data)
        if packet.data != first[0]:
            kept.append(packet)
        return packet.data != first[0]

    net.lose = keep
    net.start()
    net.run(1)
    a = join(net, a_of(1))
    assert connected(a) and kept
    net.deliver(kept[0])
    net.run(2)
    assert [str(c.path.remote) for c in hub.daemon.sas.all_children()] == [str(a.address)]
    assert sends_to(hub, OWNED) == str(a.address)
    assert not connected(b), "it has heard that there is none"


@VERSIONS
def test_explain_says_who_has_it_and_what_to_do(version: int) -> None:
    net, hub, _ = scene(version, a_of(version))
    join(net, member(version, B, OWNED))
    text = explain.text(explain.failures(hub.outcomes, f"192.0.2.{B}"), f"192.0.2.{B}")
    text = " ".join(text.split())
    for part in ("for another identity", f"192.0.2.{A}", OWNED, "Share-traffic", "[pool]"):
        assert part in text


@VERSIONS
def test_what_nobody_has_is_had_beside_it(version: int) -> None:
    net, hub, a = scene(version, a_of(version))
    b = join(net, member(version, B, "10.9.6.0/24"))
    assert connected(a) and connected(b)
    assert not hub.reasons()


@VERSIONS
def test_the_same_identity_takes_over_from_elsewhere(version: int) -> None:
    net, hub, _ = scene(version, a_of(version))
    net.hosts.pop(ip_address(f"192.0.2.{A}"))
    again = join(net, replace(a_of(version), address="192.0.2.99"))
    assert connected(again)
    assert sends_to(hub, OWNED) == "192.0.2.99"
    assert not hub.reasons()


@VERSIONS
def test_who_has_left_elsewhere_leaves_the_traffic_to_who_is_still_there(version: int) -> None:
    """Before the SAs of the first place have gone, those of the second one do."""
    net, hub, first = scene(version, a_of(version))
    tags = a_of(version).peer_tags + "Unique-ids= never\n"  # no INITIAL_CONTACT
    second = join(net, replace(a_of(version), address="192.0.2.99", peer_tags=tags), 0.2)
    assert sends_to(hub, OWNED) == "192.0.2.99"
    second.daemon.teardown("home", 2)
    net.run(0.5)
    assert connected(first)
    assert {str(c.path.remote) for c in hub.daemon.sas.all_children()} == {str(first.address)}
    assert sends_to(hub, OWNED) == str(first.address)


@VERSIONS
def test_who_is_not_there_any_more_is_found_out_and_gives_way(version: int) -> None:
    """A client whose identity is its address comes back under another one."""
    net, hub, _ = scene(version, caller(version, f"192.0.2.{A}", OWNED))
    net.hosts.pop(ip_address(f"192.0.2.{A}"))
    again = join(net, caller(version, f"192.0.2.{B}", OWNED), 1)
    assert not connected(again)
    net.until(lambda: connected(again), 100)
    assert sends_to(hub, OWNED) == f"192.0.2.{B}"


@VERSIONS
def test_traffic_is_shared_where_the_connection_says_so(version: int) -> None:
    net, hub, a = scene(version, a_of(version), pool="Share-traffic= yes")
    b = join(net, member(version, B, OWNED))
    assert connected(a) and connected(b)
    assert sends_to(hub, OWNED) == str(b.address), "who came last"


def wider(text: str) -> str:
    """The pool takes the site's network in."""
    return text.replace("Network= 10.9.0.0\nNetmask= 255.255.0.0", "Network= 10.0.0.0\n"
                        "Netmask= 255.0.0.0")  # fmt: skip


def beside_a_site(version: int, *order: Any) -> tuple[Host, list[Host]]:
    net = Network()
    hub = net.add(HUB, wider(hub_text(version)))
    hub.daemon.start()
    return hub, [join(net, who) for who in order]


@VERSIONS
def test_a_client_gets_no_address_of_a_site(version: int) -> None:
    hub, (home, b) = beside_a_site(version, site(version), member(version, B, "10.1.2.3/32"))
    assert connected(home) and not connected(b)
    assert set(hub.reasons()) == {"traffic-of-another"}


@VERSIONS
@pytest.mark.parametrize("asked", ["10.1.0.0/16", "10.1.2.3/32", "10.0.0.0/15"])
def test_nor_one_of_a_site_that_is_not_up(version: int, asked: str) -> None:
    """It would keep the narrower one for good, or have the traffic whenever the site is away."""
    hub, (b, home) = beside_a_site(version, member(version, B, asked), site(version))
    assert not connected(b) and connected(home)
    assert set(hub.reasons()) == {"traffic-of-another"}
    assert "for the peer site alone, by site-net" in hub.said
    assert sends_to(hub, "10.1.0.0/16") == str(home.address)


@VERSIONS
def test_what_becomes_a_sites_by_a_reload_is_taken_back(version: int, tmp_path: Path) -> None:
    """It was nobody's before, so that a client could have it."""
    file, text = tmp_path / "isakmpd.conf", wider(hub_text(version))
    file.write_text(text)
    file.chmod(0o600)
    net = Network()
    hub = net.add(HUB, "", conf=Conf.load(file))
    hub.daemon.start()
    b, other = (join(net, member(version, at, f"10.{at}.0.0/24")) for at in (B, A))
    assert connected(b) and connected(other)
    file.write_text(text.replace("10.1.0.0", f"10.{B}.0.0"))
    done = hub.reload()
    assert any("for the peer site alone" in line for line in done), done
    net.run(5)
    assert not sends_to(hub, f"10.{B}.0.0/24") and not connected(b)
    assert sends_to(hub, f"10.{A}.0.0/24") == str(other.address)


@VERSIONS
def test_what_is_not_the_sites_is_had_whether_it_is_up_or_not(version: int) -> None:
    hub, hosts = beside_a_site(
        version, member(version, A, "10.3.2.3/32"), site(version), member(version, B, "10.3.2.4/32")
    )
    assert all(map(connected, hosts))
    assert not hub.reasons()


@VERSIONS
def test_a_pool_that_is_cut_out_of_a_sites_networks_is_the_clients(version: int) -> None:
    """The more specific connection counts, also while the site is up."""
    net = Network()
    text = hub_text(version).replace("Network= 10.1.0.0\nNetmask= 255.255.0.0",
                                     "Network= 10.0.0.0\nNetmask= 255.0.0.0")  # fmt: skip
    hub = net.add(HUB, text)
    hub.daemon.start()
    who = member(version, A, OWNED), site(version, "10.0.0.0/8"), member(version, B, "10.9.6.0/24")
    for one in who:
        assert connected(join(net, one))
    assert not hub.reasons()
    assert sends_to(hub, OWNED) == f"192.0.2.{A}"
    assert sends_to(hub, "10.0.0.0/8") == "192.0.2.1"


@VERSIONS
def test_nor_one_of_a_connection_that_is_left_out(version: int) -> None:
    """Its traffic is dropped until the error is mended, and goes to nobody else."""
    net = Network()
    text = wider(hub_text(version)).replace(
        "[site-net]\nPhase= 2\nISAKMP-peer= site\nConfiguration= phase-2\n",
        "[site-net]\nPhase= 2\nISAKMP-peer= site\nConfiguration= no-such\n",
    )
    hub = net.add(HUB, text)
    hub.daemon.start()
    b = join(net, member(version, B, "10.1.2.3/32"))
    assert not connected(b)
    assert set(hub.reasons()) == {"traffic-of-another"}
