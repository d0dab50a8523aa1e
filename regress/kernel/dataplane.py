"""In the guest: the kernel's IPsec behind the Application, proved by traffic and counters.

Run by test_dataplane.py: ``python -m regress.kernel.dataplane``. A line of JSON for each case.
"""

from __future__ import annotations

import json
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from isakmp.app.base import (
    Action,
    Direction,
    Limits,
    PolicySpec,
    SaId,
    SaSpec,
    SpiRequest,
    bundle_order,
)
from isakmp.constants import ipsec, isakmp
from isakmp.crypto.lengths import key_octets
from isakmp.event.job import Job
from isakmp.policy.spd import Selector
from regress.kernel.site import Host, Seen, Site, inside, sh

ESP, AH = isakmp.Protocol.IPSEC_ESP, isakmp.Protocol.IPSEC_AH
IPCOMP = isakmp.Protocol.IPCOMP
TUNNEL, TRANSPORT = ipsec.Encapsulation.TUNNEL, ipsec.Encapsulation.TRANSPORT
E, A = ipsec.Esp, ipsec.Auth
NUMBERS = {ESP: 50, AH: 51, IPCOMP: 108}
UDP = 17
V4, V6 = 0, 1
REQID = 7


def ok(job: Job[Any]) -> Any:
    """A job's result; its error fails the case. The kernel answers at once."""
    assert job.done, "not answered"
    assert job.error is None, job.error
    return job.result


@dataclass(frozen=True)
class Sa:
    """What is negotiated of one protocol."""

    protocol: isakmp.Protocol = ESP
    transform: int = E.AES_GCM_16
    key_bits: int = 128
    auth: ipsec.Auth | None = None


GCM = Sa()
CBC = Sa(ESP, E.AES, 128, A.HMAC_SHA2_256)
AUTH = Sa(AH, ipsec.Ah.SHA2_256, 0, A.HMAC_SHA2_256)
COMP = Sa(IPCOMP, ipsec.Ipcomp.DEFLATE, 0)


@dataclass(frozen=True)
class Plan:
    """Tunnels between a and b, both ways: which SAs, for which traffic, between which ends."""

    sas: tuple[Sa, ...] = (GCM,)
    mode: ipsec.Encapsulation = TUNNEL
    outer: int = V4
    inner: int = V4
    selector: Selector | None = None
    more: dict[str, Any] | None = None


