"""ESP packets to clear packets: SA, ICV, replay, selectors, delivery (RFC 4301 5.2)."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from isakmp.app.base import Action, Direction, Mapping, UnknownSpi, Upcalls
from isakmp.app.engine.base import Encap, Netif
from isakmp.app.engine.drop import Drop, Dropped, Drops
from isakmp.app.engine.esp import Opener
from isakmp.app.engine.packet import (
    IPIP,
    IPV6,
    NO_NEXT,
    Headers,
    build,
    fix_checksum,
    flow_key,
    parse,
    set_ce,
    without_padding,
)
from isakmp.app.engine.replay import Replay
from isakmp.app.engine.sad import InboundSa, Sad, sa_id
from isakmp.app.engine.spd import Spd, carries
from isakmp.app.engine.transform import bind
from isakmp.event.timer import Bucket, Timers
from isakmp.policy.spd import Address

MOST_ACCEPTED = 4096
# Packets for no SA that are reported, a second.
UNKNOWN_PER_S = 5
_HEADER = Struct(">II")
_CE = 3


class Inbound:
    """The way in."""

    def __init__(
        self,
        timers: Timers,
        random: Callable[[int], bytes],
        sad: Sad,
        spd: Spd,
        netif: Netif,
        upcalls: Upcalls,
        drops: Drops,
    ) -> None:
        self._now, self._random, self._sad, self._spd = timers.now, random, sad, spd
        self._deliver, self._upcalls, self._drops = netif.deliver, upcalls, drops
        self._by_spi = sad.inbound
        self._checked: set[InboundSa] = set()  # those with flows that passed
        self._may_report = Bucket(timers.now, UNKNOWN_PER_S).take

    def forget(self) -> None:
        """Check every flow anew: policies have changed."""
        for sa in self._checked:
            sa.forget_flows()
        self._checked.clear()

    def esp_in(
        self, packet: bytes, src: Address, dst: Address, encap: Encap | None = None, tos: int = 0
    ) -> None:
        """Take an ESP packet from the wire. Never raises, whatever it is.

        encap: UDP source and destination port it came with; tos: of its outer header.
        """
        if not 8 <= len(packet) <= 65535:
            self._drops(Drop.MALFORMED)
            return
        spi, low = _HEADER.unpack_from(packet)
        sa = self._by_spi.get(spi)
        if sa is None:
            self._without_sa(UnknownSpi(spi, src, dst, encap))
            return
        try:
            if (opener := sa.open) is None:
                opener = self._begin(sa)
            payload, next_header = opener(packet, low)
            if encap and sa.spec.encap:
                self._watch(sa, src, encap[0], opener.replay.top & 0xFFFFFFFF == low)
            clear = (
                self._from_tunnel(sa, payload, next_header, tos)
                if sa.tunnel
                else self._from_transport(sa, payload, next_header, src, dst, tos, encap)
            )
            self._deliver(clear)
        except Dropped as dropped:
            self._drops(dropped.kind)
            sa.failed(dropped.kind)
            return
        except OSError:
            self._drops(Drop.DELIVER)
            return
        sa.packets += 1
        sa.octets += len(clear)
        sa.used = self._now()
        if sa.octets >= sa.mark or sa.packets >= sa.packets_mark:
            self._sad.reached(sa)

    def _without_sa(self, event: UnknownSpi) -> None:
        """The peer has an SA that we have lost, or somebody guesses."""
        if self._sad.is_larval(event.spi):
            self._drops(Drop.LARVAL)
            return
        self._drops(Drop.NO_SA)
        if self._may_report():
            self._upcalls.unknown_spi(event)

    def _begin(self, sa: InboundSa) -> Opener:
        """What opens an SA's packets: the first one comes, or the next one after a rest."""
        spec = sa.spec
        transform = bind(spec, self._random)
        if sa.replay is None:
            # Without an ICV anybody could move the window (RFC 4303 3.4.3).
            sa.replay = Replay(spec.replay_window if transform.authentic else 0, spec.esn)
        sa.open = Opener(transform, sa.replay)
        self._sad.rest.woken(sa)
        return sa.open

    def _watch(self, sa: InboundSa, src: Address, port: int, newest: bool) -> None:
        """Report that the peer's packets come from elsewhere: the newest one decides.

        The packet is authentic; an old one, late or played again from elsewhere, says nothing.
        """
        spec = sa.spec
        if spec.encap is None or (src == spec.src and port == spec.encap[0]):
            sa.mapped = None
        elif sa.mapped != (src, port) and newest:
            sa.mapped = src, port
            self._upcalls.mapping(Mapping(sa_id(spec), src, port))

    def _from_tunnel(self, sa: InboundSa, inner: bytes, next_header: int, tos: int) -> bytes:
        """The inner packet, when it is what the SA is for."""
        key = flow_key(inner)
        if next_header == IPIP:
            known = (
                key in sa.accepted and inner[0] == 0x45 and (inner[2] << 8 | inner[3]) == len(inner)
            )
        elif next_header == IPV6:
            known = (
                key in sa.accepted
                and inner[0] >> 4 == 6
                and (inner[4] << 8 | inner[5]) + 40 == len(inner)
            )
        else:
            raise Dropped(Drop.DUMMY if next_header == NO_NEXT else Drop.NEXT_HEADER)
        if not known:
            inner = self._check_inner(sa, inner, 4 if next_header == IPIP else 6, key)
        return set_ce(inner) if tos & _CE == _CE else inner

    def _check_inner(self, sa: InboundSa, inner: bytes, version: int, key: bytes) -> bytes:
        """Match an inner packet of a flow not seen yet; traffic-flow padding is cut off."""
        headers = parse(inner)
        if headers is None or headers.version != version:
            raise Dropped(Drop.MALFORMED)
        if not carries(sa.spec.selectors, headers):
            raise Dropped(Drop.SELECTOR)
        self._check_policy(sa, headers)
        self._accept(sa, key)
        return inner[: headers.length] if headers.length < len(inner) else inner

    def _check_policy(self, sa: InboundSa, headers: Headers) -> None:
        """The policy that the clear packet meets must be the SA's (RFC 4301 5.2 step 4)."""
        policy = self._spd.match(Direction.IN, headers)
        if policy is None:
            return
        spec = policy.spec
        if (
            spec.action is not Action.IPSEC
            or spec.protocol != sa.spec.protocol
            or policy.tunnel != sa.tunnel
            or spec.reqid not in (0, sa.spec.reqid)
        ):
            raise Dropped(Drop.POLICY)

    def _accept(self, sa: InboundSa, key: bytes) -> None:
        """Remember a flow that passed."""
        if key:
            sa.accept(key, MOST_ACCEPTED)
            self._checked.add(sa)

    def discard(self, sa: InboundSa) -> None:
        """An SA goes, and what is remembered for it."""
        self._checked.discard(sa)

    def _from_transport(
        self,
        sa: InboundSa,
        payload: bytes,
        next_header: int,
        src: Address,
        dst: Address,
        tos: int,
        encap: Encap | None,
    ) -> bytes:
        """The packet as it was before transport mode, with the addresses it came with."""
        if next_header == NO_NEXT:
            raise Dropped(Drop.DUMMY)
        if src.version != dst.version:
            raise Dropped(Drop.MALFORMED)
        payload = without_padding(next_header, payload)
        if encap:
            payload = fix_checksum(src, dst, next_header, payload)
        clear = build(src, dst, next_header, payload, tos=tos)
        key = flow_key(clear)
        if key not in sa.accepted:
            headers = parse(clear)
            if headers is None:
                raise Dropped(Drop.MALFORMED)
            self._check_transport(sa, headers)
            self._accept(sa, key)
        return clear

    def _check_transport(self, sa: InboundSa, headers: Headers) -> None:
        """Match a packet of transport mode; a NAT, where there is one, has made other addresses of
        the selector's. UDP alone proves none: it may come without (RFC 7296 2.23).

        No ICV covers the outer addresses, so that what another SA has to protect is not this one's,
        unless both are behind one NAT.
        """
        selectors, seen = sa.spec.selectors, headers
        near, far = selectors[0].dst, selectors[0].src
        behind_nat = sa.spec.encap is not None
        if behind_nat:
            headers = headers._replace(src=far.network_address, dst=near.network_address)
        if not carries(selectors, headers):
            raise Dropped(Drop.SELECTOR)
        if not behind_nat or seen.src not in far:
            self._check_policy(sa, seen)
