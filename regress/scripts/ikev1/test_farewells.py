"""Deletes of child SAs that got lost: said again under the next ISAKMP SA."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any
from weakref import ref

import pytest

from isakmp.errors import Reason, Refused
from isakmp.event.job import Job
from isakmp.event.timer import Timers
from isakmp.sa import Peer, State
from isakmp.scripts.ikev1.farewells import (
    ELSEWHERE_MAX,
    OF_ONE_MAX,
    PEERS_MAX,
    Farewells,
    Stage,
)
from regress.keeper.test_places import meet
from regress.pair import Gateway, Host, Network, both, network_id

ESP = 3


def _unheard() -> tuple[Network, Host, Host]:
    """East takes its child SA down, and no word of that arrives."""
    net = Network()
    west, east = (net.host(gateway) for gateway in both())
    net.start()
    net.run(3)
    assert len(west.rows(2)) == len(east.rows(2)) == 1
    net.lose = lambda packet: True
    east.daemon.teardown("east-west", 2)
    net.run(3)
    net.lose = lambda packet: False
    assert (len(west.rows(2)), len(east.rows(2))) == (1, 0)
    return net, west, east


@pytest.mark.parametrize("asks", [0, 1])
def test_who_has_missed_a_delete_hears_it_under_the_next_isakmp_sa(asks: int) -> None:
    """Whoever begins that. Until then it sends into nothing."""
    net, west, east = _unheard()
    host = (west, east)[asks]
    net.run(30)
    assert len(west.rows(2)) == 1, "nothing else has told it"
    host.daemon.rekey(("east", "west")[asks], "main")
    net.run(1)
    assert not west.rows(2)
    assert "deleted by the peer" in west.said
    assert "deletes what nobody has" not in west.said


def test_it_is_said_for_some_minutes_and_no_more() -> None:
    """Also under what takes the place of that ISAKMP SA, as nobody says that it was heard."""
    net, west, _ = _unheard()
    for seconds in (60, 600):
        west.daemon.rekey("east", "main")
        net.run(seconds)
    west.log.set_level(None, 99)
    west.lines.clear()
    west.daemon.rekey("east", "main")
    net.run(60)
    assert "deletes what nobody has" not in west.said


def test_one_identity_at_two_places_is_two_peers() -> None:
    """What is said to the one is none of the other's."""
    net, server, first, second = meet("main", "never")
    child = next(
        child for child in server.daemon.sas.all_children() if child.path.remote == first.address
    )
    net.lose = lambda packet: packet.dst == first.address
    server.daemon.keeper.children.delete_child(child)
    net.run(3)
    net.lose = lambda packet: False
    for host, left in ((second, 1), (first, 0)):
        host.daemon.rekey("east", "main")
        net.run(3)
        assert len(first.rows(2)) == left
    assert len(second.rows(2)) == 1


def text_of_many(gateway: Gateway, near: int, far: int, count: int) -> str:
    """Its configuration, with so many connections more."""
    names = [f"c{number}" for number in range(count)]
    listed = f"onnections= {gateway.connection}\n"
    more = "".join(
        f"[{name}]\nPhase= 2\nISAKMP-peer= {gateway.peer}\nConfiguration= phase-2\n"
        f"Local-ID= near-{name}\nRemote-ID= far-{name}\n"
        + network_id(f"near-{name}", f"10.{near}.{number}.0/24")
        + network_id(f"far-{name}", f"10.{far}.{number}.0/24")
        for number, name in enumerate(names)
    )
    text = replace(gateway, more=more).text()
    return text.replace(listed, f"onnections= {','.join([gateway.connection, *names])}\n")


def _many(count: int) -> tuple[Network, Host, Host]:
    """West and east with so many connections more than one, all of them up."""
    net, (one, other) = Network(), both()
    west = net.add(one.address, text_of_many(one, 11, 12, count))
    east = net.add(other.address, text_of_many(other, 12, 11, count))
    net.start()
    net.run(10)
    assert len(west.rows(2)) == len(east.rows(2)) == count + 1
    return net, west, east


