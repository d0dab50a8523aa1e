"""What is compared of a peer's proposal and ours, thing by thing, and what to set where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from isakmp.conf.generated import main_mode_name, quick_mode_name
from isakmp.constants import ipsec, name_of
from isakmp.errors import Part
from isakmp.policy import stronger
from isakmp.policy.spd import Range
from isakmp.policy.stronger import Gap, Side

# The ciphers, and what goes with them, by the names of IKEv1.
_CIPHERS = ("ENCRYPTION_ALGORITHM", "TRANSFORM_ID")
_BITS, _AUTH, _MODE = "KEY_LENGTH", "AUTHENTICATION_ALGORITHM", "ENCAPSULATION_MODE"
_OTHERS = ("HASH_ALGORITHM", "GROUP_DESCRIPTION")


def unlike(what: str, theirs: str, ours: str, *, placed: bool) -> str:
    """That both ends have something else; placed: and who has what."""
    return f"{what} {theirs} at the peer, {ours} here" if placed else f"{what} {theirs}, not {ours}"


def made_alike(apart: Iterable[str]) -> str:
    """The mend of what keeps both ends apart and has no stronger, of texts that say it."""
    told = "; ".join(apart)
    return f"make both ends the same: {told}" if told else ""


class Row(NamedTuple):
    """An attribute that is compared. registry: of its values, None for numbers; wanted: None where
    any is taken, 0 where none is, a Range of numbers; unit: of numbers; unspoken: it is wanted, and
    cannot be had; said: where it is, if elsewhere than what is compared; mend: instead of making
    both ends the same."""

    label: str
    registry: Any
    came: int
    wanted: int | Range | None
    fits: bool
    unit: str = ""
    unspoken: bool = False
    said: str = ""
    mend: str = ""

    def theirs(self) -> str:
        """What came, by its name; 0 is no value of any registry: nothing came."""
        return _said(self.registry, self.came) + self.unit

    def ours(self) -> str:
        """What would have been taken."""
        if self.wanted is None:
            return "any"
        return _said(self.registry, self.wanted)

    def __str__(self) -> str:
        return self.told()

    def told(self, *, placed: bool = False) -> str:
        """In words; placed: with who has what."""
        if self.unspoken:
            return f"{self.label} {self.theirs()}, which is not spoken yet"
        if self.wanted is None:
            return f"{self.label} {self.theirs()}, not a known one"
        if self.wanted == 0 and self.registry is None:
            return f"{self.label} {self.theirs()}, not expected"
        return unlike(self.label, self.theirs(), self.ours(), placed=placed)

    def part(self) -> Part:
        """For who shows both sides beside each other."""
        theirs = self.theirs()
        same = self.came == self.wanted and not self.unit
        return Part(self.label, theirs, theirs if same else self.ours(), self.fits)


def _span(wanted: Range) -> str:
    return f"{wanted.min}" if wanted.min == wanted.max else f"{wanted.min} to {wanted.max}"


def _said(registry: Any, value: int | Range) -> str:
    if isinstance(value, Range):
        return _span(value)
    if not value:
        return "none"
    return name_of(registry, value) if registry is not None else str(value)


# --- what to set where, in IKEv1 ----------------------------------------------------------------


def weigh(rows: Sequence[Row]) -> tuple[str, frozenset[str]]:
    """The mend of what has a stronger one, empty without, and the labels that it is about."""
    by_label = {row.label: row for row in rows}
    gaps: dict[str, Gap] = {}
    about: set[str] = set()
    for label in _CIPHERS:
        if label in by_label and (found := _cipher_gap(by_label, label)):
            gaps[label], with_it = found
            about |= with_it
    for label in (_AUTH, *_OTHERS):
        row = by_label.get(label)
        if row and not row.fits and row.wanted is not None and label not in about:
            gaps[label] = Gap(label, *map(stronger.other, (row.theirs(), row.ours())))
            about.add(label)
    return stronger.made_stronger(gaps.values(), _written(by_label, gaps)), frozenset(about)


def _cipher_gap(rows: Mapping[str, Row], label: str) -> tuple[Gap, set[str]] | None:
    """A cipher with its key length and, where one of both authenticates as well, or it is AH's
    hash, with its integrity algorithm; None where it is the same."""
    row, parts = rows[label], [label, _BITS]
    if row.wanted is None:
        return None
    auth = rows.get(_AUTH)
    combined = row.registry is ipsec.Ah or any(map(stronger.is_combined, _both(row)))
    if combined and auth and (not row.fits or not auth.fits):
        parts.append(_AUTH)
    apart = {part for part in parts if part in rows and not rows[part].fits}
    if not apart:
        return None
    bits = _bits(rows.get(_BITS))
    if row.registry is ipsec.Ah:
        pairs = zip(_both(row), _both(auth or row), strict=True)
        sides = [_of_ah(*pair) for pair in pairs]
    elif _AUTH in parts and auth:
        sides = list(map(stronger.with_integrity, _both(row), bits, _both(auth)))
    else:
        sides = list(map(stronger.cipher, _both(row), bits))
    return Gap(label, *sides), apart


def _of_ah(hash_: str, auth: str) -> Side:
    """What authenticates in AH has two names (RFC 2407 4.4.3.1)."""
    return stronger.other(auth)._replace(name=f"{hash_} with {auth}")


def _both(row: Row) -> tuple[str, str]:
    return row.theirs(), row.ours()


def _bits(row: Row | None) -> tuple[int, int]:
    """The key lengths of both, 0 without one; of ours the one that fits, or is offered."""
    if row is None:
        return 0, 0
    ours = row.wanted or 0
    if isinstance(ours, Range):
        ours = row.came if row.came in ours else ours.offer
    return row.came, ours


def _written(rows: Mapping[str, Row], gaps: Mapping[str, Gap]) -> str:
    """A name of isakmpd.conf(5) that both would take, where ours can be set to it; or empty."""
    tags = {label: row.ours() for label, row in rows.items() if row.registry}
    cipher = next((label for label in _CIPHERS if label in rows), "")
    theirs = {label for label, gap in gaps.items() if gap.here}
    theirs |= {label for label, row in rows.items() if row.fits or row.wanted is None}
    tags |= {label: rows[label].theirs() for label in theirs if rows[label].registry}
    if cipher in theirs and _AUTH in rows and _AUTH not in gaps:
        tags[_AUTH] = rows[_AUTH].theirs()
    tags = {label: name for label, name in tags.items() if name != "none"}
    tags[_BITS] = str(_bits(rows.get(_BITS))[cipher not in theirs])
    if cipher == _CIPHERS[0]:
        tags.pop("AUTHENTICATION_METHOD", None)
        name = main_mode_name(tags)
        return name and f"{name} of Transforms"
    if not cipher or rows[cipher].registry is ipsec.Ah:
        return ""
    name = quick_mode_name(tags)
    return name and f"{name} of Suites"
