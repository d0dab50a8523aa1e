"""Tags that are not known: a misspelt one must not silently take away what it asks for."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from isakmp.conf.alike import ALIKE, most_alike, nearest, whole
from isakmp.conf.astray import misheld, names_algorithms, names_traffic
from isakmp.conf.elsewhere import same_here
from isakmp.conf.kinds import Kind
from isakmp.conf.misplaced import misplaced
from isakmp.conf.parse import MEND_NO_VALUE, NO_VALUE, fold
from isakmp.conf.store import Conf, first_of
from isakmp.conf.tags import FIXED, TAGS, tag_of
from isakmp.conf.tags_general import NEEDED_AT_START
from isakmp.errors import ConfError
from isakmp.event.steps import Steps, at_once, pauses

_FIXED_KEYS = frozenset(map(fold, FIXED))
# How much alike a tag is that may be meant for one that a start needs (``Username``).
_SOMEWHAT = 0.6
# Looking for what is alike is slow: so many unknown tags of a section are looked at.
MAX_UNKNOWN = 100


@lru_cache(4096)
def likely_meant(kind: Kind, name: str, likeness: float = ALIKE) -> str:
    """The known tag that a name looks like; empty where it looks like none."""
    return most_alike(name, TAGS[kind], likeness)


def meant_by(conf: Conf, kind: Kind, section: str, name: str, likeness: float = ALIKE) -> str:
    """The known tag that an unknown one of a section looks like, whole or as it is written."""
    joined, _ = whole(name, conf.get(section, name) or "")
    return likely_meant(kind, joined, likeness) or likely_meant(kind, name, likeness)


def unknown_tag(
    conf: Conf, kind: Kind, section: str, name: str, likeness: float = ALIKE
) -> ConfError:
    """What is to be said of a tag that is not known; without a hint it is ignored."""
    hint = misheld(kind, conf.written.get(fold(section)), name)
    if not hint:
        like = meant_by(conf, kind, section, name, likeness)
        value = conf.get(section, name) or ""
        meant = names_traffic(kind, name, like, value, lambda one: conf.written.get(fold(one)))
        same = same_here(kind, name)
        same = same or names_algorithms(kind, conf.written.get(fold(section)), value)
        if not meant and same and not conf.is_written(section, same):
            meant = (same,)
        meant = meant or tuple(filter(None, (like,)))
        hint = f"did you mean {' or '.join(meant)}?" if meant else ""
        if meant and tag_of(kind, meant[0]) is None:
            hint = f"it belongs to {Kind.CONNECTION.value}, as {meant[0]}"
    return conf.error(f"no tag {name} in {kind.value}", section, name, hint)


def _unknown(conf: Conf, kind: Kind, section: str) -> list[str]:
    """The tags of a fixed section that are not known, as many as are looked at."""
    tags = [tag for tag in conf.tags(section) if tag_of(kind, tag) is None]
    return tags[:MAX_UNKNOWN]


def lent(conf: Conf, tag: str) -> Any:
    """What [General] says for sections that do not. ConfError where that is refused, or its tag is
    misspelt: the default could be weaker than what was meant."""
    if not conf.is_written("General", tag):
        for name in _unknown(conf, Kind.GENERAL, "General"):
            if meant_by(conf, Kind.GENERAL, "General", name) == tag:
                raise unknown_tag(conf, Kind.GENERAL, "General", name)
    return conf.value(Kind.GENERAL, "General", tag)


def safest(conf: Conf, tag: str) -> Any:
    """What [General] says; what is safe where that is refused, or its tag is misspelt."""
    try:
        return lent(conf, tag)
    except ConfError:
        row = TAGS[Kind.GENERAL][tag]
        return row.type.parse(row.safe)


def lost(conf: Conf) -> list[ConfError]:
    """What would be lost without a trace: a misspelt section or tag that says what there is, or one
    under the header of another, as its own is missing.

    There is no section then that could be left out alone, and no traffic that could be dropped.
    """
    return at_once(losing(conf))


def losing(conf: Conf) -> Steps[list[ConfError]]:
    """The same in steps."""
    named = set(_FIXED_KEYS)
    for section, pause in pauses(conf.written.values()):
        named |= section.named()
        if pause:
            yield
    strays = [s.name for key, s in conf.written.items() if key not in named]
    found = []
    for stray in strays:
        if hint := (yield from _likely_fixed(conf, stray)):
            found.append(conf.error("nothing names this section", stray, "", hint))
    for tag in _unknown(conf, Kind.PHASE_2, "Phase 2"):
        if meant_by(conf, Kind.PHASE_2, "Phase 2", tag):
            found.append(unknown_tag(conf, Kind.PHASE_2, "Phase 2", tag))
        elif _lists_connections(conf, tag):
            error = unknown_tag(conf, Kind.PHASE_2, "Phase 2", tag)
            error.hint = "it names an IPsec connection, as Connections and Passive-connections do"
            found.append(error)
    found += _unheard_at_start(conf)
    told = {fold(error.section) for error in found}
    found += [error for error in (yield from misplaced(conf)) if fold(error.section) not in told]
    return found


def _unheard_at_start(conf: Conf) -> list[ConfError]:
    """Of misspelt tags of [General] those whose default could be more than was meant."""
    place = Kind.GENERAL, "General"
    return [
        unknown_tag(conf, *place, tag, _SOMEWHAT)
        for tag in _unknown(conf, *place)
        if meant_by(conf, *place, tag, _SOMEWHAT) in NEEDED_AT_START
    ]


def _lists_connections(conf: Conf, tag: str) -> bool:
    """Whether a tag of [Phase 2] names connections, whatever it is meant for."""
    return any(conf.is_written(name, "ISAKMP-peer") for name in conf.get_list("Phase 2", tag))


def refuse_lost(conf: Conf) -> None:
    """ConfError where a configuration cannot be used at all, at a start or later."""
    at_once(refusing_lost(conf))


def refusing_lost(conf: Conf) -> Steps[None]:
    """The same in steps."""
    if errors := (yield from losing(conf)):
        raise first_of(errors)


def _likely_fixed(conf: Conf, section: str) -> Steps[str]:
    """A hint with the fixed section that another is meant for, by its name and tags; or empty."""
    for name, kind in FIXED.items():
        hint = nearest(section, [name], ALIKE)
        if hint and any(tag_of(kind, tag) for tag in conf.tags(section)):
            return hint
        yield  # to look for what is alike is slow
    return ""


def refuse_misspelt(conf: Conf, kind: Kind, section: str) -> None:
    """ConfError where a written tag is not known and looks like one that is, belongs elsewhere or
    says what the traffic is, and where one says nothing.

    Others are ignored: isakmpd's files have tags that we do not know.
    """
    if conf.knows_all(kind, section):
        return
    rows = {tag: tag_of(kind, tag) for tag in conf.tags(section)}
    for tag, row in rows.items():
        if row and not row.may_be_empty and conf.is_empty(section, tag):
            raise conf.error(NO_VALUE, section, tag, MEND_NO_VALUE)
    unknown = [tag for tag, row in rows.items() if row is None]
    for name in unknown[:MAX_UNKNOWN]:
        error = unknown_tag(conf, kind, section, name)
        if error.hint:
            raise error
    if len(unknown) > MAX_UNKNOWN:
        raise conf.error(f"more than {MAX_UNKNOWN} unknown tags", section)