def test_dozens_that_were_taken_down_at_once_are_all_said_again() -> None:
    net, west, east = _many(40)
    net.lose = lambda packet: True
    east.daemon.teardown_all()
    net.run(3)
    net.lose = lambda packet: False
    assert (len(west.rows(2)), len(east.rows(2))) == (41, 0)
    east.daemon.rekey("west", "main")
    net.run(1)
    assert not west.rows(2)


def test_what_no_isakmp_sa_was_there_to_be_said_under_is_said_under_the_next() -> None:
    """The other child SA tells that we have not restarted, so that no INITIAL_CONTACT does it."""
    net, west, east = _many(1)
    (sa,) = east.daemon.sas.isakmp.values()
    east.daemon.delete_sa(sa.cookies, None)
    net.run(2)
    east.daemon.teardown("c0", 2)
    net.run(2)
    assert (len(west.rows(1)), len(west.rows(2)), len(east.rows(2))) == (0, 2, 1)
    (child,) = east.daemon.sas.all_children()
    east.daemon.connections.begin_sa_of(child)
    net.run(1)
    assert [row["name"] for row in west.rows(2)] == ["west-east"]


def test_what_was_told_under_an_sa_that_ended_before_the_peer_heard_is_said_under_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under an IKE SA, which the peer was deleting just then."""
    net, west, east = _many(1)
    ended: Job[None] = Job.failed(Refused(Reason("sa-gone", "its IKE SA was deleted")))
    with monkeypatch.context() as patch:
        patch.setattr(east.daemon.engine.dialects["ikev1"], "tell_deleted", lambda *_: ended)
        east.daemon.teardown("c0", 2)
    net.run(2)
    assert (len(west.rows(2)), len(east.rows(2))) == (2, 1)
    east.daemon.rekey("west", "main")
    net.run(1)
    assert [row["name"] for row in west.rows(2)] == ["west-east"]


def test_who_was_taken_for_dead_and_is_back_hears_what_has_ended() -> None:
    """INITIAL_CONTACT cannot tell it where one section is for many, and others are there."""
    world = meet("main", "no", tags="Unique-ids= no")
    net, server, phone = world.net, world.server, world.first
    net.lose = lambda packet: phone.address in (packet.src, packet.dst)
    (sa,) = [s for s in server.daemon.sas.isakmp.values() if s.path.remote == phone.address]
    server.daemon.keeper.liveness.suspect(sa)
    net.until(lambda: len(server.rows(2)) == 1, 200)
    net.lose = lambda packet: False
    assert len(phone.rows(2)) == 1
    phone.daemon.rekey("east", "main")
    net.run(1)
    assert not phone.rows(2)
    net.run(60)
    assert not phone.rows(2), "what is over is not made anew"


def _peer(number: int, address: str = "") -> Peer:
    """One identity at so many places."""
    return ("west", "phone", address), (ip_address("192.0.2.1"), number)


def _child(peer: Peer, spi: int) -> Any:
    protocol = SimpleNamespace(chosen=SimpleNamespace(protocol=ESP), spi_in=spi)
    return SimpleNamespace(peer=peer, protocols=(protocol,))


def _sas(*there: Peer, children: Any = ()) -> Any:
    return SimpleNamespace(children=children, of_peer=lambda peer: [peer] if peer in there else [])


def _begun(
    farewells: Farewells, peer: Peer, sas: Any, came: bool = False, shared: bool = True
) -> dict[int, list[bytes]]:
    """What is said from now on under a new ISAKMP SA, and was not before."""
    series = farewells.begin(peer, sas, Stage.NEXT_SA, came, shared)
    return farewells.to_say(peer, series, sas) if series else {}


def test_few_are_kept_of_one_peer_and_few_peers() -> None:
    farewells, sas = Farewells(), _sas()
    for number in range(PEERS_MAX + 1):
        for spi in range(0x1000, 0x1000 + OF_ONE_MAX + 1):
            farewells.said(_child(_peer(number), spi))
    last = [spi.to_bytes(4, "big") for spi in range(0x1001, 0x1001 + OF_ONE_MAX)]
    assert _begun(farewells, _peer(PEERS_MAX), sas) == {ESP: last}
    assert _begun(farewells, _peer(PEERS_MAX), sas) == {}
    assert _begun(farewells, _peer(0), sas) == {}, "who was told first gives way"


def test_what_has_that_spi_now_is_not_deleted() -> None:
    farewells = Farewells()
    farewells.said(_child(_peer(0), 0x1000))
    assert _begun(farewells, _peer(0), _sas(children={(ESP, 0x1000)})) == {}


def test_what_is_told_at_several_places_is_kept_once() -> None:
    farewells = Farewells()
    for spi in (0x1000, 0x1001, 0x1000):
        farewells.said(_child(_peer(0), spi))
    assert _begun(farewells, _peer(0), _sas()) == {ESP: [b"\0\0\x10\x01", b"\0\0\x10\0"]}


def test_who_comes_to_a_new_place_hears_what_belongs_to_those_that_are_left() -> None:
    farewells, sas = Farewells(), _sas(_peer(1), _peer(2))
    for number in range(2):
        farewells.said(_child(_peer(number), 0x1000 + number))
    first = {ESP: [b"\0\0\x10\0"]}
    assert _begun(farewells, _peer(2), sas) == {}, "it was there before"
    assert _begun(farewells, _peer(2), sas, came=True) == first, "the other has its own device"
    for _ in range(ELSEWHERE_MAX - 1):
        assert _begun(farewells, _peer(2), sas, came=True) == first
    assert _begun(farewells, _peer(2), sas, came=True) == {}, "so many have heard it"
    assert _begun(farewells, _peer(0), sas) == first


def test_the_same_address_elsewhere_is_somebody_else_where_a_section_is_for_many() -> None:
    farewells = Farewells()
    farewells.said(_child(_peer(0, "203.0.113.1"), 0x1000))
    new = _peer(0, "203.0.113.2")
    assert _begun(farewells, new, _sas(), came=True) == {}
    assert _begun(farewells, new, _sas(), came=True, shared=False) == {ESP: [b"\0\0\x10\0"]}


def test_what_was_lent_to_a_newcomer_does_not_belong_to_its_place() -> None:
    """Else it would be told at one new place after the other, without end."""
    farewells = Farewells()
    farewells.said(_child(_peer(0), 0x1000))
    for number in range(1, 1 + ELSEWHERE_MAX):
        assert _begun(farewells, _peer(number), _sas(), came=True) == {ESP: [b"\0\0\x10\0"]}
    assert _begun(farewells, _peer(9), _sas(), came=True) == {}


def test_what_ends_later_is_said_to_newcomers_again() -> None:
    farewells = Farewells()
    farewells.said(_child(_peer(0), 0x1000))
    for number in range(1, 1 + ELSEWHERE_MAX):
        _begun(farewells, _peer(number), _sas(), came=True)
    farewells.said(_child(_peer(0), 0x1001))
    both = {ESP: [b"\0\0\x10\0", b"\0\0\x10\x01"]}
    assert _begun(farewells, _peer(9), _sas(), came=True) == both


def test_what_is_given_up_after_it_was_said_is_not_said_from_the_beginning() -> None:
    farewells = Farewells()
    farewells.given_up(_peer(0), [(ESP, 0x1000)])
    series = farewells.begin(_peer(0), _sas(), Stage.MISSED)
    farewells.given_up(_peer(0), [(ESP, 0x1000), (ESP, 0x1001)])
    assert series and farewells.to_say(_peer(0), series, _sas()) == {ESP: [b"\0\0\x10\0"]}
    assert farewells.begin(_peer(0), _sas(), Stage.MISSED) is not None, "the other one"
    assert farewells.begin(_peer(0), _sas(), Stage.MISSED) is None


class _Sa(SimpleNamespace):
    """An ISAKMP SA, of which one can tell that nobody keeps it."""


class _World:
    """Farewells of one peer, and what is said of them: when, under which ISAKMP SA, and what."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.said = 0.0, list[tuple[float, int, Any]]()
        self.timers = Timers(lambda: self.now)
        self.there: list[Any] = []
        self.engine: Any = SimpleNamespace(
            timers=self.timers, repeat=self._repeat,
            sas=SimpleNamespace(children=set(), current=self._current, of_peer=self._of_peer),
        )  # fmt: skip
        self.dialect: Any = SimpleNamespace(name="ikev1")
        self.farewells = Farewells()
        monkeypatch.setattr("isakmp.scripts.ikev1.farewells.tell", self._tell)

    def _of_peer(self, peer: Peer) -> list[Any]:
        return [sa for sa in self.there if sa.peer == peer]

    def _current(self, peer: Peer) -> Any:
        live = [sa for sa in self._of_peer(peer) if sa.state is State.ESTABLISHED]
        return live[-1] if live else None

    def _tell(self, engine: Any, dialect: Any, sa: Any, payloads: list[Any]) -> Any:
        spis = [spi for _, value in payloads for spi in value.spis]
        told = SimpleNamespace(number=sa.number, path=sa.path, spis=spis)
        self._repeat(told)
        return told

    def _repeat(self, told: Any) -> None:
        spis = [int.from_bytes(spi, "big") for spi in told.spis]
        self.said.append((self.now, told.number, spis))

    def sa(self, peer: Peer, dialect: str = "ikev1") -> Any:
        """A new one is there, and those before it give way."""
        if (old := self._current(peer)) is not None:
            old.state = State.SUPERSEDED
        sa: Any = _Sa(
            peer=peer, number=len(self.there), path=None, state=State.ESTABLISHED, dialect=dialect,
            remote=SimpleNamespace(shared=True),
        )  # fmt: skip
        self.there.append(sa)
        if dialect == "ikev1":
            self.farewells.established(self.engine, self.dialect, sa)
        return sa

    def run(self, seconds: float) -> list[tuple[float, int, Any]]:
        """What is said in that time."""
        self.said.clear()
        end = self.now + seconds
        while (wait_s := self.timers.timeout()) is not None and self.now + wait_s <= end:
            self.now += wait_s
            self.timers.run()
        self.now = end
        return list(self.said)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> _World:
    return _World(monkeypatch)


