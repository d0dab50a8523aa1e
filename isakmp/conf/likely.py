"""What is likely meant: the kind of a section, and the section that a name is to be of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice

from isakmp.conf.alike import alike
from isakmp.conf.kinds import Kind
from isakmp.conf.parse import Section, fold
from isakmp.conf.tags import FIXED, MODE_CONFIG_PREFIXES, TAGS, tag_of

# Of so many names that look like it the kinds are compared.
_COMPARED_MAX = 16
_FIXED_KEYS = frozenset(map(fold, FIXED))
_PHASES = {"1": Kind.PEER, "2": Kind.CONNECTION}


def likely_kind(section: Section) -> Kind | None:
    """The kind whose tags the section has most of; None where it has none of any kind."""
    if section.name.lower().startswith(MODE_CONFIG_PREFIXES):
        return Kind.MODE_CONFIG
    tags, entries = list(section.entries), section.entries
    phase = _PHASES.get(entries["phase"].value) if "phase" in entries else None
    if phase or tags == ["authentication"]:
        return phase or Kind.INITIATOR
    if "exchange_type" in entries:
        quick = entries["exchange_type"].value.upper() == "QUICK_MODE"
        return Kind.IPSEC_CONFIGURATION if quick else Kind.ISAKMP_CONFIGURATION
    kinds = [kind for kind in Kind if kind not in FIXED.values()]
    if "authentication" in tags and "id-type" not in tags:
        kinds.remove(Kind.ID)
    scores = {kind: sum(tag_of(kind, tag) is not None for tag in tags) for kind in kinds}
    best = max(kinds, key=lambda kind: (scores[kind], -len(TAGS[kind])))
    return best if scores[best] else None


def likely_section(name: str, written: Mapping[str, Section], wanted: Collection[Kind]) -> str:
    """A hint with the section that a name of such a kind most likely means, of those that look like
    it: of that kind, or of none that can be told, and what nothing names before what is in use.
    written: by folded names."""
    known = (section.name for key, section in written.items() if key not in _FIXED_KEYS)
    names = alike(name, known)[:_COMPARED_MAX]
    kinds = {one: likely_kind(written[fold(one)]) for one in names}
    fits = [one for one, kind in kinds.items() if kind in wanted]
    fits = fits or [one for one, kind in kinds.items() if kind is None]
    free = next((one for one in fits if not _is_named(one, written)), None)
    found = free or next(iter(fits), "")
    return f"did you mean {found}?" if found else ""


def only_unnamed(written: Mapping[str, Section], wanted: Collection[Kind]) -> str:
    """A hint with the section of these kinds that nothing names, where there is one alone."""
    named = frozenset().union(*(section.named() for section in written.values()))
    named |= _FIXED_KEYS
    free = (s.name for key, s in written.items() if key not in named and likely_kind(s) in wanted)
    first = list(islice(free, 2))
    return f"did you mean {first[0]}?" if len(first) == 1 else ""


def headless(written: Mapping[str, Section], wanted: Collection[Kind]) -> str:
    """A hint with the section of a fixed name that has tags of one of these kinds, as that one's
    header is missing."""
    for name, kind in FIXED.items():
        section = written.get(fold(name))
        if section is None:
            continue
        rest = {tag: e for tag, e in section.entries.items() if tag_of(kind, e.tag) is None}
        if rest and likely_kind(Section(section.name, section.file, section.line, rest)) in wanted:
            first = next(iter(rest.values()))
            return f"is its header missing above {first.tag} in [{section.name}]?"
    return ""


def _is_named(name: str, written: Mapping[str, Section]) -> bool:
    key = fold(name)
    return any(key in section.named() for section in written.values())
