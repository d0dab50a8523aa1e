"""What two daemons with key engines agree on carries packets, and nothing else."""

from __future__ import annotations

from isakmp.constants import ipsec
from regress.scripts.ikev2.pairs import gateways
from regress.sim.world import Host, World


def connected(west_tags: str, east_tags: str) -> tuple[World, Host, Host]:
    """Two daemons with one child SA, whose connections say so much more."""
    world = World(7)
    west, east = (
        world.add(name, end.address, f"{end.text()}\n[{end.connection}]\n{tags}\n")
        for name, end, tags in zip(
            ("west", "east"), gateways(), (west_tags, east_tags), strict=True
        )
    )
    for host in (east, west):
        host.start()
    world.run(3, lambda: None)
    (_,) = west.running.sas.all_children()
    return world, west, east


def cross(world: World, one: Host, other: Host, *flows: tuple[str, str]) -> list[int]:
    """Send a packet of each flow; how often each arrived."""
    numbers = range(1000, 1000 + len(flows))
    other.expected |= set(numbers)
    for number, (src, dst) in zip(numbers, flows, strict=True):
        one.send(src, dst, number)
    world.run(1, lambda: None)
    return [other.received.pop(number, 0) for number in numbers]


def test_one_child_sa_for_both_ip_versions() -> None:
    west_tags = "Local-selectors= 10.1.0.0/16, fd01::/64\nRemote-selectors= 10.2.0.0/16, fd02::/64"
    east_tags = "Local-selectors= 10.2.0.0/16, fd02::/64\nRemote-selectors= 10.1.0.0/16, fd01::/64"
    world, west, east = connected(west_tags, east_tags)
    v4, v6 = ("10.1.0.1", "10.2.0.1"), ("fd01::1", "fd02::1")
    assert cross(world, west, east, v4, v6) == [1, 1]
    assert cross(world, east, west, v4[::-1], v6[::-1]) == [1, 1]
    assert cross(world, west, east, ("10.1.0.1", "10.3.0.1"), ("fd01::1", "fd03::1")) == [0, 0]
    for host in (west, east):
        assert len(list(host.key_engine.sas())) == 2


def test_aes_cmac_protects_what_it_was_chosen_for() -> None:
    world, west, east = connected(*["ESP-proposals= aes128-aescmac"] * 2)
    (protocol,) = west.running.sas.all_children()[0].protocols
    assert protocol.chosen.auth is ipsec.Auth.AES_CMAC
    assert {spec.auth for spec in east.key_engine.sas()} == {ipsec.Auth.AES_CMAC}
    assert cross(world, west, east, ("10.1.0.1", "10.2.0.1")) == [1]
    assert cross(world, east, west, ("10.2.0.1", "10.1.0.1")) == [1]


def test_what_a_killed_daemon_has_left_in_an_engine_of_its_own_goes() -> None:
    world, west, east = connected("", "")
    assert west.stack
    stack, left = west.stack, [sa.spi for sa in west.key_engine.sas()]
    west.apart = True
    west.stop(gently=False)
    assert [sa.spi for sa in stack.engine.sas()] == left if stack.engine else False
    assert cross(world, west, east, ("10.1.0.1", "10.2.0.1")) == [1], "it flows on"
    west.configuration = west.configuration.replace("10.1.0.0", "10.3.0.0")
    west.start()
    traffic = {str(spec.selector.src) for _, spec in west.key_engine.policies()}
    assert traffic == {"10.3.0.0/16", "10.2.0.0/16"}
    assert not {sa.spi for sa in west.key_engine.sas()} & set(left)
