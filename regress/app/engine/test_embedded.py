"""What a daemon asks of the real engine: called in its own process, and by PF_KEY from another."""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address

import pytest
from hypothesis import given, settings

from isakmp.app.base import (
    Acquire,
    Application,
    Expire,
    Mapping,
    SpiRequest,
    UnknownSpi,
    Upcalls,
)
from isakmp.app.engine.embedded import Embedded
from isakmp.app.engine.engine import KeyEngine
from isakmp.app.engine.sad import LARVAL_S
from isakmp.app.engine.server import Server
from isakmp.app.pf_key.backend import PfKey
from isakmp.constants import ipsec
from isakmp.constants.isakmp import Protocol
from isakmp.errors import ApplicationError
from isakmp.event.timer import Timers
from isakmp.log.log import Log
from regress.app.engine.pair import ALGORITHMS, MemoryNetif, MemoryWire
from regress.app.pf_key import strategies as some
from regress.app.pf_key.direct import DirectLink
from regress.app.pf_key.fakes import (
    ESP,
    IN,
    NETS,
    OUT,
    OUT_POLICY,
    THEM,
    TUNNEL,
    US,
    WALL,
    Heard,
    name_of,
)

REQUEST = SpiRequest(ESP, THEM, US, TUNNEL, 7)


class World:
    """The real engine, without a network, as a daemon has it; apart: behind PF_KEY."""

    def __init__(self, apart: bool) -> None:
        self.clock = 0.0
        self.timers = Timers(lambda: self.clock)
        self.wire, self.netif = MemoryWire(), MemoryNetif()  # type: ignore[abstract]
        self.heard = Heard()
        self.ports: list[int] = []
        self.app, self.engine = self._apart() if apart else self._here()
        self.app.start(self.heard)

    def _here(self) -> tuple[Application, KeyEngine]:
        app = Embedded(self._make, self.ports.append)
        return app, app.engine

    def _apart(self) -> tuple[Application, KeyEngine]:
        server = Server(self._make, lambda: WALL + self.clock)
        link = DirectLink(server.attach)
        return PfKey(link, self.timers, wall=lambda: WALL + self.clock), server.engine

    def _make(self, events: Upcalls) -> KeyEngine:
        return KeyEngine(
            timers=self.timers, random=os.urandom, wire=self.wire, netif=self.netif,
            events=events, log=Log(lambda: self.clock, lambda line: None),
        )  # fmt: skip


@pytest.fixture(params=[False, True], ids=["here", "apart"])
def near(request: pytest.FixtureRequest) -> World:
    return World(request.param)


def packet(src: str, dst: str) -> bytes:
    """An IPv4 header and eight octets of UDP."""
    head = bytearray.fromhex("4500001c000000004011000000000000000000000001000200080000")
    head[12:16], head[16:20] = ip_address(src).packed, ip_address(dst).packed
    return bytes(head)


def test_from_acquire_to_hard_limit(near: World) -> None:
    assert near.app.add_policy(OUT_POLICY).error is None
    near.engine.packet_out(packet("10.1.0.1", "10.2.0.1"))
    (acquire,) = near.heard.events
    assert isinstance(acquire, Acquire) and (acquire.reqid, acquire.dst) == (7, THEM)
    spi = near.app.get_spi(REQUEST).result
    assert spi is not None
    limits = OUT.limits._replace(soft_s=10, hard_s=20)
    assert near.app.update_sa(IN._replace(spi=spi)).error is None
    assert near.app.add_sa(OUT._replace(limits=limits, replay_window=1024)).error is None
    usage = near.app.usage(name_of(OUT)).result
    assert usage is not None and usage.packets == 1 and len(near.wire.sent) == 1
    for near.clock in (10.0, 20.0):
        near.timers.run()
    assert near.heard.events[1:] == [Expire(name_of(OUT), False), Expire(name_of(OUT), True)]
    refused = near.app.usage(name_of(OUT))
    assert isinstance(refused.error, ApplicationError) and "no SA with SPI" in str(refused.error)
    assert near.app.delete_sa(name_of(IN)._replace(spi=spi)).error is None
    assert near.app.delete_policy(OUT_POLICY).error is None


def test_an_sa_whose_larval_one_has_ended_is_made_anew(near: World) -> None:
    """Peers have longer to answer than an SPI is kept for."""
    spi = near.app.get_spi(REQUEST).result
    assert spi is not None
    near.clock = LARVAL_S + 1
    near.timers.run()
    spec = IN._replace(spi=spi)
    assert near.app.update_sa(spec).error is None
    assert list(near.engine.sas()) == [spec]
    assert near.app.update_sa(spec._replace(enc_key=bytes(range(20)))).error is not None
    assert near.app.move_sa(OUT, OUT._replace(encap=(4500, 4500))).error is not None
    assert list(near.engine.sas()) == [spec]