class Tunnel:
    """A plan that is carried out: SPIs from the kernels, SAs and policies at both ends."""

    def __init__(self, site: Site, plan: Plan, policies: bool = True) -> None:
        self.site, self.plan = site, plan
        self.specs: dict[tuple[str, bool], list[SaSpec]] = {}
        self.policies: dict[tuple[str, Direction], PolicySpec] = {}
        a, b = site.a, site.b
        if policies:
            self.add_policies(a, b)
            self.add_policies(b, a)
        self.add_sas(a, b)
        self.add_sas(b, a)

    def selector(self, one: Host) -> Selector:
        """The traffic from ``one``."""
        a, b, plan = self.site.a, self.site.b, self.plan
        ends = (a.inner[plan.inner], b.inner[plan.inner])
        if plan.mode is TRANSPORT:
            ends = (a.outer[plan.outer], b.outer[plan.outer])
        found = plan.selector or Selector(ip_network(ends[0]), ip_network(ends[1]))
        return found if one is a else found.reversed()

    def add_policies(self, one: Host, other: Host) -> None:
        first, *more = bundle_order(sa.protocol for sa in self.plan.sas)
        ends = one.outer[self.plan.outer], other.outer[self.plan.outer]
        for direction, traffic, (src, dst) in (
            (Direction.OUT, self.selector(one), ends),
            (Direction.IN, self.selector(other), ends[::-1]),
        ):
            spec = PolicySpec(direction, traffic, Action.IPSEC, first, self.plan.mode, src, dst,
                              REQID, tuple(more))  # fmt: skip
            self.policies[one.name, direction] = spec
            assert ok(one.app.add_policy(spec)) > 0

    def add_sas(self, receiver: Host, sender: Host) -> None:
        """What ``sender`` sends with and ``receiver`` receives with."""
        src, dst = sender.outer[self.plan.outer], receiver.outer[self.plan.outer]
        innermost = bundle_order(sa.protocol for sa in self.plan.sas)[0]
        incoming, outgoing = [], []
        for sa in self.plan.sas:
            request = SpiRequest(sa.protocol, src, dst, self.plan.mode, REQID)
            mode = self.plan.mode if sa.protocol is innermost else TRANSPORT
            sizes = key_octets(sa.protocol, sa.transform, sa.key_bits, sa.auth)
            keys = [bytes(range(16, 16 + size)) for size in sizes]
            spec = SaSpec(
                sa.protocol, ok(receiver.app.get_spi(request)), src, dst, mode, True,
                (self.selector(sender),), REQID, sa.transform, keys[0], sa.auth, keys[1],
                **(self.plan.more or {}),
            )  # fmt: skip
            ok(receiver.app.update_sa(spec))
            incoming.append(spec)
            outgoing.append(spec._replace(inbound=False))
            ok(sender.app.add_sa(outgoing[-1]))
        self.specs[receiver.name, True] = incoming
        self.specs[sender.name, False] = outgoing

    def name(self, host: Host, inbound: bool, which: int = 0) -> SaId:
        spec = self.specs[host.name, inbound][which]
        return SaId(spec.protocol, spec.spi, spec.src, spec.dst)

    def carry(self, count: int = 3, size: int = 64, ports: tuple[int, int] = (4000, 5000),
              expect: int | None = None) -> list[Seen]:  # fmt: skip
        """Datagrams from a to b and back; what the wire saw of them."""
        plan = self.plan
        kind = "outer" if plan.mode is TRANSPORT else "inner"
        version = plan.outer if plan.mode is TRANSPORT else plan.inner
        self.site.wire()
        with ExitStack() as stack:
            ours = stack.enter_context(
                self.site.a.udp(getattr(self.site.a, kind)[version], ports[0])
            )
            theirs = stack.enter_context(
                self.site.b.udp(getattr(self.site.b, kind)[version], ports[1])
            )
            back = self.site.echo(ours, theirs, count, size)
        assert back == (count if expect is None else expect), f"{back} of {count} came back"
        return self.site.wire()


def protocols(seen: Sequence[Seen]) -> set[int]:
    return {packet.protocol for packet in seen}


# --- cases -----------------------------------------------------------------------------------


def in_clear(site: Site) -> None:
    """Without policies traffic passes in clear, so the wire is read rightly."""
    tunnel = Tunnel(site, Plan(), policies=False)
    assert protocols(tunnel.carry()) == {UDP}


def carried(plan: Plan, size: int = 64) -> Callable[[Site], None]:
    """Traffic of a plan passes, as the outermost protocol alone, and is counted."""

    def case(site: Site) -> None:
        tunnel = Tunnel(site, plan)
        outermost = bundle_order(sa.protocol for sa in plan.sas)[-1]
        assert protocols(tunnel.carry(3, size)) == {NUMBERS[outermost]}
        for host in (site.a, site.b):
            for inbound in (True, False):
                usage = ok(host.app.usage(tunnel.name(host, inbound)))
                # Between hosts with IPv6, neighbour discovery is part of the traffic.
                assert usage.packets == 3 or plan.outer == V6 and usage.packets > 3, usage
                assert usage.octets > 0
                assert 0 <= (usage.idle_s or 0) <= usage.age_s < 60

    return case


def compressed(site: Site) -> None:
    """What can be compressed is, what is too short goes without IPComp and is taken as well."""
    tunnel = Tunnel(site, Plan((COMP, CBC)))
    long, short = tunnel.carry(2, 1200), tunnel.carry(2, 20)
    assert protocols(long) == protocols(short) == {50}
    assert max(len(packet.payload) for packet in long) < 300
    for host in (site.a, site.b):
        assert ok(host.app.usage(tunnel.name(host, True, 1))).packets == 4


