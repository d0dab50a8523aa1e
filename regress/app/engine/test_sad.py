"""The security association database: SPIs, lifetimes, and which SA serves. RFC 4301 4.4.2."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from isakmp.app.base import (
    Limits,
    SaId,
)
from isakmp.app.engine import sad
from isakmp.app.engine.drop import Drop
from isakmp.app.engine.packet import (
    UDP,
    build,
)
from isakmp.app.engine.sad import sa_id
from isakmp.constants.isakmp import Protocol
from isakmp.errors import ApplicationError
from isakmp.policy.spd import Selector
from regress.app.engine.pair import (
    ENCAP,
    ENDS,
    INSIDE,
    MODE,
    PORTS,
    Host,
    Pair,
    datagram,
    make_policy,
    make_spec,
    spi_request,
)


def test_spis_are_fresh_and_larval_sas_end() -> None:
    host = Host()
    spis = [host.engine.get_spi(spi_request()) for _ in range(200)]
    assert len(set(spis)) == 200
    assert min(spis) >= 256
    host.engine.esp_in(spis[0].to_bytes(4, "big") + bytes(40), *ENDS[4])
    assert host.engine.drops[Drop.LARVAL] == 1
    host.pass_time(31)
    assert not host.timers.pending()
    with pytest.raises(ApplicationError):
        host.engine.update(make_spec(inbound=True, spi=spis[0]))


def test_a_spi_in_use_is_not_given_again() -> None:
    host = Host()
    draws = iter([bytes(8), bytes(8), (1).to_bytes(8, "big")])
    host.engine._sad._random = lambda size: next(draws)
    assert [host.engine.get_spi(spi_request()) for _ in range(2)] == [256, 257]


def test_every_spi_of_a_small_range_is_given_once() -> None:
    """RFC 2367 3.1.1: where one of the range is free, it is found."""
    host = Host()
    spis = range(0x1000, 0x1000 + 40)
    host.engine.add(make_spec(inbound=True, spi=0x1007))
    given = [host.engine.get_spi(spi_request(), spis) for _ in spis[1:]]
    assert sorted([*given, 0x1007]) == list(spis)
    for none in (spis, range(256, 256)):
        with pytest.raises(ApplicationError):
            host.engine.get_spi(spi_request(), none)


def test_update_completes_a_larval_sa() -> None:
    pair, host = Pair(), Host()
    spi = host.engine.get_spi(spi_request())
    spec = make_spec(inbound=True, spi=spi)
    with pytest.raises(ApplicationError):
        host.engine.add(spec)
    host.engine.update(spec)
    host.pass_time(60)
    assert list(host.engine.sas()) == [spec]
    with pytest.raises(ApplicationError):
        pair.far.engine.update(pair.in_spec._replace(enc_key=bytes(20)))


def test_larval_sas_are_bounded_and_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    monkeypatch.setattr(sad, "MOST_LARVAL", 1)
    spi = host.engine.get_spi(spi_request())
    with pytest.raises(ApplicationError):
        host.engine.get_spi(spi_request())
    host.engine.delete(SaId(Protocol.IPSEC_ESP, spi, *ENDS[4]))
    assert not host.timers.pending()
    with pytest.raises(ApplicationError):
        host.engine.delete(SaId(Protocol.IPSEC_ESP, spi, *ENDS[4]))


def test_the_same_sa_is_refused_twice() -> None:
    """RFC 4301 4.1."""
    pair = Pair()
    for engine, spec in ((pair.near.engine, pair.out_spec), (pair.far.engine, pair.in_spec)):
        with pytest.raises(ApplicationError):
            engine.add(spec)
        engine.delete(sa_id(spec))
        with pytest.raises(ApplicationError):
            engine.usage(sa_id(spec))
        engine.add(spec)


def test_soft_then_hard_by_time() -> None:
    """RFC 4301 4.4.2."""
    pair = Pair(limits=Limits(soft_s=50, hard_s=60))
    for host in (pair.near, pair.far):
        host.pass_time(49)
        assert not host.events.expires
        host.pass_time(2)
        assert [event.hard for event in host.events.expires] == [False]
        assert list(host.engine.sas())
        host.pass_time(10)
        assert [event.hard for event in host.events.expires] == [False, True]
        assert not list(host.engine.sas())


def test_soft_then_hard_by_octets() -> None:
    """RFC 4301 4.4.2."""
    pair = Pair(limits=Limits(soft_bytes=300, hard_bytes=500))
    packet = datagram(size=76)
    assert len(packet) == 100
    for count in range(1, 7):
        pair.through(packet)
        expected = [False] * (count >= 3) + [True] * (count >= 5)
        assert [event.hard for event in pair.near.events.expires] == expected
        assert [event.hard for event in pair.far.events.expires] == expected
    assert pair.near.events.expires[0].sa == sa_id(pair.out_spec)


def test_soft_then_hard_by_packets() -> None:
    pair = Pair(limits=Limits(soft_packets=3, hard_packets=5))
    for count in range(1, 7):
        pair.through(datagram(size=76))
        expected = [False] * (count >= 3) + [True] * (count >= 5)
        assert [event.hard for event in pair.near.events.expires] == expected
        assert [event.hard for event in pair.far.events.expires] == expected


def test_a_deleted_sa_expires_no_more() -> None:
    pair = Pair(limits=Limits(soft_s=5, hard_s=9))
    pair.near.engine.delete(sa_id(pair.out_spec))
    pair.far.engine.flush()
    for host in (pair.near, pair.far):
        host.pass_time(100)
        assert not host.events.expires


def test_without_the_newest_the_one_before_serves() -> None:
    pair = Pair()
    new = make_spec(inbound=False, spi=0x2000, key=9)
    pair.near.engine.add(new)
    pair.near.engine.delete(sa_id(new))
    assert pair.through(datagram()) == [datagram()]


def test_an_older_one_that_moves_becomes_no_newer() -> None:
    pair = Pair(encap=ENCAP)
    new = make_spec(inbound=False, spi=0x2000, key=9)._replace(encap=ENCAP)
    pair.near.engine.add(new)
    pair.near.engine.update(pair.out_spec._replace(encap=(4500, 31000)))
    pair.near.engine.packet_out(datagram())
    assert [esp[0][:4].hex() for esp in pair.near.wire.sent] == ["00002000"]


def test_without_a_reqid_the_ends_tie_an_sa_to_its_policy() -> None:
    elsewhere = ip_address("198.51.100.7")
    spec = make_spec(inbound=False, reqid=0)
    host = Host()
    host.engine.add_policy(make_policy(spec))
    host.engine.add(spec._replace(dst=elsewhere))
    host.engine.add(spec._replace(spi=0x2000, mode=MODE.TRANSPORT))
    host.engine.packet_out(datagram())
    assert len(host.events.acquires) == 1
    host.engine.add(spec)
    assert [sent[2] for sent in host.wire.sent] == [ENDS[4][1]]


def test_the_narrowest_sa_of_a_policy_is_not_used_beyond_its_selector() -> None:
    pair = Pair()
    narrow = make_spec(
        inbound=False, spi=0x3000, selector=Selector.of("10.1.0.9/32", "10.2.0.0/16"), key=3
    )
    pair.near.engine.add(narrow)
    pair.near.engine.packet_out(datagram())
    pair.near.engine.packet_out(build(ip_address("10.1.0.9"), INSIDE[4][1], UDP, PORTS + bytes(9)))
    assert [esp[0][:4].hex() for esp in pair.near.wire.sent] == ["00001000", "00003000"]


def test_an_sa_does_not_move_onto_another() -> None:
    pair = Pair(encap=ENCAP)
    elsewhere = ip_address("198.51.100.7")
    other = make_spec(inbound=False, key=5)._replace(dst=elsewhere)
    pair.near.engine.add(other)
    before = list(pair.near.engine.sas())
    with pytest.raises(ApplicationError):
        pair.near.engine.update(pair.out_spec._replace(dst=elsewhere))
    with pytest.raises(ApplicationError):
        pair.near.engine.update(pair.out_spec._replace(mode=MODE.TRANSPORT))
    assert list(pair.near.engine.sas()) == before


def test_a_moved_sa_does_not_tell_its_soft_limit_again() -> None:
    pair = Pair(limits=Limits(soft_s=50, hard_s=60, soft_bytes=10))
    pair.through(datagram())
    pair.far.engine.update(pair.in_spec._replace(src=ip_address("198.51.100.7")))
    pair.through(datagram())
    pair.far.pass_time(55)
    assert [event.hard for event in pair.far.events.expires] == [False]
    pair.far.pass_time(6)
    assert [event.hard for event in pair.far.events.expires] == [False, True]


@pytest.mark.parametrize("phase", [0.001, 0.5, 0.999])
def test_a_rekey_is_not_asked_for_late_nor_is_an_sa_ended_early(phase: float) -> None:
    host = Host()
    host.clock.time = 1000 + phase
    host.engine.add(make_spec(inbound=True, limits=Limits(soft_s=5, hard_s=6)))
    host.pass_time(5)
    assert [event.hard for event in host.events.expires] == [False]
    host.pass_time(0.999)
    assert len(host.events.expires) == 1
    host.pass_time(1)
    assert [event.hard for event in host.events.expires] == [False, True]
