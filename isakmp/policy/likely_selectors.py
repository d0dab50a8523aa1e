"""The selectors that a list of them likely means, where it is written otherwise than it has to be:
for dropping them, and for what to write instead.

``10.2.0.0 255.255.0.0``, ``10.2.0.0 /16``, ``10.2.0.0 mask 16``; of protocols and ports that
cannot be read the network alone counts.
"""

from __future__ import annotations

import re
from collections import deque

from isakmp.policy.likely_network import likely_network
from isakmp.policy.selector_text import parse_selector

# What stands between selectors, and what is one, with its protocol and ports apart.
_BETWEEN = "\\s,;\"'"
_WORD = re.compile(rf"([^{_BETWEEN}\[\]]+)(?:\s*(\[[^\[\]]*\]))?")
_MASK = re.compile(rf"[{_BETWEEN}]+(?:net)?mask[\s:=]+", re.IGNORECASE)
_JOINT = re.compile(r"\s*([/-])\s*")
_ADDRESS = re.compile(r"\[([0-9A-Fa-f]*[.:][0-9A-Fa-f.:]*)\]")


def likely_selectors(text: str) -> tuple[list[str], bool]:
    """Those that can be read, and whether they are certain to be all that is meant."""
    text = _JOINT.sub(r"\1", _MASK.sub(" ", _ADDRESS.sub(r"\1", text)))
    words = deque(_WORD.findall(text))
    certain = not re.sub(f"[{_BETWEEN}]", "", _WORD.sub("", text))
    found = []
    while words:
        word, rest = words.popleft()
        masks = []
        while not rest and words and _is_mask_of(word, words[0][0]):
            mask, rest = words.popleft()
            masks.append(mask)
        if masks:
            word = str(likely_network(word, masks)[0])
        read = next((one for one in (word + rest, word) if _reads(one)), "")
        found += [read] if read else []
        certain &= bool(read)
    return found, certain


def instead_of(text: str) -> str:
    """What to write in place of a selector that cannot be read; empty where that is not certain."""
    found, certain = ([], False) if "[" in text else likely_selectors(text)
    return f"write {', '.join(found)}" if found and certain else ""


def _is_mask_of(word: str, other: str) -> bool:
    """Whether what stands behind an address, or behind a network, is a mask."""
    return likely_network(word.partition("/")[0], [other])[1]


def _reads(text: str) -> bool:
    try:
        parse_selector(text)
    except ValueError:
        return False
    return True