def forwarded(site: Site) -> None:
    """Traffic for a client behind b comes out of the tunnel there."""
    traffic = Selector.of("10.10.1.0/24", "10.10.3.0/24")
    tunnel = Tunnel(site, Plan(selector=traffic))
    sh("ip netns exec c ping -q -c1 -W2 10.10.3.1")
    with site.a.udp(site.a.inner[V4], 4000) as ours:
        with inside("c"):
            theirs = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with theirs:
            theirs.bind(("10.10.3.2", 5000))
            theirs.settimeout(1.0)
            site.wire()
            assert site.echo(ours, theirs, 3) == 3
    assert protocols(site.wire()) == {50}
    assert ok(site.b.app.usage(tunnel.name(site.b, True))).packets == 3


def port_range(site: Site) -> None:
    """Ports within the range go through the tunnel, others in clear."""
    traffic = Selector(ip_network("10.10.1.1"), ip_network("10.10.2.1"), UDP,
                       dst_port=5000, dst_last=5010)  # fmt: skip
    tunnel = Tunnel(site, Plan(selector=traffic))
    for port, expected in ((5000, 50), (5007, 50), (5010, 50), (4999, UDP), (5011, UDP)):
        assert protocols(tunnel.carry(1, ports=(4000, port))) == {expected}, port


def more_specific(site: Site) -> None:
    """A bypass for one port of what is protected, installed first or last, is taken for it."""
    narrow = Selector(ip_network("10.10.1.1"), ip_network("10.10.2.1"), UDP, dst_port=5000)
    for host, direction, traffic in (
        (site.a, Direction.OUT, narrow), (site.a, Direction.IN, narrow.reversed()),
        (site.b, Direction.IN, narrow), (site.b, Direction.OUT, narrow.reversed()),
    ):  # fmt: skip
        ok(host.app.add_policy(PolicySpec(direction, traffic, Action.BYPASS)))
    tunnel = Tunnel(site, Plan())
    assert protocols(tunnel.carry()) == {UDP}
    assert protocols(tunnel.carry(ports=(4000, 5001))) == {50}
    ok(site.a.app.add_policy(PolicySpec(Direction.OUT, narrow, Action.DISCARD)))
    assert not tunnel.carry(1, expect=0)


def replays_and_forgeries(site: Site) -> None:
    """A packet that comes again and one that was changed are counted, not delivered."""
    tunnel = Tunnel(site, Plan())
    seen = [p for p in tunnel.carry(2) if p.protocol == 50]
    spi = tunnel.name(site.b, True).spi.to_bytes(4, "big")
    to_b = next(p for p in seen if p.payload.startswith(spi))
    site.inject(to_b.frame)
    forged = bytearray(to_b.frame)
    forged[-1] ^= 1
    at = bytes(forged).index(spi)
    forged[at + 4 : at + 8] = (1000).to_bytes(4, "big")
    site.inject(bytes(forged))
    usage = ok(site.b.app.usage(tunnel.name(site.b, True)))
    assert (usage.packets, usage.replays, usage.auth_failures) == (2, 1, 1), usage


def encapsulated(version: int, mode: ipsec.Encapsulation) -> Callable[[Site], None]:
    """ESP in UDP between the daemons' own sockets, which still hear IKE."""

    def case(site: Site) -> None:
        with ExitStack() as stack:
            socks = []
            for host in (site.a, site.b):
                sock = stack.enter_context(host.udp(host.outer[version], 4500))
                host.app.own_socket(sock, True)
                assert not host.said, host.said
                socks.append(sock)
            ours, theirs = socks
            plan = Plan(mode=mode, outer=version, more={"encap": (4500, 4500)})
            seen = Tunnel(site, plan).carry()
            assert protocols(seen) == {UDP}
            assert {packet.udp_ports for packet in seen} == {(4500, 4500)}
            assert all(packet.payload[8:12] != bytes(4) for packet in seen)
            ours.sendto(bytes(4) + b"IKE", theirs.getsockname()[:2])
            assert theirs.recv(100) == bytes(4) + b"IKE"

    return case


