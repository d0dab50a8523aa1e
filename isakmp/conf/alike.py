"""Names that look like others: what may have been meant by one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

MAX_CANDIDATES = 300
MAX_COMPARED = 100
# How much alike two tags are that may be meant for each other.
ALIKE = 0.7


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """A hint with the known name that looks most like ``name``; empty where none does.

    likeness: 0 to 1, how much alike names must be.
    """
    found = most_alike(name, known, likeness)
    return f"did you mean {found}?" if found else ""


def most_alike(name: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """That name itself; empty where none is so much alike."""
    return next(iter(alike(name, known, likeness, 1)), "")


def alike(
    name: str, known: Iterable[str], likeness: float = 0.6, count: int = MAX_CANDIDATES
) -> list[str]:
    """The known names that are so much alike, the most first, and so many at most."""
    spelled = {candidate.lower(): candidate for candidate in islice(known, MAX_CANDIDATES)}
    found = get_close_matches(name.lower()[:MAX_COMPARED], spelled, count, likeness)
    return [spelled[key] for key in found]


def whole(tag: str, value: str) -> tuple[str, str]:
    """A tag and its value, where the first equals sign may be a slip within the tag."""
    rest, equals, behind = (part.strip() for part in value.partition("="))
    return (tag + rest, behind) if equals and not any(map(str.isspace, rest)) else (tag, value)
