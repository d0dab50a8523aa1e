"""Warnings of traffic that is cut off, not dropped, or claimed twice."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import ip_interface
from pathlib import Path
from unittest import mock

import pytest

from isakmp.__main__ import main
from isakmp.conf.check import check, judge, warnings
from isakmp.conf.store import Conf
from isakmp.policy.spd import Selector
from isakmp.policy.supported import Stack
from isakmp.transport.netif import Interface
from regress.pair import EAST, WEST, Network


@pytest.fixture(autouse=True)
def lan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(2, "lan0")])


def resolve(name: str, version: int) -> Interface | None:
    return ip_interface("10.2.7.1/24") if (name, version) == ("lan0", 4) else None


def said(text: str) -> str:
    assert not check(Conf.from_text(text))
    return "\n".join(warnings(Conf.from_text(text), resolve))


def test_an_own_network_inside_a_remote_one_is_told_until_it_is_bypassed() -> None:
    assert "Remote-selectors= 10.2.7.0/24" in said(WEST.text())
    text = WEST.text().replace("[Phase 2]\n", "[Phase 2]\nBypass= lan\n")
    assert "10.2.7.0" not in said(text + "[lan]\nRemote-selectors= 10.2.0.0/16\n")


LISTED = WEST.text().replace("Local-ID= near\nRemote-ID= far", "{}")
ONE_SIDE = "[west-east] protects nothing of {}: there is nothing of {} on the other side"


@pytest.mark.parametrize(
    ("local", "remote", "left"),
    [
        ("10.1.0.0/16", "10.2.0.0/16, 2001:db8:2::/48", {"Remote": [("2001:db8:2::/48", "IPv6")]}),
        ("10.1.0.0/16, 2001:db8:1::/48, 2001:db8:3::1", "10.2.0.0/16",
         {"Local": [("2001:db8:1::/48", "IPv6"), ("2001:db8:3::1", "IPv6")]}),
        ("2001:db8:1::/48", "10.2.0.0/16, 2001:db8:2::/48", {"Remote": [("10.2.0.0/16", "IPv4")]}),
        ("10.1.0.0/16[tcp/80], 10.1.0.0/16[udp]", "10.2.0.0/16[udp/53]",
         {"Local": [("10.1.0.0/16[tcp/80]", "its protocol and ports")]}),
        ("10.1.0.0/16[udp]", "10.2.0.0/16[udp/53], 10.3.0.0/16[tcp]",
         {"Remote": [("10.3.0.0/16[tcp]", "its protocol and ports")]}),
        ("10.1.0.0/16[icmp/8]", "10.2.0.0/16[icmp/8], 10.3.0.0/16[icmp/0]",
         {"Remote": [("10.3.0.0/16[icmp/0]", "its protocol and ports")]}),
        ("10.1.0.0/16[tcp/80], 2001:db8:1::/48", "10.2.0.0/16, 2001:db8:2::/48[udp]", {}),
        ("10.1.0.0/16", "10.2.0.0/16[tcp/80], 10.3.0.0/16[udp/53]", {}),
    ],
)  # fmt: skip
def test_what_has_nothing_on_the_other_side_is_told(
    local: str, remote: str, left: dict[str, list[tuple[str, str]]]
) -> None:
    """It is never protected, nor dropped."""
    conf = Conf.from_text(LISTED.format(f"Local-selectors= {local}\nRemote-selectors= {remote}"))
    assert not check(conf)
    told = [line for line in warnings(conf, resolve) if "protects nothing of" in line]
    assert [line.partition(": ")[2] for line in told] == [
        ONE_SIDE.format(*each) for side in left.values() for each in side
    ]
    assert all(f"[west-east]:{side}-selectors: " in line for side in left for line in told)


def test_so_it_is_beside_an_identity() -> None:
    text = LISTED.format("Local-ID= near\nRemote-selectors= 10.2.0.0/16, 2001:db8:2::/48")
    assert ONE_SIDE.format("2001:db8:2::/48", "IPv6") in said(text)


UNSAID = "so it lets pass in clear what [west-east] has of {}; name our side"


@pytest.mark.parametrize(
    ("bypass", "told"),
    [
        ("Remote-selectors= 10.2.5.0/24\n", "10.1.0.0/16 with 10.2.5.0/24"),
        ("Locals= printer\nRemote-selectors= 10.2.5.9\n", "10.1.0.0/16 with 10.2.5.9/32"),
        ("Remote-selectors= 10.0.0.0/8\n", "10.1.0.0/16 with 10.2.0.0/16"),
        ("Remote-selectors= " + ", ".join(f"10.2.{n}.0/24" for n in range(10, 24, 2)),
         ", ".join(f"10.1.0.0/16 with 10.2.{n}.0/24" for n in range(10, 20, 2)) + ", 2 more"),
        ("Remote-selectors= 10.3.0.0/16\n", ""),
        ("Remote-selectors= 10.2.7.0/24\n", ""),
        ("Remote-selectors= 10.2.7.9\n", ""),
        ("Local-selectors= 0.0.0.0/0\nRemote-selectors= 10.2.5.0/24\n", ""),
        ("Local-selectors= 10.1.9.7\nRemote-selectors= 10.2.5.0/24\n", ""),
    ],
)  # fmt: skip
def test_a_bypass_that_says_nothing_of_our_side_is_told_with_what_it_opens(
    bypass: str, told: str
) -> None:
    """But for the host's own network, which is why there are any."""
    text = WEST.text().replace("[Phase 2]\n", "[Phase 2]\nBypass= lan\n") + "[lan]\n" + bypass
    of_bypass = [line for line in said(text).splitlines() if "it has no Local-selectors" in line]
    assert len(of_bypass) == bool(told)
    assert all(UNSAID.format(told) in line for line in of_bypass)