def ike_passes(site: Site) -> None:
    """Where all traffic of two hosts is protected, a socket of the daemon sends in clear."""
    Tunnel(site, Plan(mode=TRANSPORT))
    with site.a.udp(site.a.outer[V4], 500) as ours, site.b.udp(site.b.outer[V4], 500) as theirs:
        for host, sock in ((site.a, ours), (site.b, theirs)):
            host.app.own_socket(sock, False)
        site.wire()
        assert site.echo(ours, theirs, 2) == 2
    assert protocols(site.wire()) == {UDP}


def expiry(limits: Limits, count: int, wait_s: float) -> Callable[[Site], None]:
    """Soft, then hard; after that the SA is gone."""

    def case(site: Site) -> None:
        tunnel = Tunnel(site, Plan(more={"limits": limits}))
        for _ in range(count):
            with site.a.udp(site.a.inner[V4], 4000) as sock, suppress(OSError):
                sock.sendto(bytes(100), ("10.10.2.1", 5000))
        heard, name = site.a.heard, tunnel.name(site.a, False)
        site.run(wait_s, lambda: [e for e in heard.expires if e.hard and e.sa == name])
        assert [e.hard for e in heard.expires if e.sa == name] == [False, True], heard.expires
        assert site.a.app.usage(name).error is not None

    return case


def larval_expiry(site: Site) -> None:
    """An SPI that nobody completed ends without a word, and can be completed all the same."""
    sh("ip netns exec b sysctl -qw net.core.xfrm_acq_expires=1")
    request = SpiRequest(ESP, site.a.outer[V4], site.b.outer[V4], TUNNEL, REQID)
    spi = ok(site.b.app.get_spi(request))
    site.run(4, lambda: site.b.app.counters["expiry of an unknown SA"])
    sh("ip netns exec b sysctl -qw net.core.xfrm_acq_expires=30")
    assert not site.b.heard.expires
    traffic = Selector.of("10.10.1.1", "10.10.2.1")
    spec = SaSpec(ESP, spi, request.src, request.dst, TUNNEL, True, (traffic,), REQID,
                  E.AES_GCM_16, bytes(20))  # fmt: skip
    ok(site.b.app.update_sa(spec))
    assert ok(site.b.app.usage(SaId(ESP, spi, request.src, request.dst))).packets == 0


def acquired(site: Site) -> None:
    """A packet without an SA asks for one, names itself, and goes once there is one."""
    tunnel = Tunnel(site, Plan(), policies=False)
    old = tunnel.name(site.a, False)
    ok(site.a.app.delete_sa(old))
    tunnel.add_policies(site.a, site.b)
    tunnel.add_policies(site.b, site.a)
    with site.a.udp(site.a.inner[V4], 4321) as sock, suppress(OSError):
        sock.sendto(b"first", ("10.10.2.1", 5000))
    assert site.run(3, lambda: site.a.heard.acquires)
    (event,) = site.a.heard.acquires
    assert event.reqid == REQID
    assert (event.src, event.dst) == (site.a.outer[V4], site.b.outer[V4])
    wanted = Selector(ip_network("10.10.1.1"), ip_network("10.10.2.1"), UDP, 4321, 5000)
    assert event.selector == wanted, event
    ok(site.a.app.add_sa(tunnel.specs["a", False][0]))
    assert protocols(tunnel.carry()) == {50}
    assert not site.a.heard.acquires[1:]


def mapped(site: Site) -> None:
    """b learns that a's packets come from another port, moves its SAs, and answers there."""
    with ExitStack() as stack:
        for host, port in ((site.a, 4500), (site.a, 4777), (site.b, 4500)):
            sock = stack.enter_context(host.udp(host.outer[V4], port))
            host.app.own_socket(sock, True)
        tunnel = Tunnel(site, Plan(more={"encap": (4500, 4500)}))
        tunnel.carry(2)
        for inbound in (False, True):
            (old,) = tunnel.specs["a", inbound]
            encap = (4500, 4777) if inbound else (4777, 4500)
            ok(site.a.app.move_sa(old, old._replace(encap=encap)))
        tunnel.carry(1)
        assert site.run(3, lambda: site.b.heard.mappings)
        event = site.b.heard.mappings[0]
        assert event.sa == tunnel.name(site.b, True)
        assert (event.address, event.port) == (site.a.outer[V4], 4777)
        for inbound in (False, True):
            (old,) = tunnel.specs["b", inbound]
            encap = (4777, 4500) if inbound else (4500, 4777)
            ok(site.b.app.move_sa(old, old._replace(encap=encap)))
        assert {p.udp_ports for p in tunnel.carry(2)} == {(4777, 4500), (4500, 4777)}


