"""Sections that a change does not touch, and that may be mistaken for one that it does."""

from __future__ import annotations

import pytest

from isakmp.conf.kin import KIN_MAX, kin
from isakmp.conf.store import Conf
from isakmp.policy.identity import no_interfaces
from regress.configurations import read_connections
from regress.pair import network_id

PEERS = (
    "[Phase 1]\n192.0.2.2= West\n192.0.2.3= other\n192.0.2.4= third\n"
    "[West]\nAddress= 192.0.2.2\nLocal-address= 192.0.2.1\nAuthentication= one secret\n"
    "Remote-ID= far-id\n"
    "[other]\nAddress= 192.0.2.3\nLocal-address= 192.0.2.1\nAuthentication= one secret\n"
    "[third]\nAddress= 192.0.2.4\nLocal-address= 192.0.2.1\nAuthentication= another\n"
    "Remote-ID= same-id\n"
    "[far-id]\nID-type= FQDN\nName= Far.example\n[same-id]\nID-type= FQDN\nName= far.example\n"
)


def conf(**far: str) -> Conf:
    """Connections from one network to these, all with [West]."""
    text = PEERS + f"[Phase 2]\nConnections= {', '.join(far) or 'none'}\n"
    text += network_id("near", "10.1.0.0/16")
    for name, network in far.items():
        text += f"[{name}]\nISAKMP-peer= West\nLocal-ID= near\nRemote-ID= to-{name}\n"
        text += network_id(f"to-{name}", network)
    return Conf.from_text(text, "f")


def found(configuration: Conf, *changed: str) -> set[str]:
    names = configuration.get_list("Phase 2", "Connections")
    connections = read_connections(configuration) if names != ["none"] else []
    return kin(configuration, set(changed), connections, no_interfaces)


@pytest.mark.parametrize(
    ("changed", "alike"),
    [("west", {"other", "third"}), ("other", {"west"}), ("third", {"west"}), ("near", set())],
)
def test_peers_with_one_secret_or_one_remote_id(changed: str, alike: set[str]) -> None:
    assert found(conf(), changed) == alike


def test_what_is_changed_itself_is_none() -> None:
    assert found(conf(), "west", "other", "third") == set()


@pytest.mark.parametrize(
    ("network", "alike"),
    [("10.2.0.0/16", {"two"}), ("10.0.0.0/8", {"two", "three"}), ("10.9.0.0/16", set())],
)
def test_connections_whose_traffic_overlaps(network: str, alike: set[str]) -> None:
    configuration = conf(new=network, two="10.2.3.0/24", three="10.3.0.0/16")
    assert found(configuration, "new") == alike


LISTS = PEERS + (
    "[Phase 2]\nConnections= new, two\nBypass= lan\n"
    "[new]\nISAKMP-peer= West\nLocal-selectors= 10.1.0.0/16\nRemote-selectors= {new}\n"
    "[two]\nISAKMP-peer= West\nLocal-selectors= 10.1.0.0/16, 2001:db8:1::/48\n"
    "Remote-selectors= 10.5.0.0/16, 10.6.0.0/16, 2001:db8:2::/48\n"
    "[lan]\nRemote-selectors= {lan}\n"
)


@pytest.mark.parametrize(
    ("listed", "alike"),
    [
        ("10.5.7.0/24", {"two"}),
        ("10.6.7.0/24", {"two"}),
        ("10.9.0.0/16, 10.6.0.0/16", {"two"}),
        ("10.9.0.0/16, 2001:db8:2::1", {"two"}),
        ("10.9.0.0/16, 10.8.0.0/16", set()),
    ],
)
def test_any_of_what_a_section_lists_overlaps(listed: str, alike: set[str]) -> None:
    bypass = Conf.from_text(LISTS.format(new="10.10.0.0/16", lan=listed), "f")
    assert found(bypass, "lan") == alike
    local = "10.1.0.0/16, 2001:db8:1::/48\nRemote"
    text = LISTS.format(new=listed, lan="10.11.0.0/16").replace("10.1.0.0/16\nRemote", local)
    assert found(Conf.from_text(text, "f"), "new") == alike


def test_what_cannot_be_read_overlaps_nothing() -> None:
    configuration = conf(new="10.2.0.0/16", two="10.2.3.0/24")
    connections = read_connections(configuration)
    broken = Conf.from_text("[new]\nISAKMP-peer= nobody\nRemote-ID= nowhere\n", "f")
    assert kin(broken, {"new"}, connections, no_interfaces) == set()


def test_they_are_bounded() -> None:
    many = {f"n{number}": f"10.2.{number}.0/24" for number in range(KIN_MAX + 10)}
    assert len(found(conf(new="10.2.0.0/16", **many), "new")) == KIN_MAX
