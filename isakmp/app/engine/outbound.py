"""Clear packets to ESP packets: policy, SA, size, protection (RFC 4301 5.1)."""

from __future__ import annotations

import errno
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from isakmp.app.base import Acquire, Action, Direction, PolicySpec, Upcalls
from isakmp.app.engine.base import Netif, Wire
from isakmp.app.engine.drop import Drop, Dropped, Drops
from isakmp.app.engine.esp import Sealer
from isakmp.app.engine.icmp import LEAST_V6, too_big
from isakmp.app.engine.packet import (
    FRAGMENT,
    HOP_BY_HOP,
    IPIP,
    IPV4_HEADER,
    IPV6,
    IPV6_HEADER,
    ROUTING,
    flow_key,
    parse,
)
from isakmp.app.engine.sad import OutboundSa, Sad
from isakmp.app.engine.spd import Policy, Spd
from isakmp.app.engine.transform import bind
from isakmp.event.timer import Event, Timers
from isakmp.policy.spd import Address, make_network

MOST_FLOWS = 8192
ACQUIRE_EVERY_S = 5.0
HELD_S = 30.0
HELD_PER_POLICY = 16
HELD_IN_ALL = 512
MTU_AGE_S = 60.0
_LEFT_AT_SOFT = 1 << 24  # sequence numbers that are left when a rekey is asked for
_PLATEAU = 1280  # where EMSGSIZE came and nobody knows what fits
_OUTSIDE_ESP = frozenset({HOP_BY_HOP, ROUTING, FRAGMENT})


