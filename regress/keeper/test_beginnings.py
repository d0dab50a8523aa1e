"""Phase 1s of ours: one to each peer, also where several are at one address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from isakmp.conf.store import Conf
from isakmp.errors import Reason
from isakmp.keeper import beginnings
from isakmp.keeper.entry import Entry
from isakmp.sa import Nat
from regress.keeper.test_another_peer import begun_by, behind_one_nat, orphan
from regress.pair import EAST, WEST, Gateway, Host, Network, both, connected, up
from regress.scripts.ikev1.test_nat import INSIDE, OUTSIDE, through_nat
from regress.scripts.ikev2.pairs import gateways


@pytest.mark.parametrize("other", ["behind it", "itself", "without NAT traversal"])
@pytest.mark.parametrize("dead", [False, True])
def test_who_is_behind_one_nat_is_called_once_however_often_it_is_needed(
    other: str, dead: bool
) -> None:
    net, server, devices = behind_one_nat("ikev1", (1, 2), other)
    net.run(30)  # nobody is called any more
    children = server.daemon.sas.all_children()
    orphan(net)
    for each in devices.values() if dead else ():
        net.kill(net.hosts[ip_address(each.address)])
    before = {packet.header.cky_i for packet in begun_by(server)}
    for _ in range(5):
        for child in children:
            server.daemon.connections.replace(child)
    net.run(15)
    begun = {packet.header.cky_i for packet in begun_by(server)} - before
    assert len(begun) == len(children) == 2


def test_who_waits_for_one_hears_of_its_end_though_a_neighbour_is_called() -> None:
    """The one that is called last takes longer."""
    net, server, devices = behind_one_nat("ikev1", (1,))
    orphan(net)
    net.kill(net.hosts[ip_address(devices[1].address)])
    connections, (child,) = server.daemon.connections, server.daemon.sas.all_children()
    connections.bring_up(connections.entries["c2"])
    waited_for = connections.entries["c2"].waiting
    assert waited_for is not None
    net.run(20)
    begun = connections.begin_sa_of(child)
    assert begun is not None and begun is not waited_for
    net.until(lambda: waited_for.finished.done)
    entry = connections.entries["c2"]
    assert not begun.finished.done
    assert (entry.waiting, entry.unreached) == (None, True)
    assert entry.failure is not None and entry.retry is not None


@pytest.mark.parametrize("port", [500, 4500])
def test_a_peer_without_a_nat_is_one_whatever_port_of_its_own_is_used(port: int) -> None:
    """We may be behind one: what is left of an SA goes to port 4500, what is configured to 500."""
    net = Network()
    west = net.host(WEST)
    net.start()
    (entry,) = west.daemon.connections.entries.values()
    path = west.daemon.connections.beginnings.path_to(entry.remote)
    assert path is not None
    moved = path._replace(remote_port=port, encap=port == 4500)
    begun = west.daemon.connections.begin_sa(entry.remote, moved, nat=Nat(local=True, spoken=True))
    assert begun is entry.waiting


def test_what_is_not_to_come_up_is_not_joined_and_its_end_ends_no_wait() -> None:
    net = Network()
    west = net.host(WEST)
    net.start()
    connections = west.daemon.connections
    (entry,) = connections.entries.values()
    first = entry.waiting
    assert first is not None
    first.unwanted = Reason("test", "it was changed meanwhile")
    connections.bring_up(entry)
    second = entry.waiting
    assert second is not None and second is not first
    west.daemon.engine.fail(first, first.unwanted)
    assert entry.waiting is second and entry.failure is None
    connections.bring_up(entry)
    assert entry.waiting is second


@pytest.mark.parametrize("way", ["of a child SA", "rekeying", "anew", "in doubt"])
def test_who_begins_another_knows_what_the_sa_before_knew_of_the_way(way: str) -> None:
    """We are behind a NAT: what is configured goes to port 500, what is there to 4500."""
    tags = "Key-exchange= ikev2\nMake-before-break= yes" if way == "anew" else ""
    ends = [replace(end, peer_tags=f"{end.peer_tags}\n{tags}") for end in (INSIDE, OUTSIDE)]
    net, west, *_ = through_nat(*ends)
    (sa,), (child,) = west.daemon.sas.isakmp.values(), west.daemon.sas.all_children()
    connections, keeper = west.daemon.connections, west.daemon.keeper
    net.lose = lambda packet: True
    path = connections.beginnings.path_to(sa.remote)
    assert path is not None and path.remote_port != sa.path.remote_port
    connections.begin_sa(sa.remote, path)
    before = {packet.header.cky_i for packet in begun_by(west)}
    begin: dict[str, Callable[[], object]] = {
        "of a child SA": lambda: connections.begin_sa_of(child),
        "rekeying": lambda: keeper.rekey_sa(sa),
        "anew": lambda: keeper.reauthenticate(sa),
        "in doubt": lambda: keeper.liveness._begin_anew(sa),
    }
    begin[way]()
    assert {packet.header.cky_i for packet in begun_by(west)} == before


# --- versions --------------------------------------------------------------------------------

FIRST_2 = "Key-exchange= ikev2, ikev1\n"
ONLY_1, ONLY_2 = "Key-exchange= ikev1\n", "Key-exchange= ikev2\n"


def spoken(host: Host) -> list[str]:
    return [sa.dialect for sa in host.daemon.sas.isakmp.values()]


def of_one_version() -> tuple[Network, Host, Host]:
    """East would begin with IKEv2, and answers a peer that has only IKEv1."""
    return up(replace(WEST, peer_tags=ONLY_1), replace(EAST, peer_tags=FIRST_2))


def test_what_a_peer_has_shown_to_have_renews_its_sas() -> None:
    net, west, east = of_one_version()
    (old,) = east.daemon.sas.isakmp.values()
    east.daemon.keeper.rekey_sa(old)
    net.run(70)
    (new,) = east.daemon.sas.isakmp.values()
    assert new is not old and new.initiator and new.dialect == "ikev1"
    assert not east.reasons()


@pytest.mark.parametrize("ended", ["the ISAKMP SA", "all"])
def test_and_begins_anew_where_nothing_of_it_is_left(ended: str) -> None:
    net, west, east = of_one_version()
    west.daemon.set_active(False)
    (sa,) = east.daemon.sas.isakmp.values()
    if ended == "all":
        east.daemon.teardown("east-west", 2)
    east.daemon.keeper.delete_sa(sa)
    net.run(3)
    assert not spoken(east)
    if ended == "all":
        east.daemon.connect("east-west")
    for child in east.daemon.sas.all_children():
        east.daemon.connections.rekey(child)
    net.run(3)
    assert spoken(east) == spoken(west) == ["ikev1"]
    net.run(70)
    assert connected(east)


def test_a_peer_that_has_another_version_since_comes_up_again() -> None:
    net, west, east = of_one_version()
    net.kill(west)
    east.daemon.teardown("east-west", 2)
    (sa,) = east.daemon.sas.isakmp.values()
    east.daemon.keeper.delete_sa(sa)
    net.run(60)
    anew = net.host(replace(WEST, peer_tags=ONLY_2, passive=True), seed=9)
    anew.daemon.start()
    east.daemon.connect("east-west")
    net.until(lambda: connected(east), 300)
    assert spoken(east) == ["ikev2"]


def test_what_is_taken_down_was_not_in_vain() -> None:
    net, west, east = of_one_version()
    (sa,) = east.daemon.sas.isakmp.values()
    connections, (entry,) = east.daemon.connections, east.daemon.connections.entries.values()
    net.lose = lambda packet: True
    path = connections.beginnings.path_to(entry.remote)
    assert path is not None
    begun = connections.begin_sa(sa.remote, path)
    assert begun.script.name == "main mode"
    east.daemon.engine.fail(begun, Reason("taken-down", "for a test"))
    assert connections.begin_sa(sa.remote, path).script.name == "main mode"


def test_who_has_shown_none_is_called_in_the_first() -> None:
    west, east = (replace(each, peer_tags=FIRST_2) for each in both())
    net, *hosts = up(west, east)
    assert [spoken(host) for host in hosts] == [["ikev2"]] * 2


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    net, _, east = of_one_version()
    monkeypatch.setattr(beginnings, "MOST_SPOKEN", 8)
    (sa,) = east.daemon.sas.isakmp.values()
    begins = east.daemon.connections.beginnings
    for port in range(1000, 1100):
        sa.path = sa.path._replace(remote_port=port)
        sa.nat = Nat(remote=True, spoken=True)
        begins.spoke(sa)
    assert len(begins._spoken) <= 9


# --- by command ------------------------------------------------------------------------------

AGGRESSIVE = both(exchange="AGGRESSIVE")
OTHER_GROUP = "AES-256-SHA2-256-GRP19"
DOUBTS: dict[str, tuple[tuple[Gateway, Gateway], dict[str, Any] | None, str]] = {
    "main mode, secret": (both(), {"secret": "another"}, "PAYLOAD_MALFORMED"),
    "main mode, proposal": (both(), {"transforms": OTHER_GROUP}, "NO_PROPOSAL_CHOSEN"),
    "main mode, silence": (both(), None, "no answer yet"),
    "aggressive mode, secret": (AGGRESSIVE, {"secret": "another"}, "authentication-failed"),
    "aggressive mode, proposal": (
        AGGRESSIVE, {"transforms": OTHER_GROUP}, "NO_PROPOSAL_CHOSEN"
    ),
    "aggressive mode, silence": (AGGRESSIVE, None, "no answer yet"),
    "IKEv2, secret": (gateways(), {"secret": "another"}, "AUTHENTICATION_FAILED"),
    "IKEv2, proposal": (gateways(), {"transforms": OTHER_GROUP}, "NO_PROPOSAL_CHOSEN"),
    "IKEv2, silence": (gateways(), None, "no answer yet"),
}  # fmt: skip


def in_doubt(case: str) -> tuple[Network, Host, Entry]:
    """West is in the middle of an attempt that is refused, or not answered, so far, and the mend of
    that is made."""
    (one, other), wrong, why = DOUBTS[case]
    net = Network()
    west = net.host(one)
    east = net.host(replace(other, **wrong)) if wrong is not None else None
    net.start()
    (entry,) = west.daemon.connections.entries.values()

    def told() -> bool:
        so_far = west.daemon.connections.so_far(entry)
        return so_far is not None and why in str(so_far)

    net.until(told)
    if east is not None:
        net.kill(east)
    net.host(other, seed=7).daemon.start()
    return net, west, entry


@pytest.mark.parametrize("case", DOUBTS)
def test_who_mends_and_then_starts_it_hears_nothing_of_the_attempt_before(case: str) -> None:
    net, west, entry = in_doubt(case)
    west.daemon.connect("west-east")
    net.run(0.9)
    assert connected(west) and (entry.failure, entry.tries) == (None, 0)
    assert west.reasons() == ["superseded"] * len(west.reasons())
    net.run(200)
    assert connected(west)


@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
def test_what_nothing_is_in_the_way_of_is_joined(version: str) -> None:
    net = Network()
    west = net.host({"ikev1": both(), "ikev2": gateways()}[version][0])
    net.start()
    (entry,) = west.daemon.connections.entries.values()
    first = entry.waiting
    west.daemon.connect("west-east")
    assert first is not None and entry.waiting is first


SECOND = (
    "[again]\nPhase= 2\nISAKMP-peer= {0.peer}\nConfiguration= phase-2\n"
    "Local-selectors= {1}\nRemote-selectors= {2}\n"
)


@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
def test_what_else_waits_for_it_goes_on_with_the_new_one(version: str) -> None:
    one, other = {"ikev1": both(), "ikev2": gateways()}[version]
    sides = "10.8.0.0/16", "10.9.0.0/16"
    one = replace(one, connection="west-east, again", more=SECOND.format(one, *sides))
    text, net = one.text().replace("[west-east, again]", "[west-east]"), Network()
    west = net.add(one.address, text)
    other = replace(other, connection="east-west, again", more=SECOND.format(other, *sides[::-1]))
    east = Host(net, other.address, other.text().replace("[east-west, again]", "[east-west]"))
    net.start()
    net.run(8)
    net.hosts[east.address] = east
    east.daemon.start()
    west.daemon.connect("again")
    net.run(0.5)
    assert connected(west, children=2)
    assert [entry.tries for entry in west.daemon.connections.entries.values()] == [0, 0]


@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
def test_what_was_begun_with_another_secret_is_begun_anew(version: str) -> None:
    """Before the peer has said anything to it."""
    one, other = {"ikev1": both(), "ikev2": gateways()}[version]
    net = Network()
    west, east = net.host(replace(one, secret="another")), net.host(other)
    net.lose = lambda packet: net.now < 0.5
    net.start()
    transaction = west.daemon.conf.begin()
    transaction.set("east", "Authentication", one.secret, override=True)
    west.done(west.daemon.alter(transaction, False))
    net.run(0.5)
    west.daemon.connect("west-east")
    net.run(0.4)
    assert connected(west) and connected(east)
    assert west.reasons() == ["superseded"] and not east.reasons()


@pytest.mark.parametrize("version", ["ikev1", "ikev2"])
def test_what_is_begun_for_something_else_goes_on_where_it_is_up(version: str) -> None:
    net, west, east = up(*{"ikev1": both(), "ikev2": gateways()}[version])
    net.kill(east)
    (sa,) = west.daemon.sas.isakmp.values()
    begun = west.daemon.connections.begin_sa(sa.remote, sa.path, nat=sa.nat)
    net.run(3)
    assert west.daemon.engine.so_far(begun) is not None
    west.daemon.connect("west-east")
    assert not begun.over and not begun.unwanted


@pytest.mark.parametrize("order", ["ikev2, ikev1", "ikev2"])
def test_what_was_spoken_as_another_order_was_written_is_forgotten(
    order: str, tmp_path: Path
) -> None:
    net, hosts, ends = Network(), [], both(peer_tags="Key-exchange= ikev1, ikev2\n")
    for end in ends:
        path = tmp_path / end.address
        path.write_text(end.text())
        path.chmod(0o600)
        hosts.append(net.add(end.address, "", conf=Conf.load(path)))
    net.start()
    net.run(5)
    assert [spoken(host) for host in hosts] == [["ikev1"]] * 2
    for host, end in zip(hosts, ends, strict=True):
        text = replace(end, peer_tags=f"Key-exchange= {order}\n").text()
        (tmp_path / end.address).write_text(text)
        host.reload()
    net.run(5)
    west, east = hosts
    if spoken(west) == ["ikev1"]:
        west.daemon.teardown("west-east", 2)
        net.run(2)
        for sa in list(west.daemon.sas.isakmp.values()):
            west.daemon.keeper.delete_sa(sa)
        net.run(2)
        west.daemon.connect("west-east")
    net.run(10)
    assert [spoken(host) for host in (west, east)] == [["ikev2"]] * 2
    assert connected(west) and connected(east)


def test_an_attempt_in_vain_is_forgotten_once_its_peer_has_called() -> None:
    net, west, east = of_one_version()
    (sa,) = east.daemon.sas.isakmp.values()
    connections = east.daemon.connections
    path = connections.beginnings.path_to(sa.remote)
    assert path is not None
    net.lose = lambda packet: True
    begun = connections.begin_sa(sa.remote, path)
    east.daemon.engine.fail(begun, Reason("no-answer", "for a test"))
    assert connections.beginnings._in_vain
    net.lose = lambda packet: False
    (old,) = west.daemon.sas.isakmp.values()
    west.daemon.connections.begin_sa(old.remote, old.path, None, old.nat)
    net.run(2)
    assert connections.begin_sa(sa.remote, path).script.name == "main mode"
