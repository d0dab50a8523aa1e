"""The application that installs nothing: SPIs, and SAs that expire all the same."""

from __future__ import annotations

from ipaddress import ip_address
from random import Random

from isakmp.app.base import (
    Direction,
    Expire,
    Limits,
    PolicySpec,
    SaId,
    SaSpec,
    SpiRequest,
)
from isakmp.app.none import Nothing
from isakmp.constants import ipsec, isakmp
from isakmp.errors import ApplicationError
from isakmp.event.timer import Timers
from isakmp.policy.spd import Selector

US, THEM = ip_address("192.0.2.1"), ip_address("192.0.2.2")
ESP = isakmp.Protocol.IPSEC_ESP
TUNNEL = ipsec.Encapsulation.TUNNEL
SELECTOR = Selector.of("10.2.0.0/16", "10.1.0.0/16")


class Upcalls:
    def __init__(self) -> None:
        self.expired: list[Expire] = []

    def acquire(self, event: object) -> None: ...

    def unknown_spi(self, event: object) -> None: ...

    def mapping(self, event: object) -> None: ...

    def gone(self, reason: object) -> None: ...

    def restarted(self) -> None: ...

    def expire(self, event: Expire) -> None:
        self.expired.append(event)


class Setup:
    def __init__(self) -> None:
        self.now = 0.0
        self.timers = Timers(lambda: self.now)
        self.app = Nothing(self.timers, Random(1).randbytes)
        self.upcalls = Upcalls()
        self.app.start(self.upcalls)

    def until(self, when: float) -> list[bool]:
        self.now = when
        self.timers.run()
        return [event.hard for event in self.upcalls.expired]


def sa(spi: int, soft_s: int = 10, hard_s: int = 20) -> SaSpec:
    return SaSpec(ESP, spi, THEM, US, TUNNEL, True, (SELECTOR,), 1, limits=Limits(soft_s, hard_s))


def name(spi: int) -> SaId:
    return SaId(ESP, spi, THEM, US)


def test_spis_are_free_and_not_reserved() -> None:
    answers = [b"\0\0\0\xff", b"\0\0\1\0", b"\0\0\1\0", b"\xff\xff\xff\xff", b"\0\0\1\0"]
    app = Nothing(Timers(lambda: 0.0), lambda n: answers.pop(0))
    request = SpiRequest(ESP, THEM, US, TUNNEL, 1)
    assert app.get_spi(request).result == 256
    assert app.get_spi(request).result == 0xFFFFFFFF
    app.delete_sa(name(256))
    assert app.get_spi(request).result == 256


def test_sas_expire_softly_then_hard() -> None:
    s = Setup()
    s.app.update_sa(sa(300))
    assert s.until(9.9) == []
    assert s.until(10) == [False]
    assert s.until(20) == [False, True]
    assert {event.sa for event in s.upcalls.expired} == {name(300)}


def test_no_limit_is_no_timer_and_a_new_sa_has_new_ones() -> None:
    s = Setup()
    s.app.add_sa(sa(300, 0, 0))
    assert s.timers.timeout() is None
    s.app.add_sa(sa(300, 5, 6))
    s.app.update_sa(sa(300, 7, 8))
    assert len(s.timers.pending()) == 1
    assert s.until(6.5) == []


def test_a_deleted_sa_does_not_expire() -> None:
    s = Setup()
    s.app.add_sa(sa(300))
    assert s.app.delete_sa(name(300)).done
    assert s.app.delete_sa(name(999)).done
    assert s.until(100) == []


def test_close_stops_the_time() -> None:
    s = Setup()
    s.app.add_sa(sa(300))
    s.app.close()
    assert s.timers.timeout() is None


def test_what_is_not_installed_still_answers() -> None:
    s = Setup()
    policy = PolicySpec(Direction.OUT, SELECTOR)
    assert [s.app.add_policy(policy).result for _ in range(2)] == [1, 2]
    for job in (s.app.delete_policy(policy), s.app.group([]), s.app.migrate(policy, US, THEM)):
        assert job.done
        assert job.error is None
    assert isinstance(s.app.usage(name(300)).error, ApplicationError)


def test_an_sa_that_expires_before_anybody_listens_is_let_be() -> None:
    s = Setup()
    app = Nothing(s.timers, Random(1).randbytes)
    app.add_sa(sa(300))
    s.until(10)
    s.until(20)
    assert not s.timers.pending()


def test_an_sa_that_moves_keeps_its_time() -> None:
    s = Setup()
    old = sa(300, 5, 9)
    s.app.add_sa(old)
    assert s.until(4) == []
    moved = old._replace(src=US, dst=THEM)
    assert s.app.move_sa(old, moved).done
    assert s.app.move_sa(old, moved).done
    assert s.until(6) == [False]
    s.app.move_sa(moved, old)
    assert s.until(8.5) == [False]
    assert s.until(20) == [False, True]
    assert [event.sa.src for event in s.upcalls.expired] == [US, THEM]


def test_everything_is_supported_as_nothing_is_carried() -> None:
    s = Setup()
    assert s.app.supports(isakmp.Protocol.IPSEC_AH, TUNNEL, 99, 1, None, True) == ""