def test_where_nothing_is_installed_what_would_be_is_told() -> None:
    """isakmpd -n: who reads that a network is cut off looks for what is not there."""
    text = WEST.text()
    told = "\n".join(judge(Conf.from_text(text), resolve, stack=Stack(idle=True)).warnings)
    assert "without -n it would go through the tunnel, and be cut off while that is down" in told
    assert "is cut off" not in told
    assert "it goes through the tunnel, and is cut off while that is down" in said(text)
    none = text.replace("[General]\n", "[General]\nApplication= none\n")
    assert "cut off" not in "\n".join(
        judge(Conf.from_text(none), resolve, stack=Stack(idle=True)).warnings
    )


def test_all_that_is_said_of_traffic_has_a_word_for_what_would_be() -> None:
    text = WEST.text().replace("Connections= ", "Connections= part, same, ")
    text += (
        "[part]\nPhase= 2\nISAKMP-peer= east\nConfiguration= phase-2\nLocal-ID= near\n"
        "Remote-ID= host\n[host]\nID-type= IPV4_ADDR\nAddress= 10.2.9.9\n"
        "[same]\nPhase= 2\nISAKMP-peer= east\nConfiguration= phase-2\n"
        "Local-selectors= 10.1.0.0/16\nRemote-selectors= 10.1.0.0/16, 10.2.0.0/16\n"
    )
    text = text.replace("[Phase 2]\n", "[Phase 2]\nBypass= all\n")
    text += "[all]\nRemote-selectors= 10.2.9.0/24\n"
    told = judge(Conf.from_text(text), resolve, stack=Stack(idle=True)).warnings
    marks = "has, too", "at both ends", "has no Local-selectors"
    of_traffic = [line for line in told if any(mark in line for mark in marks)]
    assert {mark for mark in marks for line in told if mark in line} == set(marks)
    assert len(of_traffic) >= 3
    assert all("without -n" in line for line in of_traffic)


def test_the_flag_is_heard_by_check_and_by_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("isakmp.start.interface", resolve)
    path = tmp_path / "conf"
    path.write_text(WEST.text())
    path.chmod(0o600)
    assert main(["--check", "-n", "-c", str(path)]) == 0
    assert "without -n it would go through" in capsys.readouterr().err
    assert main(["--check", "-c", str(path)]) == 0
    assert "it goes through the tunnel, and is cut off" in capsys.readouterr().err
    net = Network()
    west = net.add(WEST.address, WEST.text(), resolve=resolve)
    net.start()
    assert west.app.name == "none"
    assert "without -n it would go through" in west.said


def test_overlaps_of_connections_are_told() -> None:
    text = WEST.text().replace("Connections= ", "Connections= part, ")
    text += (
        "[part]\nPhase= 2\nISAKMP-peer= east\nConfiguration= phase-2\nLocal-ID= near\n"
        "Remote-ID= host\n[host]\nID-type= IPV4_ADDR\nAddress= 10.2.9.9\n"
    )
    assert "[part] has traffic that [west-east] has, too" in said(text)
    assert "has, too" not in said(WEST.text())


def test_what_many_networks_have_in_common_is_found_without_comparing_all() -> None:
    """Two connections of 64 networks each, with the last ones in common."""
    text = connections(2, "10.9.9.0/24")
    for i in range(2):
        far = ", ".join(f"10.{20 + i}.{2 * n}.0/24" for n in range(63))
        text = text.replace(f"172.16.0.{i}", far)
    with mock.patch.object(Selector, "overlaps", autospec=True, side_effect=Selector.overlaps) as n:
        assert "[c1] has traffic that [c0] has, too" in said(text)
    assert n.call_count < 1000


def connections(count: int, remote: str, tags: str = "") -> str:
    """So many, each with a network of its own beside ``remote``."""
    names = [f"c{i}" for i in range(count)]
    peers = "[Phase 1]\n192.0.2.9= gate\n[gate]\nAddress= 192.0.2.9\nKey-exchange= ikev2\n"
    peers += "Authentication= 8d3b2a9f8c7e6d5f4a3b2c1d0e9f8a7b\n"
    lists = f"[Phase 2]\n{tags or 'Connections'}= {', '.join(names)}\n"
    return peers + lists + "".join(
        f"[{name}]\nISAKMP-peer= gate\nLocal-selectors= 192.168.1.0/24\n"
        f"Remote-selectors= 172.16.{i >> 8}.{i & 255}, {remote}\n"
        for i, name in enumerate(names)
    )  # fmt: skip


