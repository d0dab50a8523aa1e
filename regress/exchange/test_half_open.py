"""Half-open exchanges: who goes, and what is kept of whom."""

from __future__ import annotations

import gc
import random
from collections import Counter
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest

from isakmp.errors import Reason
from isakmp.exchange.answers import ROUND_TRIP_S
from isakmp.exchange.exchange import digest
from isakmp.exchange.half_open import HERE, IN_ALL, NAMED_SHARE, REFUSED_HALF_S, HalfOpen
from isakmp.path import Path
from isakmp.policy.spd import Address
from regress.pair import Network, Packet, both


def path(remote: Address, port: int = 500) -> Path:
    return Path(address(0), 500, remote, port)


class Begun:
    """What of an exchange counts here."""

    def __init__(self, number: int, origin: Address, step: int = 0) -> None:
        self.first, self.origin, self.step = number.to_bytes(8, "big"), origin, step
        self.first_in = digest(self.first)
        self.root, self.dialect = self, SimpleNamespace(name="ikev1")
        self.cky_r, self.path = self.first_in[:8], path(origin)


def address(number: int) -> Address:
    return ip_address(0xC6336400 + number)


def table(seed: int = 1, clock: list[float] | None = None) -> HalfOpen:
    now = clock or [0.0]
    return HalfOpen(random.Random(seed).randbytes, lambda: now[0])


def named(origin: Address) -> bool:
    """Of the addresses here, those from 200 on are named in the configuration."""
    return int(origin) >= int(address(200))


def add(found: HalfOpen, begun: Any) -> None:
    found.add(begun, named=named(begun.origin))


def surplus(found: HalfOpen, origin: Address, here: int, most: int) -> tuple[Any, Reason] | None:
    return found.surplus(origin, here, most, named=named(origin))


def fill(found: HalfOpen, count: int, hosts: int = 1) -> list[Any]:
    made: list[Any] = [Begun(number, address(number % hosts)) for number in range(count)]
    for each in made:
        add(found, each)
    return made


def test_nobody_goes_as_long_as_there_is_room() -> None:
    found = table()
    fill(found, 9, hosts=3)
    assert surplus(found, address(0), 4, 13) is None
    assert surplus(found, address(7), 0, 13) is None, "an address with none has none to lose"


def test_of_an_address_with_too_many_one_of_its_own_goes() -> None:
    found = table()
    fill(found, 9, hosts=3)
    for _ in range(20):
        victim, why = surplus(found, address(1), 3, 5) or (None, IN_ALL)
        assert victim is not None and victim.origin == address(1)
        assert why is HERE


def test_of_too_many_in_all_anyone_goes() -> None:
    found = table()
    made = fill(found, 20, hosts=20)
    seen = set()
    for _ in range(400):
        victim, why = surplus(found, address(99), 3, 20) or (None, IN_ALL)
        seen.add(victim)
        assert why is IN_ALL
    assert seen == set(made[:-1]), "anyone but the newest"


def test_who_got_further_stays() -> None:
    found = table()
    made = fill(found, 20, hosts=20)
    for each in made[1:]:
        each.step = 2
        found.moved_on(each)
    assert surplus(found, address(99), 3, 20) == (made[0], IN_ALL)
    made[0].step = 4
    found.moved_on(made[0])
    victim, _ = surplus(found, address(99), 3, 20) or (None, IN_ALL)
    assert victim in made[1:]


def test_an_exchange_that_is_open_is_not_taken_up_again() -> None:
    found = table()
    (one,) = fill(found, 1)
    found.remove(one)
    found.remove(one)
    found.moved_on(one)
    assert not found and one not in found and list(found) == []


def test_a_first_message_names_the_last_that_began_with_it() -> None:
    found = table()
    older: Any = Begun(7, address(1))
    newer: Any = Begun(7, address(1))
    first: bytes = newer.first
    add(found, older)
    add(found, newer)
    found.remove(older)
    assert found.begun("ikev1", first, path(address(1))) == newer
    assert found.begun("ikev1", first, path(address(2))) is None
    assert found.begun("ikev1", first, path(address(1), 501)) is None, "a copy of another"
    assert found.begun("ikev2", first, path(address(1))) is None, "another version's messages"
    found.remove(newer)
    assert found.begun("ikev1", first, path(address(1))) is None


