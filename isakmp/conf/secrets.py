"""Pre-shared keys that can be guessed: well-known ones, short ones, words."""

from __future__ import annotations

import re
from math import log2

# Out of manuals, how-tos and our own examples: whoever attacks tries these first.
WELL_KNOWN = frozenset(
    {
        b"mekmitasdigoat",
        b"mekmitasdigoatr",
        b"demo-only-correct-horse-battery-staple",
        b"correct horse battery staple",
        b"correcthorsebatterystaple",
        b"put-the-output-of-openssl-rand-hex-32-here",
        b"notarealsecret",
        b"a shared word",
        b"changeme",
        b"change-me",
        b"secret",
        b"password",
        b"presharedkey",
        b"pre-shared-key",
        b"openbsd",
        b"isakmpd",
    }
)
# RFC 7296 2.15: as strong as the strongest key that is negotiated; less than this can be searched.
ENOUGH_BITS = 64
PPK_BITS = 256
_PPK_LOOKED = 1024
_KNOWN = "this secret is known to everybody"
_PLACE = re.compile(rb"(?i)placeholder|change.?me")
MAX_LOOKED = 256
MEND = "make one: openssl rand -hex 32"
_CLASSES = ((rb"[a-z]", 26), (rb"[A-Z]", 26), (rb"[0-9]", 10), (rb"[^a-zA-Z0-9]", 32))
# What one word of a text in a human language is worth to who guesses words, not letters.
_BITS_OF_WORD = 13
_WORD = re.compile(rb"[a-zA-Z]{3,}")
_PLAIN_WORD = rb"[A-Z]?[a-z]*|[A-Z]+|[0-9]{1,4}"
# What a key may be written in, and the bits that each octet of it has then.
_ALPHABETS = (
    (rb"[0-9]+", log2(10)), (rb"[0-9a-f]+|[0-9A-F]+", 4), (rb"[a-z]+|[A-Z]+", log2(26)),
    (rb"[A-Za-z0-9+/=_-]+", 6), (rb"[ -~]+", log2(95)),
)  # fmt: skip


def weakness(secret: bytes) -> str:
    """Why a key is no good; empty where nothing is known against it."""
    if _is_known(secret):
        return _KNOWN
    if entropy(secret) < ENOUGH_BITS:
        return "this secret can be guessed"
    return ""


def _is_known(secret: bytes) -> bool:
    return secret.lower() in WELL_KNOWN or bool(re.search(_PLACE, secret))


def entropy(secret: bytes) -> float:
    """About how many bits guessing a key takes: words count as words, repetitions once."""
    if match := re.fullmatch(rb"(.{1,64}?)\1+", secret[:MAX_LOOKED], re.DOTALL):
        return entropy(match[1])
    alphabet = sum(size for pattern, size in _CLASSES if re.search(pattern, secret))
    random = min(len(secret), 2 * len(set(secret))) * log2(alphabet or 1)
    words = _WORD.findall(secret)
    others = len(secret) - sum(map(len, words))
    # Letters between digits and signs are words, too, where most of a text is letters.
    if len(words) and others * 3 < len(secret):
        return min(random, len(words) * _BITS_OF_WORD + others * log2(alphabet or 1) / 2)
    return random


def ppk_weakness(secret: bytes) -> str:
    """The same of a post-quantum pre-shared key, whose bits count half (RFC 8784 6)."""
    if _is_known(secret):
        return _KNOWN
    bits = int(_most_bits(secret))
    few = f"this key has {bits} bits of entropy at most; RFC 8784 asks for {PPK_BITS}"
    return few if bits < PPK_BITS else ""


def _most_bits(secret: bytes) -> float:
    """How many bits guessing takes who knows how a key is written: words count as words."""
    secret = secret[:_PPK_LOOKED]
    if match := re.fullmatch(rb"(.{1,128}?)\1+", secret, re.DOTALL):
        return _most_bits(match[1])
    words = re.split(rb"[^a-zA-Z0-9]+", secret) if re.fullmatch(rb"[ -~]+", secret) else []
    if len(words) > 1 and all(re.fullmatch(_PLAIN_WORD, word) for word in words):
        return len(words) * _BITS_OF_WORD
    each = next((bits for pattern, bits in _ALPHABETS if re.fullmatch(pattern, secret)), 8)
    return len(secret) * each