def test_its_sas_move(near: World) -> None:
    elsewhere = ip_address("198.51.100.9")
    unknown = near.app.migrate(OUT_POLICY, elsewhere, THEM)
    assert isinstance(unknown.error, ApplicationError)
    near.app.add_policy(OUT_POLICY)
    near.app.add_sa(OUT)
    assert near.app.migrate(OUT_POLICY, elsewhere, THEM).error is None
    assert [spec.src for spec in near.engine.sas()] == [elsewhere]
    moved = OUT._replace(src=elsewhere, encap=(4500, 4500))
    assert near.app.move_sa(OUT._replace(src=elsewhere), moved).error is None
    assert [spec.encap for spec in near.engine.sas()] == [(4500, 4500)]


def test_a_move_is_whole_or_not_at_all(near: World) -> None:
    elsewhere = ip_address("198.51.100.9")
    near.app.add_policy(OUT_POLICY)
    near.app.add_sa(OUT)
    other = OUT._replace(dst=elsewhere, enc_key=bytes(range(20)), reqid=8)
    near.app.add_sa(other)
    refused = near.app.migrate(OUT_POLICY, US, elsewhere)
    assert "is in use" in str(refused.error)
    assert [policy.dst for _, policy in near.engine.policies()] == [THEM]
    assert sorted(sa.dst for sa in near.engine.sas()) == sorted([THEM, elsewhere])


@pytest.mark.parametrize("apart", [False, True])
@settings(max_examples=60, deadline=None)
@given(some.sas(), some.policies())
def test_whatever_is_asked(apart: bool, sa, policy) -> None:  # type: ignore[no-untyped-def]
    near = World(apart)
    for job in (
        near.app.add_sa(sa),
        near.app.update_sa(sa),
        near.app.add_policy(policy),
        near.app.usage(name_of(sa)),
        near.app.delete_policy(policy),
        near.app.delete_sa(name_of(sa)),
    ):
        assert job.done and isinstance(job.error, ApplicationError | None)


def test_bundles_are_refused(near: World) -> None:
    assert near.app.group([name_of(OUT)]).error is None
    assert "cannot bundle SAs" in str(near.app.group([name_of(OUT), name_of(IN)]).error)


def supports(near: World, transform: int, bits: int, auth: ipsec.Auth | None) -> str:
    return near.app.supports(ESP, TUNNEL, transform, bits, auth, True)


@pytest.mark.parametrize(("transform", "octets", "auth", "auth_octets"), ALGORITHMS)
def test_what_it_supports(
    near: World, transform: int, octets: int, auth: ipsec.Auth | None, auth_octets: int
) -> None:
    """Whatever can be installed."""
    salt = {"CCM": 3, "GCM": 4, "GMA": 4, "CTR": 4}
    name = ipsec.Esp(transform).name
    less = next((size for part, size in salt.items() if part in name), 0)
    assert supports(near, transform, 8 * (octets - less), auth) == ""


def test_what_it_does_not_support(near: World) -> None:
    assert supports(near, ipsec.Esp.IDEA, 128, ipsec.Auth.HMAC_SHA)
    assert supports(near, ipsec.Esp.AES, 128, ipsec.Auth.HMAC_RIPEMD)
    assert near.app.supports(Protocol.IPSEC_AH, TUNNEL, 3, 0, ipsec.Auth.HMAC_SHA, False)
    assert near.app.supports(Protocol.IPCOMP, TUNNEL, ipsec.Ipcomp.DEFLATE, 0, None, False)


def test_in_our_process_what_would_not_be_installed_is_not_supported() -> None:
    near = World(apart=False)
    assert supports(near, ipsec.Esp.AES, 136, ipsec.Auth.HMAC_SHA)
    assert supports(near, ipsec.Esp.AES_GCM_16, 128, ipsec.Auth.HMAC_SHA)
    assert supports(near, ipsec.Esp.AES_CTR, 128, None)


def test_its_upcalls_end_with_the_daemon() -> None:
    near = World(apart=False)
    app = near.app
    assert isinstance(app, Embedded)
    events = [
        Acquire(7, NETS, US, THEM),
        Expire(name_of(OUT), False),
        Mapping(name_of(IN), THEM, 4500),
        UnknownSpi(0x1234, THEM, US, None),
    ]
    tell = app.acquire, app.expire, app.mapping, app.unknown_spi
    for call, event in zip(tell, events, strict=True):
        call(event)  # type: ignore[operator]
    assert near.heard.events == events
    assert app.drops().result == {}
    app.close()
    for call, event in zip(tell, events, strict=True):
        call(event)  # type: ignore[operator]
    assert near.heard.events == events


def test_the_guard_hears_of_every_port_of_the_daemon() -> None:
    """The kernel knows IKE in IPv6 by its port alone, which -p and -N change."""
    near = World(apart=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        near.app.own_socket(sock, encap=False)
        assert near.ports == [sock.getsockname()[1]]