def test_it_agrees_with_a_list_that_is_looked_through() -> None:
    """Thousands of random acts, each answer judged by the plain policy."""
    chance, found = random.Random(5), table(6)
    plain: list[Any] = []
    said: Counter[str] = Counter()
    newest: Any = None
    for number in range(6000):
        origin = address(chance.randrange(6))
        if plain and (act := chance.random()) < 0.5:
            one = chance.choice(plain)
            if act < 0.2:
                plain.remove(one)
                found.remove(one)
            else:
                one.step = chance.randrange(4)
                found.moved_on(one)
        else:
            here = [x for x in plain if x.origin == origin]
            among = here if len(here) >= 4 else plain if len(plain) >= 12 else []
            gone = surplus(found, origin, 4, 15)
            assert (gone is None) == (not among)
            if gone is not None:
                victim, why = gone
                least = [x for x in among if x.step == min(x.step for x in among)]
                said[why.detail] += 1
                if victim is None:
                    assert least == [newest]
                    continue
                assert victim in least and victim is not newest
                plain.remove(victim)
                found.remove(victim)
            begun: Any = Begun(number, origin, chance.randrange(2))
            plain.append(begun)
            add(found, begun)
            newest = begun
        assert set(found) == set(plain) and len(found) == len(plain)
    assert min(said.values()) > 100 and len(said) == 2


def test_nothing_is_left_of_those_that_ended() -> None:
    found = table()
    for one in fill(found, 50, hosts=7):
        found.remove(one)
    left = {name: len(value) for name, value in vars(found).items() if hasattr(value, "__len__")}
    assert set(left.values()) == {0}


def test_a_named_peer_keeps_its_place_for_a_round_trip_whatever_strangers_do() -> None:
    clock = [0.0]
    found = table(clock=clock)
    fill(found, 14, hosts=14)
    honest: Any = Begun(99, address(200))
    add(found, honest)
    for number in range(100, 2000):
        clock[0] += ROUND_TRIP_S / 2000
        victim, _ = surplus(found, address(number % 150), 3, 15) or (None, IN_ALL)
        assert victim is not honest and victim is not None
        found.remove(victim)
        stranger: Any = Begun(number, address(number % 150))
        add(found, stranger)
    assert honest in found and len(found) <= 15


def test_strangers_leave_a_share_to_who_is_named() -> None:
    found = table()
    fill(found, 20 - 20 // NAMED_SHARE, hosts=100)
    assert surplus(found, address(150), 3, 20) is not None
    for number in range(20 // NAMED_SHARE):
        assert surplus(found, address(200 + number), 3, 20) is None
        honest: Any = Begun(500 + number, address(200 + number))
        add(found, honest)
    victim, _ = surplus(found, address(250), 3, 20) or (None, IN_ALL)
    assert victim is not None and int(victim.origin) < int(address(200)), (
        "a stranger gives way to it"
    )


def test_where_none_may_give_way_the_newcomer_is_refused() -> None:
    clock = [0.0]
    found = table(clock=clock)
    for number in range(20):
        honest: Any = Begun(number, address(200 + number))
        add(found, honest)
    assert surplus(found, address(1), 3, 20) == (None, IN_ALL)
    clock[0] += ROUND_TRIP_S
    victim, _ = surplus(found, address(1), 3, 20) or (None, IN_ALL)
    assert victim is not None and victim.origin == address(200), "the oldest"


@pytest.mark.parametrize("exchange", ["ID_PROT", "AGGRESSIVE"])
def test_a_flood_leaves_no_garbage_that_must_be_searched_for(exchange: str) -> None:
    """Exchanges that know themselves stay until then, and the search costs as much as the flood."""
    net = Network()
    west, east = both(exchange=exchange, general="Max-half-open= 8")
    caller, host = net.host(west), net.host(east)
    host.daemon.start()
    caller.daemon.start()
    first = net.history[0].data
    gc.collect()
    gc.disable()
    try:
        for number in range(200):
            data = number.to_bytes(8, "big") + first[8:]
            host.receive(Packet(caller.address, 500, host.address, 500, data))
            net.flying.clear()
            net.history.clear()
            net.now += ROUND_TRIP_S
        assert host.daemon.engine.counters["half_open_dropped"] > 100
        assert gc.collect() < 20
    finally:
        gc.enable()


def test_refusals_count_for_a_while() -> None:
    clock = [0.0]
    found = table(clock=clock)
    assert found.pressing(0) and not found.pressing(1)
    for _ in range(8):
        found.refused()
    assert found.pressing(8) and not found.pressing(9)
    clock[0] += REFUSED_HALF_S
    assert found.pressing(4) and not found.pressing(5)
    fill(found, 1)
    assert found.pressing(5) and not found.pressing(6)
    clock[0] += 100 * REFUSED_HALF_S
    assert found.pressing(1) and not found.pressing(2)