WHEN = [1, 3, 7, 15, 31, 63, 127, 255, 511]


def test_a_series_is_over_after_ten_times(world: _World) -> None:
    world.farewells.said(_child(_peer(0), 0x1000))
    world.sa(_peer(0))
    assert world.said == [(0, 0, [0x1000])]
    assert [when for when, *_ in world.run(10000)] == WHEN
    world.sa(_peer(0))
    assert not world.run(10000)
    assert not world.timers.pending()


def test_each_isakmp_sa_has_it_at_once_and_no_more_than_ten_times_in_all(world: _World) -> None:
    world.farewells.said(_child(_peer(0), 0x1000))
    count = 0
    for _ in range(100):
        sa = world.sa(_peer(0))
        assert count >= 10 or world.said[-1][1] == sa.number
        count += len(world.said)
        count += len(world.run(0.5))
        world.said.clear()
    assert count == 10
    assert not world.run(10000)


@pytest.mark.parametrize("state", [State.SUPERSEDED, State.DELETING, State.DEAD])
def test_it_goes_on_under_what_takes_its_isakmp_sas_place(world: _World, state: State) -> None:
    """Also where that was there already, and no new one is made."""
    world.farewells.said(_child(_peer(0), 0x1000))
    stays, sa = world.sa(_peer(0)), world.sa(_peer(0))
    stays.state = State.ESTABLISHED
    assert [number for _, number, _ in world.run(2)] == [1]
    sa.state = state
    assert {number for _, number, _ in world.run(1000)} == {0}


