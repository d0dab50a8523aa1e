"""Kinds of sections of isakmpd.conf(5), and what a row of the table of tags says."""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from isakmp.conf.values import SECTION, BadValue, Type


class Kind(Enum):
    """A kind of section; the value is what people call it."""

    # There is one object of each; by its name it is hashed in Python, hundreds of times a section.
    __hash__ = object.__hash__

    GENERAL = "[General]"
    PHASE_1 = "[Phase 1]"
    PHASE_2 = "[Phase 2]"
    KEYNOTE = "[KeyNote]"
    X509 = "[X509-certificates]"
    PEER = "an ISAKMP peer"
    ID = "an identity"
    ISAKMP_CONFIGURATION = "an ISAKMP configuration"
    ISAKMP_TRANSFORM = "an ISAKMP transform"
    LIFETIME = "a lifetime"
    CONNECTION = "an IPsec connection"
    IPSEC_CONFIGURATION = "an IPsec configuration"
    SUITE = "a suite"
    PROTOCOL = "a protocol"
    IPSEC_TRANSFORM = "an IPsec transform"
    MODE_CONFIG = "a mode-config identity"
    BYPASS = "a bypass"
    INITIATOR = "an initiator's identity"


class Tag(NamedTuple):
    """A row of the table: all that is known of a tag.

    default: the value where none is written; otherwise: what holds then, where that is no value;
    every: a list, whose every item is of the type; leads: the kind of the sections it names; idle:
    understood, for the sake of existing files, and without effect; loose: a value that is not known
    is ignored with a warning, as isakmpd did, unless it looks like one; harmless: its default lets
    in no more, and protects no less, than what could be said; lent: of [General], what other
    sections have that do not say it: where it is refused those are left out, as its default could
    be weaker; safe: what counts in the place of the default where it is refused, as that would open
    what should stay closed.
    """

    type: Type
    meaning: str
    default: str = ""
    otherwise: str = ""
    every: bool = False
    leads: Kind | None = None
    idle: bool = False
    loose: bool = False
    harmless: bool = False
    lent: bool = False
    safe: str = ""

    def parse(self, text: str) -> Any:
        """What a value means, of a list an item. BadValue, where it lacks a comma with that."""
        try:
            return self.type.parse(text)
        except BadValue as error:
            words = text.split() if self.every and not error.hint.startswith("write ") else []
            if len(words) < 2 or not all(map(self._reads, words)):
                raise
            reason = str(error)
        raise BadValue(reason, f"is a comma missing: {', '.join(words)}?")

    def _reads(self, word: str) -> bool:
        try:
            self.type.parse(word)
        except BadValue:
            return False
        return True

    @property
    def may_be_empty(self) -> bool:
        """Whether it is ignored without a value, with a warning, where others are in error."""
        return self.idle or self.loose or self.harmless


def section(
    kind: Kind, meaning: str, default: str = "", otherwise: str = "", harmless: bool = False
) -> Tag:
    """A tag that names one section."""
    return Tag(SECTION, meaning, default, otherwise, leads=kind, harmless=harmless)


def sections(
    kind: Kind, meaning: str, default: str = "", otherwise: str = "", harmless: bool = False
) -> Tag:
    """A tag that lists sections."""
    return section(kind, meaning, default, otherwise, harmless)._replace(every=True)
