"""A peer has lost an SA: all that it protected is made anew, whoever began it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from isakmp.constants import ikev2
from isakmp.keeper.rivals import GRACE_S
from isakmp.policy.spd import Selector
from isakmp.sa import ChildSa, State
from isakmp.scripts.ikev2.common import notify_value
from regress.pair import Gateway, Host, Network, both, network_id
from regress.scripts.ikev2.pairs import pair, sa_of
from regress.traffic import Stream, flows, stopped

VERSION = pytest.mark.parametrize("version", ["ikev1", "ikev2"])
FIRST = Selector.of("10.1.0.0/16", "10.2.0.0/16")
SECOND = Selector.of("10.3.0.0/16", "10.4.0.0/16")
HINT_S = 10


def with_second(gateway: Gateway, near: str, far: str, *, passive: bool) -> str:
    """Its configuration with another connection with its peer."""
    key = "Passive-connections" if gateway.passive else "Connections"
    listed = f"\n{key}= {gateway.connection}"
    apart = passive and not gateway.passive
    more = "\nPassive-connections= second" if apart else ",second"
    return gateway.text().replace(listed, listed + more, 1) + (
        f"[second]\nPhase= 2\nISAKMP-peer= {gateway.peer}\nConfiguration= phase-2\n"
        f"Local-ID= near2\nRemote-ID= far2\n{network_id('near2', near)}{network_id('far2', far)}"
    )


@dataclass
class Town:
    """West keeps one of two connections up with east, which is passive; both carry traffic."""

    net: Network
    west: Host
    east: Host
    east_text: str

    @property
    def second(self) -> ChildSa:
        """West's child SA of the other one."""
        (child,) = self.west.daemon.sas.of_connection("second")
        return child

    def restart_east(self) -> None:
        """East has lost everything."""
        self.net.kill(self.east)
        self.east = self.net.add(str(self.east.address), self.east_text, seed=7)
        self.east.daemon.start()

    def recovers(self) -> None:
        """What is sent shows the loss, and both have traffic soon."""
        Stream(self.net, self.west.address, self.east.address, FIRST).until_it_passes(HINT_S)
        self.net.run(2)
        assert not stopped(self.west, self.east, SECOND)
        assert not stopped(self.east, self.west, SECOND.reversed())


def town(version: str, *, passive: bool = True) -> Town:
    """passive: the second one is at west, too; else west has asked for more than it got."""
    (one, other), net = both(peer_tags=f"Key-exchange= {version}"), Network()
    far = "10.4.0.0/16" if passive else "10.4.0.0/15"
    east_text = with_second(other, "10.4.0.0/16", "10.3.0.0/16", passive=True)
    west = net.add(one.address, with_second(one, "10.3.0.0/16", far, passive=passive))
    east = net.add(other.address, east_text)
    net.start()
    net.run(5)
    if passive:
        east.daemon.connect("second")
        net.run(5)
    return Town(net, west, east, east_text)


@VERSION
@pytest.mark.parametrize("rekeys", [False, True], ids=["at rest", "rekeying"])
def test_what_a_passive_connection_carried_is_made_anew(version: str, rekeys: bool) -> None:
    """Also where its rekeying is asked for under the SA that was lost."""
    one = town(version)
    one.restart_east()
    old = one.second
    if rekeys:
        one.west.daemon.connections.rekey(old)
    one.recovers()
    ended = "second: child SA second"
    assert one.west.said.count(ended) == (version == "ikev1"), "INITIAL_CONTACT's end is told"


def test_so_is_what_was_narrowed() -> None:
    one = town("ikev2", passive=False)
    one.restart_east()
    one.west.daemon.connections.rekey(one.second)
    one.recovers()


def test_a_question_under_a_replaced_ike_sa_holds_back_no_successor_under_the_new_one() -> None:
    one = town("ikev2")
    west, old = one.west.daemon, one.second
    kinds = ikev2.Exchange.CREATE_CHILD_SA, ikev2.Exchange.INFORMATIONAL
    assert old.parent is not None
    spi = old.parent.own_cookie
    one.net.lose = lambda p: p.header.exchange_type in kinds and spi in p.message[:16]
    west.connections.rekey(old)
    west.connections.begin_sa(old.parent.remote, old.path)
    one.net.run(5)
    made = [c for c in west.sas.of_connection("second") if c.parent is not old.parent]
    assert [child.state for child in made] == [State.ESTABLISHED]


@pytest.mark.parametrize("what", ["lacking", "taken down", "changed", "there again"])
def test_what_was_forgotten_is_made_anew_where_it_is_to_be_as_it_was(what: str) -> None:
    one = town("ikev1")
    west, old = one.west.daemon, one.second
    old.forgotten = True
    if what == "there again":
        west.connections.rekey(old)
        one.net.run(5)
    west.keeper.children.delete_child(old, tell=False)
    if what == "taken down":
        west.connections.down("second")
    elif what == "changed":
        entry = west.connections.entries["second"]
        entry.connection = west.connections.entries["west-east"].connection
    west.keeper.liveness.renew([old])
    assert bool(west.connections.busy) is (what == "lacking")


@pytest.mark.parametrize("under", ["its own", "the one before"])
@pytest.mark.parametrize("who", [0, 1])
def test_a_child_sa_that_its_peer_lacks_is_replaced_under_whatever_ike_sa_that_says_so(
    under: str, who: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 7296 1.5, 3.10.1: under an IKE SA it is the peer's word."""
    net, *hosts = pair()
    monkeypatch.setattr(hosts[0].daemon.keeper, "_renewing", lambda *_: True)
    monkeypatch.setattr(hosts[1].daemon.keeper, "_renewing", lambda *_: True)
    one, other = hosts if who == 0 else reversed(hosts)
    before = sa_of(one)
    hosts[0].daemon.keeper.reauthenticate(sa_of(hosts[0]))
    net.run(2 * GRACE_S)
    (lost,) = [c for c in other.daemon.sas.all_children() if c.state is State.ESTABLISHED]
    (its,) = [c for c in one.daemon.sas.all_children() if c.state is State.ESTABLISHED]
    assert its.parent is not None and its.parent is not before
    one.daemon.keeper.children.child_gone(its)
    spi = lost.protocols[0].spi_out.to_bytes(4, "big")
    value = notify_value(ikev2.Notify.INVALID_SPI, spi)
    said = its.parent if under == "its own" else before
    dialect: Any = one.daemon.engine.dialects["ikev2"]
    dialect.tell(one.daemon.engine, said, [(int(ikev2.Payload.NOTIFY), value)])
    net.run(1)
    assert lost.state is State.DEAD
    assert "has lost child SA" in other.said
    net.run(5)
    assert flows(hosts[0], hosts[1])
