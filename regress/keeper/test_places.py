"""One identity from two places: Unique-ids, in both versions and each mode of the first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from isakmp.conf.store import Conf
from isakmp.policy.reader import read_remote
from isakmp.policy.spd import Unique
from regress.pair import EAST, WEST, Gateway, Host, Network
from regress.traffic import stopped

HERE, THERE = "198.51.100.1", "203.0.113.1"
KINDS = {
    "main": ("ID_PROT", "ikev1"),
    "aggressive": ("AGGRESSIVE", "ikev1"),
    "ikev2": ("ID_PROT", "ikev2"),
}
KIND = pytest.mark.parametrize("kind", KINDS)
IDENTITY = "[phone]\nID-type= FQDN\nName= phone.example\n"


def client(kind: str, address: str, network: str, tags: str = "", general: str = "") -> Gateway:
    exchange, version = KINDS[kind]
    return replace(
        WEST, address=address, local=network, exchange=exchange, more=IDENTITY, general=general,
        peer_tags=f"Key-exchange= {version}\nID= phone\n{tags}",
    )  # fmt: skip


def server(kind: str, unique: str, general: str = "") -> str:
    exchange, version = KINDS[kind]
    gateway = replace(
        EAST, exchange=exchange, remote="10.0.0.0/8", local="172.16.0.0/16", more=IDENTITY,
        peer_tags=f"Key-exchange= {version}\nRemote-ID= phone\n"
        + (f"Unique-ids= {unique}\n" if unique else ""),
        general=general,
    )  # fmt: skip
    text = gateway.text().replace("192.0.2.1= west", "Default= west")
    return text.replace("Address= 192.0.2.1\n", "")


class World(NamedTuple):
    net: Network
    server: Host
    first: Host
    second: Host

    def at(self, *hosts: Host) -> list[str]:
        """Whose IKE SAs the server has: all that are established there and are not superseded."""
        names = {str(host.address): name for name, host in self._named(hosts)}
        rows = [row for row in self.server.rows(1) if row["state"] == "established"]
        return sorted(names[row["remote"].partition(":")[0]] for row in rows)

    def _named(self, hosts: tuple[Host, ...]) -> list[tuple[str, Host]]:
        return [("first", self.first), ("second", self.second), *(("more", h) for h in hosts)]

    def passes(self, host: Host) -> bool:
        """Whether traffic goes both ways between a client and the server."""
        (out,) = [s for s in (p.selector for p in host.app.policies) if str(s.src).startswith("10")]
        ways = ((host, self.server, out), (self.server, host, out.reversed()))
        return not any(stopped(*way) for way in ways)


def meet(
    kind: str, unique: str, *, general: str = "", apart: str = "10.3.0.0/16", tags: str = "",
    alone: bool = False,
) -> World:  # fmt: skip
    """The first client comes up, then a second one of the same identity somewhere else.

    tags: of the clients; they begin once, and are not kept up. alone: the second does not begin.
    """
    net = Network()
    east = net.add("192.0.2.2", server(kind, unique, general))
    first, second = (
        net.host(_once(client(kind, address, network, f"Address= 192.0.2.2\n{tags}")))
        for address, network in ((HERE, "10.1.0.0/16"), (THERE, apart))
    )
    for host in (east, first, second):
        host.daemon.start()
    first.daemon.connect("west-east")
    net.run(5)
    if not alone:
        second.daemon.connect("west-east")
        net.run(100)
    return World(net, east, first, second)


def _once(gateway: Gateway) -> Gateway:
    return replace(gateway, remote="172.16.0.0/16", passive=True)


@KIND
@pytest.mark.parametrize("unique", ["", "replace", "yes"])
def test_the_second_takes_the_place_of_the_first(kind: str, unique: str) -> None:
    world = meet(kind, unique)
    assert world.at() == ["second"]
    assert world.passes(world.second)
    assert not world.first.rows(1) + world.first.rows(2), "the first one is told"
    assert len(world.server.rows(2)) == 1
    assert world.server.said.count("identity-moved") == 1 and THERE in world.server.said


@KIND
@pytest.mark.parametrize("apart", ["10.1.0.0/16", "10.3.0.0/16"])
def test_a_second_that_does_not_say_that_it_is_new_takes_no_child_sa_of_the_first(
    kind: str, apart: str
) -> None:
    world = meet(kind, "replace", tags="Unique-ids= no", apart=apart)
    assert world.at() == ["second"]
    assert world.passes(world.second)
    assert not world.first.rows(1) + world.first.rows(2), "the first one is told"
    assert len(world.server.rows(2)) == 1


@KIND
@pytest.mark.parametrize("unique", ["no", "never"])
def test_both_are_beside_each_other(kind: str, unique: str) -> None:
    world = meet(kind, unique, tags="Unique-ids= no")
    assert world.at() == ["first", "second"]
    assert world.passes(world.first) and world.passes(world.second)
    world.net.run(2000)
    assert world.at() == ["first", "second"], "after rekeying, too"
    assert world.passes(world.first) and world.passes(world.second)


@KIND
@pytest.mark.parametrize(("unique", "left"), [("no", ["second"]), ("never", ["first", "second"])])
def test_initial_contact_is_believed_of_all_places_or_of_its_own(
    kind: str, unique: str, left: list[str]
) -> None:
    """RFC 7296 2.4, RFC 2407 4.6.3.3: clients that take themselves for the only ones say so."""
    world = meet(kind, unique)
    assert world.at() == left
    assert world.passes(world.second)
    assert len(world.server.rows(2)) == len(left)
    # Two devices of one identity push each other out: that has to be told.
    assert world.server.said.count("identity-moved") == 2 - len(left)
    assert world.server.said.count("set Unique-ids= never") == 2 - len(left)


@KIND
def test_the_second_is_refused_as_long_as_the_first_lives(kind: str) -> None:
    world = meet(kind, "keep")
    assert world.at() == ["first"]
    assert world.passes(world.first)
    assert not world.second.rows(2)
    reasons = [o["reason"] for o in world.server.outcomes if not o["ok"]]
    assert {r["cause"] for r in reasons} == {"identity-in-use"}
    reason = reasons[0]
    assert "Unique-ids" in reason["line"] and reason["mend"]
    assert THERE in reason["came"] and HERE in reason["acceptable"]
    said = [o["reason"] for o in world.second.outcomes if not o["ok"]]
    assert said and "AUTHENTICATION_FAILED" in str(said[0])
    assert any("connected from another place" in means for means in said[0]["means"])


@KIND
def test_of_two_that_wait_for_the_stack_together_one_is_kept(kind: str) -> None:
    world = meet(kind, "keep", alone=True)
    world.first.daemon.teardown("west-east", 1)
    world.net.run(5)
    world.server.app.held = []
    for host in (world.first, world.second):
        host.daemon.connect("west-east")
        world.net.run(1)
    world.server.app.release()
    world.net.run(5)
    while world.server.app.held:
        world.server.app.release()
        world.net.run(5)
    assert world.at() == ["first"]
    reasons = [o["reason"] for o in world.server.outcomes if not o["ok"]]
    assert "identity-in-use" in {r["cause"] for r in reasons}


@KIND
def test_a_first_one_that_is_dead_keeps_nobody_out(kind: str) -> None:
    world = meet(kind, "keep", alone=True)
    world.net.hosts.pop(world.first.address)
    world.second.daemon.connect("west-east")
    world.net.run(5)
    assert world.at() == ["first"]
    world.net.run(60)
    assert world.at() == ["second"]
    assert world.passes(world.second)


@KIND
@pytest.mark.parametrize("unique", ["replace", "no", "never", "keep"])
def test_who_comes_again_from_the_same_place_is_the_same(kind: str, unique: str) -> None:
    world = meet(kind, unique, alone=True)
    gateway = client(kind, HERE, "10.1.0.0/16", "Address= 192.0.2.2")
    back = world.net.host(_once(gateway), seed=2)
    back.daemon.start()
    back.daemon.connect("west-east")
    world.net.run(5)
    assert world.passes(back)
    world.net.run(100)
    assert world.at() == ["first"]
    assert len(world.server.rows(2)) == 1
    assert "identity-moved" not in world.server.said


@KIND
@pytest.mark.parametrize("unique", ["replace", "no", "never", "keep"])
def test_both_ends_may_begin_at_once(kind: str, unique: str) -> None:
    """RFC 7296 2.8.1 and the like: the ends agree on one, whatever Unique-ids says."""
    exchange, version = KINDS[kind]
    tags = f"Key-exchange= {version}\nUnique-ids= {unique}"
    net = Network()
    hosts = [
        net.host(
            replace(
                gateway,
                exchange=exchange,
                passive=False,
                peer_tags=tags,
                general="DPD-check-interval= 0",
            )
        )
        for gateway in (WEST, EAST)
    ]
    for host in hosts:
        host.daemon.start()
    net.run(100)
    mark = len(net.history)
    net.run(400)
    assert len(net.history) == mark, "there is nothing left to settle"
    assert [len(host.rows(1)) for host in hosts] == [1, 1]
    assert [len(host.rows(2)) for host in hosts] == [1, 1]


@KIND
def test_the_same_traffic_goes_to_the_second(kind: str) -> None:
    world = meet(kind, "replace", apart="10.1.0.0/16")
    assert world.at() == ["second"]
    assert world.passes(world.second)


@pytest.mark.parametrize("unique", ["no", "never"])
@KIND
def test_who_may_be_elsewhere_too_does_not_say_that_it_is_alone(kind: str, unique: str) -> None:
    world = meet(kind, "no", tags=f"Unique-ids= {unique}")
    assert world.at() == ["first", "second"]


def read(general: str, peer: str) -> Unique:
    text = f"[General]\n{general}\n[peer]\nAddress= 192.0.2.1\nAuthentication= x\n{peer}\n"
    return read_remote(Conf.from_text(text), "peer").unique


@pytest.mark.parametrize(("general", "peer", "holds"), [
    ("", "", Unique.REPLACE),
    ("Unique-ids= keep", "", Unique.KEEP),
    ("Unique-ids= keep", "Unique-ids= No", Unique.NO),
    ("", "Unique-ids= never", Unique.NEVER),
])  # fmt: skip
def test_the_peers_word_goes_before_that_for_all(general: str, peer: str, holds: Any) -> None:
    assert read(general, peer) is holds
