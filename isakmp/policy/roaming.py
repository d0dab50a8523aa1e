"""Peers without an address, of whom there may be thousands: found by what tells them apart.

Who calls may be any of them, until it says who it is; then it is one of few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import chain

from isakmp.policy.peers import Opening
from isakmp.policy.sameness import meaning_of
from isakmp.policy.spd import Address, Identity, Remote

Pick = Callable[["Roaming"], Iterable[Remote]]


class Roaming:
    """All of them as they read now, in the order of the configuration.

    unread: whether a section cannot be read, and is known by its outline alone; with_ppk: whether
    it has a post-quantum pre-shared key, be it one that cannot be read.
    """

    def __init__(
        self, remotes: Iterable[Remote], unread: Callable[[Remote], bool],
        with_ppk: Callable[[Remote], bool],
    ) -> None:  # fmt: skip
        self.every = list(remotes)
        self.with_ppk = [remote for remote in self.every if with_ppk(remote)]
        self.unread = [remote for remote in self.every if unread(remote)]
        self._read = [remote for remote in self.every if not unread(remote)]
        self._by_meaning: defaultdict[Hashable, list[Remote]] = defaultdict(list)
        for remote in self.every:
            if remote.remote_id is not None:
                self._by_meaning[meaning_of(remote.remote_id)].append(remote)
        self._answered: dict[Opening, list[Remote]] = {}

    def expecting(self, identity: Identity) -> Sequence[Remote]:
        """Those whose Remote-ID means that identity."""
        return self._by_meaning.get(meaning_of(identity), ())

    def answered(self, opening: Opening) -> Sequence[Remote]:
        """Those that are answered so; of what cannot be read nobody is."""
        if opening not in self._answered:
            self._answered[opening] = [one for one in self._read if not opening.misfit(one)]
        return self._answered[opening]


class Others:
    """Whoever else a caller from an address may be, in the order of the configuration: those that
    it has for that address go first.

    known: who is not meant; near: by section, None where there is nothing to know it by.
    """

    def __init__(
        self, known: Remote, address: Address, near: dict[str, Remote | None], roaming: Roaming
    ) -> None:
        self._near, self._roaming, self._address = near, roaming, address
        self._seen = {known.name, *near}
        self._first = [one for name, one in near.items() if one and name != known.name]

    def __iter__(self) -> Iterator[Remote]:
        return self.among(lambda roaming: roaming.every)

    def among(self, pick: Pick) -> Iterator[Remote]:
        """All for that address, and of those without one the picked ones."""
        rest = (one for one in pick(self._roaming) if one.name not in self._seen)
        return (one for one in chain(self._first, rest) if one.address in (None, self._address))

    def expecting(self, identity: Identity) -> Iterator[Remote]:
        """Those that may expect that identity, all that do among them."""
        return self.among(lambda roaming: roaming.expecting(identity))
