"""The security policy database: which policy a packet meets (RFC 4301 4.4.1).

Policies have no order of their own: the one with the narrowest addresses is met first, then the
one that names a protocol, then ports.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from itertools import count

from isakmp.app.base import Action, Direction, PolicySpec
from isakmp.app.engine.packet import Headers
from isakmp.constants import ipsec
from isakmp.policy.spd import Selector

_TRANSPORT = frozenset(
    {
        ipsec.Encapsulation.TRANSPORT,
        ipsec.Encapsulation.UDP_ENCAP_TRANSPORT,
        ipsec.Encapsulation.UDP_ENCAP_TRANSPORT_DRAFT,
    }
)


def is_tunnel(mode: ipsec.Encapsulation) -> bool:
    """Tunnel mode, in UDP or not."""
    return mode not in _TRANSPORT


def covers(selector: Selector, headers: Headers) -> bool:
    """Whether a packet is of a selector; of a later fragment, as far as can be told."""
    if headers.later_fragment:
        selector = selector.without_ports()
    return selector.matches(
        headers.src, headers.dst, headers.protocol, headers.src_port, headers.dst_port
    )


def carries(selectors: tuple[Selector, ...], headers: Headers) -> bool:
    """Whether a packet is of what an SA is for."""
    return any(covers(selector, headers) for selector in selectors)


class Policy:
    """A policy, the packets that wait for its SA, and when one was last asked for."""

    __slots__ = ("asked_at", "held", "id", "spec", "tunnel")

    def __init__(self, spec: PolicySpec, number: int) -> None:
        self.spec, self.id = spec, number
        self.tunnel = is_tunnel(spec.mode)
        self.held: list[tuple[float, bytes]] | None = None  # when it came, the packet
        self.asked_at: float | None = None

    def meets(self, headers: Headers) -> bool:
        """Whether a packet is this policy's. A later fragment may be of any ports: it is never let
        pass for ports that it does not show."""
        selector = self.spec.selector
        if headers.later_fragment and selector.has_ports and self.spec.action is Action.BYPASS:
            return False
        return covers(selector, headers)

    @property
    def rank(self) -> tuple[bool, int, int, int, int]:
        """The lowest is met first; what is let pass on purpose before all others."""
        selector = self.spec.selector
        return (
            self.spec.action is not Action.BYPASS,
            -(selector.src.prefixlen + selector.dst.prefixlen),
            -bool(selector.protocol),
            sum(last - first for first, last in (selector.src_ports, selector.dst_ports)),
            self.id,
        )


def _rank(policy: Policy) -> tuple[bool, int, int, int, int]:
    return policy.rank


class _Table:
    """The policies of one direction, found by the network of the far side."""

    def __init__(self, direction: Direction) -> None:
        self._outward = direction is Direction.OUT
        self._networks: dict[tuple[int, int], dict[int, list[Policy]]] = {}

    def _place(self, selector: Selector) -> tuple[tuple[int, int], int]:
        """Under what a policy is kept: IP version and prefix length, then the prefix."""
        network = selector.dst if self._outward else selector.src
        shift = network.max_prefixlen - network.prefixlen
        kind = network.version, network.prefixlen
        return kind, int(network.network_address) >> shift

    def add(self, policy: Policy) -> None:
        kind, prefix = self._place(policy.spec.selector)
        insort(self._networks.setdefault(kind, {}).setdefault(prefix, []), policy, key=_rank)

    def get(self, selector: Selector) -> Policy | None:
        """The policy of this very selector."""
        kind, prefix = self._place(selector)
        alike = self._networks.get(kind, {}).get(prefix, ())
        for policy in alike:
            if policy.spec.selector == selector:
                return policy
        return None

    def remove(self, policy: Policy) -> None:
        kind, prefix = self._place(policy.spec.selector)
        alike = self._networks[kind][prefix]
        alike.remove(policy)
        if not alike:
            del self._networks[kind][prefix]
            if not self._networks[kind]:
                del self._networks[kind]

    def match(self, headers: Headers) -> Policy | None:
        """The first of those that cover a packet; a look at each prefix length in use."""
        far = headers.dst if self._outward else headers.src
        number, best = int(far), None
        for (version, size), table in self._networks.items():
            if version != headers.version:
                continue
            for policy in table.get(number >> (far.max_prefixlen - size), ()):
                if best is not None and policy.rank >= best.rank:
                    break
                if policy.meets(headers):
                    best = policy
                    break
        return best

    def __iter__(self) -> Iterator[Policy]:
        for table in self._networks.values():
            for alike in table.values():
                yield from alike


class Spd:
    """All policies, by direction."""

    def __init__(self) -> None:
        self._tables = {direction: _Table(direction) for direction in Direction}
        self._numbers = count(1)

    def add(self, spec: PolicySpec) -> tuple[Policy, Policy | None]:
        """Install; the policy, and the one with the same direction and selector that it replaces,
        whose id and waiting packets it has."""
        old = self.remove(spec)
        policy = Policy(spec, old.id if old else next(self._numbers))
        if old:
            policy.held = old.held
        self._tables[spec.direction].add(policy)
        return policy, old

    def remove(self, spec: PolicySpec) -> Policy | None:
        """Take away the policy of this direction and selector."""
        policy = self.get(spec.direction, spec.selector)
        if policy:
            self._tables[spec.direction].remove(policy)
        return policy

    def get(self, direction: Direction, selector: Selector) -> Policy | None:
        """The policy of this direction and selector."""
        return self._tables[direction].get(selector)

    def match(self, direction: Direction, headers: Headers) -> Policy | None:
        """The policy that a packet meets."""
        return self._tables[direction].match(headers)

    def policies(self) -> list[Policy]:
        """All of them, in the order they were first added."""
        found = [policy for table in self._tables.values() for policy in table]
        return sorted(found, key=lambda policy: policy.id)
