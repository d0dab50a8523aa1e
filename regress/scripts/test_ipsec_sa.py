"""What the scripts of every protocol do alike where they make child SAs."""

from __future__ import annotations

from ipaddress import ip_address
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from isakmp.app.base import Limits, SaId
from isakmp.constants import isakmp
from isakmp.errors import Refused
from isakmp.path import Path
from isakmp.scripts import ipsec_sa
from regress.pair import Host, up

ESP, IPCOMP = isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPCOMP
PATH = Path(ip_address("192.0.2.1"), 4500, ip_address("192.0.2.2"), 7777, True)


def ended() -> tuple[Any, Host]:
    """What of an exchange counts here, of a host that is up."""
    _, west, _ = up()
    (sa,) = west.daemon.sas.isakmp.values()
    engine = west.daemon.engine
    return SimpleNamespace(host=engine, sa=sa, path=sa.path, initiator=True), west


def test_an_sa_has_its_ends_and_their_ports_each_way() -> None:
    """RFC 3948: UDP's ports as the packets have them."""
    outward = ((PATH.local, PATH.remote), (4500, 7777))
    assert ipsec_sa.ends(PATH, inbound=False) == outward
    assert ipsec_sa.ends(PATH, inbound=True) == ((PATH.remote, PATH.local), (7777, 4500))


@pytest.mark.parametrize(("protocol", "most"), [(ESP, 2**32 - 1), (IPCOMP, 0xFFFF)])
def test_an_spi_is_the_stacks_and_goes_back_to_it(protocol: isakmp.Protocol, most: int) -> None:
    x, west = ended()
    connection = west.daemon.catalog.connections["west-east"]
    step = ipsec_sa.reserve_spi(x, protocol, connection, 7)
    job = next(step)
    spi: Any = job.result
    assert 256 <= spi <= most and spi in west.app.larval
    with pytest.raises(StopIteration) as stop:
        step.send(spi)
    assert stop.value.value == spi
    ipsec_sa.give_back(x, protocol, spi, [])
    assert spi not in west.app.larval


def test_what_was_made_elsewhere_is_given_back_there() -> None:
    x, west = ended()
    inbound = next(spec for spec in west.app.sas.values() if spec.inbound)
    moved = inbound._replace(src=ip_address("198.51.100.9"))
    west.app.sas = {SaId(moved.protocol, moved.spi, moved.src, moved.dst): moved}
    ipsec_sa.give_back(x, moved.protocol, moved.spi ^ 1, [moved])
    assert west.app.sas, "it is another's"
    ipsec_sa.give_back(x, moved.protocol, moved.spi, [moved])
    assert not west.app.sas


@pytest.mark.parametrize("initiator", [False, True])
def test_soft_limits_come_before_hard_ones_and_the_initiators_first(initiator: bool) -> None:
    x, _ = ended()
    x.initiator = initiator
    x.host.random = Random(5).randbytes
    found = [ipsec_sa.limits(x, 3600, 1000, 50_000) for _ in range(200)]
    assert {(one.hard_s, one.hard_bytes, one.hard_packets) for one in found} == {
        (3600, 1_024_000, 50_000)
    }
    margin = x.host.settings.rekey_margin_percent / 100
    for one in found:
        assert 3600 * (1 - margin) * 0.99 <= one.soft_s < 3600
        assert 0 < one.soft_bytes < one.hard_bytes and 0 < one.soft_packets < one.hard_packets
    assert len({one.soft_s for one in found}) > 20, "not all at once"


def test_the_initiator_comes_first_whatever_is_drawn() -> None:
    x, _ = ended()
    x.host.random = lambda size: b"\xff"
    latest = ipsec_sa.limits(x, 3600, 0, 0)
    x.initiator, x.host.random = False, lambda size: b"\0"
    earliest = ipsec_sa.limits(x, 3600, 0, 0)
    assert latest.soft_s <= earliest.soft_s


def test_without_limits_there_are_none() -> None:
    x, _ = ended()
    assert ipsec_sa.limits(x, 0, 0, 0) == Limits()


def test_a_peer_that_asks_for_too_much_is_refused_with_the_notify() -> None:
    x, west = ended()
    (child,) = west.daemon.sas.all_children()
    args = x, x.sa, child.connection, [child.selector], 35
    ipsec_sa.check_room(*args)
    ipsec_sa.check_traffic(*args)
    x.host.bounds.child = lambda sa, selectors, replacing: (
        None if replacing else SimpleNamespace(cause="too-many")
    )
    ipsec_sa.check_room(*args)
    free = child.selector.reversed()
    with pytest.raises(Refused) as caught:
        ipsec_sa.check_room(x, x.sa, child.connection, [free], 35)
    assert caught.value.notify == 35
    ipsec_sa.check_room(x, x.sa, child.connection, [free], 35, replacing=True)