MOVED = "10.1.0.3"


def _move(site: Site) -> None:
    """b's address becomes another."""
    site.b.ip(f"addr add {MOVED}/24 dev vb")
    site.b.ip("addr del 10.1.0.2/24 dev vb")
    site.b.ip(f"addr replace {MOVED}/24 dev vb")
    site.b.ip("route replace 10.10.0.0/16 via 10.1.0.1 src 10.10.2.1")
    site.a.ip(f"route replace 10.10.0.0/16 via {MOVED} src 10.10.1.1")


def _move_back(site: Site) -> None:
    site.b.ip("addr add 10.1.0.2/24 dev vb")
    site.b.ip(f"addr del {MOVED}/24 dev vb")
    site.b.ip("addr replace 10.1.0.2/24 dev vb")
    site.b.ip("route replace 10.10.0.0/16 via 10.1.0.1 src 10.10.2.1")
    site.a.ip("route replace 10.10.0.0/16 via 10.1.0.2 src 10.10.1.1")


def _check_moved(site: Site, tunnel: Tunnel, before: dict[str, Any]) -> None:
    """Traffic goes on at the new ends, with sequence numbers and counters as they were."""
    seen = tunnel.carry(2)
    assert protocols(seen) == {50}
    numbers = [int.from_bytes(p.payload[4:8], "big") for p in seen]
    assert sorted(numbers) == [4, 4, 5, 5], numbers
    for host in (site.a, site.b):
        usage = ok(host.app.usage(before[host.name]))
        assert usage.packets == 5, usage


def moved(site: Site, more: dict[str, Any] | None = None) -> None:
    """move_sa and policies of the new ends."""
    tunnel = Tunnel(site, Plan(more=more))
    tunnel.carry(3)
    _move(site)
    try:
        new, old = ip_address(MOVED), site.b.outer[V4]
        names = {}
        for host in (site.a, site.b):
            for inbound in (True, False):
                (spec,) = tunnel.specs[host.name, inbound]
                there = spec._replace(src=new if spec.src == old else spec.src,
                                dst=new if spec.dst == old else spec.dst)  # fmt: skip
                ok(host.app.move_sa(spec, there))
                if inbound:
                    names[host.name] = SaId(ESP, there.spi, there.src, there.dst)
            for direction in Direction:
                policy = tunnel.policies[host.name, direction]
                ok(host.app.add_policy(
                    policy._replace(src=new if policy.src == old else policy.src,
                            dst=new if policy.dst == old else policy.dst)
                ))  # fmt: skip
        _check_moved(site, tunnel, names)
    finally:
        _move_back(site)


def moved_wide(site: Site) -> None:
    """The same with extended sequence numbers."""
    moved(site, {"esn": True, "replay_window": 128})


def migrated(site: Site) -> None:
    """migrate moves policies and SAs at once."""
    tunnel = Tunnel(site, Plan())
    tunnel.carry(3)
    _move(site)
    try:
        new, old = ip_address(MOVED), site.b.outer[V4]
        names = {}
        for host in (site.a, site.b):
            for direction in Direction:
                policy = tunnel.policies[host.name, direction]
                assert policy.src and policy.dst
                src = new if policy.src == old else policy.src
                dst = new if policy.dst == old else policy.dst
                ok(host.app.migrate(policy, src, dst))
            name = tunnel.name(host, True)
            src = new if name.src == old else name.src
            names[host.name] = name._replace(src=src, dst=new if name.dst == old else name.dst)
        _check_moved(site, tunnel, names)
    finally:
        _move_back(site)


