"""The security association database: tables, counters and lifetimes (RFC 4301 4.4.2)."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Set
from functools import partial
from math import inf

from isakmp.app.base import Expire, SaId, SaSpec, SpiRequest, Upcalls, Usage
from isakmp.app.engine.base import Send
from isakmp.app.engine.clock import Clock
from isakmp.app.engine.drop import Drop
from isakmp.app.engine.esp import Opener, Sealer
from isakmp.app.engine.packet import Headers
from isakmp.app.engine.replay import Replay
from isakmp.app.engine.rest import Rest
from isakmp.app.engine.spd import Policy, carries, is_tunnel
from isakmp.errors import ApplicationError, NoSuchSa
from isakmp.event.timer import Event, Timers
from isakmp.policy.spd import Address

LEAST_SPI = 256  # RFC 4303 2.1: below are reserved
SPIS = range(LEAST_SPI, 2**32)
LARVAL_S = 30.0
MOST_LARVAL = 16384
_TRIES = 64
_NONE: Set[bytes] = frozenset()


def sa_id(spec: SaSpec) -> SaId:
    """The name of an SA."""
    return SaId(spec.protocol, spec.spi, spec.src, spec.dst)


class Sa:
    """What inbound and outbound SAs have in common. ``mark`` and ``packets_mark``: octets and
    packets at which limits are due; ``due``: the tick of the next limit in time, 0: none, and
    ``due_hard``: whether that one ends it.

    Most SAs carry nothing for long: what a packet needs is made for the first one.
    """

    __slots__ = (
        "due",
        "due_hard",
        "mark",
        "octets",
        "packets",
        "packets_mark",
        "since",
        "soft_told",
        "spec",
        "tunnel",
        "used",
    )

    def __init__(self, spec: SaSpec, now: float) -> None:
        self.spec = spec
        self.tunnel = is_tunnel(spec.mode)
        self.since = self.used = now
        self.packets = self.octets = 0
        self.due, self.due_hard = 0, False
        self.soft_told = False
        self.mark: float = inf
        self.packets_mark: float = inf
        self.set_mark()

    def set_mark(self) -> None:
        """Find the next limits in octets and in packets."""
        limits = self.spec.limits
        soft = inf if self.soft_told else limits.soft_bytes or inf
        self.mark = min(soft, limits.hard_bytes or inf)
        soft = inf if self.soft_told else limits.soft_packets or inf
        self.packets_mark = min(soft, limits.hard_packets or inf)

    def usage(self, now: float) -> Usage:
        """What it has carried."""
        return Usage(self.packets, self.octets, now - self.since, now - self.used)

    def has_keys_of(self, spec: SaSpec) -> bool:
        """Whether ``spec`` is this SA at other addresses."""
        own = self.spec
        return (
            (own.spi, own.encryption, own.auth, own.esn)
            == (spec.spi, spec.encryption, spec.auth, spec.esn)
            and hmac.compare_digest(own.enc_key, spec.enc_key)
            and hmac.compare_digest(own.auth_key, spec.auth_key)
        )


class InboundSa(Sa):
    """``accepted``: flow keys that passed its selector and the policies; ``failures``: packets that
    were no good, by kind; ``open``: None until a packet comes; ``replay``: until the first one."""

    __slots__ = ("accepted", "failures", "mapped", "open", "replay")

    def __init__(self, spec: SaSpec, now: float) -> None:
        super().__init__(spec, now)
        self.open: Opener | None = None
        self.replay: Replay | None = None
        self.accepted = _NONE
        self.failures: dict[Drop, int] | None = None
        self.mapped: tuple[Address, int] | None = None

    def accept(self, flow: bytes, most: int) -> None:
        """Remember a flow that passed; of more than ``most`` none is remembered."""
        known = self.accepted
        if not isinstance(known, set) or len(known) >= most:
            known = self.accepted = set()
        known.add(flow)

    def forget_flows(self) -> None:
        """Look at every flow anew."""
        self.accepted = _NONE

    def rest(self) -> None:
        """Give back what opens packets, but not what says which have come."""
        self.open = None
        self.forget_flows()

    def failed(self, kind: Drop) -> None:
        """Count a packet that was no good."""
        if self.failures is None:
            self.failures = {}
        self.failures[kind] = self.failures.get(kind, 0) + 1

    def usage(self, now: float) -> Usage:
        kinds = self.failures or {}
        replays, failures = kinds.get(Drop.REPLAY, 0), kinds.get(Drop.ICV, 0)
        age, idle = now - self.since, now - self.used
        return Usage(self.packets, self.octets, age, idle, replays, failures)


class OutboundSa(Sa):
    """``limit``: octets of the largest clear packet that fits the path, as of ``limit_at``.

    At first nothing fits: ``seal`` and ``send`` are there once the path has been measured.
    ``sequence``: the last number of before a rest.
    """

    __slots__ = ("limit", "limit_at", "seal", "send", "sequence")
    seal: Sealer
    send: Send

    def __init__(self, spec: SaSpec, now: float) -> None:
        super().__init__(spec, now)
        self.limit, self.limit_at, self.sequence = 0, -inf, 0

    @property
    def begun(self) -> bool:
        """Whether a packet has come, since it rested."""
        return self.limit_at > -inf

    def rest(self) -> None:
        """Give back what seals and sends packets; their numbers go on."""
        self.sequence = self.seal.sequence
        self.limit, self.limit_at = 0, -inf
        del self.seal, self.send

    def serves(self, policy: Policy, headers: Headers) -> bool:
        """Whether a packet that meets ``policy`` may go out with this SA."""
        spec, wanted = self.spec, policy.spec
        if self.tunnel != policy.tunnel or spec.protocol != wanted.protocol:
            return False
        if spec.reqid != wanted.reqid:
            return False
        if not wanted.reqid and (wanted.src or spec.src, wanted.dst or spec.dst) != (
            spec.src,
            spec.dst,
        ):
            return False
        return carries(spec.selectors, headers)


AnySa = InboundSa | OutboundSa


def _place(name: SaSpec | SaId) -> bytes:
    """What finds an outbound SA: peers choose their SPIs without asking each other."""
    return name.spi.to_bytes(4, "big") + name.dst.packed


class Sad:
    """All SAs. ``changed`` is called with each one that comes or goes."""

    def __init__(
        self,
        timers: Timers,
        random: Callable[[int], bytes],
        upcalls: Upcalls,
        changed: Callable[[AnySa], None],
    ) -> None:
        self.inbound: dict[int, InboundSa] = {}
        self._larval: dict[int, tuple[SpiRequest, Event]] = {}
        self._outbound: dict[bytes, OutboundSa] = {}
        self._by_reqid: dict[int, list[OutboundSa]] = {}
        self._timers, self._random = timers, random
        self._upcalls, self._changed = upcalls, changed
        self._clock: Clock[AnySa] = Clock(timers, self._due)
        self.rest = Rest(timers)

    def get_spi(self, request: SpiRequest, spis: range = SPIS) -> int:
        """A fresh SPI of those, kept for LARVAL_S. ApplicationError where there are too many, or
        none of the first _TRIES from a random one on is free."""
        if len(self._larval) >= MOST_LARVAL:
            raise ApplicationError("too many SPIs are waiting for their SAs")
        first = int.from_bytes(self._random(8), "big")
        for nth in range(min(len(spis), _TRIES)):
            spi = spis[(first + nth) % len(spis)]
            if spi not in self.inbound and spi not in self._larval:
                end = partial(self.end_larval, spi)
                event = self._timers.add(f"larval SA {spi:#010x}", LARVAL_S, end)
                self._larval[spi] = request, event
                return spi
        raise ApplicationError("no free SPI was found")

    def is_larval(self, spi: int) -> bool:
        """Whether ``spi`` waits for its SA."""
        return spi in self._larval

    def end_larval(self, spi: int) -> None:
        """Take a larval SA away, if there is one."""
        if entry := self._larval.pop(spi, None):
            entry[1].cancel()

    def delete(self, name: SaId) -> None:
        """Take the SA of this name away, larval or not. ApplicationError where there is none."""
        larval = self._larval.get(name.spi)
        if sa := self.find(name):
            self.remove(sa)
        elif larval and larval[0].dst == name.dst:
            self.end_larval(name.spi)
        else:
            raise NoSuchSa(f"no SA with SPI {name.spi:#010x} to {name.dst}")

    def add(self, sa: AnySa) -> None:
        """Install an SA and start its clock. ApplicationError where its SPI is taken."""
        spec = sa.spec
        if isinstance(sa, InboundSa):
            if spec.spi in self.inbound:
                raise ApplicationError(f"inbound SPI {spec.spi:#010x} is in use")
            self.inbound[spec.spi] = sa
        else:
            if _place(spec) in self._outbound:
                raise ApplicationError(f"outbound SPI {spec.spi:#010x} to {spec.dst} is in use")
            self._outbound[_place(spec)] = sa
            self._by_reqid.setdefault(spec.reqid, []).append(sa)
        self._start_clock(sa)
        self._changed(sa)

    def move(self, sa: AnySa, spec: SaSpec) -> None:
        """Give an SA other addresses, ports, limits or a selector; numbers and counters go on.

        It becomes no newer. ApplicationError where its place is taken.
        """
        if isinstance(sa, OutboundSa) and self._outbound.get(_place(spec), sa) is not sa:
            raise ApplicationError(f"outbound SPI {spec.spi:#010x} to {spec.dst} is in use")
        alike = list(self._by_reqid.get(spec.reqid, ()))
        self._forget(sa)
        if spec.limits != sa.spec.limits:
            sa.soft_told = False
        sa.spec = spec
        sa.set_mark()
        if isinstance(sa, InboundSa):
            sa.mapped = None
            sa.forget_flows()
        self.add(sa)
        if isinstance(sa, OutboundSa):
            self._by_reqid[spec.reqid] = alike

    def remove(self, sa: AnySa) -> None:
        """Take an SA away."""
        self._forget(sa)
        self.rest.gone(sa)

    def _forget(self, sa: AnySa) -> None:
        self._clock.cancel(sa)
        spec = sa.spec
        if isinstance(sa, InboundSa):
            self.inbound.pop(spec.spi, None)
        elif self._outbound.pop(_place(spec), None):
            alike = self._by_reqid[spec.reqid]
            alike.remove(sa)
            if not alike:
                del self._by_reqid[spec.reqid]
        self._changed(sa)

    def find(self, name: SaId) -> AnySa | None:
        """The SA of this name: destination and SPI."""
        if sa := self._outbound.get(_place(name)):
            return sa
        inbound = self.inbound.get(name.spi)
        return inbound if inbound and inbound.spec.dst == name.dst else None

    def find_by_keys(self, spec: SaSpec) -> AnySa | None:
        """The SA that ``spec`` moves: the same SPI, direction, reqid and keys."""
        if spec.inbound:
            inbound = self.inbound.get(spec.spi)
            return inbound if inbound and inbound.has_keys_of(spec) else None
        alike = self._by_reqid.get(spec.reqid, ())
        return next((s for s in alike if s.spec.spi == spec.spi and s.has_keys_of(spec)), None)

    def has(self, reqid: int) -> bool:
        """Whether an outbound SA of that kind is there."""
        return bool(self._by_reqid.get(reqid))

    def newest(self, policy: Policy, headers: Headers) -> OutboundSa | None:
        """The SA that a packet goes out with: of those that serve, the one added last."""
        for sa in reversed(self._by_reqid.get(policy.spec.reqid, [])):
            if sa.serves(policy, headers):
                return sa
        return None

    def __iter__(self) -> Iterator[AnySa]:
        yield from self.inbound.values()
        yield from self._outbound.values()

    def flush(self) -> None:
        """Take every SA away, larval ones as well."""
        for spi in list(self._larval):
            self.end_larval(spi)
        for sa in list(self):
            self.remove(sa)

    def _start_clock(self, sa: AnySa, soft_over: bool = False) -> None:
        """Time its next limit, from when it was first added."""
        limits, age = sa.spec.limits, self._timers.now() - sa.since
        hard = soft_over or not age < limits.soft_s < (limits.hard_s or inf)
        if seconds := limits.hard_s if hard else limits.soft_s:
            sa.due_hard = hard
            # However the ends round, what asks for a rekey is not nearer to what ends the SA.
            self._clock.start(sa, seconds - age, early=not hard)

    def _due(self, sa: AnySa) -> None:
        """A limit in seconds; after the soft one comes the hard one."""
        hard = sa.due_hard
        if not hard:
            self._start_clock(sa, soft_over=True)
        self.expire(sa, hard)

    def reached(self, sa: AnySa) -> None:
        """An SA has carried as many octets or packets as its marks say."""
        limits = sa.spec.limits
        hard = sa.octets >= (limits.hard_bytes or inf) or sa.packets >= (limits.hard_packets or inf)
        self.expire(sa, hard)

    def expire(self, sa: AnySa, hard: bool) -> None:
        """Report a limit, soft ones once; at the hard limit the SA goes."""
        if hard:
            self.remove(sa)
        elif sa.soft_told:
            return
        sa.soft_told = True
        sa.set_mark()
        self._upcalls.expire(Expire(sa_id(sa.spec), hard))