def test_all_networks_of_a_connection_are_looked_at() -> None:
    told = said(connections(1, "10.0.0.0/8"))
    assert "10.2.7.0/24, lies inside 10.0.0.0/8, the remote one of [c0]" in told
    assert "is not dropped" in said(connections(1, "0.0.0.0/0", "Passive-connections"))
    told = said(connections(2, "10.9.0.0/16"))
    assert "[c1] has traffic that [c0] has, too: it goes to whose child SA was made last" in told


def test_overlaps_are_told_of_however_many_connections() -> None:
    text = connections(601, "172.17.0.1").replace("172.17.0.1\n", "\n", 600).replace(", \n", "\n")
    assert "has, too" not in said(text)
    assert "[c600] has traffic that [c7] has, too" in said(text.replace("172.17.0.1", "172.16.0.7"))


def test_a_passive_connection_with_everybody_is_told() -> None:
    text = EAST.text().replace("10.1.0.0", "0.0.0.0").replace("255.255.0.0", "0.0.0.0")
    told = said(text)
    assert "is not dropped" in told
    assert "lies inside" not in told, "it has what its child SAs have: nothing is cut off"
    assert "is not dropped" not in said(EAST.text())


def test_one_network_at_both_ends_of_a_tunnel_is_told() -> None:
    text = replace(WEST, remote=WEST.local).text()
    assert "10.1.0.0/16 is at both ends of [west-east]: what this host sends" in said(text)
    assert "at both ends" not in said(WEST.text())
    mode = "Key-exchange= ikev2\nIKE-proposals= aes128-sha256-x25519\n"
    text = connections(1, "192.168.1.0/24").replace("Key-exchange= ikev2\n", mode)
    assert "192.168.1.0/24 is at both ends of [c0]" in said(text)
    assert "at both ends" not in said(text.replace("[c0]\n", "[c0]\nMode= transport\n"))


def test_traffic_that_ikev1_has_no_place_for_is_told() -> None:
    text = connections(1, "10.9.0.0/16")
    assert "with IKEv1" not in said(text)
    proposals = "Key-exchange= ikev2, ikev1\nIKE-proposals= aes128-sha256-x25519\n"
    text = text.replace("Key-exchange= ikev2\n", proposals)
    text = text.replace("[c0]\n", "[c0]\nESP-proposals= aes128gcm16\n")
    first = "192.168.1.0/24 -> 172.16.0.0/32"
    assert f"with IKEv1 [c0] negotiates {first} alone" in said(text)
    assert "with IKEv1" not in said(text.replace(", 10.9.0.0/16", ""))


@pytest.mark.parametrize(
    "line",
    [
        "Local-selectors= 192.168.1.0/24\nRemote-selectors= 172.{}.{}.0/24\n",
        "Local-selectors= 172.{}.{}.0/24\nRemote-selectors= 192.168.1.0/24\n",
        "Local-selectors= 10.0.0.0/8[tcp/{}{:03}]\nRemote-selectors= 192.168.1.0/24\n",
    ],
)
def test_connections_are_not_compared_with_each_other(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their work grows as they do: of 400 that have nothing in common."""
    compared, listed = [0], [0]
    overlaps, get_list = Selector.overlaps, Conf.get_list

    def counted(one: Selector, other: Selector) -> bool:
        compared[0] += 1
        return overlaps(one, other)

    def read(conf: Conf, section: str, tag: str) -> list[str]:
        listed[0] += section == "Phase 2"
        return get_list(conf, section, tag)

    monkeypatch.setattr(Selector, "overlaps", counted)
    monkeypatch.setattr(Conf, "get_list", read)
    text = connections(400, "10.9.0.0/16")
    wide, _, text = text.partition("[c0]")
    text = "".join(
        f"[c{i}]\nISAKMP-peer= gate\n{line.format(16 + i // 100, i % 100)}" for i in range(400)
    )
    assert "has, too" not in said(wide + text)
    assert compared[0] <= 400
    assert listed[0] < 40, "the lists of [Phase 2] are read as often as there are connections"


@pytest.mark.parametrize("tags", ["selectors", "ID"])
def test_sides_that_are_exchanged_are_asked_for_first(tags: str) -> None:
    """This host's own network is 10.2.7.0/24, which is east's."""
    for gateway, wrong in (WEST, True), (EAST, False):
        text = gateway.text()
        if tags == "selectors":
            text = text.replace("Local-ID= near", f"Local-selectors= {gateway.local}")
            text = text.replace("Remote-ID= far", f"Remote-selectors= {gateway.remote}")
        asked = f"are Local-{tags} and Remote-{tags} exchanged?"
        told = said(text).splitlines()
        assert [asked in line for line in told if "10.2." in line][:1] == [True] * wrong
    for near in ("10.2.0.0/16", "0.0.0.0/0", "10.0.0.0/8"):
        text = WEST.text().replace("Local-ID= near", f"Local-selectors= {near}")
        assert "exchanged" not in said(text)