FOREIGN = "src 10.1.0.1 dst 10.1.0.9 proto esp spi 0x99 reqid 5 mode tunnel"
FOREIGN_KEY = "aead 'rfc4106(gcm(aes))' 0x" + "11" * 20 + " 128"


def others_are_left_alone(site: Site) -> None:
    """A restart takes away what is ours, and nothing else; nothing of others' is replaced."""
    site.a.ip(f"xfrm state add {FOREIGN} {FOREIGN_KEY}")
    site.a.ip("xfrm policy add dir out src 10.9.9.0/24 dst 10.8.8.0/24 "
              "tmpl src 10.1.0.1 dst 10.1.0.9 proto esp reqid 5 mode tunnel")  # fmt: skip
    Tunnel(site, Plan())
    taken = PolicySpec(Direction.OUT, Selector.of("10.9.9.0/24", "10.8.8.0/24"), Action.DISCARD)
    assert site.a.app.add_policy(taken).error is not None
    ok(site.a.app.delete_policy(taken))
    site.a.begin()  # as after a crash: nothing was closed
    assert "10.10.1.1" in site.a.ip("xfrm policy"), "nothing goes in clear before ours are there"
    site.a.app.sweep()
    assert any("earlier isakmpd" in line for line in site.a.said), site.a.said
    for what, kept in (("state", "spi 0x00000099"), ("policy", "src 10.9.9.0/24")):
        left = site.a.ip(f"xfrm {what}")
        assert kept in left
        assert left.count("\nsrc ") == 0, left
    site.a.ip("xfrm state flush")
    site.a.ip("xfrm policy flush")


def supports(site: Site) -> None:
    """The kernel is asked; the SA of the question is gone afterwards."""
    app = site.a.app
    assert app.supports(ESP, TUNNEL, E.AES_GCM_16, 256, None, True) == ""
    assert app.supports(ESP, TRANSPORT, E.AES, 192, A.HMAC_SHA2_512, False) == ""
    assert app.supports(AH, TUNNEL, ipsec.Ah.SHA, 0, A.HMAC_SHA, False) == ""
    assert app.supports(IPCOMP, TUNNEL, ipsec.Ipcomp.DEFLATE, 0, None, False) == ""
    assert "key length" in app.supports(ESP, TUNNEL, E.SEED_CBC, 128, A.HMAC_SHA, False)
    assert app.supports(IPCOMP, TUNNEL, ipsec.Ipcomp.LZS, 0, None, False)
    assert app.supports(ESP, TUNNEL, E.AES_GCM_16, 136, None, False)
    assert site.a.ip("xfrm state") == ""


def events_lost(site: Site) -> None:
    """After an overrun: SAs that are gone, packets that wait, policies that are missing."""
    tunnel = Tunnel(site, Plan())
    name = tunnel.name(site.a, True)
    site.a.ip(f"xfrm state delete src {name.src} dst {name.dst} proto esp spi {name.spi}")
    site.a.ip("xfrm policy delete dir in src 10.10.2.1/32 dst 10.10.1.1/32")
    ok(site.a.app.delete_sa(tunnel.name(site.a, False)))
    with site.a.udp(site.a.inner[V4], 4321) as sock, suppress(OSError):
        sock.sendto(b"first", ("10.10.2.1", 5000))
    site.run(1, lambda: site.a.heard.acquires)
    site.a.heard.acquires.clear()
    site.a.app.overrun()
    site.run(3, lambda: site.a.heard.expires and site.a.heard.acquires)
    assert [(e.sa, e.hard) for e in site.a.heard.expires] == [(name, True)]
    assert [e.reqid for e in site.a.heard.acquires] == [REQID]
    assert "dir in" in site.a.ip("xfrm policy")


