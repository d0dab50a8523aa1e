"""Held: which child SA has what traffic of the far side, found by its networks.

Networks lie inside one another or apart. So those that take a network in are found by looking at
each length there is, and those inside it stand together in the order of their addresses; neither
looks at all child SAs.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from isakmp.policy.spd import Network, Selector

# Child SAs of others that are compared with what somebody asks for, and selectors of theirs with
# those that are asked for: who asks for the place of so many asks for too much.
COMPARED_MAX, PAIRS_MAX = 256, 8192

Key = tuple[int, int]


class Holder(Protocol):
    """What of a child SA counts here."""

    @property
    def who(self) -> Hashable: ...

    @property
    def selectors(self) -> Sequence[Selector]: ...


H = TypeVar("H", bound=Holder)


class Held(Generic[H]):
    """The far networks of every child SA."""

    def __init__(self) -> None:
        self._at: dict[tuple[int, Key], dict[int, tuple[H, Sequence[Selector]]]] = {}
        # By IP version: networks in order, and how many there are of each length.
        self._order: dict[int, list[Key]] = {4: [], 6: []}
        self._lengths: dict[int, Counter[int]] = {4: Counter(), 6: Counter()}

    def __len__(self) -> int:
        return len(self._at)

    def add(self, child: H) -> None:
        """A child SA is there."""
        for network, selectors in _by_network(child.selectors).items():
            version, key = network.version, _key(network)
            here = self._at.setdefault((version, key), {})
            if not here:
                insort(self._order[version], key)
                self._lengths[version][network.prefixlen] += 1
            here[id(child)] = child, selectors

    def remove(self, child: H) -> None:
        """A child SA is gone."""
        for network in _by_network(child.selectors):
            version, key = network.version, _key(network)
            here = self._at.get((version, key), {})
            if here.pop(id(child), None) is None or here:
                continue
            del self._at[version, key]
            order, lengths = self._order[version], self._lengths[version]
            del order[bisect_left(order, key)]
            lengths[network.prefixlen] -= 1
            if not lengths[network.prefixlen]:
                del lengths[network.prefixlen]

    def of_others(self, who: Hashable, selectors: Sequence[Selector]) -> Iterator[H]:
        """The child SAs of others that have some of that traffic, as far as they are compared."""
        if not self._at:
            return
        compared, found, pairs = set[int](), set[int](), 0
        for network, asked in _by_network(selectors).items():
            for child, theirs in self._near(network):
                if child.who == who or id(child) in found:
                    continue
                compared.add(id(child))
                pairs += len(asked) * len(theirs)
                too_much = len(compared) > COMPARED_MAX or pairs > PAIRS_MAX
                if too_much or _overlap(theirs, asked):
                    found.add(id(child))
                    yield child

    def near(self, network: Network) -> Iterator[H]:
        """The child SAs that have a network which takes ``network`` in, or lies inside it."""
        return (child for child, _ in self._near(network))

    def _near(self, network: Network) -> Iterator[tuple[H, Sequence[Selector]]]:
        """The child SAs whose networks take ``network`` in, or lie inside it, each with what it has
        of such a network."""
        version, (first, length) = network.version, _key(network)
        for wider in [known for known in self._lengths[version] if known < length]:
            shift = network.max_prefixlen - wider
            yield from self._at.get((version, (first >> shift << shift, wider)), {}).values()
        order = self._order[version]
        last = first | (1 << network.max_prefixlen - length) - 1
        for at in range(bisect_left(order, (first, length)), len(order)):
            if order[at][0] > last:
                return
            yield from self._at[version, order[at]].values()


def _by_network(selectors: Sequence[Selector]) -> dict[Network, list[Selector]]:
    """The selectors of each far network."""
    found: dict[Network, list[Selector]] = {}
    for selector in selectors:
        found.setdefault(selector.dst, []).append(selector)
    return found


def _key(network: Network) -> Key:
    return int(network.network_address), network.prefixlen


def _overlap(some: Sequence[Selector], others: Sequence[Selector]) -> bool:
    return any(one.overlaps(other) for one in some for other in others)
