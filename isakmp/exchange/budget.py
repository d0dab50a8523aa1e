"""Budget: how many messages of each kind somebody who has proved nothing can make us send.

Peers that the configuration names by their address have a share each that nobody else can touch;
among all others no network can use up what is there for the rest.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from isakmp.event.timer import Bucket
from isakmp.policy.spd import Address

# Of one kind: for all strangers, for one network of them, and for one address that is named.
STRANGERS_PER_S, NETWORK_PER_S, NAMED_PER_S = 10, 2, 10
# Addresses and networks whose shares are kept; the one not heard of for longest goes.
KEPT_MAX = 1024
# What counts as one network, in bits, by IP version: less is cheap to have for anybody.
NETWORK_BITS = {4: 24, 6: 48}
_HOST_BITS = {4: 32 - NETWORK_BITS[4], 6: 128 - NETWORK_BITS[6]}


class Recent:
    """A bucket for each of whatever comes, for the last ``kept`` of them; per_s, burst: each's."""

    def __init__(
        self, now: Callable[[], float], per_s: float, burst: float | None = None,
        kept: int = KEPT_MAX,
    ) -> None:  # fmt: skip
        self._now, self._per_s, self._burst, self._most = now, per_s, burst, kept
        self._kept: OrderedDict[Hashable, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, key: Hashable) -> bool:
        """Whether ``key`` may do it once more now."""
        return self._of(key).take()

    def owes(self, key: Hashable) -> bool:
        """Whether ``key`` owes so much that it may not do it once more now, which counts only where
        it has owed something of late."""
        return key in self._kept and not self.take(key)

    def owe(self, key: Hashable, times: int) -> None:
        """``key`` has done that much more, or something that costs as much."""
        self._of(key).owe(times)

    def _of(self, key: Hashable) -> Bucket:
        bucket = self._kept.get(key)
        if bucket is None:
            bucket = self._kept[key] = Bucket(self._now, self._per_s, self._burst)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return bucket


class Budget:
    """named: whether the configuration names an address itself."""

    def __init__(self, now: Callable[[], float], named: Callable[[Address], bool]) -> None:
        self._now, self._named_here = now, named
        self._named = Recent(now, NAMED_PER_S)
        self._networks = Recent(now, NETWORK_PER_S)
        self._strangers: dict[int, Bucket] = {}

    def __len__(self) -> int:
        return len(self._named) + len(self._networks) + len(self._strangers)

    def take(self, kind: int, address: Address, *, proven: bool = False) -> bool:
        """Whether one more message of that kind, a notify's number, may go there now.

        proven: the address is that of an SA.
        """
        if proven or self._named_here(address):
            return self._named.take((kind, address))
        version = address.version
        network = kind, version, int(address) >> _HOST_BITS[version]
        # The share of all is asked last: what a network has used up costs nobody else.
        return self._networks.take(network) and self._of_all(kind).take()

    def _of_all(self, kind: int) -> Bucket:
        if kind not in self._strangers:
            self._strangers[kind] = Bucket(self._now, STRANGERS_PER_S)
        return self._strangers[kind]