@pytest.mark.parametrize("state", [State.SUPERSEDED, State.DELETING])
def test_it_goes_on_under_one_that_is_on_its_way_out_where_there_is_no_other(
    world: _World, state: State
) -> None:
    world.farewells.said(_child(_peer(0), 0x1000))
    world.sa(_peer(0)).state = state
    assert [(when, number) for when, number, _ in world.run(7)] == [(1, 0), (3, 0), (7, 0)]


def test_a_series_that_is_over_leaves_nothing(world: _World) -> None:
    """Neither names of peers nor an ISAKMP SA, which may have ended meanwhile."""
    world.farewells.said(_child(_peer(0), 0x1000))
    world.sa(_peer(0))
    world.run(10000)
    assert not any(vars(world.farewells).values())
    sa = world.sa(_peer(0))
    world.farewells.withdrawn(world.engine, world.dialect, sa, [(ESP, 0x1000)])
    world.run(10000)
    ended = ref(sa)
    world.there.clear()
    del sa
    assert ended() is None


def test_it_waits_for_an_isakmp_sa_and_is_not_begun_anew(world: _World) -> None:
    world.farewells.said(_child(_peer(0), 0x1000))
    sa = world.sa(_peer(0))
    assert len(world.run(7)) == 3
    sa.state = State.DEAD
    world.sa(_peer(0), "ikev2")
    assert not world.run(10000)
    world.sa(_peer(0))
    assert len(world.said) + len(world.run(10000)) == 10 - 4


