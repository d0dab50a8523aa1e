"""Proposals whose words are put together otherwise than with hyphens, or taken apart by them:
``aes-256-sha-256``, ``aes256_sha256``, ``aes256/sha256``. For hints, never for negotiating."""

from __future__ import annotations

import re
from collections.abc import Callable

_APART = re.compile(r"[^a-z0-9]+")
_MOST_CHARACTERS = 256
# A word that is taken apart has so many pieces at most: aes-256-gcm-16.
_MOST_PIECES = 4


def joined(text: str, known: Callable[[str], str]) -> str:
    """The keywords that a text has, with hyphens; empty where a piece belongs to none. Of several
    pieces that are one the longest counts. known: the keyword that a word without
    hyphens stands for, or empty."""
    pieces = list(filter(None, _APART.split(text[:_MOST_CHARACTERS].lower())))
    found: list[str] = []
    while pieces:
        for count in range(min(_MOST_PIECES, len(pieces)), 0, -1):
            if word := known("".join(pieces[:count])):
                break
        else:
            return ""
        found.append(word)
        del pieces[:count]
    return "" if len(text) > _MOST_CHARACTERS else "-".join(found)


def joining(text: str, known: Callable[[str], str]) -> str:
    """A hint with these; empty where there are none."""
    found = joined(text, known)
    if not found:
        return ""
    hyphens = not re.search(r"[a-z0-9][^a-z0-9-]+[a-z0-9]", text.lower())
    return f"did you mean {found}?" if hyphens else f"join them with hyphens: {found}"