def _algorithms() -> dict[str, Callable[[Site], None]]:
    found = {}
    for transform, bits in (
        (E.AES_GCM_16, 128), (E.AES_GCM_16, 256), (E.AES_GCM_12, 128), (E.AES_GCM_8, 192),
        (E.AES_CCM_16, 128), (E.AES_CCM_8, 256), (E.NULL_AES_GMAC, 128),
        (E.CHACHA20_POLY1305, 0),
    ):  # fmt: skip
        found[f"{transform.name}-{bits}"] = carried(Plan((Sa(ESP, transform, bits),)))
    for transform, bits, auth in (
        (E.AES, 128, A.HMAC_SHA2_256), (E.AES, 256, A.HMAC_SHA2_384),
        (E.AES, 192, A.HMAC_SHA2_512), (E.AES, 128, A.HMAC_SHA), (E.AES, 128, A.AES_XCBC_MAC),
        (E.AES, 128, A.HMAC_MD5), (E.AES_CTR, 128, A.HMAC_SHA2_256),
        (E.AES_CTR, 256, A.HMAC_SHA2_256), (E._3DES, 0, A.HMAC_SHA),
        (E.CAMELLIA, 128, A.HMAC_SHA2_256), (E.NULL, 0, A.HMAC_SHA2_256),
    ):  # fmt: skip
        name = f"{transform.name}-{bits} {auth.name}"
        found[name] = carried(Plan((Sa(ESP, transform, bits, auth),)))
    return found


CASES: dict[str, Callable[[Site], None]] = {
    "in clear": in_clear,
    **_algorithms(),
    "transport v4": carried(Plan((CBC,), TRANSPORT)),
    "transport v6": carried(Plan((CBC,), TRANSPORT, V6)),
    "v6 in v6": carried(Plan(outer=V6, inner=V6)),
    "v6 in v4": carried(Plan(outer=V4, inner=V6)),
    "v4 in v6": carried(Plan(outer=V6, inner=V4)),
    "ESN": carried(Plan(more={"esn": True})),
    "ESN CBC, window 256": carried(Plan((CBC,), more={"esn": True, "replay_window": 256})),
    "window 32": carried(Plan(more={"replay_window": 32})),
    "window 1024": carried(Plan(more={"replay_window": 1024})),
    "no window": carried(Plan(more={"replay_window": 0})),
    "AH transport": carried(Plan((AUTH,), TRANSPORT)),
    "AH tunnel": carried(Plan((AUTH,))),
    "AH transport v6": carried(Plan((AUTH,), TRANSPORT, V6)),
    "AH and ESP": carried(Plan((CBC, AUTH))),
    "AH and ESP transport": carried(Plan((AUTH, CBC), TRANSPORT)),
    "IPComp and ESP": carried(Plan((COMP, CBC)), 1000),
    "IPComp and ESP transport": carried(Plan((CBC, COMP), TRANSPORT), 1000),
    "IPComp, ESP and AH": carried(Plan((COMP, CBC, AUTH)), 1000),
    "IPComp of short packets": compressed,
    "ESP in UDP": encapsulated(V4, TUNNEL),
    "ESP in UDP transport": encapsulated(V4, TRANSPORT),
    "ESP in UDP v6": encapsulated(V6, TUNNEL),
    "IKE passes": ike_passes,
    "forwarded": forwarded,
    "port range": port_range,
    "more specific": more_specific,
    "replays and forgeries": replays_and_forgeries,
    "expiry by time": expiry(Limits(soft_s=2, hard_s=4), 0, 8),
    "expiry by packets": expiry(Limits(soft_packets=2, hard_packets=4), 6, 3),
    "expiry by octets": expiry(Limits(soft_bytes=200, hard_bytes=500), 6, 3),
    "larval expiry": larval_expiry,
    "acquire": acquired,
    "mapping": mapped,
    "move": moved,
    "move with ESN": moved_wide,
    "migrate": migrated,
    "others": others_are_left_alone,
    "supports": supports,
    "events lost": events_lost,
}


def main(names: Sequence[str]) -> int:
    """Run the cases of those names, or all; 1 where one failed."""
    site, failed = Site(), 0
    for name, case in CASES.items():
        if names and name not in names:
            continue
        begun, why = time.monotonic(), ""
        try:
            site.renew()
            case(site)
        except Exception:
            why, failed = traceback.format_exc(), failed + 1
        line = {"case": name, "why": why, "seconds": round(time.monotonic() - begun, 2)}
        print(json.dumps(line), flush=True)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