def test_it_follows_a_peer_that_its_nat_moves(world: _World) -> None:
    world.farewells.said(_child(_peer(0), 0x1000))
    sa = world.sa(_peer(0))
    sa.peer = _peer(1)
    assert {number for _, number, _ in world.run(4)} == {0}
    new = world.sa(_peer(1))
    assert {number for _, number, _ in world.run(1000)} == {new.number}


def test_an_spi_that_is_used_anew_is_not_deleted_any_more(world: _World) -> None:
    for spi in (0x1000, 0x1001):
        world.farewells.said(_child(_peer(0), spi))
    world.sa(_peer(0))
    assert world.said[-1][2] == [0x1000, 0x1001]
    world.engine.sas.children.add((ESP, 0x1000))
    assert world.run(1)[-1][2] == [0x1001]
    world.engine.sas.children.clear()
    world.engine.sas.children.add((ESP, 0x1001))
    assert not world.run(10000)
    assert not world.timers.pending()


def test_a_newcomer_hears_what_belongs_to_another_place_under_its_next_isakmp_sa(
    world: _World,
) -> None:
    world.farewells.said(_child(_peer(0), 0x1000))
    world.sa(_peer(1))
    assert [spis for *_, spis in world.run(20)] == [[0x1000]] * 4
    new = world.sa(_peer(1))
    assert world.said[-1] == (20, new.number, [0x1000])
    assert len(world.run(10000)) == 4
    back = world.sa(_peer(0))
    assert world.said[-1] == (world.now, back.number, [0x1000]), "its own place is another matter"


def test_what_is_begun_under_one_isakmp_sa_is_begun_again_under_the_next(world: _World) -> None:
    """However often it was said, as the peer may have heard nothing."""
    sa = world.sa(_peer(0))
    world.farewells.withdrawn(world.engine, world.dialect, sa, [(ESP, 0x1000)])
    world.farewells.given_up(_peer(0), [(ESP, 0x1000)])
    assert [when for when, *_ in world.run(1000)] == WHEN
    world.farewells.repeat(world.engine, world.dialect, sa)
    assert len(world.said) + len(world.run(1000)) - len(WHEN) == 10
    world.farewells.repeat(world.engine, world.dialect, sa)
    assert not world.run(1000), "once is enough"
    world.sa(_peer(0))
    assert world.said[-1][2] == [0x1000]
    assert len(world.run(1000)) == len(WHEN)


def test_who_gives_way_is_told_no_more(world: _World, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 50
    monkeypatch.setattr("isakmp.scripts.ikev1.farewells.PEERS_MAX", most)
    for number in range(most + 1):
        world.farewells.said(_child(_peer(number), 0x1000 + number))
        world.sa(_peer(number))
    assert 0x1000 not in [spi for *_, spis in world.run(1000) for spi in spis]
    assert not world.timers.pending()
