"""The key engine: what is asked of it as plain synchronous calls, and the packets between.

Everything it knows of the world comes through a wire, a network interface, timers and a source
of randomness; two engines live in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from isakmp.app.base import (
    Action,
    Direction,
    PolicySpec,
    SaId,
    SaSpec,
    SpiRequest,
    Upcalls,
    Usage,
)
from isakmp.app.engine.ability import check_protocol
from isakmp.app.engine.base import Netif, Wire
from isakmp.app.engine.drop import Drops
from isakmp.app.engine.inbound import Inbound
from isakmp.app.engine.outbound import Outbound
from isakmp.app.engine.sad import LEAST_SPI, SPIS, AnySa, InboundSa, OutboundSa, Sad
from isakmp.app.engine.spd import Spd, is_tunnel
from isakmp.app.engine.transform import bind
from isakmp.errors import ApplicationError, NoSuchSa
from isakmp.event.loop import Loop
from isakmp.event.timer import Timers
from isakmp.log.log import Log, LogClass
from isakmp.policy.spd import Address, Network, Selector


class KeyEngine:
    """SAD, SPD and ESP of one host. Requests raise ApplicationError and then change nothing."""

    def __init__(
        self,
        *,
        timers: Timers,
        random: Callable[[int], bytes],
        wire: Wire,
        netif: Netif,
        events: Upcalls,
        log: Log,
    ) -> None:
        self._timers, self._random, self._log = timers, random, log
        self._wire, self._netif = wire, netif
        self.drops = Drops(log)
        self._spd = Spd()
        self._sad = Sad(timers, random, events, self._sa_changed)
        self._out = Outbound(timers, random, self._sad, self._spd, wire, netif, events, self.drops)
        self._in = Inbound(timers, random, self._sad, self._spd, netif, events, self.drops)
        self._bound: set[tuple[int, int, int | None, int]] = set()
        self._routes: dict[Network, int] = {}
        self._loop: Loop | None = None
        self.packet_out = self._out.packet_out
        self.esp_in = self._in.esp_in

    def attach(self, loop: Loop) -> None:
        """Let the loop read the wire and the device."""
        self._loop = loop
        for fd in self._wire.fds():
            loop.reader(fd, partial(self._wire.receive, fd, self.esp_in))
        for fd in self._netif.fds():
            loop.reader(fd, partial(self._netif.receive, self.packet_out))
        for fd, take in self._netif.watch().items():
            loop.reader(fd, take)

    def sweep(self) -> int:
        """Every policy is there: what a killed engine has left goes; how much that was."""
        return self._netif.sweep()

    def close(self, block: bool = False) -> None:
        """Forget everything and give the sockets, the device and its routes back.

        block: what the policies name is dropped from now on.
        """
        if self._loop:
            for fd in (*self._wire.fds(), *self._netif.fds(), *self._netif.watch()):
                self._loop.reader(fd, None)
        self.flush()
        if not block:
            self.flush_policies()
        self._netif.close(block)
        self._wire.close()

    def get_spi(self, request: SpiRequest, spis: range = SPIS) -> int:
        """One of those SPIs for an inbound SA; without complete() it ends after 30 s."""
        check_protocol(request.protocol)
        return self._sad.get_spi(request, spis)

    def add(self, spec: SaSpec) -> None:
        """Install a complete SA; an outbound one carries its policy's packets from now on."""
        if self._sad.is_larval(spec.spi) and spec.inbound:
            raise ApplicationError(f"SPI {spec.spi:#010x} is larval: update it")
        self._install(spec)

    def complete(self, spec: SaSpec) -> None:
        """Install the SA that get_spi() was asked for: the larval one may have ended meanwhile, as
        peers have longer to answer."""
        self._install(spec)
        self._sad.end_larval(spec.spi)

    def update(self, spec: SaSpec) -> None:
        """Complete a larval SA, or move one with the same SPI and keys.

        Sequence numbers, replay window and counters of an SA that is moved go on.
        """
        if spec.inbound and self._sad.is_larval(spec.spi):
            self.complete(spec)
            return
        sa = self._sad.find_by_keys(spec)
        if sa is None:
            raise NoSuchSa(f"no SA with SPI {spec.spi:#010x} and these keys to update")
        self._check(spec)
        if is_tunnel(spec.mode) != sa.tunnel:
            raise ApplicationError("an SA keeps its mode")
        self._sad.move(sa, spec)
        if isinstance(sa, OutboundSa) and sa.begun:
            self._out.measure(sa)

    def delete(self, name: SaId) -> None:
        """Take an SA away, larval or not. ApplicationError where there is none."""
        self._sad.delete(name)

    def find(self, name: SaId) -> SaSpec:
        """An SA as it was installed. ApplicationError where there is none."""
        return self._get(name).spec

    def usage(self, name: SaId) -> Usage:
        """What an SA has carried. ApplicationError where there is none."""
        return self._get(name).usage(self._timers.now())

    def _get(self, name: SaId) -> AnySa:
        sa = self._sad.find(name)
        if sa is None:
            raise NoSuchSa(f"no SA with SPI {name.spi:#010x} to {name.dst}")
        return sa

    def add_policy(self, spec: PolicySpec) -> int:
        """Install a policy, or replace that of the same direction and selector; its id."""
        if spec.action is Action.IPSEC:
            check_protocol(spec.protocol)
        self._route(spec)
        self._netif.guard(spec)
        policy, old = self._spd.add(spec)
        if old:
            self._unroute(old.spec)
        self._policies_changed()
        self._out.keep_held(policy)
        self._out.match_held(policy)
        return policy.id

    def delete_policy(self, spec: PolicySpec) -> None:
        """Take a policy away, by direction and selector. ApplicationError where there is none."""
        policy = self._spd.remove(spec)
        if policy is None:
            raise ApplicationError(f"no policy {spec.direction.value} {spec.selector}")
        self._out.drop_held(policy)
        self._unroute(policy.spec)
        self._netif.unguard(policy.spec)
        self._policies_changed()

    def flush(self) -> None:
        """Take every SA away."""
        self._sad.flush()

    def flush_policies(self) -> None:
        """Take every policy away."""
        for policy in self._spd.policies():
            self.delete_policy(policy.spec)

    def sas(self) -> Iterator[SaSpec]:
        """Every SA that is not larval."""
        return (sa.spec for sa in list(self._sad))

    def policy(self, direction: Direction, selector: Selector) -> tuple[int, PolicySpec] | None:
        """The policy of this direction and selector with its id."""
        policy = self._spd.get(direction, selector)
        return (policy.id, policy.spec) if policy else None

    def policies(self) -> Iterator[tuple[int, PolicySpec]]:
        """Every policy with its id."""
        return ((policy.id, policy.spec) for policy in self._spd.policies())

    def migrate(self, spec: PolicySpec, src: Address, dst: Address) -> None:
        """Give a policy, and the SAs of its reqid between its ends, other ends: all or none."""
        known = self._spd.get(spec.direction, spec.selector)
        if known is None or known.spec != spec:
            raise ApplicationError(f"no policy {spec.selector} between these ends")
        ends, moved = (spec.reqid, spec.src, spec.dst), list[SaSpec]()
        try:
            for sa in [sa for sa in self.sas() if (sa.reqid, sa.src, sa.dst) == ends]:
                self.update(sa._replace(src=src, dst=dst))
                moved.append(sa)
            self.add_policy(spec._replace(src=src, dst=dst))
        except ApplicationError:
            for sa in moved:
                self.update(sa)
            raise

    def check(self, spec: SaSpec) -> None:
        """ApplicationError where such an SA cannot be installed."""
        self._check(spec)
        self._check_keys(spec)

    def _install(self, spec: SaSpec) -> None:
        """Put an SA to work."""
        self.check(spec)
        now = self._timers.now()
        if spec.inbound:
            self._sad.add(InboundSa(spec, now))
        else:
            self._sad.add(OutboundSa(spec, now))
            self._out.send_held(spec.reqid)
        self._log.debug(
            LogClass.SYSDEP, 50, "engine: SA %#010x %s -> %s", spec.spi, spec.src, spec.dst
        )

    def _check(self, spec: SaSpec) -> None:
        check_protocol(spec.protocol)
        if not LEAST_SPI <= spec.spi < 2**32:
            raise ApplicationError(f"SPI {spec.spi} is not within 256 to 2**32 - 1")
        if spec.src.version != spec.dst.version:
            raise ApplicationError("an SA's ends are of one address family")

    def _check_keys(self, spec: SaSpec) -> None:
        """What has been bound once can be again, when the first packet comes."""
        kind = spec.encryption, len(spec.enc_key), spec.auth, len(spec.auth_key)
        if kind not in self._bound:
            bind(spec, self._random)
            self._bound.add(kind)

    def _sa_changed(self, sa: AnySa) -> None:
        """An SA comes or goes."""
        if isinstance(sa, InboundSa):
            self._in.discard(sa)
        else:
            self._out.forget_reqid(sa.spec.reqid)

    def _policies_changed(self) -> None:
        """What was looked up no longer holds."""
        self._out.forget()
        self._in.forget()

    def _route(self, spec: PolicySpec) -> None:
        """Lead a policy's packets to us, from a local address that the policy is for."""
        if spec.direction is not Direction.OUT or spec.action is Action.BYPASS:
            return
        network = spec.selector.dst
        if not self._routes.get(network):
            self._netif.route(network, self._netif.local_address(spec.selector.src))
        self._routes[network] = self._routes.get(network, 0) + 1

    def _unroute(self, spec: PolicySpec) -> None:
        network = spec.selector.dst
        if spec.direction is not Direction.OUT or network not in self._routes:
            return
        if spec.action is not Action.BYPASS:
            self._routes[network] -= 1
            if not self._routes[network]:
                del self._routes[network]
                self._netif.unroute(network)
