"""What a section in error was likely meant to say about traffic: for closing it, never for
negotiating.

Where a tag is misspelt, or what it names is, the likeliest is read in its place. Otherwise the
default of what is misspelt would be dropped, and what is to be protected would go in clear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property, lru_cache
from ipaddress import ip_interface

from isakmp.conf.alike import ALIKE, alike, most_alike, whole
from isakmp.conf.astray import SIDES, is_network, is_traffic, names_traffic
from isakmp.conf.kinds import Kind
from isakmp.conf.mistaken import Users, connections_of, is_connection, peer_of, users_of
from isakmp.conf.parse import Entry, Parsed, Section, fold, items_of
from isakmp.conf.spelling import MAX_UNKNOWN
from isakmp.conf.store import Conf
from isakmp.conf.tags import FIXED, FOLDED, TAGS, tag_of
from isakmp.conf.values import BadValue
from isakmp.constants import ipsec, names
from isakmp.errors import ConfError
from isakmp.event.steps import Steps, pauses
from isakmp.policy.identity import read_identity
from isakmp.policy.likely_network import is_mask, likely_network
from isakmp.policy.likely_selectors import likely_selectors
from isakmp.policy.reader import bypass_names, connection_names
from isakmp.policy.sameness import SUBNETS, VERSION

# What a section of a kind has, folded, and others have not.
MARKS_OF_CONNECTIONS = frozenset(("isakmp-peer", "local-id", "esp-proposals"))
_MARKS = {
    Kind.CONNECTION: MARKS_OF_CONNECTIONS,
    Kind.PEER: frozenset(("key-exchange", "ike-proposals", "address")),
    Kind.ID: frozenset(("id-type", "network")),
}
# The tags that lead from a connection to what its traffic is read from.
_LEADS = {"ISAKMP-peer": Kind.PEER, "Local-ID": Kind.ID, "Remote-ID": Kind.ID}
_NAMES = {Kind.PEER: ("isakmp-peer",), Kind.ID: ("id", "local-id", "remote-id")}
# What a peer has, and no identity, which has an address, too.
_OF_PEERS = frozenset(("local-address", "authentication", "key-exchange", "ike-proposals"))
# The tags that others have, and a kind has not, and the names that no section of one has.
_FOREIGN = {
    kind: frozenset(tag for tags in FOLDED.values() for tag in tags if tag not in FOLDED[kind])
    | frozenset(map(fold, FIXED))
    for kind in _MARKS
}
_NETWORKS = frozenset(kind.name for kind in VERSION)
_SUBNETS = frozenset(kind.name for kind in SUBNETS)
_ANY = {4: ip_interface("0.0.0.0/32"), 6: ip_interface("::/128")}
# A tag in a value.
_TAGS = {
    kind: re.compile(rf"\s*({'|'.join(map(re.escape, TAGS[kind]))})\s*=\s*", re.IGNORECASE)
    for kind in _MARKS
}
# What restricts a network, in a list and in an identity.
_PROTOCOL = re.compile(r"\s*\[[^\[\]]*\]")
_NARROWING = frozenset(("protocol", "port"))
# Between names that should have a comma between them.
_BETWEEN = re.compile(r"[\s;]+")


class Meant:
    """The likely meaning of one configuration. conf: that, as far as mend() has been asked."""

    def __init__(self, conf: Conf) -> None:
        self._written, self._sections = conf.written, dict(conf.written)
        self.conf = Conf(Parsed(self._sections), conf.path)
        self._known = {kind: dict[str, Section]() for kind in _MARKS}
        self._named = {kind: set[str]() for kind in _MARKS}
        self._mended: dict[tuple[Kind, str], bool] = {}
        self._rests: set[str] = set()
        self._doubtful: dict[str, set[str]] = {}
        self._uncertain: set[str] = set()

    @classmethod
    def of(cls, conf: Conf) -> Steps[Meant]:
        """That of a configuration, which must not change meanwhile."""
        meant = cls(conf)
        for section, pause in pauses(conf.written.values()):
            meant._note(section)
            if section.again:
                meant._note_again(section)
            if pause:
                yield
        listed = *connection_names(conf), *bypass_names(conf)
        meant._named[Kind.CONNECTION].update(map(fold, listed))
        return meant

    def _note(self, section: Section) -> None:
        key = fold(section.name)
        for kind, marks in _MARKS.items():
            if not marks.isdisjoint(section.entries):
                self._known[kind][key] = section
            for tag in _NAMES.get(kind, ()):
                if entry := section.entries.get(tag):
                    self._named[kind].add(fold(entry.value))

    def _note_again(self, section: Section) -> None:
        """What a section says again may be another's, under a name that no header has, and what
        it says from there on."""
        first = section.again[0]
        other = Section(f"[{first.file}:{first.line}]", first.file, first.line)
        for entry in section.again:
            other.entries.setdefault(fold(entry.tag), entry)
        if len(other.entries) == len(section.again):
            for key, entry in section.entries.items():
                if entry.file == first.file and entry.line > first.line:
                    other.entries.setdefault(key, entry)
            self._sections[fold(other.name)] = other
            self._rests.add(fold(other.name))
            self._note(other)

    def mend(self, name: str, kind: Kind = Kind.CONNECTION) -> bool:
        """Have ``conf`` say what a section, and what it names, likely means; whether that is
        something else than what is written."""
        key = fold(name)
        if (kind, key) not in self._mended:
            self._mended[kind, key] = False
            if (section := self._sections.get(key)) is not None:
                self._mended[kind, key] = self._mend(kind, key, section)
        return self._mended[kind, key]

    def section(self, name: str) -> Section:
        """What the section of a connection, or of a bypass, likely means."""
        self.mend(name)
        return self._sections[fold(name)]

    def widen(self, name: str) -> None:
        """Have ``conf`` say all of the networks that a connection names: no protocol, and no port.
        For one whose sides have none in common."""
        section = self.section(name)
        for identity, selectors in SIDES:
            if entry := section.entries.get(fold(selectors)):
                value = _PROTOCOL.sub("", entry.value)
                section.entries[fold(selectors)] = entry._replace(value=value)
            entry = section.entries.get(fold(identity))
            if entry and (named := self._find(entry.value)):
                copy = self._copy(Kind.ID, named)
                wide = {key: e for key, e in named.entries.items() if key not in _NARROWING}
                self._sections[fold(copy)] = replace(named, name=copy, entries=wide)
                section.entries[fold(identity)] = entry._replace(value=copy)

    def doubts(self, name: str) -> tuple[bool, bool]:
        """Whether our side, and whether the far side, of a connection that mend() has been asked
        for is read from a section that it may not mean at all."""
        doubtful = self._doubtful.get(fold(name), set())
        near, far = (
            bool(doubtful & {tag, "ISAKMP-peer"})
            and not self.conf.is_written(name, selectors)
            and (tag in doubtful or not self.conf.is_written(name, tag))
            or selectors in doubtful
            for tag, selectors in SIDES
        )
        return near, far

    def _mend(self, kind: Kind, key: str, section: Section) -> bool:
        entries = _apart(kind, _whole(kind, section.entries))
        unknown = [entry for entry in entries.values() if tag_of(kind, entry.tag) is None]
        traffic: list[tuple[Entry, tuple[str, ...]]] = []
        for entry in unknown:
            del entries[fold(entry.tag)]
        for entry in unknown[:MAX_UNKNOWN]:
            tag = _likely(kind, entry.tag)
            if meant := self._names_traffic(kind, entry, tag, unknown):
                traffic.append((entry, meant))
                continue
            if fold(tag) in entries:
                left = (other for other in TAGS[kind] if fold(other) not in entries)
                tag = most_alike(entry.tag, left, ALIKE)
            if tag:
                entries[fold(tag)] = entry._replace(tag=tag)
        self._sections[key] = Section(section.name, section.file, section.line, entries)
        mended = False
        if kind is Kind.CONNECTION:
            taken = [entry for entry, _ in traffic]
            if any(fold(entry.tag) == "network" and entry not in taken for entry in unknown):
                unsaid = (side[1] for side in SIDES if not _said(entries, side))
                self._doubtful.setdefault(key, set()).update(unsaid)
            self._mend_traffic(key, entries, [*traffic, *self._of_peer(entries)])
            self._mend_lists(key, entries)
            mended = sum(self._lead(key, entries, tag, to) for tag, to in _LEADS.items()) > 0
        elif kind is Kind.ID:
            self._mend_identity(section.name, entries, [entry for entry, _ in traffic])
        return mended or entries != section.entries

    def _names_traffic(
        self, kind: Kind, entry: Entry, like: str, unknown: list[Entry]
    ) -> tuple[str, ...]:
        """What an unknown tag may be meant for, as its value says; not one that is another's and
        may have its value, as the header may be missing."""
        if any(fold(entry.tag) in FOLDED[other] for other in _MARKS):
            missing = any(fold(other.tag) == "id-type" for other in unknown)
            own = not is_network(entry.value) and self._find(entry.value) is None
            if kind is not Kind.CONNECTION or missing or own:
                return ()
            like = ""
        return names_traffic(kind, entry.tag, like, entry.value, self._find)

    def _find(self, name: str) -> Section | None:
        return self._sections.get(fold(name))

    def _of_peer(self, entries: dict[str, Entry]) -> Iterator[tuple[Entry, tuple[str, ...]]]:
        """What the peer's section says of a side that a connection does not, and is no peer's."""
        peer = entries.get("isakmp-peer")
        section = self._written.get(fold(peer.value)) if peer else None
        for key, entry in section.entries.items() if section else ():
            known = next((tag for side in SIDES for tag in side if fold(tag) == key), "")
            named = self._find(entry.value)
            kind = named.entries.get("id-type") if named else None
            a_net = is_network(entry.value) or kind and kind.value.upper() in _SUBNETS
            if known and (a_net or key not in FOLDED[Kind.PEER]):
                meant: tuple[str, ...] = (known,)
            elif key in FOLDED[Kind.PEER] or not is_network(entry.value):
                continue
            else:
                meant = names_traffic(Kind.CONNECTION, entry.tag, "", entry.value, self._find)
            if not all(_said(entries, side) for side in SIDES if not set(side).isdisjoint(meant)):
                yield entry, meant

    def _mend_traffic(
        self, key: str, entries: dict[str, Entry], strays: list[tuple[Entry, tuple[str, ...]]]
    ) -> None:
        """With the traffic that unknown tags say. It is not certain where it is not told on which
        side, or an identity says that side."""
        doubtful = self._doubtful.setdefault(key, set())
        for entry, meant in sorted(strays, key=lambda stray: len(stray[1])):
            sides = [side for side in SIDES if not set(side).isdisjoint(meant)]
            free = [side for side in sides if not _said(entries, side)]
            side = next(iter(free), sides[0])
            (tag,) = set(side) & set(meant)
            said = entries.get(fold(tag))
            if said and tag == side[1]:
                entries[fold(tag)] = said._replace(value=f"{said.value}, {entry.value}")
            elif free:
                entries[fold(tag)] = entry._replace(tag=tag)
            same = said is not None and (tag == side[1] or fold(said.value) == fold(entry.value))
            if len(sides) > 1 != len(free) or not (free or same):
                doubtful.update(selectors for _, selectors in sides)

    def _mend_lists(self, key: str, entries: dict[str, Entry]) -> None:
        """Without the selectors that cannot be read, and with the commas that are missing, and the
        networks that are written otherwise."""
        for _, tag in SIDES:
            entry, parse = entries.get(fold(tag)), TAGS[Kind.CONNECTION][tag].type.parse
            if entry is None or all(_reads(parse, item) for item in items_of(entry.value)):
                continue
            read, certain = likely_selectors(entry.value)
            if read:
                entries[fold(tag)] = entry._replace(value=", ".join(read))
                if not certain:
                    self._doubtful.setdefault(key, set()).add(tag)

    def _lead(self, key: str, entries: dict[str, Entry], tag: str, kind: Kind) -> bool:
        """Follow a tag of a connection to what it likely names; whether that is mended."""
        entry = entries.get(fold(tag))
        if entry is None:
            return False
        if kind is Kind.ID and not self.conf.has_section(entry.value) and is_traffic(entry.value):
            selectors = next(other for identity, other in SIDES if identity == tag)
            del entries[fold(tag)]
            said, (found, _) = entries.get(fold(selectors)), likely_selectors(entry.value)
            value = ", ".join([*([said.value] if said else []), *found])
            entries[fold(selectors)] = entry._replace(tag=selectors, value=value)
            return True
        named = self._sections.get(fold(entry.value))
        mistaken = kind is Kind.PEER and is_connection(named)
        if named and mistaken and (peer := peer_of(named, self._sections)):
            entry = entries[fold(tag)] = entry._replace(value=peer)
            return self.mend(peer, kind) or True
        peers = kind is Kind.ID and self._is_peers(entry)
        if mistaken or peers or not self.conf.has_section(entry.value):
            others = {fold(entries[one].value) for one in map(fold, _LEADS) if one in entries}
            like, certain = self._like(entry.value, kind, others)
            if like:
                entry = entries[fold(tag)] = entry._replace(value=like)
            if like and not certain:
                self._doubtful.setdefault(key, set()).add(tag)
            if mistaken and not like:
                return False
        mended = self.mend(entry.value, kind)
        if kind is Kind.ID and fold(entry.value) in self._uncertain:
            self._doubtful.setdefault(key, set()).add(tag)
        return mended

    def _is_peers(self, entry: Entry) -> bool:
        """Whether what should name an identity names what is a peer alone."""
        named = self._find(entry.value)
        return named is not None and _is_peer(named) and _MARKS[Kind.ID].isdisjoint(named.entries)

    def _like(self, name: str, kind: Kind, others: set[str]) -> tuple[str, bool]:
        """The section of a kind that a name is likely meant for, and whether that is certain.

        First what is left of the only one whose header is missing; then the one that it looks most
        like, but for the others that the connection names, which is certain where it is like no
        other and nothing names that; then the only one that nothing names.
        """
        free = self._free(kind)
        rests = [section for section in free if self._is_rest(kind, section)]
        whole = [section for section in free if section not in rests]
        if len(rests) == 1:
            like = most_alike(name, (section.name for section in whole))
            return self._copy(kind, rests[0]), not like
        known = [each.name for key, each in self._known[kind].items() if key not in others]
        if found := most_alike(name, known):
            alone = len(alike(name, known)) == 1
            return found, alone and found in [section.name for section in whole]
        return (self._copy(kind, free[0]), False) if len(free) == 1 else ("", False)

    def _is_rest(self, kind: Kind, section: Section) -> bool:
        """Whether a section that nothing names as one of a kind is the rest of one: it has no name,
        or is something else beside."""
        key = fold(section.name)
        return key in self._rests or not _FOREIGN[kind].isdisjoint((key, *section.entries))

    def _copy(self, kind: Kind, section: Section) -> str:
        """The name of a copy: it may be another section that has these tags beside its own."""
        copy = replace(section, name=f"[{kind.value}: {section.name}]")
        self._sections[fold(copy.name)] = copy
        return copy.name

    def _free(self, kind: Kind) -> list[Section]:
        """The sections of a kind that nothing names. An identity has an address, too."""
        named = self._named[kind]
        free = [section for key, section in self._known[kind].items() if key not in named]
        if kind is Kind.PEER:
            free = [s for s in free if _MARKS[Kind.ID].isdisjoint(s.entries) or _is_peer(s)]
        return free

    def _mend_identity(self, name: str, entries: dict[str, Entry], strays: list[Entry]) -> None:
        """Without the Protocol and Port that cannot be read: of the network all is meant. strays:
        unknown tags whose values are addresses or networks."""
        kind, known = entries.get("id-type"), list(names(ipsec.Id))
        address = entries.get("network") or entries.get("address")
        if address:
            family = "IPV6_ADDR" if ":" in address.value else "IPV4_ADDR"
            known = [family, f"{family}_SUBNET"]
        if kind and kind.value.upper() not in names(ipsec.Id):
            entries["id-type"] = kind._replace(value=most_alike(kind.value, known) or kind.value)
        elif address and not kind:
            entries["id-type"] = address._replace(tag="ID-type", value=known["network" in entries])
        for tag in ("Protocol", "Port"):
            try:
                self.conf.value(Kind.ID, name, tag)
            except ConfError:
                del entries[fold(tag)]
        if "protocol" not in entries:
            entries.pop("port", None)
        is_net = "id-type" in entries and entries["id-type"].value.upper() in _NETWORKS
        if is_net and (strays or not self._is_network(name)):
            self._mend_network(name, entries, strays)

    def _is_network(self, name: str) -> bool:
        """Whether an identity can be read, whatever the addresses of this host."""
        try:
            read_identity(self.conf, name, lambda _, version: _ANY[version])
        except ConfError:
            return False
        return True

    def _mend_network(self, name: str, entries: dict[str, Entry], strays: list[Entry]) -> None:
        """With the network that is likely meant."""
        masks = [entry.value for entry in (entries.get("netmask"),) if entry]
        masks += [entry.value for entry in strays if is_mask(entry.value)]
        nets = [entries.get("network"), entries.get("address")]
        nets += [entry for entry in strays if not is_mask(entry.value)]
        written = next(filter(None, nets), None)
        found, certain = likely_network(written.value, masks) if written else (None, False)
        if written is None or found is None:
            return
        if not certain:
            self._uncertain.add(fold(name))
        said = {
            "ID-type": f"IPV{found.version}_ADDR_SUBNET",
            "Network": str(found.network_address),
            "Netmask": str(found.prefixlen),
        }
        entries.update({fold(tag): written._replace(tag=tag, value=said[tag]) for tag in said})

    def is_connection(self, name: str) -> bool:
        """Whether a listed name has a section, and that is not what a connection names."""
        return self.conf.has_section(name) and not self._using(name)

    def _using(self, name: str) -> list[str]:
        """The connections that name a section that is none."""
        return list(connections_of(self._sections.get(fold(name)), self._users))

    @cached_property
    def _users(self) -> Users:
        return users_of(self._known[Kind.CONNECTION].values())

    def listed(self, name: str) -> list[str]:
        """The sections that a listed name which is none may be meant for: those that name it, those
        it is made of where a comma is missing, or all that it looks like; none: that cannot be
        told."""
        known = self._known[Kind.CONNECTION]
        if using := self._using(name):
            return using
        if made_of := _made_of(name, known):
            return made_of
        words = [word for word in _BETWEEN.split(name) if _speaks(word)]
        if len(words) > 1:
            every = [section.name for section in known.values()]
            like = [alike(word, every) for word in words]
            if all(like):
                return list(dict.fromkeys(each for some in like for each in some))
        return alike(name, self.unlisted())

    def unlisted(self) -> list[str]:
        """The sections that look like connections, and are not listed."""
        return [section.name for section in self._free(Kind.CONNECTION)]


def _said(entries: dict[str, Entry], side: tuple[str, str]) -> bool:
    """Whether a tag says that side."""
    return any(fold(tag) in entries for tag in side)


def _whole(kind: Kind, entries: dict[str, Entry]) -> dict[str, Entry]:
    """What a section says, where an equals sign may be a slip within a tag."""
    found = dict(entries)
    split = [
        key for key, entry in entries.items() if key not in FOLDED[kind] and "=" in entry.value
    ]
    for key in split[:MAX_UNKNOWN]:
        tag, value = whole(entries[key].tag, entries[key].value)
        if fold(tag) not in found and _likely(kind, tag):
            found[fold(tag)] = found.pop(key)._replace(tag=tag, value=value)
    return found


def _apart(kind: Kind, entries: dict[str, Entry]) -> dict[str, Entry]:
    """What a section says, where a line end may be lost: a value with a tag in it is two."""
    found = dict(entries)
    for key, entry in entries.items():
        value, *more = _TAGS[kind].split(entry.value)
        if more:
            found[key] = entry._replace(value=value)
            for tag, text in zip(more[::2], more[1::2], strict=True):
                found.setdefault(fold(tag), entry._replace(tag=tag, value=text))
    return found


def _is_peer(section: Section) -> bool:
    """Whether a section has what a peer alone has."""
    return not _OF_PEERS.isdisjoint(section.entries)


@lru_cache(1024)
def _likely(kind: Kind, tag: str) -> str:
    """The known tag that one looks like, or none: thousands may be misspelt alike."""
    return most_alike(tag, TAGS[kind], ALIKE)


def _reads(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except BadValue:
        return False
    return True


def _made_of(name: str, known: dict[str, Section]) -> list[str]:
    """The names that another is made of, and nothing that says anything beside."""
    rest, found = fold(name), []
    for key in sorted((key for key in known if key in rest), key=len, reverse=True):
        if key in rest:
            rest = rest.replace(key, "\n")
            found.append(known[key].name)
    return [] if _speaks(rest) else found


def _speaks(text: str) -> bool:
    return any(character.isalnum() for character in text)
