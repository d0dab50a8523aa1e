"""What the tutorial shows, beside what is printed.

What a run has of its own (times, cookies, the length that garbage says to have) counts for
nothing, and neither does how lines are folded; `...` stands for what is left out.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def plain(text: str) -> str:
    """Without what is another each time."""
    text = re.sub(r"^\$ .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "", text)
    text = re.sub(r"[0-9a-f]{16}:[0-9a-f]{16}", "COOKIES", text)
    text = re.sub(r"\b\d+\.\d+s", "TOOK", text)
    text = re.sub(r"after decryption, .*? \(RFC 2408 3.2\)", "GARBAGE", text, flags=re.DOTALL)
    return " ".join(text.replace("- ", "-").split())


def shows(view: str, told: str) -> bool:
    """Whether a view has all that is told, in that order."""
    at, view = 0, plain(view)
    for piece in plain(told).split("..."):
        at = view.find(piece.strip(), at)
        if at < 0:
            return False
    return True


def sections() -> dict[str, list[str]]:
    """The blocks below each heading of the tutorial."""
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    parts = re.split(r"(?m)^(##+ .*)$", text)
    return {
        heading: re.findall(r"(?ms)^```\n(.*?)^```$", part)
        for heading, part in zip(parts[1::2], parts[2::2], strict=True)
    }
