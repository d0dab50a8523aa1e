"""What is dropped of connections that are left out for an error in their configuration.

Of each side of the traffic of one what is written, or likely meant, and all that it was before;
and all that is with the far side where our own alone cannot be read, or is not certain. What is
dropped may be too much: what is not goes in clear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from isakmp.conf.parse import fold
from isakmp.conf.store import Conf
from isakmp.errors import ConfError
from isakmp.event.steps import Steps, pauses
from isakmp.policy.identity import Resolve
from isakmp.policy.meant import Meant
from isakmp.policy.reader import (
    CONNECTION_LISTS,
    connection_names,
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
BySection = Mapping[str, Traffic]
NOTHING: Iterable[tuple[str, BySection]] = ()


@dataclass(slots=True)
class Shut:
    """What is dropped of one connection, by the sections that it is of.

    of: as they are read now; was: as they were before; far: it is all with the far side; guessed:
    it is what was likely meant; unread: there may be more, which is not dropped; errors: what is to
    be said of that.
    """

    of: dict[str, Traffic] = field(default_factory=dict)
    was: dict[str, Traffic] = field(default_factory=dict)
    far: bool = False
    guessed: bool = False
    unread: bool = False
    errors: list[ConfError] = field(default_factory=list)

    @property
    def by_section(self) -> dict[str, Traffic]:
        """All of it."""
        found: dict[str, Traffic] = {}
        _add(found, self.of)
        _add(found, self.was)
        return found

    @property
    def traffic(self) -> Traffic:
        """The same, each selector once."""
        every = self.by_section.values()
        return tuple(dict.fromkeys(selector for each in every for selector in each))


def _add(to: dict[str, Traffic], those: BySection) -> None:
    for section, traffic in those.items():
        if traffic:
            to[section] = tuple(dict.fromkeys((*to.get(section, ()), *traffic)))


class Closing:
    """Says it of the connections of one configuration.

    What was protected or dropped is known by its section, whatever name that was listed by, and
    goes on to be dropped while that section, or else that name, is in error. What is of sections
    that are listed no more has the first that it may be meant by: a name that no section has, or a
    section of which nothing is known.
    """

    def __init__(self, conf: Conf, resolve: Resolve, meant: Meant) -> None:
        self._conf, self._resolve, self._meant = conf, resolve, meant
        self._listed = frozenset(map(fold, connection_names(conf)))
        self._was: dict[str, dict[str, Traffic]] = {}
        self._beside: dict[str, dict[str, Traffic]] = {}
        self._gone: dict[str, Traffic] = {}
        self._first: str | None = None
        self._taken: set[str] = set()
        self._left = _LOOKED_AT

    @classmethod
    def of(
        cls, conf: Conf, resolve: Resolve, before: Iterable[tuple[str, BySection]] = NOTHING
    ) -> Steps[Closing]:
        """That of a configuration, which must not change meanwhile. before: of each listed name
        what was protected or dropped until now."""
        closing = cls(conf, resolve, (yield from Meant.of(conf)))
        for (name, those), pause in pauses(before):
            closing._note(fold(name), those)
            if pause:
                yield
        return closing

    def _note(self, name: str, those: BySection) -> None:
        """Everybody is for nobody else: to drop that would cut this host off."""
        for section, traffic in those.items():
            key, one = fold(section), {section: traffic}
            _add(self._was.setdefault(key, {}), one)
            if key not in self._listed:
                _add(self._beside.setdefault(name, {}), one)
                _add(self._gone, {section: tuple(s for s in traffic if s.dst.prefixlen)})

    def _before(self, *names: str) -> dict[str, Traffic]:
        """What sections, or names that none has, were, and stood for."""
        found: dict[str, Traffic] = {}
        for key in map(fold, names):
            _add(found, self._was.get(key, {}))
            _add(found, self._beside.get(key, {}))
        return found

    def shut(self, name: str, why: ConfError | None) -> Shut:
        """What is dropped of a connection that is left out, or of what was one and is a bypass now
        that is. why: it is, where that is told. Names that no section has are to be asked for
        first."""
        if fold(name) not in self._listed:
            before = self._before(name)
            said = [self._conf.error("what it was before is dropped", name)] if before else []
            return Shut(was=before, errors=said)
        if self._meant.is_connection(name):
            return self._of_section(name, self._before(name), why.reason if why else "")
        return self._of_nobody(name)

    def _of_section(self, name: str, before: dict[str, Traffic], told: str = "") -> Shut:
        guessed, meant = self._meant.mend(name), self._meant.conf
        try:
            found = read_selectors_of(meant, name, self._resolve)
        except ConfError as error:
            self._meant.widen(name)
            try:
                found, guessed = read_selectors_of(meant, name, self._resolve), True
            except ConfError:
                return self._of_less(name, before, "" if error.reason == told else error.reason)
        if not guessed:
            return Shut({name: found}, before)
        return self._of_guess(name, before, found)

    def _of_guess(self, name: str, before: dict[str, Traffic], found: Traffic) -> Shut:
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
            self._lacks(shut, name, "what it names is not certain")
        return shut

    def _guessed(self, name: str, found: Traffic) -> ConfError:
        pairs = [f"{selector.src} with {selector.dst}" for selector in found[:_TOLD]]
        more = [f"{len(found) - _TOLD} more"] if len(found) > _TOLD else []
        return self._conf.error(f"dropped as likely meant: {', '.join(pairs + more)}", name)

    def _of_less(self, name: str, before: dict[str, Traffic], why: str) -> Shut:
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
            return Shut(before, errors=[said])
        shut = Shut()
        self._lacks(shut, name, why)
        return shut

    def _lacks(self, shut: Shut, name: str, why: str) -> None:
        """Say that there may be more. Nothing is known of what it was: it may be whatever is listed
        no more, by another name."""
        shut.was, self._gone, shut.unread = self._gone, {}, True
        reason = f"{'the rest of ' * any(shut.of.values())}its traffic cannot be read"
        if shut.was:
            gone = ", ".join(shut.was)
            reason += f": that of {gone}, which is listed no more, is dropped for it, and no other"
        else:
            reason += ", so it is not dropped"
        hint = self._conf.mend or "mend it, and send HUP"
        reason = f"{reason}: {why}" if why else reason
        shut.errors.append(self._conf.error(reason, name, hint=hint))

    def _of_nobody(self, name: str) -> Shut:
        """Of a name that no section has."""
        listed = self._meant.listed(name) if self._left else []
        self._left -= bool(self._left)
        found, free = Shut(was=self._before(name), guessed=True), self._unlisted
        for section in listed if listed else self._all(name):
            if section not in free or section in self._taken:
                continue
            self._taken.add(section)
            one = self._of_section(section, self._before(name, section))
            _add(found.of, one.of)
            _add(found.was, one.was)
            found.errors += one.errors
            found.unread |= one.unread
        _add(found.was, self._gone)
        self._gone = {}
        if not listed and not found.traffic:
            found.unread |= not free
        found.errors.insert(0, self._told(name, listed, found))
        return found

    def _all(self, name: str) -> list[str]:
        """All that nothing lists, for the first that asks."""
        if self._first is None:
            self._first = name
        return list(self._unlisted) if self._first == name else []

    @cached_property
    def _unlisted(self) -> dict[str, None]:
        return dict.fromkeys(self._meant.unlisted())

    def _told(self, name: str, listed: list[str], found: Shut) -> ConfError:
        """What becomes of the traffic of such a name."""
        dropped = [section for section in found.by_section if fold(section) != fold(name)]
        lists = (tag for tag in CONNECTION_LISTS if name in self._conf.get_list("Phase 2", tag))
        what = "connection" if self._conf.has_section(name) else "section"
        hint = "" if listed else "mend it, and send HUP"
        if dropped:
            reason = f"for {name}, which is no {what}, that of {', '.join(dropped)} is dropped"
        elif found.traffic:
            reason = f"{name} is no {what}: what it was before is dropped"
        elif listed:
            reason = f"{name} is no {what}, and what is like it is listed or dropped already"
        elif found.unread:
            reason = f"{name}: its traffic cannot be read, so it is not dropped"
        else:
            reason = f"{name} is no {what}: what is dropped for others may be its"
        return self._conf.error(reason, "Phase 2", next(lists, ""), hint)
