"""What is dropped of connections that are left out for an error in their configuration.

Of each side of the traffic of one what is written, or likely meant, and all that it was before;
and all that is with the far side where our own alone cannot be read, or is not certain. What is
dropped may be too much: what is not goes in clear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.event.steps import Steps
from isakmp.policy.identity import Resolve
from isakmp.policy.meant import Meant
from isakmp.policy.reader import (
    CONNECTION_LISTS,
    read_far,
    read_selectors_of,
    read_with_far,
)
from isakmp.policy.spd import Selector

Traffic = tuple[Selector, ...]

# To look for what is like a name is slow: so many names are looked at, of others it is not known.
_LOOKED_AT = 20
# Pairs of networks that are told of a connection.
_TOLD = 5
_ALL = "all traffic with its far side is dropped, unless that is everybody"
NOBODY: Mapping[str, Traffic] = MappingProxyType({})


@dataclass(slots=True)
class Shut:
    """What is dropped of one connection.

    of: that of each section that it stands for; more: what was before; gone: whose that was beside
    its own; far: it is all with the far
    side; guessed: it is what was likely meant; unread: there may be more, which is not dropped;
    errors: what is to be said of that.
    """

    of: dict[str, Traffic] = field(default_factory=dict)
    more: Traffic = ()
    gone: tuple[str, ...] = ()
    far: bool = False
    guessed: bool = False
    unread: bool = False
    errors: list[ConfError] = field(default_factory=list)

    @property
    def traffic(self) -> Traffic:
        """All of it, each selector once."""
        every = (*self.of.values(), self.more)
        return tuple(dict.fromkeys(selector for each in every for selector in each))


class Closing:
    """Says it of the connections of one configuration.

    gone: the traffic of those that were listed before, and are no more: the first listed name that
    is no section has it, as it may be meant for one of them, and all that nothing lists.
    """

    def __init__(
        self, conf: Conf, resolve: Resolve, meant: Meant, gone: Mapping[str, Traffic]
    ) -> None:
        self._conf, self._resolve, self._meant, self._gone = conf, resolve, meant, gone
        self._first: str | None = None
        self._taken: set[str] = set()
        self._left = _LOOKED_AT

    @classmethod
    def of(
        cls, conf: Conf, resolve: Resolve, gone: Mapping[str, Traffic] = NOBODY
    ) -> Steps[Closing]:
        """That of a configuration, which must not change meanwhile."""
        return cls(conf, resolve, (yield from Meant.of(conf)), gone)

    def shut(self, name: str, why: ConfError | None, before: Traffic = ()) -> Shut:
        """What is dropped of a listed connection that is left out.

        why: it is, where that is told; before: its traffic as it was.
        """
        if self._conf.has_section(name):
            return self._of_section(name, before, why.reason if why else "")
        return self._of_nobody(name, before)

    def _of_section(self, name: str, before: Traffic = (), told: str = "") -> Shut:
        guessed, meant = self._meant.mend(name), self._meant.conf
        try:
            found = read_selectors_of(meant, name, self._resolve)
        except ConfError as error:
            return self._of_less(name, before, "" if error.reason == told else error.reason)
        if not guessed:
            return Shut({name: found}, before)
        return self._of_guess(name, before, found)

    def _of_guess(self, name: str, before: Traffic, found: Traffic) -> Shut:
        """Of one that is read as it was likely meant. Where that is not certain, all with the far
        side is dropped, too, or it is told. A network with itself is this host's own."""
        near, far = self._meant.doubts(name)
        apart = tuple(selector for selector in found if selector.src != selector.dst)
        far |= len(apart) < len(found) and not near
        shut = Shut({name: apart}, before, guessed=True)
        if apart:
            shut.errors.append(self._guessed(name, apart))
        if near and not far and (every := read_with_far(self._meant.conf, name, self._resolve)):
            shut.of[name] += every
            shut.far = True
            shut.errors.append(self._conf.error(f"its near side is not certain: {_ALL}", name))
        elif (near or far) and before:
            said = "that is not certain: what it was before is dropped, too"
            shut.errors.append(self._conf.error(said, name))
        elif near or far:
            shut.unread = True
            shut.errors.append(self._unread(name, "what it names is not certain"))
        return shut

    def _guessed(self, name: str, found: Traffic) -> ConfError:
        pairs = [f"{selector.src} with {selector.dst}" for selector in found[:_TOLD]]
        more = [f"{len(found) - _TOLD} more"] if len(found) > _TOLD else []
        return self._conf.error(f"dropped as likely meant: {', '.join(pairs + more)}", name)

    def _of_less(self, name: str, before: Traffic, why: str) -> Shut:
        """Of one a side of which cannot be read: what was dropped or protected of it goes on to be,
        whatever more there is now. why: where that is not told."""
        try:
            far = read_far(self._meant.conf, name, self._resolve)
        except ConfError:
            far = ()
        if far:
            said = self._conf.error(f"its near side cannot be read: {_ALL}", name)
            return Shut({name: far}, before, far=True, errors=[said])
        if before:
            said = self._conf.error("what it was before is dropped, as it cannot be read now", name)
            return Shut({name: before}, errors=[said])
        return Shut(unread=True, errors=[self._unread(name, why)])

    def _unread(self, name: str, why: str) -> ConfError:
        reason = "its traffic cannot be read, so it is not dropped"
        hint = self._conf.mend or "mend it, and send HUP"
        return self._conf.error(f"{reason}: {why}" if why else reason, name, hint=hint)

    def _of_nobody(self, name: str, before: Traffic) -> Shut:
        """Of a name that no section has."""
        gone, self._gone = self._gone, NOBODY
        listed = self._meant.listed(name) if self._left else []
        self._left -= bool(self._left)
        found, free = Shut(guessed=True), self._unlisted
        for section in listed if listed else self._all(name):
            if section not in free or section in self._taken:
                continue
            self._taken.add(section)
            one = self._of_section(section)
            found.of |= one.of
            found.errors += one.errors
            found.unread |= one.unread
        found.more = (*before, *(selector for each in gone.values() for selector in each))
        found.gone = tuple(gone)
        dropped = list(dict.fromkeys((*found.of, *gone)))
        if not listed and not found.traffic:
            found.unread |= not free
        found.errors.insert(0, self._told(name, listed, dropped, found))
        return found

    def _all(self, name: str) -> list[str]:
        """All that nothing lists, for the first that asks."""
        if self._first is None:
            self._first = name
        return list(self._unlisted) if self._first == name else []

    @cached_property
    def _unlisted(self) -> dict[str, None]:
        return dict.fromkeys(self._meant.unlisted())

    def _told(self, name: str, listed: list[str], dropped: list[str], found: Shut) -> ConfError:
        """What becomes of the traffic of such a name."""
        lists = (tag for tag in CONNECTION_LISTS if name in self._conf.get_list("Phase 2", tag))
        hint = "" if listed else "mend it, and send HUP"
        if dropped:
            reason = f"for {name}, which is no section, that of {', '.join(dropped)} is dropped"
        elif found.traffic:
            reason = f"{name} is no section: what it was before is dropped"
        elif listed:
            reason = f"{name} is no section, and what is like it is listed or dropped already"
        elif found.unread:
            reason = f"{name}: its traffic cannot be read, so it is not dropped"
        else:
            reason = f"{name} is no section: what is dropped for others may be its"
        return self._conf.error(reason, "Phase 2", next(lists, ""), hint)