class Outbound:
    """The way out. It remembers the SAs of flows: forget() when policies change, forget_reqid()
    when SAs do."""

    def __init__(
        self,
        timers: Timers,
        random: Callable[[int], bytes],
        sad: Sad,
        spd: Spd,
        wire: Wire,
        netif: Netif,
        upcalls: Upcalls,
        drops: Drops,
    ) -> None:
        self._timers, self._now = timers, timers.now
        self._random, self._sad, self._spd = random, sad, spd
        self._wire, self._netif, self._upcalls, self._drops = wire, netif, upcalls, drops
        self._flows: dict[bytes, OutboundSa] = {}
        self._keys: dict[int, list[bytes]] = {}  # of the flows, by reqid
        self._waiting: dict[int, Policy] = {}  # policies with packets held, by id
        self._held = 0
        self._stale: Event | None = None

    def forget(self) -> None:
        """Look everything up anew."""
        self._flows.clear()
        self._keys.clear()

    def forget_reqid(self, reqid: int) -> None:
        """Look the flows of one kind of SA up anew."""
        for key in self._keys.pop(reqid, ()):
            self._flows.pop(key, None)

    def packet_out(self, packet: bytes) -> None:
        """Take a packet from the host. Never raises, whatever it is."""
        key = flow_key(packet)
        sa = self._flows.get(key)
        try:
            if sa is None:
                sa = self._look_up(packet, key)
            if sa is not None:
                self._protect(sa, packet)
        except Dropped as dropped:
            self._drops(dropped.kind)

    def _look_up(self, packet: bytes, key: bytes) -> OutboundSa | None:
        """The SA for a packet; None where it has been dealt with otherwise."""
        headers = parse(packet)
        if headers is None or headers.length != len(packet):
            raise Dropped(Drop.MALFORMED)
        policy = self._spd.match(Direction.OUT, headers)
        if policy is None and (headers.dst.is_multicast or headers.dst.is_link_local):
            raise Dropped(Drop.NO_POLICY)  # the kernel's own talk on the device's link
        if policy is None or policy.spec.action is Action.BYPASS:
            self._forward(packet, headers.dst)
            return None
        if policy.spec.action is Action.DISCARD:
            raise Dropped(Drop.DISCARD)
        if headers.later_fragment and policy.spec.selector.has_ports:
            raise Dropped(Drop.FRAGMENT)  # RFC 4301 7: it must not slip past by another policy
        if headers.fragment and not policy.tunnel:
            raise Dropped(Drop.FRAGMENT)  # RFC 4303 3.3.4: ESP goes around whole datagrams
        sa = self._sad.newest(policy, headers)
        if sa is None:
            self._hold(policy, packet)
        elif key:
            if len(self._flows) >= MOST_FLOWS:
                self.forget()
            self._flows[key] = sa
            self._keys.setdefault(sa.spec.reqid, []).append(key)
        return sa

    def _forward(self, packet: bytes, dst: Address) -> None:
        try:
            self._wire.forward(packet, dst)
        except OSError:
            self._drops(Drop.SEND)

    def _protect(self, sa: OutboundSa, packet: bytes) -> None:
        """Send a packet with its SA."""
        first = packet[0]
        v4 = first < 0x60
        size = len(packet)
        rigid = not v4 or packet[6] & 0x40 != 0
        if size > sa.limit and not self._fits(sa, packet):
            rigid = False
        if sa.tunnel:
            next_header, payload = IPIP if v4 else IPV6, packet
        else:
            next_header, payload = _transport_payload(packet)
        tos = packet[1] if v4 else (first & 15) << 4 | packet[1] >> 4
        try:
            sa.send(sa.seal(payload, next_header), rigid, tos)
        except OSError as error:
            self._send_failed(sa, packet, rigid, error)
        except Dropped:
            self._sad.expire(sa, hard=True)
            raise
        self._count(sa, size)

    def _count(self, sa: OutboundSa, size: int) -> None:
        sa.packets += 1
        sa.octets += size
        sa.used = self._now()
        if sa.octets >= sa.mark or sa.packets >= sa.packets_mark:
            self._sad.reached(sa)
        if not sa.packets & 0xFFFF and sa.seal.left < _LEFT_AT_SOFT:
            self._sad.expire(sa, hard=False)

    def _fits(self, sa: OutboundSa, packet: bytes) -> bool:
        """Whether a large packet fits after all; False: it goes out to be fragmented.

        Dropped, and the sender told, where it does not and must not be fragmented.
        """
        if self._now() - sa.limit_at > MTU_AGE_S:
            self.measure(sa)
            if len(packet) <= sa.limit:
                return True
        if packet[0] >> 4 == 4 and not packet[6] & 0x40:
            return False
        if packet[0] >> 4 == 6 and len(packet) <= LEAST_V6:
            return False  # nobody may be told less than 1280 (RFC 8200 5)
        self._tell_too_big(sa, packet)
        raise Dropped(Drop.TOO_BIG)

    def _tell_too_big(self, sa: OutboundSa, packet: bytes) -> None:
        headers = parse(packet)
        error = too_big(packet, headers, sa.limit) if headers else None
        if error:
            try:
                self._netif.deliver(error)
            except OSError:
                self._drops(Drop.DELIVER)

    def measure(self, sa: OutboundSa) -> None:
        """Find the path of an SA, ask what it takes, and work out what a clear packet may have."""
        spec = sa.spec
        if not sa.begun:
            sa.seal = Sealer(bind(spec, self._random), spec.esn, sa.sequence)
            self._sad.rest.woken(sa)
        sa.send = self._wire.path(spec.src, spec.dst, spec.encap)
        sa.limit_at = self._now()
        sa.limit = self._room(sa, self._wire.path_mtu(spec.src, spec.dst))

    @staticmethod
    def _room(sa: OutboundSa, mtu: int) -> int:
        """The largest clear packet for a path of ``mtu``."""
        spec = sa.spec
        header = IPV4_HEADER if spec.dst.version == 4 else IPV6_HEADER
        room = sa.seal.room(mtu - header - (8 if spec.encap else 0))
        return room if sa.tunnel else room + header

    def _send_failed(self, sa: OutboundSa, packet: bytes, rigid: bool, error: OSError) -> None:
        """Learn of a smaller path; tell the sender where it must do something about it."""
        if error.errno != errno.EMSGSIZE:
            raise Dropped(Drop.SEND) from None
        self.measure(sa)
        if len(packet) <= sa.limit:
            sa.limit = min(len(packet) - 1, self._room(sa, _PLATEAU))
        if rigid:
            self._tell_too_big(sa, packet)
        raise Dropped(Drop.TOO_BIG) from None

    def _hold(self, policy: Policy, packet: bytes) -> None:
        """Keep a packet until its SA comes, and ask for the SA."""
        now = self._now()
        if policy.spec.dst is None:
            raise Dropped(Drop.NO_SA)
        self._keep(policy, packet, now)
        if policy.asked_at is None or now - policy.asked_at >= ACQUIRE_EVERY_S:
            policy.asked_at = now
            self._upcalls.acquire(_acquire(policy, policy.spec.dst, packet))

    def _keep(self, policy: Policy, packet: bytes, now: float) -> None:
        """Put a packet with those that wait; of one policy the oldest make room."""
        held = policy.held = policy.held or []
        if len(held) >= HELD_PER_POLICY:
            del held[0]
            self._held -= 1
            self._drops(Drop.HELD_FULL)
        if self._held >= HELD_IN_ALL:
            self._drop_stale(now)
        if self._held >= HELD_IN_ALL:
            self._drops(Drop.HELD_FULL)
            return
        held.append((now, packet))
        self._held += 1
        self._waiting[policy.id] = policy
        self._watch_held()

    def _watch_held(self) -> None:
        if self._waiting and self._stale is None:
            self._stale = self._timers.add("held packets", HELD_S, self._look_for_stale)

    def _look_for_stale(self) -> None:
        self._stale = None
        self._drop_stale(self._now())
        self._watch_held()

    def _drop_stale(self, now: float) -> None:
        """Give up packets whose SA has not come."""
        for policy in list(self._waiting.values()):
            while policy.held and now - policy.held[0][0] >= HELD_S:
                del policy.held[0]
                self._held -= 1
                self._drops(Drop.HELD_EXPIRED)
            if not policy.held:
                del self._waiting[policy.id]

    def drop_held(self, policy: Policy) -> None:
        """Nothing waits for a policy's SA any more."""
        if self._waiting.pop(policy.id, None):
            self._held -= len(policy.held or ())
            policy.held = None

    def keep_held(self, policy: Policy) -> None:
        """A policy has replaced another: what waited goes on waiting, for the new one's SA, which
        may be there already."""
        if policy.id in self._waiting:
            self._waiting[policy.id] = policy
            if self._sad.has(policy.spec.reqid):
                self.send_held(policy.spec.reqid)

    def match_held(self, policy: Policy) -> None:
        """A policy has come: what waits for the SA of a wider one may be its traffic."""
        self._drop_stale(self._now())
        for other in [p for p in self._waiting.values() if _overlap(p.spec, policy.spec)]:
            held = other.held or []
            self.drop_held(other)
            for then, packet in held:
                headers = parse(packet)
                if headers is not None and self._spd.match(Direction.OUT, headers) is policy:
                    self.packet_out(packet)
                else:
                    self._keep(other, packet, then)

    def send_held(self, reqid: int) -> None:
        """An SA has come: what waited for one of its kind is sent, if this is the one."""
        if not self._waiting:
            return
        self._drop_stale(self._now())
        for policy in list(self._waiting.values()):
            if policy.spec.reqid == reqid:
                packets = [packet for _, packet in policy.held or ()]
                self.drop_held(policy)
                for packet in packets:
                    self.packet_out(packet)


