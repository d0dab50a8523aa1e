"""What strangers can make us send: nobody uses up what is there for another."""

from __future__ import annotations

from ipaddress import ip_address

from isakmp.exchange.budget import KEPT_MAX, NAMED_PER_S, NETWORK_PER_S, STRANGERS_PER_S, Budget
from isakmp.policy.spd import Address

PEER = ip_address("192.0.2.1")


def budget(clock: list[float]) -> Budget:
    return Budget(lambda: clock[0], lambda address: address == PEER)


def count(found: Budget, kind: int, addresses: list[Address], tries: int = 1) -> int:
    return sum(found.take(kind, each) for _ in range(tries) for each in addresses)


def hosts(many: int, apart: int = 256) -> list[Address]:
    return [ip_address(0xC6120000 + number * apart) for number in range(many)]


def test_all_strangers_together_have_one_share_of_a_kind() -> None:
    clock = [5.0]
    found = budget(clock)
    assert count(found, 1, hosts(500)) == STRANGERS_PER_S
    clock[0] += 0.5
    assert count(found, 1, hosts(500)) == STRANGERS_PER_S // 2
    clock[0] += 1000
    assert count(found, 1, hosts(500)) == STRANGERS_PER_S


def test_one_kind_leaves_another_its_share() -> None:
    found = budget([0.0])
    count(found, 1, hosts(500))
    assert count(found, 2, hosts(500)) == STRANGERS_PER_S


def test_one_network_leaves_others_their_share() -> None:
    found = budget([0.0])
    assert count(found, 1, hosts(200, apart=1)) == NETWORK_PER_S
    six = [ip_address(f"2001:db8:1:{number:x}::1") for number in range(200)]
    assert count(found, 1, six) == NETWORK_PER_S
    assert found.take(1, ip_address("203.0.113.1"))


def test_who_is_configured_has_a_share_that_strangers_cannot_touch() -> None:
    found = budget([0.0])
    count(found, 1, hosts(500))
    assert count(found, 1, [PEER], 100) == NAMED_PER_S
    assert not found.take(1, ip_address("192.0.2.2")), "its neighbour has none"


def test_it_remembers_a_bounded_number_of_addresses() -> None:
    found = budget([0.0])
    count(found, 1, hosts(3 * KEPT_MAX))
    for each in hosts(3 * KEPT_MAX):
        found.take(2, each, proven=True)
    assert len(found) <= 2 * KEPT_MAX + 2