def _overlap(one: PolicySpec, other: PolicySpec) -> bool:
    """Whether two outbound policies have a destination in common, and are not the same."""
    same = one.direction is other.direction and one.selector != other.selector
    return same and one.selector.dst.overlaps(other.selector.dst)


def _acquire(policy: Policy, dst: Address, packet: bytes) -> Acquire:
    """For the packet's addresses: who is asked may want to know which of the policy's they are."""
    nowhere = IPv4Address(0) if dst.version == 4 else IPv6Address(0)
    spec, headers, selector = policy.spec, parse(packet), policy.spec.selector
    if headers is not None:
        selector = selector._replace(
            src=make_network(headers.src.packed, headers.src.max_prefixlen),
            dst=make_network(headers.dst.packed, headers.dst.max_prefixlen),
        )
    return Acquire(spec.reqid, selector, spec.src or nowhere, dst)


def _transport_payload(packet: bytes) -> tuple[int, bytes]:
    """Next header and what transport mode protects. Options of IPv4 are not carried."""
    if packet[0] >> 4 == 4:
        return packet[9], packet[(packet[0] & 15) * 4 :]
    if packet[6] in _OUTSIDE_ESP:
        raise Dropped(Drop.UNSUPPORTED)
    return packet[6], packet[IPV6_HEADER:]
